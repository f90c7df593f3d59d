"""A network that breaks without a word, on one connection."""

from __future__ import annotations

import ctypes
import socket
import struct

# Linux's filters of sockets (socket(7)); one that returns 0 has the kernel drop what comes in.
_ATTACH_FILTER, _DETACH_FILTER = 26, 27
_DROP_ALL = struct.pack("HBBI", 0x06, 0, 0, 0)


def swallow(connection: socket.socket) -> None:
    """From now on nothing arrives at this end, which does not acknowledge anything either."""
    program = ctypes.create_string_buffer(_DROP_ALL, len(_DROP_ALL))
    filter = struct.pack("HP", 1, ctypes.addressof(program))
    connection.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, filter)


def let_through(connection: socket.socket) -> None:
    """The network is mended."""
    connection.setsockopt(socket.SOL_SOCKET, _DETACH_FILTER, 0)
