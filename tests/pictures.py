"""What tests of pictures share: networks to draw, and pictures as plain geometry."""

from __future__ import annotations

import re
from functools import cache
from itertools import combinations, pairwise
from pathlib import Path
from typing import NamedTuple

import archdsl
from archdsl.api.network import Spec
from archdsl.ir.graph import Graph
from archdsl.reports.view.boxes import Box, boxes_of
from archdsl.reports.view.depths import opened
from archdsl.reports.view.folding import fold
from archdsl.reports.view.geometry import LABEL, Geometry, Spot, text_width
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


def placed(network: Graph, depth: str) -> Geometry:
    """Where the boxes of a network are, with what repeats drawn once."""
    top = boxes_of(network)
    fold(top)
    return Geometry(top, opened(top, depth))


def lies_well(geometry: Geometry) -> None:
    """Nothing lies on what it should not lie on, and all edges lead from box to box."""
    _boxes_lie_in_their_containers(geometry)
    found = ways(geometry)
    assert len(found) == sum(len(box.edges) for box in geometry.open)
    for way in found:
        _leads_from_box_to_box(geometry, way)
    _edges_lie_apart(geometry, found)
    _shapes_lie_apart(geometry)


def _boxes_lie_in_their_containers(geometry: Geometry) -> None:
    for container in geometry.open:
        outer = geometry.spots[container]
        for item in container.items:
            spot = geometry.spots[item]
            assert outer.x - 0.1 <= spot.x, item
            assert spot.x + spot.width <= outer.x + outer.width + 0.1, item
            # Ports stand on the wall, half outside.
            assert outer.y - 0.1 <= spot.y, item
            assert spot.y + spot.height <= outer.y + outer.height + 4, item
        for one, other in combinations(container.items, 2):
            assert not overlap(geometry.spots[one], geometry.spots[other]), (one, other)


def overlap(a: Spot, b: Spot) -> bool:
    """Whether two boxes lie on each other."""
    return (
        a.x < b.x + b.width - 0.1
        and b.x < a.x + a.width - 0.1
        and a.y < b.y + b.height - 0.1
        and b.y < a.y + a.height - 0.1
    )


def _leads_from_box_to_box(geometry: Geometry, way: Way) -> None:
    """From the foot of its tail to the top or a side of its head, at right angles, never up."""
    tail, head = geometry.spots[way.tail], geometry.spots[way.head]
    (x, y), (end_x, end_y) = way.corners[0], way.corners[-1]
    assert tail.x - 0.1 <= x <= tail.x + tail.width + 0.1, way
    assert abs(y - tail.y - tail.height) < 0.2, way
    above = -6.2 <= end_y - head.y <= 0.2 and head.x - 0.1 <= end_x <= head.x + head.width + 0.1
    side = min(abs(end_x - head.x), abs(end_x - head.x - head.width)) < 0.2
    assert above or (side and abs(end_y - head.y - head.height / 2) < 0.2), way
    for (x1, y1), (x2, y2) in pairwise(way.corners):
        assert abs(x1 - x2) < 0.2 or abs(y1 - y2) < 0.2, way
        assert y2 > y1 - 0.2, way
        for item in way.container.items:
            if item is not way.tail and item is not way.head:
                assert not _cuts(geometry.spots[item], x1, y1, x2, y2), (way, item)


def _cuts(spot: Spot, x1: float, y1: float, x2: float, y2: float) -> bool:
    """Whether a straight piece runs through a box."""
    return (
        max(x1, x2) > spot.x + 0.5
        and min(x1, x2) < spot.x + spot.width - 0.5
        and max(y1, y2) > spot.y + 0.5
        and min(y1, y2) < spot.y + spot.height - 0.5
    )


def _edges_lie_apart(geometry: Geometry, found: list[Way]) -> None:
    """Pieces that run across lie on each other only where they are the same tensor."""
    across: dict[tuple[int, float], list[tuple[float, float, object]]] = {}
    for way, (edge, _) in zip(found, geometry.paths):
        for (x1, y1), (x2, y2) in pairwise(way.corners):
            if abs(y1 - y2) < 0.2 and abs(x1 - x2) > 1:
                piece = (min(x1, x2), max(x1, x2), (id(edge.tail), id(edge.value)))
                across.setdefault((id(way.container), round(y1, 1)), []).append(piece)
    for pieces in across.values():
        for (low, high, one), (start, end, other) in combinations(pieces, 2):
            assert one == other or high <= start + 0.5 or end <= low + 0.5


def _shapes_lie_apart(geometry: Geometry) -> None:
    """Shapes lie on no box, and on no other shape."""
    containers = {id(edge): box for box in geometry.open for edge in box.edges}
    texts: dict[Box, list[Spot]] = {}
    for edge, x, y in geometry.labels:
        spot = Spot(x, y - 9, text_width(edge.shape, LABEL) * 0.9, 10, x)
        texts.setdefault(containers[id(edge)], []).append(spot)
    for container, spots in texts.items():
        for spot in spots:
            for item in container.items:
                assert item.form == "port" or not overlap(spot, geometry.spots[item]), item
        for one, other in combinations(spots, 2):
            assert not overlap(one, other), container
