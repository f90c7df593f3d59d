"""When storage grows, and a cluster's names of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.api.front import Front

Json = Mapping[str, Any]
FIRST = {"enabled": False, "threshold_percent": 80, "increment_gib": 10}
WHOLE = {"enabled": True, "threshold_percent": 15, "increment_gib": 500}


def at(cluster: Json, name: str) -> str:
    return f"/v2/databases/{cluster['id']}/{name}"


def read_autoscale(front: Front, cluster: Json) -> Json:
    answer = front.call("GET", at(cluster, "autoscale")).json()
    assert answer == {"autoscale": {"storage": answer["storage"]}, "storage": answer["storage"]}
    storage: Json = answer["storage"]
    return storage


def read_names(front: Front, cluster: Json) -> list[str]:
    settings = front.call("GET", at(cluster, "do_settings")).json()["do_settings"]
    shown = front.call("GET", f"/v2/databases/{cluster['id']}").json()["database"]
    assert shown["do_settings"] == settings
    names: list[str] = settings["service_cnames"]
    return names


def put_names(front: Front, cluster: Json, names: object) -> Any:
    body = {"do_settings": {"service_cnames": names}}
    return front.call("PUT", at(cluster, "do_settings"), body)


@pytest.mark.parametrize("body", [{"storage": WHOLE}, {"autoscale": {"storage": WHOLE}}])
def test_autoscale_is_off_until_it_is_set_in_either_shape(
    front: Front, main: Json, body: Json
) -> None:
    assert read_autoscale(front, main) == FIRST
    assert front.call("PUT", at(main, "autoscale"), body).status_code == 204
    assert read_autoscale(front, main) == WHOLE


def test_autoscale_is_replaced_whole(front: Front, main: Json) -> None:
    for body in ({"storage": WHOLE}, {"storage": {"enabled": True}}):
        assert front.call("PUT", at(main, "autoscale"), body).status_code == 204
    assert read_autoscale(front, main) == {**FIRST, "enabled": True}
    zeros = {"enabled": False, "threshold_percent": 0, "increment_gib": 0}
    assert front.call("PUT", at(main, "autoscale"), {"storage": zeros}).status_code == 204
    assert read_autoscale(front, main) == FIRST


@pytest.mark.parametrize(
    "fields", [{"autoscale": {"storage": WHOLE}}, {"storage_autoscale": WHOLE}]
)
def test_autoscale_of_a_new_cluster(front: Front, fields: dict[str, object]) -> None:
    assert read_autoscale(front, front.create_cluster("orders", **fields)) == WHOLE


@pytest.mark.parametrize(
    ("storage", "message"),
    [
        ({}, "storage.enabled: is required"),
        (None, "storage: must be an object"),
        ({"enabled": "yes"}, "storage.enabled: must be true or false"),
        ({"enabled": True, "threshold_percent": 14}, "14 is not a number from 15 to 95"),
        ({"enabled": True, "threshold_percent": 96}, "96 is not a number from 15 to 95"),
        ({"enabled": True, "threshold_percent": 50.5}, "must be a whole number"),
        ({"enabled": True, "increment_gib": 9}, "9 is not a number from 10 to 500"),
        ({"enabled": True, "increment_gib": 501}, "501 is not a number from 10 to 500"),
        ({"enabled": False, "increment_gib": -1}, "-1 is not a number from 10 to 500"),
        ({"enabled": True, "increment_gib": 10**30}, "is not a number from 10 to 500"),
    ],
)
def test_autoscale_that_cannot_be(front: Front, main: Json, storage: object, message: str) -> None:
    answer = front.call("PUT", at(main, "autoscale"), {"storage": storage})
    assert answer.status_code == 422
    assert message in answer.json()["message"]
    nested = front.call("PUT", at(main, "autoscale"), {"autoscale": {"storage": storage}})
    assert (nested.status_code, nested.json()["message"]) == (422, answer.json()["message"])
    assert read_autoscale(front, main) == FIRST


def test_what_is_read_of_autoscale_can_be_put_back(front: Front, main: Json) -> None:
    front.call("PUT", at(main, "autoscale"), {"storage": WHOLE})
    whole = front.call("GET", at(main, "autoscale")).json()
    assert front.call("PUT", at(main, "autoscale"), whole).status_code == 204
    assert read_autoscale(front, main) == WHOLE


@pytest.mark.parametrize("body", [{}, {"autoscale": None}, {"autoscale": {}}, {"autoscale": 1}])
def test_autoscale_without_storage_is_told(front: Front, main: Json, body: Json) -> None:
    answer = front.call("PUT", at(main, "autoscale"), body)
    assert (answer.status_code, answer.json()["message"]) == (422, "storage: is required")


def test_names_are_replaced_whole(front: Front, main: Json) -> None:
    assert read_names(front, main) == []
    for names in (["db.example.org", "Pool.Example.org"], ["db.example.org"], [], None):
        assert put_names(front, main, names).status_code == 204
        assert read_names(front, main) == (names or [])


def test_a_name_stands_once(front: Front, main: Json) -> None:
    assert put_names(front, main, ["a.b", "A.B", "c.d", "a.b"]).status_code == 204
    assert read_names(front, main) == ["a.b", "c.d"]


def test_names_of_a_new_cluster(front: Front) -> None:
    settings = {"service_cnames": ["db.example.org"]}
    cluster = front.create_cluster("orders", do_settings=settings)
    assert cluster["do_settings"] == settings
    assert read_names(front, cluster) == ["db.example.org"]
    dry = front.create_cluster("other", do_settings=settings, dry_run=True)
    assert dry["do_settings"] == settings


@pytest.mark.parametrize(
    "name",
    [
        *("", "localhost", ".a.b", "a.b.", "a..b", "-a.b", "a-.b", "a_b.c", "*.a.b", "a b.c"),
        *("ü.example", "a.b\n", "127.0.0.1", "1.2.3.4", "::1", f"{'x' * 64}.b"),
        ".".join(["x" * 50] * 5),
    ],
)
def test_names_that_cannot_be(front: Front, main: Json, name: str) -> None:
    answer = put_names(front, main, ["a.b", name])
    assert answer.status_code == 422
    assert answer.json()["message"].startswith("service_cnames: ")
    assert read_names(front, main) == []
    body = {"name": "orders", "do_settings": {"service_cnames": [name]}}
    needed = {"engine": "pg", "num_nodes": 1, "size": "db-s-1vcpu-1gb", "region": "nyc3"}
    assert front.call("POST", "/v2/databases", {**body, **needed}).status_code == 422


def test_sixteen_names_and_no_more(front: Front, main: Json) -> None:
    names = [f"db-{number}.example.org" for number in range(17)]
    assert put_names(front, main, names[:16]).status_code == 204
    answer = put_names(front, main, names)
    assert answer.status_code == 422
    assert answer.json()["message"] == "service_cnames: 16 at most, 17 were given"
    assert read_names(front, main) == names[:16]


@pytest.mark.parametrize("body", [{}, [], {"do_settings": None}, {"do_settings": []}])
def test_bodies_that_cannot_be(front: Front, main: Json, body: object) -> None:
    assert front.call("PUT", at(main, "do_settings"), body).status_code == 422


def test_names_that_do_not_come_in_force_are_taken_back(front: Front, main: Json) -> None:
    assert put_names(front, main, ["a.b"]).status_code == 204
    front.reconciler.silent = True
    front.change(wait_seconds=0.1)
    answer = put_names(front, main, ["c.d"])
    assert answer.status_code == 503
    assert "was taken back" in answer.json()["message"]
    front.reconciler.silent = False
    assert read_names(front, main) == ["a.b"]


def test_names_of_a_cluster_that_is_being_created_wait(front: Front) -> None:
    front.reconciler.silent = True
    front.change(wait_seconds=0.1)
    answer = put_names(front, front.create_cluster("slow"), ["a.b"])
    assert answer.status_code == 503
    assert "is still being created" in answer.json()["message"]
