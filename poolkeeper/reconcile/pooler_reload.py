"""How one cluster's PgBouncer takes up its files: RELOAD, and what must not meet a login.

A pool that gives up all its backends (its database changes, RECONNECT, PAUSE) fails a login
that is in flight, and with it every client that then asks, until a login succeeds. So its entry is
frozen first: it opens no backend, those it has go on. Once none of them logs in any more,
it is changed. docs/decisions/0004 has the findings.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from poolkeeper.domain.clusters import Desired
from poolkeeper.domain.entries import Entry
from poolkeeper.domain.errors import ConsoleUnreachable, ReloadRefused
from poolkeeper.domain.pools import PoolMode
from poolkeeper.engine.layout import ClusterPaths
from poolkeeper.engine.pgbouncer.console import Console
from poolkeeper.engine.pgbouncer.log import read_pooler_log
from poolkeeper.engine.pgbouncer.shown import ServedEntry
from poolkeeper.reconcile.host import Host
from poolkeeper.reconcile.pooler_files import PoolerFiles

# PostgreSQL that takes longer for a login lets the clients wait anyway.
_LOGIN_TIMEOUT = 5.0
_POLL = 0.002


class PoolerReload:
    """Everything raises ReloadRefused, ConsoleUnreachable, OSError."""

    def __init__(self, host: Host, files: PoolerFiles, paths: ClusterPaths) -> None:
        self._host = host
        self._files = files
        self._paths = paths
        # Another control plane may have been killed between writing the files and RELOAD.
        self._unread = True

    def note_start(self) -> None:
        """PgBouncer has just been started with the files as they are."""
        self._unread = False

    def install(self, console: Console, desired: Desired, entries: Sequence[Entry]) -> None:
        """Write the files, and have PgBouncer read them unless it surely has."""
        before = self._files.read()
        self._write(desired, entries)
        self._reload(console, before)

    def exchange(
        self,
        console: Console,
        desired: Desired,
        entries: Sequence[Entry],
        served: Mapping[str, ServedEntry],
        *,
        moving: Collection[str],
        reconnecting: Collection[str],
    ) -> None:
        """As ``install``, while pools give up all their backends: those that are ``moving`` to
        another database, and those told to reconnect."""
        names = {*moving, *reconnecting}
        before = self._files.read()
        try:
            self._freeze(console, desired, entries, {name: served[name] for name in names})
            # Written before we wait, so that nothing lies between the last look and the RELOAD.
            self._write(desired, entries)
            self._await_no_login(console, names)
            for name in reconnecting:
                console.reconnect(name)
            self._reload(console, before)
        except (ReloadRefused, ConsoleUnreachable, OSError):
            # Not frozen until the next pass, if that can be helped.
            with contextlib.suppress(ReloadRefused, ConsoleUnreachable, OSError):
                self._put_back(console, before)
            raise

    @contextlib.contextmanager
    def frozen(
        self,
        console: Console,
        desired: Desired,
        entries: Sequence[Entry],
        served: Mapping[str, ServedEntry],
    ) -> Iterator[None]:
        """Inside the block all pools are frozen; ``entries`` are those in force."""
        before = self._files.read()
        try:
            self._freeze(console, desired, entries, served)
            self._await_no_login(console, served)
            yield
        finally:
            # Whatever was done in the block is done; the next pass writes what is missing.
            with contextlib.suppress(ReloadRefused, ConsoleUnreachable, OSError):
                self._put_back(console, before)

    def _freeze(
        self,
        console: Console,
        desired: Desired,
        entries: Sequence[Entry],
        served: Mapping[str, ServedEntry],
    ) -> None:
        frozen = [_freeze(e, served[e.name]) if e.name in served else e for e in entries]
        before = self._files.read()
        self._write(desired, frozen)
        self._reload(console, before)

    def _write(self, desired: Desired, entries: Sequence[Entry]) -> None:
        was_unread, self._unread = self._unread, True
        # If it fails, the disk being full, say, some of the files may have been written.
        if not self._files.write(desired, entries):
            self._unread = was_unread

    def _reload(self, console: Console, before: Mapping[str, bytes]) -> None:
        if not self._unread:
            return
        try:
            console.reload()
        except ReloadRefused as error:
            why = read_pooler_log(self._paths)
            with contextlib.suppress(ReloadRefused):
                self._put_back(console, before)
            raise ReloadRefused(f"{error}: {why}") from error
        self._unread = False

    def _put_back(self, console: Console, before: Mapping[str, bytes]) -> None:
        self._unread = True
        self._files.put_back(before)
        console.reload()
        self._unread = False

    def _await_no_login(self, console: Console, names: Collection[str]) -> None:
        """Wait until no backend of these frozen pools logs in.

        One more may begin for a user who never had a backend in that pool, if the pool has
        none at all: PgBouncer asks PostgreSQL then what to welcome clients with.
        """
        deadline = time.monotonic() + self._host.limit_wait(_LOGIN_TIMEOUT)
        while console.count_logins(names) and time.monotonic() < deadline:
            time.sleep(_POLL)


def _freeze(entry: Entry, served: ServedEntry) -> Entry:
    """The entry as it is served, but for that it opens no backend."""
    mode = PoolMode(served.mode) if served.mode else entry.mode
    return replace(entry, db=served.db, mode=mode, size=0)
