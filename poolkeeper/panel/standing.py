"""How a cluster stands, in a word, a colour and reasons; and who holds its connections."""

from __future__ import annotations

from dataclasses import dataclass

from poolkeeper.domain.standing import ClusterDetail, ClusterSummary
from poolkeeper.domain.status import ClusterState, Phase, count_budget

# In the order in which a creation comes by them: what the reconciler calls each, and what it is.
CREATION_STEPS = (
    ("preparing files", "Prepare files and certificates"),
    ("initialising the data directory", "Initialise PostgreSQL's data directory"),
    ("starting PostgreSQL", "Start PostgreSQL"),
    ("reloading PostgreSQL", "Create users and databases"),
    ("starting PgBouncer", "Start PgBouncer"),
)

_MOST_REASONS = 12

_WORDS = {
    Phase.CREATING: ("Creating", "busy"),
    Phase.ACTIVE: ("Online", "good"),
    Phase.APPLYING: ("Applying", "busy"),
    Phase.DRAINING: ("Draining", "busy"),
    Phase.WAITING: ("Trouble", "warn"),
    Phase.PARKED: ("Down", "bad"),
    Phase.FAILED: ("Failed", "bad"),
    Phase.DELETING: ("Deleting", "busy"),
    Phase.DELETED: ("Deleted", "idle"),
}


@dataclass(frozen=True)
class Step:
    """One step of a creation: ``done``, ``now`` or ``next``."""

    title: str
    state: str


@dataclass(frozen=True)
class Share:
    """Backend connections that one pool may hold."""

    pool: str
    held: int


@dataclass(frozen=True)
class Standing:
    """``tone``: ``good``, ``busy``, ``warn``, ``bad`` or ``idle``. ``used``: backends open now.
    ``shares``: the largest first."""

    word: str
    tone: str
    reasons: tuple[str, ...]
    is_creating: bool
    steps: tuple[Step, ...]
    budget: int
    held: int
    used: int
    shares: tuple[Share, ...]

    @property
    def free(self) -> int:
        """Backend connections that no pool holds yet."""
        return max(self.budget - self.held, 0)


def word_phase(phase: Phase) -> tuple[str, str]:
    """A phase's word and tone."""
    return _WORDS[phase]


def judge_standing(detail: ClusterDetail) -> Standing:
    """A cluster's standing, for people."""
    state = detail.state
    word, tone = word_phase(state.phase if state else Phase.CREATING)
    is_creating = state is None or not state.was_online
    by_size = sorted(detail.held.items(), key=lambda each: (-each[1], each[0]))
    shares = tuple(Share(pool, held) for pool, held in by_size)
    return Standing(
        word=word,
        tone=tone,
        reasons=_list_reasons(detail, is_creating),
        is_creating=is_creating,
        steps=_list_steps(state) if is_creating else (),
        budget=count_budget(detail.cluster, state),
        held=sum(share.held for share in shares),
        used=sum(load.backends for load in detail.loads.values()),
        shares=shares,
    )


def judge_summary(summary: ClusterSummary) -> Standing:
    """The same of a cluster in a list, which has no room for reasons and shares."""
    state = summary.state
    word, tone = word_phase(state.phase if state else Phase.CREATING)
    is_creating = state is None or not state.was_online
    return Standing(
        word=word,
        tone=tone,
        reasons=(),
        is_creating=is_creating,
        steps=_list_steps(state) if is_creating else (),
        budget=count_budget(summary.cluster, state),
        held=summary.held,
        used=sum(load.backends for load in summary.loads.values()),
        shares=(),
    )


def _list_reasons(detail: ClusterDetail, is_creating: bool) -> tuple[str, ...]:
    state = detail.state
    reasons = []
    if state is not None and state.reason and not (is_creating and state.reason == state.step):
        reasons.append(state.reason)
    for pool in detail.pools:
        found = detail.pool_states.get(pool.id)
        if found is not None and found.phase is not Phase.ACTIVE and found.reason:
            reasons.append(f"Pool {pool.name}: {found.reason}")
    if len(reasons) > _MOST_REASONS:
        more = len(reasons) - _MOST_REASONS
        reasons[_MOST_REASONS:] = [f"And {more} more: find them among the pools by their status."]
    return tuple(reasons)


def _list_steps(state: ClusterState | None) -> tuple[Step, ...]:
    names = [name for name, _ in CREATION_STEPS]
    current = state.step if state else ""
    position = names.index(current) if current in names else 0
    return tuple(
        Step(title, "done" if index < position else "now" if index == position else "next")
        for index, (_, title) in enumerate(CREATION_STEPS)
    )
