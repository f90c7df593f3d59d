"""What ``/v2/tags`` answers with; see ``shapes``."""

from __future__ import annotations

from typing import NotRequired

from typing_extensions import TypedDict

from poolkeeper.api.shapes import Paged


class TaggedDatabases(TypedDict):
    count: int
    last_tagged_uri: NotRequired[str]


class TaggedResources(TypedDict):
    """Clusters are all that can be tagged here, so both counts are the same."""

    count: int
    last_tagged_uri: NotRequired[str]
    databases: TaggedDatabases


class Tag(TypedDict):
    name: str
    resources: TaggedResources


class TagAnswer(TypedDict):
    tag: Tag


class TagList(Paged):
    tags: list[Tag]
