"""What things may be called. Each function returns the name or raises InvalidRequest.

Pool names: 3–60 characters in the API description, 63 in DigitalOcean's Terraform
provider; a pool's name is the database name that clients connect to, and PostgreSQL cuts
identifiers at 63 bytes. Letters, digits, ``_`` and ``-`` are what live pools use, and none
of them means anything in a PgBouncer file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from poolkeeper.domain.errors import InvalidField, InvalidRequest, KnownRefusal

_POOL = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{2,62}")
_CLUSTER = re.compile(r"[a-z0-9](?:[a-z0-9-]{1,61}[a-z0-9])")
_TAG = re.compile(r"[A-Za-z0-9:_-]{1,255}")
_IDENTIFIER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}")

_MAX_TAGS = 255

CONSOLE_DATABASE = "pgbouncer"
SUPERUSER = "poolkeeper"

_RESERVED_POOLS = {CONSOLE_DATABASE}
_RESERVED_DATABASES = {"postgres", "template0", "template1"}
_RESERVED_USERS = {SUPERUSER, CONSOLE_DATABASE, "postgres", "public", "none", "all"}


def parse_pool_name(text: str) -> str:
    """A pool's name."""
    if not _POOL.fullmatch(text):
        raise InvalidField("name", "3 to 63 characters out of a-z A-Z 0-9 _ -, not starting with -")
    if text in _RESERVED_POOLS:
        raise InvalidField("name", f"{text!r} is PgBouncer's own console; choose another")
    return text


def parse_cluster_name(text: str) -> str:
    """A cluster's name: 3–63 lower-case letters, digits and inner hyphens."""
    if not _CLUSTER.fullmatch(text):
        raise KnownRefusal(
            "invalid cluster name",
            "3 to 63 characters out of a-z 0-9 -, with no - at either end",
            field="name",
        )
    return text


def parse_tag_name(text: str) -> str:
    """A tag's name: letters, digits, ``:``, ``-`` and ``_``."""
    if not _TAG.fullmatch(text):
        raise InvalidField("name", "1 to 255 characters out of a-z A-Z 0-9 : _ -")
    return text


def parse_tags(texts: Iterable[str]) -> tuple[str, ...]:
    """A cluster's tags: letters, digits, ``:``, ``-`` and ``_``, not too many of them."""
    tags = tuple(dict.fromkeys(texts))
    for tag in tags:
        if not _TAG.fullmatch(tag):
            raise InvalidField("tags", "each has 1 to 255 characters out of a-z A-Z 0-9 : _ -")
    if len(",".join(tags)) > _MAX_TAGS:
        raise InvalidRequest("combined tags cannot exceed 255 characters")
    return tags


def parse_database_name(text: str) -> str:
    """A database's name, as PostgreSQL will bear it: case and hyphens are kept."""
    _check_identifier(text)
    if text in _RESERVED_DATABASES:
        raise InvalidField("name", f"{text!r} is PostgreSQL's own; choose another")
    return text


def parse_user_name(text: str) -> str:
    """A user's name, as PostgreSQL will bear it: case and hyphens are kept."""
    _check_identifier(text)
    if text.lower() in _RESERVED_USERS or text.lower().startswith("pg_"):
        raise InvalidField("name", f"{text!r} is reserved; choose another")
    return text


def _check_identifier(text: str) -> None:
    if not _IDENTIFIER.fullmatch(text):
        raise InvalidField(
            "name", "1 to 63 characters out of a-z A-Z 0-9 _ . -, not starting with - or ."
        )
