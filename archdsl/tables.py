"""What the cells of a stage table say, row by row. Reads the tree; evaluates nothing."""

from __future__ import annotations

from typing import NamedTuple

from archdsl import errors, tree
from archdsl.diagnostics import Note
from archdsl.source import Span

SCALING = ("width", "depth", "divisor", "depth_round")
"""What scales a row, said by the row or for the whole table."""

RESERVED = ("n", *SCALING)
"""What the table itself reads."""


class Entry(NamedTuple):
    """The expression for a parameter, and the place of the cell."""

    value: tree.Expression
    span: Span
    column: Span | None = None
    """Where the header names it, if it does."""


class RowPlan(NamedTuple):
    """A row: its name in the table, and what it says of which parameter; `-` says nothing."""

    row: tree.Row
    name: str
    entries: dict[str, Entry]


def plan(table: tree.Stages) -> list[RowPlan]:
    """The rows of a table, their cells named by the headers above them."""
    columns: tuple[tree.Name, ...] = ()
    plans: list[RowPlan] = []
    labels: dict[str, tree.Row] = {}
    for line in table.table:
        if isinstance(line, tree.Header):
            columns = line.columns
            names = [column.name for column in columns]
            for i, column in enumerate(columns):
                if column.name in names[:i]:
                    raise errors.ColumnTwice(column.span, name=column.name)
            continue
        name = line.label or f"stage{len(plans) + 1}"
        if name in tree.SIZES:
            raise errors.LabelIsSize(line.span, name=name)
        if name in labels:
            problem = errors.DefinedTwice(line.span, name=name)
            problem.notes.append(Note(labels[name].span, "the first is here"))
            raise problem
        labels[name] = line
        plans.append(RowPlan(line, name, _entries(line, columns)))
    return plans


def _entries(row: tree.Row, columns: tuple[tree.Name, ...]) -> dict[str, Entry]:
    entries: dict[str, Entry] = {}
    position = 0
    unnamed = [cell for cell in row.cells if cell.name is None]
    if len(unnamed) > len(columns):
        raise errors.TooManyCells(
            unnamed[len(columns)].span, cells=len(unnamed), columns=len(columns)
        )
    for cell in row.cells:
        name, column = cell.name, None
        if name is None:
            name, column = columns[position].name, columns[position].span
            position += 1
        if cell.value is None:
            continue
        if name in entries:
            raise errors.ArgumentTwice(cell.span, parameter=name)
        entries[name] = Entry(cell.value, cell.span, column)
    for argument in row.overrides:
        if argument.name is None:
            raise errors.SetByName(argument.span)
        entries[argument.name] = Entry(argument.value, argument.span)
    return entries
