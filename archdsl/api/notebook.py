"""How specs and networks show themselves in notebooks: HTML without scripts or outside resources.

Colours are those of the page, light or dark; bars and rules are shades of its text. The picture is
an image of its own, so that its styles and names stay within it.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING

from archdsl.support.escaping import printable

if TYPE_CHECKING:
    from archdsl.api.network import Network, PartInfo, Shape, Spec

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


def network_html(network: Network) -> str:
    """A network: what it is, what its stages cost, and its picture."""
    title = f"<b>{_text(network.class_name)}</b> ({_text(network.name)})"
    docs = "".join(f"<br>{_text(line)}" for line in network.doc.splitlines())
    costs = (
        f"{network.params:,} parameters, {network.macs:,} MACs, depth {network.depth};"
        f" {_shapes(network.inputs)} &rarr; {_shapes(network.outputs)}"
    )
    parts = network.table()
    content = _stages(parts, network) + _picture(network, len(parts))
    return (
        f'{_THEMES}<div class="archdsl"><div>{title}{docs}<br>{costs}</div>'
        '<div style="display:flex;flex-wrap:wrap;gap:16px;align-items:flex-start;margin-top:6px">'
        f"{content}</div></div>"
    )


def spec_html(spec: Spec) -> str:
    """A spec: its archs with their variants, and its blocks."""
    entries = [("arch", name, ", ".join(spec.variants(name))) for name in spec.archs]
    entries += [("block", name, "") for name in spec.blocks]
    rows = [f"<tr>{_words(entry)}</tr>" for entry in entries[:MOST]]
    if len(entries) > MOST:
        rows.append(_more(f"and {len(entries) - MOST:,} more", 3))
    return (
        f'<div class="archdsl"><b>{_text(spec.name)}</b>{_table(("", "", "variants"), rows)}</div>'
    )


def _stages(parts: list[PartInfo], network: Network) -> str:
    rows = []
    for part in parts[:MOST]:
        params = _number(part.params, network.params)
        macs = f"<td {_RIGHT}>training</td>" if part.training else _number(part.macs, network.macs)
        words = (part.name, part.kind, "x".join(map(str, part.shape[1:])))
        rows.append(f"<tr>{_words(words)}{params}{macs}</tr>")
    if len(parts) > MOST:
        told = f"and {len(parts) - MOST:,} more stages; <code>summary()</code> shows all"
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


def _picture(network: Network, stages: int) -> str:
    if stages > MOST:
        return ""
    from archdsl.reports.view.svg import picture

    content = b64encode(picture(network.graph).encode()).decode()
    told = _text(f"The stages of {network.name}")
    return (
        '<div style="max-height:460px;max-width:100%;overflow:auto" tabindex="0">'
        f'<img alt="{told}" src="data:image/svg+xml;base64,{content}" style="max-width:none"></div>'
    )


def _shapes(shapes: dict[str, Shape]) -> str:
    return ", ".join(f"{_text(name)} {'x'.join(map(str, s))}" for name, s in shapes.items())


def _text(text: str) -> str:
    return escape(printable(text))
