"""What the domain knows, as the JSON of our own ``/v1``. Pure."""

from __future__ import annotations

from poolkeeper.api import own_shapes
from poolkeeper.api.moments import show_moment
from poolkeeper.domain.events import RecordedEvent
from poolkeeper.domain.plan import PoolPlan
from poolkeeper.domain.pools import Pool, split_size
from poolkeeper.domain.standing import ClusterDetail
from poolkeeper.domain.status import Phase, PoolClients, PoolLoad, ServerProcess, count_budget
from poolkeeper.domain.tokens import Token

POOLER = "pgbouncer"


def present_cluster_standing(detail: ClusterDetail) -> own_shapes.ClusterStanding:
    """A cluster, its pools and its processes."""
    cluster, state = detail.cluster, detail.state
    return {
        "id": str(cluster.id),
        "name": cluster.name,
        "phase": state.phase if state else Phase.CREATING,
        "reason": state.reason if state else "",
        "since": show_moment(state.since if state else cluster.created_at),
        "step": state.step if state else "",
        "generation": cluster.generation,
        "applied_generation": state.applied_generation if state else 0,
        "budget": _budget(detail),
        "processes": [_process(process) for process in detail.processes],
        "pools": [present_pool_standing(detail, pool) for pool in detail.pools],
    }


def present_pool_standing(detail: ClusterDetail, pool: Pool) -> own_shapes.PoolStanding:
    """A pool of the cluster. One that the reconciler has not seen yet is being applied."""
    state = detail.pool_states.get(pool.id)
    clients_active, clients_waiting, backends_active, backends_idle, maxwait = _counts(
        detail.loads.get(pool.name)
    )
    return {
        "name": pool.name,
        "db": pool.shape.db,
        "user": pool.shape.user or "",
        "mode": pool.shape.mode,
        "size": pool.shape.size,
        "phase": state.phase if state else Phase.APPLYING,
        "reason": state.reason if state else "",
        "since": show_moment(state.since if state else pool.created_at),
        "generation": pool.generation,
        "applied_generation": state.applied_generation if state else 0,
        "held": detail.held.get(pool.name, pool.shape.size),
        "shares": split_size(pool.shape.size, _count_poolers(detail)),
        "clients_active": clients_active,
        "clients_waiting": clients_waiting,
        "backends_active": backends_active,
        "backends_idle": backends_idle,
        "maxwait_seconds": maxwait,
    }


def present_pool_detail(detail: ClusterDetail, pool: Pool) -> own_shapes.PoolDetail:
    """A pool of the cluster, with its clients."""
    return {
        **present_pool_standing(detail, pool),
        "clients": _present_clients(detail.clients.get(pool.name)),
    }


def present_plan(plan: PoolPlan) -> own_shapes.Plan:
    """What a change would do."""
    return {
        "changes": [
            {
                "field": change.field,
                "from": change.before,
                "to": change.after,
                "effect": change.effect,
                "detail": change.detail,
            }
            for change in plan.changes
        ],
        "budget": {
            "total": plan.budget.total,
            "held_by_others": plan.budget.held_by_others,
            "asked": plan.budget.asked,
            "left": plan.budget.left,
        },
        "disconnects": plan.disconnects,
        "clients": plan.clients,
        "warnings": list(plan.warnings),
    }


def present_event(recorded: RecordedEvent) -> own_shapes.Event:
    """An entry of the audit trail."""
    event = recorded.event
    return {
        "id": recorded.id,
        "at": show_moment(recorded.at),
        "actor": event.actor,
        "kind": event.kind,
        "cluster_id": str(event.cluster_id) if event.cluster_id else None,
        "cluster_name": recorded.cluster_name,
        "subject": event.subject,
        "detail": dict(event.detail),
        "applied_ms": recorded.applied_ms,
    }


def present_token(token: Token) -> own_shapes.Token:
    """A token, without its value."""
    return {
        "id": token.id,
        "name": token.name,
        "scopes": sorted(token.scopes),
        "created_at": show_moment(token.created_at),
        "expires_at": show_moment(token.expires_at) if token.expires_at else None,
        "last_used_at": show_moment(token.last_used_at) if token.last_used_at else None,
    }


def _present_clients(clients: PoolClients | None) -> own_shapes.PoolClients:
    if clients is None:
        return {"seen_at": None, "applications": [], "others": 0}
    return {
        "seen_at": show_moment(clients.seen_at),
        "applications": [
            {
                "application": each.application,
                "active": each.active,
                "waiting": each.waiting,
                "idle": each.idle,
                "maxwait_seconds": each.maxwait_seconds,
            }
            for each in clients.applications
        ],
        "others": clients.others,
    }


def _budget(detail: ClusterDetail) -> own_shapes.Budget:
    total, held = count_budget(detail.cluster, detail.state), sum(detail.held.values())
    return {"total": total, "held": held, "free": max(total - held, 0)}


def _count_poolers(detail: ClusterDetail) -> int:
    return max([process.kind for process in detail.processes].count(POOLER), 1)


def _process(process: ServerProcess) -> own_shapes.Process:
    return {
        "kind": process.kind,
        "index": process.index,
        "pid": process.pid,
        "version": process.version,
        "port": process.port,
        "started_at": show_moment(process.started_at),
    }


def _counts(
    load: PoolLoad | None,
) -> tuple[int | None, int | None, int | None, int | None, float | None]:
    if load is None:
        return None, None, None, None, None
    return (
        load.clients_active,
        load.clients_waiting,
        load.backends_active,
        load.backends_idle,
        load.maxwait_seconds,
    )
