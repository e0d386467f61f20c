"""Expressions whose value is a tensor, in all the forms that the grammar has."""

from __future__ import annotations

from random import Random

from archdsl.ops import Shape
from archdsl.testing.grammar import calls, library, tables, values
from archdsl.testing.grammar.calls import ACTIVATIONS
from archdsl.testing.grammar.definitions import Defined
from archdsl.testing.grammar.scope import Scope

Tensor = tuple[str, Shape | None]
"""A text and the shape of its value; none where only the checker knows it."""


class Expressions:
    """Writes expressions for one body; `blocks` are what it may call."""

    def __init__(self, random: Random, blocks: list[Defined], names: tuple[str, ...]) -> None:
        self.random = random
        self.blocks = blocks
        self.names = names

    def tensor(self, scope: Scope, depth: int = 2) -> Tensor:
        """Any expression; one that binds loosely stands in no brackets."""
        random = self.random
        if depth == 0:
            return self.atom(scope)
        form = random.choices(
            (self.flow, self.arithmetic, self.join, self.called, self.choice, self.atom, self.part),
            (10, 4, 2, 4, 1.5, 0.5, 1),
        )[0]
        return form(scope, depth)

    def atom(self, scope: Scope, depth: int = 0) -> Tensor:
        """A name, a tap, an item; now and then an item whose index is said otherwise."""
        text, shape = scope.pick(self.random)
        if text.endswith("]") and "[" in text and self.random.random() < 0.4:
            name, index = text[:-1].rsplit("[", 1)
            text = f"{name}[{values.number(self.random, scope, int(index))}]"
        return text, shape

    def bracketed(self, scope: Scope, depth: int) -> Tensor:
        """One that can stand in arithmetic and before a step."""
        text, shape = self.tensor(scope, depth)
        if text.isidentifier() or (shape and text in scope.tensors):
            return text, shape
        return f"({text})", shape

    def argument(self, scope: Scope, depth: int) -> str:
        """A tensor as an argument: a flow needs no brackets there."""
        return self.tensor(scope, depth)[0]

    # Flows

    def flow(self, scope: Scope, depth: int) -> Tensor:
        """A source and its steps."""
        random = self.random
        text, shape = (
            self.atom(scope) if random.random() < 0.8 else self.bracketed(scope, depth - 1)
        )
        steps, shape = self.steps(scope, shape, depth, random.choice((1, 1, 2, 2, 3, 4)))
        return f"{text} -> {' -> '.join(steps)}", shape

    def steps(
        self, scope: Scope, shape: Shape | None, depth: int, count: int
    ) -> tuple[list[str], Shape | None]:
        """Some steps after a value of a shape."""
        found: list[str] = []
        for _ in range(count):
            text, shape, more = self.step(scope, shape, depth)
            found.append(text)
            if not more:
                break
        return found, shape

    def step(self, scope: Scope, shape: Shape | None, depth: int) -> tuple[str, Shape | None, bool]:
        """One step; the last tells whether another may follow."""
        random = self.random
        dice = random.random()
        if scope.operations and dice < 0.15:
            return random.choice([*scope.operations]), shape, True
        if shape is None:
            return random.choice(ACTIVATIONS), None, True
        if dice < 0.3 and (block := self.block(shape)) is not None:
            return self.use(scope, block, shape, depth)
        if dice < 0.42 and depth > 0:
            text, shape, _ = tables.stages(self, scope, shape, depth - 1)
            return text, shape, True
        if dice < 0.47 and len(shape) > 1:
            name, needed = library.use(random, scope)
            told = ", ".join(f"{key}={value}" for key, value in needed.items())
            return f"{name}({told})" if told else name, None, True
        text, shapes = calls.step(random, scope, shape)
        if len(shapes) > 1 or text.startswith("split"):
            if random.random() < 0.5:
                return "concat", None, True  # of one tensor
            return "relu", shape, True
        return text, shapes[0], True

    def block(self, shape: Shape | None, single: bool = True) -> Defined | None:
        """A block that may take a tensor of a shape first."""
        fitting = [
            b for b in self.blocks if b.shapes[0] == shape and (not single or len(b.results) == 1)
        ]
        if self.random.random() < 0.3 and shape is not None:
            fitting = [b for b in self.blocks if not single or len(b.results) == 1]
            fitting = [b for b in fitting if len(b.shapes[0]) == len(shape)]
        return self.random.choice(fitting) if fitting else None

    def use(
        self, scope: Scope, block: Defined, shape: Shape, depth: int
    ) -> tuple[str, Shape | None, bool]:
        """A block as a step of a flow."""
        tensors = self.others(scope, block, depth)
        texts, same = block.arguments(self.random, scope)
        same = same and shape == block.shapes[0] and not block.optional
        out = block.results[0] if same else None
        written = ", ".join([*tensors, *texts])
        return block.name + (f"({written})" if written else ""), out, True

    def others(self, scope: Scope, block: Defined, depth: int) -> list[str]:
        """Tensors for the further inputs of a block."""
        random = self.random
        found = []
        for number, shape in enumerate(block.shapes[1:], 1):
            if number >= len(block.shapes) - block.optional and random.random() < 0.5:
                break
            alike = scope.alike(shape)
            if not alike:
                text = "none" if block.optional else self.atom(scope)[0]
            else:
                text = random.choice(alike)
                if depth > 0 and random.random() < 0.3:
                    text = f"{text} -> {random.choice(ACTIVATIONS)}"
            found.append(text)
        return found

    # Other forms

    def called(self, scope: Scope, depth: int) -> Tensor:
        """A block, or a primitive, with all tensors as arguments."""
        random = self.random
        fitting = [b for b in self.blocks if len(b.results) == 1]
        if not fitting or random.random() < 0.3:
            text, shape = scope.pick(random)
            if shape is None:
                return text, shape
            written, shapes = calls.step(random, scope, shape)
            if len(shapes) > 1 or written.startswith(("split", "add", "mul", "sub", "concat")):
                return f"{text} -> {random.choice(ACTIVATIONS)}", shape
            name, _, rest = written.partition("(")
            given = text
            if random.random() < 0.3 and depth > 0:
                given = f"{text} -> {random.choice(ACTIVATIONS)}"
            rest = rest[:-1]
            return f"{name}({given}{', ' + rest if rest else ''})", shapes[0]
        block = random.choice(fitting)
        return self.all_given(scope, block, depth), None

    def all_given(self, scope: Scope, block: Defined, depth: int) -> str:
        """A block with all its tensors in brackets."""
        random = self.random
        alike = scope.alike(block.shapes[0])
        first = random.choice(alike) if alike else self.atom(scope)[0]
        if depth > 0 and random.random() < 0.3:
            first = f"{first} -> {random.choice(ACTIVATIONS)}"
        texts = [first, *self.others(scope, block, depth)]
        if random.random() < 0.25:
            texts = [f"{name}={text}" for name, text in zip(block.tensors, texts, strict=False)]
            more, _ = block.arguments(random, scope, names=False)
            more = [] if any("=" not in text.split("(")[0] for text in more) else more
        else:
            more, _ = block.arguments(random, scope)
        return f"{block.name}({', '.join([*texts, *more])})"

    def arithmetic(self, scope: Scope, depth: int) -> Tensor:
        """Sums, products, differences of tensors and numbers, and what follows them."""
        random = self.random
        a, shape = self.bracketed(scope, depth - 1)
        dice = random.random()
        if dice < 0.25:
            number = values.number(random, scope, random.choice((1, 2, 3)))
            text = random.choice(
                (f"{a} * {number}", f"{number} * {a}", f"{a} + {number}", f"{number} - {a}",
                 f"{a} - {number}", f"{a} / {number}", f"-{a}", f"{number} + {a}", f"{a} / 4 + 1")
            )  # fmt: skip
        elif dice < 0.35:
            zero = random.choice([*scope.absent, "none"])
            text = random.choice((f"{a} + {zero}", f"{zero} + {a}"))
        else:
            b = self.like(scope, shape, depth - 1)
            text = f"{a} {random.choice('+++-**')} {b}"
            if random.random() < 0.3:
                text += f" {random.choice('+-*')} {self.like(scope, shape, 0)}"
        if random.random() < 0.3:
            steps, shape = self.steps(scope, shape, depth - 1, random.choice((1, 2)))
            text = f"{text} -> {' -> '.join(steps)}"
        return text, shape

    def like(self, scope: Scope, shape: Shape | None, depth: int) -> str:
        """A tensor of a shape, in brackets where it needs them."""
        random = self.random
        alike = scope.alike(shape)
        if not alike:
            return self.atom(scope)[0]
        text = random.choice(alike)
        if depth > 0 and random.random() < 0.5:
            if random.random() < 0.3 and shape and 2 <= len(shape) <= 4:
                return f"({text} -> global_pool -> sigmoid)"
            return f"({text} -> {random.choice(ACTIVATIONS)})"
        return text

    def join(self, scope: Scope, depth: int) -> Tensor:
        """Several tensors one after the other."""
        random = self.random
        text, shape = self.atom(scope)
        alike = scope.alike(shape)
        parts = [text]
        for _ in range(random.choice((0, 1, 1, 2))):
            other = random.choice(alike)
            if depth > 0 and random.random() < 0.4:
                other = f"{other} -> {random.choice(ACTIVATIONS)}"
            parts.append(other)
        if random.random() < 0.2:
            parts.append(random.choice([*scope.absent, "none"]))
        axis = random.choice(("", "", "", ", axis=0", ", axis=-1"))
        if axis and shape is not None:
            axis = f", axis={random.randrange(len(shape))}"
        whole = [name for name, items in scope.lists.items() if items and set(items) == {shape}]
        if whole and random.random() < 0.5:
            parts.insert(random.randrange(len(parts) + 1), random.choice(whole))
        inside = ", ".join(parts)
        if random.random() < 0.3:
            inside = f"[{inside}]"
        return f"concat({inside}{axis})", None

    def choice(self, scope: Scope, depth: int) -> Tensor:
        """One of two, by a condition that is settled when the network is built."""
        random = self.random
        wanted = random.random() < 0.5
        a, first = self.flow(scope, depth - 1)
        b, second = self.tensor(scope, depth - 1)
        told = values.condition(random, scope, wanted)
        return f"{a} if {told} else {b}", first if wanted else second

    def part(self, scope: Scope, depth: int) -> Tensor:
        """An item of a list that has no name, a tap of a table that has none."""
        random = self.random
        text, shape = self.atom(scope)
        if shape is None:
            return text, shape
        if random.random() < 0.4:
            table, _, taps = tables.stages(self, scope, shape, depth - 1)
            return f"({text} -> {table}).{random.choice(taps)}", None
        if random.random() < 0.5:
            other = random.choice(scope.alike(shape))
            return f"[{text}, {other}][{values.number(random, scope, 1)}]", shape
        made = calls.split(random, scope, shape)
        if made is None:
            return text, shape
        written, shapes = made
        index = random.randrange(len(shapes))
        return f"({text} -> {written})[{index}]", shapes[index]

    def guarded(self, scope: Scope, depth: int) -> Tensor:
        """A flow that a condition leaves out: it starts with a name."""
        random = self.random
        text, shape = scope.pick(random)
        steps, after = self.steps(scope, shape, depth, random.choice((1, 2, 3)))
        wanted = random.random() < 0.5
        told = values.condition(random, scope, wanted)
        return f"{text} -> {' -> '.join(steps)} if {told}", after if wanted else shape
