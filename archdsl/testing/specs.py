"""Specs that are valid: lines are tried one after the other, and those that fit stay."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import cache
from random import Random

from hypothesis import strategies as st

from archdsl.api.network import Network, loads
from archdsl.diagnostics.diagnostic import DiagnosticError
from archdsl.frontend.files import read, standard_names
from archdsl.frontend.parser import parse
from archdsl.ops import OPERATIONS, Shape
from archdsl.support import resources
from archdsl.testing.arguments import call

MOST_NUMBERS = 6_000
"""Of a tensor of one sample: what is larger shows nothing more, only later."""

ACTIVATIONS = ("relu", "silu", "hard_swish", "leaky_relu(0.2)", "elu", "gelu", "mish", "tanh")
NORMS = ("bn", "bn(eps=1e-3)", "layer_norm", "group_norm(1)", "scale", "identity")
PRIMITIVES = tuple(
    operation for operation in OPERATIONS.values() if operation.tensors in (("x",), ("x", "like?"))
)


CELLS = {
    "k": ("1", "3", "5", "-"),
    "s": ("1", "1", "2", "-"),
    "e": ("1", "2", "3", "-"),
    "se": ("0", "0.5", "-"),
}
"""Cells of columns that blocks may have."""

COUNTS = ("1", "2", "3", "few//2", "-")
"""Cells of the column `n`."""

TABLE_OPTIONS = ("width=width", "depth=depth", "divisor=2", "depth_round=ceil", "act=act", "k=3")

VARIANTS = """\
  variants {
    name   width  depth
    small  0.5    1.0
    large  2.0    2.0
  }
"""


def specs(lines: int = 7) -> st.SearchStrategy[str]:
    """Texts of valid specs of small networks: their last arch is what they are about.

    They have blocks with guards, sums, products and gates, tables with and without scaling,
    repeats, lists, several inputs and outputs, variants, a child that extends the network, in one
    to three dimensions. `lines` is about how many lines of computation an arch has.
    """
    return st.randoms(use_true_random=False).map(lambda random: _Writer(random, lines).spec())


def networks(lines: int = 7) -> st.SearchStrategy[Network]:
    """The networks of `specs`, elaborated and checked."""
    return specs(lines).map(network)


def uses(
    text: str, block: str, calls: Sequence[str], shapes: Sequence[str]
) -> st.SearchStrategy[str]:
    """Specs that use a block of one's own.

    `text` defines it, `calls` are ways to call it (`"my_block(8, s=2)"`), `shapes` are those of
    inputs (`"16x8x8"`). One to three uses stand in a row, sums and concatenations between them, and
    the last gives the network's output. At least one call must fit each shape.
    """
    assert any(call.partition("(")[0] == block for call in calls), f"no call of {block}"

    def write(random: Random) -> str:
        shape = random.choice(shapes)
        writer = _Writer(random, 0, given=text)
        writer.begin([("image", shape)])
        last = ""
        for _ in range(random.randrange(1, 4)):
            if last and random.random() < 0.3:
                writer.joined()
            name = f"v{len(writer.values)}"
            if writer.attempt(f"{writer.source()} -> {random.choice(calls)}", name):
                last = name
        if not last:
            last = "v1"
            fits = any(writer.attempt(f"image -> {use}", last) for use in calls)
            assert fits, f"no call of {block} fits {shape}"
        return writer.text([last])

    return st.randoms(use_true_random=False).map(write)


def network(text: str) -> Network:
    """The network of the last arch of a spec."""
    from archdsl.api.network import Spec

    spec = Spec.of_text(text)
    return spec.network(spec.archs[-1])


class _Writer:
    """Writes one spec. `values` are the tensors so far, by name."""

    def __init__(self, random: Random, lines: int, given: str = "") -> None:
        self.random = random
        self.lines = lines
        self.blocks: list[str] = [given] if given else []
        self.calls: list[Callable[[], str]] = []
        """Ways to call a block of the spec."""
        self.head = ""
        self.body: list[str] = []
        self.values: dict[str, Shape] = {}
        self.inputs: list[str] = []
        self.tables: dict[str, str] = {}
        """Labels of tables that `set` can reach, by line."""

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def pick(self, *options: str) -> str:
        return self.random.choice(options)

    # The whole

    def spec(self) -> str:
        for number in range(self.random.randrange(0, 3)):
            self.block(number)
        rank = self.random.randrange(1, 4)
        inputs = [("image", self.shape(rank))]
        if self.chance(0.25):
            inputs.append(("other", self.shape(self.random.choice((rank, rank, 0)))))
        self.begin(inputs)
        ways = [
            self.flow, self.flow, self.flow, self.primitive, self.primitive, self.joined,
            self.joined, self.table, self.table, self.parted, self.repeat, self.use, self.dense,
        ]  # fmt: skip
        for _ in range(self.random.randrange(2, self.lines + 1)):
            self.random.choice(ways)()
        return self.done()

    def shape(self, rank: int) -> str:
        sizes = [self.pick("4", "5", "6", "7", "8") for _ in range(rank)]
        return "x".join([self.pick("1", "2", "3", "4", "6", "8"), *sizes])

    def begin(self, inputs: list[tuple[str, str]]) -> None:
        self.head = "arch net(width=1.0, depth=1.0, flag=true, few=4, act=relu)"
        for name, shape in inputs:
            self.body.append(f"  input {name}: {shape}")
            self.values[name] = tuple(map(int, shape.split("x")))
            self.inputs.append(name)

    def text(self, returned: Sequence[str], extra: str = "") -> str:
        body = "\n".join([*self.body, f"  return {', '.join(returned)}"])
        return "\n\n".join([*self.blocks, f"{self.head} {{\n{body}\n}}" + extra]) + "\n"

    def done(self) -> str:
        """The spec, what is left over returned; perhaps with variants, or a child."""
        names = [name for name in self.values if name not in self.inputs]
        if not names:
            name = self.inputs[0]
            self.body.append(f"  out = {name} -> relu")
            names = ["out"]
        count = self.random.choice((1, 1, 1, 2, 3))
        returned = list(
            dict.fromkeys([names[-1], *self.random.sample(names, min(count, len(names)))])
        )
        if count == 1:
            returned = [names[-1]]
        result = self.text(returned)
        if self.chance(0.2):
            head = f"{self.head} {{\n"
            result = self.fitting(result.replace(head, head + VARIANTS), result)
        if self.chance(0.2):
            change = self.pick("k=3", "s=1", "c=4")
            lines = [
                self.pick("", *(f"  set {table}({change})" for table in self.tables.values())),
                self.pick("", f"  {names[0]} = {self.inputs[0]} -> conv(few) -> bn"),
            ]
            child = "\n".join(["arch child(few=6) extends net {", *filter(None, lines), "}"])
            result = self.fitting(f"{result}\n{child}\n", result)
        return result

    def fitting(self, text: str, otherwise: str) -> str:
        """A text if it is a valid spec, or another."""
        try:
            return text if self.small(network(text)) else otherwise
        except DiagnosticError:
            return otherwise

    def small(self, made: Network) -> bool:
        most = max(
            (size for node in made.graph.nodes for v in node.outputs for size in [_count(v.shape)]),
            default=0,
        )
        return most <= MOST_NUMBERS and made.params <= 30_000 and len(made.graph.nodes) <= 150

    # Lines

    def name(self) -> str:
        if self.chance(0.15) and len(self.values) > len(self.inputs):
            return self.random.choice([n for n in self.values if n not in self.inputs])
        return f"v{len(self.values)}"

    def source(self) -> str:
        names = [*self.values]
        return names[-1] if self.chance(0.6) else self.random.choice(names)

    def attempt(self, expression: str, name: str = "") -> bool:
        """Add a line if it fits."""
        name = name or self.name()
        return self.keep([f"  {name} = {expression}"], name)

    def keep(self, lines: list[str], name: str) -> bool:
        before = self.body
        self.body = [*before, *lines]
        try:
            made = loads(self.text([name]))
            if self.small(made):
                self.values.pop(name, None)
                self.values[name] = made.graph.outputs[0].value.shape
                return True
        except DiagnosticError:
            pass
        self.body = before
        return False

    def step(self) -> str:
        if self.chance(0.35):
            kernel = self.pick("1", "3", "3", "5")
            stride = self.pick("", "", ", s=2")
            return f"conv({self.pick('2', '4', '6', 'few')}, k={kernel}{stride})"
        if self.chance(0.4):
            return self.pick(*ACTIVATIONS, *NORMS, "act")
        return call(self.random, self.random.choice(PRIMITIVES))

    def flow(self) -> None:
        for _ in range(3):
            steps = [self.step() for _ in range(self.random.randrange(1, 4))]
            guard = (
                self.pick("   if flag", "   if not flag", "   if width >= 1")
                if self.chance(0.15)
                else ""
            )
            if self.attempt(" -> ".join([self.source(), *steps]) + guard):
                return

    def primitive(self) -> None:
        """Any primitive, with any of its arguments that fit."""
        for _ in range(8):
            step = call(self.random, self.random.choice(PRIMITIVES))
            if self.attempt(f"{self.source()} -> {step}"):
                return

    def joined(self) -> None:
        """Two or three values as one."""
        for _ in range(4):
            one, two = self.source(), self.random.choice([*self.values])
            gate = f"{two} -> global_pool -> {self.pick('sigmoid', 'hard_sigmoid')}"
            expression = self.pick(
                f"{one} + {two}", f"{one} - {two}", f"{one} * {two}", f"concat({one}, {two})",
                f"{one} * ({gate})", f"concat([{one}, {two}, {one}], axis={self.pick('0', '1')})",
                f"{one} + ({one} -> {self.step()})", f"{self.pick('2', '0.5', 'few')} * {one} - 1",
                f"matmul({one}, {two} -> permute((0, 2, 1)))", f"1 - {one}",
                f"resize({one}, {two})",
                f"{one} + {two} -> {self.step()}", f"({one} -> {self.step()}) if flag else {two}",
            )  # fmt: skip
            if self.attempt(expression):
                return

    def dense(self) -> None:
        """A map as a vector, and a layer on it."""
        way = self.pick("global_pool", "flatten", "avg_pool(out=1)")
        step = call(self.random, OPERATIONS["linear"])
        self.attempt(f"{self.source()} -> {way} -> {step} -> {self.pick(*ACTIVATIONS)}")

    def parted(self) -> None:
        source, name = self.source(), f"v{len(self.values)}"
        count = self.pick("2", "3", "[1, 1]", "[2, 2, 4]")
        piece = self.pick(f"{name}_all[0]", f"{name}_all[1] + {name}_all[0]", f"concat({name}_all)")
        self.keep([f"  {name}_all = {source} -> split({count})", f"  {name} = {piece}"], name)

    def repeat(self) -> None:
        source, name = self.source(), f"v{len(self.values)}"
        if self.chance(0.5):
            step = self.pick(
                f"conv({name}.c, k=3) -> bn",
                "relu",
                f"conv(4 + 2 * i) -> {self.pick(*ACTIVATIONS)}",
            )
            guard = self.pick("", "   if i > 0", "   if i % 2 == 0")
            lines = [f"  {name} = {source}", f"  repeat i in 0..{self.pick('2', '3', 'few')} {{",
                     f"    {name} = {name} -> {step}{guard}", "  }"]  # fmt: skip
        else:
            lines = [
                f"  {name} = {source} -> conv(few)",
                f"  {self.pick('', 'grow: ')}repeat i in 0..{self.pick('2', '3')} {{",
                f"    more{name} = {name} -> {self.pick('bn -> relu -> ', '')}conv(2, k=3)",
                f"    {name} = concat({name}, more{name})",
                "  }",
            ]
        self.keep(lines, name)

    def use(self) -> None:
        """A block of the spec or of the standard library."""
        for _ in range(3):
            if self.calls and self.chance(0.7):
                step = self.random.choice(self.calls)()
            else:
                block = self.random.choice(sorted(standard_names()))
                step = f"{block}({self.pick('', '4', '8', '4, k=3', '4, s=2', '8, 4')})"
            if self.attempt(f"{self.source()} -> {step}"):
                return

    def table(self) -> None:
        """A table, perhaps of two headers, perhaps scaled."""
        for _ in range(3):
            name = f"v{len(self.values)}"
            options = ", ".join(option for option in TABLE_OPTIONS if self.chance(0.25))
            brackets = f"({options})" if options else ""
            lines = [f"  {name} = {self.source()} -> stages{brackets} {{"]
            for _ in range(self.random.randrange(1, 3)):
                lines += self.rows()
            label = next((line.split(":")[0].strip() for line in lines if ":" in line), "stage1")
            if self.keep([*lines, "  }"], name):
                self.tables[name] = f"{name}.{label}"
                return

    def rows(self) -> list[str]:
        """A header and rows below it, of blocks that have its columns."""
        callees = {"conv": ("c", "k", "s"), **_standard()}
        if self.calls:
            name = self.random.choice(self.calls)().partition("(")[0]
            callees = {name: ("c", "k", "s", "e"), "conv": callees["conv"]}
        names = [self.random.choice(list(callees)) for _ in range(self.random.randrange(1, 4))]
        shared = [c for c in CELLS if all(c in callees[name] for name in names)]
        columns = [column for column in (*shared, "n") if self.chance(0.5)]
        lines = ["    " + "  ".join(["block", "c", *columns])]
        for number, name in enumerate(names):
            label = f"row{number}{len(self.values)}: " if self.chance(0.2) else ""
            row = [name, self.pick("2", "4", "8", "few", "few*2")]
            row += [self.random.choice(CELLS.get(column, COUNTS)) for column in columns]
            lines.append(f"    {label}{'  '.join(row)}")
        return lines

    # Blocks

    def block(self, number: int) -> None:
        name = f"unit{number}"
        lines = [f"block {name}(c, k=3, s=1, e=2, flag=false, act=relu, drop=0) {{"]
        if self.chance(0.3):
            lines.append('  "' + self.pick("A unit.", 'Says \\"this\\".', "e: expansion.") + '"')
        lines.append(f"  let mid = {self.pick('e * c', 'max(1, x.c // 2)', 'e * x.c', 'c')}")
        source = "x"
        if self.chance(0.6):
            guard = self.pick("", "   if e != 1", "   if flag", "   if x.c != mid")
            lines.append(f"  wide = x -> conv(mid) -> {self.pick(*NORMS)} -> act{guard}")
            source = "wide"
        if self.blocks and self.chance(0.4):
            lines.append(
                f"  inner = {source} -> unit0({self.pick('c', 'mid', source + '.c')}, k=k)"
            )
            source = "inner"
        if self.chance(0.7):
            groups = self.pick("", "", f", groups={source}.c")
            lines.append(
                f"  deep = {source} -> conv({source}.c, k=k, s=s{groups})"
                f" -> {self.pick(*NORMS)} -> act"
            )
            source, strided = "deep", True
        else:
            strided = False
        if self.chance(0.4):
            gate = f"global_pool -> conv(max(1, {source}.c // 2), bias=true) -> relu"
            gate += f" -> conv({source}.c, bias=true) -> sigmoid"
            guard = self.pick("", " if flag", " if c > 4")
            lines.append(f"  weight = {source} -> {gate}")
            lines.append(
                f"  gated = {source} * weight" + (f"{guard} else {source}" if guard else "")
            )
            source = "gated"
        stride = "" if strided else ", s=s"
        lines.append(f"  last = {source} -> conv(c{stride}) -> {self.pick(*NORMS)}")
        lines.append(
            "  return "
            + self.pick(
                "last",
                "last + x if s == 1 and x.c == c else last",
                "x + (last -> drop_path(drop)) if s == 1 and x.c == c else last",
                "concat(last, x) if s == 1 else last",
                "last -> act   if flag",
            )
        )
        self.blocks.append("\n".join([*lines, "}"]))
        self.calls.append(lambda: f"{name}({self.block_arguments()})")

    def block_arguments(self) -> str:
        options = [
            "k=5",
            "s=2",
            "e=1",
            "e=3",
            "flag=true",
            "act=silu",
            "drop=0.1",
            "flag=flag",
            "act=act",
        ]
        chosen: dict[str, str] = {}
        for _ in range(self.random.randrange(0, 4)):
            option = self.random.choice(options)
            chosen[option.partition("=")[0]] = option
        return ", ".join([self.pick("2", "4", "8", "few"), *chosen.values()])


@cache
def _standard() -> dict[str, tuple[str, ...]]:
    """The parameters of the blocks of the standard library."""
    found = {}
    for name in sorted(standard_names()):
        path = os.path.join(resources.STANDARD, f"{name}.arch")
        file = parse(read(path, path))
        definition = next(item for item in file.definitions if item.name == name)
        found[name] = tuple(parameter.name for parameter in definition.parameters or ())
    return found


def _count(shape: Shape) -> int:
    count = 1
    for size in shape:
        count *= size
    return count
