"""The kinds of arguments that operations take: how each is read, checked and described."""

from __future__ import annotations

from collections.abc import Iterable
from math import isfinite
from typing import Any

from archdsl.diagnostics import errors
from archdsl.ops.base import Kind, Word

LARGEST = 2**31 - 1
"""No size, count or index of a network is larger; many runtimes index by 32 bits."""


def whole(value: Any, expected: str, least: int | None = None) -> int:
    """A whole number, also when arithmetic left it as a float; at least `least`."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise errors.WrongValue(expected=expected, value=describe(value))
    number = nearest_whole(value)
    if number is None:
        raise errors.NotWhole(expected=expected, value=describe(value))
    if abs(number) > LARGEST:
        raise errors.TooLarge(value=describe(value), limit=LARGEST)
    if least is not None and number < least:
        raise errors.WrongValue(expected=expected, value=describe(value))
    return number


def nearest_whole(value: int | float) -> int | None:
    """The whole number that a number is, but for the rounding errors of arithmetic; else none.

    Products such as 0.07 * 100 are off by some last digits: by up to 1e-9, or for numbers beyond a
    million, where a double has no digit as small as that, by four units in the last place.
    """
    if isinstance(value, int):
        return value
    if not isfinite(value):
        return None
    number = round(value)
    return number if abs(value - number) <= max(1e-9, 2**-50 * abs(value)) else None


def describe(value: Any) -> str:
    """A value as a message shows it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "none"
    if isinstance(value, float):
        return _describe_float(value)
    if isinstance(value, int):
        return str(value) if abs(value) < 10**20 else f"a number of {value.bit_length()} bits"
    if isinstance(value, tuple | list):
        left, right = "()" if isinstance(value, tuple) else "[]"
        return left + ", ".join(map(describe, value)) + right
    return str(value)


def _describe_float(value: float) -> str:
    """Six digits, or as many as it takes to tell whether it is whole: 7.000000000000001."""
    if value.is_integer():
        return f"{value or 0:.0f}" if abs(value) < 1e15 else f"{value:.6g}"
    texts = (f"{value:.{digits}g}" for digits in range(6, 17))
    near = nearest_whole(value) is not None and abs(value) > 0.5
    return repr(value) if near else next(t for t in texts if not float(t).is_integer())


def literal(value: Any) -> str:
    """A value as the language writes it, with all digits."""
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, tuple | list):
        inside = ", ".join(map(literal, value))
        if isinstance(value, list):
            return f"[{inside}]"
        return f"({inside},)" if len(value) == 1 else f"({inside})"
    if isinstance(value, Word):
        arguments = ", ".join(map(literal, value.arguments))
        return f"{value.name}({arguments})" if arguments else value.name
    return describe(value)


def describe_apart(value: Any, others: Iterable[Any]) -> str:
    """A value as a message shows it beside others: with all digits where one looks the same."""
    text = describe(value)
    alike = any(value != other and describe(other) == text for other in others)
    return repr(value) if alike and isinstance(value, float) else text


def integer(expected: str, least: int | None = None) -> Kind:
    return Kind(expected, lambda value, rank: whole(value, expected, least))


def per_axis(expected: str, least: int) -> Kind:
    """One number for all spatial axes, or a tuple with one for each; read as a tuple."""

    def read(value: Any, rank: int) -> tuple[int, ...]:
        if isinstance(value, list):
            right = f": {describe(tuple(value))}" if len(value) > 1 else ""
            hint = f"enclose tuples in parentheses{right}"
            raise errors.WrongValue(expected=expected, value=describe(value), hint=hint)
        if not isinstance(value, tuple):
            return (whole(value, expected, least),) * rank
        if len(value) != rank:
            raise errors.WrongAxes(
                count=len(value), axes=f"the map is {rank}-D", value=describe(value)
            )
        return tuple(whole(item, expected, least) for item in value)

    return Kind(expected + ", or a tuple with one per axis", read, per_axis=True)


def for_some_axes(item: Kind, none: bool = False) -> Kind:
    """One value for all axes that are named elsewhere, or a tuple with one for each, which may be
    `none` for some of them where `none` says so."""

    def read(value: Any, rank: int) -> Any:
        if not isinstance(value, tuple):
            return item.read(value, rank)
        return tuple(None if each is None and none else item.read(each, rank) for each in value)

    return Kind(item.title + ", or a tuple with one per axis", read, per_axis=True)


def words(*names: str) -> Kind:
    """One of some words; read as text."""
    expected = "one of " + ", ".join(names)

    def read(value: Any, rank: int) -> str:
        if isinstance(value, Word) and not value.arguments and value.name in names:
            return value.name
        raise errors.WrongValue(expected=expected, value=describe(value))

    return Kind(expected, read, names)


def number(expected: str, least: float, most: float) -> Kind:
    """A finite number within bounds, both included; read as a float."""

    def read(value: Any, rank: int) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise errors.WrongValue(expected=expected, value=describe(value))
        if not least <= value <= most:
            raise errors.WrongValue(expected=expected, value=describe(value))
        return float(value)

    return Kind(expected, read)


def in_order(item: Kind) -> Kind:
    """A tuple or a list of one kind; read as a tuple."""
    expected = "a tuple or list in which each item is " + item.title

    def read(value: Any, rank: int) -> tuple[Any, ...]:
        if not isinstance(value, tuple | list):
            hint = "enclose the items in parentheses of their own: permute((1, 0))"
            raise errors.WrongValue(expected=expected, value=describe(value), hint=hint)
        return tuple(item.read(each, rank) for each in value)

    return Kind(expected, read)


def _odd(value: Any, rank: int) -> int:
    size = whole(value, "an odd positive integer", 1)
    if size % 2 == 0:
        raise errors.WrongValue(expected="an odd positive integer", value=describe(value))
    return size


def _axis(value: Any, rank: int) -> int:
    expected = f"an axis from 0 (the channels) to {rank}" if rank else "axis 0, the only one"
    axis = whole(value, expected)
    if not -rank - 1 <= axis <= rank:
        raise errors.WrongValue(expected=expected, value=describe(value))
    return axis % (rank + 1)


def _axes(value: Any, rank: int) -> int | tuple[int, ...]:
    if not isinstance(value, tuple):
        return _axis(value, rank)
    axes = tuple(_axis(item, rank) for item in value)
    if not axes or len(set(axes)) < len(axes):
        raise errors.WrongValue(expected="different axes", value=describe(value))
    return axes


def _flag(value: Any, rank: int) -> bool:
    if isinstance(value, bool):
        return value
    raise errors.WrongValue(expected="true or false", value=describe(value))


COUNT = integer("a positive integer", 1)
INTEGER = integer("an integer")
NATURAL = integer("a non-negative integer", 0)
ODD = Kind("an odd positive integer", _odd)
AXIS = Kind("an axis (0 is the channels; negative counts from the last)", _axis)
SOME_AXES = Kind(AXIS.title + "; or a tuple of axes", _axes, per_axis=True)
AXES = per_axis("a positive integer", 1)
NUMBER = number("a number", -1e30, 1e30)
POSITIVE = number("a positive number", 1e-30, 1e30)
FRACTION = number("a number from 0 to 1", 0.0, 1.0)
RATE = number("a number from 0 to below 1", 0.0, 1.0 - 2**-53)
FLAG = Kind("true or false", _flag)
