"""Trusted sources: who may connect to a cluster and its pools."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from starlette.responses import Response

from poolkeeper.domain.errors import InvalidRequest, NotFound
from poolkeeper.domain.firewall import (
    MAX_RULES,
    FirewallRule,
    GivenRule,
    RuleType,
    add_rule,
    remove_rule,
)
from poolkeeper.domain.tokens import READ, UPDATE
from poolkeeper.panel.forms import Form
from poolkeeper.panel.reach import find_address, judge_reach
from poolkeeper.panel.routing import Pages
from poolkeeper.panel.standing import judge_standing
from poolkeeper.panel.visits import Visit
from poolkeeper.usecases import firewall
from poolkeeper.usecases.clusters import get_detail

_PATH = "/databases/{cluster_id}/trusted-sources"
_FIELDS = ("type", "value", "description", "sure")

pages = Pages()


@pages.get(_PATH, scope=READ)
def show_sources(visit: Visit) -> Response:
    """Whether the cluster is open, to whom it is limited, and the form for one more."""
    blank = Form(dict.fromkeys(_FIELDS, "") | {"type": RuleType.ADDRESS})
    return _show(visit, blank, 200)


@pages.post(_PATH, scope=UPDATE)
def add(visit: Visit) -> Response:
    """Add a source; one that would lock out who asks, only when they have said so twice."""
    form = visit.read_form(*_FIELDS)
    new = (form["type"], form["value"].strip(), form["description"].strip())
    asked, form.values["sure"] = form["sure"], ""
    with form.attempt():
        known = firewall.list_rules(visit.context, visit.cluster_id)
        warning = _warn(visit, known, add_rule(known, *new))
        if warning and asked != f"{new[0]} {new[1]}":
            form.values["sure"] = f"{new[0]} {new[1]}"
            return _show(visit, form, 422, warning)
        firewall.change_rules(
            visit.context, visit.actor, visit.cluster_id, lambda rules: add_rule(rules, *new)
        )
        return visit.redirect(_sources_path(visit), f"{new[1]} is a trusted source now.")
    return _show(visit, form, 422)


@pages.get(_PATH + "/remove", scope=UPDATE)
def show_removal(visit: Visit) -> Response:
    """What removing the source ``?uuid=``, or all without it, does, and the question."""
    return _show_removal(visit, _parse_uuid(visit.query("uuid")), visit.read_form(), 200)


@pages.post(_PATH + "/remove", scope=UPDATE)
def remove(visit: Visit) -> Response:
    """Remove a source, or all, unless that would open the cluster and nobody said so."""
    form = visit.read_form("uuid", "opens")
    uuid = _parse_uuid(form["uuid"])

    def change(rules: Sequence[FirewallRule]) -> Sequence[GivenRule]:
        left = _remove(rules, uuid)
        if rules and not left and form["opens"] != "yes":
            raise InvalidRequest(
                "Somebody removed the other sources meanwhile: nothing was changed now. This is"
                " what your change would do; look at it again."
            )
        return left

    with form.attempt():
        firewall.change_rules(visit.context, visit.actor, visit.cluster_id, change)
        gone = "The trusted source has" if uuid else "All trusted sources have"
        return visit.redirect(_sources_path(visit), f"{gone} been removed.")
    return _show_removal(visit, uuid, form, 422)


def _parse_uuid(text: str) -> UUID | None:
    """None for none, which means all sources. Raises NotFound."""
    try:
        return UUID(text) if text else None
    except ValueError:
        raise NotFound("not found") from None


def _remove(rules: Sequence[FirewallRule], uuid: UUID | None) -> Sequence[GivenRule]:
    """What is left without that source, or without all. Raises NotFound."""
    return remove_rule(rules, uuid) if uuid else ()


def _warn(
    visit: Visit, before: Sequence[FirewallRule], after: Sequence[FirewallRule | GivenRule]
) -> str:
    """What the change would do to who asks for it; nothing if they stay let in."""
    address = find_address(visit.request)
    now, then = judge_reach(before, address), judge_reach(after, address)
    if then.is_nowhere and not now.is_nowhere:
        return (
            "Nobody could connect over the network then, because no source would be an address:"
            " all clients that are connected are cut."
        )
    if address and now.lets_you_in and not then.lets_you_in:
        return (
            f"You come from {address}, which would be locked out: what is connected from there is"
            " cut. This page stays open to you."
        )
    return ""


def _sources_path(visit: Visit) -> str:
    return f"/databases/{visit.cluster_id}/trusted-sources"


def _show(visit: Visit, form: Form, status: int, warning: str = "") -> Response:
    detail = get_detail(visit.context, visit.cluster_id)
    rules = firewall.list_rules(visit.context, visit.cluster_id)
    return visit.page(
        "trusted_sources.html",
        status,
        cluster=detail.cluster,
        standing=judge_standing(detail),
        rules=rules,
        reach=judge_reach(rules, find_address(visit.request)),
        form=form,
        warning=warning,
        most=MAX_RULES,
    )


def _show_removal(visit: Visit, uuid: UUID | None, form: Form, status: int) -> Response:
    detail = get_detail(visit.context, visit.cluster_id)
    rules = firewall.list_rules(visit.context, visit.cluster_id)
    left = _remove(rules, uuid)
    return visit.page(
        "trusted_source_remove.html",
        status,
        cluster=detail.cluster,
        standing=judge_standing(detail),
        rules=rules,
        rule=next((rule for rule in rules if rule.uuid == uuid), None),
        left=len(left),
        warning=_warn(visit, rules, left),
        form=form,
    )
