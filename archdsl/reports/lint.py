"""Warnings: legal but suspicious parts of valid specs.

Here are those that show in the text of a file, in a finished graph, or in all graphs together.
Those that show while a network is elaborated (`warn`, rounding) are in the graph already.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from archdsl.diagnostics import errors
from archdsl.diagnostics.diagnostic import Diagnostic
from archdsl.diagnostics.source import Span
from archdsl.elaborate.elaborator import lead_to
from archdsl.elaborate.network import in_order
from archdsl.frontend import ast
from archdsl.frontend.bindings import bound_names
from archdsl.frontend.program import Program
from archdsl.frontend.units import Unit
from archdsl.ir.graph import Frame, Graph, Scope, Stage
from archdsl.ops import OPERATIONS
from archdsl.ops.convolution import ORDER, Conv, ConvTranspose
from archdsl.ops.padding import unseen

MEANT = {errors.RoundedFar: "params", errors.LeftOut: "macs"}
"""The measures that say, where a spec states them, that something is as it should be."""

PLAIN = (ast.Number, ast.Truth, ast.Tuple, ast.List)


def lint(
    program: Program, graphs: Sequence[Graph], others: Sequence[Graph], complete: bool
) -> list[Diagnostic]:
    """The warnings on the text of a spec's own file, and on networks of it.

    `complete` says that these are all networks that the spec offers. `others` are networks that it
    offers, too: what they state to be meant is meant in these.
    """
    found = list(_unused(program))
    meant = {_key(warning) for graph in (*graphs, *others) for warning in _doubtful(graph, True)}
    for graph in graphs:
        found += [warning for warning in _doubtful(graph, False) if _key(warning) not in meant]
    if complete:
        found += _settled_guards(program, graphs)
    once = {_key(warning): warning for warning in reversed(found)}
    return in_order(list(once.values()), program.main.source)


def _key(warning: Diagnostic) -> tuple[object, ...]:
    return warning.code, warning.title, warning.span


def _doubtful(graph: Graph, meant: bool) -> Iterator[Diagnostic]:
    """The warnings on a network of which its spec states, or does not, that they are meant."""
    unit = graph.unit
    # A variant of the base meets a row of the base: nothing of it is this file's to change.
    inherited = (
        graph.variant is not None
        and unit.variants is not None
        and unit.variants.span.source is not unit.span.source
    )
    for warning in (*graph.warnings, *_left_out(graph), *_unlikely(graph)):
        if inherited and warning.span == unit.span:
            continue
        if (MEANT.get(type(warning)) in graph.promised) == meant:
            yield warning


# What nothing uses


class _Mentions:
    """The names that pieces of text mention: as values, and as operations."""

    def __init__(self, nodes: Iterable[object] = ()) -> None:
        self.values: set[str] = set()
        self.calls: set[str] = set()
        for node in nodes:
            self.add(node)

    def add(self, node: object) -> None:
        columns: set[ast.Node] = set()
        for inner in ast.walk(node):
            if isinstance(inner, ast.Header | ast.Variants):
                columns |= set(inner.columns)
            elif isinstance(inner, ast.Name):
                if inner not in columns:
                    self.values.add(inner.name)
            elif isinstance(inner, ast.Call | ast.Row):
                self.calls.add(inner.name)

    def mean(self, parameter: ast.Parameter, program: Program) -> bool:
        """True if they mention a parameter. A number is not what a call of its name calls."""
        name = parameter.name
        if isinstance(parameter.default, PLAIN) and (
            name in OPERATIONS or program.find(name, parameter.span.source) is not None
        ):
            return name in self.values
        return name in self.values or name in self.calls


def _unused(program: Program) -> Iterator[Diagnostic]:
    """Parameters, inputs, lines and blocks of the spec's own file that nothing needs."""
    own = program.main.own
    units: list[Unit] = []
    for name in own:
        try:
            unit = program.find(name, program.main.source)
        except Diagnostic:
            continue  # another network of the spec; who wants that one is told
        if unit is not None:
            units.append(unit)
    used: set[tuple[int, str]] = set()
    for unit in units:
        used |= _used_in(unit, program)
    for unit in units:
        definition = own[unit.name]
        slots: list[tuple[str, ast.Parameter | ast.Input]] = []
        for parameter in unit.parameters:
            if parameter.span == definition.span:  # the `x` that nobody writes
                slots.append(("input", parameter))
            elif parameter in (definition.parameters or ()):
                slots.append(("parameter", parameter))
        slots += [("input", i) for i in definition.body if isinstance(i, ast.Input)]
        for what, slot in slots:
            if (slot.span.start, slot.name) not in used and not slot.name.startswith("_"):
                yield errors.UnusedParameter(
                    slot.span, what=what, kind=unit.kind, name=slot.name, unit=unit.name
                )
        for statement in _statements(definition.body):
            if isinstance(statement, ast.Assign):
                lost = [t for t in statement.targets if (t.span.start, t.name) not in used]
                if lost and not all(target.name.startswith("_") for target in lost):
                    name = ", ".join(target.name for target in lost)
                    yield errors.UnusedValue(lost[0].span.to(lost[-1].span), name=name)
            elif isinstance(statement, ast.Let) and not statement.name.startswith("_"):
                if (statement.span.start, statement.name) not in used:
                    yield errors.UnusedValue(statement.span, name=statement.name)
    yield from _unused_labels(own.values())
    if not any(definition.kind == "arch" for definition in own.values()):
        return  # a file of blocks
    users: dict[str, set[str]] = {}
    for user, definition in own.items():
        mentions = _Mentions([definition])
        named = mentions.calls | mentions.values
        if definition.extends is not None:
            named.add(definition.extends.name)
        for name in named:
            users.setdefault(name, set()).add(user)
    for name, definition in own.items():
        if definition.kind == "block" and not name.startswith("_"):
            if not users.get(name, set()) - {name}:
                yield errors.UnusedBlock(definition.span, name=name)


def _unused_labels(own: Iterable[ast.Definition]) -> Iterator[Diagnostic]:
    """Labels that nothing in the file reads, in tables some labels of which are read.

    Where none is, they are names: of modules, of what is drawn, of taps for specs that extend this.
    """
    read: set[str] = set()
    lines: list[ast.Assign] = []
    for definition in own:
        for node in ast.walk(definition):
            if isinstance(node, ast.Field):
                read.add(node.name)
            elif isinstance(node, ast.Set):
                read |= set(node.path)
            elif isinstance(node, ast.Assign):
                lines.append(node)
    for line in lines:
        for table in ast.walk(line.value):
            if not isinstance(table, ast.Stages):
                continue
            labelled = [r for r in table.table if isinstance(r, ast.Row) and r.label is not None]
            if not any(row.label in read for row in labelled):
                continue
            for row in labelled:
                label = row.label or ""
                if label not in read and not label.startswith("_"):
                    source, start, _ = row.span
                    span = Span(source, start, start + len(label))
                    yield errors.UnusedLabel(span, name=label, table=line.targets[0].name)


def _used_in(unit: Unit, program: Program) -> set[tuple[int, str]]:
    """The parameters, inputs and lines that a unit uses, its parents' included: place and name."""
    body = unit.written or unit.body
    everywhere = _Mentions((unit.parameters, unit.inputs, body))
    needed = _Mentions([unit.inputs, unit.variants, *(p.default for p in unit.parameters)])
    lines: dict[str, list[ast.Assign | ast.Let]] = {}
    lets: dict[str, list[ast.Assign | ast.Let]] = {}
    for statement in _statements(body):
        if isinstance(statement, ast.Assign | ast.Let):
            for name in bound_names(statement):
                lines.setdefault(name, []).append(statement)
                if isinstance(statement, ast.Let):
                    lets.setdefault(name, []).append(statement)
        elif isinstance(statement, ast.Repeat):
            needed.add((statement.start, statement.stop))
        else:
            needed.add(statement)
    kept: set[ast.Node] = set()
    latest = needed
    while latest.values or latest.calls:  # what a needed line mentions is needed
        found = [line for name in latest.values for line in lines.pop(name, ())]
        found += [line for name in latest.calls for line in lets.pop(name, ())]
        latest = _Mentions(line.value for line in found if line not in kept)
        kept |= set(found)
        needed.values |= latest.values
        needed.calls |= latest.calls
    for old, new in unit.aliases:
        if old in everywhere.values:
            everywhere.values.add(new)
    used = {(i.span.start, i.name) for i in unit.inputs if i.name in everywhere.values}
    used |= {
        (parameter.span.start, parameter.name)
        for parameter in unit.parameters
        if everywhere.mean(parameter, program)
    }
    for statement in _statements(body):
        if isinstance(statement, ast.Assign) and statement in kept:
            used |= {(t.span.start, t.name) for t in statement.targets if t.name in needed.values}
        elif isinstance(statement, ast.Let) and statement in kept:
            used.add((statement.span.start, statement.name))
    return used


def _statements(body: tuple[ast.Statement, ...]) -> Iterator[ast.Statement]:
    """The statements of a body and of its repeats, in order."""
    for statement in body:
        yield statement
        if isinstance(statement, ast.Repeat):
            yield from _statements(statement.body)


# What no window sees


def _left_out(graph: Graph) -> Iterator[Diagnostic]:
    """Strides that leave out the end of a map."""
    for node in graph.nodes:
        for axis, size, count, arithmetic in unseen(node.operation):
            warning = errors.LeftOut(
                node.span,
                operation=node.operation.name,
                count=count,
                axis=axis,
                size=size,
                arithmetic=arithmetic,
                fits=size - count,
            )
            lead_to(warning, node.scope)
            yield warning


# Numbers that mean another thing elsewhere

_HABITS = {
    "eps": (0.1, "normalization infers its channels: leave them out"),
    "momentum": (0.5, "`momentum` weights the newest batch: Keras's 0.99 is 0.01 here"),
}
"""By parameter of a normalization: what is more than anyone uses, and what was likely meant."""


def _unlikely(graph: Graph) -> Iterator[Diagnostic]:
    """Arguments as other frameworks have them: `bn(64)`, `momentum=0.99`, `conv(64, 127, 3)`."""
    for node in graph.nodes:
        found = [
            (name, value, hint)
            for name, (most, hint) in _HABITS.items()
            if (value := getattr(node.operation, name, None)) is not None and value > most
        ]
        if isinstance(node.operation, Conv | ConvTranspose) and _is_wide(node.operation):
            found.append(("k", max(node.operation.k), ORDER))
        for name, value, hint in found:
            warning = errors.UnlikelyNumber(
                node.span,
                operation=node.operation.name,
                parameter=name,
                value=f"{value:.6g}",
                hint=hint,
            )
            lead_to(warning, node.scope)
            yield warning


_WIDE = 16
"""A kernel of this size on all axes may be a number of channels."""


def _is_wide(operation: Conv | ConvTranspose) -> bool:
    """True if a kernel is large where none is meant to be: not that of a depthwise convolution or
    of lines, nor one as large as its map, nor one that cuts a map into patches or undoes that."""
    sizes = operation.inputs[0][1:]
    return operation.groups == 1 and len(sizes) > 1 and all(
        k >= _WIDE and k > 2 * s and k != n for k, s, n in zip(operation.k, operation.s, sizes)
    )


# Conditions that are no conditions


def _settled_guards(program: Program, graphs: Sequence[Graph]) -> Iterator[Diagnostic]:
    """Conditions in the spec's own blocks that are the same in all uses in all networks."""
    main = program.main.source
    uses: dict[Unit, list[Scope]] = {}
    most: dict[Unit, int] = {}
    for graph in graphs:
        here: dict[Unit, list[Scope]] = {}
        for scope in _scopes(graph.root.frame):
            here.setdefault(scope.unit, []).append(scope)
        for unit, scopes in here.items():
            uses.setdefault(unit, []).extend(scopes)
            most[unit] = max(most.get(unit, 0), len(scopes))
    sized = any(
        not isinstance(size, ast.Number)
        for graph in graphs for slot in graph.unit.inputs for size in slot.sizes[1:]
    )  # fmt: skip
    for unit, scopes in uses.items():
        if unit.kind != "block" or unit.span.source is not main or most[unit] < 2:
            continue
        conditions = {
            node.condition: node.condition
            for node in ast.walk(unit.body)
            if isinstance(node, ast.Guard | ast.Conditional)
        }
        outcomes: dict[ast.Node, set[Any]] = {}
        for scope in scopes:
            for frame in _frames(scope.frame):
                for key in conditions.keys() & frame.trace.keys():
                    outcomes.setdefault(key, set()).add(frame.trace[key])
        for key, condition in conditions.items():
            if len(outcomes.get(key, ())) != 1 or condition.span.source is not main:
                continue
            if not _is_open(condition, unit, uses, sized):
                yield errors.GuardSettled(
                    condition.span,
                    condition=condition.span.text,
                    outcome="true" if True in outcomes[key] else "false",
                    uses=most[unit],
                    block=unit.name,
                )


def _is_open(expression: ast.Node, unit: Unit, uses: dict[Unit, list[Scope]], sized: bool) -> bool:
    """True if a value depends on a parameter of an arch, which whoever builds may set."""
    pending: list[tuple[ast.Node, Unit]] = [(expression, unit)]
    seen: set[tuple[Unit, str]] = set()
    lets: dict[Unit, dict[str, ast.Expression]] = {}
    while pending:
        expression, unit = pending.pop()
        if unit not in lets:
            statements = _statements(unit.body)
            lets[unit] = {s.name: s.value for s in statements if isinstance(s, ast.Let)}
        for node in ast.walk(expression):
            if isinstance(node, ast.Field) and node.name in ("h", "w", "d") and sized:
                return True
            if not isinstance(node, ast.Name) or (unit, node.name) in seen:
                continue
            name = node.name
            seen.add((unit, name))
            if name in lets[unit]:
                pending.append((lets[unit][name], unit))
            parameter = next((p for p in unit.numbers if p.name == name), None)
            if parameter is None:
                continue
            if unit.kind == "arch":
                return True
            if parameter.default is not None:
                pending.append((parameter.default, unit))
            for scope in uses.get(unit, ()):
                given = None if scope.origin is None else scope.origin.written(name)
                if given is not None and scope.parent is not None:
                    pending.append((given, scope.parent.unit))
    return False


def _frames(frame: Frame) -> Iterator[Frame]:
    """A frame and those of the repeats in it."""
    yield frame
    for loop in frame.loops.values():
        for item in loop:
            if isinstance(item, Frame):
                yield from _frames(item)


def _scopes(frame: Frame) -> Iterator[Scope]:
    """The uses of blocks in a frame, and those in them."""
    for inner in _frames(frame):
        made = list(inner.made.values())
        for loop in inner.loops.values():
            made += [r.made for stage in loop if isinstance(stage, Stage) for r in stage.repeats]
        for scope in made:
            if isinstance(scope, Scope):
                yield scope
                yield from _scopes(scope.frame)
