"""How people call what a network consists of: `conv c=64 k=3`, `conv bn relu x2`.

For tables and explanations; names in weights and graphs are in `naming.py`.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import Any

from archdsl.ir.graph import Node, Scope
from archdsl.ops import Operation, Word
from archdsl.ops.base import REQUIRED
from archdsl.ops.kinds import describe


def kind_of_item(item: Node | Scope) -> str:
    """The block or the primitive that an item is a use of."""
    return item.unit.name if isinstance(item, Scope) else item.operation.name


def kinds_text(items: Iterable[Node | Scope]) -> str:
    """What a line consists of: `conv bn relu`, `unit x3`."""
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
        if parameter.name in scope.arguments and id(parameter.default) not in trace
    }


def operation_text(operation: Operation) -> str:
    """A primitive with what is not as by default: `conv c=64 k=3 s=2`."""
    return " ".join([operation.name, *_pairs(changed(operation).items())])


def changed(operation: Operation) -> dict[str, Any]:
    """The arguments of a primitive that are not as by default, one number where all axes agree.

    How weights begin is left out.
    """
    found: dict[str, Any] = {}
    for name, parameter in operation.parameters.items():
        value, default = getattr(operation, name), parameter.default
        if default is not REQUIRED and default is not None:
            default = parameter.kind.read(default, operation.rank)
        written = as_written(name, value)
        if written is None or written == as_written(name, default) or isinstance(value, Word):
            continue
        if name == "s" and default is None and value == getattr(operation, "k", None):
            continue  # of pooling, the window
        found[name] = written
    return found


def as_written(name: str, value: Any) -> Any:
    """An argument as people write it: one number where all axes have the same."""
    same = isinstance(value, tuple) and len(value) > 0 and len(set(value)) == 1
    return value[0] if same and name in PER_AXIS else value


PER_AXIS = ("k", "s", "p", "d", "out", "size", "scale", "out_pad", "start", "stop", "step", "axis")
"""Parameters that may be one number for all axes."""


def _pairs(values: Iterable[tuple[str, Any]]) -> list[str]:
    return [f"{name}={describe(value)}" for name, value in values]
