"""``/v1/clusters/{id}/samples``: what charts are drawn from."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Query
from pydantic import AwareDatetime
from typing_extensions import TypedDict

from poolkeeper.api.answers import Json
from poolkeeper.api.auth import Reader, make_router
from poolkeeper.api.moments import show_moment
from poolkeeper.api.own_shapes import Moment
from poolkeeper.api.paths import OwnClusterId
from poolkeeper.domain.samples import LONGEST_SPAN, MOST_POINTS
from poolkeeper.usecases.samples import read_samples

_DEFAULT_SPAN = 900
_DEFAULT_POINTS = 300
_LONGEST_NAMES = 2000

router = make_router("Standing", "/v1")


class SampleSeries(TypedDict):
    """Values by name, one for each `step` seconds from `start` on. Null is a gap."""

    subject: str
    start: Moment
    step: int
    values: dict[str, list[float | None]]


class SampleAnswer(TypedDict):
    samples: SampleSeries


@router.get(
    "/clusters/{cluster_id}/samples",
    operation_id="clusters_get_samples",
    response_model=SampleAnswer,
)
def get_samples(
    caller: Reader,
    cluster_id: OwnClusterId,
    subject: Annotated[
        str, Query(description="`cluster`, `host`, or `pool:` with a pool's name.", max_length=80)
    ] = "cluster",
    names: Annotated[
        str,
        Query(
            description="Names of values, parted by commas; all if there are none.",
            max_length=_LONGEST_NAMES,
        ),
    ] = "",
    span: Annotated[
        int, Query(description="How many seconds.", ge=1, le=LONGEST_SPAN)
    ] = _DEFAULT_SPAN,
    until: Annotated[
        AwareDatetime | None, Query(description="The end of the span; now, if it is not given.")
    ] = None,
    points: Annotated[
        int, Query(description="About as many, at most.", ge=1, le=MOST_POINTS)
    ] = _DEFAULT_POINTS,
) -> Json:
    """What was sampled of a cluster, one of its pools, or the host: a series for a chart."""
    series = read_samples(
        caller.context,
        cluster_id,
        subject,
        [name for name in names.split(",") if name],
        span=span,
        until=until,
        points=points,
    )
    answer: SampleAnswer = {
        "samples": {
            "subject": subject,
            "start": show_moment(datetime.fromtimestamp(series.start, UTC)),
            "step": series.step,
            "values": {name: list(values) for name, values in series.values.items()},
        }
    }
    return Json(answer)
