"""Clients that come from another address of the loopback network."""

from __future__ import annotations

import contextlib
import re
import selectors
import socket
import threading
from collections.abc import Iterator

_HOST_AND_PORT = re.compile(r"@(?P<host>[^:/]+):(?P<port>\d+)")


class Elsewhere:
    """Passes connections on to a server here, from an address of its own.

    libpq cannot choose where it comes from. What passes is not looked at, TLS neither.
    """

    def __init__(self, address: str, port: int) -> None:
        self._address = address
        self._target = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, name=f"from-{address}", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Accept no more; what is open stays until one of its ends closes."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._pass_on, args=(client,), daemon=True).start()

    def _pass_on(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            server = socket.create_connection(self._target, source_address=(self._address, 0))
            with server, selectors.DefaultSelector() as ready:
                ready.register(client, selectors.EVENT_READ, server)
                ready.register(server, selectors.EVENT_READ, client)
                while True:
                    for key, _ in ready.select():
                        assert isinstance(key.fileobj, socket.socket)
                        data = key.fileobj.recv(65536)
                        if not data:
                            return
                        key.data.sendall(data)


@contextlib.contextmanager
def coming_from(address: str, uri: str) -> Iterator[str]:
    """The URI by which a client gets to the same place from that address."""
    found = _HOST_AND_PORT.search(uri)
    assert found, uri
    with contextlib.closing(Elsewhere(address, int(found["port"]))) as way:
        yield uri.replace(found[0], f"@127.0.0.1:{way.port}")
