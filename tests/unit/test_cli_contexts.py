"""Which API the CLI talks to, and that a token never goes where it was not meant to."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from poolkeeper.cli.contexts import (
    Contexts,
    Place,
    check_api,
    check_name,
    find_place,
    load_contexts,
)
from poolkeeper.cli.errors import CommandFailed
from poolkeeper.cli.invocation import Invocation
from poolkeeper.cli.main import run

LOCAL_API = "https://127.0.0.1:8443"
PROD = Place("https://prod.example:8443", "p" * 64, Path("/ca/prod.pem"), "prod")


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """A machine on which Poolkeeper runs, and an account with a context `prod`, not in use."""
    state, config = tmp_path / "state", tmp_path / "config"
    state.mkdir()
    (state / "token").write_text("a" * 64 + "\n")
    written = {
        "api": LOCAL_API,
        "token_file": str(state / "token"),
        "ca_file": str(state / "ca.crt"),
        "pid": 1,
    }
    (state / "api.json").write_text(json.dumps(written))
    Contexts(config / "poolkeeper" / "contexts.toml", places={"prod": PROD}).save()
    return {"POOLKEEPER_HOME": str(state), "XDG_CONFIG_HOME": str(config)}


def switch(environ: dict[str, str], name: str) -> None:
    contexts = load_contexts(environ)
    contexts.current = name
    contexts.save()


def test_the_poolkeeper_of_this_machine_needs_no_login(environ: dict[str, str]) -> None:
    place = find_place(Invocation(), environ)
    assert (place.api, place.token, place.name) == (LOCAL_API, "a" * 64, "local")
    assert place.ca_file == Path(environ["POOLKEEPER_HOME"]) / "ca.crt"


def test_the_context_in_use_beats_it(environ: dict[str, str]) -> None:
    switch(environ, "prod")
    assert find_place(Invocation(), environ) == PROD
    assert find_place(Invocation(context="local"), environ).api == LOCAL_API


def test_a_context_by_variable_and_by_flag(environ: dict[str, str]) -> None:
    environ["POOLKEEPER_CONTEXT"] = "prod"
    assert find_place(Invocation(), environ) == PROD
    assert find_place(Invocation(context="local"), environ).api == LOCAL_API


def test_variables_beat_contexts_and_flags_beat_variables(environ: dict[str, str]) -> None:
    environ |= {
        "POOLKEEPER_API_URL": "https://var.example",
        "POOLKEEPER_ACCESS_TOKEN": "v" * 64,
        "POOLKEEPER_CA_FILE": "/ca/var.pem",
    }
    place = find_place(Invocation(), environ)
    assert (place.api, place.token, place.ca_file) == (
        "https://var.example",
        "v" * 64,
        Path("/ca/var.pem"),
    )
    flags = Invocation(api_url="https://flag.example/", access_token="f", ca_file="/ca/flag.pem")
    place = find_place(flags, environ)
    assert (place.api, place.token, place.ca_file) == (
        "https://flag.example",
        "f",
        Path("/ca/flag.pem"),
    )


def test_a_context_by_flag_is_not_mixed_with_variables(environ: dict[str, str]) -> None:
    environ |= {"POOLKEEPER_API_URL": "https://var.example", "POOLKEEPER_ACCESS_TOKEN": "v" * 64}
    assert find_place(Invocation(context="prod"), environ) == PROD


def test_a_token_does_not_follow_to_another_address(environ: dict[str, str]) -> None:
    with pytest.raises(CommandFailed, match=r"no token for https://evil\.example"):
        find_place(Invocation(api_url="https://evil.example"), environ)
    switch(environ, "prod")
    with pytest.raises(CommandFailed, match="no token for"):
        find_place(Invocation(api_url="https://prod.example:9999"), environ)
    assert find_place(Invocation(api_url=PROD.api), environ).token == PROD.token


def test_contexts_are_for_their_owner_alone(environ: dict[str, str]) -> None:
    contexts = load_contexts(environ)
    assert contexts.path.stat().st_mode & 0o777 == 0o600
    assert contexts.path.parent.stat().st_mode & 0o777 == 0o700


def test_tokens_are_not_in_what_is_printed_of_a_place() -> None:
    assert PROD.token not in repr(PROD)


def test_contexts_survive_being_written_and_read(environ: dict[str, str]) -> None:
    contexts = load_contexts(environ)
    contexts.places["odd"] = Place("https://höst/", 'a"\\b', None, "odd")
    contexts.save()
    assert load_contexts(environ).places == {"prod": PROD, "odd": contexts.places["odd"]}


def test_unknown_contexts_are_told_with_those_that_are(environ: dict[str, str]) -> None:
    with pytest.raises(CommandFailed, match="no context 'prdo'; there are local, prod"):
        find_place(Invocation(context="prdo"), environ)


def test_nothing_running_here_tells_what_to_do(tmp_path: Path) -> None:
    environ = {"POOLKEEPER_HOME": str(tmp_path / "no"), "XDG_CONFIG_HOME": str(tmp_path)}
    with pytest.raises(CommandFailed, match=r"no Poolkeeper runs in .*`poolkeeper up`"):
        find_place(Invocation(), environ)


def test_a_folder_that_cannot_be_written_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", "/proc/nobody")
    assert run(["auth", "switch", "local"]) == 1
    assert capsys.readouterr().err.startswith("Error: cannot use /proc/nobody")


@pytest.mark.parametrize("text", ["not toml [", "contexts = 3", "[contexts.a]\napi = 'x'"])
def test_a_broken_file_of_contexts_is_told(environ: dict[str, str], text: str) -> None:
    load_contexts(environ).path.write_text(text)
    with pytest.raises(CommandFailed, match="cannot read the contexts in"):
        load_contexts(environ)


@pytest.mark.parametrize(
    "url",
    [
        *("host:8443", "ftp://host", "https://", "http://prod.example", "http://127.example.com"),
        *("https://host:port", "https://host:99999", "https://[::1"),
    ],
)
def test_addresses_that_will_not_do(url: str) -> None:
    with pytest.raises(CommandFailed):
        check_api(url)


def test_plain_http_only_to_this_machine() -> None:
    assert check_api("http://127.0.0.1:8080/") == "http://127.0.0.1:8080"


@pytest.mark.parametrize("name", ["local", "", "a b", "../x", "-a", "a.b"])
def test_names_that_a_context_cannot_have(name: str) -> None:
    with pytest.raises(CommandFailed, match="cannot name a context"):
        check_name(name)
