"""Real HTTP on the loopback."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from poolkeeper.control_plane.connections import adopt
from poolkeeper.control_plane.http_guard import BoundedHeads


class Listener(socket.socket):
    """As the control plane's, but for plain HTTP."""

    def accept(self) -> tuple[socket.socket, Any]:
        plain, address = super().accept()
        return adopt(plain), address


@contextmanager
def serve(app: ASGIApp) -> Iterator[str]:
    """Serve an application; its address."""
    config = uvicorn.Config(
        app, lifespan="on", log_config=None, access_log=False, http=BoundedHeads
    )
    server = uvicorn.Server(config)
    # asyncio sends at once (TCP_NODELAY) only where the protocol is named.
    with Listener(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.005)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join()
