"""A cluster as its user drives it: the calls of the API, each with the status it must answer."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import httpx

from tests.plane import wait_until

Json = Mapping[str, Any]


class Service:
    """One cluster behind the API. Calls may come from several threads."""

    def __init__(self, api: httpx.Client, cluster: Json) -> None:
        self.api = api
        self.id = str(cluster["id"])
        self.address = f"/v2/databases/{self.id}"

    def try_pool(self, name: str, **shape: Any) -> httpx.Response:
        """POST a pool: transaction, 2, defaultdb, doadmin unless said; ``user`` "" is inbound."""
        return self.api.post(f"{self.address}/pools", json={"name": name, **_shape(shape)})

    def create_pool(self, name: str, **shape: Any) -> str:
        """The URI of a new pool."""
        answer = self.try_pool(name, **shape)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["pool"]["connection"]["uri"])

    def try_change(self, name: str, **change: Any) -> httpx.Response:
        """Read, change what is given, write back."""
        pool = self.api.get(f"{self.address}/pools/{name}").json()["pool"]
        shape = {key: pool[key] for key in ("mode", "size", "db", "user")}
        return self.api.put(f"{self.address}/pools/{name}", json=shape | change)

    def change_pool(self, name: str, **change: Any) -> None:
        answer = self.try_change(name, **change)
        assert answer.status_code == 204, answer.text

    def delete_pool(self, name: str) -> None:
        answer = self.api.delete(f"{self.address}/pools/{name}")
        assert answer.status_code == 204, answer.text

    @contextlib.contextmanager
    def pool(self, name: str, **shape: Any) -> Iterator[str]:
        """A pool for a while: its URI; its backends are free again after."""
        try:
            yield self.create_pool(name, **shape)
        finally:
            self.api.delete(f"{self.address}/pools/{name}")
            self.await_free(name)

    def await_free(self, name: str) -> None:
        """Wait until a deleted pool holds nothing any more."""
        wait_until(f"pool {name} is gone", lambda: name not in self.list_holders())

    def list_holders(self) -> set[str]:
        """Names of pools that hold backend connections, those that drain included.

        Only an error tells of the latter, so one is asked for.
        """
        answer = self.try_pool("asks-for-too-much", size=100_000)
        assert answer.status_code == 422, answer.text
        _, _, held = answer.json()["message"].partition("(held: ")
        return {each.split()[0] for each in held.rstrip(")").split(", ") if each}

    def read_pool(self, name: str) -> Json:
        """Where a pool stands, by ``/v1``."""
        answer = self.api.get(f"/v1/clusters/{self.id}/pools/{name}")
        assert answer.status_code == 200, answer.text
        found: Json = answer.json()["pool"]
        return found

    def read_cluster(self) -> Json:
        """Where the cluster stands, by ``/v1``."""
        found: Json = self.api.get(f"/v1/clusters/{self.id}").json()["cluster"]
        return found

    def plan(self, name: str, **change: Any) -> Json:
        """What a change would do."""
        answer = self.api.post(f"/v1/clusters/{self.id}/pools/{name}/plan", json=change)
        assert answer.status_code == 200, answer.text
        found: Json = answer.json()["plan"]
        return found

    def create_database(self, name: str) -> None:
        answer = self.api.post(f"{self.address}/dbs", json={"name": name})
        assert answer.status_code == 201, answer.text

    def create_user(self, name: str) -> str:
        """The new user's password."""
        answer = self.api.post(f"{self.address}/users", json={"name": name})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["user"]["password"])

    def reset_auth(self, name: str) -> str:
        """The user's new password."""
        answer = self.api.post(f"{self.address}/users/{name}/reset_auth", json={})
        assert answer.status_code == 200, answer.text
        return str(answer.json()["user"]["password"])


def log_in_as(uri: str, user: str, password: str) -> str:
    """A pool's URI with somebody else in it."""
    scheme, _, rest = uri.partition("://")
    return f"{scheme}://{user}:{password}@{rest.rpartition('@')[2]}"


def fails_with(action: Callable[[], Any]) -> str:
    """The message of the database error that it must end with."""
    import psycopg

    try:
        action()
    except psycopg.Error as error:
        return str(error)
    raise AssertionError("it succeeded")


def _shape(given: Mapping[str, Any]) -> dict[str, Any]:
    return {"mode": "transaction", "size": 2, "db": "defaultdb", "user": "doadmin", **given}
