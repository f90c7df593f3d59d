"""Files and folders written so that no reader ever sees half of one.

The folders of a cluster belong to the servers' account while we may be root. A symbolic
link planted there must not make root read or write elsewhere: a file is never followed if
it is a link, nor is the folder that holds it when the file is the account's.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from poolkeeper.engine.accounts import Account

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


def write_if_changed(
    path: Path,
    text: str | bytes,
    *,
    owner: Account | None,
    mode: int = 0o600,
    fsync: bool = False,
) -> bool:
    """Write the file, whole or not at all; True only if a byte differs from what stood there.

    A changed file is a new inode: PgBouncer compares whole-second time, size and inode.
    Owner and mode are put right even if no byte differs. ``fsync`` is for what cannot be
    rendered again after a power cut. A file has one writer at a time. Raises OSError.
    """
    wanted = text.encode() if isinstance(text, str) else text
    with _open_folder(path.parent, follow=owner is None) as folder:
        if _settle_unchanged(path.name, folder, wanted, owner, mode):
            _remove_unfinished(path.name, folder)
            return False
        with _renamed_when_whole(path.name, folder, fsync=fsync) as written:
            _set_rights(written, owner, mode)
            _write_all(written, wanted)
    return True


def make_directory(path: Path, owner: Account | None, mode: int = 0o700) -> None:
    """Make the folder if it is missing, parents not included; put owner and mode right.

    Raises OSError, also if something that is not a folder, or a link to one, stands there.
    """
    with contextlib.suppress(FileExistsError):
        path.mkdir(mode=0o700)
    with _open_folder(path, follow=False) as folder:
        _set_rights(folder, owner, mode)


def remove_tree(path: Path) -> None:
    """Remove the folder and everything in it; fine if it is gone already. Raises OSError."""
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(path)


def remove_file(path: Path) -> None:
    """Remove the file; fine if it is gone already. Raises OSError."""
    path.unlink(missing_ok=True)


def sync_directory(path: Path) -> None:
    """Make sure that the names in this folder survive a power cut. Raises OSError."""
    with _open_folder(path, follow=True) as folder:
        os.fsync(folder)


def open_log(path: Path, owner: Account | None) -> int:
    """A descriptor that appends to the log file, made with mode 0600 if missing.

    The caller closes it. Raises OSError.
    """
    append = os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
    with _open_folder(path.parent, follow=owner is None) as folder:
        try:
            made = os.open(path.name, _CREATE | os.O_APPEND, 0o600, dir_fd=folder)
        except FileExistsError:
            return os.open(path.name, append, dir_fd=folder)
    _set_rights(made, owner, 0o600)
    return made


def read_file(path: Path) -> bytes | None:
    """The content of a file; None if there is none, or a link or something else in its place.

    Raises OSError if it is there but cannot be read.
    """
    try:
        found = os.open(path, _READ | os.O_NONBLOCK)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            return None
        raise
    with os.fdopen(found, "rb") as file:
        return file.read() if stat.S_ISREG(os.fstat(found).st_mode) else None


def read_tail(path: Path, lines: int, limit: int = 64 * 1024) -> list[str]:
    """The last lines of a text file, [] if there is none; reads at most ``limit`` bytes.

    A last line that has no end yet, because it is just being written, is left out unless there
    is no other.
    """
    try:
        with (
            _open_folder(path.parent, follow=False) as folder,
            os.fdopen(os.open(path.name, _READ | os.O_NONBLOCK, dir_fd=folder), "rb") as file,
        ):
            start = max(file.seek(0, os.SEEK_END) - limit, 0)
            file.seek(start)
            text = file.read().decode(errors="replace")
    except OSError:
        return []
    found = text.splitlines()
    # The first line is cut in two when reading began in its middle.
    whole = found[1:] if start else found
    if len(whole) > 1 and not text.endswith("\n"):
        whole.pop()
    return whole[-lines:]


@contextlib.contextmanager
def _open_folder(path: Path, *, follow: bool) -> Iterator[int]:
    folder = os.open(path, _FOLDER if follow else _FOLDER | os.O_NOFOLLOW)
    try:
        yield folder
    finally:
        os.close(folder)


def _settle_unchanged(
    name: str, folder: int, wanted: bytes, owner: Account | None, mode: int
) -> bool:
    """True if the file is there and the same; its owner and mode are then right, too."""
    try:
        found = os.open(name, _READ | os.O_NONBLOCK, dir_fd=folder)
    except OSError:
        return False
    with os.fdopen(found, "rb") as file:
        if not stat.S_ISREG(os.fstat(found).st_mode) or file.read() != wanted:
            return False
        _set_rights(found, owner, mode)
    return True


@contextlib.contextmanager
def _renamed_when_whole(name: str, folder: int, *, fsync: bool) -> Iterator[int]:
    """A new file to write, which takes the name when the block ends without an error."""
    temporary = _name_unfinished(name)
    _remove_unfinished(name, folder)
    written = os.open(temporary, _CREATE, 0o600, dir_fd=folder)
    try:
        yield written
        if fsync:
            os.fsync(written)
        os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with contextlib.suppress(OSError):
            _remove_unfinished(name, folder)
        raise
    finally:
        os.close(written)
    if fsync:
        os.fsync(folder)


def _name_unfinished(name: str) -> str:
    """The same each time: what a killed writer left is found, and replaced, by the next."""
    return f".{name}.new"


def _remove_unfinished(name: str, folder: int) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(_name_unfinished(name), dir_fd=folder)


def _write_all(descriptor: int, wanted: bytes) -> None:
    rest = memoryview(wanted)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _set_rights(descriptor: int, owner: Account | None, mode: int) -> None:
    found = os.fstat(descriptor)
    if owner is not None and (found.st_uid, found.st_gid) != (owner.uid, owner.gid):
        os.fchown(descriptor, owner.uid, owner.gid)
    if stat.S_IMODE(found.st_mode) != mode:
        os.fchmod(descriptor, mode)
