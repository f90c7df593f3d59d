"""Shared by all tests: one running control plane a session, and clusters of one's own in it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import hypothesis
import pytest

from tests.creation import holdable_plane
from tests.plane import Plane, create_cluster
from tests.shows import MARK, count_exchanges, list_unasked

# How long an example takes depends on the machine, and shows nothing.
hypothesis.settings.register_profile(
    "unhurried", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("unhurried")

_numbers = itertools.count(1)


@pytest.fixture(autouse=True)
def _shown(request: pytest.FixtureRequest) -> Iterator[None]:
    """What a test says it shows, it asks for."""
    marks = list(request.node.iter_markers(MARK))
    since = count_exchanges()
    yield
    said = [operation for mark in marks for operation in mark.args]
    assert list_unasked(said, since) == []


@pytest.fixture(scope="session")
def plane() -> Iterator[Plane]:
    """A control plane without clusters."""
    # Neither a client in a queue nor a call is to be told off because the machine is busy.
    waits = {"query_wait_timeout": 20, "request_wait_seconds": 30}
    with holdable_plane(drain_seconds=2, **waits) as plane:
        yield plane


@pytest.fixture(scope="session")
def api(plane: Plane) -> Iterator[httpx.Client]:
    """Its API, as its owner."""
    with plane.client() as client:
        yield client


@pytest.fixture(scope="module")
def cluster(api: httpx.Client) -> Iterator[Mapping[str, Any]]:
    """A cluster of 1 GiB (22 backend connections) for one module's tests."""
    cluster = create_cluster(api, f"test-{next(_numbers)}")
    yield cluster
    api.delete(f"/v2/databases/{cluster['id']}")
