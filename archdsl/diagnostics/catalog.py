"""Kinds of diagnostics by code, and the page that explains each.

A page is `errors/CODE.md`: why it is a mistake, a wrong example with the output of the command, and
a right example. Tests run every example.
"""

from __future__ import annotations

import os
import re

from archdsl.diagnostics import errors
from archdsl.diagnostics.diagnostic import Chapter, Diagnostic
from archdsl.support import resources

CHAPTERS = {
    Chapter.FILES: "Files and text",
    Chapter.NAMES: "Names and calls",
    Chapter.VALUES: "Numbers and values",
    Chapter.SHAPES: "Shapes",
    Chapter.REQUIREMENTS: "Requirements of the spec",
    Chapter.LIMITS: "Limits",
    Chapter.BACKENDS: "Weights and backends",
    Chapter.WARNINGS: "Warnings",
    Chapter.MEASUREMENTS: "Measurements",
}
"""Their titles, in the order of codes."""


def kinds() -> dict[str, type[Diagnostic]]:
    """All kinds of diagnostics by code, in order."""
    found = [
        item
        for item in vars(errors).values()
        if isinstance(item, type) and issubclass(item, Diagnostic) and item is not Diagnostic
    ]
    return {kind.code: kind for kind in sorted(found, key=lambda kind: kind.code)}


def page(code: str) -> str:
    """The page of a code in Markdown, without a title. Raises `OSError` if there is none."""
    path = os.path.join(resources.ERRORS, f"{code}.md")
    with open(path, encoding="utf-8") as file:
        return file.read()


def title(kind: type[Diagnostic]) -> str:
    """The name of a kind in words: `DoesNotDivide` is `does not divide`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?=[A-Z][a-z])", " ", kind.__name__).strip().lower()


def explanation(kind: type[Diagnostic]) -> str:
    """The page of a kind as plain text, with examples indented instead of fenced."""
    lines = [_heading(kind), ""]
    indent = ""
    for line in page(kind.code).rstrip("\n").split("\n"):
        if line.startswith("```"):
            indent = "" if indent else "    "
            name = line.strip("`").partition(" ")[2]
            if name:
                lines += [f"{name}:", ""]
        else:
            lines.append((indent + line).rstrip())
    return "\n".join(lines) + "\n"


def document() -> str:
    """All pages as one Markdown document."""
    parts = [INTRODUCTION]
    for chapter, about in CHAPTERS.items():
        found = [kind for kind in kinds().values() if kind.chapter is chapter]
        rows = [
            f"| [{kind.code}](#{_anchor(kind)}) | {kind.message.splitlines()[0]} |"
            for kind in found
        ]
        parts.append("\n".join([f"## {about}", "", "| code | message |", "| --- | --- |", *rows]))
        parts += [f"### {_heading(kind)}\n\n{page(kind.code).strip()}" for kind in found]
    return "\n\n".join(parts) + "\n"


INTRODUCTION = """\
# Every diagnostic

The output of `archdsl explain --all`; `archdsl explain CODE` prints one page. Each page explains a
mistake and shows a wrong spec, the output of the command, and a right spec. A spec without a name
is `net.arch`; a right spec without a command passes `archdsl check net.arch`."""


def _heading(kind: type[Diagnostic]) -> str:
    return f"{kind.code}: {title(kind)}"


def _anchor(kind: type[Diagnostic]) -> str:
    return re.sub(r"[^a-z0-9 -]", "", _heading(kind).lower()).replace(" ", "-")
