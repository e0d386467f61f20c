"""From the expressions of a spec to symbols: numbers, and the channels of tensors."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from typing import Any

from archdsl.backends.pytorch.lanes import agrees, all_ints, as_whole, fitted, multiple_of, size_of
from archdsl.backends.pytorch.pieces import Piece, Var
from archdsl.backends.pytorch.plans import COUNTERS, Assign, Choice, Condition, Loop, Plan
from archdsl.backends.pytorch.symbols import (
    CONDITIONAL,
    LEVELS,
    NOT,
    PRODUCT,
    SIGN,
    NotExpressible,
    NotOpen,
    Symbol,
    binary,
    call,
    is_constant,
    literal,
    negative,
    python,
)
from archdsl.elaborate.expressions import OperationValue
from archdsl.frontend import ast
from archdsl.frontend.python_names import submodule_name, variable_name
from archdsl.frontend.scopes import names_of
from archdsl.ir.graph import Frame, Node, Value


class Expressions:
    """Knows the numbers of one class. Its state is that of the whole walk through the unit."""

    def __init__(
        self, writer: Any, plan: Plan, labels: Mapping[str, Iterable[str]] | None = None
    ) -> None:
        """With `labels` the tables of these lines are run row by row."""
        self.labels = labels or {}
        self.writer = writer
        self.plan = plan
        self.unit = plan.unit
        self.names = names_of(plan.unit)
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
        """For the lines of tables that run row by row: the variables of the rows."""
        self.carried: dict[str, Var] = {}
        """The variables that the loop around the code at hand hands from round to round."""
        self.tapped: list[tuple[Var, set[Value]]] = []
        """These variables with what they hold in the lanes."""
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

    # Numbers

    def symbol(self, expression: ast.Expression, lanes: list[Frame]) -> Symbol:
        """The symbol of a number's expression."""
        values = {f: f.trace[expression] for f in lanes if expression in f.trace}
        if not values:
            raise NotExpressible
        if self.settled(values) and not self.plan.open:
            return spelled(expression, values, list(values))
        try:
            symbol = self._symbol(expression, list(values), values)
        except NotExpressible:
            if opened := self.opened(expression, lanes):
                raise NotOpen(opened) from None
            if is_constant(values):
                return literal(values)
            raise
        if symbol.open or (symbol.names and not self.settled(values)):
            return symbol
        return spelled(expression, values, list(values)) if is_constant(values) else symbol

    def opened(self, expression: ast.Node | None, lanes: list[Frame]) -> frozenset[str]:
        """The open parameters of the network that an expression depends on."""
        found: frozenset[str] = frozenset()
        if expression is None or not self.plan.open:
            return found
        for node in ast.walk(expression):
            if isinstance(node, ast.Name):
                found |= self.plan.open.get(node.name, frozenset())
                if node.name in self.lets:
                    found |= self.lets[node.name].open
            elif isinstance(node, ast.Field) and node.name == "c":
                try:
                    found |= self.channels_of(node.of, lanes).open
                except NotExpressible:
                    pass
        return found

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
        self, expression: ast.Expression, lanes: list[Frame], values: Mapping[Frame, Any]
    ) -> Symbol:
        if isinstance(expression, ast.Number | ast.Truth | ast.Absent):
            return literal(values)
        if isinstance(expression, ast.Name):
            return self._named(expression.name, values)
        if isinstance(expression, ast.Field):
            if expression.name == "c":
                return self.channels_of(expression.of, lanes)
            return self._side(expression, values)
        if isinstance(expression, ast.Binary):
            left = self.symbol(expression.left, lanes)
            try:
                right = self.symbol(expression.right, lanes)
            except NotExpressible:
                if expression.operator in ("and", "or"):
                    return Symbol(values, left.text, left.level, left.names, left.open)
                raise
            if expression.operator == "*" and any(type(v) is list for v in values.values()):
                left, right = (s if _is_list(s) else as_whole(s) for s in (left, right))
            return binary(expression.operator, left, right, values)
        if isinstance(expression, ast.Minus):
            inner = self.symbol(expression.operand, lanes)
            return negative(inner, values)
        if isinstance(expression, ast.Negation):
            inner = self.symbol(expression.operand, lanes)
            return Symbol(values, f"not {inner.wrapped(NOT)}", NOT, inner.names, inner.open)
        if isinstance(expression, ast.Comparison):
            return self._comparison(expression, lanes, values)
        if isinstance(expression, ast.Conditional):
            parts = [
                self.symbol(part, lanes)
                for part in (expression.value, expression.condition, expression.otherwise)
            ]
            a, condition, b = (part.wrapped(CONDITIONAL + 1) for part in parts)
            made = call(f"{a} if {condition} else {b}", parts, values)
            made.level = CONDITIONAL
            return made
        if isinstance(expression, ast.Call):
            return self._function(expression, lanes, values)
        if isinstance(expression, ast.Item):
            of = self.symbol(expression.of, lanes)
            index = as_whole(self.symbol(expression.index, lanes))
            if isinstance(expression.of, ast.Name) and index.names and not of.names:
                # A list that is the same in all uses.
                name = self.plan.names.get(expression.of.name) or variable_name(expression.of.name)
                self.locals[name] = of
                of = Symbol(of.values, name, names=frozenset([name]), open=of.open)
            return call(f"{of.wrapped(9)}[{index.text}]", [of, index], values)
        if isinstance(expression, ast.Tuple | ast.List):
            items = [self.symbol(item, lanes) for item in expression.items]
            inside = ", ".join(item.text for item in items)
            if isinstance(expression, ast.List):
                return call(f"[{inside}]", items, values)
            return call(f"({inside}{',' * (len(items) == 1)})", items, values)
        raise NotExpressible

    def _named(self, name: str, values: Mapping[Frame, Any]) -> Symbol:
        if self.counting and name in COUNTERS:
            if name == "total" or "rep" not in self.rounds:
                raise NotExpressible
            return Symbol(values, name, names=frozenset([name]))
        if name in self.lets:
            symbol = self.lets[name]
            if all_ints(symbol.values):  # also where the spec's arithmetic made floats of them
                values = {f: symbol.at(f) for f in values}
            return Symbol(values, symbol.text, symbol.level, symbol.names, symbol.open)
        if name in self.rounds:
            variable = self._variable_of(name)
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

    def _variable_of(self, loop: str) -> str:
        """What the variable of a loop is called in Python; `rep` is that of a row's repeats."""
        return "rep" if self.counting and loop == "rep" else self.plan.names[loop]

    def _is_derived(self, parameter: ast.Parameter) -> bool:
        """Whether every use leaves a parameter to a default that depends on others."""
        default = parameter.default
        assert default is not None
        name = parameter.name
        if is_constant({scope.frame: scope.arguments[name] for scope in self.plan.scopes}):
            return False
        return all(default in frame.trace for frame in self.lanes)

    def _derived(self, parameter: ast.Parameter, values: Mapping[Frame, Any]) -> Symbol:
        name = self.plan.names[parameter.name]
        if name not in self.locals:
            assert parameter.default is not None
            symbol = self.symbol(parameter.default, self.lanes)
            if symbol.text.isidentifier():
                return Symbol(values, symbol.text, names=symbol.names, open=symbol.open)
            self.locals[name] = symbol
        return Symbol(values, name, names=frozenset([name]), open=self.locals[name].open)

    def _side(self, expression: ast.Field, values: Mapping[Frame, Any]) -> Symbol:
        """A height, width or depth: constant, or that of an input as an argument."""
        if is_constant(values):
            return literal(values)
        if isinstance(expression.of, ast.Name):
            for i, slot in enumerate(self.unit.tensors):
                if slot.name == expression.of.name:
                    inputs = {scope.frame: scope.inputs[i] for scope in self.plan.scopes}
                    symbol = self._input_size(i, expression.name, inputs)
                    if symbol is not None:
                        return Symbol(values, symbol.text, names=symbol.names)
        raise NotExpressible

    def _comparison(
        self, expression: ast.Comparison, lanes: list[Frame], values: Mapping[Frame, Any]
    ) -> Symbol:
        parts = []
        for operand in expression.operands:
            parts.append(self.symbol(operand, lanes))
            if any(isinstance(v, OperationValue) for v in parts[-1].values.values()):
                raise NotExpressible
        level = LEVELS["and"] + 2
        text = parts[0].wrapped(level + 1)
        for i, (sign, part) in enumerate(zip(expression.operators, parts[1:])):
            if "None" in (parts[i].text, part.text):
                sign = {"==": "is", "!=": "is not"}.get(sign, sign)
            text += f" {sign} {part.wrapped(level + 1)}"
        made = call(text, parts, values)
        made.level = level
        return made

    def _function(
        self, expression: ast.Call, lanes: list[Frame], values: Mapping[Frame, Any]
    ) -> Symbol:
        if not self.names.is_function(expression):
            raise NotExpressible  # an operation that is not applied yet
        name = expression.name
        arguments = [argument.value for argument in expression.arguments]
        if name in ("floor", "ceil") and isinstance(arguments[0], ast.Binary):
            quotient = arguments[0]
            if quotient.operator == "/":
                a = self.symbol(quotient.left, lanes)
                b = self.symbol(quotient.right, lanes)
                if all_ints(a.values) and all_ints(b.values):
                    if name == "floor":
                        return binary("//", a, b, values)
                    text = f"-({negative(a, a.values).text} // {b.wrapped(PRODUCT + 1)})"
                    return call(text, [a, b], values)
        parts = [self.symbol(argument, lanes) for argument in arguments]
        inside = ", ".join(part.text for part in parts)
        if name == "floor":
            if all_ints(parts[0].values):
                return parts[0]
            below = any(value < 0 for value in parts[0].values.values())
            inside = f"{parts[0].wrapped(PRODUCT)} // 1" if below else inside
            return call(f"int({inside})", parts, values)
        if name == "ceil":
            if all_ints(parts[0].values):
                return parts[0]
            negated = negative(parts[0], parts[0].values)
            return call(f"-int({negated.wrapped(PRODUCT)} // 1)", parts, values)
        if name == "sqrt":
            return binary("^", parts[0], literal({f: 0.5 for f in values}), values)
        if name == "divisible":
            inside = ", ".join(part.text for part in [parts[0], *map(as_whole, parts[1:])])
            return call(f"{self.writer.helper('divisible')}({inside})", parts, values)
        if name in ("round", "min", "max", "abs", "len"):
            return call(f"{name}({inside})", parts, values)
        raise NotExpressible

    # Channels

    def _input_size(self, position: int, letter: str, values: Mapping[Frame, Any]) -> Symbol | None:
        """The symbol of an input's size: an argument such as `in_channels` where uses differ."""
        slot = self.unit.tensors[position]
        sizes = {f: size_of(v, letter) for f, v in values.items()}
        if any(size is None for size in sizes.values()):
            return None
        if isinstance(slot, ast.Input) and self.plan.scopes[0].parent is None:
            opened = self._open_input(slot, letter)
            return opened or literal(sizes)
        if is_constant(sizes):
            return literal(sizes)
        key = f"{slot.name}.{letter}"
        name = self.plan.names[key]
        self.sizes[key] = Symbol(sizes, name, names=frozenset([name]))
        return self.sizes[key]

    def _open_input(self, slot: ast.Input, letter: str) -> Symbol | None:
        if letter != "c" or not self.plan.open:
            return None
        symbol = self.symbol(slot.sizes[0], self.lanes)
        return symbol if symbol.open else None

    def channels_of(self, expression: ast.Expression, lanes: list[Frame]) -> Symbol:
        """The symbol of the channels of a tensor.

        Where they follow an open parameter of the network in a way that no symbol tells (those of a
        concatenation), it cannot stay open.
        """
        spread = self._spread(expression, lanes) if self.plan.open else None
        try:
            symbol = self._channels_of(expression, lanes)
        except NotExpressible:
            if spread:
                raise NotOpen(spread) from None
            raise
        if spread and not symbol.open:
            raise NotOpen(spread)
        return symbol

    def _spread(self, expression: ast.Node, lanes: list[Frame]) -> frozenset[str]:
        """The open parameters that may have come into the channels of a tensor."""
        found: frozenset[str] = frozenset()
        if isinstance(expression, ast.Name):
            symbol = self.channels.get(expression.name)
            return symbol.open if symbol is not None else found
        if isinstance(expression, ast.Flow):
            for step in reversed(expression.steps):
                if isinstance(step, ast.Stages):
                    return found  # an open one has been refused
                if any("c" in _parameters(frame.made.get(step)) for frame in lanes):
                    return found | self.opened(step, lanes)
                found |= self._spread(step, lanes)
            return found | self._spread(expression.source, lanes)
        if isinstance(expression, ast.Guard):
            return self._spread(expression.value, lanes)
        for node in ast.parts(expression):
            node = node.value if isinstance(node, ast.Argument) else node
            if any(_is_tensor(frame.trace.get(node)) for frame in lanes):
                found |= self._spread(node, lanes)
        return found

    def _channels_of(self, expression: ast.Expression, lanes: list[Frame]) -> Symbol:
        key = expression
        values = {f: size_of(f.trace[key], "c") for f in lanes if key in f.trace}
        if not values or any(value is None for value in values.values()):
            raise NotExpressible
        sizes: dict[Frame, Any] = dict(values)
        known = self._known_channels(expression, lanes)
        if known is not None and (known.open or not self.settled(sizes)):
            if all(known.at(f) == size for f, size in sizes.items()):
                return fitted(known, sizes)
        return self.find(sizes)

    def _known_channels(self, expression: ast.Expression, lanes: list[Frame]) -> Symbol | None:
        if isinstance(expression, ast.Name):
            return self.channels.get(expression.name)
        if isinstance(expression, ast.Item) and isinstance(expression.of, ast.Name):
            return self.channels.get(expression.of.name)
        if isinstance(expression, ast.Flow):
            return self.channels.get(f"flow {expression}")
        if isinstance(expression, ast.Guard | ast.Conditional):
            return self._known_channels(expression.value, lanes)
        if isinstance(expression, ast.Call):
            return self.channels.get(f"flow {expression}")
        if isinstance(expression, ast.Binary | ast.Minus):
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
        candidates = [symbol for symbol in candidates if symbol.names or symbol.open]
        for symbol in candidates:
            if agrees(symbol, sizes):
                return fitted(symbol, sizes)
        for symbol in candidates:
            made = multiple_of(symbol, sizes)
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
        least = min(rounds.values())
        first = {f.outer: sizes[f] for f in lanes if rounds[f] == least}
        steps: dict[Frame, Any] = {}
        for f in lanes:
            if f.outer in first and rounds[f] > least:
                grown = (sizes[f] - first[f.outer]) / (rounds[f] - least)
                if grown != int(grown) or steps.setdefault(f.outer, int(grown)) != grown:  # type: ignore[arg-type]
                    return None
        if not steps or least != 0:
            return None
        outer = {f: v for f, v in first.items() if f is not None}
        kept, self.rounds = self.rounds, self.rounds[:-1]
        try:
            base = self.find(outer)
            step = self.find(steps)
        finally:
            self.rounds = kept
        counter = self._variable_of(variable)
        i = Symbol(rounds, counter, names=frozenset([counter]))
        product = {f: sizes[f] - first[f.outer] for f in lanes}
        return binary("+", base, binary("*", step, i, product), sizes)

    def _find_or_none(self, sizes: Mapping[Frame, Any]) -> Symbol | None:
        try:
            return self.find(sizes)
        except NotExpressible:
            return None

    # Numbers in `forward`

    def in_forward(self, symbol: Symbol, name: str) -> str:
        """The text of a number in `forward`: an attribute, where arguments decide it."""
        rounds = set(map(self._variable_of, self.rounds))
        if not symbol.names - rounds:
            return symbol.text
        if symbol.names & rounds:
            raise NotExpressible
        if symbol.text.isidentifier():
            name = symbol.text
        name = submodule_name(name)
        while name in self.taken or self.numbers.get(name, symbol).text != symbol.text:
            name += "_"
        self.numbers[name] = symbol
        return f"self.{name}"


def _parameters(made: Any) -> Container[str]:
    """The parameters of what a step made, if that is a primitive; a block takes no open tensor."""
    return made.operation.parameters if isinstance(made, Node) else ("c",) if made else ()


def _is_list(symbol: Symbol) -> bool:
    return any(type(value) is list for value in symbol.values.values())


def _is_tensor(value: Any) -> bool:
    return isinstance(value, Value) or (isinstance(value, list) and any(map(_is_tensor, value)))


def spelled(expression: ast.Expression, values: Mapping[Frame, Any], lanes: list[Frame]) -> Symbol:
    """A constant; one with many digits is written as the spec's formula, in numbers."""
    value = next(iter(values.values()))
    if not isinstance(value, float) or len(repr(value)) <= 8:
        return literal(values)
    try:
        text, level = _formula(expression, lanes[0])
    except NotExpressible:
        return literal(values)
    return Symbol(values, text, level)


def _formula(expression: ast.Expression, frame: Frame) -> tuple[str, int]:
    if isinstance(expression, ast.Binary) and expression.operator in "+-*/":
        level = LEVELS[expression.operator]
        left, a = _formula(expression.left, frame)
        right, b = _formula(expression.right, frame)
        left = f"({left})" if a < level else left
        right = f"({right})" if b <= level else right
        return f"{left} {expression.operator} {right}", level
    value = frame.trace[expression]
    if type(value) not in (int, float):
        raise NotExpressible
    return python(value), 9 if value >= 0 else SIGN
