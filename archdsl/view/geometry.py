"""Sizes and places of a still picture, in pixels: the grids of `slots.py` with what is open."""

from __future__ import annotations

import unicodedata
from itertools import accumulate

from archdsl.records import Record
from archdsl.view.boxes import Box, Edge
from archdsl.view.slots import Slots, slots_of

GAP = 34
"""Between rows, where flows change columns and shapes are written."""

APART, LANE, PADDING, HEADER = 22, 12, 14, 46
"""Between columns; a column of flows alone; within a container; its head."""

TITLE, TEXT, LABEL = 13, 11, 10.5
"""Sizes of letters."""

WIDTHS = (150.0, 270.0)
"""Of closed boxes, least and most."""


class Spot(Record):
    """Where a box is; `x`, `y` is its corner at the top left."""

    x: float
    y: float
    width: float
    height: float


class Geometry:
    """The places of the boxes that show, by their numbers, and the ways of edges as SVG paths."""

    def __init__(self, top: Box, open_boxes: set[Box]) -> None:
        self.open = open_boxes
        self.spots: dict[Box, Spot] = {}
        self.paths: list[tuple[Edge, str]] = []
        self.labels: list[tuple[Edge, float, float]] = []
        self._grids: dict[Box, _Grid] = {}
        self._place(top, 0, 0)
        self.size = self.spots[top]

    def _measure(self, box: Box) -> tuple[float, float]:
        if box not in self.open:
            return closed_size(box)
        if box not in self._grids:
            sizes = [self._footprint(box, item) for item in box.items]
            self._grids[box] = _Grid(slots_of(box), sizes)
        grid = self._grids[box]
        if box.parent is None:
            return grid.width, grid.height
        head = closed_size(box)[0]
        return max(grid.width, head) + 2 * PADDING, grid.height + HEADER + PADDING

    def _footprint(self, container: Box, item: Box) -> tuple[float, float]:
        """The size of an item with the shape that is written right of what leaves it."""
        width, height = self._measure(item)
        if item.form == "port" and item in container.ports_in.values():
            width = max(width, 2 * text_width(item.shapes[0], LABEL) + 2 * PADDING)
        return width, height

    def _place(self, box: Box, x: float, y: float) -> None:
        width, height = self._measure(box)
        self.spots[box] = Spot(x, y, width, height)
        if box not in self.open:
            return
        grid = self._grids[box]
        left = x + (width - grid.width) / 2
        top = y + (HEADER if box.parent is not None else 0)
        for item, (row, column, span) in zip(box.items, grid.slots.cells):
            wide, high = self._measure(item)
            middle = left + (grid.lefts[column] + grid.lefts[column + span] - APART) / 2
            over = (grid.heights[row] - high) / 2
            self._place(item, middle - wide / 2, top + grid.tops[row] + over)
        labelled: set[tuple[Box, int]] = set()
        rows = {id(item): row for item, (row, _, _) in zip(box.items, grid.slots.cells)}
        for edge, lane in zip(box.edges, grid.slots.lanes):
            row, last = rows[id(edge.tail)], rows[id(edge.head)]
            tail, head = self.spots[edge.tail], self.spots[edge.head]
            x1, x2 = _along(tail, edge.leaves), _along(head, edge.enters)
            ends = [(x1, top + grid.tops[row] + grid.heights[row]), (x2, top + grid.tops[last])]
            if lane is not None:
                way = left + grid.middles[lane]
                ends[1:1] = [
                    (way, top + grid.tops[row + 1]),
                    (way, top + grid.tops[last - 1] + grid.heights[last - 1]),
                ]
            self.paths.append((edge, _path((x1, tail.y + tail.height), ends, (x2, head.y))))
            if (edge.tail, id(edge.value)) not in labelled:
                labelled.add((edge.tail, id(edge.value)))
                self.labels.append((edge, x1 + 5, tail.y + tail.height + 13))


class _Grid:
    """The rows and columns of a container with sizes: where each begins."""

    def __init__(self, slots: Slots, sizes: list[tuple[float, float]]) -> None:
        self.slots = slots
        self.heights = [0.0] * slots.rows
        widths = [float(LANE)] * slots.columns
        by_span = sorted(zip(slots.cells, sizes), key=lambda item: item[0][2])
        for (row, column, span), (width, height) in by_span:
            self.heights[row] = max(self.heights[row], height)
            has = sum(widths[column : column + span]) + (span - 1) * APART
            for spanned in range(column, column + span):
                widths[spanned] += max(0, width - has) / span
        self.tops = [0.0, *accumulate(height + GAP for height in self.heights)]
        self.lefts = [0.0, *accumulate(width + APART for width in widths)]
        self.middles = [left + width / 2 for left, width in zip(self.lefts, widths)]
        self.width, self.height = self.lefts[-1] - APART, self.tops[-1] - GAP


def closed_size(box: Box) -> tuple[float, float]:
    """Width and height of a box that is closed."""
    if box.form == "port":
        return (text_width(box.name, LABEL) + 14, 18) if box.name else (8, 8)
    if box.form in ("operation", "input", "output"):
        wide = text_width(one_line(box), TITLE) + 26
        return _bounded(wide), 26 if not box.params and not box.macs else 32
    wide = max(text_width(box.name, TITLE), text_width(box.text, TEXT)) + 26
    return _bounded(wide), 66 if box.params or box.macs else 42


def one_line(box: Box) -> str:
    """The text of a box that has one line."""
    return f"{box.name} {box.text}" if box.text else box.name


def text_width(text: str, size: float) -> float:
    """About how wide a text is in a sans-serif font; rather too wide than too narrow."""
    return sum(map(_letter, text)) * size


def fitted(text: str, size: float, width: float) -> str:
    """A text as far as it fits."""
    if text_width(text, size) <= width:
        return text
    while text and text_width(text + "…", size) > width:
        text = text[:-1]
    return text.rstrip() + "…"


def _letter(letter: str) -> float:
    if letter in "ijltfrI.,:;|!'()[] ":
        return 0.36
    if letter in "mwMW" or unicodedata.east_asian_width(letter) in "WF":
        return 1.0
    return 0.72 if letter.isupper() else 0.6


def _bounded(width: float) -> float:
    return min(max(width, WIDTHS[0]), WIDTHS[1])


def _along(spot: Spot, way: tuple[int, int]) -> float:
    """The place of one of several ways on the edge of a box."""
    number, count = way
    return spot.x + spot.width * (number + 1) / (count + 1)


def _path(
    start: tuple[float, float], ends: list[tuple[float, float]], stop: tuple[float, float]
) -> str:
    """Straight down through rows, in a bow through the gaps between them."""
    path = [f"M{start[0]:.1f} {start[1]:.1f}"]
    y = start[1]
    for (x1, y1), (x2, y2) in zip(ends[::2], ends[1::2]):
        middle = (y1 + y2) / 2
        path.append(f"V{y1:.1f}" if y1 > y else "")  # a way of no length points nowhere
        path.append(f"C{x1:.1f} {middle:.1f} {x2:.1f} {middle:.1f} {x2:.1f} {y2:.1f}")
        y = y2
    return "".join([*path, f"V{stop[1]:.1f}" if stop[1] > y else ""])
