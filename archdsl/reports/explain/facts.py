"""Why a network is as it is: where each number came from, how it was scaled and rounded, which
guards were taken.

Reads the frames that elaboration left and evaluates nothing. The result is sections of facts, as
plain data; `text.py` lays them out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from archdsl.diagnostics.source import Span
from archdsl.elaborate.calls import signature_of
from archdsl.elaborate.expressions import Callee, OperationValue
from archdsl.elaborate.tables import DIVISOR
from archdsl.elaborate.variants import variant_cells
from archdsl.frontend import ast, tables
from archdsl.frontend.bindings import bound_names, line_name
from archdsl.frontend.units import Unit
from archdsl.ir import costs
from archdsl.ir.graph import Frame, Graph, Node, RowRepeat, Scope, Stage, tensors
from archdsl.ir.labels import kind_of_item
from archdsl.ir.parts import Row, stages
from archdsl.ops import OPERATIONS, Operation, Word, shape_text
from archdsl.ops.base import REQUIRED
from archdsl.ops.kinds import describe
from archdsl.reports.explain.equations import (
    Equation,
    condition,
    equation,
    repeated,
    scaled,
    value_text,
)

MOST = 4
"""Values that are shown one after the other before the rest is left out."""


class Fact(NamedTuple):
    """A name, what it came to by which steps, and where that is from."""

    name: str
    equation: Equation
    origin: str = ""
    place: str = ""


class Section(NamedTuple):
    """Facts about the network, a line, a row, or a use of a block."""

    title: str
    text: str = ""
    place: str = ""
    facts: tuple[Fact, ...] = ()
    sections: tuple[Section, ...] = ()
    nodes: tuple[Node, ...] = ()
    """Primitives to list, where a part was asked for."""
    prefix: str = ""
    """Common prefix of the names of these primitives."""


def explain(graph: Graph, given: dict[str, Any]) -> list[Section]:
    """All of a network. `given` are the parameters that were set, as expressions or values."""
    frame = graph.root.frame
    found = [
        Section("parameters", facts=tuple(_parameters(graph, given))),
        Section(
            "input",
            facts=tuple(
                Fact(s.name, _joined([equation(size, frame) for size in s.sizes]), "", _at(s.span))
                for s in graph.unit.inputs
            ),
        ),
        Section("defaults in effect", facts=tuple(_defaults(graph))),
    ]
    rest = [*_numbers(graph.unit.body, frame)]
    found.append(Section("numbers and conditions", facts=tuple(rest)))
    return [s for s in found if s.facts] + [*_lines(graph.unit.body, frame)]


def _joined(sizes: list[Equation]) -> Equation:
    """The sizes of an input: as they are written, and as they are."""
    written = ", ".join(size.steps[0] for size in sizes)
    values = "x".join(size.value for size in sizes)
    if all(len(size.steps) == 1 for size in sizes):
        return Equation((values,))
    return Equation((written, values))


# Parameters and defaults


def _parameters(graph: Graph, given: dict[str, Any]) -> Iterator[Fact]:
    unit, frame = graph.unit, graph.root.frame
    rows = unit.variants.rows if unit.variants else ()
    row = next((row for row in rows if row.name == graph.variant), None)
    cells = variant_cells(unit, row) if row is not None else {}
    for parameter in unit.parameters:
        name = parameter.name
        if name in given and not isinstance(given[name], ast.Expression):
            yield Fact(name, Equation((value_text(graph.arguments[name]),)), "given")
        elif name in given:
            yield Fact(name, equation(given[name], frame), "--set")
        elif name in cells:
            origin = f"variant {graph.variant}"
            yield Fact(name, equation(cells[name], frame), origin, _at(cells[name].span))
        elif parameter.default is not None:
            yield Fact(name, equation(parameter.default, frame), "default", _at(parameter.span))


def _defaults(graph: Graph) -> Iterator[Fact]:
    """Defaults set by the arch, and those of the primitives."""
    changed: set[tuple[type[Operation] | None, str | None]] = set()
    for line in graph.unit.body:
        if isinstance(line, ast.Default):
            kind = _primitive(line.call, graph.root.frame)
            changed.update((kind, argument.name) for argument in line.call.arguments)
            yield from _default(line, graph.root.frame)
    for kind in dict.fromkeys(type(node.operation) for node in graph.nodes):
        own = [
            f"{name}={value_text(parameter.default)}"
            for name, parameter in kind.parameters.items()
            if parameter.default is not REQUIRED
            and parameter.default is not None
            and (kind, name) not in changed
        ]
        if own:
            yield Fact(kind.name, Equation((" ".join(own),)), "its own")


def _primitive(call: ast.Call, frame: Frame) -> type[Operation] | None:
    """The primitive that a call means; none where it means a block."""
    value = frame.names.get(call.name)
    if isinstance(value, OperationValue):
        return None if isinstance(value.callee, Unit) else value.callee
    if frame.scope.unit.program.defines(call.name, call.span.source):
        return None
    return OPERATIONS.get(call.name)


def _default(line: ast.Default, frame: Frame) -> Iterator[Fact]:
    operation = _primitive(line.call, frame)
    for argument in line.call.arguments:
        value = argument.value
        if value in frame.trace:
            told = equation(value, frame)
        else:
            told = Equation((" ".join(value.span.text.split()),))
        own = operation.parameters.get(argument.name or "") if operation else None
        origin = ""
        if own is not None and own.default is not REQUIRED:
            origin = f"instead of {value_text(own.default)}"
        yield Fact(f"{line.call.name} {argument.name}", told, origin, _at(line.span))


# Lines and what is in them


def _numbers(body: tuple[ast.Statement, ...], frame: Frame) -> Iterator[Fact]:
    """The `let`, `require` and `warn` lines."""
    for line in body:
        if isinstance(line, ast.Let) and line.value in frame.trace:
            yield Fact(line.name, equation(line.value, frame), "", _at(line.span))
        elif isinstance(line, ast.Require) and line.condition in frame.trace:
            yield Fact("require", condition(line.condition, frame), "holds", _at(line.span))
        elif isinstance(line, ast.Warn) and line.condition in frame.trace:
            holds = frame.trace[line.condition]
            origin = "issued" if holds else "not issued"
            yield Fact("warn", condition(line.condition, frame), origin, _at(line.span))


def _lines(body: tuple[ast.Statement, ...], frame: Frame) -> Iterator[Section]:
    """A section for each line that makes tensors."""
    for line in body:
        if isinstance(line, ast.Repeat):
            yield from _rounds(line, frame)
        elif isinstance(line, ast.Assign | ast.Return):
            section = _line(line, frame)
            if section.facts or section.sections or isinstance(line, ast.Assign):
                yield section


def _rounds(line: ast.Repeat, frame: Frame) -> Iterator[Section]:
    """The lines of each round; rounds one after the other that agree are told together."""
    told: list[tuple[list[int], object, list[Section]]] = []
    for i, inner in enumerate(frame.loops.get(line, [])):
        numbers = tuple(_numbers(line.body, inner))
        sections = [s._replace(facts=(*numbers, *s.facts)) for s in _lines(line.body, inner)]
        key = [_content(section) for section in sections]
        if told and told[-1][1] == key:
            told[-1][0].append(i)
        else:
            told.append(([i], key, sections))
    for rounds, _, sections in told:
        for section in sections:
            yield section._replace(title=f"{section.title} {_counted('round', rounds)}")


def _content(section: Section) -> object:
    """What a section tells, whatever its names."""
    return section.facts, [_content(inner) for inner in section.sections]


def _counted(what: str, numbers: list[int]) -> str:
    first, last = numbers[0], numbers[-1]
    return f"{what} {first}" if first == last else f"{what}s {first} to {last}"


def _line(line: ast.Assign | ast.Return, frame: Frame) -> Section:
    name = line_name(line)
    title = ", ".join(name or [*bound_names(line)]) or "return"
    values = (line.value,) if isinstance(line, ast.Assign) else line.values
    tables_of = [node for node in ast.walk(values) if isinstance(node, ast.Stages)]
    rows = tuple(
        _row(stage, title, table, frame)
        for table in tables_of
        for stage in frame.loops.get(table, [])
    )
    return Section(
        title,
        _written(line.span, tables_of),
        _at(line.span),
        tuple(_facts(values, frame)),
        (*rows, *(_called(scope, frame) for scope in _made(values, frame))),
    )


def _called(scope: Scope, frame: Frame | None) -> Section:
    """A use of a block by a line; `frame` is where it was called, if it was by a line."""
    text = f"{scope.unit.name}: {_shape(scope.inputs)} -> {_shape(scope.outputs)}"
    facts = (*_given(scope, frame), *inside(scope))
    return Section(".".join(scope.path), text, _at(scope.span), facts)


def _written(span: Span, tables_of: list[ast.Stages]) -> str:
    """Text of a line without the rows of its tables."""
    text, start = span.source.text, span.start
    parts = []
    for table in tables_of:
        end = text.index("{", table.arguments[-1].span.end if table.arguments else table.span.start)
        parts.append(text[start:end] + "{ ... }")
        start = table.span.end
    parts.append(text[start : span.end])
    return " ".join(" ".join(_uncommented(part) for part in parts).split())


def _uncommented(text: str) -> str:
    return "\n".join(line.partition("#")[0] for line in text.split("\n"))


def _facts(values: object, frame: Frame) -> Iterator[Fact]:
    """The computed arguments and the conditions in a line, in the order of the text."""
    inside: set[ast.Node] = set()
    for node in ast.walk(values):
        if isinstance(node, ast.Stages):
            inside.update(inner for inner in ast.walk(node))
    for node in ast.walk(values):
        if node in inside:
            continue
        if isinstance(node, ast.Guard | ast.Conditional):
            if node.condition in frame.trace:
                yield _guard(node, frame)
        elif isinstance(node, ast.Call) and node not in inside:
            yield from _arguments(node, frame)


def _guard(node: ast.Guard | ast.Conditional, frame: Frame) -> Fact:
    taken = frame.trace[node.condition]
    told = condition(node.condition, frame)
    if isinstance(node, ast.Guard):
        outcome = "taken" if taken else "left out"
    else:
        chosen = node.value if taken else node.otherwise
        outcome = "takes " + " ".join(chosen.span.text.split())
    return Fact("", told._replace(steps=(f"if {told.steps[0]}", *told.steps[1:])), outcome)


def _arguments(call: ast.Call, frame: Frame) -> Iterator[Fact]:
    """The arguments of a call that are computed rather than written or passed on."""
    bound = frame.names.get(call.name)
    planned = frame.facts.get((call, getattr(bound, "callee", None)))
    for argument in getattr(planned, "arguments", ()):
        expression = argument.expression
        if argument.slot < 0 and _is_computed(expression) and expression in frame.trace:
            yield Fact(f"{call.name} {argument.parameter}", equation(expression, frame))


def _is_computed(expression: ast.Expression) -> bool:
    return isinstance(
        expression,
        ast.Binary | ast.Call | ast.Conditional | ast.Minus | ast.Comparison | ast.Negation,
    )


# Rows of tables


def _row(stage: Stage, line: str, table: ast.Stages, frame: Frame) -> Section:
    title = f"{line}.{stage.name}"
    place = _at(stage.row.span)
    if not stage.repeats:
        none = tuple(_repeats(stage, table, frame))
        return Section(title, f"{stage.row.name}, left out", place, none)
    made = stage.repeats[0].made
    count = len(stage.repeats)
    times = "once" if count == 1 else f"{count} times"
    text = f"{kind_of_item(made)}, {times}: {_shape(stage.input)} -> {_shape(stage.output)}"
    facts = [*_repeats(stage, table, frame), *_cells(stage, table)]
    return Section(title, text, place, tuple(facts), tuple(_uses(stage)))


def _shape(value: object) -> str:
    return ", ".join(shape_text(value.shape) for value in tensors(value))


def _entries(stage: Stage, table: ast.Stages) -> tuple[dict[str, tables.Entry], dict[str, str]]:
    """What the row and its table say, by parameter, and which of them says it."""
    overridden = {argument.name for argument in stage.row.overrides}
    entries: dict[str, tables.Entry] = {}
    origins: dict[str, str] = {}
    for argument in table.arguments:
        if argument.name is not None:
            entries[argument.name] = tables.Entry(argument.value, argument.span)
            origins[argument.name] = f"stages({' '.join(argument.span.text.split())})"
    for name, entry in tables.entries_of(table, stage.row).items():
        entries[name] = entry
        origins[name] = "set" if name in overridden else "cell"
    return entries, origins


def _repeats(stage: Stage, table: ast.Stages, frame: Frame) -> Iterator[Fact]:
    """Number of occurrences of a row in the network."""
    entries, origins = _entries(stage, table)
    if "n" not in entries:
        return
    n = entries["n"]
    told, origin = equation(n.value, frame), origins["n"]
    if "depth" in entries and entries["depth"].value in frame.trace:
        depth = entries["depth"].value
        rule = entries.get("depth_round")
        nearest = rule is not None and rule.value.span.text.strip() == "nearest"
        told = repeated(n.value, depth, "round" if nearest else "ceil", len(stage.repeats), frame)
        origin += f"; {_scaler('depth', origins)}"
    yield Fact("n", told, origin, _at(n.span))


def _scaler(name: str, origins: dict[str, str]) -> str:
    return origins[name] if origins[name].startswith("stages") else f"{name} in the row"


def _cells(stage: Stage, table: ast.Stages) -> Iterator[Fact]:
    """The arguments that a row's block or primitive got in its first repeat."""
    entries, origins = _entries(stage, table)
    first = stage.repeats[0]
    for name in signature_of(_callee(first.made)).numbers:
        if name in entries and name in first.arguments:
            entry = entries[name]
            told, origin = _cell(name, entry, first, entries, origins)
            yield Fact(name, _further(told, name, stage), origin, _at(entry.span))
        elif (left := _left_to_default(name, first)) is not None:
            yield left


def _cell(
    name: str,
    entry: tables.Entry,
    repeat: RowRepeat,
    entries: dict[str, tables.Entry],
    origins: dict[str, str],
) -> tuple[Equation, str]:
    frame, value = repeat.frame, repeat.arguments[name]
    if entry.value not in frame.trace:  # a word
        return Equation((value_text(value),)), origins[name]
    width = entries.get("width")
    if name != "c" or width is None or width.value not in frame.trace:
        return equation(entry.value, frame), origins[name]
    divisor = DIVISOR
    if "divisor" in entries and entries["divisor"].value in frame.trace:
        divisor = frame.trace[entries["divisor"].value]
    told = scaled(entry.value, width.value, divisor, value, frame)
    return told, f"{origins[name]}; {_scaler('width', origins)}"


def _further(told: Equation, name: str, stage: Stage) -> Equation:
    """With what further repeats have instead, where they differ from the first."""
    values = [value_text(repeat.arguments[name]) for repeat in stage.repeats]
    if len(set(values)) == 1:
        return told
    rest = ", ".join(values[1 : MOST + 1]) + (", ..." if len(values) > MOST + 1 else "")
    if len(set(values[1:])) == 1:
        rest = values[1]
    note = f"{told.note}; then {rest}" if told.note else f"then {rest}"
    return told._replace(note=note)


def _left_to_default(name: str, repeat: RowRepeat) -> Fact | None:
    """A parameter that neither row nor table gives."""
    made = repeat.made
    callee = _callee(made)
    said = repeat.frame.defaults.get(callee, {})
    if name in said:
        return Fact(name, Equation((value_text(said[name]),)), f"default {callee.name}(...)")
    if isinstance(made, Scope):
        parameter = next(p for p in made.unit.numbers if p.name == name)
        if parameter.default is None or parameter.default not in made.frame.trace:
            return None
        told = equation(parameter.default, made.frame)
        return Fact(name, told, f"default of {made.unit.name}", _at(parameter.span))
    value = made.operation.argument(name)
    if value is None or isinstance(value, Word):
        return None
    return Fact(name, Equation((describe(value),)), f"default of {callee.name}")


def _callee(made: Node | Scope) -> Callee:
    return made.unit if isinstance(made, Scope) else type(made.operation)


def _uses(stage: Stage) -> Iterator[Section]:
    """Numbers and decisions of the blocks of a row; equal repeats are merged."""
    told: list[tuple[list[int], tuple[Fact, ...]]] = []
    for i, repeat in enumerate(stage.repeats):
        if isinstance(repeat.made, Scope):
            facts = tuple(inside(repeat.made))
            if told and told[-1][1] == facts:
                told[-1][0].append(i)
            elif facts:
                told.append(([i], facts))
    for repeats, facts in told:
        title = _counted("repeat", repeats)
        if len(repeats) == len(stage.repeats):
            title = "in it" if len(repeats) == 1 else "in each"
        yield Section(title, facts=facts)


def inside(scope: Scope, prefix: str = "") -> Iterator[Fact]:
    """Numbers and decisions in the body of a use of a block, nested uses included."""
    yield from _body(scope.unit.body, scope.frame, prefix)


def _body(body: tuple[ast.Statement, ...], frame: Frame, prefix: str) -> Iterator[Fact]:
    for line in body:
        if isinstance(line, ast.Repeat):
            for i, inner in enumerate(frame.loops.get(line, [])):
                yield from _body(line.body, inner, f"{prefix}[{i}] ")
            continue
        for fact in _numbers((line,), frame):
            yield fact._replace(name=prefix + fact.name)
        if isinstance(line, ast.Default):
            for fact in _default(line, frame):
                yield fact._replace(name=f"{prefix}default {fact.name}")
        if not isinstance(line, ast.Assign | ast.Return):
            continue
        name = prefix + (", ".join(line_name(line) or [*bound_names(line)]) or "return")
        values = (line.value,) if isinstance(line, ast.Assign) else line.values
        for fact in _facts(values, frame):
            yield fact._replace(name=f"{name}: {fact.name}" if fact.name else name)
        for made in _made(values, frame):
            yield from inside(made, f"{prefix}{'.'.join(made.name)}.")
        for node in ast.walk(values):
            if not isinstance(node, ast.Stages):
                continue
            for stage in frame.loops.get(node, []):
                row = f"{name}.{stage.name}"
                cells = _cells(stage, node) if stage.repeats else ()
                for fact in (*_repeats(stage, node, frame), *cells):
                    yield fact._replace(name=f"{row}: {fact.name}")
                for repeat in stage.repeats:
                    if isinstance(repeat.made, Scope):
                        yield from inside(repeat.made, f"{row}.{repeat.rep}.")


# What a name stands for


def names(graph: Graph) -> list[str]:
    """Parts that can be selected: lines, rows, uses of blocks, primitives."""
    sections = _lines(graph.unit.body, graph.root.frame)
    found = [title for section in sections for title in _titles(section)]
    found += [".".join(scope.path) for scope in _scopes(graph)]
    return [*dict.fromkeys([*found, *graph.node_names().values()])]


def _titles(section: Section) -> Iterator[str]:
    yield section.title
    yield from (row.title for row in section.sections)


def explain_part(graph: Graph, name: str) -> Section | None:
    """A line, a row, a use of a block, or a primitive, with the primitives that it is made of."""
    for stage in stages(graph):
        if stage.name == name:
            parts = [row for row in stage.rows if row.rows] or [stage]
            section = _section(graph, name)
            if section is not None:
                uses = [_use(part, graph) for part in _alike(parts)]
                return section._replace(sections=(*section.sections, *uses))
    section = _section(graph, name)
    if section is not None:
        return section
    for scope in _scopes(graph):
        if ".".join(scope.path) == name:
            return _scope_section(graph, scope)
    labels = graph.node_names()
    for node in graph.nodes:
        if labels[node] == name:
            return _node_section(name, node)
    return None


def _section(graph: Graph, name: str) -> Section | None:
    for section in _lines(graph.unit.body, graph.root.frame):
        if section.title == name:
            return section
        for row in section.sections:
            if row.title == name:
                return row
    return None


def _scopes(graph: Graph) -> list[Scope]:
    """The uses of blocks, outer ones first."""
    return [scope for scope in costs.by_scope(graph) if scope.parent is not None]


def _alike(parts: list[Row]) -> list[list[Row]]:
    """Uses one after the other that consist of the same primitives on the same shapes."""
    groups: list[list[Row]] = []
    for part in parts:
        if groups and _contents(part) == _contents(groups[-1][0]):
            groups[-1].append(part)
        else:
            groups.append([part])
    return groups


def _contents(part: Row) -> object:
    return [(n.operation.name, n.outputs[0].shape, n.operation.parameter_count) for n in part.nodes]


def _use(group: list[Row], graph: Graph) -> Section:
    first = group[0]
    title = first.name if len(group) == 1 else f"{first.name} to {group[-1].name}"
    return Section(title, first.text, nodes=first.nodes, prefix=first.block or first.stage)


def _scope_section(graph: Graph, scope: Scope) -> Section:
    nodes = tuple(node for node in graph.nodes if node.path[: len(scope.path)] == scope.path)
    frame = scope.row.frame if scope.row is not None else _frame_of(scope)
    return _called(scope, frame)._replace(nodes=nodes, prefix=".".join(scope.path))


def _given(scope: Scope, frame: Frame | None) -> Iterator[Fact]:
    """The arguments that a use of a block got."""
    for parameter in scope.unit.numbers:
        name = parameter.name
        if name not in scope.arguments:
            continue
        written = scope.origin.written(name) if scope.origin is not None else None
        told = Equation((value_text(scope.arguments[name]),))
        if written is not None:
            place = _at(written.span)
            if frame is not None and written in frame.trace:
                full = equation(written, frame)
                # A row scales what its cell says, and strides are those of the first repeat.
                if full.value == told.value:
                    told = full
            yield Fact(name, told, "argument", place)
        elif parameter.default is not None and parameter.default in scope.frame.trace:
            told = equation(parameter.default, scope.frame)
            yield Fact(name, told, f"default of {scope.unit.name}", _at(parameter.span))
        else:
            yield Fact(name, told, f"default {scope.unit.name}(...)")


def _frame_of(scope: Scope) -> Frame | None:
    """The frame in which a block was called: that of the scope around it, or of a round in it."""
    waiting = [scope.parent.frame] if scope.parent is not None else []
    while waiting:
        frame = waiting.pop()
        if any(made is scope for made in frame.made.values()):
            return frame
        for entries in frame.loops.values():
            waiting += [entry for entry in entries if isinstance(entry, Frame)]
    return None


def _node_section(name: str, node: Node) -> Section:
    operation = node.operation
    facts = []
    for key, parameter in operation.parameters.items():
        value, default = operation.argument(key), parameter.default
        if value is not None:
            if default is not REQUIRED and default is not None:
                default = parameter.kind.merged(parameter.kind.read(default, operation.rank))
            told = Equation((describe(value),))
            facts.append(Fact(key, told, "default" if value == default else ""))
    for weight in operation.weights:
        count = "trained" if weight.trainable else "not trained"
        facts.append(Fact(weight.name, Equation((shape_text(weight.shape) or "1",)), count))
    return Section(name, operation.name, _at(node.span), tuple(facts), nodes=(node,), prefix="")


def _made(values: object, frame: Frame) -> Iterable[Scope]:
    found = (frame.made.get(node) for node in ast.walk(values))
    return [made for made in found if isinstance(made, Scope)]


def _at(span: Span) -> str:
    """The place of a piece of the text; of an option nothing."""
    return "" if span.source.name.startswith("--") else span.place
