"""Clusters that stay in creation for as long as a test looks at that."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.plane import Plane, wait_until

_PORTS = 20


@contextmanager
def held_creation(plane: Plane, api: httpx.Client) -> Iterator[None]:
    """No cluster gets further meanwhile: where its sockets are to be, a file is in the way."""
    clusters = api.get("/v2/databases").json()["databases"]
    taken = {cluster["connection"]["port"] for cluster in clusters}
    first = plane.api_port + 2
    places = [
        _put_file(plane, port)
        for port in range(first, first + 2 * _PORTS, 2)
        if not {port, port + 1} & taken
    ]
    try:
        yield
    finally:
        for place in places:
            place.unlink()


def _put_file(plane: Plane, port: int) -> Path:
    place = plane.home / "run" / str(port)
    if place.is_dir():
        # Of a cluster that was deleted.
        wait_until(f"port {port} is free", lambda: _is_free(port) and _is_free(port + 1))
        shutil.rmtree(place)
    place.touch()
    return place


def _is_free(port: int) -> bool:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
