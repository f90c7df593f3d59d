"""What was last seen of the servers."""

from __future__ import annotations

from uuid import uuid4

import pytest
from locations import START

from poolkeeper.domain.status import PoolLoad, ServerProcess
from poolkeeper.store.observations import Observations

CLUSTER = uuid4()
PROCESS = ServerProcess("postgres", 0, 4711, "17.2", 25060, START)
LOAD = PoolLoad(1, 2, 3, 4, 0.5)


def test_nothing_was_seen_of_an_unknown_cluster() -> None:
    seen = Observations()
    assert seen.processes(CLUSTER) == ()
    assert seen.loads(CLUSTER) == {}


def test_the_newest_observation_counts_until_it_is_forgotten() -> None:
    seen, other = Observations(), uuid4()
    seen.put_processes(CLUSTER, (PROCESS, PROCESS))
    seen.put_processes(CLUSTER, (PROCESS,))
    seen.put_processes(other, ())
    seen.put_loads(CLUSTER, {"old": LOAD})
    seen.put_loads(CLUSTER, {"web": LOAD})
    assert seen.processes(CLUSTER) == (PROCESS,)
    assert seen.loads(CLUSTER) == {"web": LOAD}
    seen.forget(CLUSTER)
    seen.forget(CLUSTER)
    assert seen.processes(CLUSTER) == ()
    assert seen.loads(CLUSTER) == {}


def test_what_was_put_cannot_be_changed_from_outside() -> None:
    seen, loads = Observations(), {"web": LOAD}
    seen.put_loads(CLUSTER, loads)
    loads.clear()
    assert seen.loads(CLUSTER) == {"web": LOAD}
    with pytest.raises(TypeError):
        seen.loads(CLUSTER)["web"] = LOAD  # type: ignore[index]


def test_it_is_known_how_long_ago_loads_were_seen() -> None:
    seen = Observations()
    assert not seen.saw_loads_within(CLUSTER, 1000)
    seen.put_loads(CLUSTER, {})
    assert seen.saw_loads_within(CLUSTER, 1000)
    assert not seen.saw_loads_within(CLUSTER, -1)
    seen.forget(CLUSTER)
    assert not seen.saw_loads_within(CLUSTER, 1000)
