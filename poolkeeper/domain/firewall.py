"""Trusted sources: who may connect to a cluster and its pools.

Rules that name addresses are enforced. The other types name things that only DigitalOcean
can resolve; they are kept as given, and let nobody in here.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_address, ip_network
from uuid import UUID

from poolkeeper.domain.errors import InvalidField, NotFound

MAX_RULES = 100
"""DigitalOcean's own limit."""

_MAX_TEXT = 255
# Python would also take a netmask, and an IPv6 zone.
_ADDRESS = re.compile(r"[0-9A-Fa-f:.]+(/[0-9]{1,3})?", re.ASCII)
_MAPPED = IPv6Network("::ffff:0:0/96")

Network = IPv4Network | IPv6Network

EVERYWHERE: tuple[Network, ...] = (IPv4Network("0.0.0.0/0"), IPv6Network("::/0"))


class RuleType(enum.StrEnum):
    """What a rule names. Only addresses can be told here; the others are kept as given."""

    DROPLET = "droplet"
    KUBERNETES = "k8s"
    ADDRESS = "ip_addr"
    TAG = "tag"
    APP = "app"


@dataclass(frozen=True)
class GivenRule:
    """A trusted source as it was asked for. ``uuid`` None: it is new, or nobody said."""

    type: RuleType
    value: str
    description: str = ""
    uuid: UUID | None = None


@dataclass(frozen=True)
class FirewallRule:
    """One trusted source. ``value`` of an address: with or without a prefix length."""

    uuid: UUID
    type: RuleType
    value: str
    description: str
    created_at: datetime


def parse_rules(given: Iterable[tuple[str, str, str, UUID | None]]) -> tuple[GivenRule, ...]:
    """The rules of a request: type, value, description and uuid of each.

    Of those that say the same, the first is kept. Raises InvalidField.
    """
    given = list(given)
    if len(given) > MAX_RULES:
        raise InvalidField("rules", f"{len(given)} given, {MAX_RULES} is the most")
    rules: dict[tuple[RuleType, str], GivenRule] = {}
    for index, (type_name, value, description, uuid) in enumerate(given):
        place = f"rules.{index}"
        rule = GivenRule(_parse_type(place, type_name), value, description, uuid)
        _check_text(f"{place}.value", value, least=1)
        _check_text(f"{place}.description", description, least=0)
        if rule.type is RuleType.ADDRESS:
            _parse_network(f"{place}.value", value)
        rules.setdefault((rule.type, rule.value), rule)
    return tuple(rules.values())


def add_rule(
    known: Sequence[FirewallRule], type_name: str, value: str, description: str
) -> tuple[GivenRule, ...]:
    """Those there are and one more. Raises InvalidField of ``type``, ``value``, ``description``."""
    try:
        [rule] = parse_rules([(type_name, value, description, None)])
    except InvalidField as error:
        field = str(error.field).rpartition(".")[2]
        raise InvalidField(field, error.reason) from None
    if any((rule.type, rule.value) == (each.type, each.value) for each in known):
        raise InvalidField("value", f"{value} is a trusted source already")
    if len(known) >= MAX_RULES:
        raise InvalidField("value", f"there are {MAX_RULES} trusted sources, which is the most")
    return (*_give(known), rule)


def remove_rule(known: Sequence[FirewallRule], uuid: UUID) -> tuple[GivenRule, ...]:
    """Those there are without that one. Raises NotFound."""
    if all(rule.uuid != uuid for rule in known):
        raise NotFound("not found")
    return _give(rule for rule in known if rule.uuid != uuid)


def settle_rules(
    given: Iterable[GivenRule],
    known: Sequence[FirewallRule],
    make_uuid: Callable[[], UUID],
    now: datetime,
) -> tuple[FirewallRule, ...]:
    """The rules as they are to be: one that is ``known`` keeps its uuid and its date.

    It is known by its uuid, or else by what it says. A uuid that is not known is nobody's,
    and the rule gets one from ``make_uuid``.
    """
    by_uuid = {rule.uuid: rule for rule in known}
    by_text = {(rule.type, rule.value): rule for rule in known}
    given = list(given)
    named = {rule.uuid for rule in given}
    settled = []
    for rule in given:
        before = by_uuid.pop(rule.uuid, None) if rule.uuid else None
        if before is None:
            alike = by_text.get((rule.type, rule.value))
            if alike is not None and alike.uuid not in named:
                before = by_uuid.pop(alike.uuid, None)
        uuid, created_at = (before.uuid, before.created_at) if before else (make_uuid(), now)
        settled.append(FirewallRule(uuid, rule.type, rule.value, rule.description, created_at))
    return tuple(settled)


def allowed_networks(rules: Sequence[FirewallRule | GivenRule]) -> tuple[Network, ...] | None:
    """From where one may connect: each address in one network at most, in order.

    None: from everywhere, because there are no rules. Empty: from nowhere, because there are
    rules and none names an address.
    """
    if not rules:
        return None
    networks = [
        _parse_network("value", rule.value) for rule in rules if rule.type is RuleType.ADDRESS
    ]
    return (
        *collapse_addresses(each for each in networks if isinstance(each, IPv4Network)),
        *collapse_addresses(each for each in networks if isinstance(each, IPv6Network)),
    )


def is_allowed(networks: Sequence[Network], address: str) -> bool:
    """Whether one of the networks has this address, in the words of a server."""
    parsed = ip_address(address)
    return any(parsed in network for network in networks)


def describe_reach(rules: Sequence[FirewallRule]) -> str:
    """What has to be said of rules that let nobody in; else nothing."""
    if allowed_networks(rules) != ():
        return ""
    return (
        "nobody may connect over the network: there are trusted sources, and none of them names"
        " an address (ip_addr)"
    )


def _give(rules: Iterable[FirewallRule]) -> tuple[GivenRule, ...]:
    return tuple(GivenRule(each.type, each.value, each.description, each.uuid) for each in rules)


def _parse_type(place: str, name: str) -> RuleType:
    try:
        return RuleType(name)
    except ValueError:
        known = ", ".join(RuleType)
        raise InvalidField(f"{place}.type", f"{name!r} is none of {known}") from None


def _check_text(field: str, text: str, *, least: int) -> None:
    if not least <= len(text) <= _MAX_TEXT or not text.isprintable():
        raise InvalidField(field, f"{least} to {_MAX_TEXT} printable characters")


def _parse_network(field: str, value: str) -> Network:
    """The network of an address or CIDR. Raises InvalidField.

    Bits of the host are let pass, as PostgreSQL does: 10.0.0.5/24 is all of 10.0.0.0/24.
    """
    wrong = InvalidField(field, f"{value!r} is no IP address, and no network such as 10.0.0.0/8")
    if not _ADDRESS.fullmatch(value):
        raise wrong
    try:
        network = ip_network(value, strict=False)
    except ValueError:
        raise wrong from None
    if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):
        # No client comes from there: servers see its IPv4 address.
        raise InvalidField(field, f"{value!r} is an IPv4 address written as IPv6: give the former")
    return network
