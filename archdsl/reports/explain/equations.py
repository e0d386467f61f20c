"""Step-by-step evaluation of expressions, from the values recorded in frames.

Evaluates nothing: every number is one that the frame's trace holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from archdsl.frontend import ast
from archdsl.ir.graph import Frame, Value
from archdsl.ops import Word, numbers, shape_text
from archdsl.ops.kinds import describe

ROUNDING = ("floor", "ceil", "round", "divisible")


class Equation(NamedTuple):
    """Equal texts, from what is written to the value; and the value that it was rounded to.

    `note` says how it was rounded, or what the value is.
    """

    steps: tuple[str, ...]
    rounded: str = ""
    note: str = ""
    sign: str = " = "
    """Separator of steps; a colon for conditions, which contain `=` themselves."""

    @property
    def value(self) -> str:
        """Its value."""
        return self.rounded or self.steps[-1]

    def __str__(self) -> str:
        text = self.sign.join(self.steps)
        if self.rounded:
            text += f" -> {self.rounded}"
        return f"{text} ({self.note})" if self.note else text


def equation(expression: ast.Expression, frame: Frame) -> Equation:
    """Evaluation of an expression: `e * x.c = 6 * 16 = 96`."""
    if isinstance(expression, ast.Number | ast.Truth | ast.Absent):
        return Equation((value_text(frame.trace[expression]),))
    if isinstance(frame.trace[expression], bool):
        return condition(expression, frame)
    call = expression if isinstance(expression, ast.Call) else None
    if call is not None and call.name in ROUNDING and _is_function(call, frame):
        values = [frame.trace[argument.value] for argument in call.arguments]
        result = frame.trace[call]
        inner = equation(call.arguments[0].value, frame)
        steps = inner.steps
        if inner.rounded:
            steps = (call.arguments[0].value.span.text, describe(values[0]))
        divisor = values[1] if len(values) > 1 else 8
        return _rounded(steps, call.name, values[0], result, divisor)
    if isinstance(expression, ast.Conditional):
        taken = frame.trace[expression.condition]
        inner = equation(expression.value if taken else expression.otherwise, frame)
        written = " ".join(expression.span.text.split())
        note = "; ".join(filter(None, [inner.note, str(condition(expression.condition, frame))]))
        return Equation((written, *inner.steps), inner.rounded, note)
    return Equation(_chain(expression, frame))


def scaled(
    channels: ast.Expression, width: ast.Expression, divisor: Any, result: int, frame: Frame
) -> Equation:
    """Channels of a table times its width: `24 * 1.1 = 26.4 -> 24 (nearest multiple of 8, ...)`."""
    steps, exact = _product(channels, width, frame)
    return _rounded(steps, "divisible", exact, result, divisor)


def repeated(
    n: ast.Expression, depth: ast.Expression, name: str, count: int, frame: Frame
) -> Equation:
    """Repeats of a row times the table's depth: `2 * 1.1 = 2.2 -> 3 (rounded up)`."""
    steps, exact = _product(n, depth, frame)
    if numbers.call(name, [exact]) < count:  # a row is not scaled away
        return Equation(steps, describe(count), "at least 1")
    return _rounded(steps, name, exact, count)


def _product(
    left: ast.Expression, right: ast.Expression, frame: Frame
) -> tuple[tuple[str, ...], Any]:
    """A product that the text of a table does not write: its steps, and what it comes to."""
    a, b = frame.trace[left], frame.trace[right]
    exact = numbers.calculate("*", a, b)
    written = f"{_grouped(left)} * {_grouped(right)}"
    return _distinct((written, f"{describe(a)} * {describe(b)}", describe(exact))), exact


def _rounded(
    steps: tuple[str, ...], name: str, exact: Any, result: Any, divisor: Any = 8
) -> Equation:
    """With how a function made the last step whole, where it was not; a divisor is always told."""
    if exact == result and name != "divisible":
        return Equation(steps)
    return Equation(steps, describe(result), numbers.rounding_text(name, exact, result, divisor))


def condition(expression: ast.Expression, frame: Frame) -> Equation:
    """Evaluation of a condition: `e != 1: 6 != 1: true`; unevaluated parts stay as written."""
    return Equation(_chain(expression, frame), sign=": ")


def value_text(value: Any) -> str:
    """A value as an explanation shows it; a tensor by its shape."""
    if isinstance(value, Value):
        return shape_text(value.shape)
    if isinstance(value, list | tuple) and any(isinstance(item, Value) for item in value):
        return "[" + ", ".join(map(value_text, value)) + "]"
    if isinstance(value, Word) and value.arguments:
        return f"{value.name}({', '.join(map(value_text, value.arguments))})"
    bound = getattr(value, "arguments", ())
    if bound and hasattr(value, "callee"):
        inside = ", ".join(f"{name}={value_text(item)}" for name, item in bound)
        return f"{value}({inside})"
    return describe(value)


def _chain(expression: ast.Expression, frame: Frame) -> tuple[str, ...]:
    """As written, with the values of its names, with those of the functions in it, as a value."""
    filled = _replaced(expression, frame, _is_leaf)
    computed = filled
    if not _is_leaf(expression, frame):
        computed = _replaced(expression, frame, _is_computed(expression))
    written = " ".join(expression.span.text.split())
    return _distinct((written, filled, computed, value_text(frame.trace[expression])))


def _distinct(steps: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(step for i, step in enumerate(steps) if i == 0 or step != steps[i - 1])


def _is_leaf(node: ast.Node, frame: Frame) -> bool:
    return isinstance(node, ast.Name | ast.Field | ast.Item)


def _is_computed(whole: ast.Expression) -> Callable[[ast.Node, Frame], bool]:
    """Values inserted as numbers: leaves, inner functions, and arguments of outer functions."""
    outer: set[ast.Node] = set()
    if isinstance(whole, ast.Call):
        outer = {argument.value for argument in whole.arguments}

    def chosen(node: ast.Node, frame: Frame) -> bool:
        if node is whole:
            return False
        return _is_leaf(node, frame) or node in outer or isinstance(node, ast.Call)

    return chosen


def _is_function(call: ast.Call, frame: Frame) -> bool:
    """True if a call is one of a function on numbers, and not of a block or an operation."""
    return numbers.is_number(frame.trace.get(call)) and all(
        numbers.is_number(frame.trace.get(a.value)) for a in call.arguments
    )


def _replaced(
    expression: ast.Expression, frame: Frame, chosen: Callable[[ast.Node, Frame], bool]
) -> str:
    """The text of an expression with the values of some pieces in their places."""
    span = expression.span
    parts: list[str] = []
    at = span.start
    for piece in _pieces(expression, frame, chosen):
        value = frame.trace[piece]
        text = value_text(value)
        if isinstance(value, int | float) and not isinstance(value, bool) and value < 0:
            text = f"({text})"
        parts += [span.source.text[at : piece.span.start], text]
        at = piece.span.end
    parts.append(span.source.text[at : span.end])
    return " ".join("".join(parts).split())


def _pieces(
    node: ast.Node, frame: Frame, chosen: Callable[[ast.Node, Frame], bool]
) -> Iterator[ast.Node]:
    """The outermost pieces that are chosen and have a value, in the order of the text."""
    if node in frame.trace and chosen(node, frame) and not _is_operation(node, frame):
        yield node
        return
    inner: list[ast.Node] = []
    for name in node.fields:
        value = getattr(node, name)
        items = value if isinstance(value, tuple) else (value,)
        inner += [item for item in items if isinstance(item, ast.Node)]
    for item in sorted(inner, key=lambda item: item.span.start):
        yield from _pieces(item, frame, chosen)


def _is_operation(node: ast.Node, frame: Frame) -> bool:
    """True if a piece stands for an operation or a tensor, which say more by their names."""
    value = frame.trace[node]
    return isinstance(value, Value) or hasattr(value, "callee") or value is None


def _grouped(expression: ast.Expression) -> str:
    """The text of a factor, in brackets where it needs them."""
    text = " ".join(expression.span.text.split())
    bare = isinstance(expression, ast.Binary | ast.Conditional | ast.Comparison)
    return f"({text})" if bare else text
