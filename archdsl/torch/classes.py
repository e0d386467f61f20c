"""From the uses of a block to one class: what differs between uses becomes an argument.

A builder walks the text of a unit once, for all of its uses (the lanes) together. It reads what the
elaboration left in the frames; it evaluates nothing itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from archdsl import tree
from archdsl.graph import Frame, Node, RowRepeat, Scope, Stage, Value
from archdsl.naming import is_operator, safe
from archdsl.numbers import FUNCTIONS
from archdsl.operations import Operation
from archdsl.resolve import Unit
from archdsl.torch.code import Code, Either, Invoke, Listed, Plain, Repeated, names_in, plain
from archdsl.torch.layers import LAYERS, OPERATORS, as_list
from archdsl.torch.pieces import Piece, Var
from archdsl.torch.symbols import (
    CONDITIONAL,
    LEVELS,
    NOT,
    PRODUCT,
    SIGN,
    NotExpressible,
    NotOpen,
    OperationValue,
    Symbol,
    binary,
    call,
    is_constant,
    literal,
    negative,
    python,
)

COUNTERS = ("index", "total", "rep")
"""What a row of a table knows of its place; hides parameters of these names."""

FRESH = {"conv", "conv_transpose", "linear", "bn", "group_norm", "add"}
"""Operations whose result nobody needs again once it has been used: it may be overwritten."""

INLINE = 60
"""An expression that is part of another one gets no longer than this, where it can be named."""
LONGEST = 84
"""A longer one cannot be an arm of a conditional."""

SIZE_NAMES = {"c": "channels", "h": "height", "w": "width", "d": "depth"}
IDENTITY = Plain("nn.Identity()")


class NewBlock(Code):
    """A use of another class; its arguments are chosen when that class is complete."""

    plan: Any
    arguments: tuple[tuple[str, Symbol], ...]

    def parts(self) -> Iterable[Code]:
        return [plain(symbol) for _, symbol in self.arguments]


class Assign(NamedTuple):
    """A line of `forward`."""

    targets: tuple[Var, ...]
    piece: Piece


class Condition(NamedTuple):
    """A condition of the spec, and whether it holds for the code at hand."""

    text: Plain
    holds: bool


class Choice:
    """What a layer is under each condition: a leaf, or one choice where it holds and one elsewhere."""

    def __init__(self) -> None:
        self.code: Code | None = None
        self.stateful = False
        self.condition: Plain | None = None
        self.arms: dict[bool, Choice] = {}

    def put(self, conditions: list[Condition], code: Code, stateful: bool) -> None:
        """Say what the layer is under some conditions."""
        self.stateful = self.stateful or stateful
        if not conditions:
            if self.code is not None or self.arms:
                raise NotExpressible
            self.code = code
            return
        text, holds = conditions[0]
        if self.code is not None or (self.condition is not None and self.condition != text):
            raise NotExpressible
        self.condition = text
        self.arms.setdefault(holds, Choice()).put(conditions[1:], code, stateful)

    def whole(self) -> Code:
        """The code for all conditions; where nothing is said of one, the layer does nothing there."""
        leaves = list(self._leaves())
        if len(leaves) == 1 and not self.stateful:
            return leaves[0]
        return self._whole()

    def _leaves(self) -> Iterable[Code]:
        if self.code is not None:
            yield self.code
        for arm in self.arms.values():
            yield from arm._leaves()

    def _whole(self) -> Code:
        if self.code is not None or self.condition is None:
            return self.code or IDENTITY
        condition = self.condition
        arms = {holds: arm._whole() for holds, arm in self.arms.items()}
        if False not in arms:
            inner = arms[True]
            if isinstance(inner, Either) and inner.otherwise == IDENTITY:
                texts = [f"({c.text})" if " or " in c.text or " if " in c.text else c.text
                         for c in (condition, inner.condition)]  # fmt: skip
                both = Plain(" and ".join(texts), condition.names | inner.condition.names)
                return Either(inner.value, both, IDENTITY)
            return Either(inner, condition, IDENTITY)
        return Either(arms.get(True, IDENTITY), condition, arms[False])


class Loop(NamedTuple):
    """A loop of `forward` over the layers of `modules` (none: over a range)."""

    variable: str
    modules: Piece | None
    count: str
    layer: Var
    body: list[Assign]


class Plan:
    """A class to be written: a unit and the uses of it that the class serves."""

    def __init__(self, unit: Unit, scopes: list[Scope], name: str, unrolled: bool = False) -> None:
        self.unit = unit
        self.scopes = scopes
        self.name = name
        self.unrolled = unrolled  # whether its loops have to be written out
        self.open: dict[str, frozenset[str]] = {}
        self.builder: Builder
        self.arguments: list[Argument] = []
        self.inputs: dict[str, str] = {}
        self.names: dict[str, str] = {}
        """What parameters, `let`s and sizes of inputs (`x.c`) are called in Python."""
        taken: set[str] = set()
        alone = len(unit.tensors) == 1 and unit.kind == "arch"
        for slot in unit.tensors:
            self.inputs[slot.name] = _free("x" if alone else slot.name, taken)
        taken.clear()
        lets = [item.name for item in tree.walk(unit.body) if isinstance(item, tree.Let)]
        for name in (*(parameter.name for parameter in unit.numbers), *lets):
            self.names[name] = _free(name, taken)
        for slot in unit.tensors:
            prefix = "in" if len(unit.tensors) == 1 else slot.name
            for letter, size in SIZE_NAMES.items():
                self.names[f"{slot.name}.{letter}"] = _free(f"{prefix}_{size}", taken)
        self.variable = _free("stages", taken)
        """A local variable of the constructor."""


    def is_absent(self, position: int) -> bool:
        """Whether no use gives an optional tensor."""
        return all(scope.inputs[position] is None for scope in self.scopes)


class Argument:
    """An argument of a constructor; `parameter` is a key of the plan's `names`."""

    def __init__(
        self, name: str, parameter: str, kind: str, default: str | None, note: str | None
    ) -> None:
        self.name = name
        self.parameter = parameter
        self.kind = kind
        self.default = default
        self.note = note

    @property
    def text(self) -> str:
        default = "" if self.default is None else f" = {self.default}"
        return f"{self.name}: {self.kind}{default}"


class Builder:
    """Builds one class."""

    def __init__(
        self, writer: Any, plan: Plan, labels: Mapping[str, Iterable[str]] | None = None
    ) -> None:
        """With `labels` the tables of these lines are run row by row."""
        self.labels = labels or {}
        self.writer = writer
        self.plan = plan
        self.unit = plan.unit
        self.names = writer.names_of(plan.unit)
        self.lanes = [scope.frame for scope in plan.scopes]
        self.uses = set(self.lanes)
        self.lets: dict[str, Symbol] = {}
        self.locals: dict[str, Symbol] = {}  # local variables of `__init__`, in order
        self.slots: dict[str, dict[tuple[int, ...], Choice]] = {}
        self.numbers: dict[str, Symbol] = {}  # numbers that `forward` needs
        self.variables: dict[str, Piece] = {}
        self.channels: dict[str, Symbol | None] = {}
        self.statements: list[Assign | Loop] = []
        self.returns: list[Piece] = []
        self.training: list[bool] = []
        self.taps: dict[str, dict[str, Var]] = {}
        self.conditions: list[Condition] = []  # those under which the code at hand exists
        self.rounds: list[str] = []  # variables of the loops around the code at hand
        self.path: tuple[int, ...] = ()  # rounds of the unrolled loops around the code at hand
        self.looped: dict[str, Choice] | None = None  # layers of the loop around it, by name
        self.sequences: set[str] = set()  # unrolled loops whose rounds follow one another
        self.counting = False  # whether it is in a row of a table, which counts
        self.layer = Var("layer")
        self.inputs: list[Var] = []
        self.sizes: dict[str, Symbol] = {}  # arguments for the sizes of the inputs
        self.taken = {scope[0] for scope in self.names.scopes.values()}  # names of submodules

    # The whole

    def build(self) -> None:
        """Walk the unit's text."""
        slots = self.unit.tensors
        for i, slot in enumerate(slots):
            values = {scope.frame: scope.inputs[i] for scope in self.plan.scopes}
            kind = "list[Tensor]" if _one_kind(values) is list else "Tensor"
            variable = Var(self.plan.inputs[slot.name], kind)
            self.inputs.append(variable)
            piece = Piece(variable, typed=True)
            if _one_kind(values) is type(None):
                piece = Piece("None")
            else:
                self.channels[slot.name] = self._input_size(i, "c", values)
            self.variables[slot.name] = piece
            for alias, name in self.unit.aliases:
                if name == slot.name:
                    self.variables[alias] = piece
                    self.channels[alias] = self.channels.get(slot.name)
        self._walk(self.unit.body, self.lanes)

    def _input_size(self, position: int, letter: str, values: Mapping[Frame, Any]) -> Symbol | None:
        """The symbol of an input's size: an argument such as `in_channels` where uses differ."""
        slot = self.unit.tensors[position]
        sizes = {f: _size(v, letter) for f, v in values.items()}
        if any(size is None for size in sizes.values()):
            return None
        if isinstance(slot, tree.Input) and self.plan.scopes[0].parent is None:
            opened = self._open_input(slot, letter)
            return opened or literal(sizes)
        if is_constant(sizes):
            return literal(sizes)
        key = f"{slot.name}.{letter}"
        name = self.plan.names[key]
        self.sizes[key] = Symbol(sizes, name, names=frozenset([name]))
        return self.sizes[key]

    def _open_input(self, slot: tree.Input, letter: str) -> Symbol | None:
        if letter != "c" or not self.plan.open:
            return None
        symbol = self.symbol(slot.sizes[0], self.lanes)
        return symbol if symbol.open else None

    def _walk(self, body: Iterable[tree.Statement], lanes: list[Frame]) -> None:
        for statement in body:
            if isinstance(statement, tree.Assign) and id(statement) in self.names.live:
                self._assign(statement, lanes)
            elif isinstance(statement, tree.Let):
                self._let(statement, lanes)
            elif isinstance(statement, tree.Repeat) and id(statement) in self.names.live:
                self._repeat(statement, lanes)
            elif isinstance(statement, tree.Return):
                self._return(statement, lanes)

    def _return(self, statement: tree.Return, lanes: list[Frame]) -> None:
        for expression in statement.values:
            training = (
                isinstance(expression, tree.Guard)
                and isinstance(expression.condition, tree.Name)
                and expression.condition.name == "training"
            )
            if training and self.plan.scopes[0].parent is not None:
                continue
            if training and isinstance(expression, tree.Guard):
                expression = expression.value
            piece = self.tensor(expression, lanes, "out")
            if piece is None:
                raise NotExpressible
            self.returns.append(piece)
            self.training.append(training)

    def _let(self, statement: tree.Let, lanes: list[Frame]) -> None:
        values = {f: f.names[statement.name] for f in lanes if statement.name in f.names}
        if not values:
            return
        try:
            symbol = self.symbol(statement.value, lanes)
        except NotExpressible:
            return  # an operation or a list that differs; whoever needs it will say so
        alias = symbol.text.isidentifier() and not _whole_floats(symbol.values)
        if symbol.names and not alias and not self.rounds and not self.path:
            name = self.plan.names[statement.name]
            if _whole_floats(symbol.values):
                symbol = call(f"int({symbol.text})", [symbol], _as_ints(symbol.values))
            self.locals[name] = symbol
            symbol = Symbol(symbol.values, name, names=frozenset([name]), open=symbol.open)
        self.lets[statement.name] = symbol

    def _assign(self, statement: tree.Assign, lanes: list[Frame]) -> None:
        targets = [target.name for target in statement.targets]
        lanes = [f for f in lanes if id(statement.value) in f.trace]
        values = {f: f.trace[id(statement.value)] for f in lanes}
        piece = self.tensor(statement.value, lanes, targets[0])
        if len(targets) == 1:
            name = targets[0]
            if _one_kind(values) is type(None) or piece is None:
                self.variables[name] = Piece("None")
                return
            try:
                self.channels[name] = self.channels_of(statement.value, lanes)
            except NotExpressible:
                self.channels[name] = None
            carried = self.variables.get(name) if self.rounds else None
            known = carried.variable if carried is not None else None
            if piece.variable is not None and known is None:
                self.variables[name] = piece
                if piece.variable.name in self.taps:
                    self.taps[name] = self.taps[piece.variable.name]
                return
            kind = "list[Tensor]" if _one_kind(values) is list else "Tensor"
            variable = known or Var(_variable(name), kind)
            self.statements.append(Assign((variable,), as_list(piece)))
            self.variables[name] = Piece(variable, typed=True)
            return
        if _one_kind(values) is Value and piece is not None:  # a guard that does not hold
            source = self._variable_for(piece, targets[0])
            for name in targets:
                self.variables[name] = source
                self.channels[name] = self._find_or_none({f: v.shape[0] for f, v in values.items()})
            return
        variables = tuple(Var(_variable(name)) for name in targets)
        if self.rounds:
            variables = tuple(
                (self.variables[name].variable if name in self.variables else None) or variable
                for name, variable in zip(targets, variables)
            )
        self.statements.append(Assign(variables, piece or Piece("None")))
        for i, (name, variable) in enumerate(zip(targets, variables)):
            self.variables[name] = Piece(variable, typed=True)
            sizes = {f: v[i].shape[0] if isinstance(v, list | tuple) else v.shape[0]
                     for f, v in values.items()}  # fmt: skip
            self.channels[name] = self._find_or_none(sizes)

    def _variable_for(self, piece: Piece, name: str) -> Piece:
        """A variable for an expression that is used more than once."""
        if piece.variable is None:
            variable = Var(_variable(name))
            self.statements.append(Assign((variable,), piece))
            piece = Piece(variable, typed=True)
        return piece

    # Numbers

    def symbol(self, expression: tree.Expression, lanes: list[Frame]) -> Symbol:
        """The symbol of a number's expression."""
        values = {f: f.trace[id(expression)] for f in lanes if id(expression) in f.trace}
        if not values:
            raise NotExpressible
        if self.settled(values) and not self.plan.open:
            return _spelled(expression, values, list(values))
        try:
            symbol = self._symbol(expression, list(values), values)
        except NotExpressible:
            if is_constant(values):
                return literal(values)
            raise
        if symbol.open or (symbol.names and not self.settled(values)):
            return symbol
        return _spelled(expression, values, list(values)) if is_constant(values) else symbol

    def settled(self, values: Mapping[Frame, Any]) -> bool:
        """Whether a number is the same in all uses, those included that do not come to it."""
        if not is_constant(values):
            return False
        lanes = set()
        for frame in values:
            place: Frame | None = frame
            while place is not None and place not in self.uses:
                place = place.outer
            lanes.add(place)
        return len(lanes) == len(self.uses)

    def _symbol(
        self, expression: tree.Expression, lanes: list[Frame], values: Mapping[Frame, Any]
    ) -> Symbol:
        if isinstance(expression, tree.Number | tree.Truth | tree.Absent):
            return literal(values)
        if isinstance(expression, tree.Name):
            return self._named(expression.name, values)
        if isinstance(expression, tree.Field):
            if expression.name == "c":
                return self.channels_of(expression.of, lanes)
            return self._side(expression, values)
        if isinstance(expression, tree.Binary):
            left = self.symbol(expression.left, lanes)
            try:
                right = self.symbol(expression.right, lanes)
            except NotExpressible:
                if expression.operator in ("and", "or"):
                    return Symbol(values, left.text, left.level, left.names, left.open)
                raise
            return binary(expression.operator, left, right, values)
        if isinstance(expression, tree.Minus):
            inner = self.symbol(expression.operand, lanes)
            return negative(inner, values)
        if isinstance(expression, tree.Negation):
            inner = self.symbol(expression.operand, lanes)
            return Symbol(values, f"not {inner.wrapped(NOT)}", NOT, inner.names, inner.open)
        if isinstance(expression, tree.Comparison):
            return self._comparison(expression, lanes, values)
        if isinstance(expression, tree.Conditional):
            parts = [
                self.symbol(part, lanes)
                for part in (expression.value, expression.condition, expression.otherwise)
            ]
            a, condition, b = (part.wrapped(CONDITIONAL + 1) for part in parts)
            made = call(f"{a} if {condition} else {b}", parts, values)
            made.level = CONDITIONAL
            return made
        if isinstance(expression, tree.Call):
            return self._function(expression, lanes, values)
        if isinstance(expression, tree.Item):
            of = self.symbol(expression.of, lanes)
            index = self.symbol(expression.index, lanes)
            if isinstance(expression.of, tree.Name) and index.names and not of.names:
                # A list that is the same in all uses.
                name = self.plan.names.get(expression.of.name) or _variable(expression.of.name)
                self.locals[name] = of
                of = Symbol(of.values, name, names=frozenset([name]), open=of.open)
            return call(f"{of.wrapped(9)}[{index.text}]", [of, index], values)
        if isinstance(expression, tree.Tuple | tree.List):
            items = [self.symbol(item, lanes) for item in expression.items]
            inside = ", ".join(item.text for item in items)
            if isinstance(expression, tree.List):
                return call(f"[{inside}]", items, values)
            return call(f"({inside}{',' * (len(items) == 1)})", items, values)
        raise NotExpressible

    def _named(self, name: str, values: Mapping[Frame, Any]) -> Symbol:
        if name in self.lets:
            symbol = self.lets[name]
            return Symbol(values, symbol.text, symbol.level, symbol.names, symbol.open)
        if self.counting and name in COUNTERS:
            if name == "total" or "rep" not in self.rounds:
                raise NotExpressible
            return Symbol(values, name, names=frozenset([name]))
        if name in self.rounds:
            variable = _variable(name)
            return Symbol(values, variable, names=frozenset([variable]))
        parameter = next((p for p in self.unit.numbers if p.name == name), None)
        if parameter is None:
            raise NotExpressible
        if parameter.default is not None and self._is_derived(parameter):
            return self._derived(parameter, values)
        opened = self.plan.open.get(name, frozenset())
        everywhere = {scope.frame: scope.arguments[name] for scope in self.plan.scopes}
        if is_constant(everywhere) and not opened:
            value = next(iter(everywhere.values()))
            if not isinstance(value, OperationValue):
                return literal(values)
        argument = self.plan.names[name]
        return Symbol(values, argument, names=frozenset([argument]), open=opened)

    def _is_derived(self, parameter: tree.Parameter) -> bool:
        """Whether every use leaves a parameter to a default that depends on others."""
        default = parameter.default
        assert default is not None
        if is_constant({scope.frame: scope.arguments[parameter.name] for scope in self.plan.scopes}):
            return False
        return all(id(default) in frame.trace for frame in self.lanes)

    def _derived(self, parameter: tree.Parameter, values: Mapping[Frame, Any]) -> Symbol:
        name = self.plan.names[parameter.name]
        if name not in self.locals:
            assert parameter.default is not None
            symbol = self.symbol(parameter.default, self.lanes)
            if symbol.text.isidentifier():
                return Symbol(values, symbol.text, names=symbol.names, open=symbol.open)
            self.locals[name] = symbol
        return Symbol(values, name, names=frozenset([name]), open=self.locals[name].open)

    def _side(self, expression: tree.Field, values: Mapping[Frame, Any]) -> Symbol:
        """A height, width or depth: constant, or that of an input as an argument."""
        if is_constant(values):
            return literal(values)
        if isinstance(expression.of, tree.Name):
            for i, slot in enumerate(self.unit.tensors):
                if slot.name == expression.of.name:
                    inputs = {scope.frame: scope.inputs[i] for scope in self.plan.scopes}
                    symbol = self._input_size(i, expression.name, inputs)
                    if symbol is not None:
                        return Symbol(values, symbol.text, names=symbol.names)
        raise NotExpressible

    def _comparison(
        self, expression: tree.Comparison, lanes: list[Frame], values: Mapping[Frame, Any]
    ) -> Symbol:
        parts = []
        for operand in expression.operands:
            parts.append(self.symbol(operand, lanes))
            if any(isinstance(v, OperationValue) for v in parts[-1].values.values()):
                raise NotExpressible
        level = LEVELS["and"] + 2
        text = parts[0].wrapped(level + 1)
        for sign, part in zip(expression.operators, parts[1:]):
            text += f" {sign} {part.wrapped(level + 1)}"
        made = call(text, parts, values)
        made.level = level
        return made

    def _function(
        self, expression: tree.Call, lanes: list[Frame], values: Mapping[Frame, Any]
    ) -> Symbol:
        name = expression.name
        arguments = [argument.value for argument in expression.arguments]
        if name in ("floor", "ceil") and isinstance(arguments[0], tree.Binary):
            quotient = arguments[0]
            if quotient.operator == "/":
                a = self.symbol(quotient.left, lanes)
                b = self.symbol(quotient.right, lanes)
                if _all_ints(a.values) and _all_ints(b.values):
                    if name == "floor":
                        return binary("//", a, b, values)
                    text = f"-({negative(a, a.values).text} // {b.wrapped(PRODUCT + 1)})"
                    return call(text, [a, b], values)
        parts = [self.symbol(argument, lanes) for argument in arguments]
        inside = ", ".join(part.text for part in parts)
        if name == "floor":
            if _all_ints(parts[0].values):
                return parts[0]
            below = any(value < 0 for value in parts[0].values.values())
            inside = f"{parts[0].wrapped(PRODUCT)} // 1" if below else inside
            return call(f"int({inside})", parts, values)
        if name == "ceil":
            if _all_ints(parts[0].values):
                return parts[0]
            negated = negative(parts[0], parts[0].values)
            return call(f"-int({negated.wrapped(PRODUCT)} // 1)", parts, values)
        if name == "sqrt":
            return binary("^", parts[0], literal({f: 0.5 for f in values}), values)
        if name == "divisible":
            return call(f"{self.writer.helper('divisible')}({inside})", parts, values)
        if name in ("round", "min", "max", "abs", "len"):
            return call(f"{name}({inside})", parts, values)
        raise NotExpressible

    def channels_of(self, expression: tree.Expression, lanes: list[Frame]) -> Symbol:
        """The symbol of the channels of a tensor."""
        values = {f: _size(f.trace[id(expression)], "c") for f in lanes if id(expression) in f.trace}
        if not values or any(value is None for value in values.values()):
            raise NotExpressible
        sizes: dict[Frame, Any] = dict(values)
        known = self._known_channels(expression, lanes)
        if known is not None and (known.open or not self.settled(sizes)):
            if all(known.at(f) == size for f, size in sizes.items()):
                return Symbol(sizes, known.text, known.level, known.names, known.open)
        return self.find(sizes)

    def _known_channels(self, expression: tree.Expression, lanes: list[Frame]) -> Symbol | None:
        if isinstance(expression, tree.Name):
            return self.channels.get(expression.name)
        if isinstance(expression, tree.Item) and isinstance(expression.of, tree.Name):
            return self.channels.get(expression.of.name)
        if isinstance(expression, tree.Flow):
            return self.channels.get(f"flow {id(expression)}")
        if isinstance(expression, tree.Guard | tree.Conditional):
            return self._known_channels(expression.value, lanes)
        if isinstance(expression, tree.Call):
            return self.channels.get(f"flow {id(expression)}")
        if isinstance(expression, tree.Binary | tree.Minus):
            parts = [getattr(expression, "left", None) or getattr(expression, "operand", None)]
            parts.append(getattr(expression, "right", None))
            known = [self._known_channels(p, lanes) for p in parts if p is not None]
            opened = [symbol for symbol in known if symbol is not None]
            return opened[0] if opened else None
        return None

    def find(self, sizes: Mapping[Frame, Any], *preferred: Symbol) -> Symbol:
        """A symbol with these values: constant, one that is at hand, or a multiple of one."""
        if self.settled(sizes):
            return literal(sizes)
        candidates = [*preferred, *self.sizes.values()]
        candidates += [symbol for symbol in self.channels.values() if symbol is not None]
        for parameter in self.unit.numbers:
            numbers = {s.frame: s.arguments[parameter.name] for s in self.plan.scopes}
            if all(type(n) in (int, float) for n in numbers.values()) and not is_constant(numbers):
                candidates.append(self._named(parameter.name, numbers))
        candidates += [s for s in self.lets.values() if s.names]
        lanes = list(sizes)
        for symbol in candidates:
            if _agrees(symbol, sizes):
                return Symbol(sizes, symbol.text, symbol.level, symbol.names, symbol.open)
        for symbol in candidates:
            made = _multiple(symbol, sizes)
            if made is not None:
                return made
        if self.rounds:
            made = self._progression(sizes, lanes, candidates)
            if made is not None:
                return made
        if is_constant(sizes):
            return literal(sizes)
        raise NotExpressible

    def _progression(
        self, sizes: Mapping[Frame, Any], lanes: list[Frame], candidates: list[Symbol]
    ) -> Symbol | None:
        """`base + step * i`, where the size grows by as much in every round of a loop."""
        variable = self.rounds[-1]
        rounds = {f: f.names[variable] for f in lanes}
        first = {f.outer: sizes[f] for f in lanes if rounds[f] == min(rounds.values())}
        steps: dict[Frame, Any] = {}
        for f in lanes:
            if f.outer in first and rounds[f] > min(rounds.values()):
                grown = (sizes[f] - first[f.outer]) / (rounds[f] - min(rounds.values()))
                if grown != int(grown) or steps.setdefault(f.outer, int(grown)) != grown:  # type: ignore[arg-type]
                    return None
        if not steps or min(rounds.values()) != 0:
            return None
        outer = {f: v for f, v in first.items() if f is not None}
        kept, self.rounds = self.rounds, self.rounds[:-1]
        try:
            base = self.find(outer)
            step = self.find(steps)
        finally:
            self.rounds = kept
        i = Symbol(rounds, variable, names=frozenset([variable]))
        product = {f: sizes[f] - first[f.outer] for f in lanes}
        return binary("+", base, binary("*", step, i, product), sizes)

    def _find_or_none(self, sizes: Mapping[Frame, Any]) -> Symbol | None:
        try:
            return self.find(sizes)
        except NotExpressible:
            return None

    # Tensors

    def tensor(
        self, expression: tree.Expression, lanes: list[Frame], line: str
    ) -> Piece | None:
        """The code for a tensor; none where there is none in any lane."""
        lanes = [f for f in lanes if id(expression) in f.trace]
        if not lanes:
            raise NotExpressible
        values = {f: f.trace[id(expression)] for f in lanes}
        if _one_kind(values) is type(None):
            return None
        if any(value is None for value in values.values()):
            raise NotExpressible
        if isinstance(expression, tree.Name):
            return self.variables[expression.name]
        if isinstance(expression, tree.Item):
            of = self.tensor(expression.of, lanes, line)
            if of is None:
                raise NotExpressible
            index = self.in_forward(self.symbol(expression.index, lanes), "index")
            return Piece(of.wrapped(9), f"[{index}]", typed=of.typed)
        if isinstance(expression, tree.Field):
            return self._tap(expression)
        if isinstance(expression, tree.List | tree.Tuple):
            return self._list(expression, lanes, line)
        if isinstance(expression, tree.Flow):
            return self._flow(expression, lanes, line)
        if isinstance(expression, tree.Guard):
            return self._guard(expression, lanes, line)
        if isinstance(expression, tree.Conditional):
            return self._conditional(expression, lanes, line)
        if isinstance(expression, tree.Binary | tree.Minus):
            return self._arithmetic(expression, lanes, line)
        if isinstance(expression, tree.Call):
            return self._application(expression, lanes, line)
        raise NotExpressible

    def _list(
        self, expression: tree.List | tree.Tuple, lanes: list[Frame], line: str
    ) -> Piece:
        parts: list[str | Piece] = []
        for item in expression.items:
            piece = self.tensor(item, lanes, line)
            if piece is not None:
                parts += [", " if parts else "[", piece]
        return Piece(*(parts or ["["]), "]", typed=True, many=True)

    def _tap(self, expression: tree.Field) -> Piece:
        if isinstance(expression.of, tree.Name):
            piece = self.variables[expression.of.name]
            taps = self.taps.get(expression.of.name)
            if taps is None and piece.variable is not None:
                taps = self.taps.get(piece.variable.name)
            if taps and expression.name in taps:
                return Piece(taps[expression.name], typed=True)
        raise NotExpressible

    def _guard(self, expression: tree.Guard, lanes: list[Frame], line: str) -> Piece | None:
        flow = expression.value
        assert isinstance(flow, tree.Flow)
        outcomes = {f: f.trace[id(expression.condition)] for f in lanes}
        if is_constant(outcomes) and not self._opens(expression.condition, lanes):
            if next(iter(outcomes.values())):
                piece = self.tensor(flow, lanes, line)
            else:
                piece = self.tensor(flow.source, lanes, line)
            return piece
        condition = self.symbol(expression.condition, lanes)
        taken = [f for f in lanes if outcomes[f]]
        source = self.tensor(flow.source, lanes, line)
        if source is None:
            raise NotExpressible
        runs = {self.names.scopes.get(id(step), ("",))[0] for step in flow.steps}
        layers = not any(isinstance(s, tree.Call) and self._is_operator(s) for s in flow.steps)
        if len(runs) == 1 and layers:
            self.conditions.append(Condition(plain(condition), True))
            piece = self._flow(flow, taken, line, always=True)
            self.conditions.pop()
            return piece
        flag = self._flag(expression.condition, condition, line, None)
        self.conditions.append(Condition(plain(condition), True))
        piece = self._flow(flow, taken, line)
        self.conditions.pop()
        if len(piece) > LONGEST:
            raise NotExpressible
        return Piece(
            piece.wrapped(CONDITIONAL + 1), f" if {flag} else ", source,
            level=CONDITIONAL, typed=piece.typed and source.typed,
        )  # fmt: skip

    def _opens(self, expression: tree.Expression, lanes: list[Frame]) -> bool:
        """Refuse to keep a parameter open that decides what the network is made of."""
        if self.plan.open:
            symbol = self.symbol(expression, lanes)
            if symbol.open:
                raise NotOpen(symbol.open)
        return False

    def _conditional(
        self, expression: tree.Conditional, lanes: list[Frame], line: str
    ) -> Piece | None:
        outcomes = {f: f.trace[id(expression.condition)] for f in lanes}
        if is_constant(outcomes) and not self._opens(expression.condition, lanes):
            chosen = expression.value if next(iter(outcomes.values())) else expression.otherwise
            return self.tensor(chosen, lanes, line)
        condition = self.symbol(expression.condition, lanes)
        yes = [f for f in lanes if outcomes[f]]
        no = [f for f in lanes if not outcomes[f]]
        self.conditions.append(Condition(plain(condition), True))
        a = self.tensor(expression.value, yes, line)
        self.conditions.pop()
        self.conditions.append(Condition(plain(condition), False))
        b = self.tensor(expression.otherwise, no, line)
        self.conditions.pop()
        if a is None or b is None or len(a) > LONGEST or len(b) > LONGEST:
            raise NotExpressible
        if a.parts == b.parts:
            return a
        flag = self._flag(expression.condition, condition, line, expression)
        return Piece(
            a.wrapped(CONDITIONAL + 1), f" if {flag} else ", b,
            level=CONDITIONAL, typed=a.typed and b.typed,
        )  # fmt: skip

    def _flag(
        self,
        written: tree.Expression,
        condition: Symbol,
        line: str,
        expression: tree.Conditional | None,
    ) -> str:
        """A condition in `forward`: an attribute named as in the spec, or by what it decides."""
        name = f"if_{line}"
        if isinstance(written, tree.Name):
            name = written.name
        elif expression is not None and _adds(expression.value) != _adds(expression.otherwise):
            name = "residual"
        return self.in_forward(condition, name)

    def in_forward(self, symbol: Symbol, name: str) -> str:
        """The text of a number in `forward`; what is computed from arguments becomes an attribute."""
        rounds = set(map(_variable, self.rounds))
        if not symbol.names - rounds:
            return symbol.text
        if symbol.names & rounds:
            raise NotExpressible
        if symbol.text.isidentifier():
            name = symbol.text
        name = safe(name)
        while name in self.taken or self.numbers.get(name, symbol).text != symbol.text:
            name += "_"
        self.numbers[name] = symbol
        return f"self.{name}"

    def _arithmetic(
        self, expression: tree.Binary | tree.Minus, lanes: list[Frame], line: str
    ) -> Piece | None:
        if isinstance(expression, tree.Minus):
            operands: list[tree.Expression] = [expression.operand]
        else:
            operands = [expression.left, expression.right]
        pieces: list[Piece] = []
        absent = False
        for operand in operands:
            sample = lanes[0].trace.get(id(operand))
            if sample is None or isinstance(sample, Value | list | tuple):
                piece = self.tensor(operand, lanes, line)
                if piece is None:
                    absent = True
                else:
                    pieces.append(piece)
        if absent:
            return pieces[0]
        if isinstance(lanes[0].trace[id(expression)], list):
            a, b = map(as_list, pieces)
            return Piece(a, " + ", b, level=LEVELS["+"], typed=True, many=True)
        nodes = {f: f.trace[id(expression)].node for f in lanes}
        return self._operator(nodes, pieces, None, line)

    def _fitting(self, pieces: list[Piece], line: str, room: int = INLINE) -> list[Piece]:
        """Give the longest of some expressions names of their own, until all fit on one line."""
        pieces = list(pieces)
        while sum(map(len, pieces)) > room and not self.conditions:
            longest = max(pieces, key=len)
            if longest.variable is not None or longest.many or len(longest) < 12:
                break
            variable = Var(_variable(line))
            self.statements.append(Assign((variable,), longest))
            pieces[pieces.index(longest)] = Piece(variable, typed=True)
        return pieces

    def _operator(
        self,
        nodes: Mapping[Frame, Node],
        operands: list[Piece],
        written: tree.Call | None,
        line: str,
    ) -> Piece:
        kinds = {type(node.operation) for node in nodes.values()}
        if len(kinds) > 1:
            raise NotExpressible
        site = StepSite(self, nodes, written, None, forward=True)
        operands = self._fitting(operands, line)
        return OPERATORS[kinds.pop().name](site, operands)

    def _is_operator(self, call: tree.Call) -> bool:
        return is_operator(call.name) or self.names.takes_tensors(call)

    # Flows and calls

    def _flow(
        self, expression: tree.Flow, lanes: list[Frame], line: str, always: bool = False
    ) -> Piece:
        """A flow's code. With `always` it is called in lanes that lack it too, as an identity."""
        piece = self.tensor(expression.source, lanes, line)
        if piece is None:
            raise NotExpressible
        channels: Symbol | None
        try:
            channels = self.channels_of(expression.source, lanes)
        except NotExpressible:
            channels = None
        run: list[Code] = []
        name = ""
        deep = False  # whether the layers of the run are numbered
        stateful = False
        value_of = expression.source

        def close(piece: Piece) -> Piece:
            nonlocal run, stateful
            if run:
                (piece,) = self._fitting([piece], line)
                piece = self._register(name, run, piece, stateful, deep)
            run, stateful = [], False
            return piece

        for step in expression.steps:
            made = {f: f.made.get(id(step)) for f in lanes}
            if isinstance(step, tree.Stages):
                scope_name = self.names.scopes[id(step)]
                if scope_name[0] != name:
                    piece, name = close(piece), scope_name[0]
                deep = len(scope_name) > 1
                if channels is not None and channels.open:
                    raise NotOpen(channels.open)
                taps = self._taps_of(line) if len(expression.steps) == 1 else set()
                table = Table(self, step, lanes, channels)
                if taps:
                    piece = self._tapped(table, step, name, piece, line)
                else:
                    run.append(table.code())
                    stateful = True
            elif self._is_operator(step) or not _all_layers(made):
                piece = close(piece)
                name = ""
                piece = self._called(step, lanes, [piece], line)
            else:
                scope_name = self.names.scopes[id(step)]
                if scope_name[0] != name:
                    piece, name = close(piece), scope_name[0]
                deep = len(scope_name) > 1
                piece = self._flattened(step, made, run, piece)
                code, has_state = self._layer(step, lanes, made, channels, line)
                if code is not None or len(scope_name) > 1:
                    run.append(code or IDENTITY)
                stateful = stateful or has_state
            channels = self._after(step, lanes, made, channels)
            value_of = step  # type: ignore[assignment]
        if channels is not None:
            self.channels[f"flow {id(expression)}"] = channels
        assert value_of is not None
        return close(piece)

    def _flattened(
        self, step: tree.Call, made: Mapping[Frame, Any], run: list[Code], piece: Piece
    ) -> Piece:
        """The flatten that the elaboration put before a step: before the run, or as a step of it."""
        before = [_flatten_of(item, step) for item in made.values()]
        if not any(before):
            return piece
        if not all(before):
            raise NotExpressible
        numbered = {node.name[-1].isdigit() for node in before if node is not None}
        if numbered == {True}:
            run.append(Plain("nn.Flatten()"))
            return piece
        return Piece(piece.wrapped(9), ".flatten(1)", typed=piece.typed)

    def _after(
        self,
        step: tree.Call | tree.Stages,
        lanes: list[Frame],
        made: Mapping[Frame, Any],
        before: Symbol | None,
    ) -> Symbol | None:
        """The symbol of the channels after a step."""
        sizes: dict[Frame, Any] = {f: _size(f.trace.get(id(step)), "c") for f in lanes}
        if any(size is None for size in sizes.values()):
            return None
        candidates: list[Symbol] = []
        if isinstance(step, tree.Call):
            sample = next(iter(made.values()), None)
            written = self.argument_of(step, "c", sample)
            parts = self.argument_of(step, "sizes", sample)
            try:
                if written is not None:
                    candidates.append(self.symbol(written, lanes))
                elif parts is not None and before is not None:
                    candidates.append(binary("//", before, self.symbol(parts, lanes), sizes))
            except NotExpressible:
                pass
        if before is not None and _agrees(before, sizes):
            if before.open and candidates and not _agrees(candidates[0], sizes):
                raise NotOpen(before.open)
            if not candidates or not _agrees(candidates[0], sizes):
                candidates.insert(0, before)
        for symbol in candidates:
            if symbol.open and _agrees(symbol, sizes):
                return symbol
        if before is not None and before.open and not any(_agrees(c, sizes) for c in candidates):
            raise NotOpen(before.open)
        try:
            return self.find(sizes, *candidates)
        except NotExpressible:
            return None

    def argument_of(self, step: tree.Call, name: str, made: Any) -> tree.Expression | None:
        """What a call says of a parameter, by name or by place."""
        for argument in reversed((*step.arguments, *step.overrides)):
            if argument.name == name:
                return argument.value
        if isinstance(made, Node):
            parameters = list(made.operation.parameters)
        elif isinstance(made, Scope):
            parameters = [parameter.name for parameter in made.unit.numbers]
        else:
            return None
        places = [a for a in step.arguments if a.name is None and not self.names.is_tensor(a.value)]
        if name in parameters and parameters.index(name) < len(places):
            return places[parameters.index(name)].value
        return None

    def _layer(
        self,
        step: tree.Call,
        lanes: list[Frame],
        made: Mapping[Frame, Any],
        channels: Symbol | None,
        line: str,
    ) -> tuple[Code | None, bool]:
        """The code of a layer, and whether it owns tensors; none where it does nothing."""
        items = list(made.values())
        if all(isinstance(item, Scope) for item in items):
            return self._block(step, made, [channels]), True
        if not all(isinstance(item, Node) for item in items):
            raise NotExpressible
        nodes: dict[Frame, Node] = dict(made)
        if all(_does_nothing(node.operation) for node in items):
            rate = self.argument_of(step, "rate", items[0])
            if rate is None or not self.symbol(rate, lanes).open:
                return None, False
        stateful = any(node.operation.weights for node in items)
        kinds = {type(node.operation) for node in items}
        if len(kinds) > 1:
            return self._chosen(step, nodes, channels), stateful
        if len({tuple(w.init for w in node.operation.weights) for node in items}) > 1:
            raise NotExpressible  # they begin in different ways
        site = StepSite(self, nodes, step, channels)
        return LAYERS[kinds.pop().name](site), stateful

    def _chosen(
        self, step: tree.Call, nodes: Mapping[Frame, Node], channels: Symbol | None
    ) -> Code:
        """A layer that a parameter holds, and that differs between uses: `act(inplace=True)`."""
        values = {f: f.names.get(step.name) for f in nodes}
        parameters = [parameter.name for parameter in self.unit.numbers]
        if step.name not in parameters or step.written:
            raise NotExpressible
        if not all(isinstance(v, OperationValue) and not v.arguments for v in values.values()):
            raise NotExpressible
        codes = set()
        for f, node in nodes.items():
            code = LAYERS[node.operation.name](StepSite(self, {f: node}, None, channels))
            assert isinstance(code, Invoke)
            codes.add(code.arguments)
        if len(codes) > 1:  # some can overwrite their input and some cannot
            if any(arguments not in ((), (("inplace=", Plain("True")),)) for arguments in codes):
                raise NotExpressible
            codes = {()}
        symbol = self._named(step.name, values)
        return Invoke(symbol.text, codes.pop()) if symbol.names else IDENTITY

    def _block(
        self, step: tree.Call | None, made: Mapping[Frame, Any], tensors: list[Symbol | None]
    ) -> NewBlock:
        """A use of another class."""
        scopes: dict[Frame, Scope] = dict(made)
        lanes = list(scopes)
        written: dict[str, tree.Expression | None] = {}
        sample = scopes[lanes[0]]
        if step is not None:
            for parameter in sample.unit.numbers:
                written[parameter.name] = self.argument_of(step, parameter.name, sample)
        return self.new_block(scopes, written, tensors)

    def new_block(
        self,
        scopes: Mapping[Frame, Scope],
        written: Mapping[str, tree.Expression | None],
        tensors: list[Symbol | None],
    ) -> NewBlock:
        """A use of another class, from what is written of its arguments."""
        plans = {id(self.writer.plan_of(scope)): self.writer.plan_of(scope) for scope in scopes.values()}
        if len(plans) > 1:
            raise NotExpressible
        (plan,) = plans.values()
        arguments: list[tuple[str, Symbol]] = []
        builder_sizes = [slot.name for slot in plan.unit.tensors]
        for i, name in enumerate(builder_sizes):
            symbol = tensors[i] if i < len(tensors) else None
            if symbol is not None:
                if symbol.open:
                    raise NotOpen(symbol.open)
                arguments.append((f"{name}.c", symbol))
            for letter in "hwd":
                sizes = {f: _size(s.inputs[i], letter) for f, s in scopes.items()}
                if all(size is not None for size in sizes.values()) and is_constant(sizes):
                    arguments.append((f"{name}.{letter}", literal(sizes)))
        for parameter in plan.unit.numbers:
            actual = {f: scope.arguments[parameter.name] for f, scope in scopes.items()}
            symbol = self._argument(written.get(parameter.name), actual)
            if symbol is not None:
                arguments.append((parameter.name, symbol))
                if symbol.open:
                    plan.open[parameter.name] = symbol.open
        return NewBlock(plan, tuple(arguments))

    def _argument(
        self, written: tree.Expression | None, actual: Mapping[Frame, Any]
    ) -> Symbol | None:
        """The symbol of an argument; none where the callee has to know it without being told."""
        lanes = list(actual)
        if any(isinstance(value, OperationValue) for value in actual.values()):
            return self._operation_argument(written, actual)
        if written is not None and all(id(written) in f.trace for f in lanes):
            try:
                symbol = self.symbol(written, lanes)
                if _agrees(symbol, actual):
                    return symbol
            except NotExpressible:
                pass
        try:
            return self.find(actual)
        except NotExpressible:
            return None

    def _operation_argument(
        self, written: tree.Expression | None, actual: Mapping[Frame, Any]
    ) -> Symbol | None:
        if is_constant(actual):
            value = next(iter(actual.values()))
            text = class_of(value)
            return Symbol(actual, text) if text else None
        if isinstance(written, tree.Name):
            try:
                return self._named(written.name, actual)
            except NotExpressible:
                return None
        return None

    def _application(self, expression: tree.Call, lanes: list[Frame], line: str) -> Piece:
        """An operation called with its tensors."""
        return self._called(expression, lanes, [], line)

    def _called(
        self, step: tree.Call, lanes: list[Frame], flowing: list[Piece], line: str
    ) -> Piece:
        made = {f: f.made[id(step)] for f in lanes}
        operands = list(flowing)
        channels: list[Symbol | None] = []
        if flowing:
            values = {f: item.inputs[0] for f, item in made.items()}
            sizes = {f: _size(v, "c") for f, v in values.items()}
            channels.append(self._find_or_none(sizes))
        named: dict[str, tuple[Piece, Symbol | None]] = {}
        for argument in step.arguments:
            if not self.names.is_tensor(argument.value):
                continue
            piece = self.tensor(argument.value, lanes, line)
            try:
                symbol = self.channels_of(argument.value, lanes)
            except NotExpressible:
                symbol = None
            if argument.name is not None:
                if piece is not None:
                    named[argument.name] = (piece, symbol)
            elif piece is not None or not isinstance(next(iter(made.values())), Node):
                operands.append(piece or Piece("None"))
                channels.append(symbol)
        sample = next(iter(made.values()))
        slots = sample.operation.tensors if isinstance(sample, Node) else [
            slot.name for slot in sample.unit.tensors
        ]  # fmt: skip
        for slot in slots:
            name = slot.strip("*?")
            if name in named:
                operands.append(named[name][0])
                channels.append(named[name][1])
        if all(isinstance(item, Node) for item in made.values()):
            nodes: dict[Frame, Node] = dict(made)
            if sample.operation.operator:
                return self._operator(nodes, operands, step, line)
            channel = channels[0] if channels else None
            operands[0] = self._flattened(step, made, [], operands[0])
            code, stateful = self._layer(step, lanes, made, channel, line)
            if code is None:
                return operands[0]
            name = self.names.scopes[id(step)][0]
            self._note_channels(step, lanes, made, channel)
            return self._register(name, [code], operands[0], stateful)
        if not all(isinstance(item, Scope) for item in made.values()):
            raise NotExpressible
        block = self._block(step, made, channels)
        name = self.names.scopes[id(step)][0]
        self._note_channels(step, lanes, made, channels[0] if channels else None)
        missing = len(block.plan.unit.tensors) - len(operands)
        operands += [Piece("None")] * missing
        operands = [o for i, o in enumerate(operands) if not block.plan.is_absent(i)]
        arguments: list[str | Piece] = []
        for i, operand in enumerate(self._fitting(operands, line)):
            arguments += [", " if i else "", operand]
        return self._register(name, [block], Piece(*arguments, level=0), True)

    def _note_channels(
        self, step: tree.Call, lanes: list[Frame], made: Mapping[Frame, Any], before: Symbol | None
    ) -> None:
        after = self._after(step, lanes, made, before)
        if after is not None:
            self.channels[f"flow {id(step)}"] = after

    def _register(
        self, name: str, run: list[Code], piece: Piece, stateful: bool, deep: bool = False
    ) -> Piece:
        """Make a run of layers an attribute, and call it. A deep one is a sequence in any case."""
        code = run[0] if len(run) == 1 and not deep else Invoke(
            "nn.Sequential", tuple(("", item) for item in run), True
        )  # fmt: skip
        return Piece(self._place(name, code, stateful), "(", piece, ")")

    def _place(self, name: str, code: Code, stateful: bool) -> Piece:
        """Make a layer, or a list of layers, a submodule; gives what `forward` calls it."""
        if self.looped is not None:
            self.looped.setdefault(name, Choice()).put(self.conditions, code, stateful)
            return Piece(self.layer)
        choice = self.slots.setdefault(name, {}).setdefault(self.path, Choice())
        choice.put(self.conditions, code, stateful)
        return Piece(f"self.{name}" + "".join(f"[{i}]" for i in self.path))

    def attributes(self) -> dict[str, Code]:
        """The submodules by name, those of unrolled loops in lists."""
        return {name: self._nested(name, choices, ()) for name, choices in self.slots.items()}

    def _nested(
        self, name: str, choices: Mapping[tuple[int, ...], Choice], path: tuple[int, ...]
    ) -> Code:
        """A layer, or lists of layers by the rounds of unrolled loops."""
        if path in choices:
            return choices[path].whole()
        rounds = [key[len(path)] for key in choices if key[: len(path)] == path]
        if not rounds:
            return IDENTITY
        items = [self._nested(name, choices, (*path, i)) for i in range(max(rounds) + 1)]
        text = f"self.{name}" + "".join(f"[{i}]" for i in path)
        if text in self.sequences:
            return Invoke("nn.Sequential", tuple(("", item) for item in items), True)
        return Listed(tuple(items))

    # Tables

    def _taps_of(self, line: str) -> set[str]:
        """The rows of a line's table that are read elsewhere."""
        return {*self.writer.taps_of(self.unit).get(line, ()), *self.labels.get(line, ())}

    def _tapped(
        self, table: Table, step: tree.Stages, name: str, piece: Piece, line: str
    ) -> Piece:
        """A table that is run row by row, since some rows are read elsewhere."""
        body = self._place(name, table.code(), True)
        taps: dict[str, Var] = {}
        wanted = self._taps_of(line)
        for i, stage in enumerate(table.names):
            call_ = Piece(body, f"[{i}](", piece, ")")
            last = i == len(table.names) - 1
            unread = line if last else f"{line}_{stage}"
            variable = Var(_variable(stage if stage in wanted else unread))
            self.statements.append(Assign((variable,), call_))
            piece = Piece(variable, typed=True)
            taps[stage] = variable
        self.taps[line] = taps
        return piece

    # Loops

    def _repeat(self, statement: tree.Repeat, lanes: list[Frame]) -> None:
        lanes = [f for f in lanes if id(statement) in f.loops]
        rounds = {f: f.loops[id(statement)] for f in lanes}
        counts = {f: len(frames) for f, frames in rounds.items()}
        inner = [frame for frames in rounds.values() for frame in frames]
        if not inner:
            return
        kept = self._state()
        try:
            self._loop(statement, lanes, rounds, counts)
        except NotExpressible:
            self._restore(kept)
            if not is_constant(counts) or len(set(counts.values())) > 1:
                raise
            self._unrolled(statement, lanes, rounds, next(iter(counts.values())))

    def _state(self) -> tuple[Any, ...]:
        slots = {name: dict(choices) for name, choices in self.slots.items()}
        return (
            slots, dict(self.numbers), dict(self.variables), dict(self.channels),
            list(self.statements), dict(self.locals), dict(self.lets), list(self.rounds),
            self.path, self.looped, list(self.conditions),
        )  # fmt: skip

    def _restore(self, state: tuple[Any, ...]) -> None:
        (
            self.slots, self.numbers, self.variables, self.channels,
            self.statements, self.locals, self.lets, self.rounds,
            self.path, self.looped, self.conditions,
        ) = state  # fmt: skip

    def _carry(
        self, statement: tree.Repeat, rounds: Mapping[Frame, list[Frame]]
    ) -> dict[str, Symbol | None]:
        """Make variables of the names that the loop changes; their channels before it."""
        before: dict[str, Symbol | None] = {}
        for name in sorted(_assigned(statement.body)):
            if name not in self.variables:
                continue
            piece = self.variables[name]
            sample = next(frame.names[name] for frames in rounds.values() for frame in frames)
            kind = "list[Tensor]" if isinstance(sample, list) else "Tensor"
            variable = Var(_variable(name), kind)
            last = self.statements[-1] if self.statements else None
            others = [p for key, p in self.variables.items() if key != name]
            alone = all(piece.variable is not other.variable for other in others)
            if isinstance(last, Assign) and last.targets == (piece.variable,) and alone:
                self.statements[-1] = Assign((variable,), last.piece)
            else:
                self.statements.append(Assign((variable,), piece))
            self.variables[name] = Piece(variable, typed=True)
            self.writer.fixed.add(variable)
            before[name] = self.channels.get(name)
        return before

    def _loop(
        self,
        statement: tree.Repeat,
        lanes: list[Frame],
        rounds: Mapping[Frame, list[Frame]],
        counts: Mapping[Frame, int],
    ) -> None:
        if self.rounds or self.plan.unrolled:
            raise NotExpressible  # of loops in loops the outer ones are unrolled
        starts = {f: f.trace[id(statement.start)] for f in lanes}
        if set(starts.values()) != {0}:
            raise NotExpressible
        count = self.symbol(statement.stop, lanes)
        if count.open:
            raise NotOpen(count.open)
        carried = self._carry(statement, rounds)
        variable = _variable(statement.variable)
        inner = [frame for frames in rounds.values() for frame in frames]
        outer_statements, self.statements = self.statements, []
        self.rounds.append(statement.variable)
        self.looped, self.layer = {}, Var(self._layer_name(statement))
        for name, base in carried.items():
            self.channels[name] = self._at_start(name, base, rounds)
        self._walk(statement.body, inner)
        self.rounds.pop()
        modules, self.looped = self.looped, None
        body, self.statements = self.statements, outer_statements
        if len(modules) > 1 or any(isinstance(item, Loop) for item in body):
            raise NotExpressible
        assigns = [item for item in body if isinstance(item, Assign)]
        self._finish_loop(modules, count, variable, assigns)
        for name in carried:
            sizes = {f: _size(frames[-1].names[name], "c") for f, frames in rounds.items() if frames}
            complete = len(sizes) == len(lanes) and None not in sizes.values()
            self.channels[name] = self._find_or_none(sizes) if complete else None

    def _finish_loop(
        self, modules: Mapping[str, Choice], count: Symbol, variable: str, body: list[Assign]
    ) -> None:
        """Write a loop: a sequence of layers where each takes what the one before it gives."""
        numbers = Plain(f"range({count.text})", count.names)
        if not modules:
            over = self.in_forward(count, "count")
            self.statements.append(Loop(variable, None, over, self.layer, body))
            return
        ((name, choice),) = modules.items()
        code = choice.whole()
        used = variable if variable in names_in(code) else "_"
        targets, piece = body[-1]
        if len(body) == 1 and piece.parts == (self.layer, "(", *targets, ")"):
            layers = Repeated(code, used, numbers)
            place = self._place(name, Invoke("nn.Sequential", (("", layers),), True), True)
            source = Piece(*targets)
            last = self.statements[-1]
            if isinstance(last, Assign) and last.targets == targets and last.piece.variable:
                source = last.piece
                self.statements.pop()
            self.statements.append(Assign(targets, Piece(place, "(", source, ")")))
            return
        layers = Repeated(code, used, numbers, starred=False)
        place = self._place(name, Invoke("nn.ModuleList", (("", layers),), True), True)
        self.statements.append(Loop(variable, place, "", self.layer, body))

    def _layer_name(self, statement: tree.Repeat) -> str:
        """A name for the layer of a round that is no other's."""
        name = "layer"
        others = {_variable(other) for other in _assigned(self.unit.body) | {statement.variable}}
        while name in others | set(self.plan.inputs.values()):
            name += "_"
        return name

    def _at_start(
        self, name: str, base: Symbol | None, rounds: Mapping[Frame, list[Frame]]
    ) -> Symbol | None:
        """The channels of a carried tensor at the start of each round."""
        sizes: dict[Frame, Any] = {}
        for f, frames in rounds.items():
            for i, frame in enumerate(frames):
                if i:
                    sizes[frame] = _size(frames[i - 1].names[name], "c")
                elif base is None:
                    return None
                else:
                    sizes[frame] = base.at(f)
        if any(size is None for size in sizes.values()):
            return None
        return self._find_or_none(sizes)

    def _unrolled(
        self,
        statement: tree.Repeat,
        lanes: list[Frame],
        rounds: Mapping[Frame, list[Frame]],
        count: int,
    ) -> None:
        """A loop written out, its layers in lists."""
        if self.rounds:
            raise NotExpressible
        path, start = self.path, len(self.statements)
        for i in range(count):
            self.path = (*path, i)
            self._walk(statement.body, [rounds[f][i] for f in lanes])
        self.path = path
        chain = _chain(self.statements[start:])
        if chain is not None:
            text, source, target = chain
            self.statements[start:] = [Assign((target,), Piece(f"{text}(", source, ")"))]
            self.sequences.add(text)


class Alike(Code):
    """Layers in a row, written as a loop where they turn out alike.

    `loops` are ways to write those from some place on by a formula.
    """

    singles: tuple[Code, ...]
    loops: tuple[tuple[int, Repeated], ...]

    def parts(self) -> Iterable[Code]:
        return self.singles


class StepSite:
    """A primitive where it stands: see `layers.Site`."""

    def __init__(
        self,
        builder: Builder,
        nodes: Mapping[Frame, Node],
        step: tree.Call | None,
        channels: Symbol | None,
        forward: bool = False,
        written: Mapping[str, tree.Expression] | None = None,
    ) -> None:
        self.builder = builder
        self.nodes = nodes
        self.step = step
        self.written = written or {}
        self.forward = forward
        self.operations: list[Operation] = [node.operation for node in nodes.values()]
        self.inplace = all(builder.writer.may_overwrite(node) for node in nodes.values())
        self._channels = channels

    @property
    def channels(self) -> Symbol:
        """The channels of the input."""
        sizes = {f: node.inputs[0].shape[0] for f, node in self.nodes.items()}
        symbol = self._channels
        if symbol is not None and _agrees(symbol, sizes):
            return symbol
        return self.builder.find(sizes)

    def helper(self, name: str) -> str:
        return str(self.builder.writer.helper(name))

    def argument(self, name: str) -> Symbol:
        """The symbol of a parameter of the operation."""
        values = {f: _concrete(node.operation, name) for f, node in self.nodes.items()}
        source = {"count": "sizes", "pads": "p"}.get(name, name)
        written = self.written.get(source)
        if self.step is not None:
            sample = next(iter(self.nodes.values()))
            written = self.builder.argument_of(self.step, source, sample)
        lanes = [f for f in values if written is None or id(written) in f.trace]
        settled = self.builder.settled(values)
        if settled and (written is None or not self.builder.plan.open):
            return literal(values)
        if name == "pads":
            return literal(values) if is_constant(values) else Symbol(values, "")
        symbol = self.builder.symbol(written, lanes) if written is not None and lanes else None
        if symbol is None or len(lanes) < len(values):
            if is_constant(values):
                return literal(values)
            return self.builder.find(values)
        if not symbol.names and is_constant(values):
            return literal(values)
        symbol = self._converted(symbol, values)
        if self.forward:
            return Symbol(values, self.builder.in_forward(symbol, name))
        return symbol

    def items(self, name: str) -> list[str]:
        """The items of a tuple in `forward`, of a parameter that is a tuple in all uses."""
        values = {f: getattr(node.operation, name) for f, node in self.nodes.items()}
        if len({len(value) for value in values.values()}) > 1:
            raise NotExpressible
        written = None
        if self.step is not None:
            sample = next(iter(self.nodes.values()))
            written = self.builder.argument_of(self.step, name, sample)
        texts = []
        for i, first in enumerate(next(iter(values.values()))):
            sizes = {f: value[i] for f, value in values.items()}
            if self.builder.settled(sizes):
                texts.append(python(first))
                continue
            symbol = None
            if isinstance(written, tree.Tuple | tree.List):
                symbol = self.builder.symbol(written.items[i], list(sizes))
                symbol = symbol if _agrees(symbol, sizes) else None
            symbol = symbol or self.builder.find(sizes)
            texts.append(self.builder.in_forward(symbol, f"{name}_{i}"))
        return texts

    def _converted(self, symbol: Symbol, values: Mapping[Frame, Any]) -> Symbol:
        raw = {f: symbol.at(f) for f in values}
        if any(isinstance(v, float) for v in raw.values()) and _all_ints(values):
            return call(f"int({symbol.text})", [symbol], values)
        kinds = {isinstance(v, tuple) for v in raw.values()}
        if len(kinds) > 1:
            raise NotExpressible
        if kinds == {True}:
            values = raw
        return Symbol(values, symbol.text, symbol.level, symbol.names, symbol.open)


class Table:
    """A stage table as code: a `Sequential` with a child for each row."""

    def __init__(
        self, builder: Builder, table: tree.Stages, lanes: list[Frame], channels: Symbol | None
    ) -> None:
        self.builder = builder
        self.lanes = lanes
        self.channels = channels
        self.stages: list[list[Stage]] = [frame.loops[id(table)] for frame in lanes]
        self.rows: list[list[Stage]] = []
        for stages in zip(*self.stages):
            empty = {not stage.repeats for stage in stages}
            if empty == {True}:
                continue
            if len(empty) > 1:
                raise NotExpressible
            self.rows.append(list(stages))
        self.names = [row[0].name for row in self.rows]

    def code(self) -> Code:
        """The code; the rows are lines of their own, added to the sequence by name."""
        return Rows(tuple((safe(row[0].name), self._row(row), _shape_remark(row)) for row in self.rows))

    def _row(self, stages: list[Stage]) -> Code:
        repeats = [repeat for stage in stages for repeat in stage.repeats]
        if not stages[0].numbered:
            return self._layer(repeats)
        counts = {frame: len(stage.repeats) for frame, stage in zip(self.lanes, stages)}
        items: list[Code] = []
        if is_constant(counts):
            count = next(iter(counts.values()))
            items = self._items(stages, count)
        else:
            count_symbol = self._count(stages, counts)
            first = [repeat for repeat in repeats if repeat.rep == 0]
            rest = [repeat for repeat in repeats if repeat.rep > 0]
            items = [self._layer(first)]
            code = self._layer(rest, loop=True)
            less = binary("-", count_symbol, literal({f: 1 for f in counts}), counts)
            if "rep" in names_in(code):
                over = Plain(f"range(1, {count_symbol.text})", count_symbol.names)
                items.append(Repeated(code, "rep", over))
            else:
                items.append(Repeated(code, "_", Plain(f"range({less.text})", less.names)))
        return Invoke("nn.Sequential", tuple(("", item) for item in items), True)

    def _count(self, stages: list[Stage], counts: Mapping[Frame, int]) -> Symbol:
        cell = self.builder.writer.entry(stages[0], "n")
        if cell is not None:
            symbol = self.builder.symbol(cell, self.lanes)
            if _agrees(symbol, counts):
                return symbol
        return self.builder.find(counts)

    def _items(self, stages: list[Stage], count: int) -> list[Code]:
        """The layers of a row: one alone, then a loop for those that are alike."""

        def group(start: int, stop: int) -> list[RowRepeat]:
            return [r for stage in stages for r in stage.repeats[start:stop]]

        singles = tuple(self._layer(group(i, i + 1)) for i in range(count))
        loops: list[tuple[int, Repeated]] = []
        for start in (0, 1):
            if count - start < 3:
                continue
            try:
                code = self._layer(group(start, count), loop=True)
            except NotExpressible:
                continue
            used = names_in(code) & {"rep", "index"}
            if len(used) == 1:
                (name,) = used
                starts = {r.frame.names[name] for r in group(start, start + 1)}
                if len(starts) == 1:
                    low = starts.pop()
                    low_text = f"{low}, " if low else ""
                    over = Plain(f"range({low_text}{low + count - start})")
                    loops.append((start, Repeated(code, name, over)))
        return [Alike(singles, tuple(loops))]

    def _layer(self, repeats: list[RowRepeat], loop: bool = False) -> Code:
        """The layer of some repeats of a row, all by the same code."""
        builder = self.builder
        made = {repeat.frame: repeat.made for repeat in repeats}
        sizes = {repeat.frame: repeat.input.shape[0] for repeat in repeats}
        if loop and builder.plan.unrolled:
            raise NotExpressible
        kept = builder.rounds, builder.counting
        builder.counting = True
        if loop:
            builder.rounds = [*builder.rounds, "rep"]
        try:
            channels = builder.find(sizes, *([self.channels] if self.channels else []))
            written = builder.writer.entries(repeats[0].stage)
            if all(isinstance(item, Scope) for item in made.values()):
                scopes: dict[Frame, Scope] = dict(made)  # type: ignore[arg-type]
                return builder.new_block(scopes, written, [channels])
            if not all(isinstance(item, Node) for item in made.values()):
                raise NotExpressible
            nodes: dict[Frame, Node] = dict(made)  # type: ignore[arg-type]
            kinds = {type(node.operation) for node in nodes.values()}
            if len(kinds) > 1:
                raise NotExpressible
            site = StepSite(builder, nodes, None, channels, written=written)
            code = LAYERS[kinds.pop().name](site)
            flat = [_flatten_before(node) for node in nodes.values()]
            if any(flat):
                return Invoke("nn.Sequential", (("", Plain("nn.Flatten()")), ("", code)))
            return code
        finally:
            builder.rounds, builder.counting = kept


class Rows(Code):
    """The rows of a table: name, code and a remark (the shape that comes out)."""

    rows: tuple[tuple[str, Code, str], ...]

    def parts(self) -> Iterable[Code]:
        return [code for _, code, _ in self.rows]


def class_of(value: OperationValue) -> str | None:
    """The class of a layer that takes no arguments: `nn.ReLU`."""
    if isinstance(value.callee, Unit) or value.arguments or value.callee.name not in LAYERS:
        return None
    try:
        operation = value.callee(((8,),), {})
        code = LAYERS[value.callee.name](_BareSite([operation]))
    except Exception:  # one that needs arguments, or a map: it has no class that is one by itself
        return None
    return code.function if not code.arguments else None


class _BareSite:
    """A site for an operation by itself."""

    inplace = False

    def __init__(self, operations: list[Operation]) -> None:
        self.operations = operations

    @property
    def channels(self) -> Symbol:
        raise NotExpressible

    def argument(self, name: str) -> Symbol:
        raise NotExpressible

    def helper(self, name: str) -> str:
        raise NotExpressible


# Small questions


def _variable(name: str) -> str:
    """What a local variable is called in Python: in small letters, as linters want it."""
    name = safe(name.lower())
    return "l_" if name == "l" else name


def _free(name: str, taken: set[str]) -> str:
    """A name for an argument that no other one has, and no function that the code calls."""
    name = _variable(name)
    while name in taken or name in FUNCTIONS:
        name += "_"
    taken.add(name)
    return name


def _chain(statements: list[Assign | Loop]) -> tuple[str, Var, Var] | None:
    """For rounds that are each one layer called with what the one before gives: `self.layers`,
    what goes in, and what comes out."""
    if len(statements) < 2:
        return None
    text = str(statements[0].piece.parts[0]) if isinstance(statements[0], Assign) else ""
    text = text.removesuffix("[0](")
    source: str | Var | None = None
    for i, statement in enumerate(statements):
        if not isinstance(statement, Assign) or len(statement.targets) != 1:
            return None
        parts = statement.piece.parts
        if len(parts) != 3 or parts[0] != f"{text}[{i}](" or parts[2] != ")":
            return None
        if i and parts[1] is not source:
            return None
        (source,) = statement.targets
    first = statements[0]
    assert isinstance(first, Assign) and isinstance(source, Var)
    begin = first.piece.parts[1]
    return (text, begin, source) if isinstance(begin, Var) else None


def _one_kind(values: Mapping[Frame, Any]) -> type:
    kinds = {type(value) for value in values.values()}
    if len(kinds) > 1:
        raise NotExpressible
    return kinds.pop()


def _size(value: Any, letter: str) -> int | None:
    if isinstance(value, list | tuple):
        sizes = {_size(item, letter) for item in value}
        return sizes.pop() if len(sizes) == 1 else None
    if not isinstance(value, Value):
        return None
    letters = {1: "cw", 2: "chw", 3: "cdhw"}.get(len(value.shape) - 1, "c")
    return value.shape[letters.index(letter)] if letter in letters else None


def _agrees(symbol: Symbol, values: Mapping[Frame, Any]) -> bool:
    try:
        return all(
            symbol.at(f) == value and isinstance(symbol.at(f), bool) == isinstance(value, bool)
            for f, value in values.items()
        )
    except NotExpressible:
        return False


def _multiple(symbol: Symbol, sizes: Mapping[Frame, Any]) -> Symbol | None:
    """`symbol * k` or `symbol // k`, where that has these values."""
    try:
        known = {f: symbol.at(f) for f in sizes}
    except NotExpressible:
        return None
    if not _all_ints(known) or not all(known.values()):
        return None
    first = next(iter(sizes))
    for factor, operator in ((sizes[first] / known[first], "*"), (known[first] / sizes[first], "//")):
        if factor >= 2 and factor == int(factor):
            k = int(factor)
            fits = (
                all(known[f] * k == size for f, size in sizes.items())
                if operator == "*"
                else all(known[f] == size * k for f, size in sizes.items())
            )
            if fits:
                return binary(operator, symbol, literal({f: k for f in sizes}), sizes)
    return None


def _all_ints(values: Mapping[Frame, Any]) -> bool:
    return all(type(value) is int for value in values.values())


def _whole_floats(values: Mapping[Frame, Any]) -> bool:
    items = list(values.values())
    if not all(type(value) in (int, float) for value in items):
        return False
    return any(type(v) is float for v in items) and all(v == int(v) and v >= 1 for v in items)


def _as_ints(values: Mapping[Frame, Any]) -> dict[Frame, int]:
    return {f: int(value) for f, value in values.items()}


def _concrete(operation: Operation, name: str) -> Any:
    """A parameter's value as PyTorch takes it: one number where all axes agree."""
    if name == "count":
        return len(operation.outputs)
    value = getattr(operation, name)
    if name == "pads":
        return value
    if name in ("axes", "shape", "sizes"):
        return value
    if isinstance(value, tuple) and value and len(set(value)) == 1:
        return value[0]
    return value


def _all_layers(made: Mapping[Frame, Any]) -> bool:
    """Whether the nodes that a step made can be layers; a parameter may hold `split(2)`."""
    return not any(
        isinstance(item, Node) and item.operation.name not in LAYERS for item in made.values()
    )


def _does_nothing(operation: Operation) -> bool:
    return operation.name == "identity" or (
        operation.elementwise and getattr(operation, "rate", None) == 0
    )


def _flatten_of(made: Any, step: tree.Call) -> Node | None:
    if isinstance(made, Node) and made.operation.flattens:
        return _flatten_before(made)
    return None


def _flatten_before(node: Node) -> Node | None:
    before = node.inputs[0].node
    if before is not None and node.operation.flattens and before.span is node.span:
        return before if before.operation.name == "flatten" else None
    return None


def _adds(expression: tree.Expression) -> bool:
    return isinstance(expression, tree.Binary) and expression.operator == "+"


def _assigned(body: Iterable[tree.Statement]) -> set[str]:
    names: set[str] = set()
    for statement in body:
        if isinstance(statement, tree.Assign):
            names |= {target.name for target in statement.targets}
        elif isinstance(statement, tree.Repeat):
            names |= _assigned(statement.body)
    return names


def _spelled(
    expression: tree.Expression, values: Mapping[Frame, Any], lanes: list[Frame]
) -> Symbol:
    """A constant; one with many digits is written as the spec's formula, in numbers."""
    value = next(iter(values.values()))
    if not isinstance(value, float) or len(repr(value)) <= 8:
        return literal(values)
    try:
        text, level = _formula(expression, lanes[0])
    except NotExpressible:
        return literal(values)
    return Symbol(values, text, level)


def _formula(expression: tree.Expression, frame: Frame) -> tuple[str, int]:
    if isinstance(expression, tree.Binary) and expression.operator in "+-*/":
        level = LEVELS[expression.operator]
        left, a = _formula(expression.left, frame)
        right, b = _formula(expression.right, frame)
        left = f"({left})" if a < level else left
        right = f"({right})" if b <= level else right
        return f"{left} {expression.operator} {right}", level
    value = frame.trace[id(expression)]
    if type(value) not in (int, float):
        raise NotExpressible
    return python(value), 9 if value >= 0 else SIGN


def _shape_remark(stages: list[Stage]) -> str:
    shapes = {stage.output.shape for stage in stages}
    return " x ".join(map(str, shapes.pop())) if len(shapes) == 1 else ""

