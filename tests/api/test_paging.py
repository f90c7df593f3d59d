"""Lists: whole, unless a page is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.api.front import Front

POOL = {"mode": "session", "size": 1, "db": "defaultdb"}


@pytest.fixture
def five(front: Front, main: Mapping[str, Any]) -> str:
    """The address of five pools, ``p-0`` to ``p-4``."""
    pools = f"/v2/databases/{main['id']}/pools"
    for number in range(5):
        assert front.call("POST", pools, POOL | {"name": f"p-{number}"}).status_code == 201
    return pools


def test_without_a_page_there_is_everything_and_no_more(front: Front, five: str) -> None:
    answer = front.call("GET", five).json()
    assert list(answer) == ["pools"]
    assert len(answer["pools"]) == 5


def test_what_godo_asks_for(front: Front, five: str) -> None:
    answer = front.call("GET", f"{five}?page=1&per_page=200").json()
    assert len(answer["pools"]) == 5
    assert (answer["links"], answer["meta"]) == ({}, {"total": 5})


def test_pages_lead_to_each_other(front: Front, five: str) -> None:
    def address(number: int) -> str:
        return f"{front.url}{five}?page={number}&per_page=2"

    first = front.call("GET", f"{five}?per_page=2").json()
    assert first["links"]["pages"] == {"next": address(2), "last": address(3)}
    middle = front.call("GET", address(2)).json()
    assert [pool["name"] for pool in middle["pools"]] == ["p-2", "p-3"]
    assert middle["links"]["pages"] == {
        "first": address(1),
        "prev": address(1),
        "next": address(3),
        "last": address(3),
    }
    last = front.call("GET", address(3)).json()
    assert [pool["name"] for pool in last["pools"]] == ["p-4"]
    beyond = front.call("GET", address(9)).json()
    assert (beyond["pools"], beyond["meta"]) == ([], {"total": 5})
    assert beyond["links"]["pages"] == {"first": address(1), "prev": address(3)}


def test_every_list_has_pages(front: Front, five: str) -> None:
    cluster = five.removesuffix("/pools")
    for path, key in (
        ("/v2/databases", "databases"),
        (f"{cluster}/dbs", "dbs"),
        (f"{cluster}/users", "users"),
        (five, "pools"),
    ):
        answer = front.call("GET", f"{path}?page=1").json()
        assert len(answer[key]) == answer["meta"]["total"]
        assert front.call("GET", f"{path}?page=2").json()[key] == []


def test_a_page_of_clusters_with_a_tag(front: Front) -> None:
    for number in range(5):
        front.create_cluster(f"c-{number}", tags=["odd" if number % 2 else "even"])
    answer = front.call("GET", "/v2/databases?tag_name=even&page=2&per_page=2").json()
    assert [cluster["name"] for cluster in answer["databases"]] == ["c-4"]
    assert answer["meta"] == {"total": 3}
    assert front.call("GET", "/v2/databases?page=3&per_page=2").json()["meta"] == {"total": 5}


def test_a_page_that_is_nowhere_is_empty(front: Front, five: str) -> None:
    for path, key in (("/v2/databases", "databases"), (five, "pools")):
        answer = front.call("GET", f"{path}?page={10**30}").json()
        assert answer[key] == []


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("page=0", "page: must be at least 1"),
        ("page=x", "page: must be a whole number"),
        ("per_page=0", "per_page: must be at least 1"),
        ("per_page=201", "per_page: must be at most 200"),
        ("per_page=1.5", "per_page: must be a whole number"),
    ],
)
def test_pages_that_cannot_be(front: Front, query: str, message: str) -> None:
    response = front.call("GET", f"/v2/databases?{query}")
    assert (response.status_code, response.json()["message"]) == (422, message)
