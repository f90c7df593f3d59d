"""Users of a cluster."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from uuid import UUID

from poolkeeper.domain.clusters import DEFAULT_USER
from poolkeeper.domain.errors import NotFound
from poolkeeper.domain.events import Event, EventKind
from poolkeeper.domain.names import parse_user_name
from poolkeeper.domain.users import Role, User, check_user_unused
from poolkeeper.store import clusters, events, pools, users
from poolkeeper.store.database import Transaction
from poolkeeper.usecases.attempts import Attempt
from poolkeeper.usecases.context import Context
from poolkeeper.usecases.convergence import Intent, await_in_force, await_online, require_cluster
from poolkeeper.usecases.credentials import new_user
from poolkeeper.usecases.repeats import commit_or_await, demand_repetition, note_creation


def list_users(context: Context, cluster_id: UUID) -> list[User]:
    """The cluster's users. Raises NotFound."""
    with context.store.read() as tx:
        require_cluster(tx, cluster_id)
        return users.list_users(tx, cluster_id)


def get_user(context: Context, cluster_id: UUID, name: str) -> User:
    """One user. Raises NotFound."""
    with context.store.read() as tx:
        require_cluster(tx, cluster_id)
        return _require_user(tx, cluster_id, name)


def create_user(
    context: Context,
    actor: str,
    cluster_id: UUID,
    name: str,
    *,
    allow_replication: bool = False,
    attempt: Attempt | None = None,
) -> User:
    """Create a user with a new password and return once it can log in.

    Raises NotFound, NotReady, InvalidRequest, Unavailable.
    """
    parse_user_name(name)
    await_online(context, cluster_id)

    def commit() -> tuple[User, int | None]:
        with context.store.write() as tx:
            require_cluster(tx, cluster_id)
            found = users.find_user(tx, cluster_id, name)
            if found is not None:
                demand_repetition(context, tx, attempt, _intent(cluster_id, found))
                return found, None
            generation = clusters.bump_generation(tx, cluster_id)
            created = new_user(
                context, name, Role.NORMAL, generation, allow_replication=allow_replication
            )
            users.put_user(tx, cluster_id, created)
            note_creation(context, tx, attempt, _intent(cluster_id, created))
            detail = {"pg_allow_replication": allow_replication}
            event = Event(EventKind.USER_CREATE, actor, name, cluster_id, detail)
            return created, events.add_event(tx, event)

    user, event_id = commit_or_await(context, commit)

    def withdraw(tx: Transaction) -> None:
        # Forgotten, not dropped: a role that was there before may own somebody's data.
        if users.find_user(tx, cluster_id, name) == user:
            users.forget_user(tx, cluster_id, name)
            clusters.bump_generation(tx, cluster_id)

    await_in_force(context, actor, _intent(cluster_id, user, event_id), withdraw)
    return user


def update_user(
    context: Context, actor: str, cluster_id: UUID, name: str, *, allow_replication: bool
) -> User:
    """Change a user's settings. Raises NotFound, NotReady, InvalidRequest, Unavailable."""
    detail = {"pg_allow_replication": allow_replication}
    return _replace_user(
        context,
        actor,
        cluster_id,
        lambda user: replace(user, allow_replication=allow_replication),
        Event(EventKind.USER_UPDATE, actor, name, cluster_id, detail),
    )


def reset_auth(context: Context, actor: str, cluster_id: UUID, name: str) -> User:
    """Give a user a new password. Clients that are connected stay connected.

    Raises NotFound, NotReady, InvalidRequest, Unavailable.
    """

    def renew(user: User) -> User:
        fresh = new_user(context, name, user.role, user.generation)
        return replace(user, password=fresh.password, verifier=fresh.verifier)

    event = Event(EventKind.USER_RESET_AUTH, actor, name, cluster_id)
    return _replace_user(context, actor, cluster_id, renew, event)


def delete_user(context: Context, actor: str, cluster_id: UUID, name: str) -> None:
    """Drop a user; what it owns goes to ``doadmin``.

    Raises NotFound, NotReady, InvalidRequest, Unavailable.
    """
    await_online(context, cluster_id)
    with context.turns.take(cluster_id, f"user:{name}", context.wait_seconds):
        with context.store.write() as tx:
            require_cluster(tx, cluster_id)
            user = _require_user(tx, cluster_id, name)
            check_user_unused(name, DEFAULT_USER, pools.list_pools(tx, cluster_id))
            generation = clusters.bump_generation(tx, cluster_id)
            users.mark_user_deleted(tx, cluster_id, name, generation)
            event_id = events.add_event(tx, Event(EventKind.USER_DELETE, actor, name, cluster_id))

        def withdraw(tx: Transaction) -> None:
            if users.find_user(tx, cluster_id, name) is None:
                restored = replace(user, generation=clusters.bump_generation(tx, cluster_id))
                users.put_user(tx, cluster_id, restored)

        intent = Intent(cluster_id, f"user:{name}", generation, event_id)
        await_in_force(context, actor, intent, withdraw)


def _replace_user(
    context: Context,
    actor: str,
    cluster_id: UUID,
    change: Callable[[User], User],
    event: Event,
) -> User:
    await_online(context, cluster_id)
    with context.turns.take(cluster_id, f"user:{event.subject}", context.wait_seconds):
        with context.store.write() as tx:
            require_cluster(tx, cluster_id)
            before = _require_user(tx, cluster_id, event.subject)
            after = replace(change(before), generation=clusters.bump_generation(tx, cluster_id))
            users.put_user(tx, cluster_id, after)
            if event.detail:
                settings = {"pg_allow_replication": before.allow_replication}
                event = replace(event, detail={**event.detail, "before": settings})
            event_id = events.add_event(tx, event)

        def withdraw(tx: Transaction) -> None:
            current = users.find_user(tx, cluster_id, event.subject)
            if current is not None and current.generation == after.generation:
                restored = replace(before, generation=clusters.bump_generation(tx, cluster_id))
                users.put_user(tx, cluster_id, restored)

        await_in_force(context, actor, _intent(cluster_id, after, event_id), withdraw)
        return after


def _require_user(tx: Transaction, cluster_id: UUID, name: str) -> User:
    user = users.find_user(tx, cluster_id, name)
    if user is None:
        raise NotFound("not found")
    return user


def _intent(cluster_id: UUID, user: User, event_id: int | None = None) -> Intent:
    return Intent(cluster_id, f"user:{user.name}", user.generation, event_id)
