"""The API over HTTP: one connection, our own CA, and errors that say what to do."""

from __future__ import annotations

import re
import ssl
import sys
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

import httpx

from poolkeeper import __version__
from poolkeeper.cli.contexts import LOCAL, Place, find_place, is_loopback
from poolkeeper.cli.errors import ApiFailed, CommandFailed
from poolkeeper.cli.invocation import Invocation
from poolkeeper.settings import read_environment

# The API answers when a change is in force: at the longest `request_wait_seconds` later.
ANSWER_SECONDS = 310.0
CONNECT_SECONDS = 5.0

# What a 404 is about: the thing, and the command that lists such things.
_NOUNS = {
    "databases": ("cluster", "databases list"),
    "clusters": ("cluster", "clusters list"),
    "pools": ("pool", "databases pool list CLUSTER"),
    "users": ("user", "databases user list CLUSTER"),
    "dbs": ("database", "databases db list CLUSTER"),
    "tokens": ("token", "tokens list"),
}


class Api(AbstractContextManager["Api"]):
    """Calls of one API. A path is given as its parts, which are escaped here."""

    def __init__(self, place: Place, *, trace: bool = False) -> None:
        self.place = place
        self._trace = trace
        headers = {"User-Agent": f"poolkeeper/{__version__}", "Accept": "application/json"}
        if place.token:
            headers["Authorization"] = f"Bearer {place.token}"
        base = httpx.URL(place.api)
        self._http = httpx.Client(
            base_url=base,
            headers=headers,
            verify=trust(place.ca_file) if base.scheme == "https" else False,
            timeout=httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS),
            # A proxy is for other machines; one for this machine would only be in the way.
            trust_env=not is_loopback(base.host),
        )

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def get(self, *path: str, **query: str | int | None) -> Any:
        return self.call("GET", path, query=query)

    def post(self, *path: str, body: Mapping[str, Any]) -> Any:
        return self.call("POST", path, body=body)

    def put(self, *path: str, body: Mapping[str, Any]) -> Any:
        return self.call("PUT", path, body=body)

    def delete(self, *path: str) -> None:
        self.call("DELETE", path)

    def call(
        self,
        method: str,
        path: tuple[str, ...],
        *,
        query: Mapping[str, str | int | None] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> Any:
        """The JSON of the answer, None if it has no body; raises ApiFailed."""
        from urllib.parse import quote

        target = "/" + "/".join(quote(part, safe="") for part in path)
        params = {name: value for name, value in (query or {}).items() if value is not None}
        began = time.monotonic()
        try:
            answer = self._http.request(method, target, params=params, json=body)
        except httpx.HTTPError as wrong:
            raise ApiFailed(0, _explain(wrong, self.place)) from None
        if self._trace:
            took = (time.monotonic() - began) * 1000
            request_id = answer.headers.get("x-request-id", "-")
            line = f"{method} {answer.url} {answer.status_code} {took:.0f} ms request {request_id}"
            print(line, file=sys.stderr)
        if answer.is_success:
            return _read_json(answer, self.place) if answer.content else None
        raise ApiFailed(answer.status_code, _describe(answer, self.place, path))


def open_api(invocation: Invocation) -> Api:
    """The API that flags, environment and contexts lead to."""
    return Api(find_place(invocation, read_environment()), trace=invocation.trace)


def trust(ca_file: Path | None) -> ssl.SSLContext:
    """Trusts what is in the file and nothing else; the system's certificates without one.

    A certificate that a person accepted by its fingerprint may be the server's own
    instead of a CA's, hence the partial chain.
    """
    if ca_file is None:
        return ssl.create_default_context()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        context.load_verify_locations(ca_file)
    except OSError as wrong:
        raise CommandFailed(
            f"cannot read the certificate in {ca_file}: {wrong.strerror or wrong}; "
            "give the API's CA with --ca-file"
        ) from None
    return context


def _explain(wrong: httpx.HTTPError, place: Place) -> str:
    text = re.sub(r"^\[Errno -?\d+\] ", "", str(wrong)) or type(wrong).__name__
    if "CERTIFICATE_VERIFY_FAILED" in text:
        reason = text.partition("certificate verify failed: ")[2].rpartition(" (")[0] or text
        source = place.ca_file or "the system's certificates"
        verb = "vouches" if place.ca_file else "vouch"
        return (
            f"the server at {place.api} is not the one that {source} {verb} for: {reason}; "
            "give its CA with --ca-file, or log in anew with `poolkeeper auth init`"
        )
    if isinstance(wrong, httpx.TimeoutException):
        return f"{place.api} does not answer in time; look with `poolkeeper status` on its machine"
    advice = "start it with `poolkeeper up`" if place.name == LOCAL else "is the address right?"
    return f"cannot reach {place.api}: {text}; {advice}"


def _read_json(answer: httpx.Response, place: Place) -> Any:
    try:
        return answer.json()
    except ValueError:
        message = f"what answers at {place.api} is no Poolkeeper: it does not speak JSON"
        raise ApiFailed(answer.status_code, f"{message}; is the address right?") from None


def _describe(answer: httpx.Response, place: Place, path: tuple[str, ...]) -> str:
    """What the API said, and what a person can make of it."""
    status = answer.status_code
    try:
        problem = answer.json()
        message = str(problem["message"])
        message += f": {problem['detail']}" if "detail" in problem else ""
    except (ValueError, KeyError, TypeError):
        message = f"{answer.reason_phrase or 'unknown error'} at {answer.url}"
    if status == 401:
        message += f" {place.api} does not accept {place.token_origin};"
        message += " log in with `poolkeeper auth init`"
    if status == 404:
        message = _name_missing(path, message)
    request_id = answer.headers.get("x-request-id")
    if status >= 500 and request_id:
        return f"{message} ({status}, request {request_id}); see `poolkeeper logs` on its machine"
    return f"{message} ({status})"


def _name_missing(path: tuple[str, ...], message: str) -> str:
    """What was not there: the cluster if the API says so, else what the path names last."""
    for collection, name in reversed(list(pairwise(path))):
        noun, command = _NOUNS.get(collection, ("", ""))
        if noun and (noun == "cluster" or not message.startswith("cluster")):
            return f"there is no {noun} {name!r}; see `poolkeeper {command}`"
    return message
