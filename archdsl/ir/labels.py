"""Labels for the parts of a network: `conv c=64 k=3`, `conv bn relu x2`.

For tables and explanations; names in weights and graphs are in `naming.py`.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import Any

from archdsl.ir.graph import Node, Scope
from archdsl.ops import Operation, Word
from archdsl.ops.kinds import describe, nearest_whole


def kind_of_item(item: Node | Scope) -> str:
    """The block or the primitive that an item is a use of."""
    return item.unit.name if isinstance(item, Scope) else item.operation.name


def kinds_text(items: Iterable[Node | Scope]) -> str:
    """Summary of a line: `conv bn relu`, `unit x3`."""
    runs = [(name, len(list(run))) for name, run in groupby(map(kind_of_item, items))]
    return " ".join(name if count == 1 else f"{name} x{count}" for name, count in runs)


def item_text(item: Node | Scope) -> str:
    """An item with its arguments."""
    if isinstance(item, Scope):
        return " ".join([item.unit.name, *_pairs(given(item).items())])
    return operation_text(item.operation)


def given(scope: Scope) -> dict[str, Any]:
    """The arguments that a use of a block was given, those left to its defaults not."""
    trace = scope.frame.trace
    return {
        parameter.name: scope.arguments[parameter.name]
        for parameter in scope.unit.numbers
        if parameter.name in scope.arguments and parameter.default not in trace
    }


def operation_text(operation: Operation) -> str:
    """A primitive with what is not as by default: `conv c=64 k=3 s=2`."""
    return " ".join([operation.name, *_pairs(changed(operation).items())])


def changed(operation: Operation) -> dict[str, Any]:
    """The arguments of a primitive that are not as by default, one number where all axes agree.

    How weights begin is left out.
    """
    found = operation.changed()
    if "s" in found and operation.parameters["s"].default is None and found["s"] == found.get("k"):
        del found["s"]  # of pooling, the window
    return {
        name: value
        for name, value in found.items()
        if value is not None and not isinstance(value, Word)
    }


def _pairs(values: Iterable[tuple[str, Any]]) -> list[str]:
    return [f"{name}={describe(as_taken(value))}" for name, value in values]


def as_taken(value: Any) -> Any:
    """A number as operations take it: the whole one that it is but for errors of rounding."""
    if isinstance(value, float) and abs(value) > 0.5:
        whole = nearest_whole(value)
        return value if whole is None else whole
    return value
