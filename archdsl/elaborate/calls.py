"""Calls: what a called name means, how arguments find their parameters, and what comes of it.

A call of a primitive makes a node, a call of a block a scope in which its body is evaluated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from archdsl.diagnostics import errors
from archdsl.diagnostics.diagnostic import Diagnostic
from archdsl.diagnostics.source import Span
from archdsl.elaborate.expressions import Callee, Evaluator, OperationValue, Poison, Poisoned
from archdsl.frontend import ast
from archdsl.frontend.program import Program
from archdsl.frontend.python_names import submodule_name
from archdsl.frontend.scopes import names_of
from archdsl.frontend.units import Unit
from archdsl.ir.graph import Frame, Node, RowRepeat, Scope, Value
from archdsl.ops import OPERATIONS, WORDS, Operation, numbers
from archdsl.ops.kinds import describe
from archdsl.ops.numbers import is_function
from archdsl.support import limits

if TYPE_CHECKING:
    from archdsl.frontend.scopes import Names

ROUNDED = 0.1
"""Largest relative rounding of channels without a warning."""


class Signature(NamedTuple):
    """Parameters of a block or primitive."""

    tensors: tuple[str, ...]
    least: int
    """Number of required tensors."""
    variadic: bool
    """True if it takes any number of tensors, or lists of them."""
    numbers: tuple[str, ...]
    """Its other parameters, in positional order."""


def signature_of(callee: Callee) -> Signature:
    """Parameters of a block or primitive, computed once."""
    if not isinstance(callee, Unit):
        return _signature(callee)
    found: Signature | None = callee.facts.get("signature")
    if found is None:
        optional = [isinstance(t, ast.Parameter) and t.default is not None for t in callee.tensors]
        tensors = tuple(tensor.name for tensor in callee.tensors)
        numbers = tuple(parameter.name for parameter in callee.numbers)
        found = Signature(tensors, optional.count(False), False, numbers)
        callee.facts["signature"] = found
    return found


_signatures: dict[type[Operation], Signature] = {}


def _signature(operation: type[Operation]) -> Signature:
    found = _signatures.get(operation)
    if found is None:
        names = tuple(name.strip("*?") for name in operation.tensors)
        least = sum(not name.endswith("?") for name in operation.tensors)
        variadic = operation.tensors[0].startswith("*")
        found = Signature(names, least, variadic, tuple(operation.parameters))
        _signatures[operation] = found
    return found


def _texts(callee: Callee) -> dict[str, str]:
    """Documentation of parameters."""
    if not isinstance(callee, Unit):
        return {name: parameter.doc for name, parameter in callee.parameters.items()}
    lines = [text.partition(": ") for text in callee.docs]
    known = signature_of(callee).numbers
    return {name: text for name, _, text in lines if name in known}


def words_of(callee: Callee, parameter: str) -> tuple[str, ...]:
    """The words that a parameter knows."""
    return () if isinstance(callee, Unit) else callee.parameters[parameter].kind.words


class Bound(NamedTuple):
    """An argument and the parameter that it is for; `slot` counts the tensors, from -1 for none."""

    parameter: str
    slot: int
    expression: ast.Expression
    words: tuple[str, ...]
    span: Span


class Call:
    """A call in the text with what it calls: everything that no evaluation changes."""

    __slots__ = ("arguments", "callee", "name", "node", "plain", "signature", "single")

    def __init__(
        self,
        node: ast.Call,
        callee: Callee,
        arguments: tuple[Bound, ...],
        name: tuple[str, ...],
    ) -> None:
        self.node = node
        self.callee = callee
        self.arguments = arguments
        self.signature = signature_of(callee)
        self.name = name
        self.single = len(self.signature.tensors) == 1 and not self.signature.variadic
        """True if what it calls takes one tensor and no more."""
        self.plain = all(argument.slot < 0 for argument in arguments)
        """True if no argument is a tensor."""

    def place(self, parameter: str) -> Span | None:
        """Span of the argument for a parameter."""
        spans = [a.span for a in self.arguments if a.parameter == parameter]
        return spans[-1] if spans else None

    def places(self, flowing: Span | None) -> list[Span | None]:
        """Spans of the tensors, starting with the one from the flow."""
        given = sorted((a.slot, a.span) for a in self.arguments if a.slot >= 0)
        return [flowing] * (flowing is not None) + [span for _, span in given]

    def written(self, parameter: str) -> ast.Expression | None:
        """The argument for a parameter as it is written."""
        given = [a.expression for a in self.arguments if a.parameter == parameter]
        return given[-1] if given else None


class Origin(Protocol):
    """Syntax that calls an operation: a call or a row."""

    def place(self, parameter: str) -> Span | None:
        """Span of the argument for a parameter."""

    def written(self, parameter: str) -> ast.Expression | None:
        """The argument for a parameter as it is written."""


class Run:
    """Where in a run of steps an evaluation is: see `Caller._flatten`.

    `place` is where the value stands that flows on, if one does.
    """

    __slots__ = ("mixed", "place", "shift")

    def __init__(self, place: Span | None = None) -> None:
        self.mixed = False
        self.place = place
        self.shift = 0


class Caller(Evaluator):
    """Evaluates calls. Collects nodes, and counts work against the limits."""

    def __init__(self, program: Program) -> None:
        super().__init__(program)
        self.nodes: list[Node] = []
        self.active: list[Unit] = []

    def _body(self, unit: Unit, frame: Frame) -> list[Any] | None:
        raise NotImplementedError

    def _stages(self, table: ast.Stages, source: Any, frame: Frame) -> Value:
        raise NotImplementedError

    def record(self, problem: Diagnostic, scope: Scope) -> None:
        """Keep a mistake, with the uses of blocks that led to it."""
        raise NotImplementedError

    def warn(self, warning: Diagnostic, scope: Scope) -> None:
        """Keep a warning, likewise."""
        raise NotImplementedError

    # From the text to a call

    @contextmanager
    def aside(self, span: Span) -> Iterator[None]:
        """Checks what is made inside all the same, but it is no part of the network."""
        kept, self.nodes = self.nodes, []
        try:
            yield
        finally:
            self.spend(len(self.nodes), span)
            self.nodes = kept

    def _field(self, expression: ast.Field, frame: Frame) -> Any:
        if not expression.is_size or isinstance(expression.of, ast.Name):
            return super()._field(expression, frame)
        with self.aside(expression.span):  # only its size is asked for
            return super()._field(expression, frame)

    def _flow(self, expression: ast.Flow, frame: Frame) -> Any:
        value = self.evaluate(expression.source, frame)
        run, trace, taps = Run(expression.source.span), frame.trace, None
        for step in expression.steps:
            if type(step) is ast.Call:
                value = self._step(step, frame, value, run)
            else:
                assert isinstance(step, ast.Stages)
                value = self._stages(step, value, frame)
                run.mixed, taps = True, self.taps[value, frame.scope]
            trace[step] = value
            run.place = step.span
        if taps and isinstance(value, Value):
            self.taps.setdefault((value, frame.scope), taps)
        return value

    def _step(self, call: ast.Call, frame: Frame, flowing: Any, run: Run) -> Any:
        """A call with the value that a flow brings as its first tensor."""
        value: Any = frame.names.get(call.name)
        callee = value.callee if type(value) is OperationValue else None
        planned: Call | None = frame.facts.get((call, callee))
        if planned is None:
            planned = self._plan(call, callee, frame, 1)
        bound = value.arguments if callee is not None else ()
        if planned.plain:
            return self._perform(
                planned, [flowing], self._numbers(planned, bound, frame), frame, run
            )
        tensors, arguments = self._arguments(planned, [flowing], bound, frame)
        return self._perform(planned, tensors, arguments, frame, run)

    def _call(self, call: ast.Call, frame: Frame) -> Any:
        """A call outside a flow: arithmetic, an operation applied, or an operation as a value."""
        name = call.name
        value: Any = frame.names.get(name)
        callee = value.callee if type(value) is OperationValue else None
        planned: Call | None = frame.facts.get((call, callee))
        if planned is None:
            if callee is None and type(value) is not Poison:
                plain = frame.facts.get(call) or self._plain(call, frame)
                if plain is not None:
                    frame.facts[call] = plain
                    return plain(self, call, frame)
            planned = self._plan(call, callee, frame, 0)
        bound = value.arguments if callee is not None else ()
        if planned.plain:
            arguments = self._numbers(planned, bound, frame)
            self.bound_extent(arguments.values(), call.span)
            return OperationValue(planned.callee, tuple(arguments.items()))
        tensors, arguments = self._arguments(planned, [], bound, frame)
        return self._perform(planned, tensors, arguments, frame, Run())

    def _plain(self, call: ast.Call, frame: Frame) -> Callable[..., Any] | None:
        """For a call of a function on numbers, or a word with arguments: what evaluates it."""
        if self._find(call, frame) is not None:
            return None
        if is_function(call.name):
            return Caller._function
        return Caller._word if call.name in WORDS else None

    def _function(self, call: ast.Call, frame: Frame) -> Any:
        values = []
        for argument in call.arguments:
            if argument.name is not None:
                raise errors.NamedForFunction(argument.span, function=call.name)
            values.append(self.evaluate(argument.value, frame))
        try:
            value = numbers.call(call.name, values)
        except Diagnostic as problem:
            problem.span = call.span
            raise
        if call.name == "divisible" and frame.scope.parent is None:
            text = call.arguments[0].value.span.text
            self.check_rounding(call.span, text, values[0], value, frame)
        return value

    def check_rounding(
        self, span: Span, text: str, exact: float, rounded: int, frame: Frame
    ) -> None:
        """Warn where rounding makes another width of a width."""
        if abs(rounded - exact) > ROUNDED * abs(exact):
            change = rounded / exact - 1 if exact else float("inf")
            warning = errors.RoundedFar(
                span, text=text, exact=describe(exact), rounded=rounded, change=change
            )
            self.warn(warning, frame.scope)

    def _find(self, call: ast.Call | ast.Row, frame: Frame) -> Callee | None:
        """The block or primitive of a name."""
        block = frame.scope.unit.blocks.get(call)
        name = call.name
        return block or self.program.find(name, call.span.source) or OPERATIONS.get(name)

    def _callee(self, call: ast.Call | ast.Row, frame: Frame) -> Callee | OperationValue:
        """Resolve a callee: the operation of a parameter, a block, or a primitive."""
        name = call.name
        span = call.name_span if isinstance(call, ast.Row) else name_span(call)
        value = frame.names.get(name)
        if isinstance(value, OperationValue):
            return value
        if type(value) is Poison:
            raise Poisoned
        callee = self._find(call, frame)
        if callee is not None:
            return callee
        if name in frame.names:
            raise errors.NotAnOperation(span, name=name, what=numbers.kind_of(value))
        self._unknown("operation", name, frame, span)

    def _plan(self, call: ast.Call, callee: Callee | None, frame: Frame, flowing: int) -> Call:
        """Match the arguments of a call with the parameters of what it calls."""
        key = (call, callee)
        if callee is None:
            found = self._callee(call, frame)
            assert not isinstance(found, OperationValue)
            callee = found
        names = names_of(frame.scope.unit)
        bound, changed, problems = bind(call, callee, names, flowing)
        for problem in problems[:-1]:
            self.record(problem, frame.scope)
        if problems:
            raise problems[-1]
        over = {item.parameter: item for item in changed}
        kept = [item for item in bound if item.parameter not in over]
        scope_name = names.scopes.get(call, (submodule_name(callee.name),))
        planned = Call(call, callee, (*kept, *over.values()), scope_name)
        frame.facts[key] = planned
        return planned

    def _numbers(
        self, call: Call, bound: tuple[tuple[str, Any], ...], frame: Frame
    ) -> dict[str, Any]:
        """The arguments of a call that has no tensors among them."""
        arguments = dict(bound)
        for parameter, _, expression, words, span in call.arguments:
            if words:
                value = self.argument(expression, frame, words)
            else:
                value = self.evaluate(expression, frame)
            if type(value) is Value:
                raise tensor_as_number(call.callee, parameter, span)
            arguments[parameter] = value
        return arguments

    def _arguments(
        self, call: Call, tensors: list[Any], bound: tuple[tuple[str, Any], ...], frame: Frame
    ) -> tuple[list[Any], dict[str, Any]]:
        """The tensors and the other arguments of a call, evaluated in the order of the text."""
        arguments = dict(bound)
        for parameter, slot, expression, words, span in call.arguments:
            value = self.argument(expression, frame, words)
            if slot < 0:
                if type(value) is Value:
                    raise tensor_as_number(call.callee, parameter, span)
                arguments[parameter] = value
            elif call.signature.variadic and isinstance(value, list):
                tensors += value
            elif call.signature.variadic:
                tensors.append(value)
            else:
                tensors += [None] * (slot + 1 - len(tensors))
                tensors[slot] = value
        return tensors, arguments

    # What comes of a call

    def _perform(
        self, call: Call, tensors: list[Any], arguments: dict[str, Any], frame: Frame, run: Run
    ) -> Any:
        """Apply a primitive or expand a block; the tensor or tensors that come out."""
        callee, node, name = call.callee, call.node, call.name
        if frame.rounds:
            name = (name[0], *frame.rounds, *name[1:])
        try:
            if isinstance(callee, Unit):
                run.mixed = True
                scope = self._expand(callee, tensors, arguments, frame, name, node.span, call)
                frame.made[node] = scope
                outputs: tuple[Any, ...] = scope.outputs
            else:
                inputs: tuple[Value, ...]
                if call.single and len(tensors) == 1 and type(tensors[0]) is Value:
                    inputs = (tensors[0],)
                else:
                    inputs = self._inputs(callee, tensors)
                if callee.flattens and len(inputs[0].shape) > 1:
                    inputs, name = self._flatten(inputs, frame, node, name, run)
                elif run.shift and len(name) > 1:
                    name = (*name[:-1], str(int(name[-1]) + run.shift))
                if not callee.elementwise:
                    run.mixed = True
                made = self._node(callee, inputs, arguments, frame, name, node.span)
                frame.made[node] = made
                outputs = made.outputs
                if callee.gives_list:
                    return list(outputs)
        except Diagnostic as problem:
            if problem.span is None:
                if isinstance(problem, errors.MissingArgument):
                    missing = f"{problem.values['callee']}({problem.values['parameter']}=...)"
                    problem.values["hint"] = problem.values["hint"] or f"write {missing}"
                self.explain(problem, frame, tensors, call.places(run.place), call, node.span)
            raise
        return outputs[0] if len(outputs) == 1 else list(outputs)

    def explain(
        self,
        problem: Diagnostic,
        frame: Frame,
        tensors: list[Any],
        places: Sequence[Span | None],
        origin: Origin,
        span: Span,
    ) -> None:
        """Say of a mistake of an operation where it is and what led to it; likewise of others.

        `places` are those of the tensors, if each has one, and `span` that of the operation.
        """
        from archdsl.elaborate import provenance  # only a mistake needs it

        inputs = [tensor for tensor in tensors if type(tensor) is Value]
        if not len(places) == len(inputs) == len(tensors):
            places = provenance.places_in(frame, inputs)
        for each in (problem, *problem.others):
            each.span = (each.argument and origin.place(each.argument)) or span
            provenance.explain(each, frame, [*zip(inputs, places)], origin.place, origin.written)
        for each in problem.others:
            self.record(each, frame.scope)

    def _flatten(
        self,
        inputs: tuple[Value, ...],
        frame: Frame,
        call: ast.Call,
        name: tuple[str, ...],
        run: Run,
    ) -> tuple[tuple[Value, ...], tuple[str, ...]]:
        """Put the flatten that a 1x1 map needs before the operation.

        Where only elementwise steps stand before it in its run, it can be done before the run and
        is no step of it; else it is, and those after it count from there.
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

    def _inputs(self, operation: type[Operation], tensors: list[Any]) -> tuple[Value, ...]:
        """The tensors for a primitive, checked against its signature."""
        signature = _signature(operation)
        if signature.variadic:
            flat: list[Any] = []
            for item in tensors:
                flat += item if isinstance(item, list) else [item]
            tensors = [item for item in flat if item is not None] or [None]
        else:
            while len(tensors) > 1 and tensors[-1] is None:
                tensors = tensors[:-1]  # an optional tensor that is not there
            if not signature.least <= len(tensors) <= len(signature.tensors):
                raise errors.WrongTensors(
                    callee=operation.name,
                    names=", ".join(signature.tensors),
                    expected=signature.least,
                    given=len(tensors),
                )
        for item in tensors:
            self._check_tensor(item, operation.name)
        return tuple(tensors)

    def _check_tensor(self, item: Any, callee: str) -> None:
        if type(item) is Value:
            return
        if item is None:
            raise errors.AbsentTensor(what=f"`{callee}`")
        if isinstance(item, list):
            raise errors.ListAsTensor(callee=callee, count=len(item))
        raise errors.NotATensor(what=numbers.kind_of(item))

    def _node(
        self,
        operation: type[Operation],
        inputs: tuple[Value, ...],
        arguments: dict[str, Any],
        frame: Frame,
        name: tuple[str, ...],
        span: Span,
    ) -> Node:
        if operation in frame.defaults:
            arguments = {**frame.defaults[operation], **arguments}
        if len(inputs) == 1:
            shapes: tuple[tuple[int, ...], ...] = (inputs[0].shape,)
        else:
            shapes = tuple([value.shape for value in inputs])
        node = Node(operation_of(operation, shapes, arguments), inputs, frame.scope, name, span)
        self.nodes.append(node)
        made = len(inputs) + len(node.outputs)
        if made > 2:  # a value is as much memory as eight pieces of text are time
            self.spend(8 * made, span)
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
        origin: Any,
        row: RowRepeat | None = None,
    ) -> Scope:
        """Evaluate a block for these arguments. `origin` can tell the place of each argument."""
        active = self.active
        if unit in active:
            chain = [u.name for u in active[active.index(unit) :]]
            raise errors.BlockUsesItself(span, chain=" -> ".join([*chain, unit.name]))
        if len(active) > limits.EXPANSION:
            raise errors.ExpandsTooDeep(span, limit=limits.EXPANSION)
        signature = signature_of(unit)
        if len(tensors) > len(signature.tensors):
            raise errors.WrongTensors(
                span,
                callee=unit.name,
                names=", ".join(signature.tensors),
                expected=len(signature.tensors),
                given=len(tensors),
            )
        scope = Scope(unit, frame.scope, name, span, row, origin)
        inner = scope.frame
        inner.defaults = frame.defaults
        given = inner.names
        for i, slot in enumerate(unit.tensors):
            value = tensors[i] if i < len(tensors) else None
            if type(value) is not Value:
                if value is None:
                    if not isinstance(slot, ast.Parameter) or slot.default is None:
                        if i < len(tensors):
                            raise errors.AbsentTensor(span, what=f"`{unit.name}`")
                        raise errors.MissingTensor(span, callee=unit.name, tensor=slot.name)
                elif not (isinstance(value, list) and all(type(v) is Value for v in value)):
                    raise errors.NotATensor(span, what=numbers.kind_of(value), argument=slot.name)
            given[slot.name] = value
        scope.inputs = tuple(given.values())
        for alias, current in unit.aliases:
            given[alias] = given[current]
        defaults = frame.defaults.get(unit)
        active.append(unit)
        try:
            for parameter in unit.numbers:
                key = parameter.name
                if key in arguments:
                    value = arguments[key]
                elif defaults is not None and key in defaults:
                    value = defaults[key]
                elif parameter.default is None:
                    doc = _texts(unit).get(key) or "required"
                    problem = errors.MissingArgument(
                        callee=unit.name, parameter=key, doc=doc.rstrip("."), hint=""
                    )
                    raise problem.labelled(parameter.span, "declared here")
                else:
                    value = self._default_value(parameter, parameter.default, scope)
                given[key] = scope.arguments[key] = value
            outputs = self._body(unit, inner)
        finally:
            active.pop()
        if outputs is None:
            raise Poisoned
        scope.outputs = tuple(outputs)
        return scope

    def _default_value(
        self, parameter: ast.Parameter, expression: ast.Expression, scope: Scope
    ) -> Any:
        try:
            value = self.evaluate(expression, scope.frame)
            if type(value) is Value:
                raise tensor_as_number(scope.unit, parameter.name, expression.span)
            return value
        except Diagnostic as problem:
            problem.span = problem.span or expression.span
            self.record(problem, scope)
            raise Poisoned from None


def bind(
    call: ast.Call, callee: Callee, names: Names, flowing: int
) -> tuple[list[Bound], list[Bound], list[Diagnostic]]:
    """Match the arguments of a call with the parameters of what it calls, of which `flowing`
    tensors are there already: the arguments, those that a `set` gives, and what is wrong."""
    signature = signature_of(callee)
    bound: list[Bound] = []
    problems: list[Diagnostic] = []
    given: dict[str, Span | None] = {}
    if not signature.variadic:
        given = dict.fromkeys(signature.tensors[:flowing])
    slot = flowing
    position = 0
    for argument in call.arguments:
        name, expression, span = argument.name, argument.value, argument.span
        room = signature.variadic or slot < len(signature.tensors)
        if (
            name is None
            and room
            and (names.is_tensor(expression) or isinstance(expression, ast.Absent))
        ):
            name = signature.tensors[0 if signature.variadic else slot]
            item = Bound(name, slot, expression, (), span)
            slot += 1
        elif name is not None and name in signature.tensors and not signature.variadic:
            item = Bound(name, signature.tensors.index(name), expression, (), span)
        else:
            if name is None:
                if position >= len(signature.numbers):
                    if position == len(signature.numbers):  # the others are more of the same
                        problems.append(_too_many_arguments(call, callee, span))
                    position += 1
                    continue
                name = signature.numbers[position]
                position += 1
            if name not in signature.numbers:
                problems.append(unknown_parameter(callee, name, span))
                continue
            item = Bound(name, -1, expression, words_of(callee, name), span)
        if name in given and not (signature.variadic and name in signature.tensors):
            again = errors.ArgumentTwice(span, parameter=name)
            problems.append(again.labelled(given[name], "first occurrence"))
            continue
        bound.append(item)
        given[name] = span
    changed, wrong = by_name(call.overrides, callee)
    return bound, changed, problems + wrong


def by_name(
    arguments: Iterable[ast.Argument], callee: Callee
) -> tuple[list[Bound], list[Diagnostic]]:
    """Arguments that are given by name only, as by `set`, and what is wrong with them."""
    bound: list[Bound] = []
    problems: list[Diagnostic] = []
    for argument in arguments:
        name, span = argument.name, argument.span
        if name is None:
            problems.append(errors.SetByName(span))
        elif name not in signature_of(callee).numbers:
            problems.append(unknown_parameter(callee, name, span))
        else:
            bound.append(Bound(name, -1, argument.value, words_of(callee, name), span))
    return bound, problems


def unknown_parameter(callee: Callee, name: str, span: Span) -> errors.UnknownParameter:
    """The error for an unknown parameter of a block or primitive."""
    from archdsl.diagnostics import foreign as meant  # only a mistake needs it

    signature = signature_of(callee)
    answer = meant.parameter(callee.name, name, signature.numbers)
    hint = answer.help if answer else ""
    if not hint:
        known = signature.numbers
        hint = f"it has {', '.join(known)}" if known else "it has no parameters"
    problem = errors.UnknownParameter(span, callee=callee.name, parameter=name, hint=hint)
    if answer and span.text.startswith(name) and not isinstance(callee, Unit):
        problem.replace(span._replace(end=span.start + len(name)), answer.replacement)
    return problem


def _too_many_arguments(call: ast.Call, callee: Callee, span: Span) -> Diagnostic:
    known = signature_of(callee).numbers
    count = f"{len(known) or 'no'} argument{'' if len(known) == 1 else 's'}"
    hint = f"it takes {', '.join(known)}" if known else ""
    if len(known) == 1 and not isinstance(callee, Unit):
        given = [argument.value.span.text for argument in call.arguments if not argument.name]
        if _takes_several(callee, known[0]):
            hint += f": {callee.name}(({', '.join(given)}))"
    return errors.TooManyArguments(span, callee=callee.name, count=count, hint=hint)


def _takes_several(operation: type[Operation], parameter: str) -> bool:
    """True if a parameter takes a tuple: of sizes, or of axes in another order."""
    for example in ((1, 1), (2, 0, 1)):
        with suppress(Diagnostic):
            operation.read(parameter, example, 2)
            return True
    return False


def round_work(frame: Frame) -> int:
    """Cost of creating a nested frame for an iteration or a row."""
    return 40 + len(frame.names) // 2


def tensor_as_number(callee: Callee, parameter: str, span: Span) -> Diagnostic:
    """The mistake of a tensor where there should be none."""
    hint = f"for its number of channels, write {span.text.split('=')[-1]}.c"
    if isinstance(callee, Unit):
        hint = f"to pass a tensor, declare the parameter as {parameter}: tensor"
    return errors.TensorAsNumber(span, callee=callee.name, parameter=parameter, hint=hint)


def name_span(call: ast.Call) -> Span:
    """The place of the name in a call."""
    return call.span._replace(end=call.span.start + len(call.name))


_operations: dict[Any, Operation] = {}


def operation_of(
    kind: type[Operation], inputs: tuple[tuple[int, ...], ...], arguments: dict[str, Any]
) -> Operation:
    """An operation applied to shapes. Equal ones are made once: networks repeat themselves."""
    key: Any = (kind, inputs)
    if arguments:
        # 1 and true are equal to Python and not to us.
        key = (kind, inputs, *arguments.items(), *map(type, arguments.values()))
    try:
        found = _operations.get(key)
    except TypeError:  # a list among the arguments
        return kind(inputs, arguments)
    if found is None:
        found = kind(inputs, arguments)
        if len(_operations) > 20_000:
            _operations.clear()
        _operations[key] = found
    return found
