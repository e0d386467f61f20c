"""The table of stages and blocks that `archdsl summary` shows; its numbers come from `costs.py`."""

from __future__ import annotations

from itertools import groupby

from archdsl import costs
from archdsl.diagnostics import printable
from archdsl.graph import Graph, Node, Scope
from archdsl.operations import shape_text
from archdsl.operations.kinds import describe

WIDEST = 48
"""Columns that the description of a row may take."""

HEADINGS = ("", "", "output", "parameters", "MACs")


def summarise(graph: Graph, total: costs.Total) -> str:
    """The text of the table, and the totals under it."""
    rows = [(value.name, "input", shape_text(value.shape), "", "") for value in graph.inputs]
    for part in costs.parts(graph):
        rows.append(_row(part, part.name, _items_text(part)))
        rows += [_row(inner, "  " + inner.name, _uses_text(inner)) for inner in part.parts]
    lines = _aligned([HEADINGS, *rows, ("total", "", "", f"{total.params:,}", f"{total.macs:,}")])
    rule = "-" * max(map(len, lines))
    return "\n".join(
        [
            f"{graph.class_name} ({graph.name})",
            *map(printable, graph.unit.docs),
            "",
            lines[0],
            rule,
            *lines[1:-1],
            rule,
            lines[-1],
            f"depth  {total.depth}",
        ]
    )


def _row(part: costs.Part, name: str, text: str) -> tuple[str, str, str, str, str]:
    shapes = ", ".join(map(shape_text, part.shapes))
    macs = "training" if part.training else f"{part.macs:,}"
    return (name, _shortened(text), shapes, f"{part.params:,}", macs)


def _items_text(part: costs.Part) -> str:
    """What a line consists of: `conv bn relu`, `mbconv x3`."""
    if len(part.items) == 1 and isinstance(part.items[0], Scope):
        return _uses_text(part)
    runs = [(name, len(list(run))) for name, run in groupby(map(_item_name, part.items))]
    return " ".join(name if count == 1 else f"{name} x{count}" for name, count in runs)


def _item_name(item: Node | Scope) -> str:
    return item.unit.name if isinstance(item, Scope) else item.operation.name


def _uses_text(part: costs.Part) -> str:
    """A block with the arguments that it was given: `mbconv c=24 s=2`."""
    (scope,) = part.items
    assert isinstance(scope, Scope)
    trace = scope.frame.trace
    given = [
        f"{parameter.name}={describe(scope.arguments[parameter.name])}"
        for parameter in scope.unit.numbers
        if parameter.name in scope.arguments and id(parameter.default) not in trace
    ]
    return " ".join([scope.unit.name, *given])


def _shortened(text: str) -> str:
    if len(text) <= WIDEST:
        return text
    return text[: WIDEST - 3].rsplit(" ", 1)[0] + " ..."


def _aligned(rows: list[tuple[str, str, str, str, str]]) -> list[str]:
    """Rows as lines: words to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = []
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row[:3], widths)]
        cells += [cell.rjust(width) for cell, width in zip(row[3:], widths[3:])]
        lines.append("  ".join(cells).rstrip())
    return lines
