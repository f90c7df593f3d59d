"""Another size for a cluster: what it would mean, and doing it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from starlette.responses import Response

from poolkeeper.domain.clusters import Cluster, ResizeRequest, parse_resize_request
from poolkeeper.domain.errors import Overtaken
from poolkeeper.domain.memory import MIB, share_memory
from poolkeeper.domain.sizes import Size
from poolkeeper.domain.standing import ClusterDetail
from poolkeeper.domain.tokens import READ, UPDATE
from poolkeeper.panel.forms import Form
from poolkeeper.panel.routing import Pages
from poolkeeper.panel.size_choices import list_sizes
from poolkeeper.panel.standing import judge_standing
from poolkeeper.panel.visits import Visit
from poolkeeper.panel.wording import word_number, word_size
from poolkeeper.usecases.clusters import get_detail
from poolkeeper.usecases.config import get_config
from poolkeeper.usecases.resize import check_resize, resize_cluster

pages = Pages()


@dataclass(frozen=True)
class Effect:
    """One thing that a size decides, before and after."""

    title: str
    before: str
    after: str
    hint: str = ""


@pages.get("/databases/{cluster_id}/settings/resize", scope=READ)
def show_resize(visit: Visit) -> Response:
    """The sizes; with ``?size=`` what that one would mean. Nothing is changed here."""
    detail = get_detail(visit.context, visit.cluster_id)
    form = Form({"size": visit.query("size") or detail.cluster.size.slug})
    request, storage = _plan(visit, form)
    return _show(visit, detail, form, request, storage, 422 if form.failed else 200)


@pages.post("/databases/{cluster_id}/settings/resize", scope=UPDATE)
def resize(visit: Visit) -> Response:
    """Accept the size whose effect was shown, if the cluster is still of the size it was."""
    detail = get_detail(visit.context, visit.cluster_id)
    form = visit.read_form("size", "from")
    with form.attempt():
        request = _read_request(form)
        try:
            _resize(visit, detail.cluster, form, request)
            path = f"/databases/{visit.cluster_id}/settings"
            return visit.redirect(path, f"The cluster becomes a {request.size.slug}.")
        except Overtaken:
            form.problem = (
                "The cluster was resized by somebody else meanwhile: nothing was changed now."
                " This is what your change would do to it as it is; look at it again."
            )
            detail = get_detail(visit.context, visit.cluster_id)
    planned = Form({"size": form["size"]})
    request_now, storage = _plan(visit, planned)
    form.errors = {**planned.errors, **form.errors}
    form.problem = form.problem or planned.problem
    return _show(visit, detail, form, request_now, storage, 422)


def _resize(visit: Visit, cluster: Cluster, form: Form, request: ResizeRequest) -> None:
    """Raises Overtaken if the cluster is no longer of the size that the form was made for."""
    if form["from"] != cluster.size.slug:
        raise Overtaken(f"the size of cluster {cluster.name}")
    resize_cluster(visit.context, visit.actor, cluster.id, request, expected=cluster.size)


def _read_request(form: Form) -> ResizeRequest:
    return parse_resize_request(size=form["size"], num_nodes=1, storage_size_mib=None)


def _plan(visit: Visit, form: Form) -> tuple[ResizeRequest | None, int]:
    """The request and the storage after it; what stands in its way is noted in the form."""
    request = None
    with form.attempt():
        request = _read_request(form)
        return request, check_resize(visit.context, visit.cluster_id, request)
    return request, 0


def _show(
    visit: Visit,
    detail: ClusterDetail,
    form: Form,
    request: ResizeRequest | None,
    storage: int,
    status: int,
) -> Response:
    cluster = detail.cluster
    size = request.size if request else cluster.size
    standing = judge_standing(detail)
    effects = _list_effects(visit, cluster, size, storage) if storage else ()
    return visit.page(
        "settings_resize.html",
        status,
        cluster=cluster,
        standing=standing,
        form=form,
        families=list_sizes(),
        size=size,
        is_other=request is not None and size != cluster.size,
        effects=effects,
        after=replace(standing, budget=size.budget),
        restart_wait=visit.context.restart_wait.total_seconds(),
        restart_cuts=visit.context.restart_cuts,
        most_wait=visit.context.wait_seconds,
    )


def _list_effects(visit: Visit, cluster: Cluster, size: Size, storage: int) -> list[Effect]:
    percentage = get_config(visit.context, cluster.id)["shared_buffers_percentage"]
    memory = visit.context.machine().memory
    before, after = (
        share_memory(each, memory, float(str(percentage))) for each in (cluster.size, size)
    )
    old = cluster.size
    return [
        Effect("vCPU", word_number(old.vcpus), word_number(size.vcpus), "What parallel work takes"),
        Effect("Memory", f"{old.gib} GiB", f"{size.gib} GiB", "As far as this host has it"),
        Effect(
            "Connections for pools",
            word_number(old.budget),
            word_number(size.budget),
            "25 for each GiB, less 3 for administration",
        ),
        _size_effect("shared_buffers", before.shared_buffers, after.shared_buffers),
        _size_effect("work_mem", before.work_mem, after.work_mem),
        _size_effect("Storage", cluster.storage_size_mib, storage),
    ]


def _size_effect(title: str, before: int, after: int) -> Effect:
    hints = {
        "shared_buffers": "PostgreSQL's own cache; a setting of the configuration moves it",
        "work_mem": "Memory of one sort or hash, unless the configuration says otherwise",
        "Storage": "A figure that never shrinks; the disk is the host's own",
    }
    return Effect(title, word_size(before * MIB), word_size(after * MIB), hints[title])
