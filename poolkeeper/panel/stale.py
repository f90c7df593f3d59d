"""Forms that were filled before somebody else changed what they show.

A field has a twin, ``was:…``, which says what it held when the page was made. Where that is
not what is there now, saving would undo what the other one did without anybody knowing: it
is told instead, what was typed stays, and saving once more means it.
"""

from __future__ import annotations

from collections.abc import Mapping

from poolkeeper.domain.maintenance import DAYS
from poolkeeper.panel.forms import Form

WAS = "was:"

_OVERTAKEN = (
    "Somebody else changed this meanwhile: nothing was saved now. What you typed is still here;"
    " save once more if it is to be in force."
)


def read_twins(sent: Mapping[str, list[str]], now: Form) -> dict[str, str]:
    """What the page showed of these fields, as far as it says so."""
    return {name: sent[WAS + name][0] for name in now.flatten() if WAS + name in sent}


def note_conflicts(form: Form, was: Mapping[str, str], now: Form) -> bool:
    """Put beside each field what somebody else made of it meanwhile; whether there was any."""
    typed, current = form.flatten(), now.flatten()
    for name, shown in was.items():
        if _lines(shown) != _lines(current[name]) and _lines(typed[name]) != _lines(current[name]):
            nothing = "off" if name in now.lists else "nothing"
            before, after = _word(shown) or nothing, _word(current[name]) or nothing
            form.errors[name] = f"was {before} when this page was made, is {after} now"
            form.problem = _OVERTAKEN
    return bool(form.errors)


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines()]


def _word(text: str) -> str:
    shown = ", ".join(_lines(text))
    if shown in DAYS:
        return shown.capitalize()
    return "on" if shown == "yes" else shown
