"""Small random specs about where tables, loops, guards, lists and taps may stand.

Every value has four channels, so that whatever is written can be summed with anything else.
"""

from __future__ import annotations

from random import Random

BLOCKS = """block unit(c) {
  return x -> conv(c) -> relu
}
block two {
  a = x -> conv(4)
  b = a -> stages {
    block  c
    conv   4
  }
  return a, b
}
"""


class Scope:
    """What a line may name: tensors, taps and lists; in a loop its variable and what it changes."""

    def __init__(self, blocks: list[str], is_block: bool) -> None:
        self.blocks = blocks
        self.conditions = ["g", "k == 1", "x.w > 100"] if is_block else ["x.w > 100"]
        self.tensors = ["x"]
        self.taps: list[str] = []
        self.lists: list[str] = []
        self.carried: list[str] = []

    def loop(self, variable: str, carried: list[str]) -> Scope:
        """The scope of a loop's body."""
        inner = Scope(self.blocks, False)
        inner.conditions = [*self.conditions, f"{variable} == 0", f"{variable} > 0"]
        inner.tensors, inner.lists = [*self.tensors], [*self.lists]
        inner.taps = [tap for tap in self.taps if tap.partition(".")[0] not in carried]
        inner.carried = carried
        return inner


class Writer:
    """Writes one spec."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.count = 0

    def spec(self) -> str:
        """A spec with up to two blocks of its own."""
        blocks: list[str] = []
        text = BLOCKS
        for i in range(self.random.randint(0, 2)):
            scope = Scope([*blocks], True)
            lines = self.lines(1, scope, self.random.randint(1, 3))
            last = self.value(1, scope, 1) if self.chance(0.4) else scope.tensors[-1]
            lines.append(f"  return {last}")
            text += f"block own{i}(g=true, k=1) {{\n" + "\n".join(lines) + "\n}\n"
            blocks += [f"own{i}", f"own{i}(g=false)", f"own{i}(k=3)"]
        scope = Scope(blocks, False)
        lines = self.lines(1, scope, self.random.randint(1, 4))
        results = scope.tensors[-3:] + scope.taps[-1:]
        lines.append(f"  return {', '.join(dict.fromkeys(results))}")
        return f"{text}arch net {{\n  input x: 4x5x6\n" + "\n".join(lines) + "\n}\n"

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def name(self) -> str:
        self.count += 1
        return f"{self.random.choice('abcdefgh')}{self.count}"

    # Values

    def table(self, indent: int, labels: list[str]) -> str:
        margin = "  " * (indent + 1)
        rows = ["block c"]
        count = self.random.randint(1, 3)
        for i in range(count):
            channels = 4 if i == count - 1 else self.random.choice([4, 4, 6, 2])
            row = f"{self.random.choice(['conv', 'conv_bn_act', 'unit'])} {channels}"
            if channels == 4 and self.chance(0.4):
                labels.append(f"t{len(labels)}")
                row = f"{labels[-1]}: {row}"
            rows.append(row + (f" n={self.random.randint(1, 3)}" if self.chance(0.3) else ""))
        inside = "\n".join(margin + row for row in rows)
        return f"stages {{\n{inside}\n{'  ' * indent}}}"

    def flow(self, indent: int, scope: Scope, labels: list[str] | None = None) -> str:
        labels = [] if labels is None else labels
        steps = [self.atom(scope)]
        for _ in range(self.random.randint(1, 3)):
            simple = ["conv(4)", "conv(4, k=3)", "bn", "relu", "unit(4)", *scope.blocks]
            step = self.table(indent, labels) if self.chance(0.4) else self.random.choice(simple)
            steps.append(step)
        return " -> ".join(steps)

    def atom(self, scope: Scope) -> str:
        known = [scope.tensors, scope.taps, [f"{name}[-1]" for name in scope.lists]]
        return self.random.choice(self.random.choice([names for names in known if names]))

    def value(self, indent: int, scope: Scope, depth: int) -> str:
        kind = self.random.randint(0, 3) if depth else 0
        if kind == 0:
            return self.atom(scope)
        if kind == 1:
            return f"({self.flow(indent, scope)})"
        right = self.value(indent, scope, depth - 1)
        if kind == 2:
            return f"{self.value(indent, scope, depth - 1)} {self.random.choice('+-*')} ({right})"
        return f"(concat({self.flow(indent, scope)}, {right}) -> conv(4))"

    # Lines

    def lines(self, indent: int, scope: Scope, count: int) -> list[str]:
        return [line for _ in range(count) for line in self.line(indent, scope)]

    def line(self, indent: int, scope: Scope) -> list[str]:
        margin, kind = "  " * indent, self.random.randint(0, 7)
        again = bool(scope.carried) and self.chance(0.5)
        name = self.random.choice(scope.carried) if again else self.name()
        condition = self.random.choice(scope.conditions)
        labels: list[str] = []
        if kind == 6 and indent < 4:
            return self.loop(indent, scope)
        if kind == 5 and not again:
            several = f"{self.atom(scope)} -> two"
            made = several if self.chance(0.5) else f"[{self.flow(indent, scope)}]"
            scope.lists.append(name)
            return [f"{margin}{name} = {made}"]
        if kind == 4:
            value = f"{self.flow(indent, scope)} if {condition} else {self.flow(indent, scope)}"
        elif kind == 3:
            value = f"{self.flow(indent, scope)} if {condition}"
        elif kind == 2:
            value = self.value(indent, scope, 2)
        else:
            value = self.flow(indent, scope, labels)
        if not again:
            scope.tensors.append(name)
            # Of several tables in a line the last one's rows have these names.
            scope.taps += [f"{name}.{label}" for label in labels] if value.count("{") == 1 else []
        return [f"{margin}{name} = {value}"]

    def loop(self, indent: int, scope: Scope) -> list[str]:
        margin, variable, carried = "  " * indent, self.name(), self.name()
        label = f"{self.name()}: " if self.chance(0.5) else ""
        start, total = self.random.choice([0, 0, 1]), self.name()
        before = [f"{margin}{carried} = {self.atom(scope)}", f"{margin}{total} = none"]
        scope.tensors += [carried]
        inner = scope.loop(variable, [carried])
        body = self.lines(indent + 1, inner, self.random.randint(1, 2))
        body.append(f"{margin}  {carried} = {carried} + ({self.flow(indent + 1, inner)})")
        body.append(f"{margin}  {total} = {total} + {carried}")
        head = f"{margin}{label}repeat {variable} in {start}..{start + self.random.randint(1, 3)}"
        scope.tensors.append(total)
        return [*before, head + " {", *body, margin + "}"]
