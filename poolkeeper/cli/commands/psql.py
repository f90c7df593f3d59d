"""`poolkeeper psql`: psql on a cluster or through a pool, with all it needs to know."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from poolkeeper.cli.client import Api, open_api
from poolkeeper.cli.commands.databases import Cluster
from poolkeeper.cli.contexts import LOCAL, locate_folder, write_private
from poolkeeper.cli.errors import CommandFailed
from poolkeeper.cli.grammar import Command, make_command
from poolkeeper.cli.invocation import get as get_invocation
from poolkeeper.cli.lookup import find_cluster
from poolkeeper.settings import read_environment

SEPARATOR = "--"


class PsqlCommand(Command):
    """Everything after ``--`` is psql's own."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        cut = args.index(SEPARATOR) if SEPARATOR in args else len(args)
        ctx.meta[__name__] = args[cut + 1 :]
        return super().parse_args(ctx, args[:cut])

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        return [*super().collect_usage_pieces(ctx), "[-- PSQL ARGUMENTS]"]


app = make_command()


@dataclass(frozen=True)
class Target:
    """Where to connect, and as whom; an empty password makes psql ask."""

    host: str
    port: int
    database: str
    user: str
    password: str

    def to_conninfo(self, ca_file: Path) -> str:
        """A connection string without the password, which others could read in `ps`."""
        words = {
            "host": self.host,
            "port": str(self.port),
            "dbname": self.database,
            "user": self.user,
            "sslmode": "verify-full",
            "sslrootcert": str(ca_file),
        }
        return " ".join(f"{name}={_quote(value)}" for name, value in words.items())


@app.command(cls=PsqlCommand)
def psql(
    ctx: typer.Context,
    cluster: Cluster,
    pool: Annotated[
        str | None, typer.Argument(metavar="POOL", help="Pool to go through; none: direct.")
    ] = None,
    user: Annotated[
        str | None, typer.Option(metavar="NAME", help="User to log in as; inbound pools need it.")
    ] = None,
    db: Annotated[
        str | None, typer.Option(metavar="NAME", help="Database of a direct connection.")
    ] = None,
) -> None:
    """Open psql on a cluster, or through one of its pools.

    Arguments after -- go to psql: poolkeeper psql main main-pool -- -c 'SELECT 1'
    """
    program = _find_program()
    if pool and db:
        raise CommandFailed("--db is for direct connections: a pool has its own database")
    with open_api(get_invocation(ctx)) as api:
        found = find_cluster(api, cluster)
        target = _find_target(api, found, pool, user)
        ca_file = _find_ca(api, str(found["id"]))
    conninfo = replace(target, database=db or target.database).to_conninfo(ca_file)
    environment = dict(read_environment())
    if target.password:
        environment["PGPASSWORD"] = target.password
    os.execve(program, ["psql", conninfo, *ctx.meta[__name__]], environment)


def _find_program() -> str:
    program = shutil.which("psql")
    if program is None:
        raise CommandFailed("there is no psql here: install the package postgresql-client")
    return program


def _find_target(
    api: Api, cluster: Mapping[str, Any], pool: str | None, user: str | None
) -> Target:
    connection = cluster["connection"]
    if pool:
        connection = api.get("v2", "databases", cluster["id"], "pools", pool)["pool"]["connection"]
    login, password = connection["user"], connection["password"]
    if user and user != login:
        found = api.get("v2", "databases", cluster["id"], "users", user)["user"]
        login, password = user, found.get("password", "")
    if not login:
        raise CommandFailed(
            f"the pool {pool} has no user of its own: say with --user as whom to log in; "
            f"`poolkeeper databases user list {cluster['name']}` shows them"
        )
    return Target(
        connection["host"], connection["port"], connection["database"], login, password or ""
    )


def _find_ca(api: Api, cluster_id: str) -> Path:
    """The CA's file: the state folder's own, else a copy kept beside the contexts."""
    import base64

    if api.place.name == LOCAL and api.place.ca_file is not None:
        return api.place.ca_file
    ca = api.get("v2", "databases", cluster_id, "ca")["ca"]
    path = locate_folder(read_environment()) / "clusters" / f"{cluster_id}.pem"
    write_private(path, base64.b64decode(ca["certificate"]).decode())
    return path


def _quote(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
