"""The roles of a cluster, by SQL that may be repeated; psycopg's errors pass through.

PostgreSQL gets SCRAM verifiers, never passwords: a statement may end in the server's log.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import LiteralString

from psycopg import sql

from poolkeeper.domain.clusters import DEFAULT_USER
from poolkeeper.domain.users import Role, User
from poolkeeper.engine.postgres.backends import end_user_sessions
from poolkeeper.engine.postgres.connections import MAINTENANCE_DATABASE, Connection

# What the primary user may see and do beyond its own, and pass on to others.
_PRIMARY_MEMBERSHIPS = frozenset({"pg_monitor", "pg_read_all_stats", "pg_signal_backend"})

# Members of these may run programs and reach files as the server's account.
_HOST_ROLES = ("pg_execute_server_program", "pg_read_server_files", "pg_write_server_files")

# From this version on, CREATEROLE grants only roles that its holder administers.
_BOUNDED_CREATEROLE = 160000

_READ_ROLES = """
SELECT r.rolname, r.rolpassword,
       r.rolcanlogin, r.rolsuper, r.rolcreatedb, r.rolcreaterole, r.rolreplication,
       array(SELECT g.rolname::text
               FROM pg_catalog.pg_auth_members AS m
               JOIN pg_catalog.pg_authid AS g ON g.oid = m.roleid
              WHERE m.member = r.oid AND m.admin_option)
  FROM pg_catalog.pg_authid AS r
"""
# What keeps a role from being dropped stands in pg_shdepend, for all databases; what all of them
# share is found from any.
_DATABASES_OF = """
SELECT d.datname
  FROM pg_catalog.pg_database AS d
 WHERE d.datallowconn
   AND (d.datname = pg_catalog.current_database()
        OR EXISTS (SELECT FROM pg_catalog.pg_shdepend AS s
                     JOIN pg_catalog.pg_roles AS r ON r.oid = s.refobjid
                    WHERE s.dbid = d.oid AND r.rolname = %s
                      AND s.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass))
"""
_ATTRIBUTES = ("LOGIN", "SUPERUSER", "CREATEDB", "CREATEROLE", "REPLICATION")


@dataclass(frozen=True)
class RoleFacts:
    """A role as observed.

    ``attributes``: words of CREATE ROLE, such as LOGIN, that hold for it. ``administers``:
    roles that it is a member of WITH ADMIN OPTION.
    """

    name: str
    verifier: str | None
    attributes: frozenset[str]
    administers: frozenset[str]


def list_roles(connection: Connection) -> dict[str, RoleFacts]:
    """All roles by name, PostgreSQL's own included."""
    found = {}
    for name, verifier, *flags, administers in connection.execute(_READ_ROLES):
        attributes = (word for word, holds in zip(_ATTRIBUTES, flags, strict=True) if holds)
        found[name] = RoleFacts(name, verifier, frozenset(attributes), frozenset(administers))
    return found


def apply_roles(connection: Connection, users: Sequence[User]) -> list[str]:
    """Make these users' roles as they are wanted; return the names of those that changed.

    Touches what differs and nothing else: what people granted to a role stays. Users that are
    to be deleted are passed over (see drop_user). The primary user must be among them, or
    have been so before.

    The primary user is no superuser. It may create roles and databases, replicate (so that
    it can make replication slots, as DigitalOcean's can), see what everyone does, and
    administer every other user: PostgreSQL 16 and newer asks for ADMIN OPTION for that.
    """
    observed = list_roles(connection)
    wanted = sorted(
        (user for user in users if not user.deleted), key=lambda user: user.role != Role.PRIMARY
    )
    changed = []
    _guard_host_roles(connection, observed)
    for user in wanted:
        role_changed = _apply_role(connection, user, observed.get(user.name))
        if _apply_memberships(connection, user, observed) or role_changed:
            changed.append(user.name)
    return changed


def may_connect(connection: Connection, user: str, database: str) -> bool:
    """Whether the user has the right to connect to the database; False if either is missing."""
    row = connection.execute(
        "SELECT pg_catalog.has_database_privilege(r.oid, d.oid, 'CONNECT')"
        "  FROM pg_catalog.pg_roles AS r, pg_catalog.pg_database AS d"
        " WHERE r.rolname = %s AND d.datname = %s",
        (user, database),
    ).fetchone()
    return bool(row and row[0])


def drop_user(connect: Callable[[str], Connection], name: str) -> None:
    """Drop a role, end its sessions, and leave what it owns to the primary user.

    ``connect`` opens a superuser's connection to the database of that name. Fine if the role
    is gone already; may be stopped anywhere and called again. Raises ProcessFailed if a session
    does not end, and what ``connect`` raises.
    """
    if name == DEFAULT_USER:
        raise ValueError(f"{name} belongs to every cluster")
    role = sql.Identifier(name)
    with connect(MAINTENANCE_DATABASE) as connection:
        if name not in list_roles(connection):
            return
        _execute(connection, "ALTER ROLE {} NOLOGIN", role)
        end_user_sessions(connection, name)
        for (database,) in connection.execute(_DATABASES_OF, (name,)).fetchall():
            with connect(database) as inside:
                # REASSIGN moves what it owns, so DROP OWNED finds only its privileges.
                _execute(inside, "REASSIGN OWNED BY {} TO {}", role, sql.Identifier(DEFAULT_USER))
                _execute(inside, "DROP OWNED BY {}", role)
        _execute(connection, "DROP ROLE IF EXISTS {}", role)


def _apply_role(connection: Connection, user: User, found: RoleFacts | None) -> bool:
    """Create the role, or alter what differs; True if anything did."""
    words = [
        word if wanted else f"NO{word}"
        for word, wanted in _choose_attributes(user).items()
        if found is None or wanted != (word in found.attributes)
    ]
    clauses: list[sql.Composable] = [sql.SQL(word) for word in words]
    if found is None or found.verifier != user.verifier:
        # PostgreSQL stores a verifier as it is ("CREATE ROLE", PASSWORD).
        clauses.append(sql.SQL("PASSWORD {}").format(sql.Literal(user.verifier)))
    if found is not None and not clauses:
        return False
    verb = "CREATE ROLE" if found is None else "ALTER ROLE"
    _execute(connection, verb + " {} {}", sql.Identifier(user.name), sql.SQL(" ").join(clauses))
    return True


def _choose_attributes(user: User) -> dict[str, bool]:
    """What must hold or not hold for a role; of other attributes, people decide."""
    if user.role == Role.PRIMARY:
        granted = dict.fromkeys(("LOGIN", "CREATEDB", "CREATEROLE", "REPLICATION"), True)
        return {**granted, "SUPERUSER": False}
    return {"LOGIN": True, "REPLICATION": user.allow_replication}


def _apply_memberships(connection: Connection, user: User, observed: dict[str, RoleFacts]) -> bool:
    """Let the primary user have its memberships, or administer this user; True if it is new."""
    primary = observed.get(DEFAULT_USER)
    administers = primary.administers if primary else frozenset()
    if user.role == Role.PRIMARY:
        missing = _PRIMARY_MEMBERSHIPS - administers
    else:
        missing = frozenset({user.name}) - administers
        # Somebody granted the primary user to this one: the other way would be a circle.
        if user.name in observed and _is_member(connection, user.name, DEFAULT_USER):
            return False
    for role in sorted(missing):
        _execute(
            connection,
            "GRANT {} TO {} WITH ADMIN OPTION",
            sql.Identifier(role),
            sql.Identifier(DEFAULT_USER),
        )
    return bool(missing)


def _is_member(connection: Connection, member: str, role: str) -> bool:
    row = connection.execute(
        "SELECT pg_catalog.pg_has_role(%s::name, %s::name, 'MEMBER')", (member, role)
    ).fetchone()
    return bool(row and row[0])


def _guard_host_roles(connection: Connection, observed: dict[str, RoleFacts]) -> None:
    """Keep the primary user from becoming the server's account, up to PostgreSQL 15.

    There, CREATEROLE may grant any role that is not a superuser, and so give its holder
    COPY … PROGRAM. These roles cannot log in, and membership does not hand on SUPERUSER; the
    flag, which only a direct update can set on them, leaves granting them to superusers.
    """
    if connection.info.server_version >= _BOUNDED_CREATEROLE:
        return
    if any("SUPERUSER" not in observed[role].attributes for role in _HOST_ROLES):
        connection.execute(
            "UPDATE pg_catalog.pg_authid SET rolsuper = true WHERE rolname = ANY(%s)",
            (list(_HOST_ROLES),),
        )


def _execute(connection: Connection, statement: LiteralString, *parts: sql.Composable) -> None:
    connection.execute(sql.SQL(statement).format(*parts))
