"""The trusted sources of each cluster, in the order in which they were given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row, delete, insert, select

from poolkeeper.domain.firewall import FirewallRule, RuleType
from poolkeeper.store.database import Transaction
from poolkeeper.store.schema import firewall_rules


def list_rules(tx: Transaction, cluster_id: UUID) -> list[FirewallRule]:
    """A cluster's rules; none: it is open."""
    query = (
        select(firewall_rules)
        .where(firewall_rules.c.cluster_id == cluster_id)
        .order_by(firewall_rules.c.position)
    )
    return [_to_rule(row) for row in tx.connection.execute(query)]


def list_rules_of(tx: Transaction, cluster_ids: Sequence[UUID]) -> dict[UUID, list[FirewallRule]]:
    """The rules of each of these clusters."""
    found: dict[UUID, list[FirewallRule]] = {cluster_id: [] for cluster_id in cluster_ids}
    query = (
        select(firewall_rules)
        .where(firewall_rules.c.cluster_id.in_(list(found)))
        .order_by(firewall_rules.c.position)
    )
    for row in tx.connection.execute(query):
        found[row.cluster_id].append(_to_rule(row))
    return found


def replace_rules(tx: Transaction, cluster_id: UUID, rules: Sequence[FirewallRule]) -> None:
    """Have exactly these rules."""
    tx.connection.execute(delete(firewall_rules).where(firewall_rules.c.cluster_id == cluster_id))
    rows = [
        {
            "uuid": rule.uuid,
            "cluster_id": cluster_id,
            "position": position,
            "type": rule.type.value,
            "value": rule.value,
            "description": rule.description,
            "created_at": rule.created_at,
        }
        for position, rule in enumerate(rules)
    ]
    if rows:
        tx.connection.execute(insert(firewall_rules), rows)


def _to_rule(row: Row[Any]) -> FirewallRule:
    return FirewallRule(row.uuid, RuleType(row.type), row.value, row.description, row.created_at)
