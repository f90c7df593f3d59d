"""Who may read ``/metrics``: one row; the password is sealed in it."""

from __future__ import annotations

from sqlalchemy import insert, select, update

from poolkeeper.domain.metrics import MetricsCredentials
from poolkeeper.store.database import Transaction
from poolkeeper.store.schema import metrics_credentials

_ROW = 1
_PURPOSE = "metrics password"


def find_metrics_credentials(tx: Transaction) -> MetricsCredentials | None:
    """The credentials; None before there are any."""
    row = tx.connection.execute(select(metrics_credentials)).one_or_none()
    if row is None:
        return None
    return MetricsCredentials(row.username, tx.sealer.unseal(row.password, _PURPOSE))


def put_metrics_credentials(tx: Transaction, credentials: MetricsCredentials) -> None:
    """Have these from now on."""
    row: dict[str, object] = {
        "username": credentials.username,
        "password": tx.sealer.seal(credentials.password, _PURPOSE),
    }
    if tx.connection.execute(update(metrics_credentials).values(row)).rowcount == 0:
        tx.connection.execute(insert(metrics_credentials).values(row | {"id": _ROW}))
