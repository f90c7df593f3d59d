"""Tags: ``/v2/tags``."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Request
from fastapi.exceptions import RequestValidationError
from starlette.responses import Response

from poolkeeper.api import tag_shapes
from poolkeeper.api.answers import Json, no_content
from poolkeeper.api.auth import Creator, Deleter, GuardedRoute, Reader, Updater, make_router
from poolkeeper.api.bodies import ResourcesBody, TagBody
from poolkeeper.api.complaints import is_malformed
from poolkeeper.api.paging import DEFAULT_PER_PAGE, Page, Paging, cut_page, describe_page
from poolkeeper.api.paths import parse_cluster_id
from poolkeeper.api.problems import DOCUMENTED
from poolkeeper.api.repeats import Handler
from poolkeeper.domain.tags import Tag, check_taggable
from poolkeeper.usecases import tags

TagName = Annotated[str, Path(alias="tag_id", description="The tag's name.")]


class _CreatingRoute(GuardedRoute):
    """DigitalOcean has a form of its own for a tag's body that cannot be read."""

    def get_route_handler(self) -> Handler:
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await handle(request)
            except RequestValidationError as error:
                if not is_malformed(error.errors()):
                    raise
                return _describe_malformed(request.state.request_id)

        return answer


router = make_router("Tags", "/v2/tags")
creating_router = APIRouter(
    prefix="/v2/tags", tags=["Tags"], responses=DOCUMENTED, route_class=_CreatingRoute
)


@router.get("", operation_id="tags_list", response_model=tag_shapes.TagList)
def list_tags(request: Request, caller: Reader, paging: Paging) -> Json:
    """All tags, by name, in pages of 20 if nothing is said."""
    page = paging or Page(1, DEFAULT_PER_PAGE, request.url)
    found = tags.list_tags(caller.context)
    answer: tag_shapes.TagList = {
        "tags": [_present(request, tag) for tag in cut_page(found, page)],
        **describe_page(page, len(found)),
    }
    return Json(answer)


@creating_router.post(
    "", operation_id="tags_create", status_code=201, response_model=tag_shapes.TagAnswer
)
def create_tag(request: Request, caller: Creator, body: TagBody) -> Json:
    """Create a tag. One that exists, be it in other capitals, is answered as it is."""
    tag = tags.create_tag(caller.context, caller.actor, body.name)
    answer: tag_shapes.TagAnswer = {"tag": _present(request, tag)}
    return Json(answer, 201)


@router.get("/{tag_id}", operation_id="tags_get", response_model=tag_shapes.TagAnswer)
def get_tag(request: Request, caller: Reader, name: TagName) -> Json:
    """One tag, and how many clusters bear it."""
    answer: tag_shapes.TagAnswer = {"tag": _present(request, tags.get_tag(caller.context, name))}
    return Json(answer)


@router.delete("/{tag_id}", operation_id="tags_delete", status_code=204)
def delete_tag(caller: Deleter, name: TagName) -> Response:
    """Delete a tag. Clusters that bear it lose it, and nothing else happens to them."""
    tags.delete_tag(caller.context, caller.actor, name)
    return no_content()


@router.post("/{tag_id}/resources", operation_id="tags_assign_resources", status_code=204)
def assign_resources(caller: Updater, name: TagName, body: ResourcesBody) -> Response:
    """Give clusters the tag: all of them or, if one cannot bear it, none."""
    tags.tag_clusters(caller.context, caller.actor, name, _read_ids(body))
    return no_content()


@router.delete("/{tag_id}/resources", operation_id="tags_unassign_resources", status_code=204)
def unassign_resources(caller: Updater, name: TagName, body: ResourcesBody) -> Response:
    """Take the tag off clusters; one that does not bear it stays as it is."""
    tags.untag_clusters(caller.context, caller.actor, name, _read_ids(body))
    return no_content()


def _read_ids(body: ResourcesBody) -> list[UUID]:
    for resource in body.resources:
        check_taggable(resource.resource_type)
    return [parse_cluster_id(resource.resource_id) for resource in body.resources]


def _present(request: Request, tag: Tag) -> tag_shapes.Tag:
    databases: tag_shapes.TaggedDatabases = {"count": tag.count}
    if tag.last_tagged is not None:
        databases["last_tagged_uri"] = f"{request.base_url}v2/databases/{tag.last_tagged}"
    return {"name": tag.name, "resources": {**databases, "databases": databases}}


def _describe_malformed(request_id: str) -> Json:
    message = "error parsing request body"
    body = {"id": "bad_request", "message": message, "request_id": request_id}
    return Json({**body, "error": message, "messages": None, "root_causes": []}, 400)
