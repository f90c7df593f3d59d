"""The settings of a cluster: what was set by hand, what is in force, and how one becomes the other.

What was set is kept as the API names it (``Cluster.config``); within here names are flat,
``pgbouncer.min_pool_size``. Only what was set is kept, so that everything else follows the
cluster's size and Poolkeeper's own version.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator, Mapping
from typing import cast

from poolkeeper.domain.clusters import Cluster
from poolkeeper.domain.config_kinds import Fixed, Option, Value, show_value
from poolkeeper.domain.config_options import (
    EXTENSIONS,
    FIXED,
    FIXTURES,
    GROUPS,
    OPTIONS,
    PGBOUNCER,
)
from poolkeeper.domain.config_postgres import POSTGRES
from poolkeeper.domain.errors import InvalidRequest
from poolkeeper.domain.memory import MIB, Machine, find_basis, share_memory

Config = Mapping[str, object]
Values = dict[str, Value]

# Eight, PostgreSQL's default, for replication and extensions.
_OTHER_WORKERS = 8

_MOST_FAULTS = 5

# PostgreSQL's own words, in English: lc_messages is ours.
_PARAMETER = re.compile(r'parameter "(?P<name>[^"]+)"')

# Bytes of shared memory for one lock, one predicate lock and one prepared transaction or
# connection, and how many processes take locks beside connections; measured with PostgreSQL 15.
_LOCK, _PREDICATE_LOCK, _TRANSACTION, _OTHER_PROCESSES = 400, 260, 5000, 60
_LOCK_TABLE = (
    "max_locks_per_transaction",
    "max_pred_locks_per_transaction",
    "max_prepared_transactions",
)


def parse_config_patch(
    patch: Config, cluster: Cluster, machine: Machine, zones: Collection[str]
) -> Config:
    """The cluster's settings with the patch merged in, as they are to be kept.

    ``null`` takes a setting, or a whole group, back to its default. ``zones``: the time zones
    there are. Raises InvalidRequest that names each key which cannot be, with what it may be.
    """
    asked, faults = _flatten_patch(patch)
    for name, value in asked.items():
        fault = _judge(name, value, cluster, hint=len(faults) < _MOST_FAULTS)
        faults += [fault] if fault else []
    if not faults:
        merged = flatten_config(cluster.config) | {
            name: value for name, value in asked.items() if name in OPTIONS
        }
        kept = {name: value for name, value in merged.items() if value is not None}
        faults = list(_judge_together(asked, kept, cluster, machine, zones))
    if faults:
        more = len(faults) - _MOST_FAULTS
        rest = [f"and {more} more"] if more > 0 else []
        raise InvalidRequest("; ".join([*faults[:_MOST_FAULTS], *rest]))
    return nest_config(kept)


def describe_config(cluster: Cluster, machine: Machine) -> Config:
    """Every setting that this cluster has, with the value it is to have, as the API names it."""
    shown: dict[str, object] = {**list_postgres_values(cluster, machine)}
    shown |= list_extension_values(cluster.config) | list_pgbouncer_values(cluster.config)
    shown |= {fixed.name: fixed.value for fixed in FIXED if fixed.value is not None}
    shown["max_connections"] = cluster.size.max_connections
    return nest_config(shown, GROUPS)


def list_postgres_values(cluster: Cluster, machine: Machine) -> Values:
    """The value of every setting of PostgreSQL that can be changed, by its name."""
    chosen = cast(Values, cluster.config)
    own = _choose_defaults(cluster, machine, chosen)
    return {
        option.name: chosen.get(
            option.name, own[option.name] if option.default is None else option.default
        )
        for option in POSTGRES
        if has_option(cluster, option)
    }


def list_extension_values(config: Config) -> Values:
    """The settings of extensions that are not loaded, by their flat names, as far as they have
    a value."""
    chosen = flatten_config(config)
    values = {option.name: chosen.get(option.name, option.default) for option in EXTENSIONS}
    return {name: cast(Value, value) for name, value in values.items() if value is not None}


def list_pgbouncer_values(config: Config) -> Values:
    """The value of every setting of PgBouncer that can be changed, by its flat name."""
    chosen = flatten_config(config)
    values = {
        option.name: cast(Value, chosen.get(option.name, option.default)) for option in PGBOUNCER
    }
    words = "pgbouncer.ignore_startup_parameters"
    always = cast(list[str], OPTIONS[words].default)
    values[words] = list(dict.fromkeys([*always, *cast(list[str], values[words])]))
    return values


def has_option(cluster: Cluster, option: Option) -> bool:
    """Whether the cluster's PostgreSQL knows it."""
    return int(cluster.version) >= option.since


def flatten_config(config: Config) -> dict[str, object]:
    """Flat names for what the API nests."""
    flat: dict[str, object] = {}
    for name, value in config.items():
        if name in GROUPS and isinstance(value, Mapping):
            flat |= {f"{name}.{inner}": each for inner, each in value.items()}
        else:
            flat[name] = value
    return flat


def nest_config(flat: Config, groups: Collection[str] = ()) -> dict[str, object]:
    """The opposite; ``groups`` are there even if nothing is in them."""
    nested: dict[str, object] = {group: {} for group in groups}
    for name, value in flat.items():
        group, _, inner = name.partition(".")
        if inner and group in GROUPS:
            cast(dict[str, object], nested.setdefault(group, {}))[inner] = value
        else:
            nested[name] = value
    return nested


def compare_configs(before: Config, after: Config) -> dict[str, tuple[object, object]]:
    """What was set before and after, by flat name, where it differs; None: not set."""
    old, new = flatten_config(before), flatten_config(after)
    return {
        name: (old.get(name), new.get(name))
        for name in sorted(old.keys() | new)
        if old.get(name) != new.get(name)
    }


def restore_config(current: Config, changes: Mapping[str, tuple[object, object]]) -> Config:
    """The settings without these changes, but for what somebody else has changed since."""
    flat = flatten_config(current)
    for name, (before, after) in changes.items():
        if flat.get(name) == after:
            flat[name] = before
    return nest_config({name: value for name, value in flat.items() if value is not None})


def find_blamed(reason: str) -> frozenset[str]:
    """The settings that PostgreSQL's refusal is about, by flat name; none if it names none."""
    named = {match["name"].lower() for match in _PARAMETER.finditer(reason)}
    return frozenset(
        option.name for option in OPTIONS.values() if (option.setting or option.name) in named
    )


def blame(changes: Mapping[str, tuple[object, object]], current: Config, reason: str) -> str | None:
    """Which of these changes a refusal is about, to head the message; None if it is somebody
    else's. ``current``: the settings that are wanted now."""
    blamed = find_blamed(reason)
    if not blamed:
        return "config"
    flat = flatten_config(current)
    own = [name for name in sorted(blamed & changes.keys()) if flat.get(name) == changes[name][1]]
    return ", ".join(own) or None


def _flatten_patch(patch: Config) -> tuple[dict[str, object], list[str]]:
    """The patch by flat names, and what cannot be read of it."""
    asked: dict[str, object] = {}
    faults = []
    for name, value in patch.items():
        if name not in GROUPS:
            group, _, inner = name.partition(".")
            if inner and group in GROUPS:
                faults.append(
                    f'{show_name(name)}: write {{"{group}": {{"{show_name(inner)}": …}}}}'
                )
            else:
                asked[name] = value
        elif isinstance(value, Mapping):
            asked |= {f"{name}.{inner}": each for inner, each in value.items()}
        elif value is None:
            asked |= {each: None for each in OPTIONS if each.startswith(f"{name}.")}
        else:
            faults.append(f"{name}: given {show_value(value)}; it must be an object")
    return asked, faults


def _judge(name: str, value: object, cluster: Cluster, *, hint: bool) -> str | None:
    """What is wrong with one key; None if nothing is. Without ``hint`` nothing that is alike is
    looked for: as many keys as a body can have would hold up everybody for seconds."""
    if name in FIXTURES:
        return _judge_fixed(FIXTURES[name], value, cluster)
    option = OPTIONS.get(name)
    if option is None:
        known = [*OPTIONS, *FIXTURES] if hint else []
        near = difflib.get_close_matches(name[:64], known, n=1)
        return f"{show_name(name)}: no such setting" + (f"; {near[0]} is meant?" if near else "")
    if not has_option(cluster, option):
        return f"{name}: PostgreSQL {cluster.version} does not have it, {option.since} does"
    if value is None or option.kind.accepts(value):
        return None
    return f"{name}: given {show_value(value)}; it must be {option.kind.words}"


def _judge_fixed(fixed: Fixed, value: object, cluster: Cluster) -> str | None:
    is_size = fixed.name == "max_connections"
    always = cluster.size.max_connections if is_size else fixed.value
    # What was read may be sent back, and what is not set may be left so.
    if value is None or (value == always and type(value) is type(always)):
        return None
    if not fixed.kind.accepts(value):
        return f"{fixed.name}: given {show_value(value)}; it must be {fixed.kind.words}"
    return f"{fixed.name}: cannot be set here: {fixed.reason}"


def _judge_together(
    asked: Config,
    kept: Config,
    cluster: Cluster,
    machine: Machine,
    zones: Collection[str],
) -> Iterator[str]:
    """What is wrong only with other facts in sight, and would keep PostgreSQL from starting."""
    zone = asked.get("timezone")
    if isinstance(zone, str) and zone not in zones:
        near = difflib.get_close_matches(zone, zones, n=1)
        hint = f"; {near[0]} is meant?" if near else ""
        yield f"timezone: given {show_value(zone)}; the zone database has none of that name{hint}"
    tables = [name for name in _LOCK_TABLE if asked.get(name) is not None]
    if tables:
        needed, allowed = _weigh_lock_tables(kept, cluster, machine)
        if needed > allowed:
            yield (
                f"{', '.join(tables)}: with all that is set, the tables of locks would take"
                f" {needed} MB of shared memory, and {allowed} MB is a quarter of what the"
                f" cluster has; lower {' or '.join(_LOCK_TABLE)}"
            )


def _weigh_lock_tables(kept: Config, cluster: Cluster, machine: Machine) -> tuple[int, int]:
    """MiB of shared memory that the tables of locks take, and that they may take."""
    locks, predicates, prepared = (
        cast(int, kept.get(name, OPTIONS[name].default)) for name in _LOCK_TABLE
    )
    transactions = cluster.size.max_connections + _OTHER_PROCESSES + prepared
    each = locks * _LOCK + predicates * _PREDICATE_LOCK + _TRANSACTION
    return transactions * each // MIB, find_basis(cluster.size, machine.memory) // 4


def _choose_defaults(cluster: Cluster, machine: Machine, chosen: Values) -> Values:
    """Defaults that follow the cluster's size or version."""
    percentage = chosen.get(
        "shared_buffers_percentage", OPTIONS["shared_buffers_percentage"].default
    )
    shares = share_memory(cluster.size, machine.memory, cast(float, percentage))
    workers = max(min(cluster.size.vcpus, machine.cpus), 1)
    return {
        "work_mem": shares.work_mem,
        "max_worker_processes": _OTHER_WORKERS + workers,
        "max_parallel_workers": workers,
        "max_parallel_workers_per_gather": min(workers // 2, 4),
        # So that a replication slot which nobody reads cannot fill the disk.
        "max_slot_wal_keep_size": max(cluster.storage_size_mib // 5, 512),
        "log_autovacuum_min_duration": 600_000 if int(cluster.version) >= 15 else -1,
    }


def show_name(name: str) -> str:
    """A key that was sent, cut short and printable: it stands in messages."""
    return name if name.isprintable() and len(name) <= 64 else ascii(name[:64])
