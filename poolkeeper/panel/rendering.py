"""Templates: everything that is put into one is escaped."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2

import poolkeeper
from poolkeeper.domain import tokens
from poolkeeper.panel import wording
from poolkeeper.panel.assets import Assets
from poolkeeper.panel.event_sentences import tell

FOLDER = Path(__file__).parent / "templates"


class Renderer:
    """Turns a template's name and values into HTML."""

    def __init__(self, assets: Assets) -> None:
        environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(FOLDER),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        environment.filters |= {
            "number": wording.word_number,
            "value": wording.word_value,
            "size": wording.word_size,
            "duration": wording.word_duration,
            "moment": wording.show_moment,
            "happening": wording.word_happening,
            "clock": wording.show_clock,
            "tell": tell,
        }
        environment.globals |= {
            "static": assets.url,
            "has_static": assets.has,
            "version": poolkeeper.__version__,
            "scopes": tokens,
        }
        self._environment = environment

    def render(self, template: str, values: Mapping[str, Any]) -> str:
        """The page. Raises jinja2.TemplateError for a template that is wrong."""
        return self._environment.get_template(template).render(values)
