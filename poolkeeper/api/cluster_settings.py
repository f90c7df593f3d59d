"""Settings of a cluster: ``/v2/databases/{id}/autoscale`` and ``…/do_settings``."""

from __future__ import annotations

from dataclasses import asdict
from typing import cast

from starlette.responses import Response

from poolkeeper.api import shapes
from poolkeeper.api.answers import Json, no_content
from poolkeeper.api.auth import Reader, Updater, make_router
from poolkeeper.api.bodies import (
    AutoscaleChangeBody,
    DoSettingsBody,
    ServiceNamesBody,
    StorageBody,
)
from poolkeeper.api.paths import CLUSTER, ClusterId
from poolkeeper.domain.autoscale import parse_autoscale
from poolkeeper.domain.clusters import Autoscale
from poolkeeper.domain.service_names import parse_service_names
from poolkeeper.usecases import cluster_settings

router = make_router("Clusters", CLUSTER)


@router.get(
    "/autoscale", operation_id="databases_get_autoscale", response_model=shapes.AutoscaleAnswer
)
def get_autoscale(caller: Reader, cluster_id: ClusterId) -> Json:
    """When storage is to grow, as it was set. The disk is the host's own, and does not."""
    autoscale = cluster_settings.read_autoscale(caller.context, cluster_id)
    storage = cast(shapes.StorageAutoscale, asdict(autoscale))
    answer: shapes.AutoscaleAnswer = {"autoscale": {"storage": storage}, "storage": storage}
    return Json(answer)


@router.put("/autoscale", operation_id="databases_update_autoscale", status_code=204)
def update_autoscale(caller: Updater, cluster_id: ClusterId, body: AutoscaleChangeBody) -> Response:
    """Set when storage is to grow. It is kept and shown; the disk is the host's own."""
    autoscale = read_autoscale(body.storage)
    cluster_settings.update_autoscale(caller.context, caller.actor, cluster_id, autoscale)
    return no_content()


@router.get(
    "/do_settings", operation_id="databases_get_do_settings", response_model=shapes.DoSettingsAnswer
)
def get_do_settings(caller: Reader, cluster_id: ClusterId) -> Json:
    """The names of one's own that the cluster's certificate is valid for."""
    names = cluster_settings.read_service_names(caller.context, cluster_id)
    answer: shapes.DoSettingsAnswer = {"do_settings": {"service_cnames": list(names)}}
    return Json(answer)


@router.put("/do_settings", operation_id="databases_update_do_settings", status_code=204)
def update_do_settings(caller: Updater, cluster_id: ClusterId, body: DoSettingsBody) -> Response:
    """Replace the names of one's own: the certificate is valid for them when this answers.

    Clients that are connected stay connected. That the names lead here is up to your DNS.
    """
    names = read_service_names(body.do_settings)
    cluster_settings.update_service_names(caller.context, caller.actor, cluster_id, names)
    return no_content()


def read_autoscale(body: StorageBody | None) -> Autoscale:
    """The setting in a request, checked. Raises InvalidField."""
    if body is None:
        return Autoscale()
    return parse_autoscale(body.enabled, body.threshold_percent, body.increment_gib)


def read_service_names(body: ServiceNamesBody | None) -> tuple[str, ...]:
    """The names in a request, checked. Raises InvalidField."""
    return parse_service_names(body.service_cnames or () if body else ())
