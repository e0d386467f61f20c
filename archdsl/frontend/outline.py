"""Labelled repeats as blocks: `cells: repeat i in 0..7 { ... }` calls a block in each round.

The block is called `cells`. It takes what the body reads from around it and returns what it changes
there, so nothing later knows labels: the rounds get their scopes `cells.0`, `cells.1`, ... as uses
of a block do.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from archdsl.diagnostics import errors
from archdsl.diagnostics.source import Span
from archdsl.frontend import ast


class Outline:
    """Walks a body in order, knowing what has a name so far."""

    def __init__(self, tensors: Iterable[str], optional: Iterable[str], numbers: Iterable[str]):
        self.tensors = set(tensors)
        self.optional = set(optional)
        self.numbers = set(numbers)
        self.blocks: dict[ast.Node, Outlined] = {}
        """For the id of each call that took the place of a body: what it calls."""
        self.labels: set[str] = set()

    def body(self, statements: tuple[ast.Statement, ...]) -> tuple[ast.Statement, ...]:
        """The statements, with a call in each labelled repeat in the place of its body."""
        done: list[ast.Statement] = []
        for statement in statements:
            if isinstance(statement, ast.Repeat):
                tensors, numbers = set(self.tensors), set(self.numbers)
                done.append(self._repeat(statement))
                self.tensors, self.numbers = tensors, numbers
                continue
            done.append(statement)
            if isinstance(statement, ast.Assign):
                self.tensors.update(target.name for target in statement.targets)
                if isinstance(statement.value, ast.Absent):
                    self.optional.update(target.name for target in statement.targets)
            elif isinstance(statement, ast.Let):
                self.numbers.add(statement.name)
        return tuple(done)

    def _repeat(self, repeat: ast.Repeat) -> ast.Repeat:
        label = repeat.label
        if label is not None:
            if label in self.labels:
                raise errors.DefinedTwice(repeat.span, name=label)
            self.labels.add(label)
        changed = [name for name in dict.fromkeys(_assigned(repeat.body)) if name in self.tensors]
        self.numbers.add(repeat.variable)
        if label is None or not changed:
            body = self.body(repeat.body)
            return ast.Repeat(repeat.span, None, repeat.variable, repeat.start, repeat.stop, body)
        taps = self._taps(repeat.body)
        if taps:
            names = {field: name for name, field in taps.items()}
            repeat = _replaced(repeat, names)
        for statement in repeat.body:
            if isinstance(statement, ast.Let) and statement.name in self.numbers:
                raise errors.NumberCarried(statement.span, name=statement.name, label=label)
        free = _free(repeat.body, set(), self.numbers)
        tensors = {n: span for n, span in free.items() if n in self.tensors or n in taps}
        numbers = {name: span for name, span in free.items() if name in self.numbers - self.tensors}
        inside = Outline(tensors, self.optional & set(tensors), numbers)
        results = _names(dict.fromkeys(changed, repeat.span))
        block = Outlined(
            label,
            repeat.span,
            (
                *(self._tensor(name, span) for name, span in tensors.items()),
                *(ast.Parameter(span, name, None, None) for name, span in numbers.items()),
            ),
            (*inside.body(repeat.body), ast.Return(repeat.span, results)),
            inside.blocks,
        )
        given = (*_names(tensors), *_names(numbers))
        arguments = tuple(
            ast.Argument(n.span, n.name, _read(n, *taps[n.name]) if n.name in taps else n)
            for n in given
        )
        call = ast.Call(repeat.span, label, arguments)
        self.blocks[call] = block
        line = ast.Assign(repeat.span, results, call)
        return ast.Repeat(repeat.span, None, repeat.variable, repeat.start, repeat.stop, (line,))

    def _taps(self, body: tuple[ast.Statement, ...]) -> dict[str, tuple[str, str]]:
        """Names for the taps that a body reads of the tables around it: each is a parameter."""
        taken = {node.name for node in ast.walk(body) if isinstance(node, ast.Name)}
        taken |= {*self.tensors, *self.numbers, *_assigned(body)}
        outer = self.tensors - {*_assigned(body)}
        found: dict[tuple[str, str], str] = {}
        for node in ast.walk(body):
            if isinstance(node, ast.Field) and isinstance(node.of, ast.Name):
                field = (node.of.name, node.name)
                if node.of.name in outer and not node.is_size and field not in found:
                    name = "_".join(field)
                    while name in taken:
                        name += "_"
                    taken.add(name)
                    found[field] = name
        return {name: field for field, name in found.items()}

    def _tensor(self, name: str, span: Span) -> ast.Parameter:
        default = ast.Absent(span) if name in self.optional else None
        return ast.Parameter(span, name, "tensor", default)


class Outlined:
    """The body of a labelled repeat as a block."""

    def __init__(
        self,
        name: str,
        span: Span,
        parameters: tuple[ast.Parameter, ...],
        body: tuple[ast.Statement, ...],
        blocks: dict[ast.Node, Outlined],
    ) -> None:
        self.name = name
        self.span = span
        self.parameters = parameters
        self.body = body
        self.blocks = blocks


def _read(name: ast.Name, of: str, label: str) -> ast.Field:
    return ast.Field(name.span, ast.Name(name.span, of), label)


def _replaced(node: Any, names: dict[tuple[str, str], str]) -> Any:
    """A piece of text with names in the place of taps."""
    if isinstance(node, ast.Field) and isinstance(node.of, ast.Name):
        name = names.get((node.of.name, node.name))
        return node if name is None else ast.Name(node.span, name)
    if isinstance(node, ast.Node):
        return type(node)(*(_replaced(getattr(node, field), names) for field in node.fields))
    return tuple(_replaced(item, names) for item in node) if type(node) is tuple else node


def _names(spans: dict[str, Span]) -> tuple[ast.Name, ...]:
    return tuple(ast.Name(span, name) for name, span in spans.items())


def _assigned(body: tuple[ast.Statement, ...]) -> Iterator[str]:
    for statement in body:
        if isinstance(statement, ast.Assign):
            yield from (target.name for target in statement.targets)
        elif isinstance(statement, ast.Repeat):
            yield from _assigned(statement.body)


def _free(
    body: tuple[ast.Statement, ...], bound: set[str], numbers: set[str]
) -> dict[str, Span]:
    """The names that statements read before they give them values, and where first; those of
    `numbers` may hold an operation, and be called."""
    found: dict[str, Span] = {}

    def reads(node: Any) -> None:
        for inner in ast.walk(node):
            if isinstance(inner, ast.Name | ast.Call | ast.Row) and inner.name not in bound:
                if isinstance(inner, ast.Name) or inner.name in numbers:
                    found.setdefault(inner.name, inner.span)

    for statement in body:
        if isinstance(statement, ast.Assign):
            reads(statement.value)
            bound |= {target.name for target in statement.targets}
        elif isinstance(statement, ast.Let):
            reads(statement.value)
            bound.add(statement.name)
        elif isinstance(statement, ast.Repeat):
            reads((statement.start, statement.stop))
            inside = _free(statement.body, bound | {statement.variable}, numbers)
            # What the inner repeat changes must be there before, for it may have no rounds.
            for name in _assigned(statement.body):
                if name not in bound:
                    inside.setdefault(name, statement.span)
            found = {**inside, **found}
        else:
            reads(statement)
    return found
