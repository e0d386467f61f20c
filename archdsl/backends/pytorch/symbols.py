"""Python expressions that stand for numbers of a spec.

A class serves many uses of a block. A symbol says what a number is in each of them (the lanes) and,
where it is not the same in all, how the class computes it from its constructor's arguments.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from archdsl.elaborate.expressions import OperationValue
from archdsl.ir.graph import Frame
from archdsl.ops import Word

# How tightly Python's operators bind; an operand that binds looser goes into brackets.
CONDITIONAL, OR, AND, NOT, COMPARE, SUM, PRODUCT, SIGN, POWER, ATOM = range(10)
LEVELS = {
    "or": OR, "and": AND, "+": SUM, "-": SUM, "*": PRODUCT, "/": PRODUCT, "//": PRODUCT,
    "%": PRODUCT, "^": POWER,
}  # fmt: skip


class NotExpressible(Exception):
    """One class cannot serve these uses; they have to be parted."""


class NotOpen(Exception):
    """A parameter of the network shapes more than the places that could follow it."""

    def __init__(self, names: frozenset[str]) -> None:
        super().__init__(names)
        self.names = names


class Symbol:
    """A number in each lane, and the Python text for it.

    `names` are the arguments and local variables that the text mentions. An open symbol depends on
    a parameter of the network that stays one in Python, so it is not folded even where it is the
    same in every lane.
    """

    __slots__ = ("level", "names", "open", "text", "values")

    def __init__(
        self,
        values: Mapping[Frame, Any],
        text: str,
        level: int = ATOM,
        names: frozenset[str] = frozenset(),
        open: frozenset[str] = frozenset(),
    ) -> None:
        self.values = values
        self.text = text
        self.level = level
        self.names = names
        self.open = open

    def __repr__(self) -> str:
        return f"<{self.text}>"

    def at(self, frame: Frame) -> Any:
        """The value in a lane, or in the lane that it is a round of."""
        place: Frame | None = frame
        while place is not None:
            if place in self.values:
                return self.values[place]
            place = place.outer
        raise NotExpressible

    def wrapped(self, level: int) -> str:
        """The text as an operand of something that binds as tightly as `level`."""
        return f"({self.text})" if self.level < level else self.text


def literal(values: Mapping[Frame, Any]) -> Symbol:
    """The symbol of a number that is the same in all lanes."""
    text = python(next(iter(values.values())))
    return Symbol(values, text, SIGN if text.startswith("-") else ATOM)


def is_constant(values: Mapping[Frame, Any]) -> bool:
    """Whether a number is the same in all lanes; 1 and true are not the same."""
    items = iter(values.values())
    first = next(items, None)
    return all(item == first and type(item) is type(first) for item in items)


def binary(operator: str, left: Symbol, right: Symbol, values: Mapping[Frame, Any]) -> Symbol:
    """Two symbols joined by an operator of the language."""
    nothing = {"*": "1", "and": "True", "or": "False"}.get(operator)
    if nothing is not None and nothing in (left.text, right.text):
        other = right if left.text == nothing else left
        return Symbol(values, other.text, other.level, other.names, other.open)
    undone = f" * {right.text}"  # a number times 64, divided by 64
    if operator == "//" and left.level == PRODUCT and left.text.endswith(undone):
        text = left.text.removesuffix(undone)
        if right.text.isdigit() and all(isinstance(n, int) for n in left.values.values()):
            level = ATOM if text.isidentifier() else PRODUCT
            return Symbol(values, text, level, left.names, left.open)
    level = LEVELS[operator]
    sign = "**" if operator == "^" else operator
    # Every operator but the power joins from the left.
    a = left.wrapped(level + 1 if operator == "^" else level)
    b = right.wrapped(level if operator == "^" else level + 1)
    space = "" if operator == "^" and _is_simple(a) and _is_simple(b) else " "
    return Symbol(
        values,
        f"{a}{space}{sign}{space}{b}",
        level,
        left.names | right.names,
        left.open | right.open,
    )


def negative(symbol: Symbol, values: Mapping[Frame, Any]) -> Symbol:
    """Minus a symbol."""
    if symbol.level == SIGN:
        return Symbol(values, symbol.text[1:], SIGN + 1, symbol.names, symbol.open)
    return Symbol(values, f"-{symbol.wrapped(SIGN)}", SIGN, symbol.names, symbol.open)


def _is_simple(text: str) -> bool:
    """Whether formatters put an operand directly beside `**`."""
    return text.replace(".", "").isalnum() or text.isidentifier()


def call(text: str, parts: Iterable[Symbol], values: Mapping[Frame, Any]) -> Symbol:
    """A symbol whose text is complete, made of others."""
    parts = list(parts)
    names = frozenset().union(*(part.names for part in parts))
    opened = frozenset().union(*(part.open for part in parts))
    return Symbol(values, text, ATOM, names, opened)


def python(value: Any) -> str:
    """A value as Python writes it."""
    if isinstance(value, bool) or value is None:
        return repr(value)
    if isinstance(value, float):
        return repr(value) if value != int(value) or abs(value) >= 1e16 else f"{value:.1f}"
    if isinstance(value, tuple):
        return f"({', '.join(map(python, value))}{',' * (len(value) == 1)})"
    if isinstance(value, list):
        return f"[{', '.join(map(python, value))}]"
    if isinstance(value, Word):
        return repr(value.name)
    if isinstance(value, OperationValue):
        raise NotExpressible
    return repr(value)


def annotation(values: Iterable[Any]) -> str:
    """The type of an argument that takes all of these values."""
    kinds = {_kind(value) for value in values}
    if "float" in kinds:
        kinds.discard("int")
    return " | ".join(sorted(kinds, key=lambda kind: (kind == "None", kind)))


def _kind(value: Any) -> str:
    if isinstance(value, tuple):
        return f"tuple[{', '.join(_kind(item) for item in value)}]"
    if isinstance(value, list):
        return f"list[{annotation(value) or 'int'}]"
    if isinstance(value, OperationValue):
        return "type[nn.Module]"
    return {bool: "bool", int: "int", float: "float", type(None): "None"}.get(type(value), "str")
