"""What a setting is, and what its text may be.

Each parser returns the value or raises ValueError. The message of that is the second half
of a sentence that begins with the setting's name and where its value came from: it says
what is wrong and what to write.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FILE_NAME = "poolkeeper.toml"
LOG_LEVELS = ("debug", "info", "warning", "error")
LONGEST_STATE_DIR = 70
STORE_SCHEMES = ("postgresql://", "postgres://", "postgresql+psycopg://")

_HOST_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST_NAME = re.compile(rf"(?=.{{1,253}}\Z){_HOST_LABEL}(?:\.{_HOST_LABEL})*")
_ACCOUNT = re.compile(r"[a-z_][a-z0-9_.-]{0,31}")
# As SQLAlchemy reads a URL, but up to the last @: rather too much hidden than too little.
_LOGIN_PASSWORD = re.compile(r"(://[^:/]*):.*@")
_SECRET_PARAMETER = re.compile(r"([?&](?:password|sslpassword)=)[^&]*")


@dataclass(frozen=True)
class Process:
    """What defaults depend on; `observe` tells it of the running process."""

    euid: int
    home: Path
    system_file: Path = Path("/etc/poolkeeper") / FILE_NAME

    @classmethod
    def observe(cls) -> Process:
        return cls(os.geteuid(), find_home())


def find_home() -> Path:
    """This account's folder; the root's where it has none, as in containers with any uid."""
    try:
        return Path("~").expanduser()
    except RuntimeError:
        return Path("/")


@dataclass(frozen=True)
class Row:
    """One setting. `default` may depend on the process and on the rows above this one."""

    name: str
    parse: Callable[[str], object]
    default: Callable[[Process, Mapping[str, Any]], object]
    metavar: str
    help: str
    extra_variables: tuple[str, ...] = ()
    secret: bool = False

    @property
    def flag(self) -> str:
        return "--" + self.name.replace("_", "-")

    @property
    def variables(self) -> tuple[str, ...]:
        """Environment variables that set it, strongest first."""
        return (f"POOLKEEPER_{self.name.upper()}", *self.extra_variables)

    def format(self, value: object) -> object:
        """The value as JSON and tables have it, without secrets; several paths are a list."""
        if self.secret and isinstance(value, str):
            return mask_password(value)
        if isinstance(value, Path):
            return str(value)
        return [str(item) for item in value] if isinstance(value, tuple) else value


def read_text(value: object) -> str:
    """The text of a value from a TOML file, whose numbers and lists are welcome too."""
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return ":".join(value)
    raise ValueError(f"{value!r} is neither text nor a whole number nor a list of texts")


def expand_home(text: str) -> Path:
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise ValueError(f"{text!r} is below the home of nobody here; write it out") from None


def parse_path(text: str) -> Path:
    path = expand_home(text)
    if not path.is_absolute():
        raise ValueError(f"{text!r} is a relative path; give one that starts with /")
    return path


def parse_state_dir(text: str) -> Path:
    # Servers are known again by the paths they were started with: one place, one spelling.
    path = parse_path(text).resolve()
    if len(str(path)) > LONGEST_STATE_DIR:
        raise ValueError(
            f"{text!r} has {len(str(path))} characters, at most {LONGEST_STATE_DIR} fit: the Unix "
            "sockets below it may have 107 in all; choose a shorter path"
        )
    return path


def parse_paths(text: str) -> tuple[Path, ...]:
    """One or more absolute paths, separated by colons."""
    paths = tuple(parse_path(part) for part in text.split(":") if part)
    if not paths:
        raise ValueError("is empty; give at least one folder")
    return paths


def parse_address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise ValueError(
            f"{text!r} is not an IP address; give 127.0.0.1 for this machine only, "
            "0.0.0.0 for every network, or one address of this machine"
        ) from None


def parse_public_host(text: str) -> str:
    if is_address(text) or _HOST_NAME.fullmatch(text):
        return text
    raise ValueError(f"{text!r} is neither a host name nor an IP address")


def parse_account(text: str) -> str:
    if not _ACCOUNT.fullmatch(text):
        raise ValueError(f"{text!r} is not the name of a system account")
    return text


def parse_store_url(text: str) -> str:
    """The message never repeats the text: it may hold a password."""
    if text.startswith(STORE_SCHEMES):
        return text
    raise ValueError(
        "must look like postgresql://USER:PASSWORD@HOST/DATABASE; "
        "leave it out to keep the state in SQLite"
    )


def parse_log_level(text: str) -> str:
    level = text.lower()
    if level not in LOG_LEVELS:
        raise ValueError(f"{text!r} is not one of {', '.join(LOG_LEVELS)}")
    return level


def one_of(*words: str) -> Callable[[str], str]:
    """A parser of one of these words."""

    def parse_word(text: str) -> str:
        if text not in words:
            raise ValueError(f"{text!r} is not one of {', '.join(words)}")
        return text

    return parse_word


def within(least: int, most: int) -> Callable[[str], int]:
    """A parser of whole numbers from `least` to `most`."""

    def parse_number(text: str) -> int:
        if re.fullmatch(r"[+-]?[0-9]{1,18}", text.strip()) and least <= int(text) <= most:
            return int(text)
        raise ValueError(f"{text!r} is not a whole number from {least} to {most}")

    return parse_number


def is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def mask_password(url: str) -> str:
    """The URL with its password, wherever it stands in it, replaced by ``***``."""
    return _SECRET_PARAMETER.sub(r"\1***", _LOGIN_PASSWORD.sub(r"\1:***@", url))
