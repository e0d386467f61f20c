"""What is wrong in the text of a block whatever it is used for: its names and arguments.

Evaluation finds the same, with the same words, in the lines that it comes to.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from archdsl.diagnostics import errors
from archdsl.diagnostics.diagnostic import Diagnostic
from archdsl.diagnostics.source import Span
from archdsl.elaborate.calls import Bound, bind, by_name, name_span, signature_of, words_of
from archdsl.elaborate.expressions import CONSTANTS, Callee, OperationValue, told, unknown_name
from archdsl.elaborate.tables import cell_mistakes, shared_arguments, shared_mistakes
from archdsl.frontend import ast, tables
from archdsl.frontend.program import Program
from archdsl.frontend.scopes import names_of
from archdsl.frontend.units import Unit
from archdsl.ops import OPERATIONS, WORDS, Operation, Word
from archdsl.ops.kinds import describe
from archdsl.ops.numbers import is_function

IN_TABLES = ("index", "total", "rep", "up")
"""Names available in a table besides parameters: its counters, and rounding words."""


def mistakes(unit: Unit, program: Program) -> list[Diagnostic]:
    """Errors in the text of a unit, including lines that are never evaluated."""
    found: list[Diagnostic] | None = unit.facts.get("mistakes")
    if found is None:
        text = _Text(unit, program)
        found = [*unit.mistakes, *text.unknown_names(), *text.wrong_arguments()]
        unit.facts["mistakes"] = found
    return found


class _Text:
    """The text of a unit, with the names that have values in it."""

    def __init__(self, unit: Unit, program: Program) -> None:
        self._unit = unit
        self._program = program
        defaults = tuple(p.default for p in unit.parameters)
        kept = tuple(s for s in unit.body if not isinstance(s, ast.Expect | ast.Variants))
        self._nodes = list(ast.walk((defaults, kept)))
        parameters = {parameter.name for parameter in unit.parameters}
        lets = {node.name for node in self._nodes if isinstance(node, ast.Let)}
        lets |= {node.variable for node in self._nodes if isinstance(node, ast.Repeat)}
        self._held = parameters | lets
        """The names that may hold operations."""
        self._values = self._held | names_of(unit).tensors
        self._given: list[_Given] = []
        self._lost: list[ast.Expression] = []
        """Arguments for parameters that are not there."""
        self._problems: list[Diagnostic] = []
        self._match()

    def unknown_names(self) -> Iterator[Diagnostic]:
        """Names that mean nothing anywhere in the unit."""
        in_tables: set[ast.Node] = set()
        columns: set[ast.Node] = set()
        for node in self._nodes:
            if isinstance(node, ast.Stages):
                in_tables |= set(ast.walk(node))
                # What may be a header with another first word is told of as such.
                first = tables.rows_without_header(node)[:1]
                columns |= {n for row in first for n in ast.walk(row)}
            elif isinstance(node, ast.Header):
                columns |= set(node.columns)
        lost = {inner for value in self._lost for inner in ast.walk(value)}
        for node in self._nodes:
            if not isinstance(node, ast.Name | ast.Call | ast.Row) or node.name in self._values:
                continue
            name, source = node.name, node.span.source
            if node in columns or node in self._unit.blocks:
                continue
            if name in WORDS or name in OPERATIONS:
                continue
            if isinstance(node, ast.Name):
                if name == "training" or (name in IN_TABLES and node in in_tables):
                    continue
                if self._program.find(name, source) is None:
                    if node not in lost or self._is_meant(name):
                        yield self._unknown_value(node, node.span)
            elif not is_function(name) and self._program.find(name, source) is None:
                span = node.name_span if isinstance(node, ast.Row) else name_span(node)
                if isinstance(node, ast.Call) and self._takes_words(node):
                    yield self._unknown_value(node, span)
                else:
                    yield unknown_name(self._program, "operation", name, span, self._held)

    def _is_meant(self, name: str) -> bool:
        """True if a name without a value means something elsewhere, or is misspelt."""
        from archdsl.diagnostics import foreign as meant  # only a mistake needs it

        known = {*OPERATIONS, *WORDS, *CONSTANTS}
        return meant.value(name, self._values, known) is not None

    def _asked(self, node: ast.Name | ast.Call) -> _Given | None:
        """The parameter that a name is the argument for."""
        return next((given for given in self._given if given.value is node), None)

    def _takes_words(self, node: ast.Call) -> bool:
        asked = self._asked(node)
        return asked is not None and bool(words_of(asked.callee, asked.parameter))

    def _unknown_value(self, node: ast.Name | ast.Call, span: Span) -> Diagnostic:
        """The error for a name without a value, such as a word that a parameter accepts."""
        from archdsl.diagnostics import foreign as meant  # only a mistake needs it

        asked = self._asked(node)
        if asked is None or isinstance(asked.callee, Unit):
            return unknown_name(self._program, "value", node.name, span, self._values)
        what = "operation" if isinstance(node, ast.Call) else "value"
        problem = errors.UnknownName(span, kind=what, name=node.name, hint="")
        kind = asked.callee.parameters[asked.parameter].kind
        words = kind.words
        answer = meant.word(asked.callee.name, asked.parameter, node.name, words) if words else None
        answer = answer or meant.value(node.name, self._values, CONSTANTS, operations=False)
        if answer is None:
            problem.values["hint"] = f"`{asked.parameter}` takes {kind.title}"
        return told(problem, span, answer)

    # Arguments

    def wrong_arguments(self) -> Iterator[Diagnostic]:
        """Arguments for parameters that are not there, and values that no parameter takes."""
        yield from self._problems
        for given in self._given:
            if not isinstance(given.callee, Unit):
                yield from self._wrong_value(given, given.callee)

    def _match(self) -> None:
        """Match all arguments with parameters."""
        steps: set[ast.Node] = set()
        defaults: set[ast.Node] = set()
        for node in self._nodes:  # outer ones come first
            if isinstance(node, ast.Flow):
                steps |= set(node.steps)
            elif isinstance(node, ast.Default):
                defaults.add(node.call)
                self._match_default(node.call)
            elif isinstance(node, ast.Call) and node not in defaults:
                self._match_call(node, int(node in steps))
            elif isinstance(node, ast.Stages):
                self._match_table(node)

    def _match_call(self, call: ast.Call, flowing: int) -> None:
        callee = self._callee(call)
        meant = None if callee else self._meant(call)
        if found := callee or meant:
            bound, changed, problems = bind(call, found, names_of(self._unit), flowing)
            if meant:  # others have other parameters, in another order
                problems = [p for p in problems if isinstance(p, errors.UnknownParameter)]
                bound = [item for item in bound if item.span.text.startswith(item.parameter)]
            self._take(found, [*bound, *changed], problems)
            takes = {*signature_of(found).numbers, *signature_of(found).tensors}
            self._lost += [a.value for a in call.arguments if a.name and a.name not in takes]

    def _meant(self, call: ast.Call) -> Callee | None:
        """The operation that another framework calls as this call does."""
        from archdsl.diagnostics import foreign as meant  # only a mistake needs it

        if call.name in self._held or is_function(call.name) or call.name in WORDS:
            return None
        answer = meant.operation(call.name, (), OPERATIONS)
        if answer is None or answer.guessed:
            return None
        ours = answer.ours.partition("(")[0]
        return self._program.find(ours, call.span.source) or OPERATIONS.get(ours)

    def _match_default(self, call: ast.Call) -> None:
        callee = self._callee(call)
        if callee is not None:
            self._take(callee, *by_name(call.arguments, callee))

    def _match_table(self, table: ast.Stages) -> None:
        shared, problems = shared_arguments(table)
        self._problems += problems
        try:
            plans = tables.plan(table)
        except Diagnostic as problem:
            self._problems.append(problem)
            return
        callees = [self._callee(plan.row) for plan in plans]
        self._problems += cell_mistakes(plans, callees)
        for plan, callee in zip(plans, callees, strict=True):
            if callee is None:
                continue
            said = {**shared, **plan.entries}
            for name in signature_of(callee).numbers:
                if name in said and not (name == "c" and "width" in said):
                    self._given.append(_Given(callee, name, said[name].value, said[name].span))
        if None not in callees:
            self._problems += shared_mistakes(shared, callees)

    def _take(self, callee: Callee, bound: list[Bound], problems: list[Diagnostic]) -> None:
        self._problems += problems
        self._given += [
            _Given(callee, item.parameter, item.expression, item.span)
            for item in bound
            if item.slot < 0
        ]

    def _callee(self, call: ast.Call | ast.Row) -> Callee | None:
        """The callee of a call; None if only evaluation can determine it."""
        name = call.name
        if name in self._held:
            return None
        block = self._unit.blocks.get(call) or self._program.find(name, call.span.source)
        return block or OPERATIONS.get(name)

    # Values

    def _wrong_value(self, given: _Given, callee: type[Operation]) -> Iterator[Diagnostic]:
        """Errors of a literal value, for every number of axes."""
        if isinstance(given.value, ast.Text):
            yield errors.TextAsValue(given.value.span)
            return
        parameter = callee.parameters[given.parameter]
        value = self._literal(given.value, parameter.kind.words)
        if value is _UNKNOWN:
            return
        problem: Diagnostic | None = None
        for rank in sorted(callee.ranks, key=lambda rank: rank != 2):
            try:
                callee.read(given.parameter, value, rank)
                return
            except Diagnostic as wrong:
                problem = problem or wrong
        if problem is not None:
            problem.span = given.span
            if isinstance(problem, errors.WrongValue) and parameter.kind.words:
                from archdsl.diagnostics import foreign as meant  # only a mistake needs it

                answer = meant.word(
                    callee.name, given.parameter, describe(value), parameter.kind.words
                )
                problem.values["hint"] = answer.help if answer else ""
            elif isinstance(problem, errors.WrongValue) and self._counts_input(given, callee):
                problem.values["hint"] = (
                    f"give only the output channels, the input's are inferred:"
                    f" {callee.name}({describe(value)})"
                )
            yield problem

    @staticmethod
    def _counts_input(given: _Given, callee: type[Operation]) -> bool:
        """True if an argument by place may be the output channels, after the input's."""
        return [*callee.parameters][:2] == ["c", given.parameter] and (
            given.span == given.value.span
        )

    def _literal(self, node: ast.Expression, words: tuple[str, ...]) -> Any:
        """The value of an expression that has the same one everywhere."""
        if isinstance(node, ast.Number | ast.Truth):
            return node.value
        if isinstance(node, ast.Absent):
            return None
        if isinstance(node, ast.Minus) and isinstance(node.operand, ast.Number):
            return -node.operand.value
        if isinstance(node, ast.Tuple | ast.List):
            items = [self._literal(item, ()) for item in node.items]
            if any(item is _UNKNOWN for item in items):
                return _UNKNOWN
            return items if isinstance(node, ast.List) else tuple(items)
        if isinstance(node, ast.Name) and node.name not in self._values:
            if node.name in words:
                return Word(node.name)
            callee = self._program.find(node.name, node.span.source) or OPERATIONS.get(node.name)
            if callee is not None:
                return OperationValue(callee)
            if node.name in WORDS:
                return Word(node.name)
        return _UNKNOWN


_UNKNOWN: Any = object()

class _Given(NamedTuple):
    """The value that a text gives to a parameter."""

    callee: Callee
    parameter: str
    value: ast.Expression
    span: Span
