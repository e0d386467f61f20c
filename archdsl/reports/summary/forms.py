"""The table of `archdsl summary` for programs and papers: JSON, CSV, Markdown, LaTeX."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from math import prod
from typing import Any

from archdsl.ir import memory, receptive
from archdsl.ops import shape_text
from archdsl.reports.summary.text import HEADINGS, Line, Summary, size_text
from archdsl.support import escaping

COLUMNS = (
    "name", "stage", "block", "kind", "shape", "params", "macs", "memory", "training", "stride",
    "receptive_field", "sees_all",
)  # fmt: skip
"""What JSON and CSV say of a row; the fields of `network.PartInfo`."""


def values(summary: Summary, line: Line) -> dict[str, Any]:
    """A row as plain data; shapes without the batch."""
    row, sights = line.row, line.sights
    strides = [sight.stride for sight in sights]
    content = (
        row.name, row.stage, row.block, row.kind, list(row.shapes[0]), row.params, row.macs,
        summary.bytes(row.activations), row.training,
        [None if stride is None else receptive.plain(stride) for stride in strides],
        [sight.field for sight in sights],
        any(sight.everything for sight in sights),
    )  # fmt: skip
    return dict(zip(COLUMNS, content, strict=True))


def _parts(summary: Summary) -> list[dict[str, Any]]:
    """The rows of the depth: what they cost adds up to the totals."""
    return [values(summary, line) for line in summary.cut_lines]


def as_json(summary: Summary) -> str:
    graph, total = summary.graph, summary.total
    buffers = sum(
        prod(weight.shape)
        for node in graph.nodes
        for weight in node.operation.weights
        if not weight.trainable
    )
    content = {
        "network": graph.name,
        "class": graph.class_name,
        "inputs": {value.name: list(value.shape) for value in graph.inputs},
        "outputs": {o.name: list(o.value.shape) for o in graph.outputs if not o.training},
        "depth": summary.depth,
        "batch": summary.batch,
        "dtype": summary.dtype,
        "total": {
            "params": total.params,
            "buffers": buffers,
            "macs": total.macs,
            "depth": total.depth,
            "memory": summary.bytes(summary.activations),
            "peak_memory": summary.bytes(memory.peak(graph)),
            "weights": {dtype: total.params * size for dtype, size in memory.SIZES.items()},
        },
    }
    lines = [f"  {json.dumps(name)}: {json.dumps(value)}," for name, value in content.items()]
    rows = ",\n".join(f"    {json.dumps(part)}" for part in _parts(summary))
    return "\n".join(["{", *lines, '  "rows": [', rows, "  ]", "}"])


def as_csv(summary: Summary) -> str:
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    for part in _parts(summary):
        writer.writerow(map(_cell, part.values()))
    return file.getvalue().rstrip("\n")


def _cell(value: Any) -> Any:
    """A value as CSV has it: shapes `24x56x56`, truth as `true`, nothing where there is none."""
    if isinstance(value, list):
        if set(value) == {None}:
            return ""
        return "x".join("" if item is None else str(item) for item in value)
    if isinstance(value, str):
        return escaping.csv_cell(value)
    return str(value).lower() if isinstance(value, bool) else value


def _table(summary: Summary) -> list[tuple[str, ...]]:
    """The lines of the table, that of the totals last, as text."""
    total = ("total", "", "", "", "", f"{summary.total.params:,}", f"{summary.total.macs:,}")
    inputs = [
        (value.name, "input", shape_text(value.shape), "", "", "", "", "")
        for value in summary.graph.inputs
    ]
    lines = [summary.cells(line) for line in summary.lines]
    return [*inputs, *lines, (*total, size_text(summary.bytes(summary.activations)))]


def as_markdown(summary: Summary) -> str:
    rows = [HEADINGS, *_table(summary)]
    table = [[_markdown(cell) for cell in row] for row in rows]
    table[-1] = [f"**{cell}**" if cell else "" for cell in table[-1]]
    table.insert(1, ["---"] * 3 + ["--:"] * (len(HEADINGS) - 3))
    return "\n".join("| " + " | ".join(row) + " |" for row in table)


def _markdown(text: str) -> str:
    """Text in a cell of a table of Markdown; two spaces for a step inwards."""
    depth = (len(text) - len(text.lstrip(" "))) // 2
    return "&emsp;" * depth + escaping.markdown(text)


def as_latex(summary: Summary) -> str:
    *body, total = (" & ".join(map(_latex, row)) + r" \\" for row in _table(summary))
    heads = " & ".join(map(_latex, HEADINGS)) + r" \\"
    return "\n".join(
        [
            r"% needs \usepackage{booktabs}",
            r"\begin{tabular}{lllrrrrr}",
            r"\toprule",
            heads,
            r"\midrule",
            *body,
            r"\midrule",
            total,
            r"\bottomrule",
            r"\end{tabular}",
        ]
    )


def _latex(text: str) -> str:
    r"""Text in a cell of a table; shapes as `$24 \times 56 \times 56$`."""
    depth = (len(text) - len(text.lstrip(" "))) // 2
    text = text.strip()
    sizes = text.split("x")
    if len(sizes) > 1 and all(size.isdecimal() for size in sizes):
        return "$" + r" \times ".join(sizes) + "$"
    return r"\quad " * depth + escaping.latex(text)


FORMS: dict[str, Callable[[Summary], str]] = {
    "json": as_json,
    "csv": as_csv,
    "markdown": as_markdown,
    "latex": as_latex,
}
"""The forms beside the text, by the names that `--format` knows."""
