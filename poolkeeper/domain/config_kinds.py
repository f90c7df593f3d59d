"""What a setting is, and what its value may be: type and range, able to say what is allowed.

Strict: ``"10"`` and ``10.0`` are no whole numbers, and ``true`` is none.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Protocol

Value = bool | int | float | str | list[str]

_LONGEST_ECHO = 60


class Kind(Protocol):
    """A type with its range."""

    @property
    def words(self) -> str:
        """What is allowed, to follow "must be"."""

    def accepts(self, value: object) -> bool: ...


@dataclass(frozen=True)
class Integer:
    """A whole number. ``unit``: what it counts, for people. ``gap``: values below it are
    refused, 0 excepted."""

    low: int
    high: int
    unit: str = ""
    gap: int = 0

    @property
    def words(self) -> str:
        unit = f" ({self.unit})" if self.unit else ""
        low = f"0, or {self.gap}" if self.gap else str(self.low)
        return f"a whole number, {low} to {self.high}{unit}"

    def accepts(self, value: object) -> bool:
        if isinstance(value, bool) or not isinstance(value, int):
            return False
        return self.low <= value <= self.high and not 0 < value < self.gap


@dataclass(frozen=True)
class Number:
    """A number, whole or not."""

    low: float
    high: float
    unit: str = ""

    @property
    def words(self) -> str:
        return f"a number, {self.low:g} to {self.high:g}{f' ({self.unit})' if self.unit else ''}"

    def accepts(self, value: object) -> bool:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        # Neither infinity nor what is no number is between the two.
        return self.low <= value <= self.high


@dataclass(frozen=True)
class Boolean:
    """``true`` or ``false``."""

    words: str = "true or false"

    def accepts(self, value: object) -> bool:
        return isinstance(value, bool)


@dataclass(frozen=True)
class Choice:
    """One of some words."""

    choices: tuple[str, ...]

    @property
    def words(self) -> str:
        return "one of " + ", ".join(f'"{choice}"' for choice in self.choices)

    def accepts(self, value: object) -> bool:
        return isinstance(value, str) and value in self.choices


@dataclass(frozen=True)
class Text:
    """A string, as long as that at most and of that form."""

    longest: int
    pattern: str = r"[\x20-\x7e]+"

    @property
    def words(self) -> str:
        return f"a string of 1 to {self.longest} characters"

    def accepts(self, value: object) -> bool:
        if not isinstance(value, str) or len(value) > self.longest:
            return False
        return re.fullmatch(self.pattern, value) is not None


@dataclass(frozen=True)
class Words:
    """A list of some words; ``most`` of them."""

    choices: tuple[str, ...]
    most: int

    @property
    def words(self) -> str:
        return "a list of " + ", ".join(f'"{choice}"' for choice in self.choices)

    def accepts(self, value: object) -> bool:
        if not isinstance(value, list) or len(value) > self.most:
            return False
        return all(isinstance(item, str) and item in self.choices for item in value)


@dataclass(frozen=True)
class Option:
    """A setting that can be changed.

    ``default``: None where it follows the cluster's size or version (config.py), or is up to an
    extension. ``setting``:
    the server's own name, where it differs. ``unit``: what is written after the number in
    postgresql.conf. ``restart``: PostgreSQL takes it up when it starts. ``since``: the first
    major that has it.
    """

    name: str
    kind: Kind
    default: Value | None
    meaning: str
    unit: str = ""
    setting: str = ""
    restart: bool = False
    since: int = 13


@dataclass(frozen=True)
class Fixed:
    """A setting that is known but cannot be changed here. ``value``: what it always is; None
    where there is nothing to show, or it follows the size."""

    name: str
    kind: Kind
    value: Value | None
    reason: str


def show_value(value: object) -> str:
    """A value as JSON, cut short and printable: it stands in messages."""
    text = json.dumps(value, ensure_ascii=False)
    if not text.isprintable():
        text = json.dumps(value)
    return text if len(text) <= _LONGEST_ECHO else f"{text[:_LONGEST_ECHO]}…"
