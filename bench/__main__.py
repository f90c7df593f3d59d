"""``scripts/bench``: take figures, print them, write them into the docs."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from types import FrameType

from bench.figures import NAMES, describe_figure, take_figure
from bench.machine import ROOT, describe_machine, describe_versions
from bench.report import Figure, read_record, render_page, render_rows, write_page, write_record

PAGE = ROOT / "docs" / "performance.md"
RECORD = ROOT / "docs" / "performance.json"


def main() -> int:
    """0 when all figures could be taken, whether or not they reach their goals."""
    options = _parse(sys.argv[1:])
    signal.signal(signal.SIGTERM, _leave)
    names = [name for name in NAMES if name in (options.names or NAMES)]
    print(f"{describe_machine()}\n{describe_versions()}", flush=True)
    taken = {}
    for name in names:
        print(f"\n{name}: {describe_figure(name).title} …", flush=True)
        taken[name] = take_figure(name, quick=options.quick)
        print(render_rows(taken[name].rows), flush=True)
        if not options.quick:
            _keep(taken[name])
    if options.quick:
        print("Quick: the tools work or they do not; the numbers mean nothing.")
    return int(any(_has_failed(figure) for figure in taken.values()))


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/bench",
        description=f"Take figures and write them into {PAGE.relative_to(ROOT)}.",
        epilog="Let nothing else run on the machine meanwhile.",
    )
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help=f"figures to take, of {', '.join(NAMES)}; none: all",
    )
    parser.add_argument("--quick", action="store_true", help="try the tools; only print")
    options = parser.parse_args(arguments)
    unknown = sorted(set(options.names) - set(NAMES))
    if unknown:
        parser.error(f"no such figure: {', '.join(unknown)}; there are {', '.join(NAMES)}")
    return options


def _keep(figure: Figure) -> None:
    """After each figure, so that an interrupted run keeps what it has."""
    figures = {**read_record(RECORD), figure.name: figure}
    write_record(RECORD, figures)
    write_page(PAGE, render_page(map(describe_figure, NAMES), figures))


def _has_failed(figure: Figure) -> bool:
    return any(row.met is False and not row.goal for row in figure.rows)


def _leave(signum: int, _frame: FrameType | None) -> None:
    """Unwinds, so that everything that was started is ended."""
    sys.exit(128 + signum)


if __name__ == "__main__":
    sys.exit(main())
