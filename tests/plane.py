"""A real control plane for the tests: its own state, ports and processes, all ended after."""

from __future__ import annotations

import atexit
import contextlib
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import psycopg

# Servers hang up on who has asked nothing for 5 seconds; a client that asks in that moment fails.
KEPT_ALIVE = httpx.Limits(keepalive_expiry=2)
COMMAND = (sys.executable, "-m", "poolkeeper")


def wait_until(what: str, condition: Callable[[], Any], timeout: float = 180.0) -> Any:
    """The condition's first true value; fails with your sentence.

    The timeout ends a test that has failed; no machine should be too slow for it.
    """
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout:g} s in vain: {what}")
        time.sleep(0.02)


# Each of the processes that run tests at once has ports of its own, for what is free may be another
# one's that was just killed. So, too, none is given twice before all were.
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_RANGE, _RANGES = 20, 100
_FIRST = 20000 + _WORKER % 4 * _RANGE * _RANGES
_next_range = itertools.count(os.getpid())


def find_free_ports(count: int) -> int:
    """The first of ``count`` free ports in a row, away from those that the system hands out."""
    for number in itertools.islice(_next_range, _RANGES):
        first = _FIRST + number % _RANGES * _RANGE
        with contextlib.ExitStack() as held:
            try:
                for port in range(first, first + count):
                    listener = held.enter_context(socket.socket())
                    listener.bind(("127.0.0.1", port))
            except OSError:
                continue
            return first
    raise AssertionError("no free ports")


class Plane:
    """``poolkeeper up`` on a state directory of its own.

    Ports: the API's first, then pairs for clusters.
    """

    def __init__(self, **settings: object) -> None:
        self.state = Path(tempfile.mkdtemp(prefix="pk-", dir="/tmp"))
        self.state.chmod(0o711)
        self.api_port = find_free_ports(12)
        self.environment = {
            **os.environ,
            "POOLKEEPER_HOME": str(self.state / "s"),
            "POOLKEEPER_API_PORT": str(self.api_port),
            "POOLKEEPER_FIRST_PORT": str(self.api_port + 2),
            # Tests and benchmarks ask as often as they can.
            "POOLKEEPER_RATE_LIMIT_HOUR": "0",
            "POOLKEEPER_RATE_LIMIT_MINUTE": "0",
            "XDG_CONFIG_HOME": str(self.state / "config"),
            **{f"POOLKEEPER_{name.upper()}": str(value) for name, value in settings.items()},
        }
        self._share_pgbouncer()
        self.process: subprocess.Popen[bytes] | None = None
        self.output = self.state / "up.out"

    @property
    def home(self) -> Path:
        return self.state / "s"

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.api_port}"

    @property
    def ca(self) -> Path:
        return self.home / "ca" / "ca.crt"

    @property
    def token(self) -> str:
        return (self.home / "token").read_text().strip()

    def start(self, *flags: str, command: tuple[str, ...] = COMMAND) -> Plane:
        """Start it and wait until it answers."""
        self.launch(*flags, command=command)
        wait_until("the control plane answers", self._answers)
        return self

    def launch(self, *flags: str, command: tuple[str, ...] = COMMAND) -> None:
        """Start it and go on at once."""
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(
                [*command, "up", *flags],
                env=self.environment,
                stdout=output,
                stderr=output,
                stdin=subprocess.DEVNULL,
            )

    def kill(self) -> None:
        """SIGKILL the control plane alone."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """SIGTERM the control plane alone."""
        assert self.process is not None
        self.process.terminate()
        self.process.wait(timeout=180)

    def destroy(self) -> None:
        """End everything it started, and remove its state."""
        if self.process is not None and self.process.poll() is None:
            self.stop()
        for pid in self.list_servers():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        _remove_meanwhile(self.state)

    def list_servers(self, kind: str = "") -> list[int]:
        """Pids of PgBouncer and PostgreSQL processes that were started for this state."""
        parents = self._find_servers(kind)
        # For a moment after its fork, a backend still looks like its postmaster.
        return sorted(pid for pid, parent in parents.items() if parent not in parents)

    def list_paths(self) -> list[Path]:
        """All that is in the state directory; what goes meanwhile is missing, or no more there."""
        return [
            Path(folder, name)
            for folder, folders, files in os.walk(self.home)
            for name in (*folders, *files)
        ]

    def run(
        self, *arguments: str, check: bool = True, **more: Any
    ) -> subprocess.CompletedProcess[str]:
        """The CLI, as somebody on this machine runs it."""
        done = subprocess.run(
            [*COMMAND, *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
            **more,
        )
        if check and done.returncode:
            raise AssertionError(f"{arguments}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def client(self, token: str | None = None, timeout: float = 40.0) -> httpx.Client:
        """An HTTP client of the API; ``token`` None: the owner's."""
        import ssl

        return httpx.Client(
            base_url=self.url,
            headers={"Authorization": f"Bearer {token or self.token}"},
            verify=ssl.create_default_context(cafile=str(self.ca)),
            timeout=timeout,
            limits=KEPT_ALIVE,
        )

    def logs(self) -> str:
        """Everything that the control plane and its servers wrote."""
        files = [self.output, *self.home.glob("logs/*"), *self.home.glob("clusters/*/log/*")]
        return "\n".join(
            f"--- {file.name}\n{file.read_text(errors='replace')[-6000:]}"
            for file in files
            if file.is_file()
        )

    def _find_servers(self, kind: str = "") -> dict[int, int]:
        """Those processes by pid, each with its parent's."""
        found = {}
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            with contextlib.suppress(OSError):  # it has ended
                arguments = (entry / "cmdline").read_bytes().decode(errors="replace")
                if f"{self.home}/clusters/" in arguments and kind in arguments:
                    stat = (entry / "stat").read_text()
                    found[int(entry.name)] = int(stat.rpartition(")")[2].split()[1])
        return found

    def _answers(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise AssertionError(f"it ended with {self.process.returncode}:\n{self.logs()}")
        try:
            api = json.loads((self.home / "api.json").read_text())
            with self.client(timeout=5) as client:
                return api["pid"] == self.process.pid and client.get("/v1/health").is_success
        except (OSError, ValueError, httpx.HTTPError):
            return False

    def _share_pgbouncer(self) -> None:
        """The private PgBouncer is installed once, not once a test."""
        default = Path("/var/lib/poolkeeper") if os.geteuid() == 0 else None
        default = default or Path("~/.local/share/poolkeeper").expanduser()
        private = default / "pgbouncer" / "current" / "bin" / "pgbouncer"
        if private.exists():
            self.environment.setdefault("POOLKEEPER_PGBOUNCER", str(private))


@contextlib.contextmanager
def running_plane(*flags: str, **settings: object) -> Iterator[Plane]:
    """A started control plane; all its logs are shown when the test fails inside."""
    plane = Plane(**settings)
    try:
        yield plane.start(*flags)
    except BaseException:
        print(plane.logs())
        raise
    finally:
        plane.destroy()


_removals: list[subprocess.Popen[bytes]] = []


def _remove_meanwhile(folder: Path) -> None:
    """Remove it beside the tests that follow: on a busy disk the files of many clusters take a
    minute, and no test has that to spare."""
    _removals.append(subprocess.Popen(["rm", "-rf", str(folder)], stderr=subprocess.DEVNULL))


@atexit.register
def _await_removals() -> None:
    for removal in _removals:
        removal.wait()


def connect(uri: str, **options: Any) -> psycopg.Connection[tuple[Any, ...]]:
    """A client's connection, through a URI as the API returned it; autocommit unless said."""
    return psycopg.connect(uri, **{"autocommit": True, "connect_timeout": 30, **options})


@contextlib.contextmanager
def halted(pid: int) -> Iterator[None]:
    """The process does nothing inside the block."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def create_cluster(client: httpx.Client, name: str, **more: object) -> Mapping[str, Any]:
    """A cluster that is online."""
    body = {
        "name": name,
        "engine": "pg",
        "num_nodes": 1,
        "size": "db-s-1vcpu-1gb",
        "region": "nyc1",
        **more,
    }
    answer = client.post("/v2/databases", json=body)
    assert answer.status_code == 201, answer.text
    cluster_id = answer.json()["database"]["id"]

    def online() -> Any:
        cluster = client.get(f"/v2/databases/{cluster_id}").json()["database"]
        return cluster if cluster["status"] == "online" else None

    found: Mapping[str, Any] = wait_until(f"cluster {name} is online", online)
    return found
