"""Reading and changing the settings of a cluster's PostgreSQL and PgBouncer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from uuid import UUID
from zoneinfo import available_timezones

from poolkeeper.domain.config import (
    Config,
    blame,
    compare_configs,
    describe_config,
    parse_config_patch,
    restore_config,
)
from poolkeeper.domain.config_kinds import show_value
from poolkeeper.domain.events import Event, EventKind
from poolkeeper.store import clusters, events
from poolkeeper.store.database import Transaction
from poolkeeper.usecases.context import Context
from poolkeeper.usecases.convergence import Intent, await_in_force, await_online, require_cluster

# The reconciler files what PostgreSQL says of them under this name, too.
_SUBJECT = "config"

Changes = Mapping[str, tuple[object, object]]


def get_config(context: Context, cluster_id: UUID) -> Config:
    """Every setting that the cluster has, with the value it is to have. Raises NotFound."""
    with context.store.read() as tx:
        cluster = require_cluster(tx, cluster_id)
    return describe_config(cluster, context.machine())


def patch_config(context: Context, actor: str, cluster_id: UUID, patch: Config) -> None:
    """Change some settings and return once PostgreSQL and PgBouncer have taken them up.

    Those that take a restart of PostgreSQL are written down for it by then, and wait. What
    PostgreSQL refuses is taken back. Raises NotFound, NotReady, InvalidRequest, Unavailable;
    nothing is applied then.
    """
    await_online(context, cluster_id)
    zones = available_timezones() if "timezone" in patch else set()
    machine = context.machine()
    with context.turns.take(cluster_id, _SUBJECT, context.wait_seconds):
        with context.store.write() as tx:
            cluster = require_cluster(tx, cluster_id)
            config = parse_config_patch(patch, cluster, machine, zones)
            changes = compare_configs(cluster.config, config)
            generation, event_id = cluster.generation, None
            if changes:
                generation = clusters.bump_generation(tx, cluster_id)
                clusters.update_cluster(tx, replace(cluster, config=config, generation=generation))
                detail = {name: _word_change(*change) for name, change in changes.items()}
                event_id = events.add_event(
                    tx, Event(EventKind.CONFIG_UPDATE, actor, cluster.name, cluster_id, detail)
                )
        withdraw = partial(_withdraw, cluster_id, changes) if changes else None
        intent = Intent(
            cluster_id, _SUBJECT, generation, event_id, partial(_find_blame, cluster_id, changes)
        )
        await_in_force(context, actor, intent, withdraw)


def _find_blame(cluster_id: UUID, changes: Changes, tx: Transaction, reason: str) -> str | None:
    return blame(changes, require_cluster(tx, cluster_id).config, reason)


def _withdraw(cluster_id: UUID, changes: Changes, tx: Transaction) -> None:
    cluster = require_cluster(tx, cluster_id)
    config = restore_config(cluster.config, changes)
    generation = clusters.bump_generation(tx, cluster_id)
    clusters.update_cluster(tx, replace(cluster, config=config, generation=generation))


def _word_change(before: object, after: object) -> str:
    old, new = ("default" if value is None else show_value(value) for value in (before, after))
    return f"{old} → {new}"
