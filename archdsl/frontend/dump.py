"""The syntax tree as text: a node a line, indented, with its fields and its place.

Reads the fields of records, so that a new kind of node needs nothing here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from archdsl.diagnostics.source import Span
from archdsl.frontend import ast


def dump(node: ast.Node, places: bool = True) -> str:
    """A tree as text; without `places` it says what is written, wherever that is."""
    return "\n".join(_lines(node, "", "", places)) + "\n"


def _lines(node: ast.Node, indent: str, label: str, places: bool) -> Iterator[str]:
    words, inner = [type(node).__name__], []
    for name in node.fields:
        value = getattr(node, name)
        if isinstance(value, Span) or value in (None, (), getattr(type(node), name, None)):
            continue
        if isinstance(value, ast.Node):
            inner.append((name, value))
        elif isinstance(value, tuple) and isinstance(value[0], ast.Node):
            inner += [(name, item) for item in value]
        else:
            words.append(f"{name}={json.dumps(value, ensure_ascii=False)}")
    place = "{}:{}".format(*node.span.source.position(node.span.start))
    yield f"{indent}{label}{' '.join(words)}" + (f"  {place}" if places else "")
    for name, child in inner:
        yield from _lines(child, indent + "  ", f"{name}: ", places)
