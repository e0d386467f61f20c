"""The names that statements bind and mention."""

from __future__ import annotations

from archdsl.frontend import ast
from archdsl.frontend.ast import walk


def line_name(statement: ast.Statement) -> tuple[str, ...] | None:
    """Key of a line: the names on its left, the label of a repeat, or `out` for `return`."""
    if isinstance(statement, ast.Assign):
        return tuple(target.name for target in statement.targets)
    if isinstance(statement, ast.Let):
        return (statement.name,)
    if isinstance(statement, ast.Repeat) and statement.label is not None:
        return (statement.label,)
    if isinstance(statement, ast.Return):
        return ("out",)
    return None


def bound_names(statement: ast.Statement) -> set[str]:
    """The names that a statement gives values to."""
    if isinstance(statement, ast.Repeat):
        return {name for inner in statement.body for name in bound_names(inner)}
    return set(line_name(statement) or ())


def mentioned_names(node: ast.Node, lets: set[str]) -> set[str]:
    """The names of values that occur in a piece of a spec. What is called may be one of `lets`, but
    is no line: a line can be called like a primitive."""
    names = {n.name for n in walk(node) if isinstance(n, ast.Name)}
    names |= {n.name for n in walk(node) if isinstance(n, ast.Call | ast.Row) and n.name in lets}
    if isinstance(node, ast.Assign):
        targets = {target.name for target in node.targets}
        inside = {n.name for n in walk(node.value) if isinstance(n, ast.Name)}
        return (names - targets) | (inside & targets)
    return names
