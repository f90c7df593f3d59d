"""What happened: in one cluster, or in all and outside of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from starlette.responses import Response

from poolkeeper.domain.events import EventSearch
from poolkeeper.domain.tokens import READ
from poolkeeper.panel.event_groups import GROUPS
from poolkeeper.panel.routing import Pages
from poolkeeper.panel.standing import judge_standing
from poolkeeper.panel.visits import Visit
from poolkeeper.usecases.clusters import get_detail
from poolkeeper.usecases.events import MOST_SEARCHED, Found, list_event_clusters, search_events

ON_A_PAGE = 50

_LONGEST_SEARCH = 200
_MOST_DIGITS = 18

pages = Pages()


@dataclass(frozen=True)
class Search:
    """What the address asks for, as it stands in the form; ``before``: older ones than that."""

    text: str
    kind: str
    actor: str
    cluster: str
    before: int | None

    @property
    def is_wide(self) -> bool:
        """Nothing in particular is looked for."""
        return not (self.text or self.kind or self.actor or self.cluster)

    def link(self, before: int | None = None) -> str:
        """``?…`` for the same search, from its newest or older than an entry."""
        named = {"q": self.text, "kind": self.kind, "by": self.actor, "cluster": self.cluster}
        given = {name: text for name, text in named.items() if text}
        return "?" + urlencode(given | ({"before": str(before)} if before else {}))


@pages.get("/events", scope=READ)
def show_events(visit: Visit) -> Response:
    """The audit trail. ``?q=``, ``?kind=``, ``?by=``, ``?cluster=`` find; ``?before=`` turns."""
    search = _read_search(visit)
    found = _find(visit, search, _parse_cluster(search.cluster))
    clusters = sorted(list_event_clusters(visit.context).items(), key=lambda each: each[1])
    return visit.page("events.html", **_present(search, found), clusters=clusters)


@pages.get("/databases/{cluster_id}/events", scope=READ)
def show_cluster_events(visit: Visit) -> Response:
    """The audit trail of one cluster, found in and turned the same way."""
    detail = get_detail(visit.context, visit.cluster_id)
    search = _read_search(visit)
    found = _find(visit, search, detail.cluster.id)
    return visit.page(
        "cluster_events.html",
        **_present(search, found),
        cluster=detail.cluster,
        standing=judge_standing(detail),
    )


def _present(search: Search, found: Found) -> dict[str, Any]:
    return {
        "search": search,
        "found": found,
        "older": search.link(found.older) if found.older is not None else "",
        "newest": search.link() if search.before is not None else "",
        "groups": [(key, title) for key, (title, _) in GROUPS.items()],
        "most_searched": MOST_SEARCHED,
    }


def _read_search(visit: Visit) -> Search:
    """Whatever cannot be is as if it was not said."""
    kind, before = visit.query("kind"), visit.query("before")
    is_number = before.isascii() and before.isdigit() and len(before) <= _MOST_DIGITS
    return Search(
        text=visit.query("q").strip()[:_LONGEST_SEARCH],
        kind=kind if kind in GROUPS else "",
        actor=visit.query("by").strip()[:_LONGEST_SEARCH],
        cluster=visit.query("cluster"),
        before=int(before) if is_number else None,
    )


def _parse_cluster(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _find(visit: Visit, search: Search, cluster_id: UUID | None) -> Found:
    kinds = GROUPS[search.kind][1] if search.kind else frozenset()
    asked = EventSearch(kinds, search.actor, search.text, search.before)
    return search_events(visit.context, asked, cluster_id=cluster_id, limit=ON_A_PAGE)
