"""Trusted sources: what is taken, what is kept, and whom they let in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count
from uuid import UUID

import pytest

from poolkeeper.domain.errors import InvalidField, NotFound
from poolkeeper.domain.firewall import (
    FirewallRule,
    GivenRule,
    RuleType,
    add_rule,
    allowed_networks,
    describe_reach,
    is_allowed,
    parse_rules,
    remove_rule,
    settle_rules,
)

NOW = datetime(2026, 11, 1, tzinfo=UTC)
LATER = NOW + timedelta(days=1)
A, B, C = (UUID(int=number) for number in (1, 2, 3))


def parse(*values: str, kind: str = "ip_addr") -> tuple[GivenRule, ...]:
    return parse_rules((kind, value, "", None) for value in values)


def settle(
    given: tuple[GivenRule, ...], known: tuple[FirewallRule, ...] = ()
) -> tuple[FirewallRule, ...]:
    """``given`` a day later; new ids count from 100."""
    numbers = count(100)
    return settle_rules(given, known, lambda: UUID(int=next(numbers)), LATER)


def rule(uuid: UUID, value: str, kind: RuleType = RuleType.ADDRESS) -> FirewallRule:
    return FirewallRule(uuid, kind, value, "", NOW)


@pytest.mark.parametrize(
    ("value", "network"),
    [
        ("10.0.0.1", "10.0.0.1/32"),
        ("10.0.0.1/32", "10.0.0.1/32"),
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("10.0.0.5/24", "10.0.0.0/24"),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("2001:db8::1", "2001:db8::1/128"),
        ("2001:DB8::5/64", "2001:db8::/64"),
        ("::/0", "::/0"),
    ],
)
def test_an_address_or_network_is_kept_as_given(value: str, network: str) -> None:
    (given,) = parse(value)
    assert given.value == value
    assert [str(each) for each in allowed_networks(settle((given,))) or ()] == [network]


@pytest.mark.parametrize(
    "value",
    [
        *("10.0.0", "10.0.0.256", "10.0.0.1/33", "10.0.0.1/", "/8", "10.0.0.0/255.0.0.0"),
        *("010.0.0.1", "10.0.0.1 ", " 10.0.0.1", "10.0.0.1,10.0.0.2", "all"),
        *("samenet", "db.example", "fe80::1%eth0", "2001:db8::/129", ":::", "1", "0x0a000001"),
        *("10.0.0.0/8 trust", '"', "\u0661\u0660.0.0.1", "10.0.0.0/-1", "10.0.0.0/+8"),
    ],
)
def test_what_is_no_address_is_refused(value: str) -> None:
    with pytest.raises(InvalidField, match=r"rules\.1\.value: .* is no IP address"):
        parse("10.0.0.1", value)


@pytest.mark.parametrize("value", ["::ffff:10.0.0.1", "::ffff:10.0.0.0/104"])
def test_ipv4_written_as_ipv6_would_match_nobody(value: str) -> None:
    with pytest.raises(InvalidField, match="written as IPv6"):
        parse(value)


@pytest.mark.parametrize("text", ["", "x" * 256, "a\nb", "nul\0", "\ud800", "\u200b"])
def test_texts_are_printable_and_short(text: str) -> None:
    with pytest.raises(InvalidField, match=r"rules\.0\.value: 1 to 255 printable"):
        parse(text, kind="tag")
    if text:
        with pytest.raises(InvalidField, match=r"rules\.0\.description: 0 to 255 printable"):
            parse_rules([("tag", "web", text, None)])


def test_types_are_digitaloceans() -> None:
    for kind in ("droplet", "k8s", "tag", "app"):
        assert parse("163973392", kind=kind) == (GivenRule(RuleType(kind), "163973392"),)
    with pytest.raises(InvalidField, match=r"rules\.0\.type: 'host' is none of droplet, k8s"):
        parse("x", kind="host")


def test_a_hundred_rules_are_the_most() -> None:
    assert len(parse(*(f"10.0.0.{n}" for n in range(100)))) == 100
    with pytest.raises(InvalidField, match="rules: 101 given, 100 is the most"):
        parse(*(f"10.0.0.{n}" for n in range(101)))


def test_of_rules_that_say_the_same_the_first_is_kept() -> None:
    twice = parse_rules(
        [("tag", "web", "one", A), ("tag", "web", "two", None), ("app", "web", "", None)]
    )
    assert [(each.type, each.description) for each in twice] == [("tag", "one"), ("app", "")]


class TestSettle:
    known = (rule(A, "10.0.0.1"), rule(B, "10.0.0.2"))

    def test_a_new_rule_gets_an_id_and_a_date(self) -> None:
        assert settle(parse("10.0.0.1")) == (
            FirewallRule(UUID(int=100), RuleType.ADDRESS, "10.0.0.1", "", LATER),
        )

    def test_what_is_known_stays_as_it_is(self) -> None:
        by_id = parse_rules([("ip_addr", each.value, "", each.uuid) for each in self.known])
        assert settle(by_id, self.known) == self.known
        assert settle(parse("10.0.0.1", "10.0.0.2"), self.known) == self.known

    def test_a_rule_may_change_and_keep_its_id(self) -> None:
        (changed,) = settle(parse_rules([("ip_addr", "10.0.0.9", "new", A)]), self.known)
        assert changed == FirewallRule(A, RuleType.ADDRESS, "10.0.0.9", "new", NOW)

    def test_an_id_that_is_not_known_is_nobodys(self) -> None:
        (new,) = settle(parse_rules([("ip_addr", "10.0.0.9", "", C)]), self.known)
        assert new.uuid == UUID(int=100)

    def test_no_two_rules_get_the_same_id(self) -> None:
        given = parse_rules(
            [
                ("ip_addr", "10.0.0.2", "", None),
                ("ip_addr", "10.0.0.8", "", B),
                ("ip_addr", "10.0.0.9", "", B),
            ]
        )
        assert [each.uuid for each in settle(given, self.known)] == [
            *(UUID(int=100), B, UUID(int=101))
        ]


class TestNetworks:
    def test_no_rules_are_open_to_everybody(self) -> None:
        assert allowed_networks([]) is None
        assert describe_reach([]) == ""

    def test_rules_that_name_no_address_let_nobody_in(self) -> None:
        rules = [rule(A, "web", RuleType.TAG)]
        assert allowed_networks(rules) == ()
        assert "nobody may connect" in describe_reach(rules)
        assert describe_reach([*rules, rule(B, "10.0.0.1")]) == ""

    def test_each_address_is_in_one_network_at_most(self) -> None:
        values = ("::1", "10.0.0.0/9", "10.128.0.0/9", "10.1.1.1", "192.0.2.1", "192.0.2.1/32")
        networks = allowed_networks(settle(parse(*values)))
        assert [str(each) for each in networks or ()] == ["10.0.0.0/8", "192.0.2.1/32", "::1/128"]

    @pytest.mark.parametrize(
        ("address", "allowed"),
        [("10.2.3.4", True), ("11.0.0.1", False), ("2001:db8::9", True), ("::1", False)],
    )
    def test_who_is_allowed(self, address: str, allowed: bool) -> None:
        networks = allowed_networks(settle(parse("10.0.0.0/8", "2001:db8::/32")))
        assert networks is not None
        assert is_allowed(networks, address) is allowed


class TestOneMoreAndOneLess:
    KNOWN = (rule(A, "10.0.0.1"), rule(B, "web", RuleType.TAG))

    def test_the_others_stay_what_they_are(self) -> None:
        more = settle(add_rule(self.KNOWN, "ip_addr", "10.0.0.2", "office"), self.KNOWN)
        assert more[:2] == self.KNOWN
        assert (more[2].value, more[2].description) == ("10.0.0.2", "office")
        assert settle(remove_rule(self.KNOWN, A), self.KNOWN) == self.KNOWN[1:]

    @pytest.mark.parametrize(
        ("field", "given"),
        [
            ("type", ("castle", "10.0.0.2", "")),
            ("value", ("ip_addr", "10.0.0.300", "")),
            ("value", ("tag", "web", "")),
            ("description", ("ip_addr", "10.0.0.2", "\n")),
        ],
    )
    def test_what_is_wrong_is_named(self, field: str, given: tuple[str, str, str]) -> None:
        with pytest.raises(InvalidField) as caught:
            add_rule(self.KNOWN, *given)
        assert caught.value.field == field

    def test_the_same_text_of_another_type_is_another_rule(self) -> None:
        assert len(add_rule(self.KNOWN, "k8s", "web", "")) == 3

    def test_a_hundred_rules_are_the_most(self) -> None:
        known = [rule(UUID(int=number), f"10.0.0.{number}") for number in range(100)]
        with pytest.raises(InvalidField, match="which is the most"):
            add_rule(known, "ip_addr", "10.0.1.1", "")

    def test_what_is_not_there_cannot_go(self) -> None:
        with pytest.raises(NotFound):
            remove_rule(self.KNOWN, C)
