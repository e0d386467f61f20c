"""`docs/networks.md`: a row for each published network, measured by the test that proves it."""

from __future__ import annotations

import math
from pathlib import Path

import archdsl
from tests.networks import NETWORKS, Published

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "networks.md"
BEGIN, END = "<!-- networks -->\n", "<!-- /networks -->"

LEAST = {"float32": 1e-6, "float64": 1e-14}
"""Differences are told as powers of ten, from these on: below is how a machine adds up."""


def row(published: Published, network: archdsl.Network, differences: dict[str, float]) -> str:
    """The row of a network."""
    text = (ROOT / "specs" / f"{published.spec}.arch").read_text()
    lines = sum(bool(line.strip()) for line in text.splitlines())
    cells = [
        published.title,
        f"`{command(published)}`",
        str(lines),
        f"{network.params:,}",
        f"{network.macs:,}",
        published.source,
        *(f"{bound(differences[kind], kind):.0e}" for kind in LEAST),
    ]
    return f"| {' | '.join(cells)} |\n"


def command(published: Published) -> str:
    """How the network is built."""
    parts = [published.spec]
    parts += ["--arch", published.arch] if published.arch not in (None, published.spec) else []
    parts += ["--variant", published.variant] if published.variant else []
    parts += [f"--set {name}={text}" for name, text in published.settings.items()]
    return " ".join(parts)


def bound(difference: float, kind: str) -> float:
    """The power of ten that a difference does not exceed."""
    return 10.0 ** math.ceil(math.log10(max(difference, LEAST[kind])) - 1e-9)


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
