"""Pages that stay open: each one's live stream, read as fast as it comes."""

from __future__ import annotations

import html
import re
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from bench.panel_visitor import PanelVisitor
from tests.plane import wait_until

_STREAM = re.compile(r'data-stream="([^"]+)"')


class OpenPanel:
    """One open page. ``events``: how often it was told something."""

    def __init__(self, visitor: PanelVisitor, path: str) -> None:
        found = _STREAM.search(visitor.ask(path)[1])
        if found is None:
            raise RuntimeError(f"{path} has no live stream")
        plain = socket.create_connection(("127.0.0.1", visitor.port), timeout=30)
        self._socket: ssl.SSLSocket = visitor.trust.wrap_socket(plain, server_hostname="127.0.0.1")
        lines = (
            f"GET {html.unescape(found[1])} HTTP/1.1",
            f"host: 127.0.0.1:{visitor.port}",
            f"cookie: {visitor.cookie}",
            "accept: text/event-stream",
        )
        self._socket.sendall("\r\n".join((*lines, "", "")).encode())
        self.events = 0
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def close(self) -> None:
        self._socket.settimeout(0.01)
        self._socket.close()
        self._reader.join(timeout=5)

    def _read(self) -> None:
        try:
            while chunk := self._socket.recv(65536):
                self.events += chunk.count(b"event: live")
        except OSError:
            return  # closed


@contextmanager
def open_panels(visitors: list[PanelVisitor], path: str) -> Iterator[list[OpenPanel]]:
    """So many people look at the same page, each signed in for himself, and all are told."""
    with ExitStack() as stack:
        panels = []
        for visitor in visitors:
            panel = OpenPanel(visitor, path)
            stack.callback(panel.close)
            panels.append(panel)
        wait_until(
            "each page was told something", lambda: all(panel.events >= 2 for panel in panels), 30
        )
        yield panels
