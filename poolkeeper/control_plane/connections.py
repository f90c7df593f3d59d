"""Connections that know how much of what was sent on them has arrived."""

from __future__ import annotations

import fcntl
import socket
import struct
import sys
import termios
from weakref import WeakValueDictionary

# Of struct tcp_info (linux/tcp.h): the state, and how many bytes the peer has acknowledged.
_INFO = struct.Struct("=B119xQ")
# The states of a connection that the peer has broken off, or ended.
_CLOSE, _CLOSE_WAIT = 7, 8


class Connection(socket.socket):
    """A TCP connection of which the peer's kernel has said how much it got; still known once it
    is closed."""

    _state = _acknowledged = 0

    def is_open(self) -> bool:
        """Whether we have not closed it."""
        return self.fileno() != -1

    def is_left(self) -> bool:
        """Whether the peer ended it, and before we did."""
        self._look()
        return self._state in (_CLOSE, _CLOSE_WAIT)

    def count_sent(self) -> int:
        """Bytes that were given to the kernel, acknowledged or not. For one that is open."""
        while True:
            before = self.count_acknowledged()
            waiting = fcntl.ioctl(self.fileno(), termios.TIOCOUTQ, bytes(4))
            # What is acknowledged between the two would be counted twice, or not at all.
            if self.count_acknowledged() == before:
                return before + int.from_bytes(waiting, sys.byteorder)

    def count_acknowledged(self) -> int:
        """Bytes that have arrived at the peer's kernel."""
        self._look()
        return self._acknowledged

    def close(self) -> None:
        try:
            self._look()
        finally:
            super().close()

    def _look(self) -> None:
        if self.is_open():
            info = self.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO.size)
            self._state, self._acknowledged = _INFO.unpack(info)


_open: WeakValueDictionary[int, Connection] = WeakValueDictionary()


def adopt(plain: socket.socket) -> Connection:
    """The connection in place of that one, which is not to be used any more."""
    family, kind, protocol = plain.family, plain.type, plain.proto
    connection = Connection(family, kind, protocol, plain.detach())
    _open[connection.fileno()] = connection
    return connection


def find(fileno: int) -> Connection | None:
    """The open connection of that number: asyncio shows sockets only from the outside."""
    return _open.get(fileno)
