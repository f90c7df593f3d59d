"""What a person is told once Poolkeeper runs: how to connect, and where things are."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TextIO

from poolkeeper.cli.output import print_facts

if TYPE_CHECKING:
    from poolkeeper.control_plane.serve import Summary

_LINK = re.compile(r"/sign-in\?link=[0-9a-f]+")
_PASSWORD = re.compile(r"(://[^:/@\s]*):[^@\s]+@")


@dataclass(frozen=True)
class StartSummary:
    """The facts, as plain text, so that they can travel through a pipe."""

    api: str
    token_file: str
    ca_file: str
    pid: int
    cluster: str | None = None
    pool_uri: str | None = None
    direct_uri: str | None = None
    psql: str | None = None
    panel: str | None = None

    @classmethod
    def of(cls, summary: Summary) -> StartSummary:
        """From what the control plane of this very process tells."""
        first = summary.first_cluster
        bare = cls(
            summary.api,
            str(summary.token_file),
            str(summary.ca_file),
            os.getpid(),
            panel=summary.panel,
        )
        if first is None:
            return bare
        return replace(
            bare,
            cluster=first.name,
            pool_uri=first.pool_uri,
            direct_uri=first.direct_uri,
            psql=first.psql,
        )


def format_summary(summary: StartSummary, *, first_start: bool, detached: bool) -> str:
    """All facts at the first start with what to do next; the bare facts later."""
    out = io.StringIO()
    print(f"Poolkeeper runs (process {summary.pid}).", file=out)
    if first_start:
        print(file=out)
    facts: list[tuple[str, object]] = []
    if summary.cluster:
        facts += [("Pool", summary.pool_uri), ("Direct", summary.direct_uri)]
    if summary.panel:
        facts += [("Panel", summary.panel)]
    facts += [("API", summary.api), ("Token", summary.token_file), ("CA", summary.ca_file)]
    if summary.psql and not first_start:
        facts += [("Connect", summary.psql)]
    print_facts(facts, out)
    if first_start:
        print(_advise(summary, detached), file=out)
    return out.getvalue()


def hide_passwords(text: str) -> str:
    """The text without the passwords of its URIs and the secret of its link."""
    return _LINK.sub("/", _PASSWORD.sub(r"\1:***@", text))


def is_journal(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Whether what is printed ends in systemd's journal, which others read and which stays."""
    device_and_inode = environ.get("JOURNAL_STREAM", "")
    try:
        found = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return device_and_inode == f"{found.st_dev}:{found.st_ino}"


def _advise(summary: StartSummary, detached: bool) -> str:
    lines = [""]
    if summary.psql:
        lines += ["Try it:", f"  {summary.psql}", ""]
    else:
        lines += ["Create a cluster:", "  poolkeeper databases create NAME --wait", ""]
    lines += ["See `poolkeeper status`, `poolkeeper logs` and `poolkeeper --help`."]
    stop = "`poolkeeper down` stops it" if detached else "Ctrl-C stops it"
    lines += [f"{stop}; PostgreSQL and PgBouncer go on, and the next `up` takes them over."]
    return "\n".join(lines)
