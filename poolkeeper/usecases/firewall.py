"""Reading and replacing the trusted sources of a cluster."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from uuid import UUID

from poolkeeper.domain.events import Event, EventKind
from poolkeeper.domain.firewall import FirewallRule, GivenRule, allowed_networks, settle_rules
from poolkeeper.store import clusters, events, firewall
from poolkeeper.store.database import Transaction
from poolkeeper.usecases.context import Context
from poolkeeper.usecases.convergence import Intent, await_in_force, await_online, require_cluster

_SUBJECT = "firewall"

Rules = Sequence[FirewallRule]
Change = Callable[[Rules], Sequence[GivenRule]]


def list_rules(context: Context, cluster_id: UUID) -> list[FirewallRule]:
    """The cluster's rules, in the order in which they were given. Raises NotFound."""
    with context.store.read() as tx:
        require_cluster(tx, cluster_id)
        return firewall.list_rules(tx, cluster_id)


def replace_rules(
    context: Context, actor: str, cluster_id: UUID, given: Sequence[GivenRule]
) -> None:
    """Have exactly these rules; else as `change_rules`."""
    change_rules(context, actor, cluster_id, lambda known: given)


def change_rules(context: Context, actor: str, cluster_id: UUID, change: Change) -> None:
    """Have the rules that ``change`` makes of those there are, whoever else changes them too,
    and return once they are in force for pools and PostgreSQL.

    Who may still connect stays connected; who may not any more is cut by then. Without any
    rule everybody may connect. Raises NotFound, NotReady, Unavailable, and what ``change``
    raises; nothing is applied then.
    """
    await_online(context, cluster_id)
    with context.turns.take(cluster_id, _SUBJECT, context.wait_seconds):
        with context.store.write() as tx:
            generation = require_cluster(tx, cluster_id).generation
            before = firewall.list_rules(tx, cluster_id)
            after = prepare_rules(context, tx, change(before), before)
            changed, event_id = list(after) != before, None
            if changed:
                generation = clusters.bump_generation(tx, cluster_id)
                firewall.replace_rules(tx, cluster_id, after)
                detail = _describe(before, after)
                event_id = events.add_event(
                    tx, Event(EventKind.FIREWALL_UPDATE, actor, _SUBJECT, cluster_id, detail)
                )
        withdraw = partial(_withdraw, cluster_id, before, after) if changed else None
        intent = Intent(cluster_id, _SUBJECT, generation, event_id)
        await_in_force(context, actor, intent, withdraw)


def prepare_rules(
    context: Context, tx: Transaction, given: Sequence[GivenRule], known: Rules
) -> tuple[FirewallRule, ...]:
    """The rules as they are to be stored, with an id for each that is not yet known."""
    return settle_rules(
        given, known, lambda: UUID(bytes=context.random_bytes(16), version=4), tx.now
    )


def _withdraw(cluster_id: UUID, before: Rules, after: Rules, tx: Transaction) -> None:
    # Somebody may have replaced them once more since.
    if firewall.list_rules(tx, cluster_id) == list(after):
        firewall.replace_rules(tx, cluster_id, before)
        clusters.bump_generation(tx, cluster_id)


def _describe(before: Rules, after: Rules) -> dict[str, object]:
    old, new = ([f"{rule.type}:{rule.value}" for rule in rules] for rules in (before, after))
    networks = allowed_networks(after)
    return {
        "rules": len(new),
        "added": [text for text in new if text not in old],
        "removed": [text for text in old if text not in new],
        "open_to": "everybody" if networks is None else [str(each) for each in networks],
    }
