"""Clusters with what belongs to them, read for showing: many of them with few queries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from poolkeeper.domain.clusters import Cluster
from poolkeeper.domain.firewall import FirewallRule
from poolkeeper.domain.standing import ClusterDetail as ClusterDetail
from poolkeeper.domain.standing import ClusterSummary
from poolkeeper.domain.status import ClusterState
from poolkeeper.domain.users import ShownUser
from poolkeeper.store import databases, firewall, status, users
from poolkeeper.store.database import Transaction
from poolkeeper.store.standings import PoolCount, count_pools, read_standings
from poolkeeper.usecases.context import Context

# A query names each cluster, and SQLite takes 32,766 values at most.
_AT_ONCE = 1000


@dataclass(frozen=True)
class ClusterView:
    """A cluster as ``/v2`` shows it. Passwords of users are empty if nobody may see them."""

    cluster: Cluster
    state: ClusterState | None
    users: Sequence[ShownUser]
    databases: Sequence[str]
    rules: Sequence[FirewallRule] = ()


def read_views(tx: Transaction, found: Sequence[Cluster], *, reveal: bool) -> list[ClusterView]:
    """Those clusters, in that order. ``reveal``: with the passwords of their users."""
    views: list[ClusterView] = []
    for batch in _cut(found):
        ids = [cluster.id for cluster in batch]
        states = status.list_cluster_states(tx, ids)
        shown = users.list_shown_users(tx, ids, reveal=reveal)
        names = databases.list_database_names(tx, ids)
        rules = firewall.list_rules_of(tx, ids)
        views += [
            ClusterView(
                cluster,
                states.get(cluster.id),
                shown[cluster.id],
                names[cluster.id],
                rules[cluster.id],
            )
            for cluster in batch
        ]
    return views


def read_view(tx: Transaction, cluster: Cluster, *, reveal: bool = True) -> ClusterView:
    """That cluster."""
    [view] = read_views(tx, [cluster], reveal=reveal)
    return view


def read_details(
    context: Context, tx: Transaction, found: Sequence[Cluster]
) -> list[ClusterDetail]:
    """Those clusters with their standing, in that order."""
    details: list[ClusterDetail] = []
    for batch in _cut(found):
        ids = [cluster.id for cluster in batch]
        states = status.list_cluster_states(tx, ids)
        standings = read_standings(tx, ids, tx.now - context.grace)
        details += [
            ClusterDetail(
                cluster,
                states.get(cluster.id),
                standings[cluster.id].pools,
                standings[cluster.id].states,
                standings[cluster.id].held,
                context.observations.processes(cluster.id),
                context.observations.loads(cluster.id),
                context.observations.clients(cluster.id),
            )
            for cluster in batch
        ]
    return details


def read_summaries(
    context: Context, tx: Transaction, found: Sequence[Cluster]
) -> list[ClusterSummary]:
    """Those clusters with what a list says of them, in that order."""
    counts = count_pools(tx, tx.now - context.grace)
    summaries: list[ClusterSummary] = []
    for batch in _cut(found):
        states = status.list_cluster_states(tx, [cluster.id for cluster in batch])
        for cluster in batch:
            count = counts.get(cluster.id, PoolCount())
            loads = context.observations.loads(cluster.id)
            state = states.get(cluster.id)
            summaries.append(ClusterSummary(cluster, state, count.pools, count.held, loads))
    return summaries


def _cut(found: Sequence[Cluster]) -> list[Sequence[Cluster]]:
    return [found[first : first + _AT_ONCE] for first in range(0, len(found), _AT_ONCE)]
