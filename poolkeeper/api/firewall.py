"""Trusted sources of a cluster: ``/v2/databases/{id}/firewall``."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from starlette.responses import Response

from poolkeeper.api import shapes
from poolkeeper.api.answers import Json, no_content
from poolkeeper.api.auth import Reader, Updater, make_router
from poolkeeper.api.bodies import RuleBody, RulesBody
from poolkeeper.api.paths import CLUSTER, ClusterId
from poolkeeper.api.present import present_rule
from poolkeeper.domain.firewall import GivenRule, parse_rules
from poolkeeper.usecases import firewall

router = make_router("Trusted sources", f"{CLUSTER}/firewall")


@router.get("", operation_id="databases_list_firewall_rules", response_model=shapes.RuleList)
def list_rules(caller: Reader, cluster_id: ClusterId) -> Json:
    """The trusted sources of a cluster. None: whoever reaches its ports may connect."""
    rules = firewall.list_rules(caller.context, cluster_id)
    answer: shapes.RuleList = {"rules": [present_rule(cluster_id, rule) for rule in rules]}
    return Json(answer)


@router.put("", operation_id="databases_update_firewall_rules", status_code=204)
def replace_rules(caller: Updater, cluster_id: ClusterId, body: RulesBody) -> Response:
    """Replace all trusted sources; they are in force when this answers.

    Clients that may still connect stay connected, all others are cut. Only rules of type
    `ip_addr` let anybody in; the other types are kept as given. An empty list opens the cluster.
    """
    rules = read_rules(body.rules)
    firewall.replace_rules(caller.context, caller.actor, cluster_id, rules)
    return no_content()


def read_rules(bodies: Sequence[RuleBody] | None) -> tuple[GivenRule, ...]:
    """The rules of a request, checked. Raises InvalidField."""
    return parse_rules(
        (body.type, body.value, body.description or "", UUID(body.uuid) if body.uuid else None)
        for body in bodies or ()
    )
