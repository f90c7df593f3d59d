"""Users of a cluster: ``/v2/databases/{id}/users``."""

from __future__ import annotations

from starlette.responses import Response

from poolkeeper.api import shapes
from poolkeeper.api.answers import Json, no_content
from poolkeeper.api.auth import Caller, Creator, Deleter, Reader, Updater, make_router
from poolkeeper.api.bodies import ResetAuthBody, UserBody, UserChangeBody
from poolkeeper.api.paging import Paging, cut_page, describe_page
from poolkeeper.api.paths import CLUSTER, ClusterId, UserName
from poolkeeper.api.present import present_user
from poolkeeper.domain.errors import InvalidField
from poolkeeper.domain.users import User
from poolkeeper.usecases import users

router = make_router("Users", f"{CLUSTER}/users")


@router.get("", operation_id="databases_list_users", response_model=shapes.UserList)
def list_users(caller: Reader, cluster_id: ClusterId, paging: Paging) -> Json:
    """The users of a cluster."""
    found = users.list_users(caller.context, cluster_id)
    reveal = caller.may_see_passwords
    answer: shapes.UserList = {
        "users": [present_user(user, reveal=reveal) for user in cut_page(found, paging)],
        **describe_page(paging, len(found)),
    }
    return Json(answer)


@router.post(
    "", operation_id="databases_add_user", status_code=201, response_model=shapes.UserAnswer
)
def create_user(caller: Creator, cluster_id: ClusterId, body: UserBody) -> Json:
    """Create a user with a new password; it can log in when this answers."""
    if body.readonly:
        raise InvalidField(
            "readonly",
            "DigitalOcean has it for MongoDB alone; create the user without it, and GRANT"
            " pg_read_all_data, or SELECT on some tables, in a session of doadmin",
        )
    user = users.create_user(
        caller.context,
        caller.actor,
        cluster_id,
        body.name,
        allow_replication=bool(body.settings and body.settings.pg_allow_replication),
        attempt=caller.attempt,
    )
    return _answer(caller, user, 201)


@router.get("/{username}", operation_id="databases_get_user", response_model=shapes.UserAnswer)
def get_user(caller: Reader, cluster_id: ClusterId, name: UserName) -> Json:
    """One user."""
    return _answer(caller, users.get_user(caller.context, cluster_id, name), 200)


@router.put(
    "/{username}",
    operation_id="databases_update_user",
    status_code=201,
    response_model=shapes.UserAnswer,
)
def update_user(
    caller: Updater, cluster_id: ClusterId, name: UserName, body: UserChangeBody
) -> Json:
    """Change a user's settings; those that are left out stay. Answers 201, as DigitalOcean."""
    wanted = body.settings.pg_allow_replication if body.settings else None
    if wanted is None:
        return _answer(caller, users.get_user(caller.context, cluster_id, name), 201)
    user = users.update_user(
        caller.context, caller.actor, cluster_id, name, allow_replication=wanted
    )
    return _answer(caller, user, 201)


@router.delete("/{username}", operation_id="databases_delete_user", status_code=204)
def delete_user(caller: Deleter, cluster_id: ClusterId, name: UserName) -> Response:
    """Drop a user; what it owns goes to `doadmin`. Not while a pool uses it."""
    users.delete_user(caller.context, caller.actor, cluster_id, name)
    return no_content()


@router.post(
    "/{username}/reset_auth",
    operation_id="databases_reset_auth",
    summary="Reset Password",
    response_model=shapes.UserAnswer,
)
def reset_auth(
    caller: Updater, cluster_id: ClusterId, name: UserName, body: ResetAuthBody | None = None
) -> Json:
    """Give a user a new password. Clients that are connected stay connected."""
    user = users.reset_auth(caller.context, caller.actor, cluster_id, name)
    return _answer(caller, user, 200)


def _answer(caller: Caller, user: User, status: int) -> Json:
    answer: shapes.UserAnswer = {"user": present_user(user, reveal=caller.may_see_passwords)}
    return Json(answer, status)
