"""Measurements: CSV files with a column `network`, and the span of each cell.

`csv` of Python's library tells no columns of a line, so the cells are found here (RFC 4180).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from math import isfinite

from archdsl.diagnostics import errors
from archdsl.diagnostics.diagnostic import Diagnostic, DiagnosticError, Note
from archdsl.diagnostics.source import Source, Span
from archdsl.diagnostics.spelling import did_you_mean, nearest
from archdsl.frontend.files import read
from archdsl.support.escaping import csv_text
from archdsl.support.records import Record

KEY = "network"
"""The column that says which network a row is about."""

_CELL = re.compile(r'[ \t]*"(?P<quoted>(?:[^"]|"")*)"[ \t]*|(?P<plain>[^,\r\n]*)')


class Cell(Record):
    """A cell and its place."""

    text: str
    span: Span

    def number(self, column: str) -> float:
        """The number that it holds. Raises `NotANumber`."""
        try:
            value = float(self.text)
        except ValueError:
            value = float("nan")
        if not isfinite(value):
            raise errors.NotANumber(self.span, text=self.text, column=column)
        return value


Row = dict[str, Cell]


class Data:
    """The rows of some files."""

    def __init__(self, headers: Sequence[Row], rows: Sequence[Row]) -> None:
        self.headers = headers
        """Of each file its columns."""
        self.rows = rows

    @classmethod
    def read(cls, paths: Sequence[str]) -> Data:
        """Read files. Raises `DiagnosticError` with all that is wrong in them."""
        headers: list[Row] = []
        rows: list[Row] = []
        problems: list[Diagnostic] = []
        for path in paths:
            try:
                header, own = _table(read(path, path), problems)
            except Diagnostic as problem:
                problems.append(problem)
                continue
            headers.append(header)
            rows += own
        if problems:
            raise DiagnosticError(problems)
        return cls(headers, rows)

    @property
    def columns(self) -> list[str]:
        """Measures to draw and columns to select rows by."""
        return [*dict.fromkeys(name for header in self.headers for name in header if name != KEY)]

    def column_missing(self, name: str, known: Sequence[str] = ()) -> Diagnostic:
        """Says that there is no such column, at the header that lacks it."""
        all_known = [*known, *self.columns]
        near = did_you_mean(nearest(name, all_known))
        hint = near or f"known: {', '.join(all_known)}"
        if not self.headers:
            return errors.NoSuchMeasure(name=name, hint=f"{hint}; --data FILE adds others")
        cells = [*self.headers[-1].values()]
        span = Span(cells[0].span.source, cells[0].span.start, cells[-1].span.end)
        return errors.NoSuchMeasure(span, name=name, hint=hint)

    def chosen(self, where: Mapping[str, str]) -> Data:
        """The rows with these cells; a row without such a column is not left out for it."""
        for name in where:
            if name not in self.columns:
                raise self.column_missing(name)
        kept = [
            row
            for row in self.rows
            if all(row[name].text == text for name, text in where.items() if name in row)
        ]
        return Data(self.headers, kept)

    def cell(self, network: str, column: str) -> Cell | None:
        """Measurement of a network, or None. Raises `SeveralRows`."""
        rows = [row for row in self.rows if row[KEY].text == network]
        rows = [row for row in rows if column in row and row[column].text]
        if not rows:
            return None
        if len(rows) > 1:
            raise _several(rows, network, column)
        return rows[0][column]

    def strangers(self, networks: Sequence[str]) -> list[Diagnostic]:
        """A warning for each network of the rows that is none of these."""
        seen: dict[str, Cell] = {}
        for row in self.rows:
            if row[KEY].text not in networks:
                seen.setdefault(row[KEY].text, row[KEY])
        return [
            errors.RowWithoutNetwork(
                cell.span, name=name, hint=did_you_mean(nearest(name, [*networks]))
            )
            for name, cell in seen.items()
        ]


def _several(rows: list[Row], network: str, column: str) -> Diagnostic:
    """Says that a network has several rows, and by which column to choose one."""
    first, second = rows[:2]
    differing = [
        name
        for name in first
        if name in second and name != column and len({row[name].text for row in rows}) == len(rows)
    ]
    hint = "leave one of them in the file"
    if differing:
        hint = f"choose one: --where {differing[0]}={first[differing[0]].text or 'TEXT'}"
    problem = errors.SeveralRows(
        second[column].span, network=network, count=len(rows), column=column, hint=hint
    )
    problem.notes.append(Note(first[column].span, "first occurrence"))
    return problem


def _table(source: Source, problems: list[Diagnostic]) -> tuple[Row, list[Row]]:
    """The columns and the rows of a file; `problems` are added to."""
    lines = [line for line in _lines(source) if len(line) > 1 or line[0].text]
    if not lines:
        raise errors.NotACsv(Span(source, 0, 0), reason="missing header line")
    header: Row = {}
    for cell in lines[0]:
        if cell.text in header:
            raise errors.ColumnTwice(cell.span, name=cell.text)
        header[cell.text] = cell
    if KEY not in header:
        reason = f"the header has no column `{KEY}`"
        span = Span(source, lines[0][0].span.start, lines[0][-1].span.end)
        raise errors.NotACsv(span, reason=reason)
    rows = []
    for line in lines[1:]:
        if len(line) == len(header):
            rows.append(dict(zip(header, line)))
            continue
        span = Span(source, line[0].span.start, line[-1].span.end)
        problems.append(errors.UnevenRow(span, cells=len(line), columns=len(header)))
    return header, rows


def _lines(source: Source) -> Iterator[list[Cell]]:
    """The cells of each line; a quoted cell may hold commas and ends of lines."""
    text, at = source.text, 0
    line: list[Cell] = []
    while True:
        match = _CELL.match(text, at)
        assert match is not None  # the second form takes anything
        if text[match.end() : match.end() + 1] not in ("", ",", "\r", "\n"):
            reason = "text after the closing quote"
            raise errors.NotACsv(Span(source, match.end(), match.end() + 1), reason=reason)
        kind = "plain" if match["quoted"] is None else "quoted"
        content = match[kind].strip() if kind == "plain" else match[kind].replace('""', '"')
        start, end = match.span(kind)
        if kind == "plain":
            start += len(match[kind]) - len(match[kind].lstrip())
            end = start + len(content)
            if content.startswith('"'):
                reason = "missing closing quote"
                raise errors.NotACsv(Span(source, start, start + 1), reason=reason)
        line.append(Cell(csv_text(content), Span(source, start, end)))
        at = match.end()
        if text.startswith(",", at):
            at += 1
            continue
        yield line
        line = []
        at += 2 if text.startswith("\r\n", at) else 1
        if at > len(text):
            return
