"""The syntax tree as text of the language, which parses to an equal tree.

Brackets stand where the grammar needs them. Layout is for the formatter.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from archdsl.frontend import ast
from archdsl.ops.kinds import literal

EXPRESSION, FLOW, OR, AND, NOT, COMPARED, SUM, PRODUCT, SIGNED, POWER, POSTFIX, ATOM = range(12)
"""How tightly expressions bind, loosest first: the levels of the grammar."""

OPERATORS = {
    "or": (OR, OR, AND),
    "and": (AND, AND, NOT),
    "+": (SUM, SUM, PRODUCT),
    "-": (SUM, SUM, PRODUCT),
    "*": (PRODUCT, PRODUCT, SIGNED),
    "/": (PRODUCT, PRODUCT, SIGNED),
    "//": (PRODUCT, PRODUCT, SIGNED),
    "%": (PRODUCT, PRODUCT, SIGNED),
    "^": (POWER, POSTFIX, SIGNED),
}
"""For each operator the levels of the whole, of its left side and of its right."""


def write(node: ast.Node) -> str:
    """A file, a definition or a statement as lines; an expression as part of one."""
    match node:
        case ast.Expression():
            return expression(node)
        case ast.File():
            uses = (f'use "{use.path}"' for use in node.uses)
            return "\n".join((*uses, *map(write, node.definitions))) + "\n"
        case ast.Definition():
            return _definition(node)
    assert isinstance(node, ast.Statement)
    return "\n".join(_statement(node))


def _definition(node: ast.Definition) -> str:
    head = f"{node.kind} {node.name}"
    if node.parameters is not None:
        head += f"({', '.join(map(_parameter, node.parameters))})"
    if node.extends is not None:
        head += f" extends {node.extends.name}"
    if node.class_name is not None:
        head += f" as {node.class_name}"
    return "\n".join((head + " {", *_body(node.body), "}"))


def _parameter(node: ast.Parameter) -> str:
    kind = f": {node.kind}" if node.kind else ""
    return f"{node.name}{kind}" + (f"={expression(node.default)}" if node.default else "")


def quoted(text: str) -> str:
    """A text between quotes."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + escaped.replace("\n", "\\n").replace("\t", "\\t") + '"'


# Statements


def _body(statements: Iterable[ast.Statement]) -> Iterator[str]:
    for statement in statements:
        yield from _statement(statement)


def _statement(node: ast.Statement) -> Iterator[str]:
    match node:
        case ast.Doc():
            yield quoted(node.text)
        case ast.Input():
            yield f"input {node.name}: {_sizes(node.sizes)}"
        case ast.Let():
            yield f"let {node.name} = {expression(node.value)}"
        case ast.Require():
            yield f"require {expression(node.condition)}, {quoted(node.message)}"
        case ast.Warn():
            yield f"warn {expression(node.condition)}, {quoted(node.message)}"
        case ast.Expect():
            yield f"expect {_list(node.conditions)}"
        case ast.Default():
            yield f"default {expression(node.call)}"
        case ast.Variants():
            yield "variants {"
            yield " ".join(("name", *(column.name for column in node.columns)))
            for row in node.rows:
                yield " ".join((row.name, *map(_cell, row.cells)))
            yield "}"
        case ast.Set():
            yield f"set {'.'.join(node.path)}({_arguments(node.arguments)})"
        case ast.Assign():
            names = ", ".join(target.name for target in node.targets)
            yield f"{names} = {expression(node.value)}"
        case ast.Return():
            yield f"return {_list(node.values)}"
        case ast.Repeat():
            label = f"{node.label}: " if node.label else ""
            rounds = f"{expression(node.start, OR)}..{expression(node.stop, OR)}"
            yield f"{label}repeat {node.variable} in {rounds} {{"
            yield from _body(node.body)
            yield "}"
        case _:
            raise AssertionError(node)


def _sizes(sizes: tuple[ast.Expression, ...]) -> str:
    numbers = [size.value for size in sizes if isinstance(size, ast.Number)]
    if len(numbers) == len(sizes) > 1 and all(isinstance(number, int) for number in numbers):
        return "x".join(map(str, numbers))
    return _list(sizes)


# Expressions


def expression(node: ast.Expression, level: int = EXPRESSION) -> str:
    """An expression, in brackets where it binds less tightly than `level`."""
    own, text = _leveled(node)
    return text if own >= level else f"({text})"


def _leveled(node: ast.Expression) -> tuple[int, str]:
    """An expression without brackets, and how tightly it binds."""
    match node:
        case ast.Number():
            return ATOM, repr(node.value)
        case ast.Text():
            return ATOM, quoted(node.value)
        case ast.Truth():
            return ATOM, literal(node.value)
        case ast.Absent():
            return ATOM, "none"
        case ast.Name():
            return ATOM, node.name
        case ast.Call():
            arguments = f"({_arguments(node.arguments)})" if node.written else ""
            return ATOM, node.name + arguments
        case ast.Tuple(items=(item,)):
            return ATOM, f"({expression(item)},)"
        case ast.Tuple():
            return ATOM, f"({_list(node.items)})"
        case ast.List():
            return ATOM, f"[{_list(node.items)}]"
        case ast.Choice():
            return ATOM, f"{{{_list(node.items)}}}"
        case ast.Field():
            return POSTFIX, f"{expression(node.of, POSTFIX)}.{node.name}"
        case ast.Item():
            return POSTFIX, f"{expression(node.of, POSTFIX)}[{expression(node.index)}]"
        case ast.Minus():
            return SIGNED, f"-{expression(node.operand, SIGNED)}"
        case ast.Binary():
            level, left, right = OPERATORS[node.operator]
            return level, (
                f"{expression(node.left, left)} {node.operator} {expression(node.right, right)}"
            )
        case ast.Comparison():
            first, *rest = (expression(operand, SUM) for operand in node.operands)
            return COMPARED, " ".join(
                (first, *(f"{sign} {text}" for sign, text in zip(node.operators, rest)))
            )
        case ast.Negation():
            return NOT, f"not {expression(node.operand, NOT)}"
        case ast.Flow():
            steps = (_table(s) if isinstance(s, ast.Stages) else expression(s) for s in node.steps)
            return FLOW, " -> ".join((expression(node.source, OR), *steps))
        case ast.Guard():
            return EXPRESSION, f"{_value(node.value)} if {expression(node.condition, OR)}"
        case ast.Conditional():
            condition, otherwise = expression(node.condition, OR), expression(node.otherwise)
            return EXPRESSION, f"{_value(node.value)} if {condition} else {otherwise}"
    raise AssertionError(node)


def _value(node: ast.Expression) -> str:
    return expression(node, FLOW)


def _list(nodes: Iterable[ast.Expression]) -> str:
    return ", ".join(map(expression, nodes))


def _arguments(arguments: Iterable[ast.Argument]) -> str:
    return ", ".join(
        (f"{argument.name}=" if argument.name else "") + expression(argument.value)
        for argument in arguments
    )


# Tables


def _table(node: ast.Stages) -> str:
    lines = [f"stages({_arguments(node.arguments)}) {{" if node.arguments else "stages {"]
    for line in node.table:
        if isinstance(line, ast.Header):
            lines.append(" ".join(("block", *(column.name for column in line.columns))))
        else:
            label = f"{line.label}: " if line.label else ""
            lines.append(" ".join((label + line.name, *map(_cell, line.cells))))
    return "\n".join((*lines, "}"))


def _cell(cell: ast.Cell) -> str:
    """A cell, which ends with a space outside of brackets."""
    if cell.value is None:
        return "-"
    name = f"{cell.name}=" if cell.name else ""
    return name + expression(cell.value, SIGNED if isinstance(cell.value, ast.Minus) else POSTFIX)
