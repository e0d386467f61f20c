"""A picture as a graph for Graphviz: open boxes are clusters. https://graphviz.org/doc/info/lang.html"""

from __future__ import annotations

from collections.abc import Iterator

from archdsl.reports.view import colours
from archdsl.reports.view.boxes import Box
from archdsl.reports.view.flows import flows
from archdsl.reports.view.texts import heading, label
from archdsl.support import escaping

HEAD = """\
  fontname="Helvetica,Arial,sans-serif" fontsize=16 labelloc=t ranksep=0.3 nodesep=0.3
  node [shape=box style="filled,rounded" fontname="Helvetica,Arial,sans-serif" fontsize=11]
  edge [fontname="Helvetica,Arial,sans-serif" fontsize=9 color="#767676" arrowsize=0.6]\
"""


def dot(top: Box, open_boxes: set[Box]) -> str:
    """The graph of a network with some boxes open."""
    kinds = colours.colours_of(top)
    lines = [f"digraph {_quoted([top.name])} {{", f"  label={_quoted(heading(top))}", HEAD]
    for box in top.children:
        lines += _box(box, open_boxes, kinds, "  ")
    for tail, edge in flows(open_boxes):
        style = " style=dashed" if edge.head.training else ""
        shape = _quoted([f" {edge.shape}"])
        lines.append(f"  n{tail.number} -> n{edge.head.number} [label={shape}{style}]")
    return "\n".join([*lines, "}", ""])


def _box(box: Box, open_boxes: set[Box], kinds: dict[str, str], indent: str) -> Iterator[str]:
    colour = kinds.get(box.kind, colours.PLAIN)
    paint = f'color="{colour}" fillcolor="{colour}{colours.ALPHA}"'
    if box in open_boxes:
        yield f"{indent}subgraph cluster_{box.number} {{"
        yield f'{indent}  label={_quoted(label(box))} {paint} style="rounded" fontsize=11'
        for child in box.children:
            yield from _box(child, open_boxes, kinds, indent + "  ")
        yield f"{indent}}}"
        return
    if box.form in ("input", "output"):
        paint = 'color="#767676" fillcolor="#ffffff"'
    style = ' style="filled,rounded,dashed"' if box.training else ""
    more = " peripheries=2" if box.repeats > 1 else ""
    yield f"{indent}n{box.number} [label={_quoted(label(box))} {paint}{style}{more}]"


def _quoted(lines: list[str]) -> str:
    """Lines of text as a string of the language."""
    return '"' + "\\n".join(map(escaping.dot, lines)) + '"'
