"""The templates of pictures, with all that is put into them escaped."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from archdsl.support import resources


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(os.path.join(resources.TEMPLATES, "view")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["px"] = _pixels
    return environment


def _pixels(number: float) -> str:
    """A number of pixels, to a tenth."""
    return f"{number:.1f}".removesuffix(".0")


def render(template: str, **content: Any) -> str:
    """The text that a template of `templates/view` makes of its content."""
    return _environment().get_template(template).render(**content)
