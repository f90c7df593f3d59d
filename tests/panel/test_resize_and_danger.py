"""Another size for a cluster, new passwords for its users, and its end."""

from __future__ import annotations

import re
from uuid import UUID

import pytest

from poolkeeper.domain.clusters import Cluster, parse_resize_request
from poolkeeper.domain.errors import NotFound, Refused
from poolkeeper.domain.pools import PoolMode, PoolShape
from poolkeeper.domain.tokens import DELETE, READ, UPDATE
from poolkeeper.domain.users import User
from poolkeeper.panel.pages import danger
from poolkeeper.usecases import resize
from poolkeeper.usecases.clusters import list_clusters, require_live_cluster
from poolkeeper.usecases.context import Context
from poolkeeper.usecases.pools import create_pool
from poolkeeper.usecases.resize import resize_cluster
from poolkeeper.usecases.users import create_user, list_users, reset_auth
from tests.panel.browsing import Panel

BIGGER = "db-s-2vcpu-4gb"
EVIL = '"><img src=x onerror=alert(1)>'


@pytest.fixture
def cluster_id(panel: Panel) -> UUID:
    return panel.create_cluster()


@pytest.fixture
def path(cluster_id: UUID) -> str:
    return f"/databases/{cluster_id}/settings"


def read_error(page: str, field: str) -> str:
    found = re.search(rf'<p class="error" id="error-{field}">([^<]*)</p>', page)
    assert found, f"no error beside {field}"
    return found[1]


def read(panel: Panel, cluster_id: UUID) -> Cluster:
    return require_live_cluster(panel.context, cluster_id)


def test_the_effect_of_a_size_is_shown_before_anything_happens(
    panel: Panel, cluster_id: UUID, path: str
) -> None:
    shape = PoolShape("defaultdb", "doadmin", PoolMode.TRANSACTION, 20)
    create_pool(panel.context, "test", cluster_id, "web", shape)
    before = read(panel, cluster_id)
    browser = panel.browse_as(READ, UPDATE)
    assert "This is the size that the cluster has" in browser.get(f"{path}/resize").text
    page = browser.get(f"{path}/resize?size={BIGGER}").text
    assert "They hold 20 of 97 backend connections then, 77 are free." in page
    assert "The budget grows once PostgreSQL has been restarted." in page
    assert re.search(r"shared_buffers<.*256 MiB.*<strong>1 GiB</strong>", page)
    assert "Clients of transaction and statement pools wait" in page
    assert "Up to 30 s are given" in page
    assert read(panel, cluster_id) == before


def test_a_cluster_is_resized(panel: Panel, cluster_id: UUID, path: str) -> None:
    browser = panel.browse_as(READ, UPDATE)
    browser.get(f"{path}/resize?size={BIGGER}")
    answer = browser.send(f"{path}/resize", {"size": BIGGER, "from": "db-s-1vcpu-1gb"})
    assert (answer.status_code, answer.headers["location"]) == (303, path)
    assert f"The cluster becomes a {BIGGER}." in browser.get(path).text
    cluster = read(panel, cluster_id)
    assert (cluster.size.slug, cluster.storage_size_mib) == (BIGGER, 60 * 1024)


@pytest.mark.parametrize("sent", [False, True])
def test_a_size_that_is_too_small_is_refused_with_its_sum_beside_the_field(
    panel: Panel, cluster_id: UUID, path: str, sent: bool
) -> None:
    request = parse_resize_request(size=BIGGER, num_nodes=1, storage_size_mib=None)
    resize_cluster(panel.context, "test", cluster_id, request)
    shape = PoolShape("defaultdb", "doadmin", PoolMode.TRANSACTION, 20)
    for name in ("web", "jobs"):
        create_pool(panel.context, "test", cluster_id, name, shape)
    object.__setattr__(panel.context, "wait_seconds", 0.0)
    browser = panel.browse_as(READ, UPDATE)
    answer = browser.get(f"{path}/resize?size=db-s-1vcpu-1gb")
    if sent:
        answer = browser.send(f"{path}/resize", {"size": "db-s-1vcpu-1gb", "from": BIGGER})
    assert answer.status_code == 422
    assert read_error(answer.text, "size") == (
        "db-s-1vcpu-1gb has 22 backend connections, the pools hold 40 (jobs 20, web 20);"
        " delete some or make them smaller first"
    )
    assert "this size has 22: 18 too many" in answer.text
    assert '<option value="db-s-1vcpu-1gb" selected>' in answer.text
    assert read(panel, cluster_id).size.slug == BIGGER


def test_a_size_that_there_is_not_is_refused(panel: Panel, cluster_id: UUID, path: str) -> None:
    browser = panel.browse_as(READ, UPDATE)
    answer = browser.get(f"{path}/resize?size=%22%3E%3Cimg%20src=x%3E")
    assert answer.status_code == 422
    assert "it is a slug such as" in read_error(answer.text, "size")
    assert "<img src=x" not in answer.text
    answer = browser.send(f"{path}/resize", {"size": "huge", "from": "db-s-1vcpu-1gb"})
    assert answer.status_code == 422
    assert "it is a slug such as" in read_error(answer.text, "size")


def test_a_resize_planned_for_another_size_is_not_made(
    panel: Panel, cluster_id: UUID, path: str
) -> None:
    browser = panel.browse_as(READ, UPDATE)
    browser.get(f"{path}/resize?size={BIGGER}")
    request = parse_resize_request(size="db-s-1vcpu-2gb", num_nodes=1, storage_size_mib=None)
    resize_cluster(panel.context, "test", cluster_id, request)
    answer = browser.send(f"{path}/resize", {"size": BIGGER, "from": "db-s-1vcpu-1gb"})
    assert answer.status_code == 422
    assert "resized by somebody else meanwhile" in answer.text
    assert 'name="from" value="db-s-1vcpu-2gb"' in answer.text
    assert read(panel, cluster_id).size.slug == "db-s-1vcpu-2gb"


def test_a_resize_that_is_overtaken_while_it_waits_is_not_made(
    panel: Panel, cluster_id: UUID, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = panel.browse_as(READ, UPDATE)
    request = parse_resize_request(size="db-s-1vcpu-2gb", num_nodes=1, storage_size_mib=None)

    def wait(*_: object) -> None:
        monkeypatch.undo()
        resize.resize_cluster(panel.context, "test", cluster_id, request)

    monkeypatch.setattr(resize, "await_online", wait)
    answer = browser.send(f"{path}/resize", {"size": BIGGER, "from": "db-s-1vcpu-1gb"})
    assert answer.status_code == 422
    assert "resized by somebody else meanwhile" in answer.text
    assert read(panel, cluster_id).size.slug == "db-s-1vcpu-2gb"


def test_every_user_gets_a_new_password(panel: Panel, cluster_id: UUID, path: str) -> None:
    create_user(panel.context, "test", cluster_id, "app")
    before = {user.name: user.password for user in list_users(panel.context, cluster_id)}
    browser = panel.browse_as(READ, UPDATE)
    page = browser.get(f"{path}/rotate").text
    assert "2 users get a new password" in page and "<code>app</code>" in page
    answer = browser.send(f"{path}/rotate")
    assert (answer.status_code, answer.headers["location"]) == (303, path)
    page = browser.get(path).text
    assert "2 passwords are new" in page
    after = {user.name: user.password for user in list_users(panel.context, cluster_id)}
    assert after.keys() == before.keys()
    assert all(after[name] != before[name] for name in before)
    assert not [text for text in after.values() if text in page]


def test_a_rotation_that_stops_says_whose_passwords_are_new(
    panel: Panel, cluster_id: UUID, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("gone", "zoe"):
        create_user(panel.context, "test", cluster_id, name)
    before = {user.name: user.password for user in list_users(panel.context, cluster_id)}

    def reset(context: Context, actor: str, cluster_id: UUID, name: str) -> User:
        if name == "gone":
            raise NotFound("not found")
        if name == "zoe":
            raise Refused("user: PostgreSQL said <no>")
        return reset_auth(context, actor, cluster_id, name)

    monkeypatch.setattr(danger, "reset_auth", reset)
    browser = panel.browse_as(READ, UPDATE)
    browser.get(f"{path}/rotate")
    answer = browser.send(f"{path}/rotate")
    assert answer.status_code == 422
    assert "The password of zoe was not replaced: user: PostgreSQL said &lt;no&gt;." in answer.text
    assert "1 password is new already: doadmin." in answer.text
    after = {user.name: user.password for user in list_users(panel.context, cluster_id)}
    assert after["doadmin"] != before["doadmin"]
    assert after["zoe"] == before["zoe"]
    # Doing it again is for the rest, as it says.
    monkeypatch.setattr(danger, "reset_auth", reset_auth)
    hidden = dict(re.findall(r'<input type="hidden" name="(from)" value="([^"]*)">', answer.text))
    assert browser.send(f"{path}/rotate", hidden).status_code == 303
    again = {user.name: user.password for user in list_users(panel.context, cluster_id)}
    assert (again["doadmin"], again["gone"]) == (after["doadmin"], after["gone"])
    assert again["zoe"] != after["zoe"]


def test_a_cluster_is_destroyed_by_typing_its_name(panel: Panel, path: str) -> None:
    browser = panel.browse_as(READ, DELETE)
    page = browser.get(f"{path}/destroy").text
    assert "The data directory is kept on this host for 7 days" in page
    answer = browser.send(f"{path}/destroy", {"confirm": f"mian{EVIL}"})
    assert answer.status_code == 422
    assert read_error(answer.text, "confirm") == "type main to destroy it"
    assert "mian&#34;&gt;" in answer.text and "<img src=x" not in answer.text
    assert len(list_clusters(panel.context)) == 1
    answer = browser.send(f"{path}/destroy", {"confirm": " main "})
    assert (answer.status_code, answer.headers["location"]) == (303, "/databases")
    assert "Cluster main is being destroyed." in browser.get("/databases").text
    assert list_clusters(panel.context) == []
    assert browser.get(path).status_code == 404
