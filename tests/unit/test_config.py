"""The table of settings: against DigitalOcean's description, and what is decided with it."""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from poolkeeper.domain.clusters import Cluster
from poolkeeper.domain.config import (
    Config,
    blame,
    compare_configs,
    describe_config,
    find_blamed,
    flatten_config,
    list_pgbouncer_values,
    nest_config,
    parse_config_patch,
    restore_config,
)
from poolkeeper.domain.config_kinds import Boolean, Choice, Integer, Kind, Number, Text, Words
from poolkeeper.domain.config_options import FIXED, FIXTURES, GROUPS, OPTIONS
from poolkeeper.domain.errors import InvalidRequest
from poolkeeper.domain.memory import GIB, Machine, find_basis, share_memory
from poolkeeper.domain.sizes import SLUGS, parse_size
from tests.api.contract import VARIABLE, find_contract
from tests.unit.test_postgres_render import CLUSTER

MACHINE = Machine(memory=16 * GIB, cpus=8)
ZONES = {"UTC", "Europe/Berlin"}
KINDS = {name: each.kind for name, each in (OPTIONS | FIXTURES).items()}


def parse(patch: Config, cluster: Cluster = CLUSTER) -> Config:
    return parse_config_patch(patch, cluster, MACHINE, ZONES)


@pytest.fixture(scope="module")
def described() -> Mapping[str, Any]:
    """DigitalOcean's schemas of PostgreSQL's settings, by flat name."""
    path = find_contract()
    if path is None:
        pytest.skip(f"DigitalOcean's description is not on this machine; {VARIABLE} names it")
    paths = json.loads(path.read_text())["paths"]
    body = paths["/v2/databases/{database_cluster_uuid}/config"]["patch"]["requestBody"]
    engines = body["content"]["application/json"]["schema"]["properties"]["config"]["anyOf"]
    [ours] = [each["properties"] for each in engines if "pgbouncer" in each["properties"]]
    return flatten_config({name: schema.get("properties", schema) for name, schema in ours.items()})


def test_every_setting_is_known_and_none_is_invented(described: Mapping[str, Any]) -> None:
    assert described.keys() == OPTIONS.keys() | FIXTURES.keys()
    assert not OPTIONS.keys() & FIXTURES.keys()


def test_types_and_ranges_are_theirs(described: Mapping[str, Any]) -> None:
    for name, schema in described.items():
        check_kind(name, KINDS[name], schema)


def check_kind(name: str, kind: Kind, schema: Mapping[str, Any]) -> None:
    match kind:
        case Integer(low, high):
            assert schema["type"] == "integer", name
            assert low == schema["minimum"], name
            # Written as a float there, the largest number of 64 bits is rounded.
            assert math.isclose(high, schema.get("maximum", 2**31 - 1)), name
        case Number(low, high):
            assert schema["type"] == "number", name
            assert (low, high) == (schema["minimum"], schema["maximum"]), name
        case Boolean():
            assert schema["type"] == "boolean", name
        case Choice(choices):
            assert schema["type"] == "string", name
            assert set(choices) == set(schema["enum"]), name
        case Text(longest):
            assert (schema["type"], schema["maxLength"]) == ("string", longest), name
        case Words(choices, most):
            assert schema["type"] == "array", name
            assert (list(choices), most) == (schema["items"]["enum"], schema["maxItems"]), name
        case _:
            pytest.fail(f"{name} is of no known kind")


@pytest.mark.parametrize("slug", SLUGS)
@pytest.mark.parametrize("version", ["13", "14", "15", "17"])
@pytest.mark.parametrize("machine", [Machine(GIB // 2, 1), Machine(512 * GIB, 128)])
def test_every_default_may_also_be_set(slug: str, version: str, machine: Machine) -> None:
    cluster = replace(CLUSTER, size=parse_size(slug), version=version)
    shown = describe_config(cluster, machine)
    assert shown.keys() > set(GROUPS)
    for name, value in flatten_config(shown).items():
        if name not in GROUPS:
            assert KINDS[name].accepts(value), (name, value)
    kept = parse_config_patch({"work_mem": 1}, cluster, machine, ZONES)
    assert kept == {"work_mem": 1}


def test_only_what_was_set_is_kept() -> None:
    assert parse({}) == {}
    once = parse({"work_mem": 8, "pgbouncer": {"min_pool_size": 2}, "backup_hour": None})
    assert once == {"work_mem": 8, "pgbouncer": {"min_pool_size": 2}}
    cluster = replace(CLUSTER, config=once)
    assert parse({"jit": False, "work_mem": None}, cluster) == {
        "pgbouncer": {"min_pool_size": 2},
        "jit": False,
    }
    assert parse({"pgbouncer": None}, cluster) == {"work_mem": 8}
    fixed = {fixed.name: fixed.value for fixed in FIXED if fixed.value is not None}
    assert parse({**nest_config(fixed), "max_connections": 100}) == {}


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, -math.inf, 19.9, 60.1, 10**400, True, "30", None]
)
def test_a_number_is_finite_and_in_its_range(value: object) -> None:
    kind = KINDS["shared_buffers_percentage"]
    assert not kind.accepts(value)
    assert kind.accepts(20) and kind.accepts(33.3) and kind.accepts(60)


@pytest.mark.parametrize(
    "name", ["a\x00b", "x" * 5000, "ü\n", "pgbouncer.", "", ".", "\u202ea", "pgbouncer.\ud800"]
)
def test_odd_names_are_told_short_and_printable(name: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse({name: 1, "work_mem": f"\u202e\ud800{name}"})
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 300


def test_of_many_unknown_names_only_those_told_are_compared_with_known_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compared = []
    find = difflib.get_close_matches

    def note(name: str, known: list[str], n: int) -> list[str]:
        compared.extend(known)
        return find(name, known, n=n)

    monkeypatch.setattr(difflib, "get_close_matches", note)
    with pytest.raises(InvalidRequest, match=r"jitt: .*; jit is meant.*; and 96 more"):
        parse({"jitt": True, **{f"unknown_{number}": 0 for number in range(100)}})
    assert len(compared) == 5 * len(KINDS)


def test_tables_of_locks_must_fit_the_memory() -> None:
    # 400 bytes for each of 1160 × 6400 locks are 2832 MB.
    patch = {"max_prepared_transactions": 1000, "max_locks_per_transaction": 6400}
    with pytest.raises(InvalidRequest, match=r"would take 28\d\d MB .* and 1024 MB is a quarter"):
        parse(patch)
    roomy = replace(CLUSTER, size=parse_size("gd-4vcpu-16gb"))
    assert parse_config_patch(patch, roomy, Machine(64 * GIB, 8), ZONES) == patch
    # One that has too much already may still change what has nothing to do with it.
    assert parse({"work_mem": 8}, replace(CLUSTER, config=patch)) == patch | {"work_mem": 8}


def test_what_somebody_else_changed_since_is_not_taken_back() -> None:
    before: Config = {"work_mem": 8, "pgbouncer": {"min_pool_size": 1}}
    after: Config = {"work_mem": 16, "jit": False, "pgbouncer": {"min_pool_size": 2}}
    changes = compare_configs(before, after)
    assert changes == {
        "jit": (None, False),
        "pgbouncer.min_pool_size": (1, 2),
        "work_mem": (8, 16),
    }
    assert restore_config(after, changes) == before
    later: Config = {**after, "work_mem": 32, "timezone": "UTC"}
    assert restore_config(later, changes) == {
        "work_mem": 32,
        "timezone": "UTC",
        "pgbouncer": {"min_pool_size": 1},
    }


def test_our_startup_parameters_cannot_be_taken_away() -> None:
    name = "pgbouncer.ignore_startup_parameters"
    for given in ([], ["search_path"], ["search_path", "extra_float_digits", "search_path"]):
        config: Config = {"pgbouncer": {"ignore_startup_parameters": given}}
        wanted = ["extra_float_digits", *dict.fromkeys(w for w in given if w == "search_path")]
        assert list_pgbouncer_values(config)[name] == wanted


@pytest.mark.parametrize("slug", SLUGS)
@pytest.mark.parametrize("host_memory", [GIB // 2, 24 * GIB, 512 * GIB])
def test_memory_follows_the_share_of_shared_buffers(slug: str, host_memory: int) -> None:
    size = parse_size(slug)
    basis = find_basis(size, host_memory)
    shares = [share_memory(size, host_memory, percentage) for percentage in (20, 25, 60)]
    assert [each.shared_buffers for each in shares] == [
        max(int(basis * percentage / 100), 32) for percentage in (20, 25, 60)
    ]
    for each in shares:
        assert each.shared_buffers + 3 * each.maintenance_work_mem <= basis
        assert each.shared_buffers <= each.effective_cache_size <= basis
    assert sorted((each.work_mem for each in shares), reverse=True) == [
        each.work_mem for each in shares
    ]


OUTSIDE = '0 s is outside the valid range for parameter "autovacuum_naptime" (1 s .. 2147483 s)'


@pytest.mark.parametrize(
    ("changes", "current", "named"),
    [
        ({"autovacuum_naptime": (None, 0)}, {"autovacuum_naptime": 0}, "autovacuum_naptime"),
        ({"work_mem": (None, 8)}, {"autovacuum_naptime": 0, "work_mem": 8}, None),
        # Somebody else has set it to something else since.
        ({"autovacuum_naptime": (None, 30)}, {"autovacuum_naptime": 0}, None),
        ({}, {"autovacuum_naptime": 0}, None),
    ],
)
def test_a_refusal_is_that_of_whoever_asked_for_it(
    changes: dict[str, tuple[object, object]], current: Config, named: str | None
) -> None:
    assert blame(changes, current, OUTSIDE) == named
    assert blame(changes, current, "out of memory") == "config"


def test_a_refusal_names_settings_as_the_api_does() -> None:
    assert find_blamed('invalid value for parameter "shared_buffers": 1') == {
        "shared_buffers_percentage"
    }
    assert find_blamed('parameter "TimeZone" and parameter "nobody_knows"') == {"timezone"}
