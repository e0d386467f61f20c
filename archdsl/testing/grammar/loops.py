"""`repeat`: labelled, unlabelled, one in another; sums from `none`, lists that grow."""

from __future__ import annotations

from random import Random

from archdsl.testing.grammar import values
from archdsl.testing.grammar.calls import ACTIVATIONS
from archdsl.testing.grammar.expressions import Expressions
from archdsl.testing.grammar.names import Chooser
from archdsl.testing.grammar.scope import Scope

Made = tuple[list[str], list[str], list[str]]
"""Lines, and the tensors and lists that have a value after them."""


class Loops:
    """Writes loops for one body."""

    def __init__(self, random: Random, chooser: Chooser, write: Expressions) -> None:
        self.random = random
        self.chooser = chooser
        self.write = write

    def loop(self, outer: Scope, depth: int = 1) -> Made | None:
        """The start of what it carries, and the loop itself."""
        random, scope = self.random, outer.copy()
        lines: list[str] = []
        tensors: list[str] = []
        lists: list[str] = []
        carried: list[str] = []
        sums: list[str] = []
        for _ in range(random.choice((1, 1, 2))):
            dice = random.random()
            name = self.chooser.name(outer.taken)
            if dice < 0.5:
                text, shape = self.write.atom(scope)
                lines.append(f"{name} = {text}")
                scope.tensors[name] = shape
                carried.append(name)
            elif dice < 0.75:
                lines.append(f"{name} = none")
                sums.append(name)
            else:
                lines.append(f"{name} = []")
                lists.append(name)
        tensors = [*carried, *sums]
        scope.taken = outer.taken
        label = ""
        if random.random() < 0.5:
            label = f"{self.chooser.name(outer.taken)}: "
        variable = self.chooser.name(outer.taken)
        start = random.choice((0, 0, 0, 1))
        rounds = random.choice((1, 2, 2, 3))
        first = values.number(random, scope, start)
        last = values.number(random, scope, start + rounds)
        body = self._body(scope, variable, start, carried, sums, lists, depth)
        lines.append(f"{label}repeat {variable} in {first}..{last} {{")
        lines += [f"  {line}" for line in body]
        lines.append("}")
        return lines, tensors, lists

    def _body(
        self, scope: Scope, variable: str, start: int,
        carried: list[str], sums: list[str], lists: list[str], depth: int,
    ) -> list[str]:  # fmt: skip
        """The lines of a round."""
        random = self.random
        scope = scope.copy()
        lines: list[str] = []
        index = [f"({variable} + {1 - start})" if start != 1 else variable]
        for _ in range(random.choice((0, 1, 1, 2))):
            dice = random.random()
            name = self.chooser.name(scope.taken)
            if dice < 0.15:
                lines.append(f"let {name} = {random.choice(index)}")
                index.append(name)
            elif dice < 0.3:
                text, shape = self.write.guarded(scope, 1)
                if random.random() < 0.4:
                    text, _, _ = text.partition(" if ")
                    text = f"{text} if {variable} {random.choice(('>', '==', '<'))} 1"
                lines.append(f"{name} = {text}")
                scope.tensors[name] = shape
            elif dice < 0.4:
                text, shape = scope.pick(random)
                other = self.chooser.name(scope.taken)
                lines.append(f"{name}, {other} = [{text}, {text} -> {random.choice(ACTIVATIONS)}]")
                scope.tensors[name] = scope.tensors[other] = shape
            else:
                text, shape = self.write.tensor(scope, 1)
                lines.append(f"{name} = {text}")
                scope.tensors[name] = shape
        if depth > 0 and random.random() < 0.25:
            made = self.loop(scope, depth - 1)
            if made is not None:
                inner, tensors, _ = made
                lines += [piece for line in inner for piece in line.split("\n")]
                for name in tensors:
                    scope.tensors[name] = None
        for name in carried:
            lines.append(f"{name} = {self._next(scope, name, index)}")
        for name in sums:
            lines.append(f"{name} = {name} + {self._addend(scope, index)}")
        for name in lists:
            lines.append(f"{name} = {name} + [{self.write.tensor(scope, 1)[0]}]")
        return lines

    def _next(self, scope: Scope, name: str, index: list[str]) -> str:
        """The value of a tensor after a round."""
        random = self.random
        shape = scope.tensors[name]
        dice = random.random()
        if dice < 0.15 and shape is not None and 2 <= len(shape) <= 4:
            return f"{name} -> conv({random.choice(index)} * 2, k=3, p=same) -> bn"
        if dice < 0.3 and shape is not None:
            others = scope.alike(shape)
            return f"{name} + ({random.choice(others)} -> {random.choice(ACTIVATIONS)})"
        if dice < 0.4:
            return f"{name} * {random.choice(index)} + {random.choice(scope.alike(shape))}"
        if dice < 0.5:
            kept = values.condition(random, scope, random.random() < 0.5)
            return f"{name} -> {random.choice(ACTIVATIONS)} if {kept}"
        steps, _ = self.write.steps(scope, shape, 1, random.choice((1, 2, 3)))
        return f"{name} -> {' -> '.join(steps)}"

    def _addend(self, scope: Scope, index: list[str]) -> str:
        random = self.random
        text, _ = scope.pick(random)
        dice = random.random()
        if dice < 0.3:
            return f"({text} -> {random.choice(ACTIVATIONS)})"
        return f"{text} * {random.choice(index)}" if dice < 0.5 else text
