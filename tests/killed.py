"""Control planes that kill themselves at a step that a test names.

The product has no hook for this: a step is a function of it, or one that it calls, which is
wrapped while the process runs. A control plane takes a second of work to import, and a
matrix starts a hundred of them, so they are forked from one process that has imported all::

    Nursery (the test's side) ── socket ──► python -m tests.killed
                                              └─ guard: waits for its child, tells its end
                                                  └─ poolkeeper up …
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import inspect
import json
import os
import pkgutil
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.plane import COMMAND, Plane, wait_until

ROOT = Path(__file__).parents[1]
STEP_VARIABLE = "KILLED_AT"


@dataclass(frozen=True)
class Step:
    """Where a control plane ends.

    ``when``: before or after the ``nth`` call of ``what`` (``module:name``) that has
    ``text`` among its arguments; or during it, as soon as a path like ``text`` is there.
    """

    when: str
    what: str
    text: str = ""
    nth: int = 1

    def __str__(self) -> str:
        name = self.what.rpartition(":")[2]
        number = f" #{self.nth}" if self.nth > 1 else ""
        return f"{self.when} {name}{f' {self.text}' if self.text else ''}{number}"


class Child:
    """What of ``subprocess.Popen`` a plane needs, for a process that is the guard's child."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._rest = b""
        self.returncode: int | None = None
        self.pid = int(self._receive(30)["pid"])

    def order(self, **order: object) -> dict[str, Any]:
        """Have something done inside the control plane; its answer."""
        self._connection.sendall(json.dumps(order).encode() + b"\n")
        return self._receive(30)

    def poll(self) -> int | None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            self.returncode = int(self._receive(timeout)["ended"])
            self._connection.close()
        return self.returncode

    def kill(self) -> None:
        self._signal(signal.SIGKILL)

    def terminate(self) -> None:
        self._signal(signal.SIGTERM)

    def _signal(self, signum: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, signum)

    def _receive(self, timeout: float | None) -> dict[str, Any]:
        deadline = None if timeout is None else time.monotonic() + timeout
        while b"\n" not in self._rest:
            left = None if deadline is None else max(deadline - time.monotonic(), 0)
            if not select.select([self._connection], [], [], left)[0]:
                raise subprocess.TimeoutExpired("poolkeeper up", timeout or 0)
            received = self._connection.recv(65536)
            if not received:
                raise AssertionError("the guard of a control plane ended without a word")
            self._rest += received
        line, _, self._rest = self._rest.partition(b"\n")
        found: dict[str, Any] = json.loads(line)
        return found


class Nursery:
    """Starts control planes, quickly."""

    def __init__(self, folder: Path) -> None:
        self._socket = folder / "nursery"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.killed", str(self._socket)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
        )
        wait_until("the nursery listens", self._is_ready, 60)

    def launch(self, arguments: Sequence[str], environment: dict[str, str], output: Path) -> Child:
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(str(self._socket))
        order = {"arguments": arguments, "environment": environment, "output": str(output)}
        connection.sendall(json.dumps(order).encode() + b"\n")
        return Child(connection)

    def close(self) -> None:
        """Control planes that run go on."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=60)

    def _is_ready(self) -> bool:
        assert self._process.poll() is None
        return self._socket.exists()


class MortalPlane(Plane):
    """A plane whose control planes can be told where to die."""

    def __init__(self, **settings: object) -> None:
        super().__init__(**settings)
        self.nursery = Nursery(self.state)
        self._children: list[Child] = []

    def launch(self, *flags: str, command: tuple[str, ...] = COMMAND) -> None:
        child = self.nursery.launch(["up", *flags], self.environment, self.output)
        self._children.append(child)
        self.process = child

    def launch_to_die(self, step: Step) -> None:
        """Start it, armed from its first line on."""
        self.environment[STEP_VARIABLE] = json.dumps(asdict(step))
        try:
            self.launch()
        finally:
            del self.environment[STEP_VARIABLE]

    def arm(self, step: Step) -> None:
        """The running control plane is to die at this step; calls count from now on, when it
        has nothing to do."""
        self._child.order(order="arm", **asdict(step))

    def record(self) -> None:
        """Write down from now on which of the product's functions that act are called."""
        self._child.order(order="record")

    def take_record(self) -> set[str]:
        """What was called since until it has nothing to do, as ``module:name``."""
        return set(self._child.order(order="take")["called"])

    def await_death(self, step: Step) -> None:
        """It must end by its own hand."""
        try:
            code = self._child.wait(180)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"never came to this step: {step}") from None
        assert code == -signal.SIGKILL, f"ended with {code} instead of {step}"

    def destroy(self) -> None:
        try:
            super().destroy()
        finally:
            for child in self._children:
                child.kill()
                child.wait(60)
            self.nursery.close()

    @property
    def _child(self) -> Child:
        assert isinstance(self.process, Child)
        return self.process


# --- What follows runs in the nursery and in the control planes that it bears. ---

ACTING = ("poolkeeper.engine", "poolkeeper.store")
"""The parts of the product that touch anything outside the process."""


def list_functions() -> Iterator[tuple[str, Any, str]]:
    """Every public function and method of the acting parts: ``module:name``, owner, attribute."""
    for module in list(sys.modules.values()):
        if not module.__name__.startswith(ACTING):
            continue
        for name, value in list(vars(module).items()):
            if getattr(value, "__module__", None) != module.__name__ or name.startswith("_"):
                continue
            if inspect.isfunction(value):
                yield f"{module.__name__}:{name}", module, name
            elif inspect.isclass(value):
                for attribute, member in list(vars(value).items()):
                    member = getattr(member, "__func__", member)
                    if inspect.isfunction(member) and not attribute.startswith("_"):
                        yield f"{module.__name__}:{name}.{attribute}", value, attribute


def import_all() -> None:
    """Every module of the product, so that a wrapped function is wrapped wherever it is used."""
    import poolkeeper

    for found in pkgutil.walk_packages(poolkeeper.__path__, "poolkeeper."):
        if "migrations" not in found.name and not found.name.endswith("__main__"):
            importlib.import_module(found.name)


def wrap(owner: Any, name: str, make: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    """Put something else in the place of a function, and in all places it was imported to."""
    raw = inspect.getattr_static(owner, name)
    original = getattr(raw, "__func__", raw)
    replaced: Any = functools.wraps(original)(make(original))
    if isinstance(raw, (classmethod, staticmethod)):
        replaced = type(raw)(replaced)
    setattr(owner, name, replaced)
    if inspect.ismodule(owner):
        for module in list(sys.modules.values()):
            if getattr(module, "__name__", "").startswith("poolkeeper"):
                for key, value in list(vars(module).items()):
                    if value is original:
                        setattr(module, key, replaced)


def _serve(place: Path) -> None:
    import_all()
    listener = socket.socket(socket.AF_UNIX)
    unborn = place.with_suffix(".unborn")
    listener.bind(str(unborn))
    listener.listen()
    unborn.rename(place)
    while True:
        ready, _, _ = select.select([listener, sys.stdin], [], [])
        if sys.stdin in ready:
            return  # the test is over, however it ended
        connection, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            _guard(connection)
            os._exit(0)
        connection.close()
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def _guard(connection: socket.socket) -> None:
    order = json.loads(connection.makefile().readline())
    pid = os.fork()
    if pid == 0:
        _become(connection, **order)
    connection.sendall(json.dumps({"pid": pid}).encode() + b"\n")
    _, status = os.waitpid(pid, 0)
    ended = os.waitstatus_to_exitcode(status)
    with contextlib.suppress(OSError):
        connection.sendall(json.dumps({"ended": ended}).encode() + b"\n")


def _become(
    connection: socket.socket, arguments: Sequence[str], environment: dict[str, str], output: str
) -> None:
    from poolkeeper.cli.main import run

    code = 1
    try:
        os.environ.clear()
        os.environ.update(environment)
        _redirect(output)
        step = os.environ.pop(STEP_VARIABLE, None)
        if step:
            _arm(**json.loads(step))
        passes = _Passes()
        threading.Thread(target=_obey, args=(connection, passes), daemon=True).start()
        code = run(arguments)
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


def _redirect(output: str) -> None:
    nothing = os.open(os.devnull, os.O_RDONLY)
    written = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(nothing, 0)
    os.dup2(written, 1)
    os.dup2(written, 2)


class _Passes:
    """The reconciler's passes: what one still has to do after an answer is no part of the next
    call."""

    LONGEST = 20.0

    def __init__(self) -> None:
        from poolkeeper.reconcile.cluster import ClusterReconciler

        self._changed = threading.Condition()
        self._busy: set[object] = set()
        wrap(ClusterReconciler, "tick", self._watch)

    def await_rest(self) -> None:
        """Wait until no pass is under way, nor is one to follow soon; not for ever, since a
        cluster in trouble never rests."""
        with self._changed:
            self._changed.wait_for(lambda: not self._busy, self.LONGEST)

    def _watch(self, tick: Callable[[object], float | None]) -> Callable[[object], float | None]:
        from poolkeeper.reconcile.cluster import RESTING

        def watched(reconciler: object) -> float | None:
            with self._changed:
                self._busy.add(reconciler)
            pause = tick(reconciler)
            if pause is None or pause >= RESTING:
                with self._changed:
                    self._busy.discard(reconciler)
                    self._changed.notify_all()
            return pause

        return watched


def _obey(connection: socket.socket, passes: _Passes) -> None:
    called: set[str] = set()
    for line in connection.makefile():
        order = json.loads(line)
        answer: dict[str, object] = {}
        passes.await_rest()
        match order.pop("order"):
            case "arm":
                _arm(**order)
            case "record":
                called = _record()
            case "take":
                answer["called"] = sorted(called)
                called.clear()
        connection.sendall(json.dumps(answer).encode() + b"\n")


def _record() -> set[str]:
    called: set[str] = set()

    def note(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def noting(*args: Any, **kwargs: Any) -> Any:
            called.add(name)
            return original(*args, **kwargs)

        return noting

    for what, owner, name in list_functions():
        wrap(owner, name, functools.partial(note, what))
    return called


def _arm(when: str, what: str, text: str, nth: int) -> None:
    import_all()
    module, _, path = what.partition(":")
    owner: Any = importlib.import_module(module)
    *outer, name = path.split(".")
    for each in outer:
        owner = getattr(owner, each)
    calls = iter(range(1, nth + 1))

    def is_this(args: object, kwargs: object) -> bool:
        told = when == "during" or not text or text in f"{args!r} {kwargs!r}"
        return told and next(calls, 0) == nth

    def lay(original: Callable[..., Any]) -> Callable[..., Any]:
        def trap(*args: Any, **kwargs: Any) -> Any:
            here = is_this(args, kwargs)
            if here and when == "before":
                _die()
            if here and when == "during":
                threading.Thread(target=_die_once_there, args=(text,), daemon=True).start()
            try:
                return original(*args, **kwargs)
            finally:
                # During it at the latest now, if the thread that looks had no processor.
                if here and when != "before":
                    _die()

        return trap

    wrap(owner, name, lay)


def _die_once_there(pattern: str) -> None:
    home = Path(os.environ["POOLKEEPER_HOME"])
    while not any(home.glob(pattern)):
        time.sleep(0.001)
    _die()


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
