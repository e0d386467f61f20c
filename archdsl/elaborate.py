"""Blocks to primitives: evaluates a spec into the graph.

Every number that a spec comes to is computed here, once, and kept in the frames. Raises diagnostics
and prints nothing; knows primitives by their description only, and no block by name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NoReturn

from archdsl import errors, limits, numbers, tables, tree
from archdsl.diagnostics import Diagnostic, DiagnosticError, Note
from archdsl.graph import Frame, Graph, Node, Output, RowRepeat, Scope, Stage, Value
from archdsl.naming import Names, safe
from archdsl.operations import OPERATIONS, WORDS, Operation, Word
from archdsl.operations.kinds import describe, whole
from archdsl.records import Record
from archdsl.resolve import Program, Unit, bound_names, nearest
from archdsl.source import Source, Span

Callee = type[Operation] | Unit

SIZES = {1: "cw", 2: "chw", 3: "cdhw"}
"""The letters of a map's sizes by its number of spatial axes; a flat vector has `c` alone."""


class OperationValue(Record):
    """An operation as a value, with the arguments bound so far."""

    callee: Callee
    arguments: tuple[tuple[str, Any], ...] = ()

    kind_text = "an operation"

    def __str__(self) -> str:
        return self.callee.name


class Poison:
    """The value of a line with a mistake. Whatever needs it is not to blame."""


class Poisoned(Exception):
    """Something needed a value that an earlier mistake made unknown."""


def elaborate(
    program: Program,
    unit: Unit,
    arguments: dict[str, tuple[Any, Span | None]] | None = None,
    settings: Iterable[tuple[str, tree.Expression]] = (),
    variant: str | None = None,
    class_name: str | None = None,
) -> Graph:
    """The graph of an arch. Raises `DiagnosticError` with all mistakes.

    `settings` are values for parameters, over those of the variant, over the written defaults.
    `arguments` likewise as plain values, from Python.
    """
    elaborator = Elaborator(program)
    try:
        graph = elaborator.arch(unit, arguments or {}, dict(settings), variant, class_name)
    except Diagnostic as problem:
        elaborator.problems.append(problem)
        raise DiagnosticError(elaborator.problems) from None
    except Poisoned:
        raise DiagnosticError(elaborator.problems) from None
    except RecursionError:
        raise DiagnosticError([errors.NestedTooDeep(unit.span, limit=limits.NESTING)]) from None
    if elaborator.problems:
        raise DiagnosticError(elaborator.problems)
    return graph


class Elaborator:
    """One elaboration: collects nodes and problems, and counts work against the limits."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.problems: list[Diagnostic] = []
        self.nodes: list[Node] = []
        self.active: list[Unit] = []
        self.taps: dict[int, dict[str, Value]] = {}
        self.steps = 0
        self._handlers: dict[type[tree.Expression], Callable[[Any, Frame], Any]] = {
            tree.Number: self._number,
            tree.Text: self._text,
            tree.Truth: self._number,
            tree.Absent: self._absent,
            tree.Name: self._name,
            tree.Field: self._field,
            tree.Item: self._item,
            tree.Negation: self._negation,
            tree.Minus: self._minus,
            tree.Binary: self._binary,
            tree.Comparison: self._comparison,
            tree.Tuple: self._tuple,
            tree.List: self._list,
            tree.Choice: self._choice,
            tree.Call: self._call,
            tree.Flow: self._flow,
            tree.Guard: self._guard,
            tree.Conditional: self._conditional,
        }

    # The network

    def arch(
        self,
        unit: Unit,
        arguments: dict[str, tuple[Any, Span | None]],
        settings: dict[str, tree.Expression],
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
                span = settings[name].span if name in settings else None
                self._unknown_parameter(unit, name, span)
        for parameter in unit.parameters:
            name = parameter.name
            value = settings.get(name) or (None if name in arguments else row.get(name))
            if value is None and name in arguments:
                frame.names[name] = arguments[name][0]
            elif value is None and parameter.default is None:
                raise errors.NoValue(parameter.span, parameter=name)
            else:
                frame.names[name] = self.evaluate(value or parameter.default, frame)
            root.arguments[name] = frame.names[name]
        inputs = tuple(self._input(statement, frame) for statement in unit.inputs)
        root.inputs = inputs
        self.active.append(unit)
        outputs = self._body(unit, frame, recover=True)
        self.active.pop()
        if not self.problems and outputs is None:
            raise Poisoned
        named = self._outputs(unit, outputs or [], frame) if not self.problems else ()
        return Graph(
            self.program, unit, class_name, variant, inputs, named, self.nodes, root
        )

    def _variant(
        self, unit: Unit, variant: str | None
    ) -> tuple[dict[str, tree.Expression], str | None]:
        """What a variant's row says of parameters, and the name of its class."""
        if variant is None:
            return {}, None
        rows = unit.variants.rows if unit.variants else ()
        row = next((row for row in rows if row.name == variant), None)
        if row is None:
            known = [row.name for row in rows]
            hint = f"there are {', '.join(known)}" if known else "it has no `variants`"
            raise errors.NoVariant(unit.span, name=unit.name, variant=variant, hint=hint)
        cells = variant_cells(unit, row)
        chosen = cells.pop("as", None)
        if chosen is not None and not isinstance(chosen, tree.Name):
            raise errors.WrongValue(chosen.span, expected="a name for the class", value="this")
        for name in ("params", "macs"):
            cells.pop(name, None)
        if chosen is None:
            return cells, unit.class_name + variant_suffix(unit, variant)
        return cells, chosen.name

    def _input(self, statement: tree.Input, frame: Frame) -> Value:
        sizes = []
        for expression in statement.sizes:
            with _Place(expression.span):
                size = self.evaluate(expression, frame)
                sizes.append(whole(size, "a size: a whole number of at least 1", 1))
        if len(sizes) > 4:
            raise errors.TooManyAxes(statement.span, name=statement.name, count=len(sizes) - 1)
        value = Value(tuple(sizes), None, 0, statement.name)
        self._bind_input(statement.name, value, frame)
        return value

    def _bind_input(self, name: str, value: Any, frame: Frame) -> None:
        frame.names[name] = value
        for alias, current in frame.scope.unit.aliases:
            if current == name:
                frame.names[alias] = value

    def _outputs(self, unit: Unit, values: list[Any], frame: Frame) -> tuple[Output, ...]:
        statement = next(s for s in unit.body if isinstance(s, tree.Return))
        outputs: list[Output] = []
        taken: set[str] = set()
        for expression, value in zip(statement.values, values):
            training = is_training_only(expression)
            if isinstance(expression, tree.Guard) and training:
                expression = expression.value
            if not isinstance(value, Value):
                raise errors.NotATensor(expression.span, what=numbers.kind_of(value))
            name = expression.name if isinstance(expression, tree.Name) else ""
            if isinstance(expression, tree.Field):
                name = expression.name
            name = name or ("out" if len(values) == 1 else f"out_{len(outputs)}")
            while name in taken:
                name += "_"
            taken.add(name)
            outputs.append(Output(name, value, training))
        if all(output.training for output in outputs):
            raise errors.TrainingOnly(statement.span)
        return tuple(outputs)

    # Bodies

    def _body(self, unit: Unit, frame: Frame, recover: bool = False) -> list[Any] | None:
        """Run the statements of a unit; the returned values, or none where mistakes hide them."""
        names = names_of(unit)
        outputs: list[Any] | None = None
        for statement in unit.body:
            try:
                if isinstance(statement, tree.Return):
                    outputs = self._return(statement, frame)
                else:
                    self._statement(statement, frame, names)
            except Diagnostic as problem:
                problem.span = problem.span or statement.span
                if not recover:
                    raise
                self.problems.append(problem)
                frame.names.update(dict.fromkeys(bound_names(statement), Poison()))
            except Poisoned:
                if not recover:
                    raise
                frame.names.update(dict.fromkeys(bound_names(statement), Poison()))
        return outputs

    def _statement(self, statement: tree.Statement, frame: Frame, names: Names) -> None:
        if isinstance(statement, tree.Assign):
            if id(statement) in names.live:
                self._assign(statement, frame)
            else:  # checked all the same, but it is no part of the network
                kept = self.nodes
                self.nodes = []
                self._assign(statement, frame)
                self.nodes = kept
        elif isinstance(statement, tree.Let):
            value = self.evaluate(statement.value, frame)
            if isinstance(value, Value):
                raise errors.TensorInLet(statement.span, name=statement.name)
            frame.names[statement.name] = value
        elif isinstance(statement, tree.Repeat):
            self._repeat(statement, frame, names)
        elif isinstance(statement, tree.Default):
            self._default(statement.call, frame)
        elif isinstance(statement, tree.Require):
            if not self._truth(statement.condition, frame):
                text = self._message(statement, frame)
                raise errors.RequirementFailed(statement.condition.span, text=text)

    def _assign(self, statement: tree.Assign, frame: Frame) -> None:
        targets = statement.targets
        value = self.evaluate(statement.value, frame)
        if len(targets) == 1:
            self._check_tensors(value, statement)
            frame.names[targets[0].name] = value
            if isinstance(value, Value) and not value.name and value.node is not None:
                value.name = targets[0].name
            return
        if isinstance(statement.value, tree.Guard) and isinstance(value, Value):
            value = [value] * len(targets)
        if not isinstance(value, list | tuple) or len(value) != len(targets):
            count = len(value) if isinstance(value, list | tuple) else 1
            raise errors.WrongCount(statement.span, targets=len(targets), count=count)
        for target, item in zip(targets, value):
            self._check_tensors(item, statement)
            frame.names[target.name] = item

    def _check_tensors(self, value: Any, statement: tree.Assign) -> None:
        if isinstance(value, Value) or value is None:
            return
        if isinstance(value, list | tuple):
            if all(isinstance(item, Value) for item in value):
                return
        raise errors.NumberInLine(
            statement.span, name=statement.targets[0].name, what=numbers.kind_of(value)
        )

    def _repeat(self, statement: tree.Repeat, frame: Frame, names: Names) -> None:
        bounds = []
        for expression in (statement.start, statement.stop):
            with _Place(expression.span):
                bound = self.evaluate(expression, frame)
                bounds.append(whole(bound, "a whole number"))
        start, stop = bounds
        if stop - start > limits.OPERATIONS:
            raise errors.TooManyRepeats(statement.span, count=stop - start, limit=limits.OPERATIONS)
        if statement.variable in frame.names:
            raise errors.DefinedTwice(statement.span, name=statement.variable)
        carried = bound_names(statement) & set(frame.names)
        rounds = frame.loops[id(statement)] = []
        for i in range(start, stop):
            inner = Frame({**frame.names, statement.variable: i}, frame.scope, frame)
            inner.rounds = (*frame.rounds, str(i - start))
            rounds.append(inner)
            for line in statement.body:
                try:
                    self._statement(line, inner, names)
                except Diagnostic as problem:
                    problem.span = problem.span or line.span
                    raise
            for name in carried:
                frame.names[name] = inner.names[name]

    def _default(self, call: tree.Call, frame: Frame) -> None:
        callee = self._callee(call.name, frame, call.span)
        if isinstance(callee, OperationValue):
            callee = callee.callee
        values = {}
        for argument in call.arguments:
            if argument.name is None:
                raise errors.SetByName(argument.span)
            self._check_parameter(callee, argument.name, argument.span)
            words = _words(callee, argument.name)
            values[argument.name] = self._argument(argument.value, frame, words)
        merged = {**frame.defaults.get(callee, {}), **values}
        frame.defaults = {**frame.defaults, callee: merged}

    def _message(self, statement: tree.Require, frame: Frame) -> str:
        """The text of `require`, its `{names}` filled in."""
        import re  # only a mistake needs it

        def value(match: re.Match[str]) -> str:
            name = match[1]
            if name not in frame.names:
                raise errors.UnknownName(
                    statement.message_span, kind="value", name=name,
                    hint=_did_you_mean(nearest(name, frame.names)),
                )  # fmt: skip
            return describe(frame.names[name])

        return re.sub(r"\{([A-Za-z_][A-Za-z_0-9]*)\}", value, statement.message)

    def _return(self, statement: tree.Return, frame: Frame) -> list[Any]:
        values = []
        for expression in statement.values:
            if is_training_only(expression):
                if frame.scope.parent is not None:
                    if frame.scope.unit.kind == "arch":
                        continue  # a network used as a block gives what it gives in use
                    raise errors.TrainingInBlock(expression.span)
                expression = expression.value
            value = self.evaluate(expression, frame)
            if isinstance(expression, tree.Name) is False and isinstance(value, Value):
                value.name = value.name or "out"
            values.append(value)
        return values

    # Expressions

    def evaluate(self, expression: tree.Expression, frame: Frame) -> Any:
        """The value of an expression; kept in the frame's trace."""
        self.steps += 1
        if self.steps > limits.STEPS:
            raise errors.TooMuchWork(expression.span, limit=limits.STEPS)
        value = self._handlers[type(expression)](expression, frame)
        frame.trace[id(expression)] = value
        return value

    def _number(self, expression: tree.Number | tree.Truth, frame: Frame) -> Any:
        return expression.value

    def _text(self, expression: tree.Text, frame: Frame) -> NoReturn:
        raise errors.TextAsValue(expression.span)

    def _absent(self, expression: tree.Absent, frame: Frame) -> None:
        return None

    def _name(self, expression: tree.Name, frame: Frame) -> Any:
        name = expression.name
        try:
            value = frame.names[name]
        except KeyError:
            return self._outside_name(expression, frame)
        if type(value) is Poison:
            raise Poisoned
        return value

    def _outside_name(self, expression: tree.Name, frame: Frame) -> Any:
        """A name that is no value here: an operation, or a word."""
        name = expression.name
        callee = self.program.find(name, expression.span.source) or OPERATIONS.get(name)
        if callee is not None:
            return OperationValue(callee)
        if name in WORDS:
            return Word(name)
        self._unknown("value", name, frame, expression.span)

    def _field(self, expression: tree.Field, frame: Frame) -> Any:
        of = self.evaluate(expression.of, frame)
        name = expression.name
        if isinstance(of, Value):
            taps = self.taps.get(id(of), {})
            if name in taps:
                return taps[name]
            letters = SIZES.get(len(of.shape) - 1, "c")
            if name in letters:
                return of.shape[letters.index(name)]
            if len(name) == 1 and name in "chwd":
                shape = "x".join(map(str, of.shape))
                raise errors.NoSuchSize(expression.span, name=name, shape=shape)
            known = [*letters, *taps]
            hint = _did_you_mean(nearest(name, known)) or f"there are {', '.join(known)}"
            raise errors.UnknownField(expression.span, name=name, hint=hint)
        raise errors.NotATensor(expression.of.span, what=numbers.kind_of(of))

    def _item(self, expression: tree.Item, frame: Frame) -> Any:
        of = self.evaluate(expression.of, frame)
        index = self.evaluate(expression.index, frame)
        if not isinstance(of, list | tuple):
            raise errors.NotAList(expression.of.span, what=numbers.kind_of(of))
        with _Place(expression.index.span):
            position = whole(index, "a whole number as index")
        if not -len(of) <= position < len(of):
            raise errors.NoSuchItem(expression.index.span, index=position, count=len(of))
        return of[position]

    def _negation(self, expression: tree.Negation, frame: Frame) -> bool:
        return not self._truth(expression.operand, frame)

    def _minus(self, expression: tree.Minus, frame: Frame) -> Any:
        value = self.evaluate(expression.operand, frame)
        if isinstance(value, Value):
            return self._apply("mul", (value,), {"number": -1}, frame, expression.span)
        with _Place(expression.span):
            return numbers.calculate("-", 0, value)

    def _binary(self, expression: tree.Binary, frame: Frame) -> Any:
        sign = expression.operator
        if sign in ("and", "or"):
            if self._truth(expression.left, frame) is (sign == "or"):
                return sign == "or"
            return self._truth(expression.right, frame)
        left = self.evaluate(expression.left, frame)
        right = self.evaluate(expression.right, frame)
        if type(left) is Value or type(right) is Value or left is None or right is None:
            return self._tensor_arithmetic(expression, left, right, frame)
        with _Place(expression.span):
            return numbers.calculate(sign, left, right)

    def _tensor_arithmetic(
        self, expression: tree.Binary, left: Any, right: Any, frame: Frame
    ) -> Any:
        sign, span = expression.operator, expression.span
        both = (left, right)
        if None in both:
            other = right if left is None else left
            if sign == "+" and (isinstance(other, Value) or other is None):
                return other
            absent = expression.left if left is None else expression.right
            raise errors.AbsentTensor(absent.span, what=f"`{sign}`")
        name = {"+": "add", "-": "sub", "*": "mul"}.get(sign)
        if all(isinstance(item, Value) for item in both) and name:
            return self._apply(name, both, {}, frame, span)
        tensor = left if isinstance(left, Value) else right
        number = right if tensor is left else left
        if not numbers.is_number(number) or (sign == "/" and (tensor is right or not number)):
            kinds = f"{numbers.kind_of(left)} and {numbers.kind_of(right)}"
            raise errors.WrongOperands(span, operator=sign, kinds=kinds)
        if sign == "/":
            return self._apply("mul", (tensor,), {"number": 1 / number}, frame, span)
        if name is None:
            kinds = f"{numbers.kind_of(left)} and {numbers.kind_of(right)}"
            raise errors.WrongOperands(span, operator=sign, kinds=kinds)
        arguments = {"number": number}
        if name == "sub" and tensor is right:
            arguments["reverse"] = True
        return self._apply(name, (tensor,), arguments, frame, span)

    def _comparison(self, expression: tree.Comparison, frame: Frame) -> bool:
        left = self.evaluate(expression.operands[0], frame)
        for sign, operand in zip(expression.operators, expression.operands[1:]):
            right = self.evaluate(operand, frame)
            with _Place(expression.span):
                if not numbers.compare(sign, left, right):
                    return False
            left = right
        return True

    def _truth(self, expression: tree.Expression, frame: Frame) -> bool:
        value = self.evaluate(expression, frame)
        if isinstance(value, bool):
            return value
        raise errors.NotACondition(expression.span, what=numbers.kind_of(value))

    def _tuple(self, expression: tree.Tuple, frame: Frame) -> Any:
        return tuple([self.evaluate(item, frame) for item in expression.items])

    def _list(self, expression: tree.List, frame: Frame) -> Any:
        return [self.evaluate(item, frame) for item in expression.items]

    def _choice(self, expression: tree.Choice, frame: Frame) -> NoReturn:
        raise errors.OpenChoice(expression.span)

    def _conditional(self, expression: tree.Conditional, frame: Frame) -> Any:
        if self._truth(expression.condition, frame):
            return self.evaluate(expression.value, frame)
        return self.evaluate(expression.otherwise, frame)

    def _guard(self, expression: tree.Guard, frame: Frame) -> Any:
        flow = expression.value
        if not isinstance(flow, tree.Flow) or not isinstance(flow.source, tree.Name | tree.Field):
            raise errors.GuardWithoutSource(expression.span)
        if self._truth(expression.condition, frame):
            return self.evaluate(flow, frame)
        return self.evaluate(flow.source, frame)

    def _flow(self, expression: tree.Flow, frame: Frame) -> Any:
        value = self.evaluate(expression.source, frame)
        run = Run()
        for step in expression.steps:
            if isinstance(step, tree.Stages):
                value = self._stages(step, value, frame)
                run.mixed = True
            else:
                value = self._invoke(step, frame, value, run)
            frame.trace[id(step)] = value
        return value

    # Calls

    def _call(self, expression: tree.Call, frame: Frame) -> Any:
        """A call outside a flow: arithmetic, an operation applied, or an operation as a value."""
        name = expression.name
        is_plain = name in numbers.FUNCTIONS or name == "len"
        if is_plain and name not in frame.names:
            if self.program.find(name, expression.span.source) is None:
                values = []
                for argument in expression.arguments:
                    if argument.name is not None:
                        raise errors.NamedForFunction(argument.span, function=name)
                    values.append(self.evaluate(argument.value, frame))
                with _Place(expression.span):
                    return numbers.call(name, values)
        if self._is_word(name, expression, frame):
            return self._word(expression, frame)
        return self._invoke(expression, frame, _NOTHING, Run())

    def _is_word(self, name: str, expression: tree.Call, frame: Frame) -> bool:
        return (
            name in WORDS
            and name not in frame.names
            and name not in OPERATIONS
            and self.program.find(name, expression.span.source) is None
        )

    def _word(self, expression: tree.Call, frame: Frame) -> Word:
        """A word with arguments: `kaiming_normal(fan_out)`."""
        values = []
        for argument in expression.arguments:
            if argument.name is not None:
                raise errors.NamedForFunction(argument.span, function=expression.name)
            values.append(self._argument(argument.value, frame, WORDS))
        return Word(expression.name, tuple(values))

    def _argument(
        self, expression: tree.Expression, frame: Frame, words: Iterable[str] = ()
    ) -> Any:
        """An argument's value; a name among `words` is that word, unless a value here has it."""
        if words and isinstance(expression, tree.Name | tree.Call):
            if expression.name in words and expression.name not in frame.names:
                if isinstance(expression, tree.Call):
                    return self._word(expression, frame)
                return Word(expression.name)
        return self.evaluate(expression, frame)

    def _callee(self, name: str, frame: Frame, span: Span) -> Callee | OperationValue:
        """What a called name means: a parameter's operation, a block, a primitive, in this order."""
        value = frame.names.get(name)
        if isinstance(value, OperationValue):
            return value
        if type(value) is Poison:
            raise Poisoned
        callee = self.program.find(name, span.source) or OPERATIONS.get(name)
        if callee is not None:
            return callee
        if name in frame.names:
            raise errors.NotAnOperation(span, name=name, what=numbers.kind_of(value))
        self._unknown("operation", name, frame, span)

    def _invoke(self, call: tree.Call, frame: Frame, flowing: Any, run: Run) -> Any:
        """Call an operation; `flowing` is the value that a flow brings, as the first tensor."""
        callee = self._callee(call.name, frame, call.span)
        arguments: dict[str, Any] = {}
        if isinstance(callee, OperationValue):
            arguments = dict(callee.arguments)
            callee = callee.callee
        tensors: list[Any] = [] if flowing is _NOTHING else [flowing]
        slots = _tensor_slots(callee)
        variadic = bool(slots) and slots[0].startswith("*")
        parameters = _number_names(callee)
        position = 0
        given: dict[str, Span] = {}
        named_tensors: dict[str, Any] = {}
        for argument in call.arguments:
            name = argument.name
            if name is None:
                words = _words(callee, parameters[position]) if position < len(parameters) else ()
                value = self._argument(argument.value, frame, words)
                is_tensor = type(value) is Value or (
                    isinstance(value, list) and any(type(item) is Value for item in value)
                )
                room = variadic or len(tensors) < len(slots)
                if room and (is_tensor or (value is None and position == 0)) or (
                    variadic and isinstance(value, list)
                ):
                    if isinstance(value, list) and variadic:
                        tensors += value
                    else:
                        tensors.append(value)
                    continue
                if position >= len(parameters):
                    raise errors.TooManyArguments(
                        argument.span, callee=callee.name, count=len(parameters)
                    )
                name = parameters[position]
                position += 1
            elif name in slots or name + "?" in slots:
                named_tensors[name] = self.evaluate(argument.value, frame)
                continue
            else:
                self._check_parameter(callee, name, argument.span)
                value = self._argument(argument.value, frame, _words(callee, name))
            if name in given:
                raise errors.ArgumentTwice(argument.span, parameter=name)
            given[name] = argument.span
            arguments[name] = value
        for argument in call.overrides:
            if argument.name is None:
                raise errors.SetByName(argument.span)
            self._check_parameter(callee, argument.name, argument.span)
            words = _words(callee, argument.name)
            arguments[argument.name] = self._argument(argument.value, frame, words)
            given[argument.name] = argument.span
        if not tensors and not named_tensors and not variadic:
            return OperationValue(callee, tuple(arguments.items()))
        if named_tensors:
            self._place_tensors(slots, tensors, named_tensors, call.span)
        scope_name = names_of(frame.scope.unit).scopes.get(id(call), (safe(callee.name),))
        if frame.rounds:
            scope_name = (scope_name[0], *frame.rounds, *scope_name[1:])
        try:
            return self._run(callee, tensors, arguments, frame, call, scope_name, run)
        except Diagnostic as problem:
            if problem.span is None:
                problem.span = given.get(problem.argument or "", call.span)
            raise

    def _place_tensors(
        self, slots: tuple[str, ...], tensors: list[Any], named: dict[str, Any], span: Span
    ) -> None:
        """Put tensors given by name where they belong among those given by place."""
        for i, slot in enumerate(slots):
            name = slot.rstrip("?")
            if name in named:
                if i < len(tensors):
                    raise errors.ArgumentTwice(span, parameter=name)
                tensors += [None] * (i - len(tensors))
                tensors.append(named[name])

    def _run(
        self,
        callee: Callee,
        tensors: list[Any],
        arguments: dict[str, Any],
        frame: Frame,
        call: tree.Call,
        name: tuple[str, ...],
        run: Run,
    ) -> Any:
        """Apply a primitive or expand a block; the tensor or tensors that come out."""
        if isinstance(callee, Unit):
            run.mixed = True
            scope = self._expand(callee, tensors, arguments, frame, name, call.span)
            frame.made[id(call)] = scope
            return scope.outputs[0] if len(scope.outputs) == 1 else list(scope.outputs)
        inputs = self._inputs(callee, tensors, call)
        if callee.flattens and len(inputs[0].shape) > 1:
            inputs, name = self._flatten(inputs, frame, call, name, run)
        elif run.shift and len(name) > 1:
            name = (*name[:-1], str(int(name[-1]) + run.shift))
        run.mixed = run.mixed or not callee.elementwise
        node = self._node(callee, inputs, arguments, frame, name, call.span)
        frame.made[id(call)] = node
        return node.outputs[0] if len(node.outputs) == 1 else list(node.outputs)

    def _flatten(
        self, inputs: tuple[Value, ...], frame: Frame, call: tree.Call, name: tuple[str, ...], run: Run
    ) -> tuple[tuple[Value, ...], tuple[str, ...]]:
        """Put the flatten that a 1x1 map needs before the operation.

        Where only elementwise steps stand before it in its run, it can be done before the run and is
        no step of it; else it is, and those after it count from there.
        """
        if any(size != 1 for size in inputs[0].shape[1:]):
            return inputs, name
        operation = OPERATIONS["flatten"]
        if run.mixed and len(name) > 1:
            index = int(name[-1]) + run.shift
            flat = self._node(operation, inputs, {}, frame, (*name[:-1], str(index)), call.span)
            run.shift += 1
            return (flat.outputs[0],), (*name[:-1], str(index + 1))
        flat = self._node(operation, inputs, {}, frame, (*name, "flatten"), call.span)
        return (flat.outputs[0],), name

    def _inputs(
        self, operation: type[Operation], tensors: list[Any], call: tree.Call | tree.Row
    ) -> tuple[Value, ...]:
        """The tensors for a primitive, checked against its signature."""
        slots = operation.tensors
        variadic = slots[0].startswith("*")
        if variadic:
            flat: list[Any] = []
            for item in tensors:
                flat += item if isinstance(item, list) else [item]
            tensors = [item for item in flat if item is not None]
            if not tensors:
                raise errors.AbsentTensor(call.span, what=f"`{operation.name}`")
        else:
            while tensors and tensors[-1] is None and len(tensors) > 1:
                tensors = tensors[:-1]  # an optional tensor that is not there
            least = sum(not slot.endswith("?") for slot in slots)
            if not least <= len(tensors) <= len(slots):
                raise errors.WrongTensors(
                    call.span, callee=operation.name, expected=least, given=len(tensors)
                )
        for item in tensors:
            if item is None:
                raise errors.AbsentTensor(call.span, what=f"`{operation.name}`")
            if isinstance(item, list):
                raise errors.ListAsTensor(call.span, callee=operation.name, count=len(item))
            if not isinstance(item, Value):
                raise errors.NotATensor(call.span, what=numbers.kind_of(item))
        return tuple(tensors)

    def _apply(
        self, name: str, inputs: tuple[Any, ...], arguments: dict[str, Any], frame: Frame, span: Span
    ) -> Value:
        """Apply an operator of arithmetic."""
        with _Place(span):
            node = self._node(OPERATIONS[name], inputs, arguments, frame, (name,), span)
        return node.outputs[0]

    def _node(
        self,
        operation: type[Operation],
        inputs: tuple[Value, ...],
        arguments: dict[str, Any],
        frame: Frame,
        name: tuple[str, ...],
        span: Span,
    ) -> Node:
        defaults = frame.defaults.get(operation)
        if defaults:
            arguments = {**defaults, **arguments}
        node = Node(
            operation_of(operation, tuple([value.shape for value in inputs]), arguments),
            inputs,
            frame.scope,
            name,
            span,
        )
        self.nodes.append(node)
        if len(self.nodes) > limits.OPERATIONS:
            raise errors.TooManyOperations(limit=limits.OPERATIONS)
        return node

    def _expand(
        self,
        unit: Unit,
        tensors: list[Any],
        arguments: dict[str, Any],
        frame: Frame,
        name: tuple[str, ...],
        span: Span,
        row: RowRepeat | None = None,
    ) -> Scope:
        """Evaluate a block for these arguments."""
        if unit in self.active:
            chain = [u.name for u in self.active[self.active.index(unit) :]]
            raise errors.BlockUsesItself(span, chain=" -> ".join([*chain, unit.name]))
        if len(self.active) > limits.EXPANSION:
            raise errors.ExpandsTooDeep(span, limit=limits.EXPANSION)
        scope = Scope(unit, frame.scope, name, span, row)
        inner = scope.frame
        inner.defaults = frame.defaults
        slots = unit.tensors
        if len(tensors) > len(slots):
            raise errors.WrongTensors(span, callee=unit.name, expected=len(slots), given=len(tensors))
        for i, slot in enumerate(slots):
            optional = isinstance(slot, tree.Parameter) and slot.default is not None
            value = tensors[i] if i < len(tensors) else None
            if value is None and not optional:
                if i < len(tensors):
                    raise errors.AbsentTensor(span, what=f"`{unit.name}`")
                raise errors.MissingTensor(span, callee=unit.name, tensor=slot.name)
            if not isinstance(value, Value | list | None):
                raise errors.NotATensor(span, what=numbers.kind_of(value))
            self._bind_input(slot.name, value, inner)
        scope.inputs = tuple(inner.names[slot.name] for slot in slots)
        defaults = frame.defaults.get(unit, {})
        self.active.append(unit)
        try:
            for parameter in unit.numbers:
                key = parameter.name
                if key in arguments:
                    value = arguments[key]
                elif key in defaults:
                    value = defaults[key]
                elif parameter.default is None:
                    raise errors.MissingArgument(
                        span, callee=unit.name, parameter=key, doc="it has no default"
                    )
                else:
                    value = self.evaluate(parameter.default, inner)
                inner.names[key] = scope.arguments[key] = value
            outputs = self._body(unit, inner) or []
        except Diagnostic as problem:
            if problem.span is not span and problem.span is not None:
                problem.notes.insert(0, Note(problem.span, f"in `{unit.name}`, here"))
                problem.span = span
            raise
        finally:
            self.active.pop()
        for value in outputs:
            if not isinstance(value, Value):
                raise errors.NotATensor(span, what=numbers.kind_of(value))
        scope.outputs = tuple(outputs)
        return scope

    # Tables

    def _stages(self, table: tree.Stages, value: Any, frame: Frame) -> Value:
        if not isinstance(value, Value):
            what = "none" if value is None else numbers.kind_of(value)
            raise errors.NotATensor(table.span, what=what)
        plans = _plans(table)
        if not plans:
            raise errors.EmptyTable(table.span)
        shared = self._shared(table, plans, frame)
        callees: list[tuple[Callee, dict[str, Any]]] = []
        counts: list[int] = []
        for plan in plans:
            callee = self._callee(plan.row.name, frame, plan.row.name_span)
            bound: dict[str, Any] = {}
            if isinstance(callee, OperationValue):
                bound, callee = dict(callee.arguments), callee.callee
            for name, entry in plan.entries.items():
                if name == "n" and name in _number_names(callee):
                    raise errors.RepeatsOrParameter(entry.span, callee=callee.name)
                if name not in tables.RESERVED:
                    self._check_parameter(callee, name, entry.span)
            callees.append((callee, bound))
            counts.append(self._count(plan, callee, shared, frame))
        total = sum(n for n, (callee, _) in zip(counts, callees) if isinstance(callee, Unit))
        name = names_of(frame.scope.unit).scopes.get(id(table), ("stages",))
        name = (name[0], *frame.rounds, *name[1:])
        taps: dict[str, Value] = {}
        stages = frame.loops[id(table)] = []
        index = 0
        for plan, (callee, bound), count in zip(plans, callees, counts):
            stage = Stage(plan.name, plan.row, frame.scope, "n" in plan.entries, value)
            stages.append(stage)
            for rep in range(count):
                step = (*name, safe(plan.name), *((str(rep),) if stage.numbered else ()))
                inner = Frame(
                    {**frame.names, "index": index, "total": total, "rep": rep}, frame.scope, frame
                )
                arguments = self._row_arguments(plan, callee, bound, shared, inner, rep)
                repeat = RowRepeat(stage, rep, inner, arguments)
                repeat.input = value
                value = self._row(plan, callee, value, repeat, step)
                repeat.output = value
                stage.repeats.append(repeat)
                index += isinstance(callee, Unit)
            stage.output = value
            taps[plan.name] = value
        self.taps[id(value)] = taps
        return value

    def _shared(
        self, table: tree.Stages, plans: list[tables.RowPlan], frame: Frame
    ) -> dict[str, tables.Entry]:
        """The arguments of `stages(...)`, each of use to some row."""
        shared: dict[str, tables.Entry] = {}
        known: set[str] = set(tables.RESERVED[1:])
        for plan in plans:
            callee = self._callee(plan.row.name, frame, plan.row.name_span)
            callee = callee.callee if isinstance(callee, OperationValue) else callee
            known.update(_number_names(callee))
        for argument in table.arguments:
            if argument.name is None:
                raise errors.SetByName(argument.span)
            if argument.name not in known:
                hint = _did_you_mean(nearest(argument.name, known))
                raise errors.NoRowHas(argument.span, parameter=argument.name, hint=hint)
            if argument.name in shared:
                raise errors.ArgumentTwice(argument.span, parameter=argument.name)
            shared[argument.name] = tables.Entry(argument.value, argument.span)
        return shared

    def _setting(
        self,
        name: str,
        plan: tables.RowPlan,
        callee: Callee,
        shared: dict[str, tables.Entry],
        frame: Frame,
    ) -> Any:
        """What a row, or else the table, says of scaling; none where neither does.

        A block that has a parameter of that name means its own.
        """
        entry = plan.entries.get(name) or shared.get(name)
        if entry is None or name in _number_names(callee):
            return None
        return self._argument(entry.value, frame, ("up", "nearest"))

    def _count(
        self, plan: tables.RowPlan, callee: Callee, shared: dict[str, tables.Entry], frame: Frame
    ) -> int:
        """How often a row is repeated: `n`, times `depth` rounded up."""
        entry = plan.entries.get("n")
        span = entry.span if entry else plan.row.span
        with _Place(span):
            count = 1 if entry is None else self.evaluate(entry.value, frame)
            count = whole(count, "a whole number of repeats, at least 0", 0)
            depth = self._setting("depth", plan, callee, shared, frame)
            if depth is not None and entry is not None:
                rounding = self._setting("depth_round", plan, callee, shared, frame) or Word("up")
                if rounding not in (Word("up"), Word("nearest")):
                    raise errors.WrongValue(expected="up or nearest", value=describe(rounding))
                scaled = numbers.calculate("*", count, depth)
                count = numbers.call("ceil" if rounding.name == "up" else "round", [scaled])
                count = whole(count, "a whole number of repeats, at least 0", 0)
            if count > limits.OPERATIONS:
                raise errors.TooManyRepeats(count=count, limit=limits.OPERATIONS)
        return count

    def _row_arguments(
        self,
        plan: tables.RowPlan,
        callee: Callee,
        bound: dict[str, Any],
        shared: dict[str, tables.Entry],
        frame: Frame,
        rep: int,
    ) -> dict[str, Any]:
        """The arguments of one repeat of a row."""
        arguments = dict(bound)
        parameters = _number_names(callee)
        for name in parameters:
            entry = plan.entries.get(name) or shared.get(name)
            if entry is None:
                continue
            if name == "s" and rep > 0:
                arguments[name] = 1
                continue
            value = self._argument(entry.value, frame, _words(callee, name))
            if name == "c":
                width = self._setting("width", plan, callee, shared, frame)
                if width is not None:
                    divisor = self._setting("divisor", plan, callee, shared, frame)
                    with _Place(entry.span):
                        scaled = numbers.calculate("*", value, width)
                        value = numbers.call("divisible", [scaled, 8 if divisor is None else divisor])
            arguments[name] = value
        return arguments

    def _row(
        self,
        plan: tables.RowPlan,
        callee: Callee,
        value: Value,
        repeat: RowRepeat,
        name: tuple[str, ...],
    ) -> Value:
        frame, span = repeat.frame, plan.row.span
        try:
            if isinstance(callee, Unit):
                if len(callee.tensors) != 1:
                    raise errors.WrongTensors(
                        span, callee=callee.name, expected=len(callee.tensors), given=1
                    )
                scope = self._expand(callee, [value], repeat.arguments, frame, name, span, repeat)
                repeat.made = scope
                if len(scope.outputs) != 1:
                    raise errors.RowGivesMany(
                        span, callee=callee.name, count=len(scope.outputs)
                    )
                return scope.outputs[0]
            inputs = self._inputs(callee, [value], plan.row)
            if callee.flattens and len(value.shape) > 1 and all(n == 1 for n in value.shape[1:]):
                flatten = OPERATIONS["flatten"]
                flat = self._node(flatten, inputs, {}, frame, (*name, "0"), span)
                inputs, name = flat.outputs, (*name, "1")
            node = self._node(callee, inputs, repeat.arguments, frame, name, span)
            repeat.made = node
            if len(node.outputs) != 1:
                raise errors.RowGivesMany(span, callee=callee.name, count=len(node.outputs))
            return node.outputs[0]
        except Diagnostic as problem:
            if problem.span is None:
                entry = plan.entries.get(problem.argument or "")
                problem.span = entry.span if entry else span
            raise

    # Names that are not there

    def _check_parameter(self, callee: Callee, name: str, span: Span) -> None:
        known = _number_names(callee)
        if name not in known:
            self._unknown_parameter(callee, name, span)

    def _unknown_parameter(self, callee: Callee, name: str, span: Span | None) -> NoReturn:
        known = _number_names(callee)
        hint = _did_you_mean(nearest(name, known))
        if not hint:
            hint = f"it has {', '.join(known)}" if known else "it has no parameters"
        raise errors.UnknownParameter(span, callee=callee.name, parameter=name, hint=hint)

    def _unknown(self, kind: str, name: str, frame: Frame, span: Span) -> NoReturn:
        known: set[str] = {*OPERATIONS}
        if kind == "value":
            known |= {*WORDS, *frame.names}
        else:
            known |= {n for n, v in frame.names.items() if isinstance(v, OperationValue)}
        near = self.program.nearest(name, span.source, known)
        raise errors.UnknownName(span, kind=kind, name=name, hint=_did_you_mean(near))


class Run:
    """Where in a run of steps an evaluation is: see `Elaborator._flatten`."""

    __slots__ = ("mixed", "shift")

    def __init__(self) -> None:
        self.mixed = False
        self.shift = 0


class _Place:
    """Gives diagnostics raised inside a place, where they have none."""

    __slots__ = ("span",)

    def __init__(self, span: Span) -> None:
        self.span = span

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, problem: BaseException | None, trace: object) -> None:
        if isinstance(problem, Diagnostic) and problem.span is None:
            problem.span = self.span


_NOTHING: Any = object()

_names: dict[int, tuple[Unit, Names]] = {}
_plans_by_table: dict[int, tuple[tree.Stages, list[tables.RowPlan]]] = {}
_operations: dict[Any, Operation] = {}


def names_of(unit: Unit) -> Names:
    """The names in a unit, computed once."""
    found = _names.get(id(unit))
    if found is None:
        found = _names[id(unit)] = (unit, Names(unit))
    return found[1]


def _plans(table: tree.Stages) -> list[tables.RowPlan]:
    found = _plans_by_table.get(id(table))
    if found is None:
        found = _plans_by_table[id(table)] = (table, tables.plan(table))
    return found[1]


def operation_of(
    kind: type[Operation], inputs: tuple[tuple[int, ...], ...], arguments: dict[str, Any]
) -> Operation:
    """An operation applied to shapes. Equal ones are made once: networks repeat themselves."""
    try:
        # 1 and true are equal to Python and not to us.
        key = (kind, inputs, *arguments.items(), *map(type, arguments.values()))
        found = _operations.get(key)
    except TypeError:  # a list among the arguments
        return kind(inputs, arguments)
    if found is None:
        found = kind(inputs, arguments)
        if len(_operations) > 20_000:
            _operations.clear()
        _operations[key] = found
    return found


def is_training_only(expression: tree.Expression) -> bool:
    """Whether a returned value is written `value if training`."""
    return (
        isinstance(expression, tree.Guard)
        and isinstance(expression.condition, tree.Name)
        and expression.condition.name == "training"
    )


def variant_cells(unit: Unit, row: tree.Variant) -> dict[str, tree.Expression]:
    """The cells of a variant by column; every column is a parameter, `params`, `macs` or `as`."""
    assert unit.variants is not None
    known = {parameter.name for parameter in unit.parameters}
    columns = unit.variants.columns
    for column in columns:
        if column.name not in known and column.name not in ("params", "macs", "as"):
            hint = _did_you_mean(nearest(column.name, known))
            raise errors.UnknownParameter(
                column.span, callee=unit.name, parameter=column.name, hint=hint
            )
    if len(row.cells) > len(columns):
        span = row.cells[len(columns)].span
        raise errors.TooManyCells(span, cells=len(row.cells), columns=len(columns))
    cells: dict[str, tree.Expression] = {}
    for i, cell in enumerate(row.cells):
        name = cell.name or columns[i].name
        if cell.value is not None:
            if name in cells:
                raise errors.ArgumentTwice(cell.span, parameter=name)
            cells[name] = cell.value
    return cells


def variant_suffix(unit: Unit, variant: str) -> str:
    """What a variant adds to the name of the class: `b0` of `EfficientNet` is `EfficientNetB0`."""
    from archdsl.resolve import camel_case

    return camel_case(variant.removeprefix(unit.name))


def _tensor_slots(callee: Callee) -> tuple[str, ...]:
    if isinstance(callee, Unit):
        found = []
        for slot in callee.tensors:
            optional = isinstance(slot, tree.Parameter) and slot.default is not None
            found.append(slot.name + ("?" if optional else ""))
        return tuple(found)
    return callee.tensors


_parameter_names: dict[int, tuple[Callee, tuple[str, ...]]] = {}


def _number_names(callee: Callee) -> tuple[str, ...]:
    found = _parameter_names.get(id(callee))
    if found is None:
        if isinstance(callee, Unit):
            names = tuple(parameter.name for parameter in callee.numbers)
        else:
            names = tuple(callee.parameters)
        found = _parameter_names[id(callee)] = (callee, names)
    return found[1]


def _words(callee: Callee, name: str) -> tuple[str, ...]:
    return () if isinstance(callee, Unit) else callee.parameters[name].kind.words


def _did_you_mean(near: str) -> str:
    return f"did you mean `{near}`?" if near else ""
