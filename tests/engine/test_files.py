import os
import stat
from pathlib import Path

import pytest

from poolkeeper.domain.errors import EngineError
from poolkeeper.engine.accounts import Account, find_account
from poolkeeper.engine.files import (
    make_directory,
    open_log,
    read_file,
    read_tail,
    remove_tree,
    write_if_changed,
)
from poolkeeper.engine.layout import MAX_SOCKET_PATH, check_socket_paths, make_state_folders

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root writes for another account")


def test_only_a_byte_that_differs_is_a_change(tmp_path: Path) -> None:
    path = tmp_path / "file"
    assert write_if_changed(path, "one", owner=None)
    before = path.stat()
    assert not write_if_changed(path, b"one", owner=None)
    # Not the whole: that it was read may be noted.
    after = path.stat()
    assert (after.st_ino, after.st_ctime_ns) == (before.st_ino, before.st_ctime_ns)
    assert write_if_changed(path, "two", owner=None, fsync=True)
    # PgBouncer tells a change by whole seconds, size and inode.
    assert path.stat().st_ino != before.st_ino
    assert path.read_text() == "two"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_mode_is_put_right_without_a_change(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_if_changed(path, "one", owner=None)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    assert not write_if_changed(path, "one", owner=None)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@as_root
def test_the_owner_is_put_right(folder: Path, account: Account) -> None:
    write_if_changed(folder / "file", "one", owner=None)
    assert not write_if_changed(folder / "file", "one", owner=account)
    assert (folder / "file").stat().st_uid == account.uid
    write_if_changed(folder / "file", "two", owner=account)
    assert (folder / "file").stat().st_uid == account.uid


def test_a_link_is_replaced_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("untouched")
    (tmp_path / "file").symlink_to(target)
    assert read_file(tmp_path / "file") is None
    assert read_tail(tmp_path / "file", 5) == []
    with pytest.raises(OSError, match="symbolic links"):
        open_log(tmp_path / "file", None)
    assert write_if_changed(tmp_path / "file", "untouched", owner=None)
    assert target.read_text() == "untouched"
    assert not (tmp_path / "file").is_symlink()


@as_root
def test_a_folder_of_the_account_that_is_a_link_is_not_followed(
    tmp_path: Path, account: Account
) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    with pytest.raises(OSError, match="Not a directory"):
        write_if_changed(tmp_path / "link" / "file", "text", owner=account)
    with pytest.raises(OSError, match="Not a directory"):
        open_log(tmp_path / "link" / "file", account)
    with pytest.raises(OSError, match="Not a directory"):
        make_directory(tmp_path / "link", account)
    assert list((tmp_path / "real").iterdir()) == []


def test_a_write_that_fails_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(OSError, match="directory"):
        write_if_changed(tmp_path / "taken", "text", owner=None)
    assert [entry.name for entry in tmp_path.iterdir()] == ["taken"]


def test_folders_are_made_once_and_put_right(tmp_path: Path) -> None:
    make_directory(tmp_path / "new", None)
    (tmp_path / "new").chmod(0o755)
    make_directory(tmp_path / "new", None)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700
    (tmp_path / "new" / "file").touch()
    remove_tree(tmp_path / "new")
    remove_tree(tmp_path / "new")
    assert list(tmp_path.iterdir()) == []


def test_the_tail_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "log"
    assert read_tail(path, 3) == []
    path.write_text("".join(f"line {number}\n" for number in range(100)))
    assert read_tail(path, 2) == ["line 98", "line 99"]
    # Cut in the middle of a line, which then is left out.
    assert read_tail(path, 50, limit=20) == ["line 98", "line 99"]
    # One that is still being written is no line yet, unless it is all there is.
    path.write_text("whole\nto")
    assert read_tail(path, 1) == ["whole"]
    path.write_text("to")
    assert read_tail(path, 1) == ["to"]


def test_who_may_pass_through_the_state_directory(tmp_path: Path, account: Account | None) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "state").symlink_to("disk")
    make_state_folders(tmp_path / "state", account)
    for name in ("", "clusters", "run"):
        found = (tmp_path / "disk" / name).stat()
        assert found.st_uid == os.geteuid()
        assert stat.S_IMODE(found.st_mode) == (0o710 if account else 0o700)
        assert account is None or found.st_gid == account.gid


def test_a_state_directory_too_deep_for_sockets_is_refused() -> None:
    below = len("/run/65535/pooler-99/.s.PGSQL.65535")
    check_socket_paths(Path("/" + "d" * (MAX_SOCKET_PATH - below - 1)))
    with pytest.raises(EngineError, match="1 bytes too long"):
        check_socket_paths(Path("/" + "d" * (MAX_SOCKET_PATH - below)))


@as_root
@pytest.mark.parametrize(
    ("name", "reason"),
    [(None, "name an account"), ("no-such-account", "no system account"), ("root", "is root")],
)
def test_root_needs_an_account(name: str | None, reason: str) -> None:
    with pytest.raises(EngineError, match=reason):
        find_account(name)
