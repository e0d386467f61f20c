"""`docs/networks.md`: a row for each published network, measured by the test that proves it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import archdsl
from tests.networks import NETWORKS, Published

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "networks.md"
BEGIN, END = "<!-- networks -->\n", "<!-- /networks -->"

LEAST = (1e-6, 1e-14, 1e-6)
"""Smaller differences in float32, in float64 and of ONNX are how a machine adds up."""


class Row(NamedTuple):
    """What was measured: of the network and of the public implementation, and how they differ."""

    network: archdsl.Network
    params: int
    macs: int
    differences: tuple[float, float, float]
    """The largest of any output, as a share of the largest: in float32, in float64, of ONNX."""


def text_of(published: Published, row: Row) -> str:
    """The row of a network."""
    text = (ROOT / "specs" / f"{published.spec}.arch").read_text()
    lines = sum(bool(line.strip()) for line in text.splitlines())
    cells = [
        published.title,
        f"`{command(published)}`",
        str(lines),
        f"{row.network.params:,}",
        f"{row.network.macs:,}",
        published.source,
        f"{row.params:,}",
        f"{row.macs:,}",
        *(f"{difference:.0e}" if difference else "0" for difference in row.differences),
    ]
    return f"| {' | '.join(cells)} |\n"


def command(published: Published) -> str:
    """How the network is built."""
    parts = [published.spec]
    parts += ["--arch", published.arch] if published.arch not in (None, published.spec) else []
    parts += ["--variant", published.variant] if published.variant else []
    parts += [f"--set {name}={text}" for name, text in published.settings.items()]
    return " ".join(parts)


def known() -> dict[str, str]:
    """The rows of the page, by their commands."""
    page = PAGE.read_text()
    rows = page[page.index(BEGIN) + len(BEGIN) : page.index(END)].splitlines(keepends=True)
    return {text.split(" | ")[1].strip("`"): text for text in rows}


def keep(published: Published, text: str) -> None:
    """Put a row into the page, in the order of the table."""
    rows = {**known(), command(published): text}
    ordered = [rows[command(p)] for p in NETWORKS if command(p) in rows]
    page = PAGE.read_text()
    start, end = page.index(BEGIN) + len(BEGIN), page.index(END)
    PAGE.write_text(page[:start] + "".join(ordered) + page[end:])
