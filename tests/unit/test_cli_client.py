"""What the command line makes of answers."""

from __future__ import annotations

import httpx
import pytest

from poolkeeper.cli.client import Api
from poolkeeper.cli.contexts import Place
from poolkeeper.cli.errors import ApiFailed

PLACE = Place("http://127.0.0.1:1", "t" * 64, None)


def test_what_is_no_poolkeeper_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    page = httpx.Response(200, text="<html>It works!</html>")
    with Api(PLACE) as api:
        monkeypatch.setattr(api._http, "_transport", httpx.MockTransport(lambda _request: page))
        with pytest.raises(ApiFailed, match=r"no Poolkeeper.*is the address right"):
            api.get("v2", "databases")
