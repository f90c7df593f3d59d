"""Who may read ``/metrics``."""

from __future__ import annotations

import hmac

from poolkeeper.domain.errors import Unauthenticated
from poolkeeper.domain.events import Event, EventKind
from poolkeeper.domain.metrics import DEFAULT_USERNAME, MetricsCredentials
from poolkeeper.store import events
from poolkeeper.store.metrics_credentials import (
    find_metrics_credentials,
    put_metrics_credentials,
)
from poolkeeper.usecases.context import Context
from poolkeeper.usecases.credentials import new_password


def ensure_credentials(context: Context) -> MetricsCredentials:
    """The credentials, which are made when they are needed first, once for all."""
    with context.store.read() as tx:
        found = find_metrics_credentials(tx)
    if found is not None:
        return found
    with context.store.write() as tx:
        # Again, now that nobody else writes: somebody may have been faster.
        found = find_metrics_credentials(tx)
        if found is None:
            found = MetricsCredentials(DEFAULT_USERNAME, new_password(context))
            put_metrics_credentials(tx, found)
    return found


def update_credentials(context: Context, actor: str, credentials: MetricsCredentials) -> None:
    """Let in who has these, and nobody else, from now on."""
    with context.store.write() as tx:
        found = find_metrics_credentials(tx)
        put_metrics_credentials(tx, credentials)
        detail: dict[str, object] = {"username": credentials.username}
        if found is not None:
            detail["before"] = {"username": found.username}
        kind = EventKind.METRICS_CREDENTIALS_UPDATE
        events.add_event(tx, Event(kind, actor, credentials.username, None, detail))


def demand_credentials(context: Context, given: MetricsCredentials | None) -> None:
    """Raises Unauthenticated unless they are right; how wrong they are takes no longer to see."""
    with context.store.read() as tx:
        found = find_metrics_credentials(tx)
    if given is None or found is None:
        raise Unauthenticated
    right_name = hmac.compare_digest(given.username.encode(), found.username.encode())
    right_password = hmac.compare_digest(given.password.encode(), found.password.encode())
    if not (right_name and right_password):
        raise Unauthenticated
