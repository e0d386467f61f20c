"""A network: its arch elaborated, with all mistakes of it."""

from __future__ import annotations

import gc
from collections.abc import Iterable
from typing import Any

from archdsl.diagnostics import errors
from archdsl.diagnostics.diagnostic import Diagnostic, DiagnosticError
from archdsl.diagnostics.source import Source, Span
from archdsl.elaborate.elaborator import Elaborator, Stop
from archdsl.elaborate.expressions import Poisoned
from archdsl.frontend import ast
from archdsl.frontend.program import Program
from archdsl.frontend.units import Unit
from archdsl.ir.graph import Graph
from archdsl.support import limits

NETWORK = 8_000
"""Fixed cost of a network."""


def elaborate(
    program: Program,
    unit: Unit,
    arguments: dict[str, tuple[Any, Span | None]] | None = None,
    settings: Iterable[tuple[str, ast.Expression]] = (),
    variant: str | None = None,
    class_name: str | None = None,
) -> Graph:
    """The graph of an arch. Raises `DiagnosticError` with all mistakes.

    `settings` are values for parameters, over those of the variant, over the written defaults.
    `arguments` likewise as plain values, from Python.
    """

    def own_places(block: Unit) -> set[tuple[str, int, int]]:
        from archdsl.elaborate.samples import own_places  # only a mistake needs it

        return own_places(block, program)

    elaborator = Elaborator(program, own_places)
    graph: Graph | None = None
    collects = gc.isenabled()
    gc.disable()  # nothing made here is garbage, and looking for it takes half of the time
    try:
        graph = elaborator.arch(unit, arguments or {}, dict(settings), variant, class_name)
    except Diagnostic as problem:
        problem.span = problem.span or unit.span
        elaborator.problems.append(problem)
    except (Poisoned, Stop):
        pass
    except RecursionError:
        elaborator.problems = [errors.ExpandsTooDeep(unit.span, limit=limits.EXPANSION)]
    finally:
        program.spent += NETWORK + elaborator.work
        if collects:
            gc.enable()
    if graph is None or elaborator.problems:
        raise DiagnosticError(in_order(elaborator.problems, unit.span.source))
    graph.warnings = elaborator.warnings
    return graph


def in_order(problems: list[Diagnostic], first: Source) -> list[Diagnostic]:
    """Mistakes in the order of the text, those of one source before those of others."""

    def key(problem: Diagnostic) -> tuple[object, ...]:
        span = problem.span
        if span is None:
            return (0,)
        return (1, span.source is not first, span.source.name, span.start)

    return sorted(problems, key=key)
