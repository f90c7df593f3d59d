"""The HTTPS end of the API: our certificate, our port, uvicorn."""

from __future__ import annotations

import errno
import gc
import signal
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog
import uvicorn
from starlette.types import ASGIApp

from poolkeeper.control_plane.http_guard import BoundedHeads, Listener
from poolkeeper.control_plane.wiring import Parts, now
from poolkeeper.domain.errors import PoolkeeperError
from poolkeeper.engine import host as machine
from poolkeeper.engine.certificates import ensure_leaf

_RENEWAL_EVERY = 12 * 3600.0
_YOUNG_OBJECTS = 10_000
_BACKLOG = 512

_log = structlog.get_logger("poolkeeper")


class HttpServer:
    """Serves until stopped."""

    def __init__(self, parts: Parts, server: uvicorn.Server, listener: socket.socket) -> None:
        self._parts = parts
        self._server = server
        self._listener = listener
        self._ended = threading.Event()

    @property
    def url(self) -> str:
        """What clients use: the public host's name and the port."""
        return self._compose_url(self._parts.settings.public_host)

    @property
    def local_url(self) -> str:
        """What works on this machine, whether or not its public name can be resolved here."""
        listen = self._parts.settings.listen
        return self._compose_url({"0.0.0.0": "127.0.0.1", "::": "::1"}.get(listen, listen))

    def _compose_url(self, name: str) -> str:
        host = f"[{name}]" if ":" in name else name
        return f"https://{host}:{self._parts.settings.api_port}"

    @property
    def is_stopping(self) -> bool:
        """Whether it takes no new requests and waits for those under way."""
        return self._server.should_exit

    def run(self) -> None:
        """Blocks; SIGTERM and SIGINT end it after the requests that are under way."""
        renewal = threading.Thread(target=self._renew, name="certificate", daemon=True)
        renewal.start()
        # What is there by now stays; looking through it for garbage would take 100 ms each time.
        gc.freeze()
        # A long list is tens of thousands of objects, and none of them garbage.
        gc.set_threshold(_YOUNG_OBJECTS)
        try:
            with _signals_end_the_server_alone():
                self._server.run(sockets=[self._listener])
        finally:
            self._ended.set()

    def wait_started(self) -> None:
        """Return once requests are answered. Raises PoolkeeperError if that never happens."""
        while not self._server.started:
            if self._ended.wait(0.01):
                raise PoolkeeperError("the API ended before it began")

    def stop(self) -> None:
        self._server.should_exit = True

    def _renew(self) -> None:
        """Goes on after a failure: a disk that is full now must not cost the certificate's end."""
        while not self._ended.wait(_RENEWAL_EVERY):
            try:
                self._show_current_certificate()
            except Exception:
                _log.exception("certificate_not_renewed")

    def _show_current_certificate(self) -> None:
        _ensure_certificate(self._parts)
        context = self._server.config.ssl
        if context is not None:
            # Also if it is not new: it may be that it could not be loaded when it was.
            context.load_cert_chain(*_places(self._parts))


def prepare(parts: Parts, app: ASGIApp) -> HttpServer:
    """Take the port and make the certificate. Raises PoolkeeperError if the port is taken."""
    settings = parts.settings
    listener = _listen(settings.listen, settings.api_port)
    _ensure_certificate(parts)
    certificate, key = _places(parts)
    config = uvicorn.Config(
        app,
        ssl_certfile=certificate,
        ssl_keyfile=key,
        ssl_version=ssl.PROTOCOL_TLS_SERVER,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=5,
        lifespan="on",
        http=BoundedHeads,
        ws="none",
    )
    return HttpServer(parts, uvicorn.Server(config), listener)


def _listen(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    # asyncio sets TCP_NODELAY only where the protocol is named; without it answers take 40 ms.
    listener = Listener(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((address, port))
    except OSError as error:
        listener.close()
        raise PoolkeeperError(
            f"the API cannot listen on {address} port {port}: {_explain(error, port)}"
        ) from error
    listener.listen(_BACKLOG)
    return listener


def _explain(error: OSError, port: int) -> str:
    """What stands in the way, and what to do about it."""
    match error.errno:
        case errno.EADDRINUSE:
            holder = machine.port_holder(port) or "another process"
            return f"{holder} has it; stop that, or choose another port with --api-port"
        case errno.EADDRNOTAVAIL:
            return "this machine does not have that address; choose another with --listen"
        case errno.EACCES:
            return "only root may; choose one from 1024 upwards with --api-port"
        case _:
            return f"{error.strerror}; choose others with --listen and --api-port"


@contextmanager
def _signals_end_the_server_alone() -> Iterator[None]:
    """Let what comes after the server be done, too.

    At its end uvicorn sends this process the SIGTERM that it caught once more.
    """
    before = signal.signal(signal.SIGTERM, lambda _signum, _frame: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _ensure_certificate(parts: Parts) -> None:
    certificate, key = _places(parts)
    ensure_leaf(
        parts.authority,
        certificate=certificate,
        key=key,
        names=parts.certificate_names,
        owner=None,
        now=now(),
    )


def _places(parts: Parts) -> tuple[Path, Path]:
    folder = parts.settings.state_dir / "ca"
    return folder / "api.crt", folder / "api.key"
