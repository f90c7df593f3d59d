"""Who looks at the panel: signed in over one HTTPS connection that stays open."""

from __future__ import annotations

import re
import ssl
import time
from types import TracebackType

import httpx

from tests.plane import Plane

_CSRF = re.compile(r'name="csrf" value="([^"]+)"')


class PanelVisitor:
    """A browser without a screen. Raises RuntimeError for whatever is not the page."""

    def __init__(self, plane: Plane) -> None:
        self.trust = ssl.create_default_context(cafile=str(plane.ca))
        self.port = plane.api_port
        self._client = httpx.Client(base_url=plane.url, verify=self.trust, timeout=60)
        self._sign_in(plane.token)

    def __enter__(self) -> PanelVisitor:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._client.close()

    @property
    def cookie(self) -> str:
        """The cookie header that keeps the session."""
        return "; ".join(f"{name}={value}" for name, value in self._client.cookies.items())

    def ask(self, path: str) -> tuple[float, str]:
        """The seconds until a page was there, and its HTML."""
        started = time.perf_counter()
        answer = self._client.get(path)
        seconds = time.perf_counter() - started
        if answer.status_code != 200:
            raise RuntimeError(f"GET {path}: {answer.status_code} {answer.text[:300]!r}")
        return seconds, answer.text

    def _sign_in(self, token: str) -> None:
        _, page = self.ask("/sign-in")
        found = _CSRF.search(page)
        sent = {"token": token, "csrf": found[1] if found else ""}
        answer = self._client.post("/sign-in", data=sent, headers={"sec-fetch-site": "same-origin"})
        if answer.status_code != 303:
            raise RuntimeError(f"signing in: {answer.status_code}")
