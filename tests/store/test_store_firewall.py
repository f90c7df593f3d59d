"""Trusted sources of clusters."""

from __future__ import annotations

from collections.abc import Callable
from uuid import uuid4

from poolkeeper.domain.clusters import Cluster
from poolkeeper.domain.firewall import FirewallRule, RuleType
from poolkeeper.store import clusters, firewall
from poolkeeper.store.database import Store, Transaction

AddCluster = Callable[..., Cluster]


def make_rule(tx: Transaction, value: str, kind: RuleType = RuleType.ADDRESS) -> FirewallRule:
    return FirewallRule(uuid4(), kind, value, "ünï", tx.now)


def test_rules_stand_in_the_order_given_and_are_replaced_whole(
    store: Store, add_cluster: AddCluster
) -> None:
    with store.write() as tx:
        first, second, bare = (add_cluster(tx, name) for name in ("one", "two", "none"))
        one = [make_rule(tx, value) for value in ("10.0.0.2", "10.0.0.1", "2001:db8::/32")]
        two = [make_rule(tx, "web", RuleType.TAG)]
        firewall.replace_rules(tx, first.id, one)
        firewall.replace_rules(tx, second.id, two)
    with store.read() as tx:
        assert firewall.list_rules(tx, first.id) == one
        ids = [first.id, second.id, bare.id]
        assert firewall.list_rules_of(tx, ids) == {first.id: one, second.id: two, bare.id: []}
        assert firewall.list_rules_of(tx, []) == {}
        desired = clusters.read_desired(tx, first.id)
        assert desired is not None
        assert desired.rules == tuple(one)
    with store.write() as tx:
        firewall.replace_rules(tx, first.id, [one[2], one[0]])
        firewall.replace_rules(tx, second.id, [])
    with store.read() as tx:
        assert firewall.list_rules(tx, first.id) == [one[2], one[0]]
        assert firewall.list_rules(tx, second.id) == []


def test_rules_go_with_their_cluster(store: Store, add_cluster: AddCluster) -> None:
    with store.write() as tx:
        cluster = add_cluster(tx, "main")
        firewall.replace_rules(tx, cluster.id, [make_rule(tx, "10.0.0.1")])
        clusters.remove_cluster(tx, cluster.id)
    with store.read() as tx:
        assert firewall.list_rules(tx, cluster.id) == []
