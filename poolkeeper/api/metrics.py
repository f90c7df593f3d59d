"""``/metrics`` for Prometheus, and who may read it."""

from __future__ import annotations

from base64 import b64decode
from typing import Annotated, Any

from fastapi import APIRouter, Request, Security
from fastapi.security import HTTPBasic
from starlette.requests import HTTPConnection
from starlette.responses import Response

import poolkeeper
from poolkeeper.api import shapes
from poolkeeper.api.answers import Json, no_content
from poolkeeper.api.auth import Updater, make_router
from poolkeeper.api.bodies import MetricsCredentialsBody
from poolkeeper.api.problems import DOCUMENTED, describe_problem
from poolkeeper.domain.errors import Unauthenticated
from poolkeeper.domain.metrics import MetricsCredentials, parse_metrics_credentials
from poolkeeper.metrics import exposition
from poolkeeper.usecases import clusters, metrics

_DOCUMENTED: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/plain": {"schema": {"type": "string"}}}},
    **{status: DOCUMENTED[status] for status in (401, 500, 503)},
}
_CHALLENGE = {"www-authenticate": 'Basic realm="Poolkeeper metrics", charset="UTF-8"'}


class _Basic(HTTPBasic):
    """What was sent as Basic authentication; None if it is missing or cannot be read."""

    async def __call__(  # type: ignore[override]
        self, request: HTTPConnection
    ) -> MetricsCredentials | None:
        kind, _, value = request.headers.get("authorization", "").partition(" ")
        if kind.lower() != "basic":
            return None
        try:
            name, colon, password = b64decode(value, validate=True).decode().partition(":")
        except ValueError:
            return None
        return MetricsCredentials(name, password) if colon else None


_basic = _Basic(
    scheme_name="basic_auth",
    auto_error=False,
    description="The credentials that `/v2/databases/metrics/credentials` tells.",
)

router = make_router("Metrics", "/v2/databases/metrics")
open_router = APIRouter(tags=["Metrics"])


@open_router.get(
    "/metrics",
    operation_id="metrics_get",
    response_class=Response,
    responses=_DOCUMENTED,
)
def get_metrics(
    request: Request, given: Annotated[MetricsCredentials | None, Security(_basic)]
) -> Response:
    """Where everything stands, for Prometheus. Takes the metrics credentials, not a token."""
    context = request.app.state.context
    try:
        metrics.demand_credentials(context, given)
    except Unauthenticated as error:
        return describe_problem(request.state.request_id, 401, str(error), _CHALLENGE)
    facts = exposition.Facts(
        poolkeeper.__version__, request.app.state.started_at, clusters.list_details(context)
    )
    # As header, whole: a media type gets its charset from Starlette a second time.
    return Response(exposition.render(facts), headers={"content-type": exposition.CONTENT_TYPE})


@router.get(
    "/credentials",
    operation_id="databases_get_cluster_metrics_credentials",
    response_model=shapes.MetricsCredentialsAnswer,
)
def get_credentials(caller: Updater) -> Json:
    """The user name and password that `/metrics` takes; they are the same for all clusters."""
    found = metrics.ensure_credentials(caller.context)
    answer: shapes.MetricsCredentialsAnswer = {
        "credentials": {
            "basic_auth_username": found.username,
            "basic_auth_password": found.password if caller.may_see_passwords else "",
        }
    }
    return Json(answer)


@router.put(
    "/credentials",
    operation_id="databases_update_cluster_metrics_credentials",
    status_code=204,
)
def update_credentials(caller: Updater, body: MetricsCredentialsBody) -> Response:
    """Choose the user name and password that `/metrics` takes from now on."""
    wanted = parse_metrics_credentials(
        body.credentials.basic_auth_username, body.credentials.basic_auth_password
    )
    metrics.update_credentials(caller.context, caller.actor, wanted)
    return no_content()
