"""Every entry of the audit trail is a sentence, however old it is, and can be looked for."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import pytest

from poolkeeper.domain.events import Event, EventKind, RecordedEvent
from poolkeeper.panel.event_groups import GROUPS
from poolkeeper.panel.event_sentences import tell

AT = datetime(2026, 11, 1, 10, tzinfo=UTC)
POOL = {"db": "defaultdb", "user": "doadmin", "mode": "transaction", "size": 5}


def word(kind: EventKind, subject: str, **detail: object) -> str:
    return tell(RecordedEvent(1, AT, Event(kind, "me", subject, None, detail), None)).text


@pytest.mark.parametrize("kind", EventKind)
def test_an_entry_that_says_nothing_more(kind: EventKind) -> None:
    sentence = word(kind, "web")
    assert "None" not in sentence and "{" not in sentence
    assert not sentence.rstrip().endswith((":", ","))


def test_every_kind_is_in_one_group() -> None:
    counts = Counter(kind for _, kinds in GROUPS.values() for kind in kinds)
    assert counts == Counter(EventKind)


@pytest.mark.parametrize(
    ("kind", "subject", "detail", "sentence"),
    [
        (
            EventKind.POOL_UPDATE,
            "web",
            {**POOL, "before": POOL | {"size": 8}},
            "Pool web: size 8 → 5",
        ),
        (
            EventKind.POOL_UPDATE,
            "web",
            {"size": 5, "user": "", "before": {"size": 5, "user": "app"}},
            "Pool web: user app → the connecting user",
        ),
        (EventKind.POOL_UPDATE, "web", {"size": 5}, "Pool web: size 5"),
        (
            EventKind.POOL_DELETE,
            "web",
            {"before": POOL},
            "Pool web: deleted, new logins are refused; it was in transaction mode, size 5,"
            " defaultdb as doadmin",
        ),
        (
            EventKind.CLUSTER_RESIZE,
            "main",
            {
                "from": "db-s-1vcpu-1gb",
                "to": "db-s-1vcpu-2gb",
                "storage_size_mib": 30720,
                "before": {"storage_size_mib": 10240},
            },
            "Cluster main: size db-s-1vcpu-1gb → db-s-1vcpu-2gb, storage 10 GiB → 30 GiB",
        ),
        (
            EventKind.CHANGE_WITHDRAWN,
            "pool:web",
            {"reason": "no space left"},
            "Change pool web: taken back: no space left",
        ),
        (
            EventKind.FIREWALL_UPDATE,
            "firewall",
            {"added": [], "removed": ["ip_addr:10.0.0.1"], "open_to": "everybody"},
            "Trusted sources: removed 10.0.0.1; open to whoever reaches the ports",
        ),
        (EventKind.CONFIG_UPDATE, "main", {"work_mem": "4 → 8"}, "Settings: work_mem 4 → 8"),
        (
            EventKind.CLUSTER_MAINTENANCE_PERFORM,
            "main",
            {
                "cause": "asked",
                "reasons": ["restart PostgreSQL to apply max_connections"],
                "paused_ms": 1250,
                "cut_sessions": 1,
                "cut_transactions": 0,
            },
            "PostgreSQL: restarted (restart PostgreSQL to apply max_connections),"
            " clients of pools waited 1.25 s, 1 session cut",
        ),
        (
            EventKind.SERVER_STARTED,
            "PgBouncer",
            {},
            "PgBouncer: was not running, and was started again",
        ),
        (
            EventKind.PANEL_SIGN_IN,
            "local",
            {"by": "link"},
            "Token local: signed in to the panel by a link",
        ),
    ],
)
def test_sentences(kind: EventKind, subject: str, detail: dict[str, object], sentence: str) -> None:
    assert word(kind, subject, **detail) == sentence
