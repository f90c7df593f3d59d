"""Every kind of event has a type of DigitalOcean's, or none on purpose."""

from __future__ import annotations

from typing import get_args

import pytest

from poolkeeper.api.event_types import LEFT_OUT, ClusterEventType, name_type
from poolkeeper.domain.events import EventKind

TOLD_APART = {
    EventKind.CLUSTER_CREATE: "cluster_create",
    EventKind.CLUSTER_DELETE: "cluster_delete",
    EventKind.CLUSTER_MAINTENANCE_PERFORM: "cluster_maintenance_perform",
    EventKind.SERVER_STARTED: "cluster_poweron",
}


@pytest.mark.parametrize("kind", EventKind)
def test_every_kind_has_a_type_or_is_left_out(kind: EventKind) -> None:
    expected = None if kind in LEFT_OUT else TOLD_APART.get(kind, "cluster_update")
    assert name_type(kind) == expected
    assert expected is None or expected in get_args(ClusterEventType)


def test_nothing_that_changes_a_cluster_is_left_out() -> None:
    endings = (
        "_update",
        "_resize",
        "_reset_auth",
        "_assign",
        "_unassign",
        "_withdrawn",
        "_perform",
    )
    assert [kind for kind in LEFT_OUT if kind.endswith(endings)] == []
