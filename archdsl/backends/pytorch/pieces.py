"""Expressions over tensors in `forward`: text with holes for variables that have no names yet."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from archdsl.backends.pytorch.symbols import ATOM

VARIABLE = "\0"
CALL = re.compile(rf"(self\.\w+(\[\d+\])*|{VARIABLE})\(")
"""A layer that is called: an attribute, or the variable of a loop over layers."""


class Var:
    """A tensor (or a list of tensors) with a name in the spec; its Python name comes later."""

    __slots__ = ("kind", "name")

    def __init__(self, name: str, kind: str = "Tensor") -> None:
        self.name = name
        self.kind = kind

    def __repr__(self) -> str:
        return f"<{self.name}>"


class Piece:
    """An expression. `typed` says whether type checkers know it for a tensor (or a list of them).

    `many` says whether it is several tensors: a `list`, or a `tuple`, as `chunk` and
    blocks give.
    """

    __slots__ = ("level", "many", "parts", "typed")

    def __init__(
        self,
        *parts: str | Var | Piece,
        level: int = ATOM,
        typed: bool = False,
        many: str = "",
    ) -> None:
        self.parts: tuple[str | Var, ...] = tuple(_flatten(parts))
        self.level = level
        self.typed = typed
        is_list = self.variable is not None and self.variable.kind != "Tensor"
        self.many = "list" if is_list else many

    def __len__(self) -> int:
        return sum(len(part if isinstance(part, str) else part.name) for part in self.parts)

    def wrapped(self, level: int) -> Piece:
        """This as an operand of something that binds as tightly as `level`."""
        if self.level >= level:
            return self
        return Piece("(", self, ")", typed=self.typed, many=self.many)

    def variables(self) -> list[Var]:
        """The variables in it, as often as they stand there."""
        return [part for part in self.parts if isinstance(part, Var)]

    @property
    def variable(self) -> Var | None:
        """The variable, where this is nothing else."""
        alone = self.parts[0] if len(self.parts) == 1 else None
        return alone if isinstance(alone, Var) else None

    @property
    def is_call(self) -> bool:
        """Whether it is a layer that is called: `self.main(x)`, and not a sum of two."""
        first, last = self.parts[0], self.parts[-1]
        called = isinstance(first, str) and first.startswith("self.") and last == ")"
        return called and self.level == ATOM

    @property
    def calls(self) -> bool:
        """Whether a layer is called in it, so that it cannot change places with other calls."""
        return CALL.search(self._pattern(self.parts)) is not None

    def calls_before(self, variable: Var) -> bool:
        """Whether a call in it is done before a variable is read."""
        before = self._pattern(self.parts[: self.parts.index(variable)])
        for match in CALL.finditer(before):
            depth = 0
            for character in before[match.end() - 1 :]:
                depth += (character == "(") - (character == ")")
                if depth == 0:
                    return True
        return False

    @staticmethod
    def _pattern(parts: Iterable[str | Var]) -> str:
        """The text with a sign that no text has for each variable."""
        return "".join(part if isinstance(part, str) else VARIABLE for part in parts)

    def text(self, name: Callable[[Var], str]) -> str:
        """The Python text, with names for the variables."""
        return "".join(part if isinstance(part, str) else name(part) for part in self.parts)

    def replaced(self, old: Var, new: Piece) -> Piece:
        """With an expression in place of a variable."""
        inner = new.wrapped(ATOM) if len(self.parts) > 1 else new
        if len(self.parts) > 1 and new.level < ATOM and _stands_alone(self, old):
            inner = new
        parts = [inner if part is old else part for part in self.parts]
        typed = new.typed if len(parts) == 1 else self.typed
        if self.level < ATOM or self.parts[0] is old:
            # A sum, or a method's result, is known for a tensor if what it is made from is.
            typed = typed and new.typed
        return Piece(*parts, level=self.level, typed=typed, many=self.many)


def _stands_alone(piece: Piece, variable: Var) -> bool:
    """Whether a variable is an argument by itself, so that what replaces it needs no brackets."""
    i = piece.parts.index(variable)
    before = piece.parts[i - 1] if i else ""
    after = piece.parts[i + 1] if i + 1 < len(piece.parts) else ""
    return (
        isinstance(before, str)
        and isinstance(after, str)
        and before.endswith(("(", "[", ", "))
        and after.startswith((")", "]", ", "))
    )


def _flatten(parts: tuple[str | Var | Piece, ...]) -> list[str | Var]:
    """The parts of parts, texts next to each other being one."""
    flat: list[str | Var] = []
    for part in parts:
        for item in part.parts if isinstance(part, Piece) else (part,):
            if isinstance(item, str) and flat and isinstance(flat[-1], str):
                flat[-1] += item
            elif item != "":
                flat.append(item)
    return flat
