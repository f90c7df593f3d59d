"""Who may read ``/metrics``."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import select

from poolkeeper.domain.metrics import MetricsCredentials
from poolkeeper.store.database import Store
from poolkeeper.store.metrics_credentials import (
    find_metrics_credentials,
    put_metrics_credentials,
)
from poolkeeper.store.schema import metrics_credentials

FIRST = MetricsCredentials("metrics", "first password")
SECOND = MetricsCredentials("scraper", "second password")


@pytest.fixture(autouse=True)
def _empty(store: Store) -> Iterator[None]:
    with store.write() as tx:
        tx.connection.execute(metrics_credentials.delete())
    yield


def test_there_is_one_pair_and_the_last_counts(store: Store) -> None:
    with store.write() as tx:
        assert find_metrics_credentials(tx) is None
        put_metrics_credentials(tx, FIRST)
        assert find_metrics_credentials(tx) == FIRST
        put_metrics_credentials(tx, SECOND)
    with store.read() as tx:
        assert find_metrics_credentials(tx) == SECOND
        assert len(tx.connection.execute(select(metrics_credentials)).all()) == 1


def test_the_password_is_sealed_and_not_shown(store: Store) -> None:
    with store.write() as tx:
        put_metrics_credentials(tx, FIRST)
        [row] = tx.connection.execute(select(metrics_credentials)).all()
    assert FIRST.password not in str(row)
    assert FIRST.password not in repr(FIRST)
