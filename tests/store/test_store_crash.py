"""A process killed while it writes leaves a consistent store, with all it was told is kept."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

from locations import KEY, Location

from poolkeeper.domain.clusters import Cluster
from poolkeeper.store.clusters import read_desired

AddCluster = Callable[..., Cluster]

WRITE_FOR_EVER = """
import pathlib
from datetime import UTC, datetime
from itertools import count
from uuid import UUID
from poolkeeper.store import clusters, databases
from poolkeeper.store.database import Store
from poolkeeper.store.sealing import Sealer
store = Store.open({url!r}, pathlib.Path({directory!r}),
    now=lambda: datetime.now(UTC), sealer=Sealer({key!r}))
id = UUID({id!r})
for number in count():
    with store.write() as tx:
        generation = clusters.bump_generation(tx, id)
        databases.put_database(tx, id, f"db{{generation}}", generation)
    print(generation, flush=True)
"""

OPEN_AND_DIE = """
import os, pathlib, signal
from datetime import UTC, datetime
from poolkeeper.store.database import Store
from poolkeeper.store.sealing import Sealer
class Bomb(Sealer):
    def seal(self, text, purpose):
        os.kill(os.getpid(), signal.SIGKILL)
Store.open({url!r}, pathlib.Path({directory!r}),
    now=lambda: datetime.now(UTC), sealer=Bomb({key!r}))
"""


def test_kill_while_writing(location: Location, add_cluster: AddCluster) -> None:
    store = location.open()
    with store.write() as tx:
        id = add_cluster(tx).id
    told = 1
    for lines in (1, 7, 30):
        script = _fill(WRITE_FOR_EVER, location, id=str(id))
        with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            for _ in range(lines):
                process.stdout.readline()
            process.kill()
            told = max([told, *map(int, process.stdout.read().split(b"\n")[:-1])])
        with store.write() as tx:
            desired = read_desired(tx, id)
        assert desired is not None
        generation = desired.cluster.generation
        assert generation >= told
        assert [item.generation for item in desired.databases] == list(range(2, generation + 1))
        told = generation
    store.close()


def test_kill_while_a_new_store_gets_its_tables(
    empty_location: Location, add_cluster: AddCluster
) -> None:
    script = _fill(OPEN_AND_DIE, empty_location)
    process = subprocess.run([sys.executable, "-c", script], check=False, timeout=100)
    assert process.returncode == -9
    store = empty_location.open()
    with store.write() as tx:
        add_cluster(tx)
    store.close()


def _fill(script: str, location: Location, **more: object) -> str:
    return script.format(url=location.url, directory=str(location.state_dir), key=KEY, **more)
