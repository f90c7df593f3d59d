"""pydantic's complaints about a request, in plain words that name the field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_WORDS = {
    "missing": "is required",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "int_parsing_size": "must be a whole number",
    "string_type": "must be a string",
    "bool_type": "must be true or false",
    "list_type": "must be a list",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "string_too_long": "must have at most {max_length} characters",
    "too_long": "must have at most {max_length} entries",
    "value_error": "{error}",
}

_BODY = "the body must be a JSON object, sent as application/json"


def is_malformed(complaints: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the body could not be read at all."""
    return any(complaint["type"] == "json_invalid" for complaint in complaints)


def word_complaints(complaints: Sequence[Mapping[str, Any]]) -> str:
    """All of them on one line. What was sent is not repeated: it may hold a secret."""
    return "; ".join(_word(complaint) for complaint in complaints)


def _word(complaint: Mapping[str, Any]) -> str:
    # The first part is where it was: body, query, path.
    field = ".".join(str(part) for part in complaint["loc"][1:])
    if not field:
        return _BODY
    words = _WORDS.get(complaint["type"])
    if words is None:
        return f"{field}: {complaint['msg']}"
    return f"{field}: {words.format_map(complaint.get('ctx', {}))}"
