"""The host as the reconciler sees it."""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import cast

import pytest

from poolkeeper.domain.errors import EngineError
from poolkeeper.reconcile.host import Host


def test_a_user_id_without_a_name_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """As containers have it that are run as any user at all."""
    monkeypatch.setattr(os, "geteuid", lambda: 4_242_424)
    read = cast(property, Host.server_account).fget
    assert read is not None
    with pytest.raises(EngineError, match="user id 4242424 has no name"):
        read(SimpleNamespace(processes=SimpleNamespace(account=None)))
