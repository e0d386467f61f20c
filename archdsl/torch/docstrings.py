"""Texts of the spec as docstrings."""

from __future__ import annotations

import textwrap

from archdsl.torch.code import INDENT, WIDTH


def docstring_lines(text: str, level: int, hanging: bool = False) -> list[str]:
    """A text of the spec as lines of a docstring: it cannot end it, and starts no escape."""
    opening = '"""' if text.startswith('"""') and not hanging else ""
    text = " ".join(text.removeprefix(opening).split())
    text = "".join(c if c.isprintable() else "?" for c in text)
    body, end = (text[:-1], '\\"') if text.endswith('"') else (text, "")
    text = body.replace("\\", "\\\\").replace('"""', '\\"\\"\\"') + end
    margin = INDENT * level
    more = margin + INDENT if hanging else margin
    wrapper = textwrap.TextWrapper(
        WIDTH, initial_indent=margin, subsequent_indent=more, break_on_hyphens=False
    )
    lines = wrapper.wrap(opening + text) or [margin + opening]
    if len(lines) == 1 and opening and len(lines[0]) > WIDTH - len(opening):
        wrapper.width -= len(opening)  # formatters would put the closing quotes on this line
        lines = wrapper.wrap(opening + text)
    return lines
