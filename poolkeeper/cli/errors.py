"""What makes a command fail: one line that says what happened and what to do."""

from __future__ import annotations

from poolkeeper.domain.errors import PoolkeeperError


class CommandFailed(PoolkeeperError):
    """The command cannot do what it was asked; it exits with 1."""


class ApiFailed(CommandFailed):
    """The API answered with an error, or not at all (`status` 0)."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
