"""Forms: what was typed, and what is wrong with it, each error beside its field.

A page reads the form, tries, and shows the form again when that failed::

    form = visit.read_form("name", "size")
    with form.attempt():
        pool = create_pool(…)
        return visit.redirect(…)
    return visit.page("create_pool.html", 422, form=form)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType

from poolkeeper.domain.errors import InvalidField, InvalidRequest, NotReady, Unavailable

_MOST_DIGITS = 10


class Form:
    """Values by field (texts, as typed), errors by field, and a problem of the whole.

    ``lists``: fields that may be given several times, such as checkboxes.
    """

    def __init__(
        self, values: Mapping[str, str], lists: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        self.values = dict(values)
        self.lists = {name: list(chosen) for name, chosen in (lists or {}).items()}
        self.errors: dict[str, str] = {}
        self.problem = ""

    def __getitem__(self, field: str) -> str:
        return self.values.get(field, "")

    @property
    def failed(self) -> bool:
        return bool(self.errors or self.problem)

    def flatten(self) -> dict[str, str]:
        """Each field as one text; of those that can be given several times a line for each."""
        return self.values | {name: "\n".join(chosen) for name, chosen in self.lists.items()}

    def number(self, field: str) -> int:
        """A field as a whole number. Raises InvalidField."""
        text = self[field].strip()
        digits = text.removeprefix("-")
        if not (digits.isascii() and digits.isdigit() and len(digits) <= _MOST_DIGITS):
            raise InvalidField(field, "must be a whole number")
        return int(text)

    def attempt(self, *, fields: Mapping[str, str] | None = None) -> Attempt:
        """A ``with`` block whose refusals become this form's errors.

        ``fields``: what the error calls a field, and what this form calls it.
        """
        return Attempt(self, fields or {})

    def note(self, error: InvalidRequest | NotReady | Unavailable, field: str | None) -> None:
        """Put an error where it belongs: beside its field if this form has that."""
        known = field is not None and (field in self.values or field in self.lists)
        if known and field is not None and isinstance(error, InvalidRequest):
            self.errors[field] = error.reason
        else:
            self.problem = str(error)


class Attempt:
    """See ``Form.attempt``. What a person cannot mend in the form goes on upwards."""

    def __init__(self, form: Form, fields: Mapping[str, str]) -> None:
        self._form = form
        self._fields = fields

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        if not isinstance(error, InvalidRequest | NotReady | Unavailable):
            return False
        field = error.field if isinstance(error, InvalidRequest) else None
        self._form.note(error, self._fields.get(field, field) if field else None)
        return True
