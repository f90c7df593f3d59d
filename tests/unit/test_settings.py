"""Settings: where they come from, what they may be, and that all errors are told at once."""

from __future__ import annotations

import os
import pwd
import re
from pathlib import Path

import pytest

from poolkeeper.settings import ROWS, Loaded, Settings, SettingsError, find_state_dir, load
from poolkeeper.settings.types import LONGEST_STATE_DIR, Process, mask_password


@pytest.fixture
def process(tmp_path: Path) -> Process:
    """An ordinary user with an empty home, on a machine without /etc/poolkeeper."""
    return Process(euid=1000, home=tmp_path, system_file=tmp_path / "etc" / "poolkeeper.toml")


def problems_of(flags: dict[str, str | None], process: Process, **more: object) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(flags, dict[str, str](more.pop("environ", {})), process=process)  # type: ignore[call-overload]
    return caught.value.problems


def write_file(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "poolkeeper.toml"
    path.write_text(text)
    return path


class TestDefaults:
    def test_an_account_without_a_home_may_still_say_where_all_is(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(_uid: int) -> None:
            raise KeyError

        monkeypatch.delenv("HOME")
        monkeypatch.setattr(pwd, "getpwuid", refuse)
        assert find_state_dir({}, {"POOLKEEPER_HOME": "/srv/pk"}) == Path("/srv/pk")

    def test_of_an_ordinary_user(self, process: Process) -> None:
        loaded = load({}, {}, process=process)
        assert loaded.settings == Settings(
            state_dir=process.home / ".local/share/poolkeeper",
            listen="127.0.0.1",
            api_port=8443,
            public_host="127.0.0.1",
            first_port=25060,
            account=None,
            store_url=None,
            pgbouncer=None,
            postgres_prefixes=(Path("/usr/lib/postgresql"),),
            log_level="info",
            query_wait_timeout=120,
            max_client_conn=10_000,
            drain_seconds=10,
            deleted_data_days=7,
            request_wait_seconds=15,
            restart_wait_seconds=30,
            restart_cuts="after-the-wait",
            rate_limit_hour=5000,
            rate_limit_minute=250,
            panel_idle_hours=12,
            panel_session_days=7,
        )
        assert set(loaded.origins.values()) == {"default"}

    def test_of_root(self, process: Process) -> None:
        root = Process(euid=0, home=process.home, system_file=process.system_file)
        settings = load({}, {}, process=root, host_checks=False).settings
        assert (settings.state_dir, settings.account) == (
            Path("/var/lib/poolkeeper"),
            "poolkeeper",
        )

    def test_every_setting_is_a_row_and_every_row_a_setting(self) -> None:
        assert [row.name for row in ROWS] == list(Settings.__dataclass_fields__)

    @pytest.mark.parametrize(
        ("listen", "public_host"),
        [("127.0.0.9", "127.0.0.9"), ("::1", "::1"), ("192.0.2.7", "192.0.2.7")],
    )
    def test_one_address_is_its_own_public_host(
        self, process: Process, listen: str, public_host: str
    ) -> None:
        assert load({"listen": listen}, {}, process=process).settings.public_host == public_host

    @pytest.mark.parametrize("listen", ["0.0.0.0", "::"])
    def test_every_address_is_reached_by_the_name_of_this_machine(
        self, process: Process, listen: str
    ) -> None:
        name = load({"listen": listen}, {}, process=process).settings.public_host
        assert name
        assert name != listen


class TestPrecedence:
    def test_flags_beat_variables_beat_the_file_beats_defaults(self, process: Process) -> None:
        state = process.home / "state"
        file = write_file(state, 'api_port = 1001\nfirst_port = 1003\nlog_level = "debug"\n')
        loaded = load(
            {"api_port": "3001"},
            {
                "POOLKEEPER_HOME": str(state),
                "POOLKEEPER_API_PORT": "2001",
                "POOLKEEPER_FIRST_PORT": "2003",
            },
            process=process,
        )
        settings = loaded.settings
        assert (settings.api_port, settings.first_port, settings.log_level) == (3001, 2003, "debug")
        assert loaded.origins["api_port"] == "--api-port"
        assert loaded.origins["first_port"] == "POOLKEEPER_FIRST_PORT"
        assert loaded.origins["log_level"] == f"poolkeeper.toml: {file}"
        assert loaded.origins["state_dir"] == "POOLKEEPER_HOME"
        assert loaded.origins["listen"] == "default"

    def test_config_flag_beats_variable_beats_state_folder_beats_etc(
        self, process: Process
    ) -> None:
        def level(flags: dict[str, str | None], environ: dict[str, str]) -> str:
            return load(flags, environ, process=process).settings.log_level

        write_file(process.system_file.parent, 'log_level = "debug"')
        assert level({}, {}) == "debug"
        write_file(process.home / ".local/share/poolkeeper", 'log_level = "warning"')
        assert level({}, {}) == "warning"
        named = {"POOLKEEPER_CONFIG": str(write_file(process.home / "a", 'log_level = "error"'))}
        assert level({}, named) == "error"
        given = str(write_file(process.home / "b", 'log_level = "info"'))
        assert level({"config": given}, named) == "info"

    def test_an_empty_variable_is_none(self, process: Process) -> None:
        assert load({}, {"POOLKEEPER_LISTEN": ""}, process=process).settings.listen == "127.0.0.1"

    def test_a_file_elsewhere_may_set_the_state_folder(self, process: Process) -> None:
        file = write_file(process.home / "conf", 'state_dir = "/srv/pk"')
        loaded = load({"config": str(file)}, {}, process=process)
        assert loaded.settings.state_dir == Path("/srv/pk")
        assert find_state_dir({"config": str(file)}, {}, process=process) == Path("/srv/pk")

    def test_only_a_file_that_may_name_the_state_folder_has_to_be_readable(
        self, process: Process
    ) -> None:
        own = process.home / ".local/share/poolkeeper"
        write_file(own, "= 1")
        assert find_state_dir({}, {}, process=process) == own
        elsewhere = {"config": str(write_file(process.home / "conf", "= 1"))}
        with pytest.raises(SettingsError, match="is not TOML"):
            find_state_dir(elsewhere, {}, process=process)
        named = {"POOLKEEPER_STATE_DIR": "/srv/pk"}
        assert find_state_dir(elsewhere, named, process=process) == Path("/srv/pk")

    def test_lists_in_the_file_and_colons_elsewhere(self, process: Process) -> None:
        file = write_file(process.home / "conf", 'postgres_prefixes = ["/a", "/b"]')
        assert load({"config": str(file)}, {}, process=process).settings.postgres_prefixes == (
            Path("/a"),
            Path("/b"),
        )
        given = load({"postgres_prefixes": "/c:/d"}, {}, process=process)
        assert given.settings.postgres_prefixes == (Path("/c"), Path("/d"))


class TestWrongSettings:
    def test_all_are_told_at_once_with_their_origins(self, process: Process) -> None:
        file = write_file(process.home / "conf", 'api_prot = 1\nlog_level = "loud"\n')
        found = problems_of(
            {"config": str(file), "listen": "localhost"},
            process,
            environ={"POOLKEEPER_FIRST_PORT": "70000"},
        )
        assert len(found) == 4
        text = "\n".join(found)
        assert "api_prot" in text
        assert "did you mean api_port?" in text
        assert f"log_level (poolkeeper.toml: {file}): 'loud' is not one of" in text
        assert "listen (--listen): 'localhost' is not an IP address" in text
        assert "first_port (POOLKEEPER_FIRST_PORT): '70000' is not a whole number from 1" in text

    @pytest.mark.parametrize(
        ("name", "value", "message"),
        [
            ("state_dir", "pk", "relative path"),
            ("state_dir", "", "relative path"),
            ("state_dir", "~nobody-of-that-name/pk", "the home of nobody here"),
            ("state_dir", "/" + "x" * LONGEST_STATE_DIR, "Unix sockets"),
            ("listen", "300.0.0.1", "not an IP address"),
            ("api_port", "0", "from 1 to 65535"),
            ("api_port", "80.5", "from 1 to 65535"),
            ("api_port", "9" * 40, "from 1 to 65535"),
            ("first_port", "65535", "from 1 to 65534"),
            ("public_host", "no such host", "neither a host name nor an IP address"),
            ("public_host", "-a.example", "neither a host name nor an IP address"),
            ("account", "Bad Name", "not the name of a system account"),
            ("pgbouncer", "bin/pgbouncer", "relative path"),
            ("postgres_prefixes", ":", "is empty"),
            ("log_level", "loud", "not one of"),
            ("query_wait_timeout", "-1", "from 0 to 86400"),
            ("max_client_conn", "0", "from 1"),
            ("drain_seconds", "1h", "from 0"),
            ("deleted_data_days", "", "from 0"),
            ("request_wait_seconds", "0", "from 1"),
        ],
    )
    def test_each(self, process: Process, name: str, value: str, message: str) -> None:
        [problem] = problems_of({name: value}, process)
        assert problem.startswith(f"{name} (--{name.replace('_', '-')}): ")
        assert message in problem

    def test_a_file_below_the_home_of_nobody(self, process: Process) -> None:
        [problem] = problems_of({"config": "~nobody-of-that-name/poolkeeper.toml"}, process)
        assert problem.startswith("config (--config): ") and "the home of nobody here" in problem

    @pytest.mark.parametrize("first", ["8443", "8442"])
    def test_api_and_first_cluster_on_one_port(self, process: Process, first: str) -> None:
        [problem] = problems_of({"first_port": first}, process)
        assert "8443 would serve the API and the first cluster" in problem

    def test_two_variables_for_the_state_folder_that_differ(self, process: Process) -> None:
        environ = {"POOLKEEPER_HOME": "/a", "POOLKEEPER_STATE_DIR": "/b"}
        [problem] = problems_of({}, process, environ=environ)
        assert "POOLKEEPER_STATE_DIR and POOLKEEPER_HOME differ" in problem
        with pytest.raises(SettingsError):
            find_state_dir({}, environ, process=process)

    def test_a_file_in_the_state_folder_cannot_move_it(self, process: Process) -> None:
        state = process.home / "state"
        write_file(state, 'state_dir = "/elsewhere"')
        [problem] = problems_of({"state_dir": str(state)}, process)
        assert "cannot move it" in problem

    @pytest.mark.parametrize("text", ["= 1", "[broken", "log_level = yes"])
    def test_a_file_that_is_not_toml(self, process: Process, text: str) -> None:
        file = write_file(process.home / "conf", text)
        [problem] = problems_of({"config": str(file)}, process)
        assert "is not TOML" in problem

    @pytest.mark.parametrize("value", ["true", "1.5", "{ a = 1 }", "[1, 2]"])
    def test_a_value_of_the_wrong_type(self, process: Process, value: str) -> None:
        file = write_file(process.home / "conf", f"api_port = {value}")
        [problem] = problems_of({"config": str(file)}, process)
        assert problem.startswith("api_port")

    def test_a_named_file_that_is_not_there(self, process: Process) -> None:
        [problem] = problems_of({"config": "/nowhere/pk.toml"}, process)
        assert "config (--config): there is no file /nowhere/pk.toml" in problem

    def test_one_problem_is_one_line_and_several_are_a_list(self) -> None:
        assert str(SettingsError(["a: b"])) == "wrong setting: a: b"
        assert str(SettingsError(["a: b", "c: d"])) == "2 wrong settings:\n  - a: b\n  - c: d"


class TestThisMachine:
    def test_an_account_that_is_not_there_tells_how_to_make_it(self, process: Process) -> None:
        root = Process(euid=0, home=process.home, system_file=process.system_file)
        [problem] = problems_of({"account": "no-such-account"}, root)
        assert "adduser --system --group no-such-account" in problem

    def test_root_is_refused_as_the_account(self, process: Process) -> None:
        root = Process(euid=0, home=process.home, system_file=process.system_file)
        [problem] = problems_of({"account": "root"}, root)
        assert "PostgreSQL does not run as root" in problem

    def test_without_root_only_ones_own_account_will_do(self, process: Process) -> None:
        other = Process(euid=os.geteuid() + 4321, home=process.home)
        [problem] = problems_of({"account": "nobody"}, other)
        assert "only root can run servers as 'nobody'" in problem

    def test_ones_own_account_is_no_account(self, process: Process) -> None:
        nobody = pwd.getpwnam("nobody")
        own = Process(euid=nobody.pw_uid, home=process.home, system_file=process.system_file)
        assert load({"account": nobody.pw_name}, {}, process=own).settings.account is None

    def test_a_pgbouncer_that_is_no_program(self, process: Process, tmp_path: Path) -> None:
        (tmp_path / "pgbouncer").write_text("")
        [problem] = problems_of({"pgbouncer": str(tmp_path / "pgbouncer")}, process)
        assert "is not a program" in problem

    def test_whoever_only_looks_is_not_asked(self, process: Process) -> None:
        flags = {"account": "no-such-account", "pgbouncer": "/nowhere"}
        assert load(flags, {}, process=process, host_checks=False).settings.account is None


class TestSecrets:
    URL = "postgresql+psycopg://keeper:s3cr3t@db/keeper"

    def shown(self, loaded: Loaded) -> str:
        return repr(loaded.list_rows()) + repr(loaded.settings)

    def test_the_store_password_is_never_shown(self, process: Process) -> None:
        loaded = load({"store_url": self.URL}, {}, process=process)
        assert loaded.settings.store_url == self.URL
        assert "s3cr3t" not in self.shown(loaded)
        assert "postgresql+psycopg://keeper:***@db/keeper" in self.shown(loaded)

    def test_nor_when_the_url_is_wrong(self, process: Process) -> None:
        [problem] = problems_of({"store_url": "mysql://keeper:s3cr3t@db/keeper"}, process)
        assert "s3cr3t" not in problem
        assert "postgresql://USER" in problem

    @pytest.mark.parametrize(
        "url",
        [
            "postgresql+psycopg://u:s3cr3t@h/db",
            "postgresql+psycopg://u:s3cr3t%40x@h:5432/db?sslmode=require",
            "postgresql+psycopg://u:s3cr3t/x@y@h/db",
            "postgresql+psycopg:///db?host=/run/pg&password=s3cr3t",
        ],
    )
    def test_wherever_it_stands(self, url: str) -> None:
        masked = mask_password(url)
        assert "s3cr3t" not in masked
        assert re.search(r"(:|=)\*\*\*", masked)

    def test_a_url_without_one_stays(self) -> None:
        assert mask_password("postgresql+psycopg://h/db") == "postgresql+psycopg://h/db"
