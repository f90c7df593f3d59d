"""What our own ``/v1`` answers with; see ``shapes``."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field
from typing_extensions import TypedDict

from poolkeeper.domain.events import EventKind
from poolkeeper.domain.plan import Effect
from poolkeeper.domain.pools import PoolMode
from poolkeeper.domain.status import Phase

Moment = Annotated[str, Field(json_schema_extra={"format": "date-time"})]


class Health(TypedDict):
    status: Literal["ok"]
    version: str
    started_at: Moment


class Budget(TypedDict):
    """Backend connections: all there are, those that pools may have open now, the rest."""

    total: int
    held: int
    free: int


class Process(TypedDict):
    kind: str
    index: int
    pid: int
    version: str
    port: int
    started_at: Moment


class PoolStanding(TypedDict):
    """A pool and where it stands: what is wanted is in force once `applied_generation` has
    reached `generation`. The counts are null while the pooler has not been asked yet."""

    name: str
    db: str
    user: str
    mode: PoolMode
    size: int
    phase: Phase
    reason: str
    since: Moment
    generation: int
    applied_generation: int
    held: Annotated[int, Field(description="most backend connections it may have open now")]
    shares: Annotated[list[int], Field(description="the size, over the pooler's processes")]
    clients_active: int | None
    clients_waiting: int | None
    backends_active: int | None
    backends_idle: int | None
    maxwait_seconds: float | None


class ApplicationClients(TypedDict):
    """Clients with the same `application_name`, which is empty if they gave none."""

    application: str
    active: Annotated[int, Field(description="they have a backend")]
    waiting: Annotated[int, Field(description="they want a backend, and none is free")]
    idle: Annotated[int, Field(description="they ask for nothing")]
    maxwait_seconds: float


class PoolClients(TypedDict):
    """Who the clients were at that moment: the applications with most of them, and how many
    clients others have."""

    seen_at: Moment | None
    applications: list[ApplicationClients]
    others: int


class PoolDetail(PoolStanding):
    """A pool, where it stands, and who its clients are, which is looked at every few seconds."""

    clients: PoolClients


class ClusterStanding(TypedDict):
    """A cluster and where it stands; `step` is what its creation is at."""

    id: Annotated[str, Field(json_schema_extra={"format": "uuid"})]
    name: str
    phase: Phase
    reason: str
    since: Moment
    step: str
    generation: int
    applied_generation: int
    budget: Budget
    processes: list[Process]
    pools: list[PoolStanding]


Change = TypedDict(
    "Change",
    {
        "field": str,
        "from": str,
        "to": str,
        "effect": Effect,
        "detail": str,
    },
)


class PlannedBudget(TypedDict):
    total: int
    held_by_others: int
    asked: int
    left: int


class Plan(TypedDict):
    """What a change would do. `disconnects` is how many clients it cuts by itself: none.
    `warnings` say who may be cut later, `clients` how many are connected now (null: not seen)."""

    changes: list[Change]
    budget: PlannedBudget
    disconnects: int
    clients: int | None
    warnings: list[str]


class Event(TypedDict):
    id: int
    at: Moment
    actor: str
    kind: EventKind
    cluster_id: str | None
    cluster_name: str | None
    subject: str
    detail: dict[str, Any]
    applied_ms: Annotated[
        int | None,
        Field(
            description="milliseconds from the change until it was in force; null if nobody"
            " waited for that, or it was not"
        ),
    ]


class Token(TypedDict):
    id: str
    name: str
    scopes: list[str]
    created_at: Moment
    expires_at: Moment | None
    last_used_at: Moment | None


class NewToken(Token):
    value: Annotated[str, Field(description="the token itself, shown this once")]


class SignInLink(TypedDict):
    """`path` goes below the address of this API, in a browser; it works once."""

    path: str
    expires_at: Moment


class SignInLinkAnswer(TypedDict):
    sign_in_link: SignInLink


class ClusterStandingAnswer(TypedDict):
    cluster: ClusterStanding


class ClusterStandingList(TypedDict):
    clusters: list[ClusterStanding]


class PoolStandingAnswer(TypedDict):
    pool: PoolDetail


class PlanAnswer(TypedDict):
    plan: Plan


class EventList(TypedDict):
    events: list[Event]


class NewTokenAnswer(TypedDict):
    token: NewToken


class TokenList(TypedDict):
    tokens: list[Token]
