"""Clusters by name as well as by id."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from poolkeeper.cli.client import Api
from poolkeeper.cli.errors import CommandFailed

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def find_cluster(api: Api, name_or_id: str) -> Mapping[str, Any]:
    """The cluster as ``/v2`` shows it."""
    if _UUID.fullmatch(name_or_id):
        found: Mapping[str, Any] = api.get("v2", "databases", name_or_id)["database"]
        return found
    clusters: list[Mapping[str, Any]] = api.get("v2", "databases")["databases"]
    for cluster in clusters:
        if cluster["name"] == name_or_id:
            return cluster
    known = ", ".join(sorted(cluster["name"] for cluster in clusters))
    there = f"there {'is' if len(clusters) == 1 else 'are'} {known}" if known else "there is none"
    raise CommandFailed(f"there is no cluster {name_or_id!r}; {there}")


def find_cluster_id(api: Api, name_or_id: str) -> str:
    """The cluster's id; an id is believed, and the next call tells if it is wrong."""
    if _UUID.fullmatch(name_or_id):
        return name_or_id
    return str(find_cluster(api, name_or_id)["id"])
