"""What a code means: the kinds of diagnostics by code, and the page of each.

A page is `errors/CODE.md`: why it is a mistake, a wrong and a right example, and what the command
says of the wrong one. docs/errors.md holds them all; tests run every example.
"""

from __future__ import annotations

import os
import re

from archdsl import errors, resources
from archdsl.diagnostics import Diagnostic

SUBJECTS = {
    "A0": "Files and text",
    "A1": "Names and calls",
    "A2": "Numbers and values",
    "A3": "Shapes",
    "A4": "What the spec itself demands",
    "A5": "Limits",
    "A6": "Weights and backends",
}
"""What the codes that start alike are about."""


def kinds() -> dict[str, type[Diagnostic]]:
    """Every kind of diagnostic by its code, in the order of the codes."""
    found = [
        item
        for item in vars(errors).values()
        if isinstance(item, type) and issubclass(item, Diagnostic) and item is not Diagnostic
    ]
    return {kind.code: kind for kind in sorted(found, key=lambda kind: kind.code)}


def page(code: str) -> str:
    """The page of a code, in Markdown, without a title. Raises `OSError` where there is none."""
    path = os.path.join(resources.ERRORS, f"{code}.md")
    with open(path, encoding="utf-8") as file:
        return file.read()


def title(kind: type[Diagnostic]) -> str:
    """The name of a kind in words: `DoesNotDivide` is `does not divide`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?=[A-Z][a-z])", " ", kind.__name__).strip().lower()


def explanation(kind: type[Diagnostic]) -> str:
    """The page of a kind as plain text: examples are indented instead of fenced."""
    lines = [f"{kind.code}: {title(kind)}", ""]
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
