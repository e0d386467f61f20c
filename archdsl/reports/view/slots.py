"""Placement of boxes and edges in rows and columns, without pixels.

A row is the length of the longest way from a start. A chain of boxes has a column; the first holds
the longest chain. An edge over several rows goes down a column that is free there. None of this
depends on what is open, so it is decided once; the sizes of rows and columns follow from it, in
`geometry.py` and, in a page, in the browser's CSS grid.
"""

from __future__ import annotations

from collections.abc import Iterator

from archdsl.reports.view.boxes import Box, Edge
from archdsl.reports.view.ordering import order
from archdsl.support.records import Record

BOX = -1
"""What a cell with a box in it is taken by."""

MANY = 3
"""Ports of a box that spans several columns."""


class Way(Record):
    """How an edge runs from its tail down to its head: down a column in between, if it has a lane.

    With a `side` (1: from the right, -1: from the left) it enters its head there, and not from
    above.
    """

    lane: int | None
    side: int


class Slots(Record):
    """`cells`: row, middle column, number of columns of each item; a way for each edge.

    `axis` is the column that stands under what leads to the container.
    """

    rows: int
    columns: int
    cells: tuple[tuple[int, int, int], ...]
    ways: tuple[Way, ...]
    axis: int


def slots_of(container: Box) -> Slots:
    """The grid of what a box holds, for `container.items` and `container.edges`."""
    return _Planner(container).slots()


class _Planner:
    def __init__(self, container: Box) -> None:
        self.items, self.edges = container.items, container.edges
        index = {id(item): i for i, item in enumerate(self.items)}
        self.flows = [(index[id(edge.tail)], index[id(edge.head)]) for edge in self.edges]
        self.after: list[list[int]] = [[] for _ in self.items]
        self.before: list[list[int]] = [[] for _ in self.items]
        for tail, head in self.flows:
            self.after[tail].append(head)
            self.before[head].append(tail)
        self.sequence = order(len(self.items), self.flows)
        self.rows, self.heights = [0] * len(self.items), [0] * len(self.items)
        for i in self.sequence:
            self.rows[i] = max([self.rows[b] + 1 for b in self.before[i]], default=0)
        for i in reversed(self.sequence):
            self.heights[i] = max([self.heights[a] + 1 for a in self.after[i]], default=0)
        self.last = max(self.rows, default=0)
        ends = {id(port) for port in container.ports_out.values()}
        for i, item in enumerate(self.items):
            if id(item) in ends or (item.form == "output" and self.before[i]):
                self.rows[i] = self.last
        self.spans = [_span(item) for item in self.items]
        self.columns, self.owners = [0] * len(self.items), [0] * len(self.items)
        self.grid = _Grid()
        ports = [list(container.ports_in.values()), list(container.ports_out.values())]
        alone = next((way[0] for way in ports if len(way) == 1), None)
        self.axis = None if alone is None else index[id(alone)]

    def slots(self) -> Slots:
        """The whole plan; the leftmost column is 0."""
        self._place_chains()
        lanes = self._lanes()
        first = min(self.grid.columns)
        cells = [
            (row, column - first, span)
            for row, column, span in zip(self.rows, self.columns, self.spans)
        ]
        ways = [Way(None if lane is None else lane - first, side) for lane, side in lanes]
        width = max(self.grid.columns) - first + 1
        axis = cells[self.axis][1] if self.axis is not None else width // 2
        return Slots(self.last + 1, width, tuple(cells), tuple(ways), axis)

    def _place_chains(self) -> None:
        rows = self.rows
        starts: list[int] = []
        for owner, chain in enumerate(self._chains()):
            # The chain holds its column from below what feeds it to above what it feeds.
            above = max([rows[b] for b in self.before[chain[0]]], default=rows[chain[0]] - 1)
            below = min([rows[a] for a in self.after[chain[-1]]], default=rows[chain[-1]] + 1)
            held = range(above + 1, max(below, rows[chain[-1]] + 1))
            cells = [(row, 0) for row in held]
            for i in chain:
                cells += [(rows[i], way) for way in _around(self.spans[i])]
            near = self._near(chain[0], starts)
            column = self.grid.free(cells, set(), near, near, 1)
            self.grid.take([(row, column) for row in held], owner)
            for i in chain:
                self.columns[i], self.owners[i] = column, owner
                self.grid.take([(rows[i], column + w) for w in _around(self.spans[i])], BOX)

    def _near(self, start: int, starts: list[int]) -> float:
        """Preferred column of a chain: below its source, or right of the last start."""
        feeding = [j for j, (_, head) in enumerate(self.flows) if head == start]
        if feeding:
            return self._leaves(feeding[0])
        starts.append(start)
        return self.columns[starts[-2]] + 1 if len(starts) > 1 else 0

    def _chains(self) -> Iterator[list[int]]:
        """Items one below the other: from each start along what leads farthest."""
        placed: set[int] = set()
        for start in sorted(self.sequence, key=lambda i: (self.rows[i], i)):
            chain: list[int] = []
            free = [start] if start not in placed else []
            while free:
                chain.append(max(free, key=lambda i: (self.heights[i], -self.rows[i], -i)))
                placed.add(chain[-1])
                free = [i for i in self._straight(chain[-1]) if i not in placed]
            if chain:
                yield chain

    def _straight(self, tail: int) -> list[int]:
        """What a box feeds; of boxes at its foot what it feeds from the middle."""
        after = self.after[tail]
        if not after or self.spans[tail] == 1 or any(self.heights[i] for i in after):
            return after
        ways = [j for j, (start, _) in enumerate(self.flows) if start == tail]
        middle = min(ways, key=lambda j: abs(self._leaves(j) - self.columns[tail]))
        return [self.flows[middle][1]]

    def _lanes(self) -> list[tuple[int | None, int]]:
        """For each edge its column, where it needs one, and the side at which it arrives."""
        lanes: list[tuple[int | None, int]] = [(None, 0)] * len(self.edges)

        def place(j: int) -> tuple[bool, int]:
            """Edges within a chain come first, then short ones before long ones."""
            tail, head = self.flows[j]
            return self.owners[tail] != self.owners[head], self.rows[head] - self.rows[tail]

        for j in sorted(range(len(self.edges)), key=place):
            tail, head = self.flows[j]
            lanes[j] = self._lane(self.edges[j], tail, head)
        return lanes

    def _lane(self, edge: Edge, tail: int, head: int) -> tuple[int | None, int]:
        rows = range(self.rows[tail] + 1, self.rows[head])
        x = self._x(tail, edge.leaves)
        value, goal = id(edge.value), self.columns[head]
        usable = {value, self.owners[tail], self.owners[head]}
        lane = self.columns[tail]
        if rows:
            cells = [(row, 0) for row in rows]
            if not self.grid.fits(cells, usable, self.columns[tail]):
                lane = self.grid.free(
                    cells, usable, x, self._x(head, edge.enters), self._side(edge, head)
                )
            self.grid.take([(row, lane) for row in rows], value)
        if lane != goal and _takes_sides(edge.head):
            side = 1 if lane > goal else -1
            beside = [(self.rows[head], column) for column in range(lane, goal, -side)]
            if self.grid.fits(beside, {value, self.owners[tail]}, 0):
                self.grid.take(beside, value)
                return lane, side
        return (lane if rows else None), 0

    def _side(self, edge: Edge, head: int) -> int:
        """On which side an edge enters a head, as seen from what the head's own chain brings."""
        middle = 0
        for other, (tail, to) in zip(self.edges, self.flows):
            if to == head and self.owners[tail] == self.owners[head]:
                middle = other.enters[0]
        return -1 if edge.enters[0] < middle else 1

    def _leaves(self, j: int) -> float:
        return self._x(self.flows[j][0], self.edges[j].leaves)

    def _x(self, i: int, place: tuple[int, int]) -> float:
        """About where one of several ways meets a box, in columns."""
        number, count = place
        return self.columns[i] + self.spans[i] * ((number + 1) / (count + 1) - 0.5)


def _span(item: Box) -> int:
    """An odd number, so that a box stands over the middle one of its columns."""
    ports = max(len(item.ports_in), len(item.ports_out))
    return ports + (ports % 2 == 0) if ports >= MANY else 1


def _around(span: int) -> range:
    return range(-(span // 2), span // 2 + 1)


def _takes_sides(head: Box) -> bool:
    """True if edges may enter a box from its sides: it has no ports, or they do not show."""
    return head.form == "operation"


class _Grid:
    """Occupied cells: by a box, the path of a chain (its number) or a tensor (its id)."""

    def __init__(self) -> None:
        self.taken: dict[tuple[int, int], int] = {}
        self.columns = {0}

    def fits(self, cells: list[tuple[int, int]], usable: set[int], column: int) -> bool:
        """True if these cells, moved to a column, are free or taken by what is usable."""
        owners = (self.taken.get((row, column + way)) for row, way in cells)
        return all(owner is None or owner in usable for owner in owners)

    def free(
        self, cells: list[tuple[int, int]], usable: set[int], start: float, stop: float, side: int
    ) -> int:
        """The column where the cells fit that is least far from two places together.

        Of several the one nearest to the second place, then the one on the side (1: right).
        """
        low, high = min(self.columns) - 1, max(self.columns) + 1
        wide = high - low  # beyond all columns everything fits
        return min(
            (column for column in range(low - wide, high + wide + 1)
             if self.fits(cells, usable, column)),
            key=lambda column: (
                abs(column - start) + abs(column - stop), abs(column - stop), -side * column
            ),
        )  # fmt: skip

    def take(self, cells: list[tuple[int, int]], owner: int) -> None:
        """Mark cells as taken."""
        for row, column in cells:
            self.columns.add(column)
            self.taken[row, column] = owner
