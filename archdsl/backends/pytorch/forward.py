"""The lines of `forward`: variables get their Python names here.

A value that only the next line needs takes over the name of the value it is made from
(`x = self.stem(x)`), one that a sum or the like uses once moves into it, the rest keeps its name
from the spec.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from archdsl.backends.pytorch.code import INDENT, WIDTH
from archdsl.backends.pytorch.pieces import Piece, Var
from archdsl.backends.pytorch.plans import Assign, Loop

INLINE = 72
"""An expression that another one is moved into gets no longer than this."""

Line = Assign | Loop


class Forward:
    """One method: what flows in, the statements, what is returned."""

    def __init__(
        self,
        inputs: list[Var],
        statements: list[Line],
        fixed: set[Var],
        named: bool = False,
        annotated: Iterable[str] = (),
    ) -> None:
        """`named` keeps for what is returned its name from the spec.

        The names in `annotated` are declared with a type in any case.
        """
        self.statements = list(statements)
        self.named = named
        own = {target for statement in statements for target in _targets(statement)}
        looped = {v for s in statements if isinstance(s, Loop) for v in _in_loop(s)}
        self.fixed = (fixed & own) | looped
        loops = [s for s in statements if isinstance(s, Loop)]
        self.loops = {name for loop in loops for name in (loop.variable, loop.layer.name)}
        """The variables of loops, which no other may be called like."""
        self.names: dict[Var, str] = {variable: variable.name for variable in inputs}
        self.inputs = inputs
        self.alive = dict(self.names)
        """Of the names those that may still be needed."""
        self.declared = set(self.names.values())
        self.unpacked: set[str] = set()
        """Names that were filled together, which nothing declares; nothing else is called so."""
        self.annotated = {*self.declared, *annotated}
        self.widened: set[str] = set()
        """Names without a declared type that later get a value of which no type is known."""
        self.kinds = {variable.name: variable.kind for variable in inputs}

    def keep(self, pieces: Iterable[Piece]) -> None:
        """Let variables keep their names from the spec."""
        self.fixed = self.fixed | {v for piece in pieces for v in piece.variables()}

    def lines(self, returns: list[Piece], training: list[bool]) -> list[str]:
        """The body of the method."""
        returns = self._inline(returns)
        for_training = self._only_for(returns, training)
        usual = [s for i, s in enumerate(self.statements) if i not in for_training]
        self.statements = usual + [s for i, s in enumerate(self.statements) if i in for_training]
        self._see_uses(returns)
        self._part_layers(usual, self.statements[len(usual) :])
        lines: list[str] = []
        late: list[str] = []
        for i, statement in enumerate(self.statements):
            into = lines if i < len(usual) else late
            into += self._line(statement, i, into is late)
        if any(training):
            late += self._return(returns, 1)
            lines.append("if self.training:")
            lines += [INDENT + line for line in late]
            returns = [piece for piece, only in zip(returns, training) if not only]
        return lines + self._return(returns)

    def statement_lines(self, needed: list[Piece]) -> list[str]:
        """The lines that make some values, without a `return`."""
        self._inline(needed)
        self._see_uses(needed)
        lines = []
        for i, statement in enumerate(self.statements):
            lines += self._line(statement, i, False)
        return lines

    def _only_for(self, returns: list[Piece], training: list[bool]) -> set[int]:
        """The statements that only training's outputs need."""
        if not any(training):
            return set()
        usual = [piece for piece, only in zip(returns, training) if not only]
        needed = {variable for piece in usual for variable in piece.variables()}
        kept = set()
        for i in reversed(range(len(self.statements))):
            statement = self.statements[i]
            targets, used = _targets(statement), _used(statement)
            if needed & set(targets):
                kept.add(i)
                needed |= set(used)
        return set(range(len(self.statements))) - kept

    def _part_layers(self, usual: list[Line], late: list[Line]) -> None:
        """Let the loops under `if self.training` have names of their own for their layers.

        TorchScript takes no name of a layer from outside an `if` for another layer in it.
        """
        before = {loop.layer.name for loop in usual if isinstance(loop, Loop)}
        others = {v.name for line in self.statements for v in [*_targets(line), *_used(line)]}
        for loop in late:
            if isinstance(loop, Loop) and loop.layer.name in before:
                name = loop.layer.name
                while name in self.loops | others | self.declared:
                    name += "_"
                self.names[loop.layer] = name
                before |= {name}
                self.loops |= {name}

    # Moving expressions

    def _inline(self, returns: list[Piece]) -> list[Piece]:
        """Move layers that are used once into the expression that uses them.

        They are called in the order of the text: none moves over another call.
        """
        lines: list[Line | None] = [*self.statements, *(Assign((), piece) for piece in returns)]
        ends = range(len(self.statements), len(lines))
        loops = [i for i, line in enumerate(lines) if isinstance(line, Loop)]
        users = _users(lines)
        chained = {v for v, uses in users.items() for j in uses if self._is_chain(lines[j], v)}
        for i in reversed(range(ends.start)):
            line = lines[i]
            if not isinstance(line, Assign) or not self._is_layer(line):
                continue
            target, made_from = line.targets[0], line.piece
            if target in chained:
                continue
            uses = [j for j in users.get(target, ()) if j > i]
            # A value stays before a loop, which may change what it is made from.
            if len(uses) != 1 or any(i < loop <= min(uses[0], ends.start - 1) for loop in loops):
                continue
            (j,) = uses
            user = lines[j]
            assert isinstance(user, Assign)
            between = [item for item in lines[i + 1 : j] if isinstance(item, Assign)]
            if any(item.piece.calls for item in between) or user.piece.calls_before(target):
                continue
            piece = _with_moved(user.piece, target, made_from)
            if piece is None:
                continue
            lines[i], lines[j] = None, Assign(user.targets, piece)
            for variable in set(made_from.variables()):
                users[variable] = sorted({*users[variable], j} - {i})
        self.statements = [line for line in lines[: ends.start] if line is not None]
        return [line.piece for line in lines[ends.start :] if isinstance(line, Assign)]

    @staticmethod
    def _is_chain(line: Line | None, variable: Var) -> bool:
        """Whether a line reads nothing but a variable: a chain reads better line by line."""
        return isinstance(line, Assign) and set(line.piece.variables()) == {variable}

    def _is_layer(self, line: Assign) -> bool:
        """Whether a line calls one layer and its value could stand elsewhere."""
        if len(line.targets) != 1 or line.targets[0] in self.fixed or line.piece.level < 9:
            return False
        return str(line.piece.parts[0]).startswith("self.")

    # Names

    def _line(self, statement: Line, i: int, late: bool) -> list[str]:
        room = WIDTH - (3 if late else 2) * len(INDENT)
        if isinstance(statement, Loop):
            return self._loop(statement, i)
        piece = statement.piece
        source = piece.text(self.name)
        if len(statement.targets) > 1:
            names = [self._new(target, i) for target in statement.targets]
            self.unpacked |= {*names} - self.declared
            self.declared |= {*names}
            return wrap(f"{', '.join(names)} = ", source, room)
        (target,) = statement.targets
        kind = target.kind
        if target not in self.names:
            self.names[target] = self.alive[target] = self._choose(target, statement, i)
        name = self.names[target]
        if name == source:
            return []
        annotated = False
        if name not in self.declared:
            annotated = not piece.typed or kind != "Tensor" or name in self.annotated
            self.declared.add(name)
            self.annotated |= {name} if annotated else set()
        elif not piece.typed and name not in self.annotated:
            self.widened.add(name)
        return wrap(f"{name}: {kind} = " if annotated else f"{name} = ", source, room)

    def _choose(self, target: Var, statement: Assign, i: int) -> str:
        """Take over the name of what it is made from, or find one."""
        if target in self.fixed or (self.named and target in self.returned):
            return self._new(target, i)
        made_from = set(statement.piece.variables())
        if len(made_from) == 1:
            (source,) = made_from
            takes_over = self.names[source] in ("x", "y", target.name)
            takes_over &= source not in self.fixed and source.kind == target.kind == "Tensor"
            takes_over &= self.names[source] not in self.unpacked
            if takes_over and not self._needed_after(source, i):
                return self.names[source]
        if target.kind == "Tensor" and self._rolls(target, i) and self._is_free("y", target, i):
            return "y"
        return self._new(target, i)

    def _rolls(self, target: Var, i: int) -> bool:
        """Whether the only use of a value is a line that makes the next value from it alone."""
        uses = [j for j in self.users.get(target, ()) if j > i]
        if len(uses) != 1 or uses[0] == len(self.statements):
            return False
        user = self.statements[uses[0]]
        return isinstance(user, Assign) and set(user.piece.variables()) == {target}

    def _new(self, target: Var, i: int) -> str:
        name = target.name
        while not self._is_free(name, target, i):
            name += "_"
        self.names[target] = self.alive[target] = name
        self.kinds[name] = target.kind
        return name

    def _is_free(self, name: str, target: Var, i: int) -> bool:
        """Whether a variable may be called so from a statement on."""
        if name in self.unpacked or self.kinds.get(name, target.kind) != target.kind:
            return False
        return name not in self._live(i) | self.loops

    def _live(self, i: int) -> set[str]:
        """The names that are needed after a statement, or all through a loop."""
        self.alive = {v: self.names[v] for v in self.alive if self.last.get(v, -1) >= i}
        inside = isinstance(self.statements[i], Loop)  # where `last` is the loop itself
        return {name for v, name in self.alive.items() if inside or self._needed_after(v, i)}

    def _see_uses(self, returns: list[Piece]) -> None:
        """Note where variables are used; what is returned is used after the last statement."""
        end = Assign((), Piece(*returns))
        self.returned = {piece.variable for piece in returns}
        self.users = _users([*self.statements, end])
        self.last = {variable: lines[-1] for variable, lines in self.users.items()}
        for i, statement in enumerate(self.statements):
            for target in self.fixed.intersection(_targets(statement)):
                self.last[target] = max(i, self.last.get(target, i))

    def _needed_after(self, variable: Var, i: int) -> bool:
        return self.last.get(variable, -1) > i

    def name(self, variable: Var) -> str:
        return self.names.get(variable, variable.name)

    # Loops and returns

    def _loop(self, loop: Loop, i: int) -> list[str]:
        body = []
        for assign in loop.body:
            names = [self.names.get(target) or self._new(target, i) for target in assign.targets]
            head = f"{', '.join(names)} = "
            body += wrap(head, assign.piece.text(self.name), WIDTH - 3 * len(INDENT))
        layer, variable = self.name(loop.layer), loop.variable
        counts = any(re.search(rf"\b{variable}\b", line) for line in body)
        if loop.modules is None:
            header = f"for {variable if counts else '_'} in range({loop.times}):"
        elif counts:
            modules = loop.modules.text(self.name)
            header = f"for {variable}, {layer} in enumerate({modules}):"
        else:
            header = f"for {layer} in {loop.modules.text(self.name)}:"
        return [header, *(INDENT + line for line in body)]

    def _return(self, pieces: list[Piece], margin: int = 0) -> list[str]:
        texts = [piece.text(self.name) for piece in pieces]
        room = WIDTH - (2 + margin) * len(INDENT)
        if len(pieces) > 1:
            return wrap("return ", ", ".join(texts), room)
        if pieces[0].typed:
            return wrap("return ", texts[0], room)
        name = "out" if "out" not in self.declared else "result"
        while name in self.declared:
            name += "_"
        return [*wrap(f"{name}: Tensor = ", texts[0], room), f"return {name}"]


def _with_moved(piece: Piece, target: Var, moved: Piece) -> Piece | None:
    """An expression with another one in place of a variable; none where it would read badly."""
    if piece.variables().count(target) != 1:
        return None
    new = piece.replaced(target, moved)
    return None if len(new.text(lambda v: v.name)) > INLINE else new


def _users(lines: Sequence[Line | None]) -> dict[Var, list[int]]:
    """For each variable the lines that use it."""
    found: dict[Var, list[int]] = {}
    for i, line in enumerate(lines):
        for variable in set() if line is None else set(_used(line)):
            found.setdefault(variable, []).append(i)
    return found


def wrap(head: str, text: str, room: int = WIDTH - 2 * len(INDENT)) -> list[str]:
    """`head text` in lines, broken as formatters do where one line is too short."""
    if len(head) + len(text) <= room:
        return [head + text]
    inside = room - len(INDENT)
    items = _cut(text, (", ",))
    if len(items) > 1:
        lines = [line for item in items for line in wrap("", f"{item},", inside)]
        return [f"{head}(", *(INDENT + line for line in lines), ")"]
    arms = _cut(text, (" if ", " else "))
    if len(arms) == 3:
        if len(text) <= inside:
            return [f"{head}(", INDENT + text, ")"]
        lines = [arms[0], f"if {arms[1]}", f"else {arms[2]}"]
        return [f"{head}(", *(INDENT + line for line in lines), ")"]
    comma = "," if text.endswith(",") else ""
    if text.removesuffix(comma).isidentifier():
        return [head + text]
    opening = _last_bracket(text.removesuffix(comma))
    if opening and not len(_cut(text[:opening], (" + ", " - ", " * ", " @ "))) > 1:
        close = text.removesuffix(comma)[-1]
        body = text.removesuffix(comma)[opening + 1 : -1]
        lines = [body]
        if len(body) > inside or text[opening] == "[":
            lines = [line for item in _cut(body, (", ",)) for line in wrap("", f"{item},", inside)]
        return [
            f"{head}{text[: opening + 1]}", *(INDENT + line for line in lines), close + comma
        ]  # fmt: skip
    return [f"{head}(", INDENT + text.removesuffix(comma), ")" + comma]


def _cut(text: str, marks: tuple[str, ...]) -> list[str]:
    """The text between marks that stand in no brackets."""
    parts, start, depth = [], 0, 0
    for i, character in enumerate(text):
        depth += (character in "([{") - (character in ")]}")
        if depth == 0:
            for mark in marks:
                if text.startswith(mark, i) and i >= start:
                    parts.append(text[start:i])
                    start = i + len(mark)
    return [*parts, text[start:]]


def _last_bracket(text: str) -> int:
    """Where the bracket opens that the last character closes; 0 where that is none."""
    if not text.endswith((")", "]", "}")):
        return 0
    depth = 0
    for i in reversed(range(len(text))):
        depth += (text[i] in ")]}") - (text[i] in "([{")
        if depth == 0:
            return i
    return 0


def _targets(line: Line) -> tuple[Var, ...]:
    if isinstance(line, Assign):
        return line.targets
    return tuple(target for assign in line.body for target in assign.targets)


def _used(line: Line) -> list[Var]:
    if isinstance(line, Assign):
        return line.piece.variables()
    return [variable for assign in line.body for variable in assign.piece.variables()]


def _in_loop(loop: Loop) -> set[Var]:
    return set(_targets(loop))
