"""Trusted sources: who may connect to a cluster and its pools."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


class RuleType(enum.StrEnum):
    """What a rule names. Only addresses can be told here; the others are kept as given."""

    DROPLET = "droplet"
    KUBERNETES = "k8s"
    ADDRESS = "ip_addr"
    TAG = "tag"
    APP = "app"


@dataclass(frozen=True)
class FirewallRule:
    """One trusted source. ``value`` of an address: with or without a prefix length."""

    uuid: UUID
    type: RuleType
    value: str
    description: str
    created_at: datetime
