import os
from pathlib import Path

from poolkeeper.engine.postgres.binaries import find_majors


def install(folder: Path, version: str) -> Path:
    """Programs that say what PostgreSQL's say of their version."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("postgres", "initdb"):
        program = folder / name
        program.write_text(f"#!/bin/sh\necho 'postgres (PostgreSQL) {version}'\n")
        program.chmod(0o755)
    return folder


def test_every_installed_major_is_found_newest_first(tmp_path: Path) -> None:
    install(tmp_path / "lib/9.6/bin", "9.6.24")
    install(tmp_path / "lib/12/bin", "12.22")
    install(tmp_path / "lib/13/bin", "13.21 (Debian 13.21-1.pgdg120+1)")
    install(tmp_path / "lib/17/bin", "17.5")
    install(tmp_path / "lib/19/bin", "19beta1")
    install(tmp_path / "local/bin", "17.2")
    install(tmp_path / "lib/16/bin", "of another kind")
    client_only = install(tmp_path / "lib/18/bin", "18.1")
    (client_only / "initdb").unlink()
    found = find_majors([tmp_path / "missing", tmp_path / "lib", tmp_path / "local"])
    assert [(each.major, each.full_version) for each in found] == [
        ("19", "19beta1"),
        ("17", "17.5"),
        ("13", "13.21"),
    ]
    assert found[1].bin == tmp_path / "lib/17/bin"


def test_an_upgraded_package_is_asked_anew(tmp_path: Path) -> None:
    folder = install(tmp_path / "15/bin", "15.14")
    assert find_majors([tmp_path])[0].full_version == "15.14"
    install(folder, "15.15")
    os.utime(folder / "postgres", (1, 2_000_000_000))
    assert find_majors([tmp_path])[0].full_version == "15.15"
