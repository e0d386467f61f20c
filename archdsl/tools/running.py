"""Limits for running networks: a two-line spec can ask for days and terabytes."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from archdsl.diagnostics import errors
from archdsl.diagnostics.diagnostic import Diagnostic, DiagnosticError
from archdsl.ir.graph import Graph
from archdsl.support import limits


def check_run(graph: Graph) -> None:
    """Refuse to run what takes more than the limits say. Raises `DiagnosticError`."""
    problems = [*_problems(graph)][:1]
    if problems:
        raise DiagnosticError(problems)


def _problems(graph: Graph) -> Iterator[Diagnostic]:
    """The exceeded limit, at the operation that exceeds it."""
    macs = weights = 0
    for count, node in enumerate(graph.nodes, 1):
        operation = node.operation
        macs += operation.macs
        weights += sum(prod(weight.shape) for weight in operation.weights)
        # PyTorch steps through the distances of a transposed convolution, on the smallest map, too.
        strides = prod(getattr(operation, "s", ())) if operation.name == "conv_transpose" else 0
        numbers = max(weights, strides, *map(prod, operation.inputs + operation.outputs))
        for what, limit, number in (
            ("operations", limits.RUN_OPERATIONS, count),
            ("multiply-accumulates", limits.RUN_MACS, macs),
            ("numbers", limits.RUN_NUMBERS, numbers),
        ):
            if number > limit:
                yield errors.TooMuchToRun(
                    node.span, count=f"{number:,}", what=what, limit=f"{limit:,}"
                )
