"""Where boxes stand in their container: each in a row and a column of a grid, and so do the ways.

A row is the length of the longest way from a start. A chain of boxes has a column; the first holds
the longest chain. A flow over several rows goes down a column that is free there; one tensor's
flows share it. A box with many ports spans as many columns. The sizes of rows and columns are not
decided here: they follow from what is open.
"""

from __future__ import annotations

from collections.abc import Sequence

from archdsl.records import Record
from archdsl.view.boxes import Box
from archdsl.view.ordering import order

BOX = -1
"""What a cell with a box in it is taken by."""

MANY = 3
"""Ports of a box that spans several columns."""


class Slots(Record):
    """`cells`: row, column, number of columns of each item; `lanes`: a column for each edge."""

    rows: int
    columns: int
    cells: tuple[tuple[int, int, int], ...]
    lanes: tuple[int | None, ...]


def slots_of(container: Box) -> Slots:
    """The grid of what a box holds, for `container.items` and `container.edges`."""
    items, edges = container.items, container.edges
    index = {id(item): i for i, item in enumerate(items)}
    flows = [(index[id(edge.tail)], index[id(edge.head)]) for edge in edges]
    after: list[list[int]] = [[] for _ in items]
    before: list[list[int]] = [[] for _ in items]
    for tail, head in flows:
        after[tail].append(head)
        before[head].append(tail)
    sequence = order(len(items), flows)
    ranks, heights = [0] * len(items), [0] * len(items)
    for i in sequence:
        ranks[i] = max([ranks[b] + 1 for b in before[i]], default=0)
    for i in reversed(sequence):
        heights[i] = max([heights[a] + 1 for a in after[i]], default=0)
    last = max(ranks, default=0)
    for port in container.ports_out.values():
        ranks[index[id(port)]] = last
    grid = _Grid()
    spans = [_span(item) for item in items]
    columns, owners = [0] * len(items), [0] * len(items)
    for owner, chain in enumerate(_chains(sequence, after, ranks, heights)):
        # The chain holds its column from below what feeds it to above what it feeds.
        above = max([ranks[b] for b in before[chain[0]]], default=ranks[chain[0]] - 1)
        below = min([ranks[a] for a in after[chain[-1]]], default=ranks[chain[-1]] + 1)
        rows = range(above + 1, max(below, ranks[chain[-1]] + 1))
        column = grid.free(rows, set(), width=max(spans[i] for i in chain))
        grid.take(column, rows, owner)
        for i in chain:
            columns[i], owners[i] = column, owner
            for spanned in range(column, column + spans[i]):
                grid.take(spanned, range(ranks[i], ranks[i] + 1), BOX)
    lanes: list[int | None] = [None] * len(edges)

    def place(j: int) -> tuple[bool, int]:
        """Flows within a chain come first, then short ones before long ones."""
        tail, head = flows[j]
        return owners[tail] != owners[head], ranks[head] - ranks[tail]

    for j in sorted(range(len(edges)), key=place):
        tail, head = flows[j]
        rows = range(ranks[tail] + 1, ranks[head])
        if rows:
            value = id(edges[j].value)
            usable = {value, owners[tail], owners[head]}
            lane = lanes[j] = grid.free(rows, usable, [columns[tail], columns[head]])
            grid.take(lane, rows, value)
    return Slots(last + 1, grid.width, tuple(zip(ranks, columns, spans)), tuple(lanes))


def _span(item: Box) -> int:
    ports = max(len(item.ports_in), len(item.ports_out))
    return ports if ports >= MANY else 1


def _chains(
    sequence: list[int], after: list[list[int]], ranks: list[int], heights: list[int]
) -> list[list[int]]:
    """Items one below the other: from each start along what leads farthest."""
    chains: list[list[int]] = []
    placed: set[int] = set()
    for start in sorted(sequence, key=lambda i: (ranks[i], i)):
        if start in placed:
            continue
        chain = [start]
        while True:
            placed.add(chain[-1])
            free = [i for i in after[chain[-1]] if i not in placed]
            if not free:
                break
            chain.append(max(free, key=lambda i: (heights[i], -ranks[i], -i)))
        chains.append(chain)
    return chains


class _Grid:
    """Which cells are taken, and by what: a box, a chain's way (its number), a tensor (its id)."""

    def __init__(self) -> None:
        self.taken: dict[tuple[int, int], int] = {}
        self.width = 1

    def free(self, rows: range, usable: set[int], near: Sequence[int] = (), width: int = 1) -> int:
        """A column with these rows free, or taken by what is usable; the nearest one.

        With `width` the first of so many next to each other.
        """
        middle = near[0] if near else 0
        others = sorted(range(self.width), key=lambda column: (abs(column - middle), column))
        for column in [*near, *others]:
            cells = [(c, row) for c in range(column, column + width) for row in rows]
            owners = (self.taken.get(cell) for cell in cells)
            if all(owner is None or owner in usable for owner in owners):
                return column
        return self.width

    def take(self, column: int, rows: range, owner: int) -> None:
        """Mark cells as taken."""
        self.width = max(self.width, column + 1)
        for row in rows:
            self.taken[column, row] = owner
