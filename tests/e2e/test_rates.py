"""Rate limits of a control plane as it is set up by its settings."""

from __future__ import annotations

from tests.plane import Plane, running_plane


def test_the_command_line_says_what_to_do() -> None:
    with running_plane("--empty", rate_limit_minute=2, rate_limit_hour=100) as plane:
        with plane.client() as client:
            answer = client.get("/v2/databases")
            assert (answer.status_code, answer.headers["ratelimit-remaining"]) == (200, "99")
            assert client.get("/v2/databases").status_code == 200
            assert client.get("/v2/databases").headers["retry-after"]
        done = plane.run("databases", "list", check=False)
        assert done.returncode == 1
        assert done.stdout == ""
        assert "API Rate limit exceeded: 2 calls a minute" in done.stderr
        assert "try again in" in done.stderr
        assert "(429)" in done.stderr


def test_the_limits_are_digitalocean_s_unless_said() -> None:
    plane = Plane()
    for name in ("POOLKEEPER_RATE_LIMIT_HOUR", "POOLKEEPER_RATE_LIMIT_MINUTE"):
        del plane.environment[name]
    try:
        plane.start("--empty")
        with plane.client() as client:
            statuses = [client.get("/v2/databases").status_code for _ in range(251)]
            assert statuses == [200] * 250 + [429]
            assert client.get("/v2/databases").json()["id"] == "too_many_requests"
    finally:
        plane.destroy()
