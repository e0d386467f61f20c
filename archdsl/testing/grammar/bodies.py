"""Bodies of blocks and archs, line by line: what the checker refuses is left out and counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from random import Random

from archdsl.api.network import Network, Spec
from archdsl.diagnostics.diagnostic import DiagnosticError
from archdsl.ops import Shape
from archdsl.testing.grammar import calls, tables, values
from archdsl.testing.grammar.calls import ACTIVATIONS
from archdsl.testing.grammar.definitions import Defined, Line
from archdsl.testing.grammar.drafts import drafted
from archdsl.testing.grammar.expressions import Expressions, Tensor
from archdsl.testing.grammar.loops import Loops
from archdsl.testing.grammar.names import Chooser
from archdsl.testing.grammar.scope import Scope

Tries = Counter[tuple[str, bool]]
"""How often a kind of line was tried, by whether the checker took it."""


def network(text: str) -> Network:
    """The last arch of a text."""
    spec = Spec.of_text(text)
    return spec.network(spec.archs[-1])


class Body:
    """The body of a definition that is being written."""

    def __init__(
        self, random: Random, chooser: Chooser, before: str, definition: Defined,
        blocks: list[Defined], tries: Tries,
    ) -> None:  # fmt: skip
        self.random = random
        self.chooser = chooser
        self.before = before
        self.definition = definition
        self.scope = Scope()
        self.tries = tries
        self.lines: list[str] = []
        self.write = Expressions(random, blocks, chooser.hostile)
        self.loops = Loops(random, chooser, self.write)
        for name, shape in zip(definition.tensors, definition.shapes, strict=True):
            self.scope.tensors[name] = shape
        for name in definition.tensors[len(definition.tensors) - definition.optional :]:
            del self.scope.tensors[name]
            self.scope.absent.append(name)
        self.scope.taken |= {*definition.tensors, *(p.name for p in definition.parameters)}
        for parameter in definition.parameters:
            know(self.scope, parameter.name, parameter.kind, parameter.value)
        definition.start = self.scope.copy()

    # Trying

    def text(self, lines: list[str], results: list[str]) -> str:
        """The definition with these lines, and for a block an arch that uses it."""
        definition, random = self.definition, Random(0)
        empty = Scope()
        said = [f"  {line}" for line in lines] + [f"  return {', '.join(results)}", "}"]
        shapes = definition.shapes
        if definition.kind == "arch":
            head = header(definition)
            inputs = [f"  input {name}: {size(shape)}" for name, shape in
                      zip(definition.tensors, shapes, strict=True)]  # fmt: skip
            return self.before + "\n".join([head, *inputs, *said]) + "\n"
        count = len(shapes) - definition.optional
        given = [f"p{i}" for i in range(count)]
        told = [f"{p.name}={p.said(random, empty)}" for p in definition.parameters if not p.default]
        call = f"{definition.name}({', '.join([*given, *told])})"
        shown = ["r"] if len(results) == 1 else [f"r[{i}]" for i in range(len(results))]
        probe = [
            "arch probing {",
            *[f"  input {name}: {size(shape)}" for name, shape in zip(given, shapes, strict=False)],
            f"  r = {call}", f"  return {', '.join(shown)}", "}",
        ]  # fmt: skip
        return self.before + "\n".join([header(definition), *said, *probe]) + "\n"

    def shapes(self, lines: list[str], results: list[str]) -> list[Shape] | None:
        """The shapes of some expressions after some lines; none where the checker refuses."""
        try:
            graph = drafted(self.text(lines, results))
        except DiagnosticError:
            return None
        return [output.value.shape for output in graph.outputs]

    def offer(self, kind: str, line: str, results: list[str]) -> list[Shape] | None:
        """Keep a line if it is valid; the shapes of what it gives."""
        shown = results or [next(iter(self.scope.tensors))]
        shapes = self.shapes([*self.lines, line], shown)
        if shapes is not None and sum(map(_count, shapes)) > 4 * calls.LARGEST:
            return None
        self.tries[kind, shapes is not None] += 1
        if shapes is None:
            return None
        self.lines.append(line)
        return shapes

    # Lines

    def add(self) -> None:
        """One more line, of any kind."""
        kinds: tuple[tuple[Callable[[], None], float], ...] = (
            (self.assign, 10), (self.guard, 3), (self.several, 2), (self.parts, 1.5),
            (self.table, 3), (self.let, 3), (self.loop, 3), (self.check, 0.7), (self.default, 0.7),
            (self.start_of_sum, 0.7), (self.grow, 0.7), (self.results_as_list, 0.7),
            (self.document, 0.4),
        )  # fmt: skip
        self.random.choices([k for k, _ in kinds], [w for _, w in kinds])[0]()

    def _named(self, kind: str, tensor: Tensor) -> None:
        before = self.scope.copy()
        name = self.chooser.name(self.scope.taken)
        line = f"{name} = {tensor[0]}"
        shapes = self.offer(kind, line, [name])
        if shapes is None:
            self.scope.taken.discard(name)
            return
        self.scope.tensors[name] = shapes[0]
        self.definition.lines.append(Line(line, name, before, shapes[0]))

    def assign(self) -> None:
        """A name for a tensor."""
        self._named("line", self.write.tensor(self.scope, self.random.choice((1, 2, 2, 3))))

    def guard(self) -> None:
        """A name for a flow that a condition leaves out."""
        self._named("guard", self.write.guarded(self.scope, 2))

    def table(self) -> None:
        """A line that is a table, and its taps."""
        text, shape = self.write.atom(self.scope)
        if shape is None:
            return
        table, _, taps = tables.stages(self.write, self.scope, shape, 2)
        before = self.scope.copy()
        name = self.chooser.name(self.scope.taken)
        steps = ""
        if self.random.random() < 0.15:
            more, _, _ = tables.stages(self.write, self.scope, shape, 1)
            steps = f"{more} -> "
        line = f"{name} = {text} -> {steps}{table}"
        shown = [name, *(f"{name}.{tap}" for tap in taps)]
        shapes = self.offer("table", line, shown)
        if shapes is None:
            self.scope.taken.discard(name)
            return
        self.scope.tensors.update(zip(shown, shapes, strict=True))
        self.scope.tables[name] = taps
        self.definition.lines.append(Line(line, name, before, shapes[0]))

    def several(self) -> None:
        """Several names for the parts of a tensor, or for what a block gives."""
        random = self.random
        blocks = [b for b in self.write.blocks if len(b.results) > 1]
        if blocks and random.random() < 0.6:
            block = random.choice(blocks)
            text, count = self.write.all_given(self.scope, block, 1), len(block.results)
            if len(block.shapes) - block.optional == 1 and random.random() < 0.5:
                source, shape = self.write.atom(self.scope)
                text = f"{source} -> {self.write.use(self.scope, block, shape or (), 1)[0]}"
        else:
            found = self._split()
            if found is None:
                return
            text, count = found
        if random.random() < 0.2:
            text = f"{text} if {values.condition(random, self.scope, True)} else {text}"
        names = [self.chooser.name(self.scope.taken) for _ in range(count)]
        shapes = self.offer("several names", f"{', '.join(names)} = {text}", names)
        if shapes is None:
            self.scope.taken.difference_update(names)
            return
        self.scope.tensors.update(zip(names, shapes, strict=True))

    def _split(self) -> tuple[str, int] | None:
        """A text that gives several tensors, and how many."""
        random = self.random
        text, shape = self.scope.pick(random)
        if shape is None:
            return None
        steps = ""
        if random.random() < 0.3:
            steps = f"{random.choice(ACTIVATIONS)} -> "
        made = calls.split(random, self.scope, shape)
        return None if made is None else (f"{text} -> {steps}{made[0]}", len(made[1]))

    def parts(self) -> None:
        """A name for a list of tensors."""
        random = self.random
        found = self._split() if random.random() < 0.5 else None
        if found is None:
            texts = [self.write.tensor(self.scope, 1)[0] for _ in range(random.choice((1, 2, 3)))]
            found = f"[{', '.join(texts)}]", len(texts)
        self._list("list", *found)

    def results_as_list(self) -> None:
        """One name for the several results of a block."""
        blocks = [b for b in self.write.blocks if len(b.results) > 1]
        if blocks:
            block = self.random.choice(blocks)
            text = self.write.all_given(self.scope, block, 1)
            self._list("results as a list", text, len(block.results))

    def _list(self, kind: str, text: str, count: int) -> None:
        name = self.chooser.name(self.scope.taken)
        shown = [f"{name}[{i}]" for i in range(count)]
        shapes = self.offer(kind, f"{name} = {text}", shown)
        if shapes is None:
            self.scope.taken.discard(name)
            return
        self.scope.lists[name] = [*shapes]
        self.scope.tensors.update(zip(shown, shapes, strict=True))

    def grow(self) -> None:
        """A list, and one that is longer."""
        if not self.scope.lists:
            return self.parts()
        random = self.random
        known = random.choice([*self.scope.lists])
        text, _ = self.write.tensor(self.scope, 1)
        added = f"{known} + [{text}]" if random.random() < 0.7 else f"[{text}] + {known}"
        return self._list("longer list", added, len(self.scope.lists[known]) + 1)

    def start_of_sum(self) -> None:
        """`none` as the start of a sum of one line."""
        name = self.chooser.name(self.scope.taken)
        self.lines.append(f"{name} = none")
        self.scope.absent.append(name)

    def let(self) -> None:
        """A number, a truth value, a sequence or an operation with a name."""
        random, scope = self.random, self.scope
        name = self.chooser.name(scope.taken)
        kind = random.choice(("number", "number", "flag", "list", "operation"))
        value: object
        if kind == "number":
            value = random.choice((1, 2, 3, 4))
            text = values.number(random, scope, value, 3)
        elif kind == "flag":
            value = random.random() < 0.5
            text = values.condition(random, scope, value)
        elif kind == "list":
            value = tuple(random.choice((1, 2, 3)) for _ in range(random.choice((1, 2, 3))))
            text = values.sequence(random, scope, value, True)
        else:
            value = random.choice(ACTIVATIONS)
            text = str(value)
            if scope.operations and random.random() < 0.3:
                text = random.choice([*scope.operations])
            if random.random() < 0.2:
                text = f"{text} if {values.condition(random, scope, True)} else relu"
        if self.offer(f"let of a {kind}", f"let {name} = {text}", []) is not None:
            know(scope, name, kind, value)
        else:
            scope.taken.discard(name)

    def loop(self) -> None:
        """A `repeat`, with a label or without."""
        made = self.loops.loop(self.scope)
        if made is None:
            return
        lines, tensors, lists = made
        shown = [*tensors, *(f"{name}[0]" for name in lists)]
        shapes = self.offer("repeat", "\n  ".join(lines), shown)
        if shapes is None:
            return
        for text, shape in zip(shown, shapes, strict=True):
            self.scope.tensors[text] = shape
        for name in lists:
            self.scope.lists.setdefault(name, [None])
        for name in tensors:
            if name in self.scope.absent:
                self.scope.absent.remove(name)

    def check(self) -> None:
        """A `require` that holds, or a `warn`."""
        random, scope = self.random, self.scope
        wanted = random.random() < 0.7
        told = values.condition(random, scope, wanted)
        shown = [*scope.numbers] or [f"{next(iter(scope.tensors))}.c"]
        word = "require" if wanted else "warn"
        line = f'{word} {told}, "is {{{random.choice(shown)}}}"'
        self.offer(word, line, [])

    def default(self) -> None:
        """Other defaults, from this line on."""
        random = self.random
        line = random.choice(
            ("conv(bias=true)", "conv(init=kaiming_normal(fan_out), bias_init=zeros)",
             "bn(eps=1e-3)", "linear(init=normal(0.01), bias=false)", "bn(affine=false)",
             "leaky_relu(slope=0.3)", "max_pool(p=same)", "conv(p=same)", "layer_norm(eps=1e-6)",
             "dropout(rate=0.1)", "gelu(approximate=true)",
             "bn(momentum=0.01, init=zeros)", "resize(mode=bilinear)")
        )  # fmt: skip
        blocks = [(b, p) for b in self.write.blocks for p in b.parameters if p.default]
        if blocks and random.random() < 0.5:
            block, parameter = random.choice(blocks)
            line = f"{block.name}({parameter.name}={parameter.said(random, self.scope, True)})"
        self.offer("default", f"default {line}", [])

    def document(self) -> None:
        """A documentation line."""
        self.offer("text", '"What this is."', [])

    # The end

    def end(self) -> list[str] | None:
        """The `return`, and the lines before it."""
        random, scope = self.random, self.scope
        for _ in range(6):
            texts, names = list[str](), set[str]()
            for _ in range(random.choice((1, 1, 1, 2, 2, 3))):
                text, _ = scope.pick(random)
                dice = random.random()
                if dice < 0.15 and text.isidentifier():
                    pass
                elif dice < 0.35:
                    text, _ = self.write.tensor(scope, 2)
                elif dice < 0.4:
                    text, _ = self.write.guarded(scope, 1)
                texts.append(text)
                names.add(text)
            if random.random() < 0.1 and texts[0].isidentifier():
                again = self.chooser.name(scope.taken)
                self.offer("alias", f"{again} = {texts[0]}", [again])
                texts.append(again if again in "\n".join(self.lines) else texts[0])
            shown = texts
            if self.definition.kind == "arch" and random.random() < 0.15:
                text, _ = scope.pick(random)
                shown = [*texts, f"{text} if training"]
            shapes = self.shapes(self.lines, shown)
            self.tries["return", shapes is not None] += 1
            if shapes is not None and sum(map(_count, shapes)) < 4 * calls.LARGEST:
                self.definition.results = shapes[: len(texts)]
                return shown
        text = next(iter(scope.tensors))
        shapes = self.shapes(self.lines, [text])
        if shapes is None:
            return None
        self.definition.results = shapes
        return [text]


def know(scope: Scope, name: str, kind: str, value: object) -> None:
    """Add a value of a `let` or a parameter."""
    if kind == "number":
        assert isinstance(value, int)
        scope.numbers[name] = value
    elif kind == "flag":
        scope.flags[name] = bool(value)
    elif kind == "list":
        assert isinstance(value, tuple)
        scope.sequences[name] = value
    else:
        scope.operations[name] = str(value)


def header(definition: Defined) -> str:
    """The first line of a definition."""
    parameters = [p.text for p in definition.parameters]
    if definition.kind == "block" and definition.tensors != ["x"]:
        needed = len(definition.tensors) - definition.optional
        tensors = [
            f"{name}: tensor" + (" = none" if i >= needed else "")
            for i, name in enumerate(definition.tensors)
        ]
        # What has no default comes first.
        required = [p.text for p in definition.parameters if not p.default]
        rest = [p.text for p in definition.parameters if p.default]
        parameters = [*tensors[:needed], *required, *tensors[needed:], *rest]
    told = f"({', '.join(parameters)})" if parameters else ""
    return f"{definition.kind} {definition.name}{told} {{"


def size(shape: Shape) -> str:
    """A shape as an input says it."""
    return "x".join(map(str, shape)) if len(shape) > 1 else str(shape[0])


def _count(shape: Shape) -> int:
    count = 1
    for n in shape:
        count *= n
    return count
