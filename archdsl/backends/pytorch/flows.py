"""Tensors: from flows, guards and calls to submodules and the lines of `forward`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from archdsl.backends.pytorch.code import IDENTITY, Code, Invoke, Listed, NewBlock, Plain, plain
from archdsl.backends.pytorch.expressions import Expressions
from archdsl.backends.pytorch.lanes import agrees, all_ints, as_whole, fitted, one_kind, size_of
from archdsl.backends.pytorch.layers import LAYERS, OPERATORS, as_list
from archdsl.backends.pytorch.pieces import Piece, Var
from archdsl.backends.pytorch.plans import Assign, Choice, Condition
from archdsl.backends.pytorch.sites import StepSite, class_of, flatten_before
from archdsl.backends.pytorch.stages import Table
from archdsl.backends.pytorch.symbols import (
    CONDITIONAL,
    LEVELS,
    NotExpressible,
    NotOpen,
    Symbol,
    binary,
    is_constant,
    literal,
)
from archdsl.elaborate.expressions import OperationValue
from archdsl.frontend import ast
from archdsl.frontend.python_names import variable_name
from archdsl.ir.graph import Frame, Node, Scope, Value
from archdsl.ops import Operation
from archdsl.ops.numbers import is_number

INLINE = 60
"""An expression that is part of another one gets no longer than this, where it can be named."""
LONGEST = 84
"""A longer one cannot be an arm of a conditional."""


class Flows(Expressions):
    """Makes the submodules, and the expressions that call them."""

    def tensor(
        self, expression: ast.Expression, lanes: list[Frame], line: str, several: bool = False
    ) -> Piece | None:
        """The code for a tensor; none where there is none in any lane.

        With `several` the results of a block stay the tuple that it gives; else they are a list.
        """
        lanes = [f for f in lanes if expression in f.trace]
        if not lanes:
            raise NotExpressible
        values = {f: f.trace[expression] for f in lanes}
        if one_kind(values) is type(None):
            return None
        if any(value is None for value in values.values()):
            raise NotExpressible
        piece = self._tensor(expression, lanes, line, several)
        if piece is None:
            return None
        if not piece.many and one_kind(values) is list:
            return Piece(piece, level=piece.level, typed=piece.typed, many="list")
        if piece.many == "tuple" and not piece.typed and not several:
            count = {len(value) for value in values.values()}
            if len(count) > 1:
                raise NotExpressible
            targets = tuple(Var(variable_name(f"{line}_{i}")) for i in range(count.pop()))
            self.emit(Assign(targets, piece))
            items = [", " if i % 2 else targets[i // 2] for i in range(2 * len(targets) - 1)]
            return Piece("[", *items, "]", typed=True, many="list")
        return piece

    def _tensor(
        self, expression: ast.Expression, lanes: list[Frame], line: str, several: bool
    ) -> Piece | None:
        if isinstance(expression, ast.Name):
            return self.variables[expression.name]
        if isinstance(expression, ast.Item):
            of = self.tensor(expression.of, lanes, line)
            if of is None:
                raise NotExpressible
            index = self.in_forward(as_whole(self.symbol(expression.index, lanes)), "index")
            return Piece(of.wrapped(9), f"[{index}]", typed=of.typed)
        if isinstance(expression, ast.Field):
            return self._tap(expression, lanes)
        if isinstance(expression, ast.List | ast.Tuple):
            return self._list(expression, lanes, line)
        if isinstance(expression, ast.Flow):
            return self._flow(expression, lanes, line)
        if isinstance(expression, ast.Guard):
            return self._guard(expression, lanes, line, several)
        if isinstance(expression, ast.Conditional):
            return self._conditional(expression, lanes, line, several)
        if isinstance(expression, ast.Binary | ast.Minus):
            return self._arithmetic(expression, lanes, line)
        if isinstance(expression, ast.Call):
            return self._application(expression, lanes, line)
        raise NotExpressible

    def _list(self, expression: ast.List | ast.Tuple, lanes: list[Frame], line: str) -> Piece:
        parts: list[str | Piece] = []
        for piece in self._operands(expression.items, lanes, line):
            if piece is not None and piece.many:
                raise NotExpressible  # a list in a list has no type in TorchScript
            if piece is not None:
                parts += [", " if parts else "[", piece]
        return Piece(*(parts or ["["]), "]", typed=True, many="list")

    def _operands(
        self, expressions: Iterable[ast.Expression], lanes: list[Frame], line: str
    ) -> list[Piece | None]:
        """The code for some tensors, in whose order layers are called."""
        pieces: list[Piece | None] = []
        for expression in expressions:
            start = len(self.statements)
            piece = self.tensor(expression, lanes, line)
            self._settle(pieces, start, line)
            pieces.append(piece)
        return pieces

    def _settle(self, pieces: list[Piece | None], start: int, line: str) -> None:
        """Call what comes before the lines from `start` on in lines before these."""
        if len(self.statements) == start:
            return
        for i, piece in enumerate(pieces):
            if piece is not None and piece.calls:
                variable = Var(variable_name(line), "list[Tensor]" if piece.many else "Tensor")
                self.statements.insert(start, Assign((variable,), as_list(piece)))
                pieces[i] = Piece(variable, typed=True)
                start += 1

    def _tap(self, expression: ast.Field, lanes: list[Frame]) -> Piece:
        """The variable that holds what a row of a table gives."""
        for variable, values in self.tapped:
            if all(f.trace[expression] in values for f in lanes):
                return Piece(variable, typed=True)
        raise NotExpressible

    def _application(self, expression: ast.Call, lanes: list[Frame], line: str) -> Piece:
        """An operation called with its tensors."""
        return self._called(expression, lanes, [], line)

    # Guards and conditionals

    def _guard(
        self, expression: ast.Guard, lanes: list[Frame], line: str, several: bool
    ) -> Piece | None:
        flow = expression.value
        assert isinstance(flow, ast.Flow)
        outcomes = {f: f.trace[expression.condition] for f in lanes}
        if is_constant(outcomes) and not self._opens(expression.condition, lanes):
            if next(iter(outcomes.values())):
                piece = self.tensor(flow, lanes, line, several)
            else:
                piece = self.tensor(flow.source, lanes, line)
            return piece
        condition = self.symbol(expression.condition, lanes)
        taken = [f for f in lanes if outcomes[f]]
        source = self.tensor(flow.source, lanes, line)
        if source is None:
            raise NotExpressible
        runs = {self.names.scopes.get(step, ("",))[0] for step in flow.steps}
        layers = not any(isinstance(s, ast.Call) and self._is_operator(s) for s in flow.steps)
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

    def _conditional(
        self, expression: ast.Conditional, lanes: list[Frame], line: str, several: bool
    ) -> Piece | None:
        outcomes = {f: f.trace[expression.condition] for f in lanes}
        if is_constant(outcomes) and not self._opens(expression.condition, lanes):
            chosen = expression.value if next(iter(outcomes.values())) else expression.otherwise
            return self.tensor(chosen, lanes, line, several)
        condition = self.symbol(expression.condition, lanes)
        yes = [f for f in lanes if outcomes[f]]
        no = [f for f in lanes if not outcomes[f]]
        self.conditions.append(Condition(plain(condition), True))
        a = self.tensor(expression.value, yes, line, several)
        self.conditions.pop()
        self.conditions.append(Condition(plain(condition), False))
        b = self.tensor(expression.otherwise, no, line, several)
        self.conditions.pop()
        if a is None or b is None or len(a) > LONGEST or len(b) > LONGEST:
            raise NotExpressible
        if a.parts == b.parts:
            return a
        if a.many != b.many:
            a, b = as_list(a), as_list(b)
        flag = self._flag(expression.condition, condition, line, expression)
        return Piece(
            a.wrapped(CONDITIONAL + 1), f" if {flag} else ", b,
            level=CONDITIONAL, typed=a.typed and b.typed, many=a.many,
        )  # fmt: skip

    def _opens(self, expression: ast.Expression, lanes: list[Frame]) -> bool:
        """Refuse to keep a parameter open that decides what the network is made of."""
        if self.plan.open:
            symbol = self.symbol(expression, lanes)
            if symbol.open:
                raise NotOpen(symbol.open)
        return False

    def _flag(
        self,
        written: ast.Expression,
        condition: Symbol,
        line: str,
        expression: ast.Conditional | None,
    ) -> str:
        """A condition in `forward`: an attribute named as in the spec, or by what it decides."""
        name = f"if_{line}"
        if isinstance(written, ast.Name):
            name = written.name
        elif expression is not None and _adds(expression.value) != _adds(expression.otherwise):
            name = "residual"
        return self.in_forward(condition, name)

    # Operators

    def _arithmetic(
        self, expression: ast.Binary | ast.Minus, lanes: list[Frame], line: str
    ) -> Piece | None:
        if isinstance(expression, ast.Minus):
            operands: list[ast.Expression] = [expression.operand]
        else:
            operands = [expression.left, expression.right]
        tensors = []
        for operand in operands:
            sample = lanes[0].trace.get(operand)
            if sample is None or isinstance(sample, Value | list | tuple):
                tensors.append(operand)
            elif opened := self.opened(operand, lanes):
                raise NotOpen(opened)  # the number is written as it is
        given = self._operands(tensors, lanes, line)
        pieces = [piece for piece in given if piece is not None]
        if None in given:
            return pieces[0]
        if isinstance(lanes[0].trace[expression], list):
            if isinstance(expression, ast.Binary) and expression.operator == "*":
                left = lanes[0].trace[expression.left]
                count = expression.right if isinstance(left, list) else expression.left
                times = self.in_forward(as_whole(self.symbol(count, lanes)), "times")
                return Piece(as_list(pieces[0]), f" * {times}", level=LEVELS["*"], typed=True,
                             many="list")  # fmt: skip
            a, b = map(as_list, pieces)
            return Piece(a, " + ", b, level=LEVELS["+"], typed=True, many="list")
        nodes = {f: f.trace[expression].node for f in lanes}
        if isinstance(expression, ast.Binary) and expression.operator == "+" and len(pieces) == 2:
            if self._gives_memory(pieces[0], nodes):
                first, second = self._fitting(pieces, line)
                return Piece(first, ".add_(", second, ")", typed=first.typed)
        return self._operator(nodes, pieces, None, line)

    def _gives_memory(self, piece: Piece, sums: Mapping[Frame, Node]) -> bool:
        """Whether a variable holds what a layer gave, and nobody but a sum reads it."""
        if self.conditions or any(piece.variable is tap for tap, _ in self.tapped):
            return False
        if not all(self.writer.may_overwrite(node) for node in sums.values()):
            return False
        made = [s for s in self.statements if isinstance(s, Assign) and s.targets == piece.parts]
        return len(made) == 1 and made[0].piece.is_call

    def _operator(
        self,
        nodes: Mapping[Frame, Node],
        operands: list[Piece],
        written: ast.Call | None,
        line: str,
    ) -> Piece:
        kinds = {type(node.operation) for node in nodes.values()}
        if len(kinds) > 1:
            raise NotExpressible
        site = StepSite(self, nodes, written, None, forward=True)
        operands = self._fitting(operands, line)
        return OPERATORS[kinds.pop().name](site, operands)

    def _is_operator(self, call: ast.Call) -> bool:
        return self.names.is_operator(call) or self.names.takes_tensors(call)

    def _fitting(self, pieces: list[Piece], line: str, room: int = INLINE) -> list[Piece]:
        """Give the longest of some expressions names of their own, until all fit on one line."""
        pieces = list(pieces)
        while sum(map(len, pieces)) > room and not self.conditions:
            longest = max(pieces, key=len)
            if longest.variable is not None or longest.many or len(longest) < 12:
                break
            last = pieces.index(longest)
            for i, piece in enumerate(pieces[: last + 1]):
                if i == last or piece.calls:  # calls stay in their order
                    variable = Var(variable_name(line), "list[Tensor]" if piece.many else "Tensor")
                    self.emit(Assign((variable,), as_list(piece)))
                    pieces[i] = Piece(variable, typed=True)
        return pieces

    # Flows and calls

    def _flow(
        self, expression: ast.Flow, lanes: list[Frame], line: str, always: bool = False
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
        value_of, many = expression.source, ""

        def close(piece: Piece) -> Piece:
            nonlocal run, stateful
            if run:
                (piece,) = self._fitting([piece], line)
                piece = self._register(name, run, piece, stateful or always, deep)
            run, stateful = [], False
            return piece

        for step in expression.steps:
            made = {f: f.made.get(step) for f in lanes}
            if isinstance(step, ast.Stages):
                scope_name = self.names.scopes[step]
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
                if channels is not None and channels.open:
                    if any(map(_pads_channels, made.values())):
                        raise NotOpen(channels.open)  # what it adds is written as a number
                piece = close(piece)
                name = ""
                piece = self._called(step, lanes, [piece], line)
            else:
                scope_name = self.names.scopes[step]
                if scope_name[0] != name:
                    piece, name = close(piece), scope_name[0]
                deep = len(scope_name) > 1
                piece = self._flattened(step, made, run, piece)
                code, has_state = self._layer(step, lanes, made, channels, line)
                if code is not None or len(scope_name) > 1:
                    run.append(code or IDENTITY)
                stateful = stateful or has_state
            channels = self._after(step, lanes, made, channels)
            value_of, many = step, _many(made)
        if channels is not None:
            self.channels[f"flow {expression}"] = channels
        assert value_of is not None
        return Piece(close(piece), many=many) if many and run else close(piece)

    def _flattened(
        self, step: ast.Call, made: Mapping[Frame, Any], run: list[Code], piece: Piece
    ) -> Piece:
        """The flatten that elaboration put before a step: before the run, or as a step of it."""
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
        step: ast.Call | ast.Stages,
        lanes: list[Frame],
        made: Mapping[Frame, Any],
        before: Symbol | None,
    ) -> Symbol | None:
        """The symbol of the channels after a step."""
        sizes: dict[Frame, Any] = {f: size_of(f.trace.get(step), "c") for f in lanes}
        if any(size is None for size in sizes.values()):
            return None
        candidates: list[Symbol] = []
        if isinstance(step, ast.Call):
            sample = next(iter(made.values()), None)
            written = self.argument_of(step, "c", sample)
            parts = self.argument_of(step, "sizes", sample)
            try:
                if written is not None:
                    candidates.append(self.symbol(written, lanes))
                elif parts is not None and before is not None and not agrees(before, sizes):
                    count = self.symbol(parts, lanes)
                    counts = {f: count.at(f) for f in lanes}
                    if all_ints(counts):  # else it lists the sizes
                        quotients = {f: before.at(f) // n for f, n in counts.items()}
                        candidates.append(binary("//", before, count, quotients))
            except NotExpressible:
                pass
        if before is not None and agrees(before, sizes):
            if before.open and candidates and not agrees(candidates[0], sizes):
                raise NotOpen(before.open)
            if not candidates or not agrees(candidates[0], sizes):
                candidates.insert(0, before)
        for symbol in candidates:
            if symbol.open and agrees(symbol, sizes):
                return fitted(symbol, sizes)
        if before is not None and before.open and not any(agrees(c, sizes) for c in candidates):
            raise NotOpen(before.open)
        try:
            return self.find(sizes, *candidates)
        except NotExpressible:
            return None

    def argument_of(self, step: ast.Call, name: str, made: Any) -> ast.Expression | None:
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

    def _called(
        self, step: ast.Call, lanes: list[Frame], flowing: list[Piece], line: str
    ) -> Piece:
        made = {f: f.made[step] for f in lanes}
        operands = list(flowing)
        channels: list[Symbol | None] = []
        if flowing:
            values = {f: item.inputs[0] for f, item in made.items()}
            sizes = {f: size_of(v, "c") for f, v in values.items()}
            channels.append(self._find_or_none(sizes))
        named: dict[str, tuple[Piece, Symbol | None]] = {}
        for argument in step.arguments:
            if not self.names.is_tensor(argument.value):
                continue
            if is_number(lanes[0].trace.get(argument.value)):
                continue  # the other arm of a condition would have been a tensor
            start = len(self.statements)
            piece = self.tensor(argument.value, lanes, line)
            before: list[Piece | None] = [*operands, *(p for p, _ in named.values())]
            self._settle(before, start, line)
            settled = [item for item in before if item is not None]
            operands = settled[: len(operands)]
            rest = zip(named, settled[len(operands) :])
            named = {key: (item, named[key][1]) for key, item in rest}
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
        for slot in slots[len(operands) :]:
            name = slot.strip("*?")
            if name in named:
                operands.append(named[name][0])
                channels.append(named[name][1])
            elif isinstance(sample, Scope):
                operands.append(Piece("None"))
                channels.append(None)
        nodes = {f: item for f, item in made.items() if isinstance(item, Node)}
        if isinstance(sample, Node) and len(nodes) == len(made):
            if sample.operation.operator:
                return self._operator(nodes, operands, step, line)
            channel = channels[0] if channels else None
            operands[0] = self._flattened(step, made, [], operands[0])
            code, stateful = self._layer(step, lanes, made, channel, line)
            if code is None:
                return operands[0]
            name = self.names.scopes[step][0]
            self._note_channels(step, lanes, made, channel)
            return self._register(name, [code], operands[0], stateful)
        if not all(isinstance(item, Scope) for item in made.values()):
            raise NotExpressible
        block = self._block(step, made, channels)
        name = self.names.scopes[step][0]
        self._note_channels(step, lanes, made, channels[0] if channels else None)
        operands = [o for i, o in enumerate(operands) if not block.plan.is_absent(i)]
        arguments: list[str | Piece] = []
        for i, operand in enumerate(self._fitting(operands, line)):
            arguments += [", " if i else "", operand]
        piece = self._register(name, [block], Piece(*arguments, level=0), True)
        return Piece(piece, many=_many(made))

    def _note_channels(
        self, step: ast.Call, lanes: list[Frame], made: Mapping[Frame, Any], before: Symbol | None
    ) -> None:
        after = self._after(step, lanes, made, before)
        if after is not None:
            self.channels[f"flow {step}"] = after

    # Layers and uses of blocks

    def _layer(
        self,
        step: ast.Call,
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
        if all(does_nothing(node.operation) for node in items):
            rate = self.argument_of(step, "rate", items[0])
            if rate is None or not self.symbol(rate, lanes).open:
                return None, False
        stateful = any(node.operation.weights for node in items)
        kinds = {type(node.operation) for node in items}
        if len(kinds) > 1:
            return self._chosen(step, nodes, channels), stateful
        begin = {(w.name, w.init) for node in items for w in node.operation.weights}
        if len(begin) > len({name for name, _ in begin}):
            raise NotExpressible  # they begin in different ways
        site = StepSite(self, nodes, step, channels)
        return LAYERS[kinds.pop().name](site), stateful

    def _chosen(
        self, step: ast.Call, nodes: Mapping[Frame, Node], channels: Symbol | None
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
        self, step: ast.Call | None, made: Mapping[Frame, Any], tensors: list[Symbol | None]
    ) -> NewBlock:
        """A use of another class."""
        scopes: dict[Frame, Scope] = dict(made)
        lanes = list(scopes)
        written: dict[str, ast.Expression | None] = {}
        sample = scopes[lanes[0]]
        if step is not None:
            for parameter in sample.unit.numbers:
                written[parameter.name] = self.argument_of(step, parameter.name, sample)
        return self.new_block(scopes, written, tensors)

    def new_block(
        self,
        scopes: Mapping[Frame, Scope],
        written: Mapping[str, ast.Expression | None],
        tensors: list[Symbol | None],
    ) -> NewBlock:
        """A use of another class, from what is written of its arguments."""
        plans = {self.writer.plan_of(scope) for scope in scopes.values()}
        if len(plans) > 1:
            raise NotExpressible
        (plan,) = plans
        arguments: list[tuple[str, Symbol]] = []
        builder_sizes = [slot.name for slot in plan.unit.tensors]
        for i, name in enumerate(builder_sizes):
            symbol = tensors[i] if i < len(tensors) else None
            if symbol is not None:
                if symbol.open:
                    raise NotOpen(symbol.open)
                arguments.append((f"{name}.c", symbol))
            for letter in "hwd":
                sizes = {f: size_of(s.inputs[i], letter) for f, s in scopes.items()}
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
        self, written: ast.Expression | None, actual: Mapping[Frame, Any]
    ) -> Symbol | None:
        """The symbol of an argument; none where the callee has to know it without being told."""
        lanes = list(actual)
        if any(isinstance(value, OperationValue) for value in actual.values()):
            return self._operation_argument(written, actual)
        if written is not None and all(written in f.trace for f in lanes):
            try:
                symbol = self.symbol(written, lanes)
                if agrees(symbol, actual):
                    return symbol
            except NotExpressible:
                pass
        if is_constant(actual):
            return literal(actual)
        try:
            return self.find(actual)
        except NotExpressible:
            return None

    def _operation_argument(
        self, written: ast.Expression | None, actual: Mapping[Frame, Any]
    ) -> Symbol | None:
        if is_constant(actual):
            value = next(iter(actual.values()))
            text = class_of(value)
            return Symbol(actual, text) if text else None
        if isinstance(written, ast.Name):
            try:
                return self._named(written.name, actual)
            except NotExpressible:
                return None
        return None

    # Submodules

    def _register(
        self, name: str, run: list[Code], piece: Piece, stateful: bool, deep: bool = False
    ) -> Piece:
        """Make a run of layers an attribute, and call it. A deep one is a sequence in any case."""
        while len(run) > 1 and run[-1] == IDENTITY:  # does nothing, and no index counts it
            run, deep = run[:-1], True
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

    def _tapped(self, table: Table, step: ast.Stages, name: str, piece: Piece, line: str) -> Piece:
        """A table that is run row by row, since some rows are read elsewhere."""
        if self.looped is not None:
            raise NotExpressible
        body = self._place(name, table.code(), True)
        taps: dict[str, Var] = {}
        wanted = self._taps_of(line)
        for i, stage in enumerate(table.names):
            call_ = Piece(body, f"[{i}](", piece, ")")
            last = i == len(table.names) - 1
            unread = line if last else f"{line}_{stage}"
            variable = Var(variable_name(stage if stage in wanted else unread))
            self.emit(Assign((variable,), call_))
            piece = Piece(variable, typed=True)
            taps[stage] = variable
            self.tapped.append((variable, {row.output for row in table.rows[i]}))
        self.taps[line] = taps
        return piece

    def emit(self, statement: Assign) -> None:
        """Add a line to `forward`, which runs in all lanes: none that some conditions let be."""
        if self.conditions:
            raise NotExpressible
        self.statements.append(statement)


def _all_layers(made: Mapping[Frame, Any]) -> bool:
    """Whether the nodes that a step made can be layers; a parameter may hold `split(2)`."""
    return not any(
        isinstance(item, Node) and item.operation.name not in LAYERS for item in made.values()
    )


def _many(made: Mapping[Frame, Any]) -> str:
    """Whether a step gives several tensors: a block's results, or one result that is a list."""
    kinds = {_results(item) for item in made.values()}
    if len(kinds) > 1:
        raise NotExpressible
    given = [kind for kind in kinds.pop() if kind is not type(None)]
    return "tuple" if len(given) > 1 else "list" if given == [list] else ""


def _results(item: Node | Scope | None) -> tuple[type, ...]:
    return tuple(map(type, item.outputs)) if isinstance(item, Scope) else ()


def does_nothing(operation: Operation) -> bool:
    return operation.name == "identity" or (
        operation.elementwise and getattr(operation, "rate", None) == 0
    )


def _pads_channels(made: Any) -> bool:
    return isinstance(made, Node) and made.operation.name == "pad_channels"


def _flatten_of(made: Any, step: ast.Call) -> Node | None:
    if isinstance(made, Node) and made.operation.flattens:
        return flatten_before(made)
    return None


def _adds(expression: ast.Expression) -> bool:
    return isinstance(expression, ast.Binary) and expression.operator == "+"
