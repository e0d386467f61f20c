"""Arithmetic: numbers, lists and truth, with bounds. Knows no names and no tensors."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

from archdsl.diagnostics import errors
from archdsl.ops.kinds import describe, whole
from archdsl.support import limits

Plain = int | float
PLAIN = frozenset((int, float))
"""The types of numbers; truth values are none."""


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def bounded(value: Any) -> Any:
    """The result of arithmetic, refused where it is no number a network could use."""
    if -limits.NUMBER <= value <= limits.NUMBER:
        return value
    raise errors.NumberTooLarge(limit=limits.NUMBER)


def power(base: Plain, exponent: Plain) -> Any:
    """`base ^ exponent`, without computing what would be too large to keep."""
    if base and abs(base) != 1 and exponent * math.log2(abs(base)) > 62:
        raise errors.NumberTooLarge(limit=limits.NUMBER)
    if base < 0 and not float(exponent).is_integer():
        raise errors.NoSuchNumber(text=f"{describe(base)} ^ {describe(exponent)}")
    return base**exponent


ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
    "^": power,
}

COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def calculate(sign: str, left: Any, right: Any) -> Any:
    """Two numbers joined by a sign; lists are joined by `+` and repeated by `*`."""
    if type(left) in PLAIN and type(right) in PLAIN:
        try:
            result = ARITHMETIC[sign](left, right)
        except ZeroDivisionError:
            text = f"{describe(left)} {sign} {describe(right)}"
            raise errors.NoSuchNumber(text=text) from None
        except OverflowError:
            raise errors.NumberTooLarge(limit=limits.NUMBER) from None
        return bounded(result)
    if sign == "+" and type(left) is list and type(right) is list:
        return left + right
    if sign == "*" and {type(left), type(right)} & {list} and {type(left), type(right)} & PLAIN:
        return repeated(left, right) if type(left) is list else repeated(right, left)
    text = f"{kind_of(left)} and {kind_of(right)}"
    raise errors.WrongOperands(operator=sign, kinds=text)


def repeated(items: list[Any], count: Plain) -> list[Any]:
    """A list so many times in a row."""
    times = whole(count, "a non-negative number of repeats", 0)
    if len(items) * times > limits.ITEMS:
        raise errors.TooManyItems(count=len(items) * times, limit=limits.ITEMS)
    return items * times


def compare(sign: str, left: Any, right: Any) -> bool:
    """A comparison; values of any kind are equal or not, only numbers are in order."""
    plain = type(left) in PLAIN and type(right) in PLAIN
    if not plain and sign not in ("==", "!="):
        text = f"{kind_of(left)} and {kind_of(right)}"
        raise errors.WrongOperands(operator=sign, kinds=text)
    return COMPARISONS[sign](left, right)


def divisible(value: Plain, divisor: int = 8) -> int:
    """The multiple of `divisor` nearest to `value`, at least `divisor` and never under 90 % of it.

    The rounding of channels of the MobileNet family (Sandler et al., CVPR 2018, in its reference
    implementation).
    """
    divisor = whole(divisor, "a positive integer divisor", 1)
    rounded = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * value else rounded


def rounding_text(name: str, exact: Plain, result: Plain, divisor: Plain = 8) -> str:
    """Describe how a function rounded a number: `nearest multiple of 8, not under 90 %`."""
    if name != "divisible":
        return {"floor": "rounded down", "ceil": "rounded up", "round": "rounded"}[name]
    if result == exact:
        return f"a multiple of {describe(divisor)}"
    nearest = int(exact + divisor / 2) // divisor * divisor
    if nearest < divisor == result:
        return f"at least {describe(divisor)}"
    if nearest != result:
        return f"{describe(nearest)}, the nearest multiple of {describe(divisor)}, is under 90 %"
    return f"nearest multiple of {describe(divisor)}, not under 90 %"


def _sqrt(value: Plain) -> float:
    if value < 0:
        raise errors.NoSuchNumber(text=f"sqrt({describe(value)})")
    return float(value**0.5)


def _log(value: Plain) -> float:
    if value <= 0:
        raise errors.NoSuchNumber(text=f"log({describe(value)})")
    return math.log(value)


FUNCTIONS: dict[str, tuple[Callable[..., Any], int, int]] = {
    "floor": (math.floor, 1, 1),
    "ceil": (math.ceil, 1, 1),
    "round": (round, 1, 1),
    "min": (lambda *values: min(values), 1, 100),  # also of one number
    "max": (lambda *values: max(values), 1, 100),
    "abs": (abs, 1, 1),
    "sqrt": (_sqrt, 1, 1),
    "log": (_log, 1, 1),
    "divisible": (divisible, 1, 2),
}
"""The functions on numbers, with the least and the greatest number of arguments. `len` is apart."""


FOR_TENSORS = "functions take numbers, such as sizes; apply operations to tensors"


def is_function(name: str) -> bool:
    """True if the language has a function of this name."""
    return name in FUNCTIONS or name == "len"


def call(name: str, arguments: list[Any]) -> Any:
    """A function of the language applied to values."""
    if name == "len":
        if len(arguments) == 1 and isinstance(arguments[0], list | tuple):
            return len(arguments[0])
        raise errors.WrongArguments(function=name, expected="one list", given=_kinds(arguments))
    function, least, most = FUNCTIONS[name]
    if len(arguments) == 1 and isinstance(arguments[0], list | tuple) and most > 2:
        arguments = list(arguments[0])  # of min and max
    if not (least <= len(arguments) <= most and PLAIN.issuperset(map(type, arguments))):
        expected = "one number" if most == 1 else f"{least} to {most} numbers"
        given = _kinds(arguments)
        hint = f"{FOR_TENSORS}: `x -> relu` is max(x, 0)" if "tensor" in given else ""
        raise errors.WrongArguments(function=name, expected=expected, given=given, hint=hint)
    return bounded(function(*arguments))


def _kinds(values: list[Any]) -> str:
    """The types of values in words: `2 numbers`."""
    if len(values) > 1 and PLAIN.issuperset(map(type, values)):
        return f"{len(values)} numbers"
    *some, last = [*map(kind_of, values)] or ["nothing"]
    return f"{', '.join(some)} and {last}" if some else last


def kind_of(value: Any) -> str:
    """The type of a value in words."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "a truth value"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, tuple):
        return "a tuple"
    if isinstance(value, str):
        return "a text"
    return str(getattr(value, "kind_text", "") or f"`{value}`")
