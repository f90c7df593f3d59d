"""A panel of one's own for each test, over one real HTTP server."""

from __future__ import annotations

import os
from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast

import pytest
import structlog
from sqlalchemy import delete
from starlette.applications import Starlette

from poolkeeper.domain.memory import GIB, Machine
from poolkeeper.metrics.history import History
from poolkeeper.panel.app import build_panel
from poolkeeper.panel.patience import Patience
from poolkeeper.store.changes import Changes
from poolkeeper.store.database import Store
from poolkeeper.store.observations import Observations
from poolkeeper.store.schema import METADATA, key_checks
from poolkeeper.store.sealing import Sealer
from poolkeeper.usecases.context import Context
from tests.api.reconciler import StandIn
from tests.api.server import serve
from tests.panel.browsing import Clock, Panel


@dataclass
class Stage:
    """What all tests share because making it takes long. Each finds the store empty."""

    store: Store
    samples: History
    app: Starlette
    url: str
    clock: Clock


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("panel")
    clock = Clock()
    store = Store.open(None, folder, now=clock.now, sealer=Sealer(bytes(32)))
    samples = History(folder / "samples.db")
    # Nobody listens to its live stream, so its broadcaster needs nothing.
    app = build_panel(cast(Context, None))
    with serve(app) as url:
        yield Stage(store, samples, app, url, clock)
    samples.stop()
    store.close()


@pytest.fixture
def context(stage: Stage) -> Context:
    """What usecases work with, over an empty store."""
    with stage.store.write() as tx:
        for table in reversed(METADATA.sorted_tables):
            if table is not key_checks:
                tx.connection.execute(delete(table))
    stage.clock.moment = Clock().moment
    return Context(
        store=stage.store,
        changes=Changes(),
        observations=Observations(),
        samples=stage.samples,
        public_host="db.example",
        api_port=8443,
        first_port=25060,
        wait_seconds=10,
        grace=timedelta(0),
        ca_certificate="",
        majors=lambda: ["17", "15"],
        port_is_free=lambda port: True,
        random_bytes=os.urandom,
        machine=lambda: Machine(memory=16 * GIB, cpus=4),
    )


@pytest.fixture
def panel(stage: Stage, context: Context) -> Iterator[Panel]:
    stage.app.state.context = context
    stage.app.state.patience = Patience()
    reconciler = StandIn(stage.store, context.changes)
    panel = Panel(stage.app, stage.url, context, stage.clock, reconciler)
    yield panel
    panel.close()
    reconciler.stop()


@pytest.fixture(scope="package", autouse=True)
def _entries() -> Iterator[list[MutableMapping[str, Any]]]:
    # For the package: a line may come just after the test that caused it.
    with structlog.testing.capture_logs() as entries:
        yield entries


@pytest.fixture
def log(_entries: list[MutableMapping[str, Any]]) -> list[MutableMapping[str, Any]]:
    """What is logged meanwhile."""
    _entries.clear()
    return _entries


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
