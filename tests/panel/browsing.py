"""The panel as tests see it: real usecases over a store of their own, and a browser that has no
scripts."""

from __future__ import annotations

import html
import os
import re
import ssl
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.cookies import SimpleCookie
from typing import Any
from uuid import UUID, uuid4

import httpx
from starlette.applications import Starlette

from poolkeeper.domain.clusters import parse_cluster_request
from poolkeeper.domain.tokens import ADMIN, Token, hash_value
from poolkeeper.store import tokens
from poolkeeper.usecases.clusters import create_cluster
from poolkeeper.usecases.context import Context
from tests.api.reconciler import StandIn
from tests.plane import KEPT_ALIVE

# All is plain HTTP; left to itself, each client would read the system's certificates first.
_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

_FORM_FIELD = re.compile(r'name="csrf" value="([^"]+)"')


@dataclass
class Clock:
    """A clock that tests move."""

    moment: datetime = datetime(2026, 11, 1, 10, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment

    def advance(self, **time: float) -> None:
        self.moment += timedelta(**time)


@dataclass
class Browser:
    """Follows no redirects and sends forms as a browser would.

    It keeps cookies by itself: these are for HTTPS alone, which tests do without.
    """

    client: httpx.Client
    cookies: dict[str, str] = field(default_factory=dict)
    page: str = ""

    def get(self, path: str, **headers: str) -> httpx.Response:
        return self._ask("GET", path, headers)

    def send(
        self, path: str, fields: dict[str, Any] | None = None, **headers: str
    ) -> httpx.Response:
        """Send a form of the page that was seen last."""
        found = _FORM_FIELD.search(self.page)
        token = {"csrf": html.unescape(found[1])} if found else {}
        sent = {"origin": str(self.client.base_url), "sec_fetch_site": "same-origin", **headers}
        return self._ask("POST", path, sent, token | (fields or {}))

    def _ask(
        self, method: str, path: str, headers: dict[str, str], fields: Any = None
    ) -> httpx.Response:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        sent["cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        answer = self.client.request(method, path, headers=sent, data=fields)
        for header in answer.headers.get_list("set-cookie"):
            for name, morsel in SimpleCookie(header).items():
                self.cookies.pop(name, None)
                if morsel["max-age"] != "0":
                    self.cookies[name] = morsel.value
        if answer.status_code != 303:
            self.page = answer.text
        return answer

    def sign_in(self, token: str) -> None:
        self.get("/sign-in")
        answer = self.send("/sign-in", {"token": token})
        assert (answer.status_code, answer.headers["location"]) == (303, "/databases")
        self.get("/databases")

    def is_signed_in(self) -> bool:
        return self.get("/live/ping").status_code == 204


@dataclass
class Panel:
    """The panel, and what it stands on."""

    app: Starlette
    url: str
    context: Context
    clock: Clock
    reconciler: StandIn
    _clients: list[httpx.Client] = field(default_factory=list)

    def browse(self) -> Browser:
        """Another browser, in which nobody is signed in."""
        client = httpx.Client(base_url=self.url, verify=_NO_TLS, timeout=60, limits=KEPT_ALIVE)
        self._clients.append(client)
        return Browser(client)

    def browse_as(self, *scopes: str) -> Browser:
        """A browser that is signed in with these scopes, or as an administrator."""
        browser = self.browse()
        browser.sign_in(self.issue_token(*(scopes or (ADMIN,))))
        return browser

    def issue_token(self, *scopes: str, name: str = "", lifetime: timedelta | None = None) -> str:
        """A new token; its value."""
        value = os.urandom(32).hex()
        with self.context.store.write() as tx:
            expires_at = None if lifetime is None else tx.now + lifetime
            called = name or "+".join(scopes)
            token = Token(value[:16], called, frozenset(scopes), tx.now, expires_at)
            tokens.insert_token(tx, token, str(hash_value(value)))
        return value

    def revoke_token(self, value: str) -> None:
        with self.context.store.write() as tx:
            assert tokens.delete_token(tx, value[:16])

    def create_cluster(self, name: str = "main") -> UUID:
        """A cluster; the stand-in for the reconciler says that it is online."""
        request = parse_cluster_request(
            name=name,
            engine="pg",
            version="15",
            size="db-s-1vcpu-1gb",
            region="nyc1",
            num_nodes=1,
            majors=["15"],
        )
        cluster_id = create_cluster(self.context, "test", uuid4(), request).cluster.id
        self.reconciler.apply(cluster_id)
        # What it had still to say of the creation would undo what tests say of the cluster.
        self.reconciler.settle()
        return cluster_id

    def close(self) -> None:
        for client in self._clients:
            client.close()
