"""Names of one's own under which clients reach a cluster: they stand in its certificate."""

from __future__ import annotations

import re
from collections.abc import Iterable

from poolkeeper.domain.errors import InvalidField

MAX_NAMES = 16
MAX_LENGTH = 253
"""Both are DigitalOcean's limits; the second is DNS's own."""

_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})+", re.ASCII)


def parse_service_names(texts: Iterable[str]) -> tuple[str, ...]:
    """Fully qualified names as RFC 1123 has them, each once. Raises InvalidField.

    DNS does not tell capitals from small letters; as they were given is how they are shown.
    """
    first: dict[str, str] = {}
    for text in texts:
        first.setdefault(text.lower(), text)
    names = tuple(first.values())
    if len(names) > MAX_NAMES:
        raise InvalidField("service_cnames", f"{MAX_NAMES} at most, {len(names)} were given")
    for name in names:
        _check(name)
    return names


def _check(name: str) -> None:
    if len(name) > MAX_LENGTH or not _NAME.fullmatch(name):
        raise InvalidField(
            "service_cnames",
            f"{name[:MAX_LENGTH]!r} is no fully qualified name: letters, digits and inner hyphens,"
            f" parted by dots, {MAX_LENGTH} characters at most",
        )
    if name.rpartition(".")[2].isdigit():
        raise InvalidField("service_cnames", f"{name!r} is an address; give a name")
