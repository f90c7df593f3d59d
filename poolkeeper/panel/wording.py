"""Numbers, sizes, durations and moments as people read them: the filters of the templates."""

from __future__ import annotations

from datetime import UTC, datetime

from markupsafe import Markup

NOTHING = "–"

# Means of very many may be as short as no clock tells.
_SHORTEST = 0.000001
_UNITS = ((86400, "d"), (3600, "h"), (60, "min"))
_SIZES = ((2**40, "TiB"), (2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"))
_PAST = {
    "create": "created",
    "update": "changed",
    "delete": "deleted",
    "resize": "resized",
    "assign": "assigned",
    "unassign": "taken off",
    "perform": "performed",
    "install": "installed",
}
_HAPPENINGS = {
    "panel_sign_in": "Signed in to the panel",
    "user_reset_auth": "User password reset",
}
_AGES = ((86400, "day"), (3600, "hour"), (60, "minute"))


def word_number(value: float | None, digits: int = 0) -> str:
    """``12,345``; a dash for what is not known."""
    if value is None:
        return NOTHING
    return f"{value:,.{digits}f}"


def word_value(value: float | None, kind: str) -> str:
    """A number of a chart or a statistic. ``kind``: ``count``, ``rate`` (per second),
    ``percent``, ``ratio`` (0 to 1, shown in percent), ``size`` (bytes), ``duration`` (seconds);
    the same as ``wordValue`` in live.js."""
    if value is None:
        return NOTHING
    if kind == "size":
        return word_size(value)
    if kind == "duration":
        return word_duration(value)
    if kind == "ratio":
        # Never rounded up to all.
        return f"{int(value * 1000) / 10:.1f} %".replace(".0 %", " %")
    unit = {"rate": " /s", "percent": " %"}.get(kind, "")
    return _word_short(value) + unit


def _word_short(value: float) -> str:
    if value == int(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}".rstrip("0").rstrip(".")


def word_size(count: float | None) -> str:
    """Bytes: ``1.5 GiB``."""
    if count is None:
        return NOTHING
    for factor, unit in _SIZES:
        if count >= factor:
            return f"{count / factor:.1f}".removesuffix(".0") + f" {unit}"
    return f"{count:.0f} B"


def word_duration(seconds: float | None) -> str:
    """``0.8 ms``, ``1.2 s``, ``3 min 20 s``, ``2 d 4 h``."""
    if seconds is None:
        return NOTHING
    if seconds == 0:
        return "0 s"
    if seconds < _SHORTEST:
        return "< 0.001 ms"
    # Three digits of more would be 1000 ms.
    if seconds < 0.9995:
        return f"{seconds * 1000:.3g} ms"
    if seconds < 60:
        return f"{seconds:.3g} s"
    for factor, unit in _UNITS:
        if seconds >= factor:
            whole, rest = divmod(round(seconds), factor)
            smaller = {86400: (3600, "h"), 3600: (60, "min"), 60: (1, "s")}[factor]
            parts = rest // smaller[0]
            return f"{whole} {unit}" + (f" {parts} {smaller[1]}" if parts else "")
    return NOTHING


def word_age(moment: datetime, now: datetime) -> str:
    """``just now``, ``3 minutes ago``, ``in 2 days``."""
    seconds = (now - moment).total_seconds()
    for factor, noun in _AGES:
        if abs(seconds) >= factor:
            count = int(abs(seconds) // factor)
            text = f"{count} {noun}" if count == 1 else f"{count} {noun}s"
            return f"{text} ago" if seconds > 0 else f"in {text}"
    return "just now" if seconds >= 0 else "in a moment"


def show_moment(moment: datetime | None) -> str:
    """A ``<time>``: how long ago, and the exact moment to hover over; the script keeps it true."""
    if moment is None:
        return NOTHING
    moment = moment.astimezone(UTC)
    exact = moment.isoformat(timespec="seconds").replace("+00:00", "Z")
    hover = moment.strftime("%Y-%m-%d %H:%M:%S UTC")
    template = Markup('<time datetime="{}" title="{}" data-age>{}</time>')
    return template.format(exact, hover, word_age(moment, datetime.now(UTC)))


def word_happening(kind: str) -> str:
    """``Pool created`` for ``pool_create``."""
    if kind in _HAPPENINGS:
        return _HAPPENINGS[kind]
    *what, verb = kind.split("_")
    return " ".join([*what, _PAST.get(verb, verb)]).capitalize()


def show_clock(moment: datetime) -> str:
    """A ``<time>`` with the exact moment, for tables of what happened."""
    moment = moment.astimezone(UTC)
    exact = moment.isoformat(timespec="seconds").replace("+00:00", "Z")
    return Markup('<time datetime="{}">{}</time>').format(
        exact, moment.strftime("%Y-%m-%d %H:%M:%S")
    )
