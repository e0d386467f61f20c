"""Arguments in the cells of a stage table, by row. Reads the syntax tree without evaluating it."""

from __future__ import annotations

from typing import NamedTuple

from archdsl.diagnostics import errors
from archdsl.diagnostics.source import Span
from archdsl.frontend import ast
from archdsl.frontend.python_names import submodule_name

SCALING = ("width", "depth", "divisor", "depth_round")
"""Scaling parameters of a row or a whole table."""

RESERVED = ("n", *SCALING)
"""Parameters of the table itself."""


class Entry(NamedTuple):
    """The expression for a parameter, and the place of the cell."""

    value: ast.Expression
    span: Span
    column: Span | None = None
    """Span of its name in the header, if any."""


class RowPlan(NamedTuple):
    """A row: its name in the table, and what it says of which parameter; `-` says nothing.

    `module` is the name as that of a submodule.
    """

    row: ast.Row
    name: str
    module: str
    entries: dict[str, Entry]


def plan(table: ast.Stages) -> list[RowPlan]:
    """The rows of a table, their cells named by the headers above them."""
    columns: tuple[ast.Name, ...] = ()
    plans: list[RowPlan] = []
    labels: dict[str, ast.Row] = {}
    modules: set[str] = set()
    for line in table.table:
        if isinstance(line, ast.Header):
            columns = line.columns
            names = [column.name for column in columns]
            for i, column in enumerate(columns):
                if column.name in names[:i]:
                    first = columns[names.index(column.name)].span
                    problem = errors.ColumnTwice(column.span, name=column.name)
                    raise problem.labelled(first, "first occurrence")
            continue
        name = line.label or f"stage{len(plans) + 1}"
        if name in ast.SIZES:
            raise errors.LabelIsSize(line.span, name=name)
        if name in labels:
            again = errors.DefinedTwice(line.span, name=name)
            raise again.labelled(labels[name].span, "first occurrence")
        labels[name] = line
        module = submodule_name(name)
        while module in modules:
            module += "_"
        modules.add(module)
        plans.append(RowPlan(line, name, module, _entries(line, columns)))
    return plans


def entries_of(table: ast.Stages, row: ast.Row) -> dict[str, Entry]:
    """Arguments of one row of a table by parameter."""
    columns: tuple[ast.Name, ...] = ()
    for line in table.table:
        if line is row:
            break
        if isinstance(line, ast.Header):
            columns = line.columns
    return _entries(row, columns)


def _entries(row: ast.Row, columns: tuple[ast.Name, ...]) -> dict[str, Entry]:
    entries: dict[str, Entry] = {}
    position = 0
    unnamed = [cell for cell in row.cells if cell.name is None]
    if unnamed and not columns:
        raise headless(row)
    if len(unnamed) > len(columns):
        problem = errors.TooManyCells(
            unnamed[len(columns)].span, cells=len(unnamed), columns=len(columns)
        )
        header = columns[0].span.to(columns[-1].span)
        raise problem.labelled(header, f"the header has {len(columns)} columns")
    for cell in row.cells:
        name, column = cell.name, None
        if name is None:
            name, column = columns[position].name, columns[position].span
            position += 1
        if cell.value is None:
            continue
        if name in entries:
            again = errors.ArgumentTwice(cell.span, parameter=name)
            raise again.labelled(entries[name].span, "first occurrence")
        entries[name] = Entry(cell.value, cell.span, column)
    for argument in row.overrides:
        if argument.name is None:
            raise errors.SetByName(argument.span)
        entries[argument.name] = Entry(argument.value, argument.span)
    return entries


def rows_without_header(table: ast.Stages) -> list[ast.Row]:
    """The rows of cells that no header names: the first of them is a misspelt one, perhaps."""
    found = []
    for line in table.table:
        if isinstance(line, ast.Header):
            break
        if any(cell.name is None for cell in line.cells):
            found.append(line)
    return found


def headless(row: ast.Row) -> errors.Diagnostic:
    """The error for the first row of cells without a header."""
    words = [row.name, *(cell.span.text for cell in row.cells)]
    is_header = all(word.isidentifier() for word in words) and len(words) > 1
    hint = (
        f"write `block` instead of `{row.name}`"
        if is_header
        else "start the table with a line `block ...`"
    )
    return errors.NoHeader(row.span, hint=hint)
