"""Trusted sources as clients from several addresses meet them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import httpx
import psycopg
import pytest

from tests.e2e.elsewhere import coming_from
from tests.e2e.inside import Inside
from tests.e2e.load import running_load
from tests.e2e.service import Json, Service, log_in_as
from tests.plane import Plane, connect, create_cluster, running_plane, wait_until

HERE, OFFICE, CAFE = "127.0.0.1", "127.0.0.2", "127.0.0.3"

Doors = Mapping[str, str]

PID = "SELECT pg_backend_pid()"
OUTSIDERS = """
SELECT count(*) FROM pg_stat_activity
 WHERE client_addr = '127.0.0.3' AND backend_type IN ('client backend', 'walsender')
"""


class Guarded:
    """A cluster with its rules, and the doors to it: URIs by name, for each address."""

    def __init__(self, api: httpx.Client, cluster: Json) -> None:
        self.service = Service(api, cluster)
        self.cluster = cluster

    def put(self, *rules: str) -> None:
        """``type:value`` each; in force when this returns."""
        given = [dict(zip(("type", "value"), rule.split(":", 1), strict=True)) for rule in rules]
        answer = self.service.api.put(f"{self.service.address}/firewall", json={"rules": given})
        assert answer.status_code == 204, answer.text

    def read(self) -> list[Json]:
        listed: list[Json] = self.service.api.get(f"{self.service.address}/firewall").json()[
            "rules"
        ]
        return listed

    @contextlib.contextmanager
    def doors(self, pools: Mapping[str, str]) -> Iterator[Mapping[str, Doors]]:
        """By address and name: the ``pools``, and PostgreSQL itself as ``direct``."""
        uris = {**pools, "direct": self.cluster["connection"]["uri"]}
        with contextlib.ExitStack() as open_ways:
            yield {HERE: uris} | {
                address: {
                    name: open_ways.enter_context(coming_from(address, uri))
                    for name, uri in uris.items()
                }
                for address in (OFFICE, CAFE)
            }


@pytest.fixture(scope="module")
def guarded(api: httpx.Client, cluster: Json) -> Guarded:
    return Guarded(api, cluster)


@pytest.fixture(scope="module")
def inside(plane: Plane, guarded: Guarded) -> Inside:
    return Inside(plane, guarded.service.id)


@pytest.fixture(scope="module")
def all_doors(guarded: Guarded) -> Iterator[Mapping[str, Doors]]:
    service = guarded.service
    password = service.create_user("app")
    inbound = service.create_pool("inbound", user="", size=2)
    pools = {
        "web": service.create_pool("web", size=4),
        "session": service.create_pool("stay", mode="session", size=4),
        "inbound": log_in_as(inbound, "app", password),
    }
    with guarded.doors(pools) as doors:
        yield doors


@pytest.fixture
def doors(guarded: Guarded, all_doors: Mapping[str, Doors]) -> Iterator[Mapping[str, Doors]]:
    """All doors, open to everybody before and after."""
    guarded.put()
    yield all_doors
    guarded.put()


def gets_in(uri: str) -> bool:
    try:
        with connect(uri) as client:
            assert client.execute("SELECT 1").fetchone() == (1,)
    except psycopg.OperationalError as error:
        assert any(
            words in str(error) for words in ("no pg_hba.conf entry", "no authentication method")
        ), error
        return False
    return True


def who_gets_in(doors: Mapping[str, Doors]) -> set[str]:
    """The addresses that are let in; each at all doors or at none."""
    found = {}
    for address, uris in doors.items():
        let_in = {gets_in(uri) for uri in uris.values()}
        assert len(let_in) == 1, f"{address} is let in here and refused there"
        found[address] = let_in.pop()
    return {address for address, let_in in found.items() if let_in}


def test_without_rules_everybody_gets_in(guarded: Guarded, doors: Mapping[str, Doors]) -> None:
    assert guarded.read() == []
    assert who_gets_in(doors) == {HERE, OFFICE, CAFE}


@pytest.mark.parametrize(
    ("rules", "allowed"),
    [
        (["ip_addr:127.0.0.2"], {OFFICE}),
        (["ip_addr:127.0.0.2/32", "ip_addr:127.0.0.1"], {HERE, OFFICE}),
        (["ip_addr:127.0.0.2/31"], {OFFICE, CAFE}),
        (["ip_addr:127.0.0.0/8"], {HERE, OFFICE, CAFE}),
        (["ip_addr:10.0.0.0/8", "tag:web", "ip_addr:2001:db8::/32"], set()),
        (["ip_addr:127.0.0.3", "droplet:163973392"], {CAFE}),
        (["tag:web", "k8s:ff2a6c52", "app:5a4981aa", "droplet:1"], set()),
    ],
    ids=lambda given: ",".join(sorted(given)),
)
def test_only_trusted_sources_get_in(
    guarded: Guarded, doors: Mapping[str, Doors], rules: list[str], allowed: set[str]
) -> None:
    guarded.put(*rules)
    assert [f"{rule['type']}:{rule['value']}" for rule in guarded.read()] == rules
    assert who_gets_in(doors) == allowed
    guarded.put()
    assert who_gets_in(doors) == {HERE, OFFICE, CAFE}


def test_both_servers_understand_every_line(guarded: Guarded, inside: Inside) -> None:
    many = [f"10.{n}.0.0/16" for n in range(0, 196, 2)]
    guarded.put(*(f"ip_addr:{value}" for value in ("2001:DB8::7/32", "::1", *many)))
    with inside.connect() as superuser:
        lines = superuser.execute(
            "SELECT address, error FROM pg_hba_file_rules WHERE type = 'hostssl'"
        ).fetchall()
    assert len(lines) == 2 * 100
    assert all(error is None for _, error in lines)
    assert {"2001:db8::", "::1", "10.194.0.0"} <= {address for address, _ in lines}
    assert "could not parse hba" not in inside.pooler_log.read_text()
    guarded.put()


def test_pools_are_made_and_proved_while_nobody_gets_in(
    guarded: Guarded, doors: Mapping[str, Doors]
) -> None:
    guarded.put("tag:web")
    assert "nobody may connect over the network" in guarded.service.read_cluster()["reason"]
    uri = guarded.service.create_pool("late", size=2)
    assert not gets_in(uri)
    guarded.service.change_pool("late", size=3, mode="session")
    guarded.put("ip_addr:127.0.0.1")
    assert guarded.service.read_cluster()["reason"] == ""
    assert gets_in(uri)
    guarded.service.delete_pool("late")


def test_whoever_may_not_connect_any_more_is_cut_and_nobody_else(
    guarded: Guarded, doors: Mapping[str, Doors], inside: Inside
) -> None:
    settings = {"settings": {"pg_allow_replication": True}}
    answer = guarded.service.api.put(f"{guarded.service.address}/users/doadmin", json=settings)
    assert answer.status_code == 201, answer.text
    with contextlib.ExitStack() as open_clients:

        def come(address: str, door: str, **options: Any) -> psycopg.Connection[Any]:
            client = connect(doors[address][door], **options)
            return open_clients.enter_context(contextlib.closing(client))

        # Idle, and in the middle of a transaction.
        stay, leave = (
            [come(address, door, autocommit=door == "web") for door in doors[address]]
            for address in (OFFICE, CAFE)
        )
        backends = [client.execute(PID).fetchone() for client in (*stay, *leave)][: len(stay)]
        replica = come(CAFE, "direct", replication="true")
        guarded.put("ip_addr:127.0.0.2")
        for client in leave:
            with pytest.raises(psycopg.OperationalError):
                client.execute("SELECT 1")
        with pytest.raises(psycopg.OperationalError):
            replica.execute("IDENTIFY_SYSTEM")
        with inside.connect() as superuser, inside.console() as console:
            assert superuser.execute(OUTSIDERS.encode()).fetchone() == (0,)
            assert set(console.list_client_addresses().values()) == {OFFICE}
        for client, backend in zip(stay, backends, strict=True):
            if client.autocommit:
                client.execute("SELECT 1")
            else:
                assert client.execute(PID).fetchone() == backend
                client.commit()


def test_a_change_goes_unnoticed_by_those_who_may_stay(
    guarded: Guarded, doors: Mapping[str, Doors], inside: Inside
) -> None:
    with (
        running_load(doors[OFFICE]["web"], 4) as staying,
        running_load(doors[OFFICE]["web"], 2, reconnect=True) as coming,
        running_load(doors[OFFICE]["direct"], 2, reconnect=True) as direct,
        running_load(doors[CAFE]["web"], 3, reconnect=True) as outside,
        running_load(doors[CAFE]["direct"], 2, reconnect=True) as outside_direct,
    ):
        for rules in (
            ["ip_addr:127.0.0.0/28"],
            ["ip_addr:127.0.0.2", "ip_addr:127.0.0.3"],
            ["ip_addr:127.0.0.2"],
            ["ip_addr:127.0.0.2", "tag:web"],
        ):
            guarded.put(*rules)
            for load in (staying, coming, direct):
                load.await_turns(3)
        wait_until(
            "each outsider has been refused",
            lambda: (len(outside.errors), len(outside_direct.errors)) == (3, 2),
        )
        guarded.put()
        for load in (staying, coming, direct):
            load.await_turns(3)


def test_a_login_under_way_is_no_way_in(
    guarded: Guarded, doors: Mapping[str, Doors], inside: Inside
) -> None:
    """Clients that come again and again: the last one to slip in is put out again."""
    uris = [doors[CAFE]["web"], doors[CAFE]["direct"]]
    with contextlib.ExitStack() as loads:
        for uri in uris:
            loads.enter_context(running_load(uri, 4, "SELECT 1", reconnect=True))
        guarded.put("ip_addr:127.0.0.2")
        with inside.connect() as superuser, inside.console() as console:

            def are_out() -> bool:
                row = superuser.execute(OUTSIDERS.encode()).fetchone()
                return row == (0,) and CAFE not in console.list_client_addresses().values()

            wait_until("outsiders are out", are_out)


def test_rules_of_the_first_hour_outlive_everything() -> None:
    """Set at creation, they hold from the first login on, with the control plane and without."""
    rules = [
        {"type": "ip_addr", "value": OFFICE, "description": "the office"},
        {"type": "tag", "value": "web"},
    ]
    with running_plane("--empty") as plane:
        with plane.client() as client:
            guarded = Guarded(client, create_cluster(client, "guarded", rules=rules))
            listed = guarded.read()
            assert [(rule["value"], rule["description"]) for rule in listed] == [
                (OFFICE, "the office"),
                ("web", ""),
            ]
            pools = {"web": guarded.service.create_pool("web")}
        with guarded.doors(pools) as doors, contextlib.ExitStack() as stay:
            assert who_gets_in(doors) == {OFFICE}
            clients = [
                stay.enter_context(contextlib.closing(connect(uri)))
                for uri in doors[OFFICE].values()
            ]
            plane.kill()
            assert who_gets_in(doors) == {OFFICE}
            plane.start("--empty")
            with plane.client() as client:
                guarded = Guarded(client, guarded.cluster)
                assert guarded.read() == listed
                guarded.service.change_pool("web", size=3)
                assert who_gets_in(doors) == {OFFICE}
                for connected in clients:
                    connected.execute("SELECT 1")
                restart(plane, guarded)
                assert who_gets_in(doors) == {OFFICE}


def restart(plane: Plane, guarded: Guarded) -> None:
    """Have both servers die and come back."""

    def list_pids() -> set[int]:
        return {process["pid"] for process in guarded.service.read_cluster()["processes"]}

    before = wait_until("both are known", lambda: len(pids := list_pids()) == 2 and pids)
    for pid in before:
        os.kill(pid, signal.SIGKILL)

    def are_back() -> bool:
        standing = guarded.service.read_cluster()
        pids = {process["pid"] for process in standing["processes"]}
        return len(pids) == 2 and not pids & before and standing["phase"] == "active"

    wait_until("both servers are back", are_back)


def test_what_the_command_line_does(guarded: Guarded, plane: Plane) -> None:
    """doctl's way: append and remove read the rules and send them back."""
    run = partial(plane.run, "databases", "firewalls")
    name = guarded.cluster["name"]
    try:
        header, row = read_cells(run("append", name, "--rule", "ip_addr:127.0.0.0/8"))
        assert header == ["UUID", "ClusterUUID", "Type", "Value"]
        assert row[1:] == [guarded.service.id, "ip_addr", "127.0.0.0/8"]
        _, same, added = read_cells(run("append", name, "--rule", "tag:web"))
        assert same == row
        done = plane.run("dbs", "fw", "rm", name, "--uuid", row[0])
        assert read_cells(done) == [header, added]
        assert "nobody may connect over the network" in done.stderr
        done = run("replace", name, "--rule", "ip_addr:127.0.0.0/8,ip_addr:::1")
        assert [cells[-1] for cells in read_cells(done)] == ["Value", "127.0.0.0/8", "::1"]
        wrong = plane.run("dbs", "fw", "append", name, "--rule", "127.0.0.1", check=False)
        assert (wrong.returncode, "a rule is a type and a value" in wrong.stderr) == (1, True)
        wrong = plane.run("dbs", "fw", "append", name, "--rule", "ip_addr:x", check=False)
        assert (wrong.returncode, "is no IP address" in wrong.stderr) == (1, True)
        wrong = plane.run("dbs", "fw", "rm", name, "--uuid", "x", check=False)
        assert (wrong.returncode, "there is no rule 'x'" in wrong.stderr) == (1, True)
        listed = run("list", name, "--format", "Value", "--no-header").stdout.split()
        assert listed == ["127.0.0.0/8", "::1"]
    finally:
        guarded.put()


def read_cells(done: subprocess.CompletedProcess[str]) -> list[list[str]]:
    """The cells of each line that a command printed."""
    return [line.split() for line in done.stdout.splitlines()]
