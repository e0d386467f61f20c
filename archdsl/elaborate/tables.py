"""Stage tables: rows to blocks one after another, with scaling, counters and taps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from archdsl.diagnostics import errors
from archdsl.diagnostics.diagnostic import Diagnostic
from archdsl.diagnostics.source import Span
from archdsl.elaborate.calls import (
    Caller,
    round_work,
    signature_of,
    tensor_as_number,
    unknown_parameter,
    words_of,
)
from archdsl.elaborate.expressions import Callee, OperationValue, Place, Poisoned
from archdsl.frontend import ast, tables
from archdsl.frontend.scopes import names_of
from archdsl.frontend.units import Unit
from archdsl.ir.graph import Frame, RowRepeat, Stage, Value
from archdsl.ops import OPERATIONS, Word, numbers
from archdsl.ops.kinds import describe, whole
from archdsl.support import limits

DIVISOR = 8
"""Default divisor of scaled channels."""


class Row:
    """A row with what it calls: the expressions for its parameters, scaling included."""

    __slots__ = ("callee", "entries", "plan", "scaling")

    def __init__(
        self, plan: tables.RowPlan, callee: Callee, shared: dict[str, tables.Entry]
    ) -> None:
        self.plan = plan
        self.callee = callee
        known = signature_of(callee).numbers
        said = {**shared, **plan.entries}
        self.entries = [
            (name, said[name], words_of(callee, name)) for name in known if name in said
        ]
        # A block that has a parameter of that name means its own.
        self.scaling = {
            name: entry
            for name, entry in said.items()
            if name in tables.SCALING and name not in known
        }

    def place(self, parameter: str) -> Span | None:
        """The cell for a parameter."""
        return next((entry.span for name, entry, _ in self.entries if name == parameter), None)

    def written(self, parameter: str) -> ast.Expression | None:
        """The cell of a parameter."""
        return next((entry.value for name, entry, _ in self.entries if name == parameter), None)


class Use(NamedTuple):
    """A row in one evaluation of its table: what its name brings along, and how often it runs."""

    row: Row
    bound: tuple[tuple[str, Any], ...]
    repeats: int


class Table(NamedTuple):
    """A table of the text: its rows, and the arguments that all of them share."""

    node: ast.Stages
    plans: list[tables.RowPlan]
    shared: dict[str, tables.Entry]


class Stager(Caller):
    """Evaluates stage tables."""

    def _stages(self, table: ast.Stages, source: Any, frame: Frame) -> Value:
        if not isinstance(source, Value):
            if source is None:
                raise errors.AbsentTensor(table.span, what="`stages`")
            raise errors.NotATensor(table.span, what=numbers.kind_of(source))
        value: Value = source
        uses = self._uses(table, frame)
        total = sum(use.repeats for use in uses if isinstance(use.row.callee, Unit))
        name = names_of(frame.scope.unit).scopes.get(table, ("stages",))
        if frame.rounds:
            name = (name[0], *frame.rounds, *name[1:])
        taps: dict[str, Value] = {}
        stages = frame.loops[table] = []
        index = 0
        for row, bound, count in uses:
            plan = row.plan
            numbered = "n" in plan.entries
            stage = Stage(plan.name, plan.module, plan.row, frame.scope, numbered, value)
            stages.append(stage)
            step = (*name, plan.module)
            self.spend(count * (round_work(frame) + len(row.entries)), plan.row.span)
            for rep in range(count):
                counters = {"index": index, "total": total, "rep": rep}
                inner = Frame({**frame.names, **counters}, frame.scope, frame)
                arguments = self._row_arguments(row, bound, inner, rep)
                repeat = RowRepeat(stage, rep, inner, arguments)
                repeat.input = value
                value = self._row(row, value, repeat, (*step, str(rep)) if numbered else step)
                repeat.output = value
                stage.repeats.append(repeat)
                index += isinstance(row.callee, Unit)
            stage.output = value
            taps[plan.name] = value
        place = (value, frame.scope)
        self.taps[place] = {**self.taps.get(place, {}), **taps}
        return value

    def _uses(self, node: ast.Stages, frame: Frame) -> list[Use]:
        """The rows, with their mistakes that can be seen before any of them runs."""
        table: Table | None = frame.facts.get(node)
        if table is None:
            table = frame.facts[node] = self._table(node)
        problems = self._wrong_cells(table, frame)
        uses = []
        for plan in table.plans:
            try:
                uses.append(self._use(table, plan, frame))
            except Diagnostic as problem:
                problem.span = problem.span or plan.row.span
                problems.append(problem)
        for mistake in problems:
            self.record(mistake, frame.scope)
        if problems:
            raise Poisoned
        for mistake in shared_mistakes(table.shared, [use.row.callee for use in uses]):
            self.record(mistake, frame.scope)
            problems.append(mistake)
        if problems:
            raise Poisoned
        return uses

    def _wrong_cells(self, table: Table, frame: Frame) -> list[Diagnostic]:
        """The cells that no parameter is there for; looked for once for the same operations."""
        callees: list[Callee | None] = []
        for plan in table.plans:
            try:
                found = self._callee_of_row(plan, frame)
                callees.append(found.callee if isinstance(found, OperationValue) else found)
            except (Diagnostic, Poisoned):
                callees.append(None)  # who evaluates the row is told
        key = ("cells", table.node, *callees)
        if key in frame.facts:
            return []
        problems = cell_mistakes(table.plans, callees)
        if not problems:
            frame.facts[key] = True
        return problems

    def _table(self, node: ast.Stages) -> Table:
        shared, problems = shared_arguments(node)
        if problems:
            raise problems[0]
        plans = tables.plan(node)
        if not plans:
            raise errors.EmptyTable(node.span)
        return Table(node, plans, shared)

    def _use(self, table: Table, plan: tables.RowPlan, frame: Frame) -> Use:
        callee = self._callee_of_row(plan, frame)
        key = (plan.row, callee.callee if isinstance(callee, OperationValue) else None)
        row: Row | None = frame.facts.get(key)
        if row is None:
            primitive = callee.callee if isinstance(callee, OperationValue) else callee
            slots = signature_of(primitive)
            if slots.least > 1 or not slots.tensors:
                raise errors.WrongTensors(
                    plan.row.name_span,
                    callee=primitive.name,
                    names=", ".join(slots.tensors),
                    expected=slots.least,
                    given=1,
                )
            row = frame.facts[key] = Row(plan, primitive, table.shared)
        bound = callee.arguments if isinstance(callee, OperationValue) else ()
        return Use(row, bound, self._count(row, frame))

    def _callee_of_row(self, plan: tables.RowPlan, frame: Frame) -> Callee | OperationValue:
        value = frame.names.get(plan.row.name)
        if isinstance(value, OperationValue):
            return value
        key = (plan.row, "callee")
        found: Callee | OperationValue | None = frame.facts.get(key)
        if found is None:
            found = frame.facts[key] = self._callee(plan.row, frame)
        return found

    def _setting(self, row: Row, name: str, frame: Frame) -> Any:
        """The scaling set by a row or its table; None if neither sets it."""
        entry = row.scaling.get(name)
        return None if entry is None else self.argument(entry.value, frame, ("up", "nearest"))

    def _count(self, row: Row, frame: Frame) -> int:
        """Number of repeats of a row: `n` times `depth`, rounded up."""
        entry = row.plan.entries.get("n")
        if entry is None:
            return 1
        expected = "a non-negative number of repeats"
        with Place(entry.span):
            count = whole(self.evaluate(entry.value, frame), expected, 0)
            depth = self._setting(row, "depth", frame)
            if depth is not None:
                rounding = self._setting(row, "depth_round", frame) or Word("up")
                if rounding not in (Word("up"), Word("nearest")):
                    span = row.scaling["depth_round"].span
                    raise errors.WrongValue(
                        span, expected="up or nearest", value=describe(rounding)
                    )
                with Place(row.scaling["depth"].span):
                    scaled = numbers.calculate("*", count, depth)
                    rounded = numbers.call("ceil" if rounding.name == "up" else "round", [scaled])
                    # A row that is there is not scaled away: its stride would go with it.
                    count = max(min(count, 1), whole(rounded, expected, 0))
            if count > limits.REPEATS:
                raise errors.TooManyRepeats(count=count, limit=limits.REPEATS)
        return count

    def _row_arguments(
        self, row: Row, bound: tuple[tuple[str, Any], ...], frame: Frame, rep: int
    ) -> dict[str, Any]:
        """The arguments of one repeat of a row."""
        arguments = dict(bound)
        span = row.plan.row.span
        try:
            for name, (expression, span, _), words in row.entries:
                if rep and name == "s":
                    arguments[name] = 1
                    continue
                if words:
                    value = self.argument(expression, frame, words)
                else:
                    value = self.evaluate(expression, frame)
                if name == "c" and "width" in row.scaling:
                    value = self._scaled(row, value, frame)
                if type(value) is Value:
                    raise tensor_as_number(row.callee, name, span)
                arguments[name] = value
        except Diagnostic as problem:
            problem.span = problem.span or span
            raise
        return arguments

    def _scaled(self, row: Row, channels: Any, frame: Frame) -> int:
        """Channels times `width`, to the nearest multiple of `divisor`."""
        width = self._setting(row, "width", frame)
        divisor = self._setting(row, "divisor", frame)
        scaled = numbers.calculate("*", channels, width)
        result: int = numbers.call("divisible", [scaled, DIVISOR if divisor is None else divisor])
        text = f"{describe(channels)} * {describe(width)}"
        place = row.place("c") or row.plan.row.span
        self.check_rounding(place, text, scaled, result, frame)
        return result

    def _row(self, row: Row, value: Value, repeat: RowRepeat, name: tuple[str, ...]) -> Value:
        frame, span, callee = repeat.frame, row.plan.row.span, row.callee
        try:
            if isinstance(callee, Unit):
                scope = self._expand(
                    callee, [value], repeat.arguments, frame, name, span, row, repeat
                )
                repeat.made = scope
                outputs: tuple[Any, ...] = scope.outputs
            else:
                inputs = self._inputs(callee, [value])
                if callee.flattens and len(value.shape) > 1 and set(value.shape[1:]) == {1}:
                    flatten = OPERATIONS["flatten"]
                    flat = self._node(flatten, inputs, {}, frame, (*name, "0"), span)
                    inputs, name = flat.outputs, (*name, "1")
                repeat.made = self._node(callee, inputs, repeat.arguments, frame, name, span)
                outputs = repeat.made.outputs
            if len(outputs) != 1 or type(outputs[0]) is not Value:
                raise errors.RowGivesMany(span, callee=callee.name, count=len(outputs))
            result: Value = outputs[0]
            return result
        except Diagnostic as problem:
            if problem.span is None:
                if isinstance(problem, errors.MissingArgument):
                    name = problem.values["parameter"]
                    problem.values["hint"] = (
                        f"add a column `{name}`, or a cell {name}=... to the row"
                    )
                self.explain(problem, frame, [value], [None], row, span)
            raise


def cell_mistakes(
    plans: list[tables.RowPlan], callees: Sequence[Callee | None]
) -> list[Diagnostic]:
    """The cells for which what their rows call has no parameter; a column that suits none, once.

    Of a row that calls nothing known there is nothing to say.
    """
    found: list[Diagnostic] = []
    parameters = [None if c is None else signature_of(c).numbers for c in callees]
    lost: set[Span] = set()
    for plan, callee, known in zip(plans, callees, parameters, strict=True):
        for name, entry in plan.entries.items():
            if callee is None or known is None:
                continue
            if name == "n" and name in known:
                found.append(errors.RepeatsOrParameter(entry.span, callee=callee.name))
            elif name not in tables.RESERVED and name not in known:
                column = entry.column
                if column is None:
                    found.append(unknown_parameter(callee, name, entry.span))
                elif None not in parameters and not any(name in p for p in parameters if p):
                    if column not in lost:
                        lost.add(column)
                        found += shared_mistakes({name: tables.Entry(entry.value, column)}, callees)
                else:
                    problem = unknown_parameter(callee, name, entry.span)
                    found.append(problem.labelled(column, "column named here"))
    return found


def shared_arguments(table: ast.Stages) -> tuple[dict[str, tables.Entry], list[Diagnostic]]:
    """The arguments of `stages(...)`, and what is wrong with how they are given."""
    shared: dict[str, tables.Entry] = {}
    problems: list[Diagnostic] = []
    for argument in table.arguments:
        if argument.name is None:
            problems.append(errors.SetByName(argument.span))
        elif argument.name in shared:
            problem = errors.ArgumentTwice(argument.span, parameter=argument.name)
            first = shared[argument.name].span
            problems.append(problem.labelled(first, "first occurrence"))
        else:
            shared[argument.name] = tables.Entry(argument.value, argument.span)
    return shared, problems


def shared_mistakes(
    shared: dict[str, tables.Entry], callees: Iterable[Callee | None]
) -> list[Diagnostic]:
    """The arguments of a table, or columns, that are of use to none of its rows."""
    from archdsl.diagnostics import foreign as meant  # only a mistake needs it

    known = dict.fromkeys(tables.SCALING)
    for callee in callees:
        known |= dict.fromkeys(() if callee is None else signature_of(callee).numbers)
    found: list[Diagnostic] = []
    for name, (_, span, _) in shared.items():
        if name not in known:
            answer = meant.column(name, known)
            takes = ", ".join(n for n in known if n not in tables.SCALING)
            has = f"they have {takes}" if takes else "its rows take no arguments"
            hint = answer.help if answer else f"{has}; `n` repeats a row"
            problem = errors.NoRowHas(span, parameter=name, hint=hint)
            found.append(
                problem.replace(
                    span._replace(end=span.start + len(name)), answer.replacement if answer else ""
                )
            )
    return found
