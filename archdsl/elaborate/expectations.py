"""The last look at a graph before anything is made of it: is it sound, does it keep its promises?

Elaboration has checked each node. Here are the checks on the whole: the order of computation, names
that weights do not share, the class's name, and the numbers that `expect` and `variants` state.
"""

from __future__ import annotations

from typing import Any

from archdsl.diagnostics import errors
from archdsl.diagnostics.diagnostic import Diagnostic, DiagnosticError
from archdsl.diagnostics.source import Span
from archdsl.elaborate.elaborator import Elaborator
from archdsl.elaborate.variants import variant_cells
from archdsl.frontend import ast
from archdsl.frontend.python_names import is_class
from archdsl.frontend.units import Unit
from archdsl.ir import costs
from archdsl.ir.graph import Frame, Graph
from archdsl.ops import numbers
from archdsl.ops.kinds import describe

MEASURES = ("params", "macs", "depth")


class UnsoundGraph(Exception):
    """A defect of the compiler: it made a graph that cannot be."""


def check(graph: Graph, settled: bool) -> costs.Total:
    """The costs of a graph that is what its spec promises; `DiagnosticError` for another.

    `settled` says that every parameter is as the spec, or the chosen row of its `variants`, has it:
    what the spec says of its costs is said of that.
    """
    _check_sound(graph)
    check_class_name(graph.class_name, graph.unit.span)
    total = costs.total(graph)
    if settled:
        expectations = Expectations(graph, total)
        problems = expectations.problems()
        if problems:
            raise DiagnosticError(problems)
        graph.promised = expectations.promised()
    return total


def check_class_name(name: str, span: Span | None) -> None:
    """Refuse what Python, or a module that uses torch, cannot call a class."""
    if not is_class(name):
        raise errors.NotAClassName(span, name=name)


def check_variants(unit: Unit) -> list[str]:
    """The names of the variants of an arch; each once."""
    names: dict[str, None] = {}
    for row in unit.variants.rows if unit.variants else ():
        if row.name in names:
            raise errors.DefinedTwice(row.span, name=row.name)
        names[row.name] = None
    return [*names]


def _check_sound(graph: Graph) -> None:
    """Invariants that backends rely on. A failure is a bug, whatever the spec."""
    known = set(graph.inputs)
    owners = set()
    for node in graph.nodes:
        operation = node.operation
        for value, shape in zip(node.inputs, operation.inputs, strict=True):
            if value not in known or value.shape != shape:
                raise UnsoundGraph(f"{node} takes {value}, which is not there")
        if operation.weights:
            owner = (node.scope, node.name)
            if owner in owners:
                raise UnsoundGraph(f"two operations with weights are called {'.'.join(node.path)}")
            owners.add(owner)
        known.update(node.outputs)
    for output in graph.outputs:
        if output.value not in known:
            raise UnsoundGraph(f"the output {output.name} is not there")


class Expectations:
    """Check expected against actual costs."""

    def __init__(self, graph: Graph, total: costs.Total) -> None:
        self.graph = graph
        self.total = total
        self._elaborator = Elaborator(graph.program)
        self._frame = Frame(dict(graph.root.frame.names), graph.root)

    def problems(self) -> list[Diagnostic]:
        """The promises that do not hold."""
        found: list[Diagnostic] = []
        for condition in self._conditions():
            try:
                self._check(condition)
            except Diagnostic as problem:
                problem.span = problem.span or condition.span
                found.append(problem)
        return found

    def promised(self) -> frozenset[str]:
        """The measures that are said to equal a number."""
        return frozenset(
            operand.name
            for condition in self._conditions()
            if isinstance(condition, ast.Comparison) and "==" in condition.operators
            for operand in condition.operands
            if isinstance(operand, ast.Name)
        )

    def _conditions(self) -> list[ast.Expression]:
        """Those of `expect` for the spec as it stands, those of its row for a variant."""
        unit, variant = self.graph.unit, self.graph.variant
        if variant is None:
            expects = [line for line in unit.body if isinstance(line, ast.Expect)]
            return [condition for line in expects for condition in line.conditions]
        assert unit.variants is not None
        row = next(row for row in unit.variants.rows if row.name == variant)
        return [
            ast.Comparison(cell.span, ("==",), (ast.Name(cell.span, name), cell))
            for name, cell in variant_cells(unit, row).items()
            if name in ("params", "macs")
        ]

    def _check(self, condition: ast.Expression) -> None:
        if not isinstance(condition, ast.Comparison):
            raise errors.WrongExpectation(condition.span)
        operands = condition.operands
        for sign, left, right in zip(condition.operators, operands, operands[1:]):
            if _is_measure(left) == _is_measure(right):
                raise errors.WrongExpectation(condition.span)
            values = (self._value(left), self._value(right))
            if not numbers.compare(sign, *values):
                actual, stated = values if _is_measure(left) else values[::-1]
                raise errors.ExpectationFailed(
                    condition.span,
                    expected=f"{self._text(left)} {sign} {self._text(right)}",
                    name=self._text(left if _is_measure(left) else right),
                    actual=actual,
                    difference=round(actual - stated),
                )

    def _value(self, operand: ast.Expression) -> Any:
        if isinstance(operand, ast.Name) and operand.name in MEASURES:
            return getattr(self.total, operand.name)
        value = self._elaborator.evaluate(operand, self._frame)
        if not numbers.is_number(value):
            raise errors.WrongExpectation
        return value

    def _text(self, operand: ast.Expression) -> str:
        if isinstance(operand, ast.Name) and operand.name in MEASURES:
            return operand.name
        return describe(self._value(operand))


def _is_measure(operand: ast.Expression) -> bool:
    return isinstance(operand, ast.Name) and operand.name in MEASURES
