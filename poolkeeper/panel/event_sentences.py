"""What happened, as a sentence: ``Pool web: size 5 → 8``. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from poolkeeper.domain.events import Event, EventKind, RecordedEvent
from poolkeeper.panel.wording import word_duration, word_size

Detail = Mapping[str, object]

_MIB = 2**20

_FIELDS = {"db": "database", "user": "user", "mode": "mode", "size": "size"}
_INBOUND = "the connecting user"
# Of the entries whose subject is the cluster's own name, in which that would say nothing.
_OWN = {
    EventKind.CONFIG_UPDATE: "Settings",
    EventKind.FIREWALL_UPDATE: "Trusted sources",
    EventKind.MAINTENANCE_UPDATE: "Maintenance window",
    EventKind.MAINTENANCE_INSTALL: "Restart of PostgreSQL",
    EventKind.CLUSTER_MAINTENANCE_PERFORM: "PostgreSQL",
    EventKind.AUTOSCALE_UPDATE: "Storage",
    EventKind.DO_SETTINGS_UPDATE: "Certificate",
    EventKind.SERVER_STARTED: "",
    EventKind.CHANGE_WITHDRAWN: "Change",
}
_NOUNS = {
    "cluster": "Cluster",
    "database": "Database",
    "user": "User",
    "pool": "Pool",
    "tag": "Tag",
    "token": "Token",
    "panel": "Token",
    "metrics": "Credentials of /metrics",
}


@dataclass(frozen=True)
class Sentence:
    """``noun`` and, if it has one, ``name`` of what it is about; ``said`` of it. ``tone``:
    ``bad`` for what went wrong, else empty."""

    noun: str
    name: str
    said: str
    tone: str = ""

    @property
    def text(self) -> str:
        """All of it."""
        return f"{' '.join(filter(None, (self.noun, self.name)))}: {self.said}"


def tell(entry: RecordedEvent) -> Sentence:
    """The sentence for an entry, however old it is: what it lacks is left out."""
    event = entry.event
    noun = _OWN.get(event.kind, _NOUNS.get(event.kind.partition("_")[0], "Poolkeeper"))
    name = event.subject if event.kind not in _OWN else ""
    if event.kind is EventKind.SERVER_STARTED:
        noun = event.subject
    if event.kind is EventKind.CHANGE_WITHDRAWN:
        name = event.subject.replace(":", " ", 1)
    teller = _TELLERS.get(event.kind, _tell_detail)
    is_bad = event.kind is EventKind.CHANGE_WITHDRAWN or "fault" in event.detail
    return Sentence(noun, name, teller(event), "bad" if is_bad else "")


def _tell_pool_created(event: Event) -> str:
    return f"created: {_word_shape(event.detail)}" if event.detail else "created"


def _tell_pool_deleted(event: Event) -> str:
    before = _read_before(event)
    was = f"; it was in {_word_shape(before)}" if before else ""
    return f"deleted, new logins are refused{was}"


def _word_shape(shape: Detail) -> str:
    user = shape.get("user") or _INBOUND
    return f"{shape.get('mode')} mode, size {shape.get('size')}, {shape.get('db')} as {user}"


def _read_before(event: Event) -> Detail:
    before = event.detail.get("before")
    return before if isinstance(before, Mapping) else {}


def _add_before(now: str, event: Event, word: Callable[[Detail], str]) -> str:
    """With what was before, if the entry tells."""
    before = _read_before(event)
    return f"{now} (before: {word(before)})" if before else now


def _tell_pool_changed(event: Event) -> str:
    before = _read_before(event)
    parts = []
    for field, word in _FIELDS.items():
        if field not in event.detail:
            continue
        new = _word_field(field, event.detail[field])
        if field not in before:
            parts.append(f"{word} {new}")
        elif before[field] != event.detail[field]:
            parts.append(f"{word} {_word_field(field, before[field])} → {new}")
    return ", ".join(parts) or "changed"


def _word_field(field: str, value: object) -> str:
    return _INBOUND if field == "user" and not value else str(value)


def _tell_cluster_created(event: Event) -> str:
    version, size = event.detail.get("version"), event.detail.get("size")
    return f"created: PostgreSQL {version}, {size}" if version and size else "created"


def _tell_resize(event: Event) -> str:
    detail, field = event.detail, "storage_size_mib"
    if "from" not in detail:
        return "resized"
    size = f"size {detail.get('from')} → {detail.get('to')}"
    old, new = _read_before(event).get(field), detail.get(field)
    if not isinstance(old, int) or not isinstance(new, int) or old == new:
        return size
    return f"{size}, storage {word_size(old * _MIB)} → {word_size(new * _MIB)}"


def _tell_restart(event: Event) -> str:
    detail = event.detail
    why = _join(detail.get("reasons"))
    parts = ["restarted" + (f" ({why})" if why else "")]
    paused = detail.get("paused_ms")
    if isinstance(paused, int):
        parts.append(f"clients of pools waited {word_duration(paused / 1000)}")
    for key, noun in (("cut_sessions", "session"), ("cut_transactions", "transaction")):
        count = detail.get(key)
        if isinstance(count, int) and count:
            parts.append(f"{count} {noun}{'' if count == 1 else 's'} cut")
    if fault := detail.get("fault"):
        parts.append(f"but with what it ran with before: {fault}")
    return ", ".join(parts)


def _tell_window(event: Event) -> str:
    now = f"from {_word_opening(event.detail)} UTC on, for 4 hours"
    return _add_before(now, event, _word_opening)


def _word_opening(window: Detail) -> str:
    day, hour = str(window.get("day", "")), str(window.get("hour", ""))
    return f"{day.capitalize()} {hour.removesuffix(':00')}"


def _tell_user_changed(event: Event) -> str:
    allowed = event.detail.get("pg_allow_replication")
    return "may replicate" if allowed else "may no longer replicate"


def _tell_firewall(event: Event) -> str:
    detail = event.detail
    parts = [
        f"{key} {_join(value).replace('ip_addr:', '')}"
        for key in ("added", "removed")
        if (value := detail.get(key))
    ]
    reach = detail.get("open_to")
    if reach == "everybody":
        parts.append("open to whoever reaches the ports")
    elif reach == []:
        parts.append("open to nobody")
    return "; ".join(parts) or "changed"


def _tell_names(event: Event) -> str:
    return _add_before(_word_names(event.detail), event, _word_names)


def _word_names(detail: Detail) -> str:
    names = _join(detail.get("service_cnames"))
    return f"valid for {names}, too" if names else "without names of your own"


def _tell_autoscale(event: Event) -> str:
    return _add_before(f"{_word_growth(event.detail)}, kept as a note", event, _word_growth)


def _word_growth(detail: Detail) -> str:
    if not detail.get("enabled"):
        return "does not grow by itself"
    increment, threshold = detail.get("increment_gib"), detail.get("threshold_percent")
    return f"grows by {increment} GiB when {threshold} % are used"


def _tell_settings(event: Event) -> str:
    return ", ".join(f"{name} {change}" for name, change in event.detail.items()) or "changed"


def _tell_withdrawn(event: Event) -> str:
    reason = event.detail.get("reason")
    return "taken back" + (f": {reason}" if reason else ", not in force in time")


def _tell_token(event: Event) -> str:
    may, until = _join(event.detail.get("scopes")), event.detail.get("expires_at")
    said = f"created, may {may}" if may else "created"
    return f"{said}, until {until}" if until else said


def _tell_sign_in(event: Event) -> str:
    by = " by a link" if event.detail.get("by") == "link" else ""
    return f"signed in to the panel{by}"


def _tell_detail(event: Event) -> str:
    words = ", ".join(f"{key} {_join(value)}" for key, value in event.detail.items())
    return words or event.kind.rpartition("_")[2]


def _join(value: object) -> str:
    if value is None:
        return ""
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _say(words: str) -> Callable[[Event], str]:
    return lambda event: words


_TELLERS: dict[EventKind, Callable[[Event], str]] = {
    EventKind.CLUSTER_CREATE: _tell_cluster_created,
    EventKind.CLUSTER_ONLINE: _say("online"),
    EventKind.CLUSTER_RESIZE: _tell_resize,
    EventKind.CLUSTER_MAINTENANCE_PERFORM: _tell_restart,
    EventKind.MAINTENANCE_UPDATE: _tell_window,
    EventKind.MAINTENANCE_INSTALL: _say("asked for, to apply now what waits for it"),
    EventKind.CLUSTER_DELETE: _say("destroyed"),
    EventKind.CLUSTER_REMOVED: _say("its data directory was kept until now, and is removed"),
    EventKind.DATABASE_CREATE: _say("created"),
    EventKind.DATABASE_DELETE: _say("deleted"),
    EventKind.USER_CREATE: _say("created"),
    EventKind.USER_DELETE: _say("deleted"),
    EventKind.USER_UPDATE: _tell_user_changed,
    EventKind.USER_RESET_AUTH: _say("got a new password"),
    EventKind.POOL_CREATE: _tell_pool_created,
    EventKind.POOL_UPDATE: _tell_pool_changed,
    EventKind.POOL_DELETE: _tell_pool_deleted,
    EventKind.POOL_REMOVED: _say("its last clients are gone"),
    EventKind.CONFIG_UPDATE: _tell_settings,
    EventKind.FIREWALL_UPDATE: _tell_firewall,
    EventKind.CHANGE_WITHDRAWN: _tell_withdrawn,
    EventKind.SERVER_STARTED: _say("was not running, and was started again"),
    EventKind.TAG_CREATE: _say("created"),
    EventKind.TAG_DELETE: _say("deleted"),
    EventKind.TAG_ASSIGN: _say("given to the cluster"),
    EventKind.TAG_UNASSIGN: _say("taken off the cluster"),
    EventKind.AUTOSCALE_UPDATE: _tell_autoscale,
    EventKind.DO_SETTINGS_UPDATE: _tell_names,
    EventKind.METRICS_CREDENTIALS_UPDATE: _say("changed"),
    EventKind.TOKEN_CREATE: _tell_token,
    EventKind.TOKEN_DELETE: _say("revoked"),
    EventKind.PANEL_SIGN_IN: _tell_sign_in,
}
