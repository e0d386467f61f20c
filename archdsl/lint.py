"""What is legal and likely wrong: warnings on a spec whose networks are sound."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from archdsl import errors, tree
from archdsl.diagnostics import Diagnostic
from archdsl.graph import Graph
from archdsl.resolve import Program


def lint(program: Program, graphs: Sequence[Graph]) -> list[Diagnostic]:
    """The warnings on the text of a spec's own file, and on these networks of it."""
    found = [*_unused(program)]
    return sorted(found, key=lambda warning: warning.span.start if warning.span else 0)


def _unused(program: Program) -> Iterator[Diagnostic]:
    """Parameters that nothing mentions."""
    for definition in program.main.own.values():
        mentioned = {
            node.name
            for node in tree.walk((definition.parameters, definition.body))
            if isinstance(node, tree.Name | tree.Call | tree.Row)
        }
        for parameter in definition.parameters or ():
            name = parameter.name
            if name not in mentioned and not name.startswith("_"):
                yield errors.UnusedParameter(
                    parameter.span, kind=definition.kind, name=name, unit=definition.name
                )
