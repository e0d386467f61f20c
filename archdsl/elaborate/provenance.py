"""Why values are what they are: the labels and the arithmetic of a diagnostic.

Only a mistake needs this module. It reads what an evaluation left in its frame.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from archdsl.diagnostics.diagnostic import Diagnostic, Note
from archdsl.diagnostics.source import Span
from archdsl.frontend import ast
from archdsl.ir.graph import Frame, Node, Scope, Value
from archdsl.ops import shape_text
from archdsl.ops.base import axis_text, tensor_text
from archdsl.ops.kinds import describe, describe_apart
from archdsl.ops.numbers import PLAIN, is_function

_LABELS = 3
"""Number of `let` lines to follow."""

_LONGEST = 60
"""Characters of arithmetic that are shown."""


def explain(
    problem: Diagnostic,
    frame: Frame,
    tensors: Sequence[tuple[Value, Span | None]],
    place: Callable[[str], Span | None] = lambda name: None,
    written: Callable[[str], ast.Expression | None] = lambda name: None,
) -> None:
    """Label what led to a mistake of an operation: its tensors, each with its place, and arguments.

    `place` and `written` tell where and how the argument for a parameter is written.
    """
    for what, text in problem.about.items():
        if isinstance(what, str):
            _label(problem, place(what), text)
        elif what < len(tensors):
            value, span = tensors[what]
            _label(problem, span, _of_tensor(value, text, frame))
    if problem.argument is not None:
        expression = written(problem.argument)
        if expression is not None:
            _show_arithmetic(problem, expression, frame)


def show_argument(problem: Diagnostic, parameter: str, scope: Scope) -> None:
    """Say how the argument for a block came to its value, where that is arithmetic."""
    frame = scope.row.frame if scope.row is not None else scope.parent and scope.parent.frame
    expression = scope.origin.written(parameter)
    if frame and expression is not None and problem.span is not None:
        shown = describe(scope.arguments.get(parameter))
        text = _with_reason(shown, expression, frame)
        if text != shown:
            problem.notes.insert(0, Note(problem.span, text, label=True))


def show_condition(problem: Diagnostic, condition: ast.Expression, frame: Frame) -> None:
    """Show a condition with its numbers put in, where that says more than the text."""
    try:
        text = _term(condition, frame)
    except _NoArithmetic:
        return
    if text != condition.span.text and len(text) <= _LONGEST:
        problem.labelled(condition.span, text)


def places_in(frame: Frame, inputs: Sequence[Value]) -> list[Span | None]:
    """Creation sites of the tensors that this text creates."""
    return [
        value.node.span if value.node is not None and value.node.scope is frame.scope else None
        for value in inputs
    ]


def _label(problem: Diagnostic, span: Span | None, text: str) -> None:
    if span is not None and text:
        problem.labelled(span, text)


def _of_tensor(value: Value, aspect: str, frame: Frame) -> str:
    """Describe a tensor: `this value has 6 * 40 = 240 channels`."""
    shape = value.shape
    if aspect == "channels":
        count = _with_reason(str(shape[0]), _channels(value, frame), frame)
        return f"this value has {count} channels"
    for axis in range(1, len(shape)):
        if aspect == axis_text(axis, len(shape) - 1):
            return f"this value has {aspect} {shape[axis]}"
    return f"this value is {tensor_text(shape) if len(shape) == 1 else shape_text(shape)}"


def _channels(value: Value, frame: Frame) -> ast.Expression | None:
    """Expression for the channels of a tensor, if it was created in this text."""
    node: Node | None = value.node
    while node is not None and "c" not in node.operation.parameters and len(node.inputs) == 1:
        node = node.inputs[0].node
    if node is None or node.scope is not frame.scope or node.outputs[0].shape[0] != value.shape[0]:
        return None
    for call in ast.walk(frame.scope.unit.body):
        if isinstance(call, ast.Call) and call.span == node.span:
            return next((a.value for a in call.arguments if a.name in ("c", None)), None)
    return None


# Arithmetic


def _show_arithmetic(problem: Diagnostic, expression: ast.Expression, frame: Frame) -> None:
    """Say how an argument came to its value: in the sentence, and at the `let` lines it needs."""
    if "value" in problem.values:
        problem.values["value"] = _with_reason(problem.values["value"], expression, frame)
    elif text := _worked(expression, frame):
        _label(problem, expression.span, f"{text} = {describe(_value(expression, frame))}")
    for let in list(_lets(expression, frame))[:_LABELS]:
        if text := _worked(let.value, frame):
            span = let.value.span
            _label(problem, span, f"{text} = {describe(_value(let.value, frame))}")


def _with_reason(shown: str, expression: ast.Expression | None, frame: Frame) -> str:
    """A value with the arithmetic that leads to it, if this is what it leads to."""
    if expression is None or describe(_value(expression, frame)) != shown:
        return shown
    while isinstance(expression, ast.Name):
        let = _let(expression.name, frame)
        if let is None:
            return shown
        expression = let.value
    text = _worked(expression, frame)
    return f"{text} = {shown}" if text else shown


def _value(expression: ast.Expression, frame: Frame | None) -> Any:
    """Value of an expression in this frame or an enclosing one; otherwise its text."""
    while frame is not None:
        if expression in frame.trace:
            return frame.trace[expression]
        frame = frame.outer
    return expression.span.text


def _let(name: str, frame: Frame) -> ast.Let | None:
    nodes = ast.walk(frame.scope.unit.body)
    return next((n for n in nodes if isinstance(n, ast.Let) and n.name == name), None)


def _lets(expression: ast.Expression, frame: Frame) -> Iterator[ast.Let]:
    """The `let` lines that an expression needs, those that they need included."""
    names = [node.name for node in ast.walk(expression) if isinstance(node, ast.Name)]
    seen: set[str] = set()
    while names:
        name = names.pop(0)
        let = None if name in seen else _let(name, frame)
        seen.add(name)
        if let is not None:
            yield let
            names += [node.name for node in ast.walk(let.value) if isinstance(node, ast.Name)]


def _worked(expression: ast.Expression, frame: Frame) -> str:
    """Arithmetic with its numbers put in: `6 * 40`; empty for what is none, or is too long."""
    if isinstance(expression, ast.Conditional):
        holds = _value(expression.condition, frame) is True
        return _worked(expression.value if holds else expression.otherwise, frame)
    if not isinstance(expression, ast.Binary | ast.Call):
        return ""
    try:
        text = _term(expression, frame)
    except _NoArithmetic:
        return ""
    return text if len(text) <= _LONGEST else ""


class _NoArithmetic(Exception):
    """There is something in an expression that is no number."""


def _term(node: ast.Expression, frame: Frame) -> str:
    if isinstance(node, ast.Binary):
        sign = node.operator if node.operator == "^" else f" {node.operator} "
        text = f"{_term(node.left, frame)}{sign}{_term(node.right, frame)}"
    elif isinstance(node, ast.Comparison):
        terms = [_term(operand, frame) for operand in node.operands]
        if len(set(terms)) < len(terms):  # numbers that differ are told apart
            values = [_value(operand, frame) for operand in node.operands]
            terms = [
                term if describe(value) != term else describe_apart(value, values)
                for term, value in zip(terms, values, strict=True)
            ]
        text = terms[0]
        for sign, term in zip(node.operators, terms[1:], strict=True):
            text += f" {sign} {term}"
    elif isinstance(node, ast.Minus):
        text = f"-{_term(node.operand, frame)}"
    elif isinstance(node, ast.Call) and is_function(node.name):
        inside = ", ".join(_term(argument.value, frame) for argument in node.arguments)
        return f"{node.name}({inside})"
    else:
        value = node.value if isinstance(node, ast.Number) else _value(node, frame)
        if type(value) not in PLAIN:
            raise _NoArithmetic
        return describe(value)
    return f"({text})" if node.span.text.startswith("(") else text
