"""Links into the panel over ``/v1``."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import pytest

from poolkeeper.domain.errors import Unauthenticated
from poolkeeper.domain.tokens import READ
from poolkeeper.usecases.sessions import find_session, sign_in_by_link
from tests.api.front import Front


def test_any_token_makes_a_link_that_signs_in_as_itself(front: Front) -> None:
    response = front.client(READ).post("/v1/sign-in-links")
    assert response.status_code == 201
    link = response.json()["sign_in_link"]
    found = re.fullmatch(r"/sign-in\?link=([0-9a-f]{64})", link["path"])
    assert found
    session, value = sign_in_by_link(front.context, found[1])
    assert session.token.scopes == {READ}
    assert find_session(front.context, value).token == session.token
    lasts = datetime.fromisoformat(link["expires_at"]) - session.created_at
    assert timedelta(minutes=4) < lasts <= timedelta(minutes=5)
    with pytest.raises(Unauthenticated):
        sign_in_by_link(front.context, found[1])


def test_a_link_takes_a_token(front: Front) -> None:
    assert front.connect(None).post("/v1/sign-in-links").status_code == 401
