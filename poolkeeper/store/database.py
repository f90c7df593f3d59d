"""The store: desired state, status, events and tokens, in SQLite or PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection, Engine, insert, select

from poolkeeper.domain.errors import PoolkeeperError
from poolkeeper.store.engines import FILE_NAME, Engines, open_engines
from poolkeeper.store.faults import describe_file_fault, report_commit, report_faults
from poolkeeper.store.revisions import HEAD, read_revision, upgrade
from poolkeeper.store.schema import key_checks
from poolkeeper.store.sealing import Sealer

_KEY_CHECK = "key check"


@dataclass(frozen=True)
class Transaction:
    """What the functions of this package work in. ``now``: the moment it began, UTC."""

    connection: Connection
    sealer: Sealer
    now: datetime


class Store:
    """Safe to use from many threads; each transaction belongs to one of them.

    When the storage fails, a transaction raises Unavailable and has changed nothing.
    """

    def __init__(self, engines: Engines, now: Callable[[], datetime], sealer: Sealer) -> None:
        self._engines = engines
        self._now = now
        self._sealer = sealer

    @classmethod
    def open(
        cls, url: str | None, state_dir: Path, *, now: Callable[[], datetime], sealer: Sealer
    ) -> Store:
        """The store at a URL, or in a file of the state directory; brought to this schema.

        Raises Unavailable if it cannot be reached or made, PoolkeeperError if the key is
        not the one it was sealed with or a newer Poolkeeper has changed its schema.
        """
        try:
            engines = open_engines(url, state_dir)
        except OSError as error:
            raise describe_file_fault(url or str(state_dir / FILE_NAME), error) from error
        store = cls(engines, now, sealer)
        try:
            store._prepare()
        except BaseException:
            store.close()
            raise
        return store

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """A transaction that sees one snapshot, whatever is written meanwhile."""
        with self._begin(self._engines.reader) as tx:
            yield tx

    @contextmanager
    def write(self, *, durable: bool = True) -> Iterator[Transaction]:
        """A transaction that no other ``write`` overlaps, in any process.

        It is durable when the block has been left; an exception undoes all of it. With
        ``durable`` False a power cut may undo it, too, as a whole: for what can be observed
        again.
        """
        engine = self._engines.writer
        with self._write(engine if durable else engine.execution_options(durable=False)) as tx:
            yield tx

    def close(self) -> None:
        """Give up all connections."""
        self._engines.dispose()

    @contextmanager
    def _write(self, engine: Engine) -> Iterator[Transaction]:
        with self._begin(engine) as tx:
            yield tx
            with report_commit(self._engines.place):
                tx.connection.commit()

    @contextmanager
    def _begin(self, engine: Engine) -> Iterator[Transaction]:
        with report_faults(self._engines.place), engine.connect() as connection:
            connection.begin()
            yield Transaction(connection, self._sealer, self._now().astimezone(UTC))

    def _prepare(self) -> None:
        with self.read() as tx:
            ready = read_revision(tx.connection) == HEAD and self._check_key(tx)
        if ready:
            return
        with self._write(self._engines.migrator) as tx:
            # Again, now that nobody else writes: another process may have been faster.
            if read_revision(tx.connection) != HEAD:
                upgrade(tx.connection)
            if not self._check_key(tx):
                sealed = self._sealer.seal(_KEY_CHECK, _KEY_CHECK)
                tx.connection.execute(insert(key_checks).values(id=1, sealed=sealed))

    def _check_key(self, tx: Transaction) -> bool:
        """Whether the store has been sealed with our key; False if with none yet."""
        sealed = tx.connection.execute(select(key_checks.c.sealed)).scalar()
        if sealed is None:
            return False
        try:
            self._sealer.unseal(sealed, _KEY_CHECK)
        except PoolkeeperError as error:
            raise PoolkeeperError(
                f"the key file does not belong to the store {self._engines.place}: put back the"
                " one it was made with; without it no password in the store can be read"
            ) from error
        return True
