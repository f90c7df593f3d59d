"""Where settings come from: flags, environment, file, defaults; and what they must not be."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from poolkeeper.settings.types import (
    FILE_NAME,
    Process,
    Row,
    expand_home,
    parse_state_dir,
    read_text,
)


@dataclass(frozen=True)
class Given:
    """A value as it was written, and where."""

    value: object
    origin: str


@dataclass
class Reading:
    """One reading of all sources. What is wrong is collected, so that it is told at once."""

    rows: Sequence[Row]
    flags: Mapping[str, str | None]
    environ: Mapping[str, str]
    process: Process
    problems: list[str] = field(default_factory=list)

    def gather(self) -> dict[str, Given]:
        """What the strongest source says of each setting; those that none names are left out."""
        given = self._read_variables() | self._read_flags()
        state_dir = self._locate_state(given.get("state_dir"))
        path = self._find_file(state_dir)
        written = self._read_file(path) if path else {}
        if path is not None and path.parent == state_dir and "state_dir" in written:
            self._refuse_move(state_dir, written.pop("state_dir"))
        return written | given

    def resolve(self, given: Mapping[str, Given]) -> tuple[dict[str, Any], dict[str, str]]:
        """Values and their origins. A wrong value is a problem, and its default stands in."""
        values: dict[str, Any] = {}
        origins: dict[str, str] = {}
        for row in self.rows:
            found = given.get(row.name)
            origins[row.name] = found.origin if found else "default"
            if found:
                try:
                    values[row.name] = row.parse(read_text(found.value))
                    continue
                except ValueError as wrong:
                    self.problems.append(f"{row.name} ({found.origin}): {wrong}")
            values[row.name] = row.default(self.process, values)
        return values, origins

    def _read_flags(self) -> dict[str, Given]:
        values = {row: self.flags.get(row.name) for row in self.rows}
        return {
            row.name: Given(value, row.flag) for row, value in values.items() if value is not None
        }

    def _read_variables(self) -> dict[str, Given]:
        """An empty variable counts as unset: shells and unit files make it easy to write."""
        given: dict[str, Given] = {}
        for row in self.rows:
            found = [name for name in row.variables if self.environ.get(name)]
            if not found:
                continue
            given[row.name] = Given(self.environ[found[0]], found[0])
            if len({self.environ[name] for name in found}) > 1:
                self.problems.append(f"{row.name}: {' and '.join(found)} differ; unset one of them")
        return given

    def _locate_state(self, given: Given | None) -> Path:
        if given is not None:
            try:
                return parse_state_dir(read_text(given.value))
            except ValueError:
                pass  # told when all values are parsed
        row = next(row for row in self.rows if row.name == "state_dir")
        path = row.default(self.process, {})
        assert isinstance(path, Path)
        return path

    def _refuse_move(self, state_dir: Path, written: Given) -> None:
        if written.value != str(state_dir):
            self.problems.append(
                f"state_dir ({written.origin}): the file that lies in the state folder cannot "
                "move it; use --state-dir or POOLKEEPER_STATE_DIR"
            )

    def _find_file(self, state_dir: Path) -> Path | None:
        flag, variable = self.flags.get("config"), self.environ.get("POOLKEEPER_CONFIG")
        named = flag or variable
        if named:
            origin = "--config" if flag else "POOLKEEPER_CONFIG"
            try:
                path = expand_home(named).absolute()
            except ValueError as wrong:
                self.problems.append(f"config ({origin}): {wrong}")
                return None
            if path.is_file():
                return path
            self.problems.append(f"config ({origin}): there is no file {path}")
            return None
        places = (state_dir / FILE_NAME, self.process.system_file)
        return next((path for path in places if _can_see(path)), None)

    def _read_file(self, path: Path) -> dict[str, Given]:
        import tomllib

        origin = f"{FILE_NAME}: {path}"
        try:
            entries = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as wrong:
            self.problems.append(f"{origin}: cannot be read: {wrong.strerror}")
            return {}
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as wrong:
            self.problems.append(f"{origin}: is not TOML: {wrong}")
            return {}
        names = [row.name for row in self.rows]
        for name in sorted(entries.keys() - set(names)):
            near = difflib.get_close_matches(name.replace("-", "_").lower(), names, 1, 0.5)
            hint = f"did you mean {near[0]}?" if near else "`poolkeeper config show` lists all"
            self.problems.append(f"{name} ({origin}): no such setting; {hint}")
        return {name: Given(entries[name], origin) for name in names if name in entries}


def check_ports(values: Mapping[str, Any]) -> list[str]:
    """The API's port must not be one of the first cluster's two."""
    api, first = values["api_port"], values["first_port"]
    if api not in (first, first + 1):
        return []
    return [
        f"api_port and first_port: {api} would serve the API and the first cluster, which takes "
        f"{first} and {first + 1}; move one of them"
    ]


def check_host(values: Mapping[str, Any], process: Process) -> list[str]:
    """What only this machine can tell: accounts and programs must be there."""
    problems = []
    if values["account"] is not None:
        problems += _check_account(values["account"], process)
    pgbouncer = values["pgbouncer"]
    if pgbouncer is not None and not (pgbouncer.is_file() and os.access(pgbouncer, os.X_OK)):
        problems.append(
            f"pgbouncer: {pgbouncer} is not a program; give PgBouncer's path, or leave it out to "
            "have it searched"
        )
    return problems


def _check_account(account: str, process: Process) -> list[str]:
    import pwd

    try:
        uid = pwd.getpwnam(account).pw_uid
    except KeyError:
        return [
            f"account: this machine has no account {account!r}; make one with "
            f"`adduser --system --group {account}`, or name another with --account"
        ]
    if uid == 0:
        return [
            f"account: {account!r} is root, and PostgreSQL does not run as root; make an account "
            "with `adduser --system --group poolkeeper`"
        ]
    if process.euid not in (0, uid):
        return [
            f"account: only root can run servers as {account!r}; leave it out, or start as root"
        ]
    return []


def _can_see(path: Path) -> bool:
    """Whether this process can see the file: one in another's folder does not count."""
    try:
        return path.is_file()
    except OSError:
        return False
