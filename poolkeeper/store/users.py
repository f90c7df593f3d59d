"""Users of a cluster as they are wanted; their passwords and verifiers are sealed in the rows.

A deleted one stays as a tombstone, an order to drop it, until its cluster is removed or
a user of that name is wanted again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, delete, insert, select, update

from poolkeeper.domain.errors import NotFound
from poolkeeper.domain.users import Role, ShownUser, User
from poolkeeper.store.database import Transaction
from poolkeeper.store.schema import users


def list_users(tx: Transaction, cluster_id: UUID) -> list[User]:
    """The live ones, in the order in which they were created."""
    query = (
        select(users)
        .where(users.c.cluster_id == cluster_id, users.c.deleted.is_(False))
        .order_by(users.c.id)
    )
    return [_to_user(tx, row) for row in tx.connection.execute(query)]


def list_shown_users(
    tx: Transaction, cluster_ids: Collection[UUID], *, reveal: bool
) -> Mapping[UUID, Sequence[ShownUser]]:
    """As list_users, of many clusters at once; only what is looked at is unsealed.

    Without ``reveal`` all passwords are empty.
    """
    columns = [users.c.cluster_id, users.c.name, users.c.role, users.c.allow_replication]
    query = (
        select(*columns, *([users.c.password] if reveal else []))
        .where(users.c.cluster_id.in_(cluster_ids), users.c.deleted.is_(False))
        .order_by(users.c.id)
    )
    found: dict[UUID, list[ShownUser]] = defaultdict(list)
    for row in tx.connection.execute(query):
        password = _unseal_password(tx, row) if reveal else ""
        user = ShownUser(row.name, Role(row.role), password, row.allow_replication)
        found[row.cluster_id].append(user)
    return found


def list_user_names(tx: Transaction, cluster_id: UUID) -> list[str]:
    """As list_users, without unsealing what nobody looks at."""
    query = select(users.c.name).where(users.c.cluster_id == cluster_id, users.c.deleted.is_(False))
    return list(tx.connection.execute(query).scalars())


def list_all_users(tx: Transaction, cluster_id: UUID) -> list[User]:
    """The live ones and the tombstones."""
    query = select(users).where(users.c.cluster_id == cluster_id).order_by(users.c.id)
    return [_to_user(tx, row) for row in tx.connection.execute(query)]


def find_user(tx: Transaction, cluster_id: UUID, name: str) -> User | None:
    """The live user of that name."""
    query = select(users).where(*_is_live(cluster_id, name))
    row = tx.connection.execute(query).one_or_none()
    return None if row is None else _to_user(tx, row)


def put_user(tx: Transaction, cluster_id: UUID, user: User) -> None:
    """Want a user as given: a new one, a live one changed, or one whose tombstone is lifted."""
    row: dict[str, object] = {
        "role": user.role.value,
        "password": tx.sealer.seal(user.password, _password_purpose(cluster_id, user.name)),
        "verifier": tx.sealer.seal(user.verifier, _verifier_purpose(cluster_id, user.name)),
        "generation": user.generation,
        "allow_replication": user.allow_replication,
        "deleted": user.deleted,
    }
    change = update(users).where(*_is_live(cluster_id, user.name)).values(row)
    if tx.connection.execute(change).rowcount:
        return
    # Anew rather than revived: its place in the order of creation is a new one.
    forget_user(tx, cluster_id, user.name)
    row |= {"cluster_id": cluster_id, "name": user.name}
    tx.connection.execute(insert(users).values(row))


def mark_user_deleted(tx: Transaction, cluster_id: UUID, name: str, generation: int) -> None:
    """Want a user dropped, at this generation. NotFound if there is none."""
    change = update(users).where(*_is_live(cluster_id, name))
    if tx.connection.execute(change.values(deleted=True, generation=generation)).rowcount == 0:
        raise NotFound("not found")


def forget_user(tx: Transaction, cluster_id: UUID, name: str) -> None:
    """Neither want a user nor want it dropped: nothing is known of the name."""
    tx.connection.execute(
        delete(users).where(users.c.cluster_id == cluster_id, users.c.name == name)
    )


def _is_live(cluster_id: UUID, name: str) -> tuple[ColumnElement[bool], ...]:
    return users.c.cluster_id == cluster_id, users.c.name == name, users.c.deleted.is_(False)


def _password_purpose(cluster_id: UUID, name: str) -> str:
    return f"cluster {cluster_id} user {name} password"


def _verifier_purpose(cluster_id: UUID, name: str) -> str:
    return f"cluster {cluster_id} user {name} verifier"


def _unseal_password(tx: Transaction, row: Row[Any]) -> str:
    return tx.sealer.unseal(row.password, _password_purpose(row.cluster_id, row.name))


def _to_user(tx: Transaction, row: Row[Any]) -> User:
    return User(
        name=row.name,
        role=Role(row.role),
        password=_unseal_password(tx, row),
        verifier=tx.sealer.unseal(row.verifier, _verifier_purpose(row.cluster_id, row.name)),
        generation=row.generation,
        allow_replication=row.allow_replication,
        deleted=row.deleted,
    )
