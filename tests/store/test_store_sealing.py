"""Secrets at rest, and the key they depend on."""

from __future__ import annotations

import base64
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from locations import KEY, Location

from poolkeeper.domain.errors import PoolkeeperError
from poolkeeper.store.sealing import Sealer, load_sealer

SEALER = Sealer(KEY)


@pytest.mark.parametrize("text", ["", "secret", "pass wörd ✓", "x" * 10_000])
def test_round_trip(text: str) -> None:
    assert SEALER.unseal(SEALER.seal(text, "purpose"), "purpose") == text


def test_each_seal_is_different_and_hides_the_text() -> None:
    sealed = {SEALER.seal("secret", "purpose") for _ in range(100)}
    assert len(sealed) == 100
    assert not any("secret" in text for text in sealed)


def test_another_purpose_does_not_open() -> None:
    with pytest.raises(PoolkeeperError, match="'user b' in the store does not open"):
        SEALER.unseal(SEALER.seal("secret", "user a"), "user b")


def test_another_key_does_not_open() -> None:
    with pytest.raises(PoolkeeperError, match="does not open"):
        Sealer(bytes(32)).unseal(SEALER.seal("secret", "purpose"), "purpose")


def test_no_altered_byte_goes_unnoticed() -> None:
    sealed = SEALER.seal("secret", "purpose")
    form, _, body = sealed.partition(":")
    raw = bytearray(base64.b64decode(body))
    for place in range(len(raw)):
        altered = raw.copy()
        altered[place] ^= 1
        with pytest.raises(PoolkeeperError, match="does not open"):
            SEALER.unseal(f"{form}:{base64.b64encode(altered).decode()}", "purpose")


@pytest.mark.parametrize("text", ["", "secret", "1:", "1:AAAA", "1:*", "1:é", "2:AAAA"])
def test_what_was_never_sealed_does_not_open(text: str) -> None:
    with pytest.raises(PoolkeeperError, match="does not open"):
        SEALER.unseal(text, "purpose")


def test_the_message_has_no_secret() -> None:
    with pytest.raises(PoolkeeperError) as caught:
        SEALER.unseal("1:plain-secret", "purpose")
    assert "plain-secret" not in str(caught.value)


def test_the_key_is_made_once(tmp_path: Path) -> None:
    path = tmp_path / "key"
    sealed = load_sealer(path).seal("secret", "purpose")
    assert len(path.read_bytes()) == 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]
    assert load_sealer(path).unseal(sealed, "purpose") == "secret"


def test_twenty_that_start_together_agree_on_one_key(tmp_path: Path) -> None:
    path = tmp_path / "key"
    with ThreadPoolExecutor(20) as threads:
        sealers = list(threads.map(lambda _: load_sealer(path), range(20)))
    sealed = sealers[0].seal("secret", "purpose")
    assert {sealer.unseal(sealed, "purpose") for sealer in sealers} == {"secret"}
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("step", ["write", "fsync", "link"])
def test_a_kill_while_the_key_is_made_leaves_none_or_all_of_it(tmp_path: Path, step: str) -> None:
    path = tmp_path / "key"
    script = f"""
import os, pathlib, signal
from poolkeeper.store.sealing import load_sealer
def die(*arguments):
    os.kill(os.getpid(), signal.SIGKILL)
os.{step} = die
load_sealer(pathlib.Path({str(path)!r}))
"""
    process = subprocess.run([sys.executable, "-c", script], check=False, timeout=100)
    assert process.returncode == -9
    assert not path.exists()
    load_sealer(path)
    assert len(path.read_bytes()) == 32


@pytest.mark.parametrize("content", [b"", b"short", bytes(33)])
def test_a_damaged_key_is_said_so_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "key"
    path.write_bytes(content)
    with pytest.raises(PoolkeeperError, match=r"is damaged.*restore it from a backup"):
        load_sealer(path)
    assert path.read_bytes() == content


def test_a_key_that_cannot_be_made_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(PoolkeeperError, match="cannot be read or made: No such file"):
        load_sealer(tmp_path / "missing" / "key")


def test_a_store_does_not_open_with_another_key(location: Location) -> None:
    location.open().close()
    with pytest.raises(PoolkeeperError, match="key file does not belong to the store"):
        location.open(key=bytes(32))
    location.open().close()
