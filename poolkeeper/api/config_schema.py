"""The settings of a cluster, described for ``/openapi.json``."""

from __future__ import annotations

from typing import Any

from poolkeeper.domain.config import nest_config
from poolkeeper.domain.config_kinds import Boolean, Choice, Integer, Kind, Number, Option, Words
from poolkeeper.domain.config_options import GROUPS, OPTIONS


def describe_settings() -> dict[str, Any]:
    """The properties of ``config``: every setting that can be changed, groups as objects."""
    nested = nest_config({name: _describe(option) for name, option in OPTIONS.items()})
    return {
        name: {"type": "object", "properties": schema} if name in GROUPS else schema
        for name, schema in nested.items()
    }


def _describe(option: Option) -> dict[str, Any]:
    schema = _describe_kind(option.kind)
    waits = "; taken up at a restart of PostgreSQL" if option.restart else ""
    unit = getattr(option.kind, "unit", "")
    schema["description"] = f"{option.meaning}{f' ({unit})' if unit else ''}{waits}."
    if option.default is not None:
        schema["default"] = option.default
    return schema


def _describe_kind(kind: Kind) -> dict[str, Any]:
    match kind:
        case Integer(low, high):
            return {"type": "integer", "minimum": low, "maximum": high}
        case Number(low, high):
            return {"type": "number", "minimum": low, "maximum": high}
        case Boolean():
            return {"type": "boolean"}
        case Choice(choices):
            return {"type": "string", "enum": list(choices)}
        case Words(choices, most):
            items = {"type": "string", "enum": list(choices)}
            return {"type": "array", "items": items, "maxItems": most}
        case _:
            return {"type": "string"}
