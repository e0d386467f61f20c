"""Tables of `archdsl summary`: stages, blocks and primitives with shapes, costs and totals.

The numbers come from `rows.py`, `memory.py` and `receptive.py`; here they become text. The other
forms of the same table are in `forms.py`.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from archdsl.ir import costs, memory, receptive
from archdsl.ir import parts as rows
from archdsl.ir.graph import Graph
from archdsl.ir.parts import Row
from archdsl.ir.receptive import Sight
from archdsl.ops import Shape, shape_text
from archdsl.support.escaping import printable

WIDTH = 80
"""Columns of a table that nobody watches on a terminal."""

LEAST = 12
"""Columns that a description should have: before it gets fewer, other things go."""

LEAST_OF_ALL = 4
"""Columns below which it is of no use."""

BAR = 5
"""Columns of the bar of the largest share."""

EIGHTHS = " ▏▎▍▌▋▊▉█"

HEADINGS = ("", "", "output", "stride", "field", "parameters", "MACs", "memory")

SORTS: dict[str, Callable[[Line], Any]] = {
    "params": lambda line: -line.row.params,
    "macs": lambda line: -line.row.macs,
    "memory": lambda line: -line.row.activations,
    "field": lambda line: -max([sight.field or 0 for sight in line.sights], default=0),
    "name": lambda line: line.row.name,
}
"""Sort keys of rows, largest first; equal rows stay in order of computation."""


class Line(NamedTuple):
    """A row where it stands in the table: how deep, under which name, and what it sees."""

    row: Row
    level: int
    label: str
    sights: tuple[Sight, ...]


class Summary:
    """The table of a network, cut at a depth; memory is for `batch` samples of `dtype`."""

    def __init__(
        self,
        graph: Graph,
        total: costs.Total,
        depth: str = "stages",
        batch: int = 1,
        dtype: str = "float32",
        sort: str | None = None,
    ) -> None:
        self.graph = graph
        self.total = total
        self.depth = depth
        self.batch = batch
        self.dtype = dtype
        self.sort = sort
        self.stages = rows.stages(graph)
        self.sights = receptive.sights(graph)
        self.activations = sum(stage.activations for stage in self.stages)

    @property
    def lines(self) -> list[Line]:
        """The lines: a tree in the order of computation, or sorted, without what rows fall into."""
        if self.sort is None:
            return [line for stage in self.stages for line in self._tree(stage, 0, "")]
        return self.cut_lines

    @property
    def cut_lines(self) -> list[Line]:
        """The rows of the depth alone, whose costs add up to the totals."""
        found = [
            self._line(row, 0, row.name)
            for stage in self.stages
            for row in rows.cut(stage, self.depth)
        ]
        return sorted(found, key=SORTS[self.sort]) if self.sort else found

    def _tree(self, row: Row, level: int, parent: str) -> Iterator[Line]:
        yield self._line(row, level, _label(row, parent))
        alone = len(row.nodes) == 1 and not row.block
        if not alone and [*rows.cut(row, self.depth)] != [row]:
            for inner in row.rows:
                yield from self._tree(inner, level + 1, row.block or row.name)

    def _line(self, row: Row, level: int, label: str) -> Line:
        return Line(row, level, label, self.sights.get(row.outputs[0], ()))

    def bytes(self, numbers: int) -> int:
        """Bytes of activations, from the number of elements for one sample."""
        return numbers * self.batch * memory.SIZES[self.dtype]

    def notes(self) -> list[tuple[str, str]]:
        """The lines below the table."""
        params = self.total.params
        types: dict[int, list[str]] = {}
        for dtype, size in memory.SIZES.items():
            types.setdefault(size, []).append(dtype)
        weights = ", ".join(
            f"{size_text(params * size)} in {' or '.join(dtypes)}" for size, dtypes in types.items()
        )
        all_of_it, most = (
            size_text(self.bytes(n)) for n in (self.activations, memory.peak(self.graph))
        )
        samples = f"{self.batch} sample" + ("s" if self.batch > 1 else "")
        notes = [
            ("depth", str(self.total.depth)),
            ("weights", weights),
            (
                "memory",
                f"{all_of_it} of activations for {samples} in {self.dtype}, "
                f"at most {most} of them at once in inference",
            ),
        ]
        if any(_is_gated(line.sights) for line in self.lines):
            notes.append(("*", "through windows; the whole input besides, through a global pool"))
        return notes

    def text(self, width: int = WIDTH) -> str:
        """The table for people, in lines of this many columns as far as that can be."""
        lines = self.lines
        table: list[tuple[str, ...]] = [HEADINGS]
        for value in self.graph.inputs:
            table.append((value.name, "input", shape_text(value.shape), "", "", "", "", ""))
        for line in lines:
            table.append(self.cells(line))
        table.append(
            (
                "total", "", "", "", "", f"{self.total.params:,}", f"{self.total.macs:,}",
                size_text(self.bytes(self.activations)),
            )
        )  # fmt: skip
        blank = len(self.graph.inputs)
        shares = [
            ("", ""),
            *[("", "")] * blank,
            *zip(
                _shares([line.row.params for line in lines], self.total.params),
                _shares([line.row.macs for line in lines], self.total.macs),
            ),
            ("", ""),
        ]
        text = _laid_out(table, shares, width)
        rule = "-" * max(map(len, text))
        notes = self.notes()
        margin = max(len(name) for name, _ in notes)
        return "\n".join(
            [
                f"{self.graph.class_name} ({self.graph.name})",
                *(line for doc in self.graph.unit.docs for line in _wrapped(printable(doc), width)),
                "",
                text[0],
                rule,
                *text[1:-1],
                rule,
                text[-1],
                "",
                *(
                    line
                    for name, said in notes
                    for line in _wrapped(f"{name:{margin}}  {said}", width, " " * (margin + 2))
                ),
            ]
        )

    def cells(self, line: Line) -> tuple[str, ...]:
        """A line under `HEADINGS`."""
        row = line.row
        macs = "training" if row.training else f"{row.macs:,}"
        return (
            "  " * line.level + line.label,
            row.text,
            _shapes_text(row.shapes),
            stride_text(line.sights),
            field_text(line.sights),
            f"{row.params:,}",
            macs,
            "" if row.training else size_text(self.bytes(row.activations)),
        )


def _label(row: Row, parent: str) -> str:
    """The name of a row; of a primitive in a block without the block's."""
    if parent and not row.rows and row.name.startswith(parent + "."):
        return row.name.removeprefix(parent)
    return row.name


def _laid_out(table: list[tuple[str, ...]], shares: list[tuple[str, str]], width: int) -> list[str]:
    """Rows as lines: words to the left, numbers to the right, shares behind what they are of.

    Numbers and shapes are never cut. Where the descriptions have too little room, the bars go, then
    the percents, which follow from the numbers; then the columns move together, descriptions
    are cut, then names of several tensors (`p3 .. p7`), and at last the beginnings of long names.
    """
    for share, tight in ((5 + BAR, False), (4, False), (0, False), (0, True)):
        rows = [_with_shares(cells, texts, share) for cells, texts in zip(table, shares)]
        if tight:
            rows[0] = tuple(cell.replace("parameters", "params") for cell in rows[0])
        gaps = [2, 2, 1 if tight else 2, 1 if tight else 2, 2, 2, 2]
        room = _room(rows, gaps, width)
        if room >= min(LEAST, max(len(row[1]) for row in rows)):
            break
    if room < 0:
        rows = [(_first_and_last(name), *rest) for name, *rest in rows]
        room = _room(rows, gaps, width)
    described = min(max(len(row[1]) for row in rows), room)
    if described < LEAST_OF_ALL:
        rows = [(row[0], "", *row[2:]) for row in rows]
        gaps[0] = described = 0
        excess = -_room(rows, gaps, width)
        if excess > 0:
            names = max(LEAST, max(len(row[0]) for row in rows) - excess)
            rows = [(_ending(row[0], names), *row[1:]) for row in rows]
    rows = [(row[0], _shortened(row[1], described), *row[2:]) for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = []
    for row in rows:
        cells = [cell.ljust(size) for cell, size in zip(row[:3], widths)]
        cells += [cell.rjust(size) for cell, size in zip(row[3:], widths[3:])]
        line = "".join(cell + " " * gap for cell, gap in zip(cells, [*gaps, 0]))
        lines.append(line.rstrip())
    return lines


def _wrapped(text: str, width: int, indent: str = "") -> list[str]:
    return textwrap.wrap(
        text, max(width, 40), subsequent_indent=indent, break_long_words=False,
        break_on_hyphens=False,
    ) or [""]  # fmt: skip


def _room(rows: list[tuple[str, ...]], gaps: list[int], width: int) -> int:
    """Columns that are left for the descriptions."""
    columns = [max(map(len, column)) for column in zip(*rows)]
    return width - sum(columns) + columns[1] - sum(gaps)


def _first_and_last(name: str) -> str:
    first, *others = name.split(", ")
    return f"{first} .. {others[-1]}" if others else name


def _with_shares(cells: tuple[str, ...], share: tuple[str, str], room: int) -> tuple[str, ...]:
    params, macs = (f" {text[:room].ljust(room)}" if room else "" for text in share)
    return (*cells[:5], cells[5] + params, cells[6] + macs, cells[7])


def _shares(amounts: list[int], total: int) -> list[str]:
    """Shares of the total, in percent and as bars relative to the largest."""
    largest = max(amounts, default=0)
    return [
        f"{_percent(amount, total):>4} {_bar(amount / largest)}" if amount else ""
        for amount in amounts
    ]


def _percent(amount: int, total: int) -> str:
    percent = round(100 * amount / total)
    return f"{percent}%" if percent else "<1%"


def _bar(part: float) -> str:
    eighths = max(1, round(part * BAR * 8))
    return "█" * (eighths // 8) + EIGHTHS[eighths % 8].strip()


def _ending(name: str, width: int) -> str:
    """The last parts of an indented name that fit: `  ..left.resize`."""
    if len(name) <= width:
        return name
    indent = " " * (len(name) - len(name.lstrip()))
    end = name[len(name) - max(1, width - len(indent) - 2) :]
    return f"{indent}..{end.partition('.')[2] or end}"


def _shortened(text: str, width: int) -> str:
    """The words that fit, and dots where there is room to say that there are more."""
    if len(text) <= width:
        return text
    if width < LEAST:
        cut = text[: width + 1].rsplit(" ", 1)[0]
        return cut if len(cut) <= width else text[: width - 2] + ".."
    return text[: width - 3].rsplit(" ", 1)[0][: width - 3] + " .."


def _shapes_text(shapes: tuple[Shape, ...]) -> str:
    """The shapes of what comes out; of many the first."""
    if len(shapes) > 2:
        return f"{shape_text(shapes[0])} +{len(shapes) - 1}"
    return ", ".join(map(shape_text, shapes))


def size_text(count: int) -> str:
    """Bytes as people write them, a kB being 1,000 of them."""
    size = float(count)
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if size < 999.5 or unit == "TB":
            break
        size /= 1000
    if unit == "B":
        return f"{count} B"
    return (f"{size:,.0f}" if size >= 999.5 else f"{size:#.3g}".rstrip(".")) + f" {unit}"


def stride_text(sights: tuple[Sight, ...]) -> str:
    """Distance of positions in the input: `16`, `1/2`, `2x4`."""
    strides = [sight.stride for sight in sights]
    return _for_axes(["-" if stride is None else str(stride) for stride in strides])


def field_text(sights: tuple[Sight, ...]) -> str:
    """The receptive field: `43`, `3x7`, `all`; with a star where all is seen besides, and a
    question mark where it would take too long to follow."""
    fields = [
        "?" if sight.unknown else "all" if sight.field is None else str(sight.field)
        for sight in sights
    ]
    return _for_axes(fields) + ("*" if _is_gated(sights) else "")


def _for_axes(texts: list[str]) -> str:
    return texts[0] if len(set(texts)) == 1 else "x".join(texts)


def _is_gated(sights: tuple[Sight, ...]) -> bool:
    """True if some is seen through windows, and all of it besides."""
    return any(sight.everything and sight.near is not None for sight in sights)
