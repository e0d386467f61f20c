"""Blocks to primitives: evaluates a spec into the graph.

Every number that a spec comes to is computed here, once, and kept in the frames. Raises diagnostics
and prints nothing; knows primitives by their description only, and no block by name. Here are the
network, bodies and statements; expressions are in `evaluate`, calls in `calls`, tables in `stages`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from math import prod
from typing import Any

from archdsl.diagnostics import errors
from archdsl.diagnostics.diagnostic import Chapter, Diagnostic, Note
from archdsl.diagnostics.source import Span
from archdsl.diagnostics.spelling import did_you_mean, nearest
from archdsl.elaborate import static
from archdsl.elaborate.calls import (
    round_work,
    signature_of,
    tensor_as_number,
    unknown_parameter,
    words_of,
)
from archdsl.elaborate.expressions import OperationValue, Place, Poison, Poisoned
from archdsl.elaborate.tables import Stager
from archdsl.elaborate.variants import variant_cells, variant_suffix
from archdsl.frontend import ast
from archdsl.frontend.bindings import bound_names
from archdsl.frontend.program import Program
from archdsl.frontend.scopes import Names, names_of
from archdsl.frontend.units import Unit
from archdsl.ir.graph import Frame, Graph, Output, Scope, Value, tensors
from archdsl.ops import numbers, shape_text
from archdsl.ops.base import LARGEST_TENSOR
from archdsl.ops.kinds import describe, describe_apart, whole
from archdsl.support import limits

USE = 40
"""Fixed cost of a use of a block."""

FIRST = 16
"""How much work a piece of text is more where it is looked at first."""


MESSAGE = 1_000
"""Characters of a text of `require` or `warn`, its values filled in, that are shown."""


PLACEHOLDER = re.compile(r"\{([A-Za-z_][A-Za-z_0-9]*(?:\.[cdhw])?)\}")
"""Placeholders in messages of specs."""


OwnPlaces = Callable[[Unit], set[tuple[str, int, int]]]
"""Gives the codes and places of the mistakes that a block has in whatever way it is used."""


class Stop(Exception):
    """A mistake after which it makes no sense to look for more."""


class Elaborator(Stager):
    """One elaboration: collects nodes and mistakes."""

    samples = False
    """True if it is blocks by themselves that are evaluated, to learn about their mistakes."""

    def __init__(self, program: Program, own_places: OwnPlaces | None = None) -> None:
        """`own_places` finds what is wrong in a block wherever it is used."""
        super().__init__(program)
        self.own_places = own_places
        self.problems: list[Diagnostic] = []
        self.warnings: list[Diagnostic] = []
        self._told: set[object] = set()
        self._read: set[Unit] = set()

    def record(self, problem: Diagnostic, scope: Scope) -> None:
        """Keep a mistake found in a scope, once, with the uses of blocks that led to it."""
        if self._is_new(problem):
            lead_to(problem, scope, self.own_places)
            self.problems.append(problem)
        self._go_on(problem)

    def _keep(self, problem: Diagnostic) -> None:
        """Keep a mistake that is where it is written, however that is used."""
        if self._is_new(problem):
            self.problems.append(problem)
        self._go_on(problem)

    def _go_on(self, problem: Diagnostic) -> None:
        if problem.fatal or len(self.problems) >= limits.MISTAKES:
            raise Stop

    def warn(self, warning: Diagnostic, scope: Scope) -> None:
        """Keep a warning, likewise."""
        if len(self.warnings) < limits.MISTAKES and self._is_new(warning):
            lead_to(warning, scope)
            self.warnings.append(warning)

    def _is_new(self, problem: Diagnostic) -> bool:
        inner = problem.span
        assert inner is not None
        key = (problem.code, inner.source, inner.start, inner.end, problem.title)
        is_new = key not in self._told
        self._told.add(key)
        return is_new

    # The network

    def arch(
        self,
        unit: Unit,
        arguments: dict[str, tuple[Any, Span | None]],
        settings: dict[str, ast.Expression],
        variant: str | None,
        class_name: str | None,
    ) -> Graph:
        """Evaluate an arch with these parameters into a graph."""
        root = Scope(unit, None, (), unit.span)
        frame = root.frame
        row, chosen = self._variant(unit, variant)
        class_name = class_name or chosen or unit.class_name
        known = {parameter.name for parameter in unit.parameters}
        for name in (*arguments, *settings):
            if name not in known:
                span = settings[name].span if name in settings else unit.span
                self.record(unknown_parameter(unit, name, span), root)
        # Sizes of an arch's inputs follow from its parameters; defaults of a block's parameters
        # may follow from what is given to it.
        if unit.kind == "block":
            inputs = self._inputs_of(unit, root)
            self._parameters_of(unit, root, arguments, settings, row)
        else:
            self._parameters_of(unit, root, arguments, settings, row)
            inputs = self._inputs_of(unit, root)
        for alias, current in unit.aliases:
            frame.names[alias] = frame.names[current]
        root.inputs = tuple(inputs)
        self.active.append(unit)
        values = self._body(unit, frame)
        if values is None:
            raise Poisoned
        outputs = self._outputs(unit, inputs, values)
        return Graph(
            self.program, unit, class_name, variant, root.inputs, outputs, self.nodes, root
        )

    def _parameters_of(
        self,
        unit: Unit,
        root: Scope,
        arguments: dict[str, tuple[Any, Span | None]],
        settings: dict[str, ast.Expression],
        row: dict[str, ast.Expression],
    ) -> None:
        """Evaluate the parameters of a network."""
        frame = root.frame
        for parameter in unit.parameters:
            name = parameter.name
            expression = settings.get(name)
            try:
                if expression is None and name in arguments:
                    value = arguments[name][0]
                else:
                    expression = expression or row.get(name) or parameter.default
                    if expression is None:
                        raise errors.NoValue(parameter.span, parameter=name)
                    value = self.evaluate(expression, frame)
                    if type(value) is Value:
                        raise tensor_as_number(unit, name, expression.span)
            except Diagnostic as problem:
                problem.span = problem.span or (expression or parameter).span
                self.record(problem, root)
                value = Poison()
            except Poisoned:
                value = Poison()
            frame.names[name] = root.arguments[name] = value

    def _inputs_of(self, unit: Unit, root: Scope) -> list[Value]:
        """The inputs of a network; one that is wrong is left out, and poison in its frame."""
        frame = root.frame
        inputs = []
        for statement in unit.inputs:
            try:
                inputs.append(self._input(statement, frame))
            except Diagnostic as problem:
                self.record(problem, root)
                frame.names[statement.name] = Poison()
            except Poisoned:
                frame.names[statement.name] = Poison()
        return inputs

    def _variant(
        self, unit: Unit, variant: str | None
    ) -> tuple[dict[str, ast.Expression], str | None]:
        """The parameters of a variant, and the name of its class."""
        if variant is None:
            return {}, None
        rows = unit.variants.rows if unit.variants else ()
        row = next((row for row in rows if row.name == variant), None)
        if row is None:
            known = [row.name for row in rows]
            hint = f"its variants are {', '.join(known)}" if known else "it has no `variants`"
            raise errors.NoVariant(unit.span, name=unit.name, variant=variant, hint=hint)
        cells = variant_cells(unit, row)
        chosen = cells.pop("as", None)
        if chosen is not None and not isinstance(chosen, ast.Name):
            raise errors.WrongValue(chosen.span, expected="a name for the class", value="this")
        for name in ("params", "macs"):
            cells.pop(name, None)
        if chosen is None:
            return cells, unit.class_name + variant_suffix(unit, variant)
        return cells, chosen.name

    def _input(self, statement: ast.Input, frame: Frame) -> Value:
        sizes = []
        for expression in statement.sizes:
            with Place(expression.span):
                size = self.evaluate(expression, frame)
                if isinstance(size, tuple):
                    expected = "sizes without parentheses, such as 3, 224, 224"
                    raise errors.WrongValue(expected=expected, value=describe(size))
                sizes.append(whole(size, "a positive integer as size", 1))
        if len(sizes) > 4:
            raise errors.TooManyAxes(statement.span, name=statement.name, count=len(sizes) - 1)
        value = Value(tuple(sizes), None, 0, statement.name)
        if prod(sizes) > LARGEST_TENSOR:
            raise errors.TooLarge(
                statement.span, value=shape_text(value.shape), limit=LARGEST_TENSOR
            )
        frame.names[statement.name] = value
        return value

    def _outputs(
        self, unit: Unit, inputs: list[Value], values: list[Any]
    ) -> tuple[Output, ...]:
        statement = next(s for s in unit.body if isinstance(s, ast.Return))
        outputs: list[Output] = []
        given = {value: value.name for value in inputs}
        taken = set(given.values())
        for expression, value in zip(statement.values, values, strict=True):
            training = names_of(unit).for_training(expression)
            if isinstance(expression, ast.Guard) and training:
                expression = expression.value
            if not isinstance(value, Value):
                raise _no_output(value, expression, unit)
            name = expression.name if isinstance(expression, ast.Name | ast.Field) else ""
            name = name or ("out" if len(values) == 1 else f"out_{len(outputs)}")
            if given.pop(value, "") != name:  # an input that is handed on is both
                while name in taken:
                    name += "_"
            taken.add(name)
            outputs.append(Output(name, value, training))
        if all(output.training for output in outputs):
            raise errors.TrainingOnly(statement.span)
        return tuple(outputs)

    # Bodies

    def _body(self, unit: Unit, frame: Frame) -> list[Any] | None:
        """Run the statements of a unit; the returned values, or none where mistakes hide them.

        Mistakes are kept here, each with its line, and the lines after it run all the same.
        """
        names = names_of(unit)
        outputs: list[Any] | None = None
        self.spend(USE + 2 * len(self.active) + unit.size, unit.span)
        if unit not in self._read:
            self._read.add(unit)
            self.spend(FIRST * unit.size, unit.span)
            if not self.samples:
                self.program.evaluated.add(unit)
                for problem in static.mistakes(unit, self.program):
                    self._keep(problem)
        for statement in unit.body:
            try:
                if isinstance(statement, ast.Return):
                    outputs = self._return(statement, frame)
                else:
                    self._statement(statement, frame, names)
            except Diagnostic as problem:
                problem.span = problem.span or statement.span
                self.record(problem, frame.scope)
                frame.names.update(dict.fromkeys(bound_names(statement), Poison()))
                if isinstance(statement, ast.Require):
                    return None  # what follows may rely on it
            except Poisoned:
                frame.names.update(dict.fromkeys(bound_names(statement), Poison()))
        return outputs

    def _statement(self, statement: ast.Statement, frame: Frame, names: Names) -> None:
        if isinstance(statement, ast.Assign):
            if statement in names.live:
                self._assign(statement, frame)
                return
            with self.aside(statement.span):
                self._assign(statement, frame)
        elif isinstance(statement, ast.Repeat):
            self._repeat(statement, frame, names)
        else:
            with self.aside(statement.span):
                self._about_numbers(statement, frame)

    def _about_numbers(self, statement: ast.Statement, frame: Frame) -> None:
        """A line that gives no tensor; the operations in it are only measured."""
        if isinstance(statement, ast.Let):
            value = self.evaluate(statement.value, frame)
            if isinstance(value, Value) or (
                isinstance(value, list) and any(isinstance(item, Value) for item in value)
            ):
                raise errors.TensorInLet(statement.span, name=statement.name)
            frame.names[statement.name] = value
        elif isinstance(statement, ast.Default):
            self._default(statement.call, frame)
        elif isinstance(statement, ast.Require):
            if not self.truth(statement.condition, frame):
                text = self._message(statement, frame)
                failed = errors.RequirementFailed(statement.condition.span, text=text)
                raise _with_numbers(failed, statement, frame)
        elif isinstance(statement, ast.Warn):
            if self.truth(statement.condition, frame):
                text = self._message(statement, frame)
                span = statement.condition.span
                warning = errors.SpecWarns(span, text=text)
                self.warn(_with_numbers(warning, statement, frame), frame.scope)

    def _assign(self, statement: ast.Assign, frame: Frame) -> None:
        targets, expression = statement.targets, statement.value
        value = self.evaluate(expression, frame)
        if len(targets) == 1:
            if type(value) is not Value:
                self._check_tensors(value, statement)
            elif not value.name and value.node is not None:
                value.name = targets[0].name
            frame.names[targets[0].name] = value
            return
        if isinstance(expression, ast.Guard) and not frame.trace[expression.condition]:
            value = [value] * len(targets)  # each is the source
        if not isinstance(value, list | tuple) or len(value) != len(targets):
            count = len(value) if isinstance(value, list | tuple) else 1
            names = targets[0].span.to(targets[-1].span)
            problem = errors.WrongCount(names, targets=len(targets), count=count)
            raise problem.labelled(statement.value.span, f"{count} here")
        for target, item in zip(targets, value, strict=True):
            self._check_tensors(item, statement)
            frame.names[target.name] = item

    def _check_tensors(self, value: Any, statement: ast.Assign) -> None:
        if isinstance(value, Value) or value is None:
            return
        if isinstance(value, list) and all(isinstance(item, Value) for item in value):
            return
        name = statement.targets[0].name
        what, hint = numbers.kind_of(value), f"add `let`: let {name} = ..."
        if tensors(value):
            what = f"{what} of tensors and other things"
            if isinstance(value, tuple):
                what = "a tuple of tensors"
                hint = f"tensors go into a list: {name} = [...]"
            elif any(isinstance(item, list) for item in value):
                hint = "a list of tensors holds no lists: join them with +"
            elif None in value:
                hint = "a list of tensors cannot hold none: leave it out"
            else:
                hint = "give the tensors one name, and the numbers another with let"
        raise errors.NumberInLine(statement.span, name=name, what=what, hint=hint)

    def _repeat(self, statement: ast.Repeat, frame: Frame, names: Names) -> None:
        bounds = []
        for expression in (statement.start, statement.stop):
            with Place(expression.span):
                bounds.append(whole(self.evaluate(expression, frame), "an integer"))
        start, stop = bounds
        if stop - start > limits.REPEATS:
            raise errors.TooManyRepeats(
                statement.stop.span, count=stop - start, limit=limits.REPEATS
            )
        if statement.variable in frame.names:
            raise errors.DefinedTwice(statement.span, name=statement.variable)
        carried = bound_names(statement) & set(frame.names)
        size = frame.facts.get(("size", statement))
        if size is None:
            size = sum(1 for _ in ast.walk(statement.body))
            frame.facts["size", statement] = size
        self.spend(max(0, stop - start) * (size + round_work(frame)), statement.span)
        rounds = frame.loops[statement] = []
        for i in range(start, stop):
            inner = Frame({**frame.names, statement.variable: i}, frame.scope, frame)
            inner.rounds = (*frame.rounds, str(i - start))
            rounds.append(inner)
            known = len(self.problems)
            for line in statement.body:
                try:
                    self._statement(line, inner, names)
                except Diagnostic as problem:
                    problem.span = problem.span or line.span
                    self.record(problem, frame.scope)
                    inner.names.update(dict.fromkeys(bound_names(line), Poison()))
                except Poisoned:
                    inner.names.update(dict.fromkeys(bound_names(line), Poison()))
            if len(self.problems) > known:
                raise Poisoned
            for name in carried:
                frame.names[name] = inner.names[name]

    def _default(self, call: ast.Call, frame: Frame) -> None:
        found = self._callee(call, frame)
        callee = found.callee if isinstance(found, OperationValue) else found
        values = {}
        for argument in call.arguments:
            name = argument.name
            if name is None:
                raise errors.SetByName(argument.span)
            if name in values:
                raise errors.ArgumentTwice(argument.span, parameter=name)
            if name not in signature_of(callee).numbers:
                raise unknown_parameter(callee, name, argument.span)
            values[name] = self.argument(argument.value, frame, words_of(callee, name))
        merged = {**frame.defaults.get(callee, {}), **values}
        frame.defaults = {**frame.defaults, callee: merged}

    def _message(self, statement: ast.Require | ast.Warn, frame: Frame) -> str:
        """The text of `require` or `warn`, its `{names}` and `{x.c}` filled in; the start of a long
        one."""
        text = ""
        at = statement.message_span
        compared = [
            frame.trace.get(operand)
            for node in ast.walk(statement.condition)
            if isinstance(node, ast.Comparison)
            for operand in node.operands
        ]
        for i, part in enumerate(PLACEHOLDER.split(statement.message)):
            name, _, size = part.partition(".") if i % 2 else ("", "", "")
            if i % 2 and name not in frame.names:
                hint = did_you_mean(nearest(name, frame.names))
                raise errors.UnknownName(at, kind="value", name=name, hint=hint)
            if size:
                part = describe(self.evaluate(ast.Field(at, ast.Name(at, name), size), frame))
            text += describe_apart(frame.names[name], compared) if name and not size else part
            if len(text) > MESSAGE:
                return text[:MESSAGE] + " ..."
        return text

    def _return(self, statement: ast.Return, frame: Frame) -> list[Any]:
        values = []
        scope = frame.scope
        nested = scope.parent is not None or scope.unit.kind == "block"
        for expression in statement.values:
            if names_of(scope.unit).for_training(expression):
                assert isinstance(expression, ast.Guard)
                if nested:
                    if scope.unit.kind == "arch":
                        continue  # a network used as a block gives what it gives in use
                    raise errors.TrainingInBlock(expression.span)
                expression = expression.value
            value = self.evaluate(expression, frame)
            if type(value) is Value:
                if not isinstance(expression, ast.Name):
                    value.name = value.name or "out"
            elif nested and not (
                isinstance(value, list) and all(isinstance(item, Value) for item in value)
            ):
                raise _no_output(value, expression, scope.unit)
            values.append(value)
        return values




def _no_output(value: Any, expression: ast.Expression, unit: Unit) -> Diagnostic:
    if value is None:
        return errors.AbsentTensor(expression.span, what=f"the {unit.kind} `{unit.name}`")
    if isinstance(value, list) and all(isinstance(item, Value) for item in value):
        names = ", ".join(f"part{i}" for i in range(1, min(len(value), 3) + 1))
        hint = f"name them and return the names: {names} = ..., or join them with concat(...)"
        return errors.ListAsTensor(
            expression.span, callee="return", count=len(value), hint=hint
        )
    return errors.NotATensor(expression.span, what=numbers.kind_of(value))


def _with_numbers(
    problem: Diagnostic, statement: ast.Require | ast.Warn, frame: Frame
) -> Diagnostic:
    """With the numbers of the condition."""
    from archdsl.elaborate.provenance import show_condition  # only a mistake needs it

    show_condition(problem, statement.condition, frame)
    return problem


def lead_to(problem: Diagnostic, scope: Scope, own_places: OwnPlaces | None = None) -> None:
    """Move a mistake to the outermost use of a block that led to it; notes lead back inwards.

    What is wrong in every use stays where it is written, as far as `own_places` finds it.
    """
    span = problem.span
    assert span is not None
    if problem.chapter is Chapter.NAMES:
        return
    reason: tuple[str, Scope] | None = None
    while scope.parent is not None:
        outer = scope.parent
        if own_places is not None and _is_own(problem, span, scope, own_places):
            break
        if not scope.unit.outlined:
            problem.notes.insert(0, Note(span, f"in `{scope.unit.name}`, here"))
            cause = _cause(span, scope)
            span = scope.span if cause is None else cause[1]
            reason = None if cause is None else (cause[0], scope)
        scope = outer
    if problem.severity == "warning" and span.source is not scope.unit.span.source:
        # Lines that an arch has from the one it extends: not the text of who is warned.
        problem.notes.insert(0, Note(span, f"in a base of `{scope.unit.name}`, here"))
        span = scope.unit.span
    problem.span = span
    if reason is not None:
        from archdsl.elaborate.provenance import show_argument  # only a mistake needs it

        show_argument(problem, *reason)


def _is_own(problem: Diagnostic, span: Span, scope: Scope, own_places: OwnPlaces) -> bool:
    """True if a block has this mistake in whatever way it is used."""
    if problem.chapter not in (Chapter.VALUES, Chapter.SHAPES):
        return False
    if scope.unit.outlined or scope.unit.kind != "block":
        return False
    return (problem.code, span.start, span.end) in own_places(scope.unit)


def _cause(span: Span, scope: Scope) -> tuple[str, Span] | None:
    """The argument of a block's use that a text inside the block depends on, if it is just one.

    The parameter, and where the argument is.
    """
    if scope.origin is None:
        return None
    unit = scope.unit
    lets = {s.name: s.value for s in unit.body if isinstance(s, ast.Let)}
    names = _read_within(span, unit)
    seen: set[str] = set()
    while names - seen:
        name = (names - seen).pop()
        seen.add(name)
        if name in lets:
            names |= {n.name for n in ast.walk(lets[name]) if isinstance(n, ast.Name)}
    places = [(p.name, scope.origin.place(p.name)) for p in unit.numbers if p.name in names]
    found = [(name, place) for name, place in places if place is not None]
    return found[0] if len(found) == 1 else None


def _read_within(span: Span, unit: Unit) -> set[str]:
    """The names that a piece of a unit's text reads or calls."""
    return {
        node.name
        for node in ast.walk((unit.parameters, unit.body))
        if isinstance(node, ast.Name | ast.Call | ast.Row)
        and node.span.source is span.source
        and span.start <= node.span.start < span.end
    }
