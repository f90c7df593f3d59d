"""Which API the command line talks to, with which token, and whom it trusts.

Strongest first: flags; an explicit ``--context``; ``POOLKEEPER_API_URL``,
``POOLKEEPER_ACCESS_TOKEN`` and ``POOLKEEPER_CA_FILE``; ``POOLKEEPER_CONTEXT`` or the context
that `auth switch` chose; else the Poolkeeper of this machine, through the ``api.json`` that
the running control plane keeps in its state folder. That last one is called ``local``.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from poolkeeper.cli.errors import CommandFailed
from poolkeeper.cli.invocation import Invocation
from poolkeeper.settings import find_state_dir
from poolkeeper.settings.types import expand_home, find_home

LOCAL = "local"
API_FILE = "api.json"

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,62}")


@dataclass(frozen=True)
class Place:
    """An API, the token to show it, and the file with the certificate it is trusted by.

    Without `ca_file` the system's certificates decide. `name` is the context's, if any.
    """

    api: str
    token: str = field(repr=False)
    ca_file: Path | None
    name: str = ""
    token_origin: str = field(default="", compare=False)


@dataclass
class Contexts:
    """The named contexts of this account, and the one in use."""

    path: Path
    current: str = LOCAL
    places: dict[str, Place] = field(default_factory=dict)

    def save(self) -> None:
        """Writes the file anew, for this account alone; it holds tokens."""
        lines = [f"current = {_quote(self.current)}"]
        for name, place in sorted(self.places.items()):
            lines += ["", f"[contexts.{name}]", f"api = {_quote(place.api)}"]
            lines += [f"token = {_quote(place.token)}"]
            if place.ca_file is not None:
                lines += [f"ca_file = {_quote(str(place.ca_file))}"]
        write_private(self.path, "\n".join(lines) + "\n")


def find_place(invocation: Invocation, environ: Mapping[str, str]) -> Place:
    """The API to talk to; raises CommandFailed when there is none."""
    chosen = _choose_context(invocation, environ)
    api = invocation.api_url or ("" if invocation.context else environ.get("POOLKEEPER_API_URL"))
    if not api:
        place = _read_context(chosen, invocation, environ)
    else:
        # A token must not follow the address to another server, so it is not looked for
        # in a context unless that context has this very address.
        api = check_api(api)
        place = _find_same_api(api, chosen, invocation, environ) or Place(api, "", None)
    return _override(place, invocation, environ)


def load_contexts(environ: Mapping[str, str]) -> Contexts:
    """The named contexts, or an empty list of them."""
    import tomllib

    path = locate_folder(environ) / "contexts.toml"
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        places = {
            name: Place(entry["api"], entry["token"], _optional_path(entry), name)
            for name, entry in content.get("contexts", {}).items()
        }
        return Contexts(path, content.get("current", LOCAL), places)
    except FileNotFoundError:
        return Contexts(path)
    except (OSError, tomllib.TOMLDecodeError, KeyError, AttributeError) as wrong:
        raise CommandFailed(
            f"cannot read the contexts in {path}: {wrong}; mend the file, or remove it and run "
            "`poolkeeper auth init` again"
        ) from None


def locate_folder(environ: Mapping[str, str]) -> Path:
    """The folder of this account's contexts; it need not exist."""
    root = environ.get("XDG_CONFIG_HOME")
    return (Path(root) if root else find_home() / ".config") / "poolkeeper"


def read_path(text: str) -> Path:
    """The path of a flag or variable. Raises CommandFailed."""
    try:
        return expand_home(text)
    except ValueError as wrong:
        raise CommandFailed(str(wrong)) from None


def read_api_file(state_dir: Path) -> dict[str, Any] | None:
    """What the control plane of a state folder wrote down: api, token_file, ca_file, pid."""
    try:
        content = json.loads((state_dir / API_FILE).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except PermissionError as wrong:
        raise CommandFailed(
            f"{state_dir} belongs to another account ({wrong.strerror}); run this as that account, "
            "or log in with `poolkeeper auth init`"
        ) from None
    except ValueError:
        return None  # being written
    return content if isinstance(content, dict) else None


def read_local(state_dir: Path) -> Place:
    """The running Poolkeeper of this machine."""
    content = read_api_file(state_dir)
    if content is None:
        raise CommandFailed(
            f"no Poolkeeper runs in {state_dir}: start one with `poolkeeper up`, or name one "
            "elsewhere with `poolkeeper auth init` or --api-url"
        )
    try:
        token = Path(content["token_file"]).read_text(encoding="utf-8").strip()
    except OSError as wrong:
        raise CommandFailed(f"cannot read the token: {wrong}") from None
    return Place(content["api"], token, Path(content["ca_file"]), LOCAL)


def check_api(url: str) -> str:
    """The address without a slash at its end; https, or http to this machine alone."""
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, 0
    if not host or port == 0 or parts.scheme not in ("https", "http"):
        raise CommandFailed(f"{url!r} is no address of an API; give one like https://HOST:8443")
    if parts.scheme == "http" and not is_loopback(host):
        raise CommandFailed(
            f"{url} would send the token in the clear; give the https:// address of the API"
        )
    return url.rstrip("/")


def is_loopback(host: str) -> bool:
    """Whether that is surely this machine: a name like 127.example.com may be anywhere."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_name(name: str) -> str:
    """A name that a context may have."""
    if name == LOCAL or not _NAME.fullmatch(name):
        raise CommandFailed(
            f"{name!r} cannot name a context: letters, digits, - and _, and not {LOCAL!r}, "
            "which is the Poolkeeper of this machine"
        )
    return name


def write_private(path: Path, text: str) -> None:
    """Puts the text in place at once, readable by this account alone."""
    import os
    import tempfile

    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    Path(name).replace(path)


def _choose_context(invocation: Invocation, environ: Mapping[str, str]) -> str:
    named = invocation.context or environ.get("POOLKEEPER_CONTEXT")
    return named or load_contexts(environ).current


def _read_context(name: str, invocation: Invocation, environ: Mapping[str, str]) -> Place:
    if name == LOCAL:
        return read_local(find_state_dir(invocation.list_flags(), environ))
    places = load_contexts(environ).places
    if name not in places:
        known = ", ".join([LOCAL, *sorted(places)])
        raise CommandFailed(
            f"there is no context {name!r}; there are {known}; `poolkeeper auth init "
            f"--context {name}` makes it"
        )
    return places[name]


def _find_same_api(
    api: str, chosen: str, invocation: Invocation, environ: Mapping[str, str]
) -> Place | None:
    try:
        place = _read_context(chosen, invocation, environ)
    except CommandFailed:
        return None
    return place if place.api == api else None


def _override(place: Place, invocation: Invocation, environ: Mapping[str, str]) -> Place:
    variables = {} if invocation.context else environ
    token, origin = place.token, f"the token of context {place.name!r}"
    if variable := variables.get("POOLKEEPER_ACCESS_TOKEN"):
        token, origin = variable, "the token in POOLKEEPER_ACCESS_TOKEN"
    if invocation.access_token:
        token, origin = invocation.access_token, "the token given with --access-token"
    ca_file = invocation.ca_file or variables.get("POOLKEEPER_CA_FILE") or place.ca_file
    if not token:
        raise CommandFailed(
            f"there is no token for {place.api}: give --access-token or POOLKEEPER_ACCESS_TOKEN, "
            "or log in with `poolkeeper auth init`"
        )
    trusted = read_path(str(ca_file)) if ca_file else None
    return replace(place, token=token, ca_file=trusted, token_origin=origin)


def _optional_path(entry: Mapping[str, Any]) -> Path | None:
    return Path(entry["ca_file"]) if "ca_file" in entry else None


def _quote(text: str) -> str:
    # JSON's strings are TOML's, save for DEL, which no address, token or path has.
    return json.dumps(text, ensure_ascii=False)
