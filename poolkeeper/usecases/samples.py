"""What was sampled of the host, a cluster or a pool."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from poolkeeper.domain.errors import NotFound
from poolkeeper.domain.samples import Kind, Series, choose_names, parse_subject
from poolkeeper.store import pools
from poolkeeper.usecases.context import Context
from poolkeeper.usecases.convergence import require_cluster

# A newest second that is older than this is a gap to be shown, not the end of the chart.
_LAG = 5


def read_samples(
    context: Context,
    cluster_id: UUID,
    subject: str,
    names: Sequence[str],
    *,
    span: int,
    until: datetime | None,
    points: int,
) -> Series:
    """The values of the ``span`` seconds before ``until``, or before now.

    ``subject``: ``cluster``, ``host`` or ``pool:NAME``; no ``names``: all there are. Raises
    NotFound, InvalidField.
    """
    about = parse_subject(cluster_id, subject)
    chosen = choose_names(about.kind, names)
    with context.store.read() as tx:
        require_cluster(tx, cluster_id)
        if about.kind is Kind.POOL and pools.find_pool(tx, cluster_id, about.name) is None:
            raise NotFound("pool not found")
        now = int(tx.now.timestamp())
    stop = _find_stop(context, now if until is None else min(int(until.timestamp()), now))
    start = max(stop - span, 0)
    return context.samples.read(about, chosen, start=start, stop=stop, points=points)


def read_charts(
    context: Context,
    cluster_id: UUID,
    wanted: Mapping[str, Sequence[str]],
    *,
    span: int,
    points: int,
) -> dict[str, Series]:
    """The values of the last ``span`` seconds of several subjects, point by point of the same
    moments.

    ``wanted``: names of values by subject, as ``read_samples`` takes them. Of a pool that is no
    more there are gaps. Raises NotFound, InvalidField.
    """
    about = {subject: parse_subject(cluster_id, subject) for subject in wanted}
    with context.store.read() as tx:
        require_cluster(tx, cluster_id)
        now = int(tx.now.timestamp())
    # The second that runs, too, if it is sampled already.
    stop = _find_stop(context, now + 1)
    start = max(stop - span, 0)
    return {
        subject: context.samples.read(
            about[subject],
            choose_names(about[subject].kind, names),
            start=start,
            stop=stop,
            points=points,
        )
        for subject, names in wanted.items()
    }


def _find_stop(context: Context, wanted: int) -> int:
    newest = context.samples.wait_beyond(0, 0)
    # The second that runs is not sampled yet.
    return newest + 1 if newest < wanted <= newest + _LAG else wanted
