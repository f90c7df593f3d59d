"""What was written is read by PgBouncer, whatever came in between."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path
from typing import cast
from uuid import UUID

import pytest

from poolkeeper.domain.clusters import Desired, Ports
from poolkeeper.engine.layout import ClusterPaths
from poolkeeper.engine.pgbouncer.console import Console
from poolkeeper.reconcile.host import Host
from poolkeeper.reconcile.pooler_files import PoolerFiles
from poolkeeper.reconcile.pooler_reload import PoolerReload

PATHS = ClusterPaths.of(Path("/none"), UUID(int=1), Ports(25060))


class Files:
    """Files that are written as the test says."""

    def __init__(self) -> None:
        self.write_all: Callable[[], bool] = lambda: True

    def read(self) -> dict[str, bytes]:
        return {}

    def write(self, *_: object) -> bool:
        return self.write_all()


class Reloads:
    """A console that counts."""

    count = 0

    def reload(self) -> None:
        self.count += 1


def fill_the_disk() -> bool:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_files_that_were_written_in_part_are_read() -> None:
    files, reloads = Files(), Reloads()
    reload = PoolerReload(cast(Host, None), cast(PoolerFiles, files), PATHS)

    def install() -> None:
        reload.install(cast(Console, reloads), cast(Desired, None), [])

    reload.note_start()
    files.write_all = lambda: False
    install()
    assert reloads.count == 0
    files.write_all = fill_the_disk
    with pytest.raises(OSError, match="No space left"):
        install()
    # What could not be written is no longer wanted; what could be, is there.
    files.write_all = lambda: False
    install()
    install()
    assert reloads.count == 1
