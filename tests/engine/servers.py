"""A PostgreSQL of one's own, made by the engine as the reconciler makes it."""

from __future__ import annotations

import os
import pwd
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import psycopg

from poolkeeper.domain.clusters import Cluster, Ports
from poolkeeper.domain.scram import SALT_BYTES, make_verifier
from poolkeeper.domain.sizes import parse_size
from poolkeeper.domain.users import Role, User
from poolkeeper.engine import host, layout
from poolkeeper.engine.certificates import Authority, ensure_leaf
from poolkeeper.engine.files import write_if_changed
from poolkeeper.engine.postgres import databases, render, roles, server
from poolkeeper.engine.postgres.binaries import Installation
from poolkeeper.engine.postgres.connections import Connection
from poolkeeper.engine.postgres.hba import render_hba
from poolkeeper.engine.proc import ProcessFacts
from poolkeeper.engine.processes import Processes

ODD_USER = "Reporting-User.1"
QUOTED_USER = "o'b\"; DROP ROLE doadmin; --"


def make_user(name: str, role: Role = Role.NORMAL, **more: bool) -> User:
    """A user whose password is ``secret-`` and its name's length: easy to look for in a log."""
    password = f"secret-{len(name)}-{role}"
    verifier = make_verifier(password, secrets.token_bytes(SALT_BYTES))
    return User(name, role, password, verifier, 1, **more)


def ask(connection: psycopg.Connection, question: str, *parameters: object) -> object:
    """The one value that a query returns."""
    row = connection.execute(question, parameters).fetchone()  # type: ignore[arg-type]
    return row and row[0]


@dataclass
class Postgres:
    """One cluster's server; its files stand where the layout says, in ``state``."""

    state: Path
    installation: Installation
    processes: Processes
    authority: Authority
    port: int
    users: Sequence[User] = field(
        default_factory=lambda: [
            make_user("doadmin", Role.PRIMARY),
            make_user("app"),
            make_user(ODD_USER),
            make_user(QUOTED_USER),
        ]
    )

    def __post_init__(self) -> None:
        size = parse_size("db-s-1vcpu-1gb")
        self.cluster = Cluster(
            uuid4(), "main", self.installation.major, size, "nyc1", Ports(self.port),
            size.storage_mib, (), "", "", datetime.now(UTC), 1,
        )  # fmt: skip
        self.password = secrets.token_hex(16)
        self.paths = layout.ClusterPaths.of(self.state, self.cluster.id, self.cluster.ports)

    @property
    def system_account(self) -> str:
        account = self.processes.account
        return account.name if account else pwd.getpwuid(os.geteuid()).pw_name

    def prepare(self) -> None:
        """Folders, certificate and configuration; all but the data directory."""
        owner = self.processes.account
        paths = self.paths
        layout.make_state_folders(self.state, owner)
        layout.make_cluster_folders(paths, owner)
        ensure_leaf(
            self.authority,
            certificate=paths.certificate,
            key=paths.key,
            names=["localhost", "127.0.0.1"],
            owner=owner,
            now=datetime.now(UTC),
        )
        conf = render.render_conf(
            paths,
            self.cluster,
            "127.0.0.1",
            host_memory=host.memory_bytes(),
            cpus=host.cpu_count(),
            major=int(self.installation.major),
        )
        ident = render.render_ident(self.system_account, [user.name for user in self.users])
        write_if_changed(paths.postgres_conf, conf, owner=owner)
        write_if_changed(paths.postgres_hba, render_hba(None), owner=owner)
        write_if_changed(paths.postgres_ident, ident, owner=owner)

    def initialise(self) -> None:
        self.prepare()
        server.initialise(self.paths, self.installation, self.processes, self.password)
        # No test cuts the power, so none has to wait for the disk.
        with (self.paths.data / "postgresql.auto.conf").open("a") as own:
            own.write("fsync = off\n")

    def start(self) -> ProcessFacts:
        """Start it and wait until it accepts."""
        facts = server.start(self.paths, self.installation, self.processes)
        server.wait_until_accepting(self.paths, self.port, facts, timeout=60)
        return facts

    def apply(self) -> list[str]:
        """Roles, ``defaultdb`` and the extension; returns the roles that changed."""
        with self.superuser() as connection:
            changed = roles.apply_roles(connection, self.users)
            databases.ensure_database(connection, "defaultdb")
        with self.superuser("defaultdb") as connection:
            databases.ensure_statistics(connection)
        return changed

    def superuser(self, dbname: str = "postgres") -> Connection:
        return server.connect(self.paths, self.port, self.password, dbname)

    def login(self, name: str, dbname: str = "defaultdb", **more: str) -> psycopg.Connection:
        """A client's connection over TCP, with everything verified."""
        user = next((user for user in self.users if user.name == name), make_user(name))
        options = {
            "host": "localhost",
            "password": user.password,
            "sslmode": "verify-full",
            "sslrootcert": str(self.authority.certificate_path),
            **more,
        }
        return psycopg.connect(
            port=self.port, user=name, dbname=dbname, autocommit=True, connect_timeout=60, **options
        )

    def peer(self, name: str, dbname: str = "defaultdb") -> psycopg.Connection:
        """A connection over the Unix socket without a password, as PgBouncer makes them.

        Root has to become the account for the moment that peer authentication looks.
        """
        account = self.processes.account
        if account:
            os.setegid(account.gid)
            os.seteuid(account.uid)
        try:
            return psycopg.connect(
                host=str(self.paths.run), port=self.port, user=name, dbname=dbname, autocommit=True
            )
        finally:
            if account:
                os.seteuid(0)
                os.setegid(0)

    def read_logs(self) -> str:
        return "\n".join(path.read_text() for path in self.paths.log.iterdir())

    def destroy(self) -> None:
        server.stop(self.paths, timeout=60, mode="immediate")
        self.processes.reap()
