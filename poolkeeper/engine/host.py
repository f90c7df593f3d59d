"""What this machine has and which of its ports are taken."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from poolkeeper.domain.errors import EngineError

_ROOT = Path("/")
_LISTEN = "0A"  # TCP_LISTEN of the kernel's tcp_states.h, as /proc/net/tcp prints it
_WILDCARDS = {"*": ("0.0.0.0", "::")}  # PostgreSQL's and PgBouncer's word for both


@dataclass(frozen=True)
class Memory:
    """In bytes."""

    total: int
    used: int


def memory_bytes(root: Path = _ROOT) -> int:
    """The memory that we and what we start may use: the machine's, or our control group's."""
    return measure_memory(root).total


def measure_memory(root: Path = _ROOT) -> Memory:
    """The memory that we and what we start may use, and what of it is in use; what the kernel
    gives back at need is not."""
    total, available = _read_meminfo(root, "MemTotal", "MemAvailable")
    limit, group = min(_limit_memory(root), default=(total, root))
    # A machine may use many times what a container on it has.
    used = _read_group_usage(group) if limit < total else None
    return Memory(min(limit, total), max(total - available, 0) if used is None else used)


def cpu_count(root: Path = _ROOT) -> int:
    """The processors that we and what we start may use, at least 1."""
    counts = [float(len(os.sched_getaffinity(0)))]
    for folder in _control_groups(root, "cpu"):
        with contextlib.suppress(OSError, ValueError):
            quota, period = (folder / "cpu.max").read_text().split()
            counts.append(int(quota) / int(period))
        with contextlib.suppress(OSError, ValueError):
            quota_us = int((folder / "cpu.cfs_quota_us").read_text())
            period_us = int((folder / "cpu.cfs_period_us").read_text())
            if quota_us > 0:
                counts.append(quota_us / period_us)
    return max(int(min(counts)), 1)


def port_is_free(address: str, port: int) -> bool:
    """Whether a server could listen there now; ``*`` means every address.

    Raises EngineError if nobody could: the address is not this machine's, or the port is
    one that only root may take.
    """
    mine = []
    for each in _WILDCARDS.get(address, (address,)):
        for family, place in _resolve(each, port):
            problem = _try_to_bind(family, place)
            if problem == errno.EADDRINUSE:
                return False
            mine.append(problem)
    if 0 not in mine:
        reason = os.strerror(next((each for each in mine if each), errno.EADDRNOTAVAIL))
        raise EngineError(f"cannot listen on {address} port {port}: {reason}")
    return True


def port_holder(port: int, root: Path = _ROOT) -> str | None:
    """Who listens on the port, as ``pid 123 (postgres)``, for a message; None if unknown.

    Without root, other accounts' processes cannot be told.
    """
    sockets = {f"socket:[{inode}]" for inode in _listening_inodes(port, root)}
    if not sockets:
        return None
    for process in (root / "proc").iterdir():
        if process.name.isdigit() and _has_open(process, sockets):
            with contextlib.suppress(OSError):
                return f"pid {process.name} ({(process / 'comm').read_text().strip()})"
    return None


def _read_meminfo(root: Path, *names: str) -> list[int]:
    lines = (line.split() for line in (root / "proc/meminfo").read_text().splitlines())
    found = {words[0].rstrip(":"): int(words[1]) * 1024 for words in lines}
    try:
        return [found[name] for name in names]
    except KeyError as error:
        raise EngineError(f"/proc/meminfo has no {error.args[0]}") from None


def _limit_memory(root: Path) -> Iterator[tuple[int, Path]]:
    """The limits of our control group and of all above it, each with its folder."""
    for folder in _control_groups(root, "memory"):
        for name in ("memory.max", "memory.limit_in_bytes"):
            with contextlib.suppress(OSError, ValueError):
                yield int((folder / name).read_text()), folder


def _read_group_usage(folder: Path) -> int | None:
    """What a control group, of version 2 or 1, holds; None where it does not say."""
    for name, files in (
        ("memory.current", "inactive_file"),
        ("memory.usage_in_bytes", "total_inactive_file"),
    ):
        with contextlib.suppress(OSError, ValueError):
            used = int((folder / name).read_text())
            stat = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
            return max(used - int(stat.get(files, 0)), 0)
    return None


def _control_groups(root: Path, controller: str) -> Iterator[Path]:
    """Folders of our control group and of all above it, of version 2 and of version 1.

    In a container the path may be the host's and not be there; its upper end always is.
    """
    mounted = root / "sys/fs/cgroup"
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            base = mounted
        elif controller in controllers.split(","):
            base = mounted / controller
        else:
            continue
        folder = base / path.lstrip("/")
        yield from (each for each in (folder, *folder.parents) if each.is_relative_to(base))


def _resolve(address: str, port: int) -> list[tuple[int, tuple[object, ...]]]:
    try:
        found = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise EngineError(f"cannot listen on {address!r}: {error.strerror}") from error
    return [(int(entry[0]), entry[4]) for entry in found]


def _try_to_bind(family: int, place: tuple[object, ...]) -> int:
    """0, or the errno of what stands against it.

    SO_REUSEADDR, as PostgreSQL and PgBouncer set it, ignores connections that linger; not
    SO_REUSEPORT, with which we would share a PgBouncer's port and call it free.
    """
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            probe.bind(place)
    except OSError as error:
        return error.errno or errno.EIO
    return 0


def _listening_inodes(port: int, root: Path) -> set[str]:
    inodes = set()
    for table in ("tcp", "tcp6"):
        with contextlib.suppress(OSError):
            for line in (root / "proc/net" / table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == _LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
                    inodes.add(fields[9])
    return inodes


def _has_open(process: Path, targets: set[str]) -> bool:
    try:
        descriptors = list((process / "fd").iterdir())
    except OSError:
        return False
    for descriptor in descriptors:
        with contextlib.suppress(OSError):
            if str(descriptor.readlink()) in targets:
                return True
    return False
