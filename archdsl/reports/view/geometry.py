"""Sizes and places of a still picture, in pixels: the grids of `slots.py` with what is open."""

from __future__ import annotations

import unicodedata
from collections.abc import Hashable, Iterator
from itertools import accumulate

from archdsl.reports.view.boxes import GROUPS, Box, Edge
from archdsl.reports.view.slots import Slots, Way, slots_of
from archdsl.reports.view.texts import repeats_text
from archdsl.reports.view.tracks import Gap
from archdsl.support.records import Record

ARROW, LABELLED, TRACK = 14, 15, 9
"""Heights in the gap between two rows: over a head, for shapes under tails, of each track."""

APART, LANE, PADDING, HEADER = 20, 10, 14, 46
"""Between columns; a column of edges alone; within a container; its head."""

INSIDE = 12.0
"""From a box's wall to what is in it."""

BESIDE = 96.0
"""Space for the number next to a bar."""

TITLE, TEXT, LABEL = 13, 11, 10.5
"""Sizes of letters."""

WIDE, WIDEST = 212.0, 300.0
"""Least and most of the width that closed boxes have, all the same, so that bars compare."""

NARROW, PLACE = 132.0, 76.0
"""Widths of an operation, at least, and of each way out of a box with several."""

PORT = 7
"""The size of the dot where a way enters or leaves an open box."""

CARDS = 6
"""How far the cards behind a box that repeats stand out."""

ROUND = 6.0
"""The radius of an edge's corners."""

SIGNS = {"add": "+", "mul": "×", "sub": "−", "div": "÷"}
"""Operations that are drawn as a sign in a circle, as in papers."""


class Spot(Record):
    """Position of a box; `x`, `y` is its top left corner, `axis` where edges enter."""

    x: float
    y: float
    width: float
    height: float
    axis: float


class Size(Record):
    """Size of a box; `left` and `right` of its axis."""

    left: float
    right: float
    height: float


class Geometry:
    """The places of the boxes that show, the ways of edges as SVG paths, the shapes on them."""

    def __init__(self, top: Box, open_boxes: set[Box]) -> None:
        self.open = open_boxes
        self.wide = common_width(top)
        self.spots: dict[Box, Spot] = {}
        self.paths: list[tuple[Edge, str]] = []
        self.labels: list[tuple[Edge, float, float]] = []
        self._grids: dict[Box, _Grid] = {}
        self._sizes: dict[Box, Size] = {}
        size = self._size(top)
        self._place(top, size.left, 0)
        self.size = self.spots[top]

    def _size(self, box: Box) -> Size:
        if box not in self._sizes:
            self._sizes[box] = (
                self._open_size(box) if box in self.open else closed_size(box, self.wide)
            )
        return self._sizes[box]

    def _open_size(self, box: Box) -> Size:
        sizes = list(map(self._size, box.items))
        if len(box.ports_out) > 1:
            # Outside, shapes stand beside the ports.
            for i in range(len(sizes) - len(box.ports_out), len(sizes)):
                sizes[i] = sizes[i].replace(right=max(sizes[i].right, PLACE - APART))
        grid = self._grids[box] = _Grid(box, slots_of(box), sizes)
        grid.set_rows(
            [(grid.axis_of(e.tail) + self._leaves(e), grid.axis_of(e.head) + self._enters(e))
             for e in box.edges]
        )  # fmt: skip
        if box.parent is None:
            return Size(grid.axis, grid.width - grid.axis, grid.height)
        left, right = grid.axis + PADDING, grid.width - grid.axis + PADDING
        # The head needs room, too.
        right = max(right, self.wide - left)
        foot = -PORT / 2 if box.ports_out else PADDING  # ways out end on the wall
        return Size(left, right, grid.height + HEADER + foot)

    def _leaves(self, edge: Edge) -> float:
        """Offset from the axis at which an edge leaves its tail: below the port of an open box."""
        return self._meets(edge.tail, edge.tail.ports_out.get(edge.value), edge.leaves)

    def _enters(self, edge: Edge) -> float:
        return self._meets(edge.head, edge.head.ports_in.get(edge.value), edge.enters)

    def _meets(self, box: Box, port: Box | None, place: tuple[int, int]) -> float:
        if port is not None and box in self.open:
            grid = self._grids[box]
            return grid.axis_of(port) - grid.axis
        number, count = place
        size = self._size(box)
        return (size.left + size.right) * (number + 1) / (count + 1) - size.left

    def _place(self, box: Box, axis: float, y: float) -> None:
        size = self._size(box)
        self.spots[box] = Spot(axis - size.left, y, size.left + size.right, size.height, axis)
        if box not in self.open:
            return
        grid = self._grids[box]
        left, top = axis - grid.axis, y + (HEADER if box.parent is not None else 0)
        for item, (row, column, _) in zip(box.items, grid.slots.cells):
            over = (grid.heights[row] - self._size(item).height) / 2
            self._place(item, left + grid.axes[column], top + grid.tops[row] + over)
        for edge, way, ends in zip(box.edges, grid.slots.ways, grid.ends):
            self.paths.append((edge, self._path(grid, edge, way, ends, left, top)))
        shown = set(labelled(box))
        for edge, (start, _) in zip(box.edges, grid.ends):
            if edge in shown:
                tail = self.spots[edge.tail]
                self.labels.append((edge, left + start + 5, tail.y + tail.height + 12))

    def _path(
        self,
        grid: _Grid,
        edge: Edge,
        way: Way,
        ends: tuple[float, float],
        left: float,
        top: float,
    ) -> str:
        """Down, along, down, along, down; or from the side."""
        tail, head = self.spots[edge.tail], self.spots[edge.head]
        start, stop = left + ends[0], left + ends[1]
        lane = stop if way.lane is None else left + grid.axes[way.lane]
        points = [(start, tail.y + tail.height)]
        y = grid.track(grid.row(edge.tail), leaving(edge))
        if y is not None:
            points += [(start, top + y), (lane, top + y)]
        if way.side:
            y = head.y + head.height / 2
            wall = head.x + (head.width if way.side > 0 else 0)
            return rounded([*points, (lane, y), (wall, y)])
        y = grid.track(grid.row(edge.head) - 1, arriving(edge))
        if y is not None:
            points += [(lane, top + y), (stop, top + y)]
        cards = CARDS if edge.head.repeats > 1 and edge.head not in self.open else 0
        return rounded([*points, (stop, head.y - cards)])


def leaving(edge: Edge) -> Hashable:
    """What pieces of edges under their tails are one: those of one tensor."""
    return "leaving", edge.tail, edge.value


def arriving(edge: Edge) -> Hashable:
    """What pieces of edges over their heads are one: none."""
    return "arriving", edge


class _Grid:
    """The rows and columns of a container with sizes: where each begins, and the columns' axes."""

    def __init__(self, box: Box, slots: Slots, sizes: list[Size]) -> None:
        self.box = box
        self.slots = slots
        self.cells = dict(zip(box.items, slots.cells))
        self.heights = [0.0] * slots.rows
        lefts, rights = [LANE / 2] * slots.columns, [LANE / 2] * slots.columns
        for (row, column, span), size in sorted(zip(slots.cells, sizes), key=lambda c: c[0][2]):
            self.heights[row] = max(self.heights[row], size.height)
            for sides, way, needed in ((lefts, -1, size.left), (rights, 1, size.right)):
                others = [column + way * (i + 1) for i in range(span // 2)]
                has = sides[column] + sum(lefts[c] + rights[c] + APART for c in others)
                for wider in others or [column]:
                    sides[wider] += max(0.0, needed - has) / max(1, span // 2)
        starts = [0.0, *accumulate(a + b + APART for a, b in zip(lefts, rights))]
        self.axes = [start + left for start, left in zip(starts, lefts)]
        self.axis = self.axes[slots.axis]
        self.width = starts[-1] - APART
        self.ends: list[tuple[float, float]] = []
        self.gaps = [Gap() for _ in range(slots.rows)]

    def axis_of(self, item: Box) -> float:
        """Horizontal position of an item's axis."""
        return self.axes[self.cells[item][1]]

    def row(self, item: Box) -> int:
        """The row of an item."""
        return self.cells[item][0]

    def set_rows(self, ends: list[tuple[float, float]]) -> None:
        """Vertical positions of the rows, for leaving and entering edges."""
        self.ends = ends
        for edge, way, (start, stop) in zip(self.box.edges, self.slots.ways, ends):
            lane = stop if way.lane is None else self.axes[way.lane]
            self.gaps[self.row(edge.tail)].add(start, lane, leaving(edge))
            if not way.side:
                self.gaps[self.row(edge.head) - 1].add(lane, stop, arriving(edge))
        shapes = {self.row(edge.tail) for edge in labelled(self.box)}
        self.firsts = [LABELLED if row in shapes else 0 for row in range(self.slots.rows)]
        below = [first + gap.assign() * TRACK + ARROW for first, gap in zip(self.firsts, self.gaps)]
        self.tops = [0.0, *accumulate(map(sum, zip(self.heights, below)))][: self.slots.rows]
        self.height = self.tops[-1] + self.heights[-1]

    def track(self, row: int, key: Hashable) -> float | None:
        """Vertical offset of an edge in the gap below a row; None if it runs straight on."""
        number = self.gaps[row].tracks.get(key)
        if number is None:
            return None
        return self.tops[row] + self.heights[row] + self.firsts[row] + (number + 0.5) * TRACK


def common_width(top: Box) -> float:
    """The width of closed boxes in which the texts of all find room, if they can."""
    wide = WIDE
    for box in top.walk():
        if box.form in (*GROUPS, "block"):
            name = text_width(f"{box.name}  {repeats_text(box)}", TITLE)
            wide = max(wide, 2 * INSIDE + max(name, text_width(box.text, TEXT)))
    return min(wide, WIDEST)


def bar_length(wide: float) -> float:
    """The length of a bar for all of the network, in boxes that are so wide."""
    return wide - 2 * INSIDE - BESIDE


def closed_size(box: Box, wide: float) -> Size:
    """The size of a box that is closed, where most are so wide."""
    if box.form == "port":
        width, height = (text_width(box.name, LABEL) + 14, 18) if box.name else (PORT, PORT)
    elif is_sign(box):
        width, height = 26, 26
    elif box.form in ("operation", "input", "output"):
        wide = text_width(box.name, TITLE) + text_width(" " + box.text, TEXT) + 26
        width, height = min(max(wide, NARROW), WIDEST), 26
    else:
        width, height = wide, 62 if box.params or box.macs else 40
    ways = max(len(box.ports_in), len(box.ports_out), len(box.shapes))
    if ways > 1 and box.form != "port":
        width = max(width, PLACE * (ways + 1))
    return Size(width / 2, width / 2, height)


def is_sign(box: Box) -> bool:
    """True if a box is drawn as a sign in a circle."""
    return box.what in SIGNS and box.text in ("", box.what)


def labelled(container: Box) -> Iterator[Edge]:
    """The edges that show their shape: one for each tensor that a box gives, if the shape is new.

    What enters or leaves a container has its shape outside.
    """
    entering: dict[Box, set[str]] = {}
    for edge in container.edges:
        entering.setdefault(edge.head, set()).add(edge.shape)
    seen = set()
    for edge in container.edges:
        key = (edge.tail, edge.value)
        same = edge.tail.form == "operation" and edge.shape in entering.get(edge.tail, ())
        if key not in seen and "port" not in (edge.tail.form, edge.head.form) and not same:
            seen.add(key)
            yield edge


def text_width(text: str, size: float) -> float:
    """About how wide a text is, in the widest of the usual fonts; names (`TITLE`) are bold."""
    return sum(map(_letter, text)) * size * (1.1 if size == TITLE else 1)


def fitted(text: str, size: float, width: float) -> str:
    """A text as far as it fits."""
    if text_width(text, size) <= width:
        return text
    width -= text_width("…", size)
    for end, letter in enumerate(text):
        width -= text_width(letter, size)
        if width < 0:
            return text[:end].rstrip() + "…"
    return text.rstrip() + "…"


def wrapped(text: str, size: float, width: float) -> list[str]:
    """A text in lines that are no wider; words that are get shortened."""
    lines: list[list[str]] = []
    room, space = 0.0, text_width(" ", size)
    for word in text.split():
        needed = text_width(word, size)
        if lines and space + needed <= room:
            lines[-1].append(word)
            room -= space + needed
        else:
            lines.append([fitted(word, size, width)])
            room = width - needed
    return [" ".join(words) for words in lines]


def rounded(points: list[tuple[float, float]]) -> str:
    """A way through points, at right angles, as an SVG path with round corners."""
    corners = [points[0]]
    for point in points[1:]:
        if _apart(point, corners[-1]) < 0.05:
            continue
        if len(corners) > 1 and any(a == b == c for a, b, c in zip(*corners[-2:], point)):
            corners.pop()  # straight on
        corners.append(point)
    path = [f"M{corners[0][0]:.1f} {corners[0][1]:.1f}"]
    for before, corner, after in zip(corners, corners[1:], corners[2:]):
        radius = min(ROUND, _apart(before, corner) / 2, _apart(corner, after) / 2)
        (x1, y1), (x2, y2) = _toward(corner, before, radius), _toward(corner, after, radius)
        path.append(f"L{x1:.1f} {y1:.1f}Q{corner[0]:.1f} {corner[1]:.1f} {x2:.1f} {y2:.1f}")
    return "".join([*path, f"L{corners[-1][0]:.1f} {corners[-1][1]:.1f}"])


def _apart(a: tuple[float, float], b: tuple[float, float]) -> float:
    return abs(a[0] - b[0]) + abs(a[1] - b[1])


def _toward(a: tuple[float, float], b: tuple[float, float], far: float) -> tuple[float, float]:
    whole = _apart(a, b)
    return a[0] + (b[0] - a[0]) * far / whole, a[1] + (b[1] - a[1]) * far / whole


def _letter(letter: str) -> float:
    if letter in "ijltfrI.,:;|!'()[] ":
        return 0.38
    if letter in "mwMW=+×–" or unicodedata.east_asian_width(letter) in "WF":
        return 0.95
    return 0.72 if letter.isupper() else 0.63
