"""Figures of networks for papers: where parameters and MACs sit, and many networks compared.

`stages` draws one network; `points` compares many, by what they cost and by what was measured, and
`scatter` draws the points. `data` reads measurements, `measures` says what an axis can be and which
networks nothing beats, `figures` draws. Needs matplotlib and textalloc.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from archdsl.diagnostics.diagnostic import Diagnostic, DiagnosticError
from archdsl.tools.plot.measures import Measure, Point, Points

if TYPE_CHECKING:
    from archdsl.api.network import Network

__all__ = ["Measure", "Point", "Points", "points", "scatter", "stages"]

Path = str | os.PathLike[str]


def stages(network: Network, path: Path, *, width: float = 6.5) -> None:
    """Draw the parameters and the MACs of each stage of a network to an `.svg`, `.png` or `.pdf`.

    `width` is in inches; the height follows from the number of stages. Raises `DiagnosticError`.
    """
    from archdsl.tools.plot import figures

    figures.save(lambda: figures.stages(network, width), os.fspath(path))


def points(
    networks: Mapping[str, Network] | Sequence[Network],
    *,
    x: str | None = None,
    y: str | None = None,
    data: Path | Sequence[Path] = (),
    where: Mapping[str, str] | None = None,
) -> Points:
    """Networks by two measures, and which of them no other beats (the Pareto front).

    A measure is `params`, `macs`, `depth`, `memory` or a column of the CSV files `data`
    (docs/plot.md), where a network goes by its key in `networks`, or its name. `where` says which
    of several rows of a network count. Raises `DiagnosticError`.
    """
    from archdsl.tools.plot.data import Data
    from archdsl.tools.plot.measures import compared

    named = networks if isinstance(networks, Mapping) else {n.name: n for n in networks}
    files = [data] if isinstance(data, str | os.PathLike) else data
    try:
        return compared(named, Data.read([os.fspath(file) for file in files]), x, y, where or {})
    except Diagnostic as problem:
        raise DiagnosticError([problem]) from None


def scatter(points: Points, path: Path, *, linear: bool = False, width: float = 6.5) -> None:
    """Draw points to an `.svg`, `.png` or `.pdf`, the Pareto front marked.

    An axis whose largest number is ten times its smallest is logarithmic, unless `linear`. `width`
    is in inches. Raises `DiagnosticError`.
    """
    from archdsl.tools.plot import figures

    figures.save(lambda: figures.scatter(points, linear, width), os.fspath(path))
