"""Questions about the values that something has in the uses of a block."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archdsl.backends.pytorch.symbols import NotExpressible, Symbol, binary, call, literal
from archdsl.ir.graph import Frame, Value
from archdsl.ops import Shape
from archdsl.ops.kinds import nearest_whole


def one_kind(values: Mapping[Frame, Any]) -> type:
    kinds = {type(value) for value in values.values()}
    if len(kinds) > 1:
        raise NotExpressible
    return kinds.pop()


def size_of(value: Any, letter: str) -> int | None:
    """The size of a tensor, or of all of a list, along an axis."""
    if isinstance(value, list | tuple):
        sizes = {_size(shape, letter) for shape in {v.shape for v in value if type(v) is Value}}
        sizes |= {size_of(item, letter) for item in value if type(item) is not Value}
        return sizes.pop() if len(sizes) == 1 else None
    return _size(value.shape, letter) if isinstance(value, Value) else None


def _size(shape: Shape, letter: str) -> int | None:
    letters = {1: "cw", 2: "chw", 3: "cdhw"}.get(len(shape) - 1, "c")
    return shape[letters.index(letter)] if letter in letters else None


def agrees(symbol: Symbol, values: Mapping[Frame, Any]) -> bool:
    try:
        return all(
            symbol.at(f) == value and isinstance(symbol.at(f), bool) == isinstance(value, bool)
            for f, value in values.items()
        )
    except NotExpressible:
        return False


def fitted(symbol: Symbol, values: Mapping[Frame, Any]) -> Symbol:
    """A symbol that agrees with some values, for these; an integer where they are."""
    given = {f: symbol.at(f) for f in values} if all_ints(values) else values
    made = Symbol(given, symbol.text, symbol.level, symbol.names, symbol.open)
    return as_whole(made) if all_ints(values) else made


def multiple_of(symbol: Symbol, sizes: Mapping[Frame, Any]) -> Symbol | None:
    """`symbol * k` or `symbol // k`, where that has these values."""
    try:
        known = {f: symbol.at(f) for f in sizes}
    except NotExpressible:
        return None
    first = next(iter(sizes))
    if not all_ints(known) or not all(known.values()) or not sizes[first]:
        return None
    ratio = sizes[first] / known[first]
    for factor, operator in ((ratio, "*"), (1 / ratio, "//")):
        if factor >= 2 and factor == int(factor):
            k = int(factor)
            fits = (
                all(known[f] * k == size for f, size in sizes.items())
                if operator == "*"
                else all(known[f] == size * k for f, size in sizes.items())
            )
            if fits:
                return binary(operator, symbol, literal({f: k for f in sizes}), sizes)
    return None


def all_ints(values: Mapping[Frame, Any]) -> bool:
    return all(type(value) is int for value in values.values())


def whole_floats(values: Mapping[Frame, Any]) -> bool:
    items = list(values.values())
    if not all(type(value) in (int, float) for value in items):
        return False
    return any(type(v) is float for v in items) and all(v == int(v) and v >= 1 for v in items)


def as_whole(symbol: Symbol) -> Symbol:
    """A symbol where Python needs an `int`, and arithmetic may have made a float that is one."""
    if not any(type(value) is float for value in symbol.values.values()):
        return symbol
    whole = {f: nearest_whole(value) for f, value in symbol.values.items()}
    if not symbol.names:
        return literal(whole)
    return call(f"round({symbol.text})", [symbol], whole)
