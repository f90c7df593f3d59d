"""How an answer looks on the wire: JSON with DigitalOcean's exact content type, or nothing."""

from __future__ import annotations

import orjson
from starlette.responses import JSONResponse, Response


class Json(JSONResponse):
    """A JSON body, sent as it is given: what routes declare is documentation, not a check."""

    media_type = "application/json; charset=utf-8"

    def render(self, content: object) -> bytes:
        return orjson.dumps(content)


def accepted() -> Response:
    """202, with no body at all."""
    return Response(status_code=202)


def no_content() -> Response:
    """204, with no body at all."""
    return Response(status_code=204)
