"""Bad input: each row a clear error, and nothing applied."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import pytest

from tests.api.front import Front

CLUSTER = {
    "name": "orders",
    "engine": "pg",
    "num_nodes": 1,
    "size": "db-s-1vcpu-1gb",
    "region": "nyc3",
}
POOL = {"name": "web", "mode": "transaction", "size": 10, "db": "defaultdb", "user": "doadmin"}
TOKEN = {"name": "ci", "scopes": ["database:read"]}

NUMBER = "must be a whole number"
TEXT = "must be a string"
OBJECT = "must be an object"
BODY = "the body must be a JSON object, sent as application/json"
POOL_NAME = "name: 3 to 63 characters out of a-z A-Z 0-9 _ -, not starting with -"
IDENTIFIER = "name: 1 to 63 characters out of a-z A-Z 0-9 _ . -, not starting with - or ."
UNKNOWN_DB = "there is no database"
UNKNOWN_USER = "there is no user"


class Row(NamedTuple):
    """A body that cannot be, and what is said about it."""

    what: str
    body: object
    message: str


def _without(body: Mapping[str, object], field: str) -> dict[str, object]:
    return {key: value for key, value in body.items() if key != field}


def _wrong_shapes(pool: Mapping[str, object]) -> Iterator[Row]:
    for wrong in ("10", 1.5, 10.0, True, [10], {"size": 10}):
        yield Row(f"size {wrong!r}", {**pool, "size": wrong}, f"size: {NUMBER}")
    yield Row("size null", {**pool, "size": None}, f"size: {NUMBER}")
    yield Row("size 0", {**pool, "size": 0}, "size: 0 is not a number from 1 to 22")
    yield Row("size -1", {**pool, "size": -1}, "size: -1 is not a number from 1 to 22")
    huge = "22 left of 22 backend connections"
    yield Row("size 23", {**pool, "size": 23}, f"size: asked for 23, {huge}")
    yield Row("size int32", {**pool, "size": 2**31 - 1}, f"size: asked for 2147483647, {huge}")
    for size in (2**31, 2**63, 10**30):
        words = f"size: {size} is not a number from 1 to 22"
        yield Row(f"size {size:.0e}", {**pool, "size": size}, words)
    yield Row("size absent", _without(pool, "size"), "size: is required")
    known = "is none of transaction, session, statement"
    yield Row("mode unknown", {**pool, "mode": "shared"}, f"mode: 'shared' {known}")
    yield Row("mode empty", {**pool, "mode": ""}, f"mode: '' {known}")
    yield Row("mode capital", {**pool, "mode": "Session"}, f"mode: 'Session' {known}")
    yield Row("mode long", {**pool, "mode": "x" * 256}, "mode: must have at most 255 characters")
    yield Row("mode number", {**pool, "mode": 1}, f"mode: {TEXT}")
    yield Row("mode null", {**pool, "mode": None}, f"mode: {TEXT}")
    yield Row("mode absent", _without(pool, "mode"), "mode: is required")
    no_db = f"db: {UNKNOWN_DB} 'nope' in this cluster"
    yield Row("db unknown", {**pool, "db": "nope"}, no_db)
    yield Row("db empty", {**pool, "db": ""}, f"db: {UNKNOWN_DB} '' in this cluster")
    yield Row("db system", {**pool, "db": "postgres"}, f"db: {UNKNOWN_DB} 'postgres'")
    yield Row("db list", {**pool, "db": ["defaultdb"]}, f"db: {TEXT}")
    yield Row("db absent", _without(pool, "db"), "db: is required")
    no_user = f"user: {UNKNOWN_USER} 'nope' in this cluster"
    yield Row("user unknown", {**pool, "user": "nope"}, no_user)
    yield Row("user system", {**pool, "user": "poolkeeper"}, f"user: {UNKNOWN_USER} 'poolkeeper'")
    yield Row("user number", {**pool, "user": 7}, f"user: {TEXT}")
    yield Row("a list", [pool], BODY)
    yield Row("a string", "web", BODY)
    yield Row("null", None, BODY)


def _wrong_pools() -> Iterator[Row]:
    yield from _wrong_shapes(POOL)
    for name in ("", "ab", "x" * 64, "-abc", "a b c", "a/b/c", "ümläut", "a=b", '"; drop', "a.b.c"):
        yield Row(f"name {name!r:.20}", {**POOL, "name": name}, POOL_NAME)
    for name in ("abc\n", "a\nb=c", "abc\0", "abc;", "abc'", "[abc]", "%abc", "abc\u200b"):
        yield Row(f"name {name!r}", {**POOL, "name": name}, POOL_NAME)
    console = "name: 'pgbouncer' is PgBouncer's own console; choose another"
    yield Row("name of the console", {**POOL, "name": "pgbouncer"}, console)
    yield Row("name number", {**POOL, "name": 123}, f"name: {TEXT}")
    yield Row("name null", {**POOL, "name": None}, f"name: {TEXT}")
    yield Row("name absent", _without(POOL, "name"), "name: is required")


def _wrong_clusters() -> Iterator[Row]:
    names = ("", "ab", "x" * 64, "Orders", "or_ders", "-abc", "abc-", "a b", "a/b", "ab\n", "a.b")
    for name in names:
        yield Row(f"name {name!r:.20}", {**CLUSTER, "name": name}, "invalid cluster name")
    yield Row("engine mysql", {**CLUSTER, "engine": "mysql"}, "invalid engine")
    for nodes in (0, -1, 2, 3, 10**20):
        yield Row(f"nodes {nodes}", {**CLUSTER, "num_nodes": nodes}, "invalid node count")
    for wrong in ("1", 1.0, True, None):
        yield Row(f"nodes {wrong!r}", {**CLUSTER, "num_nodes": wrong}, f"num_nodes: {NUMBER}")
    for size in ("", "xxl", "db-s-1vcpu-3gb", "db-s-1vcpu-1gb "):
        yield Row(f"size {size!r}", {**CLUSTER, "size": size}, "invalid size")
    yield Row("region", {**CLUSTER, "region": "mars1"}, "region 'mars1' is not valid")
    yield Row("version 12", {**CLUSTER, "version": "12"}, "invalid cluster engine version")
    yield Row("version number", {**CLUSTER, "version": 17}, f"version: {TEXT}")
    too_big = f"storage_size_mib: must be at most {2**31 - 1}"
    yield Row("storage huge", {**CLUSTER, "storage_size_mib": 2**40}, too_big)
    negative = "storage_size_mib: must be at least 0"
    yield Row("storage negative", {**CLUSTER, "storage_size_mib": -1}, negative)
    little = "storage_size_mib: 10239 asked, and db-s-1vcpu-1gb comes with 10240"
    yield Row("storage little", {**CLUSTER, "storage_size_mib": 10239}, little)
    yield Row("tags text", {**CLUSTER, "tags": "blue"}, "tags: must be a list")
    yield Row("tag number", {**CLUSTER, "tags": ["a", 1]}, f"tags.1: {TEXT}")
    tag = "tags: each has 1 to 255 characters out of a-z A-Z 0-9 : _ -"
    for text in ("", "a b", "ä", "a\0", "x" * 256):
        yield Row(f"tag {text!r:.10}", {**CLUSTER, "tags": [text]}, tag)
    many = "combined tags cannot exceed 255 characters"
    yield Row("tags many", {**CLUSTER, "tags": [f"tag-{n}" for n in range(50)]}, many)
    for field in ("private_network_uuid", "project_id"):
        yield Row(f"{field} no UUID", {**CLUSTER, field: "x"}, f"{field}: must be a UUID")
    rules = [{"type": "ip_addr", "value": "nowhere"}]
    yield Row("rules", {**CLUSTER, "rules": rules}, "rules.0.value: 'nowhere' is no IP address")
    backup = {"database_name": "other"}
    words = "backup_restore: there are no backups to restore from"
    yield Row("backup_restore", {**CLUSTER, "backup_restore": backup}, words)
    yield Row("dry_run text", {**CLUSTER, "dry_run": "yes"}, "dry_run: must be true or false")
    for field in CLUSTER:
        yield Row(f"{field} absent", _without(CLUSTER, field), f"{field}: is required")
    yield Row("a list", [CLUSTER], BODY)


def _wrong_databases() -> Iterator[Row]:
    for name in ("", "x" * 64, "-a", ".a", "a b", "a/b", "ä", "a\n", 'a"', "a;b"):
        yield Row(f"name {name!r:.20}", {"name": name}, IDENTIFIER)
    for name in ("postgres", "template0", "template1"):
        own = f"name: {name!r} is PostgreSQL's own; choose another"
        yield Row(name, {"name": name}, own)
    yield Row("taken", {"name": "defaultdb"}, "database name is not available")
    yield Row("number", {"name": 1}, f"name: {TEXT}")
    yield Row("absent", {}, "name: is required")
    yield Row("nothing", None, BODY)


def _wrong_users() -> Iterator[Row]:
    for name in ("", "x" * 64, "-a", "a b", "ä", "a\n", 'a"', "a@b"):
        yield Row(f"name {name!r:.20}", {"name": name}, IDENTIFIER)
    for name in ("poolkeeper", "postgres", "pgbouncer", "public", "pg_monitor", "PG_x", "none"):
        yield Row(name, {"name": name}, f"name: {name!r} is reserved; choose another")
    yield Row("taken", {"name": "doadmin"}, "user name is not available")
    yield Row("absent", {"settings": {}}, "name: is required")
    wrong = {"name": "app", "settings": {"pg_allow_replication": "yes"}}
    words = "settings.pg_allow_replication: must be true or false"
    yield Row("replication text", wrong, words)
    yield Row("settings text", {"name": "app", "settings": "x"}, f"settings: {OBJECT}")
    told = "readonly: DigitalOcean has it for MongoDB alone"
    yield Row("readonly", {"name": "app", "readonly": True}, told)
    yield Row("readonly text", {"name": "app", "readonly": "yes"}, "readonly: must be true or")


def _wrong_settings() -> Iterator[Row]:
    yield Row("settings text", {"settings": "x"}, f"settings: {OBJECT}")
    wrong = {"settings": {"pg_allow_replication": 1}}
    yield Row("number", wrong, "settings.pg_allow_replication: must be true or false")


def _wrong_plans() -> Iterator[Row]:
    yield Row("size text", {"size": "10"}, f"size: {NUMBER}")
    yield Row("size 0", {"size": 0}, "size: 0 is not a number from 1 to 22")
    yield Row("size 23", {"size": 23}, "size: asked for 23, 22 left of 22 backend connections")
    yield Row("mode unknown", {"mode": "x"}, "mode: 'x' is none of transaction")
    yield Row("db unknown", {"db": "nope"}, f"db: {UNKNOWN_DB} 'nope'")
    yield Row("user unknown", {"user": "nope"}, f"user: {UNKNOWN_USER} 'nope'")


def _wrong_tokens() -> Iterator[Row]:
    known = "database:read, database:create, database:update, database:delete"
    yield Row("no scopes", {**TOKEN, "scopes": []}, f"scopes: give at least one of {known}")
    yield Row("unknown scope", {**TOKEN, "scopes": ["x"]}, f"scopes: unknown: 'x'; known: {known}")
    yield Row("scopes text", {**TOKEN, "scopes": "admin"}, "scopes: must be a list")
    for name in ("", "  ", "x" * 101, "a\0b", "a\nb"):
        words = "name: 1 to 100 printable characters"
        yield Row(f"name {name!r:.10}", {**TOKEN, "name": name}, words)
    expired = "expires_in_seconds: a number of seconds from 1"
    yield Row("expired", {**TOKEN, "expires_in_seconds": 0}, expired)
    forever = f"expires_in_seconds: must be at most {2**31 - 1}"
    yield Row("forever", {**TOKEN, "expires_in_seconds": 10**12}, forever)


def _table() -> Iterator[Any]:
    for method, path, rows in (
        ("POST", "/v2/databases", _wrong_clusters()),
        ("POST", "/v2/databases/{empty}/pools", _wrong_pools()),
        ("PUT", "/v2/databases/{pooled}/pools/web", _wrong_shapes(_without(POOL, "name"))),
        ("POST", "/v2/databases/{empty}/dbs", _wrong_databases()),
        ("POST", "/v2/databases/{empty}/users", _wrong_users()),
        ("PUT", "/v2/databases/{empty}/users/doadmin", _wrong_settings()),
        ("POST", "/v1/clusters/{pooled}/pools/web/plan", _wrong_plans()),
        ("POST", "/v1/tokens", _wrong_tokens()),
    ):
        for row in rows:
            name = ascii(f"{method} {path.rpartition('/')[2]}: {row.what}")
            yield pytest.param(method, path, row, id=name)


@pytest.fixture(scope="module")
def clusters(module_front: Front) -> Mapping[str, str]:
    """One cluster without pools, one with ``web``; all rows share them."""
    ids = {name: module_front.create_cluster(name)["id"] for name in ("empty", "pooled")}
    response = module_front.call("POST", f"/v2/databases/{ids['pooled']}/pools", POOL)
    assert response.status_code == 201
    return ids


@pytest.mark.parametrize(("method", "path", "row"), list(_table()))
def test_refused_with_the_reason_and_nothing_applied(
    module_front: Front, clusters: Mapping[str, str], method: str, path: str, row: Row
) -> None:
    before = module_front.look()
    response = module_front.call(method, path.format_map(clusters), row.body)
    problem = response.json()
    assert (response.status_code, problem["id"]) == (422, "unprocessable_entity")
    assert row.message in problem["message"]
    assert "\n" not in problem["message"]
    assert module_front.look() == before


@pytest.mark.parametrize(
    ("field", "value", "message", "detail"),
    [
        ("name", "or_ders", "invalid cluster name", "3 to 63 characters out of a-z 0-9 -"),
        ("engine", "mysql", "invalid engine", "'pg' is what can be had"),
        ("num_nodes", 3, "invalid node count", "3 asked, one node is what can be had"),
        ("size", "xxl", "invalid size", "it is a slug such as db-s-1vcpu-1gb"),
        (
            *("version", "12", "invalid cluster engine version"),
            "'12' is not installed on this host, which has 17, 15",
        ),
    ],
)
@pytest.mark.parametrize("dry_run", [True, False])
def test_messages_that_clients_compare_are_exact_and_say_more_beside(
    module_front: Front, field: str, value: object, message: str, detail: str, dry_run: bool
) -> None:
    body = {**CLUSTER, field: value, "dry_run": dry_run}
    response = module_front.call("POST", "/v2/databases", body)
    problem = response.json()
    assert (response.status_code, problem["message"]) == (422, message)
    assert detail in problem["detail"]


def test_all_faults_are_said_at_once(module_front: Front, clusters: Mapping[str, str]) -> None:
    response = module_front.call(
        "POST", f"/v2/databases/{clusters['empty']}/pools", {"size": "x", "mode": 1, "name": "web"}
    )
    assert response.json()["message"] == (f"mode: {TEXT}; size: {NUMBER}; db: is required")


def test_values_are_not_repeated_where_they_may_be_secret(
    module_front: Front, clusters: Mapping[str, str]
) -> None:
    secret = "s3cr3t-that-was-pasted-wrongly"
    body = {"name": "web", "mode": "session", "size": secret, "db": "defaultdb"}
    response = module_front.call("POST", f"/v2/databases/{clusters['empty']}/pools", body)
    assert response.status_code == 422
    assert secret not in response.text
