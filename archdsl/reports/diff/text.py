"""Differences as text for people, as Markdown, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from archdsl.reports.diff.model import Amounts, Change, Comparison
from archdsl.reports.summary.text import size_text
from archdsl.support.escaping import markdown, printable

SIGNS = {"changed": "~", "added": "+", "removed": "-", "costs": " "}

WIDEST = 60
"""Columns of the details of a stage; what does not fit goes to further lines."""


def as_text(found: Comparison) -> str:
    """Differences and their costs, by stage and in total."""
    if found.same:
        return f"{' and '.join(found.names)} are the same network"
    rows = [("", "", "parameters", "MACs", "memory")]
    for change in found.stages:
        first, *further = _wrapped(_details(change)) or [""]
        rows.append((f"{SIGNS[change.kind]} {_name(change)}", first, *_deltas(change.amounts)))
        rows += [("", text, "", "", "") for text in further]
    total = ("total", "", *_deltas(found.total))
    widths = [max(map(len, column)) for column in zip(*rows, total)]
    table = [_aligned(row, widths) for row in rows]
    rule = "-" * max(map(len, [*table, _aligned(total, widths)]))
    lines = [" -> ".join(found.names), "", *_heads(found)]
    lines += [table[0], rule, *table[1:], rule, _aligned(total, widths), ""]
    if found.unchanged:
        lines.append(f"unchanged   {', '.join(found.unchanged)}")
    lines += [f"{name:10}  {text}" for name, text in _totals(found)]
    return "\n".join(printable(line).rstrip() for line in lines)


def _heads(found: Comparison) -> list[str]:
    """Facts about the whole network, before the stages."""
    groups = {
        "parameters": found.parameters,
        "input": found.inputs,
        "output": found.outputs,
        "everywhere": found.everywhere,
        "blocks": found.blocks,
    }
    lines = []
    for name, texts in groups.items():
        for i, text in enumerate(_wrapped(texts, 90)):
            lines.append(f"{'' if i else name:10}  {text}")
    return [*lines, ""] if lines else []


def _name(change: Change) -> str:
    if change.a and change.b and change.a != change.b:
        return f"{change.a} -> {change.b}"
    return change.a or change.b


def _details(change: Change) -> tuple[str, ...]:
    return change.details or (change.text,)


def _wrapped(texts: tuple[str, ...], width: int = WIDEST) -> list[str]:
    """Texts with commas between, in lines."""
    lines: list[str] = []
    for i, text in enumerate(texts):
        text += "," if i < len(texts) - 1 else ""
        if lines and len(lines[-1]) + len(text) < width:
            lines[-1] += f" {text}"
        else:
            lines.append(text)
    return lines


def _deltas(amounts: Amounts) -> tuple[str, str, str]:
    params, macs, memory = (new - old for old, new in amounts)
    size = size_text(abs(memory))
    return _delta(params), _delta(macs), f"{'-' if memory < 0 else '+'}{size}" if memory else "0"


def _delta(change: int) -> str:
    return f"{change:+,}" if change else "0"


def _aligned(row: tuple[str, ...], widths: list[int]) -> str:
    left = [cell.ljust(width) for cell, width in zip(row[:2], widths)]
    right = [cell.rjust(width) for cell, width in zip(row[2:], widths[2:])]
    return "  ".join([*left, *right]).rstrip()


def _totals(found: Comparison) -> list[tuple[str, str]]:
    params, macs, memory = found.total
    samples = f"{found.batch} sample" + ("s" if found.batch > 1 else "")
    return [
        ("parameters", _both(params, f"{params[0]:,}", f"{params[1]:,}")),
        ("MACs", _both(macs, f"{macs[0]:,}", f"{macs[1]:,}")),
        (
            "memory",
            _both(memory, size_text(memory[0]), size_text(memory[1]))
            + f" of activations for {samples} in {found.dtype}",
        ),
    ]


def _both(amounts: tuple[int, int], old: str, new: str) -> str:
    if amounts[0] == amounts[1]:
        return old
    percent = f" ({100 * (amounts[1] / amounts[0] - 1):+.1f} %)" if amounts[0] else ""
    return f"{old} -> {new}{percent}"


def as_markdown(found: Comparison) -> str:
    """The same as a table for a page or a review."""
    if found.same:
        return as_text(found)
    rows = [("", "stage", "difference", "parameters", "MACs", "memory")]
    rows += [
        (SIGNS[change.kind], _name(change), ", ".join(_details(change)), *_deltas(change.amounts))
        for change in found.stages
    ]
    rows.append(("", "total", "", *_deltas(found.total)))
    cells = [[markdown(cell) for cell in row] for row in rows]
    cells.insert(1, ["---"] * 3 + ["--:"] * 3)
    lines = [f"**{markdown(' -> '.join(found.names))}**", ""]
    lines += [f"- {markdown(line)}" for line in _heads(found) if line]
    lines += [""] if lines[-1] else []
    lines += ["| " + " | ".join(row) + " |" for row in cells]
    lines += ["", *(f"- {name}: {markdown(text)}" for name, text in _totals(found))]
    return "\n".join(lines)


def as_json(found: Comparison) -> str:
    """All of it as data; amounts as those of the first, those of the second, and the change."""
    content: dict[str, Any] = {**found._asdict()}
    content["total"] = _amounts(found.total)
    content["stages"] = [
        {**change._asdict(), "amounts": _amounts(change.amounts)} for change in found.stages
    ]
    return json.dumps(content, indent=1)


def _amounts(amounts: Amounts) -> dict[str, dict[str, int]]:
    return {
        name: {"a": old, "b": new, "change": new - old}
        for name, (old, new) in amounts._asdict().items()
    }


FORMS: dict[str, Callable[[Comparison], str]] = {
    "text": as_text,
    "json": as_json,
    "markdown": as_markdown,
}
