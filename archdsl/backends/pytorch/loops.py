"""`repeat`: a sequence of layers, a loop over layers, or the rounds written out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from archdsl.backends.pytorch.code import Invoke, Plain, Repeated, names_in
from archdsl.backends.pytorch.flows import Flows
from archdsl.backends.pytorch.lanes import as_whole, size_of
from archdsl.backends.pytorch.pieces import Piece, Var
from archdsl.backends.pytorch.plans import Assign, Choice, Loop
from archdsl.backends.pytorch.symbols import NotExpressible, NotOpen, Symbol, is_constant
from archdsl.frontend import ast
from archdsl.frontend.python_names import variable_name
from archdsl.ir.graph import Frame


class Loops(Flows):
    """Makes loops."""

    def _walk(self, body: Iterable[ast.Statement], lanes: list[Frame]) -> None:
        raise NotImplementedError

    def _repeat(self, statement: ast.Repeat, lanes: list[Frame]) -> None:
        lanes = [f for f in lanes if statement in f.loops]
        rounds = {f: f.loops[statement] for f in lanes}
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
        for name in assigned_in(statement.body):
            if not any(name in f.names for f in lanes):  # known in its round alone
                self.variables.pop(name, None)
                self.channels.pop(name, None)

    def _state(self) -> tuple[Any, ...]:
        slots = {
            name: {path: choice.copy() for path, choice in choices.items()}
            for name, choices in self.slots.items()
        }
        return (
            slots, dict(self.numbers), dict(self.variables), dict(self.channels),
            list(self.statements), dict(self.locals), dict(self.lets), list(self.rounds),
            self.path, self.looped, list(self.conditions), dict(self.carried), list(self.tapped),
        )  # fmt: skip

    def _restore(self, state: tuple[Any, ...]) -> None:
        (
            self.slots, self.numbers, self.variables, self.channels,
            self.statements, self.locals, self.lets, self.rounds,
            self.path, self.looped, self.conditions, self.carried, self.tapped,
        ) = state  # fmt: skip

    # As a loop

    def _loop(
        self,
        statement: ast.Repeat,
        lanes: list[Frame],
        rounds: Mapping[Frame, list[Frame]],
        counts: Mapping[Frame, int],
    ) -> None:
        if self.rounds or self.plan.unrolled:
            raise NotExpressible  # of loops in loops the outer ones are unrolled
        starts = {f: f.trace[statement.start] for f in lanes}
        if set(starts.values()) != {0}:
            raise NotExpressible
        count = as_whole(self.symbol(statement.stop, lanes))
        if count.open:
            raise NotOpen(count.open)
        carried = self._carry(statement, rounds)
        for base in carried.values():
            if base is not None and base.open:
                raise NotOpen(base.open)  # each round is made for what the one before gives
        variable = self._variable_of(statement.variable)
        inner = [frame for frames in rounds.values() for frame in frames]
        outer_statements, self.statements = self.statements, []
        self.rounds.append(statement.variable)
        self.looped, self.layer = {}, Var(self._layer_name(statement))
        for name, base in carried.items():
            self.channels[name] = self._at_start(name, base, rounds)
        self._walk(statement.body, inner)
        self.rounds.pop()
        self.carried = {}
        modules, self.looped = self.looped, None
        body, self.statements = self.statements, outer_statements
        if len(modules) > 1 or any(isinstance(item, Loop) for item in body):
            raise NotExpressible
        assigns = [item for item in body if isinstance(item, Assign)]
        self._finish_loop(modules, count, variable, assigns)
        for name in carried:
            last = {f: frames[-1].names[name] for f, frames in rounds.items() if frames}
            sizes = {f: size_of(value, "c") for f, value in last.items()}
            complete = len(sizes) == len(lanes) and None not in sizes.values()
            self.channels[name] = self._find_or_none(sizes) if complete else None

    def _carry(
        self, statement: ast.Repeat, rounds: Mapping[Frame, list[Frame]]
    ) -> dict[str, Symbol | None]:
        """Make variables of the names that the loop changes; their channels before it."""
        before: dict[str, Symbol | None] = {}
        for name in sorted(assigned_in(statement.body)):
            if name not in self.variables:
                continue
            piece = self.variables[name]
            if piece.parts == ("None",):
                raise NotExpressible  # the first round differs from the others
            sample = next(frame.names[name] for frames in rounds.values() for frame in frames)
            kind = "list[Tensor]" if isinstance(sample, list) else "Tensor"
            variable = Var(variable_name(name), kind)
            last = self.statements[-1] if self.statements else None
            others = [p.variable for key, p in self.variables.items() if key != name]
            others += [tap for tap, _ in self.tapped]
            alone = all(piece.variable is not other for other in others)
            if isinstance(last, Assign) and last.targets == (piece.variable,) and alone:
                self.statements[-1] = Assign((variable,), last.piece)
            else:
                self.statements.append(Assign((variable,), piece))
            self.variables[name] = Piece(variable, typed=True)
            self.writer.fixed.add(variable)
            self.carried[name] = variable
            before[name] = self.channels.get(name)
        return before

    def _at_start(
        self, name: str, base: Symbol | None, rounds: Mapping[Frame, list[Frame]]
    ) -> Symbol | None:
        """The channels of a carried tensor at the start of each round."""
        sizes: dict[Frame, Any] = {}
        for f, frames in rounds.items():
            for i, frame in enumerate(frames):
                if i:
                    sizes[frame] = size_of(frames[i - 1].names[name], "c")
                elif base is None:
                    return None
                else:
                    sizes[frame] = base.at(f)
        if any(size is None for size in sizes.values()):
            return None
        return self._find_or_none(sizes)

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
            layers = code if count.text == "1" else Repeated(code, used, numbers)
            place = self._place(name, Invoke("nn.Sequential", (("", layers),), True), True)
            source = Piece(*targets)
            last = self.statements[-1]
            if isinstance(last, Assign) and last.targets == targets and last.piece.variable:
                source = last.piece
                self.statements.pop()
            self.statements.append(Assign(targets, Piece(place, "(", source, ")")))
            return
        if self.path:
            raise NotExpressible  # a list in a list
        layers = Repeated(code, used, numbers, starred=False)
        place = self._place(name, Invoke("nn.ModuleList", (("", layers),), True), True)
        self.statements.append(Loop(variable, place, "", self.layer, body))

    def _layer_name(self, statement: ast.Repeat) -> str:
        """A name for the layer of a round that is no other's."""
        name = "layer"
        others = {*map(variable_name, assigned_in(self.unit.body)), *self.plan.inputs.values()}
        while name in others or name == self._variable_of(statement.variable):
            name += "_"
        return name

    # Written out

    def _unrolled(
        self,
        statement: ast.Repeat,
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


def assigned_in(body: Iterable[ast.Statement]) -> set[str]:
    names: set[str] = set()
    for statement in body:
        if isinstance(statement, ast.Assign):
            names |= {target.name for target in statement.targets}
        elif isinstance(statement, ast.Repeat):
            names |= assigned_in(statement.body)
    return names
