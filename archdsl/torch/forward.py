"""The lines of `forward`: variables get their Python names here.

A value that only the next line needs takes over the name of the value it is made from
(`x = self.stem(x)`), one that a sum or the like uses once moves into it, the rest keeps its name
from the spec.
"""

from __future__ import annotations

from archdsl.torch.classes import Assign, Loop
from archdsl.torch.code import INDENT, WIDTH
from archdsl.torch.pieces import Piece, Var

INLINE = 72
"""An expression that another one is moved into gets no longer than this."""

Line = Assign | Loop


class Forward:
    """One method: what flows in, the statements, what is returned."""

    def __init__(
        self, inputs: list[Var], statements: list[Line], fixed: set[Var], named: bool = False
    ) -> None:
        """`named` keeps for what is returned its name from the spec."""
        self.statements = list(statements)
        self.named = named
        own = {target for statement in statements for target in _targets(statement)}
        looped = {v for s in statements if isinstance(s, Loop) for v in _in_loop(s)}
        self.fixed = (fixed & own) | looped
        self.names: dict[Var, str] = {variable: variable.name for variable in inputs}
        self.inputs = inputs
        self.declared = set(self.names.values())

    def lines(self, returns: list[Piece], training: list[bool]) -> list[str]:
        """The body of the method."""
        returns = self._inline(returns)
        for_training = self._only_for(returns, training)
        usual = [s for i, s in enumerate(self.statements) if i not in for_training]
        self.statements = usual + [s for i, s in enumerate(self.statements) if i in for_training]
        lines: list[str] = []
        late: list[str] = []
        for i, statement in enumerate(self.statements):
            into = lines if i < len(usual) else late
            into += self._line(statement, i, returns)
        if any(training):
            late += self._return(returns)
            lines.append("if self.training:")
            lines += [INDENT + line for line in late]
            returns = [piece for piece, only in zip(returns, training) if not only]
        return lines + self._return(returns)

    def _only_for(self, returns: list[Piece], training: list[bool]) -> set[int]:
        """The statements that only training's outputs need."""
        if not any(training):
            return set()
        needed = {v for piece, only in zip(returns, training) if not only for v in piece.variables()}
        kept = set()
        for i in reversed(range(len(self.statements))):
            statement = self.statements[i]
            targets, used = _targets(statement), _used(statement)
            if needed & set(targets):
                kept.add(i)
                needed |= set(used)
        return set(range(len(self.statements))) - kept

    # Moving expressions

    def _inline(self, returns: list[Piece]) -> list[Piece]:
        """Move layers that are used once into the expression that uses them."""
        i = 0
        while i < len(self.statements):
            moved = self._move(i, returns)
            if moved is None:
                i += 1
            else:
                returns = moved
        return returns

    def _move(self, i: int, returns: list[Piece]) -> list[Piece] | None:
        statement = self.statements[i]
        if not isinstance(statement, Assign) or len(statement.targets) != 1:
            return None
        (target,) = statement.targets
        is_layer = str(statement.piece.parts[0]).startswith("self.")
        if target in self.fixed or not is_layer or statement.piece.level < 9:
            return None
        uses = [j for j in range(i + 1, len(self.statements)) if target in _used(self.statements[j])]
        returned = [j for j, piece in enumerate(returns) if target in piece.variables()]
        if len(uses) + len(returned) != 1:
            return None
        if returned:
            piece = returns[returned[0]]
        else:
            user = self.statements[uses[0]]
            if not isinstance(user, Assign):
                return None
            piece = user.piece
        if len(set(piece.variables())) < 2:  # a chain, which reads better line by line
            return None
        # A value stays before a loop, which may change what it is made from.
        between = self.statements[i + 1 : uses[0] if uses else None]
        if any(isinstance(item, Loop) for item in between):
            return None
        new = piece.replaced(target, statement.piece)
        if len(new.text(lambda v: v.name)) > INLINE:
            return None
        if returned:
            returns = [*returns[: returned[0]], new, *returns[returned[0] + 1 :]]
        else:
            user = self.statements[uses[0]]
            assert isinstance(user, Assign)
            self.statements[uses[0]] = Assign(user.targets, new)
        del self.statements[i]
        return returns

    # Names

    def _line(self, statement: Line, i: int, returns: list[Piece]) -> list[str]:
        if isinstance(statement, Loop):
            return self._loop(statement)
        piece = statement.piece
        source = piece.text(self._name)
        if len(statement.targets) > 1:
            names = [self._new(target, i, returns) for target in statement.targets]
            return wrap(f"{', '.join(names)} = {source}")
        (target,) = statement.targets
        kind = target.kind
        if target not in self.names:
            self.names[target] = self._choose(target, statement, i, returns)
        name = self.names[target]
        if name == source:
            return []
        annotated = name not in self.declared and (not piece.typed or kind != "Tensor")
        self.declared.add(name)
        return wrap(f"{name}: {kind} = {source}" if annotated else f"{name} = {source}")

    def _choose(self, target: Var, statement: Assign, i: int, returns: list[Piece]) -> str:
        """Take over the name of what it is made from, or find one."""
        if target in self.fixed or (self.named and any(p.variable is target for p in returns)):
            return self._new(target, i, returns)
        made_from = set(statement.piece.variables())
        if len(made_from) == 1:
            (source,) = made_from
            takes_over = source not in self.fixed and source.kind == target.kind == "Tensor"
            if takes_over and not self._needed_after(source, i, returns):
                return self.names[source]
        if self._rolls(target, i, returns) and "y" not in self._live(i, returns):
            return "y"
        return self._new(target, i, returns)

    def _rolls(self, target: Var, i: int, returns: list[Piece]) -> bool:
        """Whether the only use of a value is a line that makes the next value from it alone."""
        uses = [s for s in self.statements[i + 1 :] if target in _used(s)]
        if len(uses) != 1 or any(target in piece.variables() for piece in returns):
            return False
        (user,) = uses
        return isinstance(user, Assign) and set(user.piece.variables()) == {target}

    def _new(self, target: Var, i: int, returns: list[Piece]) -> str:
        name = target.name
        taken = self._live(i, returns) | {v.name for v in self.fixed if v is not target}
        while name in taken:
            name += "_"
        self.names[target] = name
        return name

    def _live(self, i: int, returns: list[Piece]) -> set[str]:
        """The names that are needed after a statement."""
        live = {name for v, name in self.names.items() if self._needed_after(v, i, returns)}
        return live | {name for v, name in self.names.items() if v in self.fixed}

    def _needed_after(self, variable: Var, i: int, returns: list[Piece]) -> bool:
        if any(variable in piece.variables() for piece in returns):
            return True
        return any(variable in _used(s) for s in self.statements[i + 1 :])

    def _name(self, variable: Var) -> str:
        return self.names.get(variable, variable.name)

    # Loops and returns

    def _loop(self, loop: Loop) -> list[str]:
        needs = any(f"[{loop.variable}]" in part or f" {loop.variable}" in part
                    for a in loop.body for part in a.piece.parts if isinstance(part, str))  # fmt: skip
        if loop.modules is None:
            header = f"for {loop.variable if needs else '_'} in range({loop.count}):"
        elif needs:
            header = f"for {loop.variable}, layer in enumerate({loop.modules.text(self._name)}):"
        else:
            header = f"for layer in {loop.modules.text(self._name)}:"
        lines = [header]
        for assign in loop.body:
            names = [self.names.setdefault(target, target.name) for target in assign.targets]
            source = assign.piece.text(self._name)
            lines += [INDENT + line for line in wrap(f"{', '.join(names)} = {source}", INDENT)]
        return lines

    def _return(self, pieces: list[Piece]) -> list[str]:
        texts = [piece.text(self._name) for piece in pieces]
        if len(pieces) > 1:
            return wrap(f"return {', '.join(texts)}")
        if pieces[0].typed:
            return wrap(f"return {texts[0]}")
        name = "out" if "out" not in self.declared else "result"
        return [*wrap(f"{name}: Tensor = {texts[0]}"), f"return {name}"]


def wrap(line: str, margin: str = "") -> list[str]:
    """A statement, broken inside brackets where it is too long for a line."""
    room = WIDTH - 2 * len(INDENT) - len(margin)
    if len(line) <= room:
        return [line]
    head, tail = line.split(" = ", 1) if " = " in line.split("(")[0] else ("return", line[7:])
    opening = f"{head} = (" if head != "return" else "return ("
    lines, rest = [opening], tail
    while len(rest) > room - len(INDENT):
        cut = max(rest.rfind(mark, 0, room - len(INDENT)) for mark in (" + ", ", ", " if ", " else "))
        if cut <= 0:
            break
        if rest[cut] == ",":
            cut += 1
        lines.append(INDENT + rest[:cut])
        rest = rest[cut:].lstrip()
    return [*lines, INDENT + rest, ")"]


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
