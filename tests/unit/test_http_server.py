"""The HTTPS end of the API, but for what takes a whole control plane."""

from __future__ import annotations

import socket
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import uvicorn

from poolkeeper.control_plane import http_server
from poolkeeper.control_plane.http_server import HttpServer
from poolkeeper.control_plane.wiring import Parts
from tests.plane import wait_until


def test_a_certificate_that_could_not_be_renewed_is_renewed_later(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    loaded: list[tuple[Path, Path]] = []
    tries = iter([OSError(28, "No space left on device"), None])

    def renew(_parts: Parts) -> bool:
        if (failure := next(tries, None)) is not None:
            raise failure
        return True

    monkeypatch.setattr(http_server, "_RENEWAL_EVERY", 0.01)
    monkeypatch.setattr(http_server, "_ensure_certificate", renew)
    context = SimpleNamespace(load_cert_chain=lambda *files: loaded.append(files))
    config = SimpleNamespace(ssl=context)
    parts: Any = SimpleNamespace(settings=SimpleNamespace(state_dir=tmp_path))
    with socket.socket() as listener:
        server = HttpServer(parts, cast(uvicorn.Server, SimpleNamespace(config=config)), listener)
        thread = threading.Thread(target=server._renew, daemon=True)
        thread.start()
        wait_until("it is loaded", lambda: loaded)
        server._ended.set()
        thread.join()
    assert loaded[0] == (tmp_path / "ca" / "api.crt", tmp_path / "ca" / "api.key")
