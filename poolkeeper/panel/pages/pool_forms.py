"""Creating, changing and deleting a pool."""

from __future__ import annotations

from urllib.parse import quote

from starlette.responses import Response

from poolkeeper.domain.clusters import DEFAULT_DATABASE, DEFAULT_USER
from poolkeeper.domain.errors import InvalidField, Overtaken
from poolkeeper.domain.names import parse_pool_name
from poolkeeper.domain.plan import PoolPlan
from poolkeeper.domain.pools import Pool, PoolMode, PoolShape, parse_mode
from poolkeeper.domain.suggestions import suggest_size
from poolkeeper.domain.tokens import CREATE, DELETE, UPDATE
from poolkeeper.panel.forms import Form
from poolkeeper.panel.pages.pools import count_kept
from poolkeeper.panel.pool_modes import MODES
from poolkeeper.panel.routing import Pages
from poolkeeper.panel.standing import judge_standing
from poolkeeper.panel.visits import Visit
from poolkeeper.usecases import pools
from poolkeeper.usecases.clusters import get_cluster, get_detail

_SHAPE = ("db", "user", "mode", "size")

pages = Pages()


@pages.get("/databases/{cluster_id}/new-pool", scope=CREATE)
def show_new(visit: Visit) -> Response:
    """The form, filled with what suits most."""
    left = judge_standing(get_detail(visit.context, visit.cluster_id)).free
    blank = {"name": "", "db": DEFAULT_DATABASE, "user": DEFAULT_USER}
    size = str(suggest_size(left).size)
    return _show_new(visit, Form(blank | {"mode": PoolMode.TRANSACTION, "size": size}), 200)


@pages.post("/databases/{cluster_id}/new-pool", scope=CREATE)
def create(visit: Visit) -> Response:
    """Create the pool; its connection details open."""
    form = visit.read_form("name", *_SHAPE)
    name, shape = form["name"].strip(), None
    with form.attempt():
        shape = _read_shape(form)
        pools.create_pool(visit.context, visit.actor, visit.cluster_id, name, shape)
        path = f"/databases/{visit.cluster_id}/pools/{quote(name)}/connect"
        return visit.redirect(path, f"Pool {name} has been created.")
    _note_all(visit, form, name, shape)
    return _show_new(visit, form, 422)


@pages.get("/databases/{cluster_id}/pools/{name}/edit", scope=UPDATE)
def show_edit(visit: Visit) -> Response:
    """The form, filled with what the pool is now; with what it might be (``?size=…``), also
    what that change would do. Nothing is changed here."""
    pool = pools.get_pool(visit.context, visit.cluster_id, visit.part("name"))
    if "size" not in visit.request.query_params:
        return _show_edit(visit, pool, _fill(pool), 200)
    form = Form({field: visit.query(field) for field in _SHAPE})
    with form.attempt():
        return _show_edit(visit, pool, form, 200, _plan(visit, _read_shape(form)))
    return _show_edit(visit, pool, form, 422)


@pages.post("/databases/{cluster_id}/pools/{name}/edit", scope=UPDATE)
def apply(visit: Visit) -> Response:
    """Make the change whose plan was shown, if the pool is still what it was then."""
    name = visit.part("name")
    pool = pools.get_pool(visit.context, visit.cluster_id, name)
    form = visit.read_form(*_SHAPE, "generation")
    with form.attempt():
        shape = _read_shape(form)
        try:
            _update(visit, pool, form, shape)
            return visit.redirect(_list_path(visit), f"Pool {name} has been changed.")
        except Overtaken:
            form.problem = (
                "The pool was changed by somebody else meanwhile: nothing was changed now. This"
                " is what your change would do to it as it is; look at it again."
            )
            pool = pools.get_pool(visit.context, visit.cluster_id, name)
            return _show_edit(visit, pool, form, 422, _plan(visit, shape))
    return _show_edit(visit, pool, form, 422)


def _update(visit: Visit, pool: Pool, form: Form, shape: PoolShape) -> None:
    """Raises Overtaken if the pool is no longer what the form was made for."""
    if form["generation"] != str(pool.generation):
        raise Overtaken(f"pool {pool.name}")
    pools.update_pool(
        visit.context,
        visit.actor,
        visit.cluster_id,
        pool.name,
        shape,
        expected=pool.generation,
    )


@pages.get("/databases/{cluster_id}/pools/{name}/delete", scope=DELETE)
def show_delete(visit: Visit) -> Response:
    """Who uses the pool, what happens to them, and the question."""
    return _show_delete(visit, Form({"confirm": ""}), 200)


@pages.post("/databases/{cluster_id}/pools/{name}/delete", scope=DELETE)
def delete(visit: Visit) -> Response:
    """Delete the pool if its name was typed."""
    name = visit.part("name")
    form = visit.read_form("confirm")
    pools.get_pool(visit.context, visit.cluster_id, name)
    with form.attempt():
        if form["confirm"].strip() != name:
            raise InvalidField("confirm", f"type {name} to delete it")
        pools.delete_pool(visit.context, visit.actor, visit.cluster_id, name)
        return visit.redirect(_list_path(visit), f"Pool {name} has been deleted.")
    return _show_delete(visit, form, 422)


def _note_all(visit: Visit, form: Form, name: str, shape: PoolShape | None) -> None:
    """A person is told at once of all that is wrong, not of one thing after the other."""
    with form.attempt():
        parse_pool_name(name)
    if shape is not None:
        for each in pools.list_refusals(visit.context, visit.cluster_id, name, shape):
            form.note(each, each.field)


def _read_shape(form: Form) -> PoolShape:
    """Raises InvalidField."""
    return PoolShape(
        form["db"].strip(),
        form["user"].strip() or None,
        parse_mode(form["mode"]),
        form.number("size"),
    )


def _fill(pool: Pool) -> Form:
    shape = pool.shape
    size = str(shape.size)
    return Form({"db": shape.db, "user": shape.user or "", "mode": shape.mode, "size": size})


def _plan(visit: Visit, shape: PoolShape) -> PoolPlan:
    change = pools.ShapeChange(shape.size, shape.mode, shape.db, shape.user or "")
    return pools.plan_pool(visit.context, visit.cluster_id, visit.part("name"), change)


def _list_path(visit: Visit) -> str:
    return f"/databases/{visit.cluster_id}/pools"


def _show_new(visit: Visit, form: Form, status: int) -> Response:
    detail = get_detail(visit.context, visit.cluster_id)
    standing = judge_standing(detail)
    view = get_cluster(visit.context, visit.cluster_id, reveal=False)
    return visit.page(
        "pool_new.html",
        status,
        cluster=detail.cluster,
        standing=standing,
        form=form,
        view=view,
        modes=MODES,
        most=standing.free,
        suggestion=suggest_size(standing.free),
        kept=count_kept(detail),
        grace=visit.context.grace.total_seconds(),
    )


def _show_edit(
    visit: Visit, pool: Pool, form: Form, status: int, planned: PoolPlan | None = None
) -> Response:
    detail = get_detail(visit.context, visit.cluster_id)
    standing = judge_standing(detail)
    others = sum(held for name, held in detail.held.items() if name != pool.name)
    return visit.page(
        "pool_edit.html",
        status,
        cluster=detail.cluster,
        standing=standing,
        pool=pool,
        form=form,
        plan=planned,
        view=get_cluster(visit.context, visit.cluster_id, reveal=False),
        modes=MODES,
        most=max(standing.budget - others, 0),
    )


def _show_delete(visit: Visit, form: Form, status: int) -> Response:
    detail = get_detail(visit.context, visit.cluster_id)
    pool = pools.get_pool(visit.context, visit.cluster_id, visit.part("name"))
    return visit.page(
        "pool_delete.html",
        status,
        cluster=detail.cluster,
        standing=judge_standing(detail),
        pool=pool,
        form=form,
        load=detail.loads.get(pool.name),
        grace=visit.context.grace.total_seconds(),
    )
