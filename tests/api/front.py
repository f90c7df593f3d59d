"""The API as tests see it."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import httpx
from fastapi import FastAPI

from poolkeeper.domain.clusters import Desired
from poolkeeper.domain.tokens import ADMIN, Token, hash_value
from poolkeeper.store import clusters, tokens
from poolkeeper.usecases.context import Context
from tests.api.reconciler import StandIn
from tests.shows import note_exchange

# All is plain HTTP; left to itself, each client would read the system's certificates first.
_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@dataclass
class Front:
    """The API over a store of its own. Calls are made as an administrator if nothing is said."""

    app: FastAPI
    context: Context
    reconciler: StandIn
    url: str
    check: Callable[[httpx.Response], None]
    _clients: dict[tuple[str, ...], httpx.Client] = field(default_factory=dict)
    _open: list[httpx.Client] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.app.state.context = self.context
        self.client(ADMIN)

    def change(self, **facts: object) -> None:
        """Change facts of the host, such as its ``majors``, or ``wait_seconds``."""
        self.context = replace(self.context, **facts)  # type: ignore[arg-type]
        self.app.state.context = self.context

    def client(self, *scopes: str) -> httpx.Client:
        """A client whose token has these scopes, and no others; every answer is checked."""
        if scopes not in self._clients:
            self._clients[scopes] = self.connect(self.issue_token(*scopes))
        return self._clients[scopes]

    def connect(self, token: str | None) -> httpx.Client:
        """A client with that token."""
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        client = httpx.Client(
            base_url=self.url,
            headers=headers,
            verify=_NO_TLS,
            event_hooks={"response": [self._check]},
            timeout=60,
        )
        self._open.append(client)
        return client

    def issue_token(self, *scopes: str, expires_at: datetime | None = None) -> str:
        """A new token; its value."""
        value = os.urandom(32).hex()
        with self.context.store.write() as tx:
            name = "+".join(scopes) or "nothing"
            token = Token(value[:16], name, frozenset(scopes), tx.now, expires_at)
            tokens.insert_token(tx, token, str(hash_value(value)))
        return value

    def call(self, method: str, path: str, body: object = None) -> httpx.Response:
        """A call as an administrator."""
        return self.client(ADMIN).request(method, path, json=body)

    def create_cluster(self, name: str = "main", **fields: object) -> Mapping[str, Any]:
        """A new cluster, as the API answered."""
        body = {
            "name": name,
            "engine": "pg",
            "num_nodes": 1,
            "size": "db-s-1vcpu-1gb",
            "region": "nyc3",
        }
        response = self.call("POST", "/v2/databases", body | fields)
        assert response.status_code == 201, response.text
        created: Mapping[str, Any] = response.json()["database"]
        return created

    def look(self) -> tuple[list[Desired | None], list[str]]:
        """Everything that is wanted, and who holds tokens: to see that nothing was changed."""
        with self.context.store.read() as tx:
            ids = clusters.list_cluster_ids(tx)
            names = [token.id for token in tokens.list_tokens(tx)]
            return [clusters.read_desired(tx, cluster_id) for cluster_id in ids], names

    def close(self) -> None:
        for client in self._open:
            client.close()

    def _check(self, response: httpx.Response) -> None:
        response.read()
        note_exchange(response.request.method, str(response.request.url), response.status_code)
        self.check(response)
        # Clients take it for leave to repeat any call.
        if "retry-after" in response.headers:
            assert response.status_code in (429, 503)
        assert response.status_code != 503 or "retry-after" in response.headers
