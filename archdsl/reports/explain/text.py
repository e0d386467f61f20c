"""Explanations as text for people, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from archdsl.ir.graph import Graph, Node
from archdsl.ir.labels import item_text
from archdsl.ops import shape_text
from archdsl.reports.explain.facts import Fact, Section
from archdsl.support.escaping import printable

WIDEST = 56
"""Columns that an equation may take before what is behind it gives up being aligned."""


def as_text(graph: Graph, sections: list[Section]) -> str:
    """Sections one after the other, facts in columns."""
    names = graph.node_names()
    lines = [f"{graph.class_name} ({graph.name})"]
    for section in sections:
        lines.append("")
        lines += _section(section, 0, names)
    return "\n".join(printable(line).rstrip() for line in lines)


def _section(section: Section, level: int, names: dict[Node, str]) -> Iterator[str]:
    indent = "  " * level
    head = f"{indent}{section.title}"
    if section.text.startswith(f"{section.title} ="):
        head = f"{indent}{section.text}"
    elif section.text:
        head += f"  {section.text}"
    yield head + (f"  [{section.place}]" if section.place else "")
    margin = max([len(fact.name) for fact in section.facts], default=0)
    texts = [str(fact.equation) for fact in section.facts]
    width = max([len(text) for text in texts if len(text) <= WIDEST], default=0)
    for fact, text in zip(section.facts, texts):
        behind = _behind(fact, section.place)
        yield f"{indent}  {fact.name:{margin}}  {text:{width if behind else 0}}  {behind}"
    if section.nodes:
        yield from _table(section, indent + "  ", names)
    for i, inner in enumerate(section.sections):
        if level == 0 and (inner.facts or inner.nodes) and (i or section.facts):
            yield ""
        yield from _section(inner, level + 1, names)


def _behind(fact: Fact, place: str) -> str:
    """Where a fact is from; its place where that is not the section's and nothing else tells."""
    told = fact.origin
    if fact.place and fact.place != place and not told.startswith("stages("):
        told = f"{told}, {fact.place}" if told else fact.place
    return told


def _table(section: Section, indent: str, names: dict[Node, str]) -> Iterator[str]:
    """The primitives with shapes and costs."""
    rows = [("", "", "input", "output", "parameters", "MACs")]
    rows += [cells(node, names, section.prefix) for node in section.nodes]
    params = sum(node.operation.parameter_count for node in section.nodes)
    macs = sum(node.operation.macs for node in section.nodes)
    if len(section.nodes) > 1:
        rows.append(("total", "", "", "", f"{params:,}", f"{macs:,}"))
    widths = [max(map(len, column)) for column in zip(*rows)]
    for row in rows:
        left = [cell.ljust(width) for cell, width in zip(row[:4], widths)]
        right = [cell.rjust(width) for cell, width in zip(row[4:], widths[4:])]
        yield indent + "  ".join([*left, *right])


def cells(node: Node, names: dict[Node, str], prefix: str) -> tuple[str, str, str, str, str, str]:
    """A primitive as a row of text."""
    name = names[node]
    if prefix and name.startswith(prefix + "."):
        name = name.removeprefix(prefix)
    return (
        name,
        item_text(node),
        ", ".join(shape_text(value.shape) for value in node.inputs),
        ", ".join(shape_text(value.shape) for value in node.outputs),
        f"{node.operation.parameter_count:,}",
        f"{node.operation.macs:,}",
    )


def as_json(graph: Graph, sections: list[Section]) -> str:
    """The same as data."""
    names = graph.node_names()
    content = {
        "network": graph.name,
        "class": graph.class_name,
        "sections": [_data(section, names) for section in sections],
    }
    return json.dumps(content, indent=1)


def _data(section: Section, names: dict[Node, str]) -> dict[str, Any]:
    return {
        "title": section.title,
        "text": section.text,
        "place": section.place,
        "facts": [
            {
                "name": fact.name,
                "steps": [*fact.equation.steps],
                "value": fact.equation.value,
                "note": fact.equation.note,
                "origin": fact.origin,
                "place": fact.place,
            }
            for fact in section.facts
        ],
        "primitives": [
            {
                "name": names[node],
                "operation": item_text(node),
                "inputs": [list(value.shape) for value in node.inputs],
                "outputs": [list(value.shape) for value in node.outputs],
                "params": node.operation.parameter_count,
                "macs": node.operation.macs,
            }
            for node in section.nodes
        ],
        "sections": [_data(inner, names) for inner in section.sections],
    }
