"""Whom the trusted sources of a cluster let in, and whether who looks is among them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

from starlette.requests import Request

from poolkeeper.domain.firewall import (
    EVERYWHERE,
    FirewallRule,
    GivenRule,
    Network,
    RuleType,
    allowed_networks,
    is_allowed,
)


@dataclass(frozen=True)
class Reach:
    """``networks`` None: whoever reaches the ports may connect. ``address``: from where the
    browser comes, empty if that is not known."""

    networks: tuple[Network, ...] | None
    address: str

    @property
    def is_open(self) -> bool:
        """There is no source."""
        return self.networks is None

    @property
    def is_everywhere(self) -> bool:
        """There are sources, and one of them is all addresses."""
        return bool(self.networks and set(self.networks) & set(EVERYWHERE))

    @property
    def is_nowhere(self) -> bool:
        """There are sources, and none of them is an address."""
        return self.networks == ()

    @property
    def lets_you_in(self) -> bool:
        """Whether a client where the browser is could connect."""
        if self.networks is None:
            return True
        return bool(self.address) and is_allowed(self.networks, self.address)

    def is_yours(self, rule: FirewallRule) -> bool:
        """Whether it is one of the sources that let the browser's address in."""
        if rule.type is not RuleType.ADDRESS or not self.address:
            return False
        return is_allowed(allowed_networks([rule]) or (), self.address)


def judge_reach(rules: Sequence[FirewallRule | GivenRule], address: str) -> Reach:
    """Whom these rules let in."""
    return Reach(allowed_networks(rules), address)


def find_address(request: Request) -> str:
    """From where a browser comes, as servers of a cluster would see it; empty if unknown."""
    try:
        address = ip_address(request.client.host if request.client else "")
    except ValueError:
        return ""
    if isinstance(address, IPv6Address):
        # A socket for both families says it like that.
        return str(address.ipv4_mapped or address).partition("%")[0]
    return str(address)
