"""The end of a log, and what is added to it, across rotations."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

BLOCK = 64 * 1024
POLL_SECONDS = 0.25


def read_last_lines(path: Path, count: int) -> list[str]:
    """The last lines of a file, without reading what stands before them."""
    with path.open("rb") as file:
        position = file.seek(0, 2)
        content = b""
        while position > 0 and content.count(b"\n") <= count:
            step = min(BLOCK, position)
            position -= step
            file.seek(position)
            content = file.read(step) + content
    lines = content.decode(errors="replace").splitlines()
    return lines[-count:] if count > 0 else []


def follow_lines(locate: Callable[[], Path | None], wait: Callable[[], None]) -> Iterator[str]:
    """Lines as they are added to the file that `locate` names, for ever; all of a later one.

    `locate` is asked again and again: when it names another file, or the file was replaced
    or emptied, the rest of the old one comes first and then the new one from its beginning.
    `wait` is called when there is nothing new. A line comes once it is complete.
    """
    path = locate()
    offset = path.stat().st_size if path else 0
    while path is None:
        wait()
        path = locate()
    while True:
        with path.open("rb") as file:
            file.seek(offset)
            while not _is_another(path := locate() or path, file):
                yield from _read_complete_lines(file)
                wait()
            yield from (_decode(line) for line in file)
        offset = 0


def pause() -> None:
    time.sleep(POLL_SECONDS)


def _read_complete_lines(file: BinaryIO) -> Iterator[str]:
    """Lines up to the file's end; of an unfinished one nothing, so that it comes whole later."""
    position = file.tell()
    for line in iter(file.readline, b""):
        if not line.endswith(b"\n"):
            break
        position += len(line)
        yield _decode(line)
    file.seek(position)


def _is_another(path: Path, file: BinaryIO) -> bool:
    """Whether the path now means another file than the open one, or that one was emptied."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return False
    opened = os.fstat(file.fileno())
    moved = (found.st_dev, found.st_ino) != (opened.st_dev, opened.st_ino)
    return moved or found.st_size < file.tell()


def _decode(line: bytes) -> str:
    return line.decode(errors="replace").rstrip("\r\n")
