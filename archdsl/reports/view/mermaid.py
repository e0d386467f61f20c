"""A picture as a Mermaid flowchart: open boxes are subgraphs. https://mermaid.js.org/syntax/flowchart.html"""

from __future__ import annotations

from collections.abc import Iterator

from archdsl.reports.view import colours
from archdsl.reports.view.boxes import Box
from archdsl.reports.view.flows import flows
from archdsl.reports.view.texts import heading, label
from archdsl.support import escaping


def mermaid(top: Box, open_boxes: set[Box]) -> str:
    """The flowchart of a network with some boxes open."""
    kinds = colours.colours_of(top)
    lines = ["---", f"title: {_title(top)}", "---", "flowchart TD"]
    painted: dict[str, list[str]] = {}
    for box in top.children:
        lines += _box(box, open_boxes, kinds, painted, "  ")
    for tail, edge in flows(open_boxes):
        arrow = "-.->" if edge.head.training else "-->"
        lines.append(f'  n{tail.number} {arrow}|"{edge.shape}"| n{edge.head.number}')
    for number, (colour, names) in enumerate(painted.items()):
        lines.append(f"  classDef c{number} fill:{colour}{colours.ALPHA},stroke:{colour}")
        lines.append(f"  class {','.join(names)} c{number}")
    return "\n".join([*lines, ""])


def _box(
    box: Box,
    open_boxes: set[Box],
    kinds: dict[str, str],
    painted: dict[str, list[str]],
    indent: str,
) -> Iterator[str]:
    name = f"n{box.number}"
    painted.setdefault(kinds.get(box.kind, colours.PLAIN), []).append(name)
    text = f'"{_escaped(label(box))}"'
    if box in open_boxes:
        yield f"{indent}subgraph {name}[{text}]"
        for child in box.children:
            yield from _box(child, open_boxes, kinds, painted, indent + "  ")
        yield f"{indent}end"
    elif box.form in ("input", "output"):
        yield f"{indent}{name}([{text}])"
    elif box.repeats > 1:
        yield f"{indent}{name}[[{text}]]"
    else:
        yield f"{indent}{name}[{text}]"


def _escaped(lines: list[str]) -> str:
    """Lines of text as Mermaid takes them between quotation marks."""
    return "<br/>".join(map(escaping.mermaid, lines))


def _title(top: Box) -> str:
    """Names are letters, digits and lines below: they need no quotation marks."""
    return heading(top)[0]
