"""pydo as its users set it up, but that it keeps the status of each answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pydo

from tests.plane import Plane
from tests.shows import note_exchange

Json = Mapping[str, Any]


class Official:
    """A pydo client that keeps the status of its last answer."""

    def __init__(self, plane: Plane, token: str | None = None) -> None:
        self.status = 0
        self.client = pydo.Client(
            token or plane.token,
            endpoint=plane.url,
            connection_verify=str(plane.ca),
            raw_response_hook=self._note,
        )
        self.databases = self.client.databases

    def _note(self, response: Any) -> None:
        answer = response.http_response
        self.status = answer.status_code
        note_exchange(answer.request.method, answer.request.url, answer.status_code)


def poll(official: Official, cluster_id: str) -> Json | None:
    found: Json = official.databases.get_cluster(cluster_id)["database"]
    assert official.status == 200
    return found if found["status"] == "online" else None
