"""A front of one's own for each test, over one real HTTP server; see ``front``."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import httpx
import pytest
import structlog
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from fastapi import FastAPI
from sqlalchemy import delete

from poolkeeper.api.app import build_app
from poolkeeper.domain.memory import GIB, Machine
from poolkeeper.metrics.history import History
from poolkeeper.store.changes import Changes
from poolkeeper.store.database import Store
from poolkeeper.store.observations import Observations
from poolkeeper.store.schema import METADATA, key_checks
from poolkeeper.store.sealing import Sealer
from poolkeeper.usecases.context import Context
from tests.api.contract import Contract, find_contract
from tests.api.front import Front
from tests.api.reconciler import StandIn
from tests.api.server import serve

STARTED_AT = datetime(2026, 11, 1, 10, tzinfo=UTC)


@dataclass(frozen=True)
class Service:
    """What all tests share because making it takes long: a store, an application, its server.

    Each test finds the store empty, and puts a context of its own into the application.
    """

    store: Store
    samples: History
    app: FastAPI
    url: str
    descriptions: Sequence[Contract]

    def check(self, response: httpx.Response) -> None:
        """Hold an answer against our description and, where it is at hand, DigitalOcean's."""
        for description in self.descriptions:
            description.check(response)

    def empty(self) -> None:
        """Take everything out of the store."""
        with self.store.write() as tx:
            for table in reversed(METADATA.sorted_tables):
                if table is not key_checks:
                    tx.connection.execute(delete(table))


@pytest.fixture(scope="session")
def service(
    contract: Contract | None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("store")
    store = Store.open(None, folder, now=_now, sealer=Sealer(bytes(32)))
    samples = History(folder / "samples.db")
    app = build_app(cast(Context, None), started_at=STARTED_AT)
    own = Contract(app.openapi(), strict=True)
    with serve(app) as url:
        yield Service(store, samples, app, url, [own] if contract is None else [own, contract])
    samples.stop()
    store.close()


@pytest.fixture(scope="session")
def contract() -> Contract | None:
    """DigitalOcean's, if this machine has it."""
    path = find_contract()
    return None if path is None else Contract.load(path)


@pytest.fixture(scope="session")
def ca_certificate() -> str:
    """A certificate authority's certificate, in PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(_now() - timedelta(hours=1))
        .not_valid_after(_now() + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, SHA256())
    )
    return certificate.public_bytes(Encoding.PEM).decode()


@pytest.fixture
def front(service: Service, ca_certificate: str) -> Iterator[Front]:
    """The API over an empty store."""
    with _open_front(service, ca_certificate) as front:
        yield front


@pytest.fixture(scope="module")
def module_front(service: Service, ca_certificate: str) -> Iterator[Front]:
    """The API over a store that a module's tests share; none of them may use ``front``."""
    with _open_front(service, ca_certificate) as front:
        yield front


@pytest.fixture
def main(front: Front) -> Mapping[str, Any]:
    """A cluster of 22 backend connections, as the API answered."""
    return front.create_cluster("main")


@pytest.fixture(scope="package", autouse=True)
def _entries() -> Iterator[list[MutableMapping[str, Any]]]:
    # For the package: a line may come just after the test that caused it.
    with structlog.testing.capture_logs() as entries:
        yield entries


@pytest.fixture
def log(_entries: list[MutableMapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """What is logged meanwhile."""
    _entries.clear()
    return _entries


def _now() -> datetime:
    return datetime.now(UTC)


@contextmanager
def _open_front(service: Service, ca_certificate: str) -> Iterator[Front]:
    service.empty()
    changes = Changes()
    reconciler = StandIn(service.store, changes)
    context = Context(
        store=service.store,
        changes=changes,
        observations=Observations(),
        samples=service.samples,
        public_host="db.example",
        api_port=8443,
        first_port=25060,
        wait_seconds=60,
        grace=timedelta(0),
        ca_certificate=ca_certificate,
        majors=lambda: ["17", "15"],
        releases=lambda: {"17": "17.6", "15": "15.14"},
        port_is_free=lambda port: True,
        random_bytes=os.urandom,
        machine=lambda: Machine(memory=16 * GIB, cpus=4),
    )
    front = Front(service.app, context, reconciler, service.url, service.check)
    try:
        yield front
    finally:
        front.close()
        reconciler.stop()
