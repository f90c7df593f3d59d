"""The form of a cluster's configuration: a row for each setting, and what was changed in it.

An empty field is the default. Each has a twin, ``was:…``, which says what the field held when
the page was made: only what differs from that was changed by whoever sends it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import cast

from poolkeeper.domain.clusters import Cluster
from poolkeeper.domain.config import (
    Config,
    flatten_config,
    has_option,
    list_extension_values,
    list_pgbouncer_values,
    list_postgres_values,
    nest_config,
)
from poolkeeper.domain.config_kinds import Boolean, Choice, Integer, Number, Option, Value, Words
from poolkeeper.domain.config_options import EXTENSIONS, FIXED, OPTIONS, PGBOUNCER
from poolkeeper.domain.config_postgres import POSTGRES
from poolkeeper.domain.errors import InvalidRequest
from poolkeeper.domain.memory import Machine
from poolkeeper.panel.forms import Form
from poolkeeper.panel.stale import WAS

_DEFAULT = "default"
_WHOLE = re.compile(r"[+-]?[0-9]{1,18}", re.ASCII)
_DECIMAL = re.compile(r"[+-]?[0-9]{1,18}(\.[0-9]{0,18})?", re.ASCII)


@dataclass(frozen=True)
class ConfigRow:
    """A setting. ``choices``: what may be chosen, empty if it is typed. ``now``: the value that
    is wanted; ``default``: the one without anybody's doing. ``is_set``: somebody set it."""

    name: str
    title: str
    meaning: str
    allowed: str
    choices: tuple[str, ...]
    now: str
    default: str
    is_set: bool
    restart: bool
    is_numeric: bool
    fits: bool

    @property
    def is_default(self) -> bool:
        return self.now == self.default


@dataclass(frozen=True)
class ConfigGroup:
    """The settings of one server."""

    key: str
    title: str
    rows: tuple[ConfigRow, ...]


@dataclass(frozen=True)
class FixedRow:
    """A setting that is known but cannot be changed, and why."""

    name: str
    reason: str


def list_groups(cluster: Cluster, machine: Machine, query: str) -> tuple[ConfigGroup, ...]:
    """PgBouncer's settings and PostgreSQL's; those that do not fit the query are there, too."""
    wanted = query.lower().split()
    percentage = {
        name: value
        for name, value in cluster.config.items()
        # Other defaults follow it.
        if name == "shared_buffers_percentage"
    }
    pristine = replace(cluster, config=percentage)
    now = list_postgres_values(cluster, machine) | list_pgbouncer_values(cluster.config)
    now |= list_extension_values(cluster.config)
    defaults = list_postgres_values(pristine, machine) | list_pgbouncer_values({})
    defaults |= list_extension_values({})
    defaults |= {option.name: option.default for option in POSTGRES if option.default is not None}
    chosen = flatten_config(cluster.config)

    def describe(option: Option) -> ConfigRow:
        title = option.name.removeprefix("pgbouncer.")
        texts = (option.name, option.meaning, option.setting)
        return ConfigRow(
            option.name,
            title,
            option.meaning,
            _word_allowed(option),
            _list_choices(option),
            show(now.get(option.name)),
            show(defaults.get(option.name)),
            option.name in chosen,
            option.restart,
            isinstance(option.kind, Integer | Number),
            all(any(word in text.lower() for text in texts) for word in wanted),
        )

    return (
        ConfigGroup("pgbouncer", "PgBouncer", tuple(describe(option) for option in PGBOUNCER)),
        ConfigGroup(
            "postgresql",
            "PostgreSQL",
            tuple(
                describe(option)
                for option in (*POSTGRES, *EXTENSIONS)
                if has_option(cluster, option)
            ),
        ),
    )


def list_fixed() -> tuple[FixedRow, ...]:
    """What cannot be changed here."""
    return tuple(FixedRow(fixed.name, fixed.reason) for fixed in FIXED)


def fill_form(cluster: Cluster) -> Form:
    """What was set by hand; everything else is empty."""
    chosen = flatten_config(cluster.config)
    values = {
        name: show(cast(Value, chosen[name])) if name in chosen else ""
        for name, option in OPTIONS.items()
        if has_option(cluster, option)
    }
    return Form(values | {WAS + name: text for name, text in values.items()})


def take_sent(form: Form, sent: Mapping[str, list[str]]) -> None:
    """Put what was sent into a form that was filled; what was left out stays as it is."""
    for name in form.values:
        if name in sent:
            form.values[name] = sent[name][0]


def read_changes(form: Form) -> dict[str, object]:
    """What was changed, by flat name; None: back to the default. What cannot be is noted beside
    its field."""
    changes: dict[str, object] = {}
    for name, option in OPTIONS.items():
        if name not in form.values or form[name].strip() == form[WAS + name].strip():
            continue
        value = parse(option, form[name].strip())
        if value is not None and not option.kind.accepts(value):
            form.errors[name] = f"must be {option.kind.words}"
        changes[name] = value
    return changes


def nest_changes(changes: Mapping[str, object]) -> Config:
    """The changes as the API has them."""
    return nest_config(changes)


def place_fault(form: Form, error: InvalidRequest, changes: Mapping[str, object]) -> None:
    """Put what is wrong beside the setting it names, else above the form."""
    names, _, reason = str(error).partition(": ")
    first, *_ = names.split(", ")
    if reason and first in changes:
        form.errors[first] = reason
    else:
        form.problem = str(error)


def parse(option: Option, text: str) -> Value | None:
    """The value that was typed, as it is if it cannot be one; None for the default."""
    if text == "" or (text.lower() == _DEFAULT and not isinstance(option.kind, Choice)):
        return None
    if isinstance(option.kind, Boolean):
        return {"true": True, "false": False}.get(text.lower(), text)
    if isinstance(option.kind, Words):
        return [word for word in text.replace(",", " ").split() if word]
    if isinstance(option.kind, Integer | Number) and _WHOLE.fullmatch(text):
        return int(text)
    if isinstance(option.kind, Number) and _DECIMAL.fullmatch(text):
        return float(text)
    return text


def show(value: Value | None) -> str:
    """A value as it is typed."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ", ".join(value)
    if isinstance(value, float):
        return f"{value:.15g}"
    return "" if value is None else str(value)


def _word_allowed(option: Option) -> str:
    if isinstance(option.kind, Boolean | Choice):
        return ""
    words = option.kind.words.replace('"', "")
    return words[0].upper() + words[1:]


def _list_choices(option: Option) -> tuple[str, ...]:
    if isinstance(option.kind, Boolean):
        return ("true", "false")
    return option.kind.choices if isinstance(option.kind, Choice) else ()
