"""The forms on the page of a cluster's settings: what each shows at first, and what it does.

All are sent to the same page, each with its name as ``section``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from poolkeeper.domain.autoscale import parse_autoscale
from poolkeeper.domain.clusters import Cluster
from poolkeeper.domain.errors import InvalidField
from poolkeeper.domain.maintenance import parse_window
from poolkeeper.domain.service_names import parse_service_names
from poolkeeper.domain.tokens import CREATE
from poolkeeper.panel.forms import Form
from poolkeeper.panel.visits import Visit
from poolkeeper.panel.wording import word_duration
from poolkeeper.usecases import cluster_settings, maintenance, tags


@dataclass(frozen=True)
class Section:
    """``fill``: the form as it is at first. ``apply``: does what the form says, and returns what
    has happened in a sentence. ``renamed``: what errors call a field, and what the form does."""

    fill: Callable[[Cluster], Form]
    apply: Callable[[Visit, Form], str]
    renamed: Mapping[str, str] = field(default_factory=dict)

    def read(self, visit: Visit, blank: Form) -> Form:
        """The form that was sent, with the fields of a blank one."""
        return visit.read_form(*blank.values, lists=tuple(blank.lists))


def _fill_window(cluster: Cluster) -> Form:
    window = cluster.maintenance
    return Form({"day": window.day, "hour": window.hour[:5]})


def _set_window(visit: Visit, form: Form) -> str:
    window = parse_window(form["day"], form["hour"])
    maintenance.set_window(visit.context, visit.actor, visit.cluster_id, window)
    return f"The maintenance window opens on {window.day.capitalize()} at {window.hour[:5]} UTC."


def _fill_nothing(cluster: Cluster) -> Form:
    return Form({})


def _install(visit: Visit, form: Form) -> str:
    maintenance.install_update(visit.context, visit.actor, visit.cluster_id)
    said = "What waits for a restart of PostgreSQL gets it as soon as nobody would be cut by it"
    if not visit.context.restart_cuts:
        return f"{said}."
    most = word_duration(visit.context.restart_wait.total_seconds())
    return f"{said}, after {most} at the latest."


def _fill_names(cluster: Cluster) -> Form:
    return Form({"service_cnames": "\n".join(cluster.service_cnames)})


def _set_names(visit: Visit, form: Form) -> str:
    names = parse_service_names(form["service_cnames"].replace(",", " ").split())
    cluster_settings.update_service_names(visit.context, visit.actor, visit.cluster_id, names)
    return "The certificate has these names now. Clients that are connected stayed so."


def _fill_tag(cluster: Cluster) -> Form:
    return Form({"tag": ""})


def _add_tag(visit: Visit, form: Form) -> str:
    name = form["tag"].strip()
    known = {tag.name.lower(): tag.name for tag in tags.list_tags(visit.context)}
    if name.lower() in known:
        name = known[name.lower()]
    elif visit.allows(CREATE):
        name = tags.create_tag(visit.context, visit.actor, name).name
    else:
        raise InvalidField("tag", "there is no tag of that name, and this token may not create one")
    tags.tag_clusters(visit.context, visit.actor, name, [visit.cluster_id])
    return f"The cluster bears the tag {name}."


def _remove_tag(visit: Visit, form: Form) -> str:
    tags.untag_clusters(visit.context, visit.actor, form["tag"], [visit.cluster_id])
    return f"The tag {form['tag']} has been taken off."


def _fill_storage(cluster: Cluster) -> Form:
    kept = cluster.autoscale
    values = {
        "threshold_percent": str(kept.threshold_percent),
        "increment_gib": str(kept.increment_gib),
    }
    return Form(values, {"enabled": ["yes"] if kept.enabled else []})


def _set_storage(visit: Visit, form: Form) -> str:
    kept = parse_autoscale(
        bool(form.lists["enabled"]), form.number("threshold_percent"), form.number("increment_gib")
    )
    cluster_settings.update_autoscale(visit.context, visit.actor, visit.cluster_id, kept)
    return "Storage autoscaling has been kept."


SECTIONS: Mapping[str, Section] = {
    "maintenance": Section(_fill_window, _set_window),
    "install": Section(_fill_nothing, _install),
    "tls": Section(_fill_names, _set_names),
    "tag": Section(_fill_tag, _add_tag, {"name": "tag", "tags": "tag"}),
    "untag": Section(_fill_tag, _remove_tag),
    "storage": Section(
        _fill_storage,
        _set_storage,
        {
            "storage.threshold_percent": "threshold_percent",
            "storage.increment_gib": "increment_gib",
        },
    ),
}
