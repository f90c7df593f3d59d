"""What psql is told, and what a start is summed up as."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import psycopg.conninfo
import pytest

from poolkeeper.cli.commands.psql import Target
from poolkeeper.cli.commands.tokens import parse_duration
from poolkeeper.cli.errors import CommandFailed
from poolkeeper.cli.summary import StartSummary, format_summary, hide_passwords, is_journal

URI = "postgresql://doadmin:s3cr3t@127.0.0.1:25061/main-pool?sslmode=require"
DIRECT = "postgresql://doadmin:s3cr3t@127.0.0.1:25060/defaultdb?sslmode=require"
SUMMARY = StartSummary(
    "https://127.0.0.1:8443", "/s/token", "/s/ca.crt", 42, "main", URI, DIRECT, f"psql '{URI}'"
)


@pytest.mark.parametrize("database", ["defaultdb", "o'hara", "back\\slash", "two words", ""])
def test_psql_is_told_all_but_the_password(database: str) -> None:
    target = Target("db.example", 25061, database, "app", "s3cr3t")
    conninfo = target.to_conninfo(Path("/a folder/ca.crt"))
    assert "s3cr3t" not in conninfo
    assert psycopg.conninfo.conninfo_to_dict(conninfo) == {
        "host": "db.example",
        "port": "25061",
        "dbname": database,
        "user": "app",
        "sslmode": "verify-full",
        "sslrootcert": "/a folder/ca.crt",
    }


def test_the_first_start_tells_all_and_what_to_do() -> None:
    text = format_summary(SUMMARY, first_start=True, detached=False)
    for fact in (URI, DIRECT, SUMMARY.api, "/s/token", "/s/ca.crt", f"\n  psql '{URI}'\n"):
        assert fact in text


def test_later_starts_tell_the_same_facts_shorter() -> None:
    text = format_summary(SUMMARY, first_start=False, detached=True)
    for fact in (URI, DIRECT, SUMMARY.api, "/s/token", "/s/ca.crt", f"psql '{URI}'"):
        assert fact in text
    assert len(text) < len(format_summary(SUMMARY, first_start=True, detached=True))


def test_an_empty_start_tells_how_to_create_a_cluster() -> None:
    summary = StartSummary("https://127.0.0.1:8443", "/s/token", "/s/ca.crt", 42)
    assert "databases create" in format_summary(summary, first_start=True, detached=False)


def test_passwords_are_hidden_in_the_journal() -> None:
    text = hide_passwords(format_summary(SUMMARY, first_start=True, detached=False))
    assert "s3cr3t" not in text
    assert URI.replace("s3cr3t", "***") in text


def test_the_link_into_the_panel_is_told_but_not_in_the_journal() -> None:
    link = "https://127.0.0.1:8443/sign-in?link=" + "0123abcd" * 8
    text = format_summary(replace(SUMMARY, panel=link), first_start=True, detached=False)
    assert f"Panel   {link}\n" in text
    hidden = hide_passwords(text)
    assert "0123abcd" not in hidden
    assert "https://127.0.0.1:8443/\n" in hidden


def test_the_journal_is_known_by_its_inode(tmp_path: Path) -> None:
    with (tmp_path / "journal").open("w") as stream:
        status = (tmp_path / "journal").stat()
        environ = {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}
        assert is_journal(stream, environ)
        assert not is_journal(stream, {})
    assert not is_journal(sys.stdout, {"JOURNAL_STREAM": "0:0"})


@pytest.mark.parametrize(("text", "seconds"), [("45s", 45), ("30m", 1800), ("90d", 7_776_000)])
def test_durations(text: str, seconds: int) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "90", "1.5h", "-1d", "0d", "1w"])
def test_wrong_durations(text: str) -> None:
    with pytest.raises(CommandFailed, match="give one like"):
        parse_duration(text)
