"""Display of specs and networks in notebooks: HTML without scripts or external resources.

Colours are those of the page, light or dark; bars and rules are shades of its text. The picture is
an image of its own, so that its styles and names stay within it.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Mapping
from html import escape
from typing import NamedTuple

from archdsl.ir.graph import Graph
from archdsl.support.escaping import printable

MOST = 40
"""Rows of a table; of more, the first are shown. A network of more stages has no picture."""

_CELL = "padding:2px 8px;border-bottom:1px solid rgba(128,128,128,.3);"
_LEFT = f'style="{_CELL}text-align:left"'
_RIGHT = f'style="{_CELL}text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap"'
_THEMES = (
    '<style>[data-jp-theme-light="true"] .archdsl{color-scheme:light}'
    '[data-jp-theme-light="false"] .archdsl,.vscode-dark .archdsl,'
    'html[theme="dark"] .archdsl{color-scheme:dark}</style>'
)
"""Tells the picture which theme Jupyter, VS Code or Colab has, whatever the system's is."""
_BAR = "background:linear-gradient(90deg,rgba(0,114,178,.35) {share:.1f}%,transparent {share:.1f}%)"
"""The share of a cell lies behind its number."""


class Stage(NamedTuple):
    """A row of the table of a network; `macs` is none where a stage only serves training."""

    name: str
    kind: str
    shape: str
    params: int
    macs: int | None


def network_html(graph: Graph, summary: str, params: int, macs: int, stages: list[Stage]) -> str:
    """A network: what it is, what its stages cost, and its picture.

    Args:
        graph: the network.
        summary: its costs, inputs and outputs in a line.
        params, macs: those of the whole network.
        stages: the rows of its table.
    """
    title = f"<b>{_text(graph.class_name)}</b> ({_text(graph.name)})"
    docs = "".join(f"<br>{_text(line)}" for doc in graph.unit.docs for line in doc.splitlines())
    costs = _text(summary)
    content = _stages(stages, params, macs) + _picture(graph, len(stages))
    return (
        f'{_THEMES}<div class="archdsl"><div>{title}{docs}<br>{costs}</div>'
        '<div style="display:flex;flex-wrap:wrap;gap:16px;align-items:flex-start;margin-top:6px">'
        f"{content}</div></div>"
    )


def spec_html(name: str, archs: Mapping[str, Iterable[str]], blocks: Iterable[str]) -> str:
    """A spec: its archs with their variants, and its blocks."""
    entries = [("arch", arch, ", ".join(variants)) for arch, variants in archs.items()]
    entries += [("block", block, "") for block in blocks]
    rows = [f"<tr>{_words(entry)}</tr>" for entry in entries[:MOST]]
    if len(entries) > MOST:
        rows.append(_more(f"and {len(entries) - MOST:,} more", 3))
    return (
        f'<div class="archdsl"><b>{_text(name)}</b>{_table(("", "", "variants"), rows)}</div>'
    )


def _stages(stages: list[Stage], params: int, macs: int) -> str:
    rows = []
    for stage in stages[:MOST]:
        own = _number(stage.params, params)
        training = f"<td {_RIGHT}>training</td>"
        own += training if stage.macs is None else _number(stage.macs, macs)
        rows.append(f"<tr>{_words((stage.name, stage.kind, stage.shape))}{own}</tr>")
    if len(stages) > MOST:
        told = f"and {len(stages) - MOST:,} more stages; <code>summary()</code> shows all"
        rows.append(_more(told, 5))
    return _table(("stage", "", "output", "parameters", "MACs"), rows)


def _table(headings: Iterable[str], rows: Iterable[str]) -> str:
    head = "".join(
        f'<th scope="col" {_RIGHT if i > 2 else _LEFT}>{text}</th>'
        for i, text in enumerate(headings)
    )
    return (
        '<table style="border-collapse:collapse;color:inherit">'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    )


def _words(words: Iterable[str]) -> str:
    return "".join(f"<td {_LEFT}>{_text(word)}</td>" for word in words)


def _more(told: str, columns: int) -> str:
    return f'<tr><td colspan="{columns}" {_LEFT}>{told}</td></tr>'


def _number(number: int, total: int) -> str:
    share = 100 * number / total if total else 0.0
    return f'<td {_RIGHT[:-1]};{_BAR.format(share=share)}">{number:,}</td>'


def _picture(graph: Graph, stages: int) -> str:
    if stages > MOST:
        return ""
    from archdsl.reports.view.svg import picture

    content = b64encode(picture(graph).encode()).decode()
    told = _text(f"The stages of {graph.name}")
    return (
        '<div style="max-height:460px;max-width:100%;overflow:auto" tabindex="0">'
        f'<img alt="{told}" src="data:image/svg+xml;base64,{content}" style="max-width:none"></div>'
    )


def _text(text: str) -> str:
    return escape(printable(text))
