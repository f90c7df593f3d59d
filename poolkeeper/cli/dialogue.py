"""Questions to the person at the terminal, and signs of life while something takes long.

All of it goes to stderr, so that stdout holds nothing but the result.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from poolkeeper.cli.errors import CommandFailed

FORCE_HINT = "Requires confirmation. Use the `--force` flag to continue without confirmation."


def is_interactive() -> bool:
    """Whether someone can read a question and type an answer."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def ask(question: str) -> str:
    """One line of answer, without the spaces around it."""
    print(question, end="", file=sys.stderr, flush=True)
    line = sys.stdin.readline()
    if not line:
        raise CommandFailed("Operation aborted.")
    return line.strip()


def confirm(question: str, *, force: bool, phrase: str | None = None) -> None:
    """Returns if the person agrees, by `y` or by typing the phrase; else the command fails."""
    if force:
        return
    if not is_interactive():
        print(f"Warning: {FORCE_HINT}", file=sys.stderr)
        raise CommandFailed("Operation aborted.")
    if phrase is None:
        agreed = ask(f"Warning: {question} (y/N) ").lower() in ("y", "yes")
    else:
        agreed = ask(f"Warning: {question}\nType {phrase} to go on: ") == phrase
    if not agreed:
        raise CommandFailed("Operation aborted.")


@contextmanager
def show_progress(text: str) -> Iterator[Callable[[str], None]]:
    """Shows that something goes on; the function it gives replaces the text.

    On a terminal the line moves; elsewhere each new text is a line.
    """
    if sys.stderr.isatty():
        from rich.console import Console

        with Console(stderr=True).status(text) as status:
            yield status.update
        return
    last = text
    print(text, file=sys.stderr)

    def tell(new: str) -> None:
        nonlocal last
        if new != last:
            last = new
            print(new, file=sys.stderr)

    yield tell
