import os
import socket
from pathlib import Path

import pytest

from poolkeeper.domain.errors import EngineError
from poolkeeper.engine.host import (
    cpu_count,
    measure_memory,
    memory_bytes,
    port_holder,
    port_is_free,
)
from tests.plane import find_free_ports

GIB = 2**30


MACHINE = {"proc/meminfo": f"MemTotal: {8 * 2**20} kB\nMemAvailable: {3 * 2**20} kB\n"}


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in {**MACHINE, **files}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_the_memory_of_this_host() -> None:
    assert 64 * 2**20 < memory_bytes() <= os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert 1 <= cpu_count() <= (os.cpu_count() or 1)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, 8 * GIB),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "max\n"}, 8 * GIB),
        # Version 2: a unit within a slice that has less than the unit.
        (
            {
                "proc/self/cgroup": "0::/system.slice/poolkeeper.service\n",
                "sys/fs/cgroup/system.slice/poolkeeper.service/memory.max": str(3 * GIB),
                "sys/fs/cgroup/system.slice/memory.max": str(2 * GIB),
            },
            2 * GIB,
        ),
        # Version 1 in a container: the path is the host's and not to be seen.
        (
            {
                "proc/self/cgroup": "5:cpu,cpuacct:/docker/1\n4:memory:/docker/1\n0::/\n",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": str(GIB),
            },
            GIB,
        ),
    ],
)
def test_a_control_group_limits_memory(
    tmp_path: Path, files: dict[str, str], expected: int
) -> None:
    assert memory_bytes(write(tmp_path, files)) == expected


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, 5 * GIB),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "max\n"}, 5 * GIB),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": str(2 * GIB)}, 5 * GIB),
        (
            {
                "proc/self/cgroup": "0::/\n",
                "sys/fs/cgroup/memory.max": str(2 * GIB),
                "sys/fs/cgroup/memory.current": str(GIB),
                "sys/fs/cgroup/memory.stat": f"anon 1\ninactive_file {GIB // 2}\n",
            },
            GIB // 2,
        ),
        (
            {
                "proc/self/cgroup": "4:memory:/docker/1\n",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": str(2 * GIB),
                "sys/fs/cgroup/memory/memory.usage_in_bytes": str(GIB),
                "sys/fs/cgroup/memory/memory.stat": f"cache 1\ntotal_inactive_file {GIB // 4}\n",
            },
            GIB * 3 // 4,
        ),
    ],
)
def test_what_a_container_uses_is_not_what_its_machine_does(
    tmp_path: Path, files: dict[str, str], expected: int
) -> None:
    assert measure_memory(write(tmp_path, files)).used == expected


@pytest.mark.parametrize(
    "files",
    [
        {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "100000 100000\n"},
        {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "20000 100000\n"},
        {
            "proc/self/cgroup": "5:cpu,cpuacct:/x\n",
            "sys/fs/cgroup/cpu/x/cpu.cfs_quota_us": "150000",
            "sys/fs/cgroup/cpu/x/cpu.cfs_period_us": "100000",
        },
    ],
)
def test_a_control_group_limits_processors(tmp_path: Path, files: dict[str, str]) -> None:
    assert cpu_count(write(tmp_path, files)) == 1


def test_no_quota_is_no_limit(tmp_path: Path) -> None:
    files = {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "max 100000\n"}
    assert cpu_count(write(tmp_path, files)) == len(os.sched_getaffinity(0))


@pytest.mark.parametrize("shared", [False, True])
def test_a_port_that_somebody_listens_on_is_taken(shared: bool) -> None:
    with socket.socket() as listener:
        # PgBouncer's processes share their port; that must not make it look free.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, int(shared))
        # None that the system hands out: it could be somebody else's a moment later.
        port = find_free_ports(1)
        listener.bind(("127.0.0.1", port))
        listener.listen()
        assert not port_is_free("127.0.0.1", port)
        assert not port_is_free("0.0.0.0", port)
        assert not port_is_free("*", port)
        assert not port_is_free("localhost", port)
        ours = Path("/proc/self/comm").read_text().strip()
        assert port_holder(port) == f"pid {os.getpid()} ({ours})"
    assert port_is_free("127.0.0.1", port)
    assert port_holder(port) is None


@pytest.mark.parametrize(
    ("address", "reason"),
    [("192.0.2.1", "Cannot assign requested address"), ("no such host", "no such host")],
)
def test_an_address_that_is_not_ours_is_an_error(address: str, reason: str) -> None:
    with pytest.raises(EngineError, match=reason):
        port_is_free(address, 25060)
