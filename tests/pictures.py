"""What tests of pictures share: networks to draw, and pictures as plain geometry."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

import archdsl
from archdsl.graph import Graph
from archdsl.network import Spec
from archdsl.view.boxes import Box
from archdsl.view.geometry import Geometry
from tests.conftest import ROOT
from tests.shipped import SHIPPED, graph_of

CONSTRUCTS = sorted((ROOT / "tests" / "constructs").glob("*.arch"))
NETWORKS = [(spec, arch) for spec, arch, variant in SHIPPED if variant is None]
ALL = [*NETWORKS, *CONSTRUCTS]

Point = tuple[float, float]


def title(which: tuple[str, str] | Path) -> str:
    """The name of a test of a network."""
    return which.stem if isinstance(which, Path) else "-".join(dict.fromkeys(which))


@cache
def graph(which: tuple[str, str] | Path) -> Graph:
    """A shipped network, or that of a construct."""
    if not isinstance(which, Path):
        return graph_of(*which)
    return archdsl.load(which, arch=Spec.open(str(which)).archs[-1]).graph


class Way(NamedTuple):
    """An edge as it is drawn: its corners."""

    tail: Box
    head: Box
    container: Box
    corners: list[Point]


def ways(geometry: Geometry) -> list[Way]:
    """The edges of a picture. Raises where a path is not made of straight pieces and corners."""
    containers = {id(e): box for box in geometry.open for e in box.edges}
    found = []
    for edge, path in geometry.paths:
        assert re.fullmatch(r"M[-\d. ]+(L[-\d. ]+Q[-\d. ]+)*L[-\d. ]+", path), path
        pieces = re.findall(r"([MLQ])([-\d. ]+)", path)
        corners = []
        for kind, numbers in pieces:
            x, y = map(float, numbers.split()[:2])
            # A rounded corner is where its control point is, not where the rounding starts.
            if kind != "L" or (kind, numbers) == pieces[-1]:
                corners.append((x, y))
        found.append(Way(edge.tail, edge.head, containers[id(edge)], corners))
    return found
