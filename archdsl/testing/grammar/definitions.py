"""What a spec has defined already: blocks, and archs that are used as blocks."""

from __future__ import annotations

from random import Random

from archdsl.ops import Shape
from archdsl.testing.grammar import values
from archdsl.testing.grammar.calls import ACTIVATIONS
from archdsl.testing.grammar.scope import Scope


class Parameter:
    """A parameter of a block: what kind of value, one that fits, and whether there is a default."""

    def __init__(self, random: Random, name: str, kind: str, value: object, default: bool) -> None:
        self.name = name
        self.kind = kind
        self.value = value
        self.default = default
        self.text = f"{name}={self.said(random, Scope())}" if default else name
        """As it stands in the brackets of a definition."""

    def said(self, random: Random, scope: Scope, other: bool = False) -> str:
        """A value for it; another one than its own, if so."""
        value = self.value
        if self.kind == "flag":
            wanted = (not value) if other else bool(value)
            return values.condition(random, scope, wanted, 1)
        if self.kind == "operation":
            known = [*scope.operations]
            if known and random.random() < 0.4:
                return random.choice(known)
            return random.choice(ACTIVATIONS) if other else str(value)
        if self.kind == "list":
            assert isinstance(value, tuple)
            return values.sequence(random, scope, value, True)
        assert isinstance(value, int)
        number = random.choice((1, 2, 3, 4)) if other else value
        return values.number(random, scope, number)


class Defined:
    """A block or an arch: how it is called, and what it gives for the shapes it was made with."""

    def __init__(
        self, kind: str, name: str, tensors: list[str], shapes: list[Shape],
        parameters: list[Parameter], optional: int = 0,
    ) -> None:  # fmt: skip
        self.kind = kind
        self.name = name
        self.tensors = tensors
        self.shapes = shapes
        self.parameters = parameters
        self.optional = optional
        """How many of the tensors, from the end, may be left out."""
        self.results: list[Shape] = []
        self.lines: list[Line] = []
        self.start = Scope()

    def arguments(self, random: Random, scope: Scope, names: bool = True) -> tuple[list[str], bool]:
        """Arguments for the parameters, and whether they are those that the results are of."""
        texts: list[str] = []
        named, same = False, True
        for parameter in self.parameters:
            if parameter.default and random.random() < 0.6:
                named = True
                continue
            other = random.random() < 0.3
            same = same and not other
            text = parameter.said(random, scope, other)
            named = named or (names and random.random() < 0.5)
            texts.append(f"{parameter.name}={text}" if named else text)
        return texts, same


class Line:
    """A line of a body, with what was known before it."""

    def __init__(self, text: str, target: str, before: Scope, shape: Shape | None) -> None:
        self.text = text
        self.target = target
        self.before = before
        self.shape = shape
