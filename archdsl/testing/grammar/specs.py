"""Whole specs, written from the grammar: blocks, archs that extend others, the network."""

from __future__ import annotations

from collections import Counter
from random import Random

from hypothesis import strategies as st

from archdsl.diagnostics.diagnostic import DiagnosticError
from archdsl.ir.costs import total
from archdsl.ops import Shape
from archdsl.testing.grammar import values
from archdsl.testing.grammar.bodies import Body, Tries, header, network, size
from archdsl.testing.grammar.calls import ACTIVATIONS
from archdsl.testing.grammar.definitions import Defined, Parameter
from archdsl.testing.grammar.drafts import drafted
from archdsl.testing.grammar.names import HOSTILE, Chooser
from archdsl.testing.grammar.scope import Scope

SHAPES: tuple[Shape, ...] = (
    (4,), (6,), (1,), (4, 6), (2, 7), (4, 5, 5), (4, 4, 6), (3, 6, 6), (6, 4, 4), (1, 1, 1),
    (2, 1, 3), (4, 6, 6), (2, 3, 4, 4), (4, 2, 3, 3), (12, 2, 2),
)  # fmt: skip


class Writer:
    """Writes one spec."""

    def __init__(
        self, random: Random, hostile: tuple[str, ...] = HOSTILE, tries: Tries | None = None
    ) -> None:
        self.random = random
        share = random.choice((0.0, 0.0, 0.0, 0.2, 0.7))
        self.chooser = Chooser(random, share, hostile)
        self.tries: Tries = Counter() if tries is None else tries
        self.text = ""
        self.taken = {"probing"}
        self.blocks: list[Defined] = []

    def spec(self, lines: int = 6) -> str:
        """Blocks, perhaps archs that are used as blocks, and the network, which comes last."""
        random = self.random
        home = random.choice(SHAPES)
        for _ in range(random.choice((0, 1, 1, 2, 2, 3))):
            shape = home if random.random() < 0.7 else random.choice(SHAPES)
            kind = "arch" if random.random() < 0.15 else "block"
            made = self.definition(kind, shape, random.choice((1, 2, 3)))
            if made is not None:
                self.blocks.append(made)
                if random.random() < 0.2:
                    child = self.child(made)
                    if child is not None:
                        self.blocks.append(child)
        main = self.definition("arch", home, random.randrange(1, lines + 1), main=True)
        if main is not None and random.random() < 0.15:
            self.child(main)
        return self.text if main is not None else ""

    def definition(self, kind: str, shape: Shape, lines: int, main: bool = False) -> Defined | None:
        """One block or arch, written at the end of the text."""
        random = self.random
        taken: set[str] = set()
        count = random.choice((1, 1, 1, 2, 3) if kind == "arch" else (1, 1, 1, 2, 2))
        shapes = [shape] + [
            shape if random.random() < 0.7 else random.choice(SHAPES) for _ in range(count - 1)
        ]
        plain = kind == "block" and count == 1 and random.random() < 0.7
        tensors = ["x"] if plain else [self.chooser.name(taken) for _ in shapes]
        optional = int(kind == "block" and count > 1 and random.random() < 0.4)
        taken |= {*tensors}
        parameters = self._parameters(kind, taken)
        name = self.chooser.name(self.taken)
        made = Defined(kind, name, tensors, shapes, parameters, optional)
        body = Body(random, self.chooser, self.text, made, self.blocks, self.tries)
        for _ in range(lines):
            body.add()
        shown = body.end()
        if shown is None:
            self.taken.discard(name)
            return None
        self._finish(made, body.lines, shown, main)
        return made

    def _parameters(self, kind: str, taken: set[str]) -> list[Parameter]:
        random = self.random
        found = []
        for _ in range(random.choice((0, 0, 1, 1, 2, 3))):
            what = random.choice(("number", "number", "flag", "operation", "list"))
            value: object = random.choice((1, 2, 3, 4))
            if what == "flag":
                value = random.random() < 0.5
            elif what == "operation":
                value = random.choice(ACTIVATIONS)
            elif what == "list":
                value = tuple(random.choice((1, 2, 3)) for _ in range(random.choice((1, 2, 3))))
            default = kind == "arch" or random.random() < 0.7
            found.append(Parameter(random, self.chooser.name(taken), what, value, default))
        # What has no default comes first.
        return sorted(found, key=lambda parameter: parameter.default)

    def _finish(self, made: Defined, lines: list[str], shown: list[str], main: bool) -> None:
        random = self.random
        head = header(made)
        if random.random() < 0.2:
            head = f"{head[:-2]} as {self._class_name()} {{"
        top: list[str] = []
        if made.kind == "arch":
            sizes = [self._size(made, shape) for shape in made.shapes]
            top += [f"input {n}: {s}" for n, s in zip(made.tensors, sizes, strict=True)]
            numbers = [p for p in made.parameters if p.kind == "number"]
            if numbers and random.random() < 0.3:
                top += self._variants(numbers)
        text = self._body(head, [*top, *lines], shown)
        if made.kind == "arch" and main and random.random() < 0.3:
            try:
                found = drafted(text)
            except DiagnosticError:
                pass
            else:
                cost = total(found)
                more = f"expect params == {cost.params}, macs == {cost.macs}"
                text = self._body(head, [*top, *lines, more], shown)
        if made.kind == "arch":
            try:
                drafted(text)
            except DiagnosticError:
                self.tries["top of an arch", False] += 1
                sizes = [size(shape) for shape in made.shapes]
                top = [f"input {n}: {s}" for n, s in zip(made.tensors, sizes, strict=True)]
                text = self._body(header(made), [*top, *lines], shown)
        self.text = text

    def _body(self, head: str, lines: list[str], shown: list[str]) -> str:
        said = [f"  {line}" for line in lines]
        return self.text + "\n".join([head, *said, f"  return {', '.join(shown)}", "}", "", ""])

    def _class_name(self) -> str:
        return self.chooser.name(self.taken).title().replace("_", "") or "Net"

    def _size(self, made: Defined, shape: Shape) -> str:
        """The size of an input, at times said by parameters."""
        random = self.random
        scope = Scope()
        scope.numbers = {p.name: p.value for p in made.parameters if isinstance(p.value, int)
                         and p.kind == "number"}  # fmt: skip
        if random.random() < 0.6:
            return size(shape)
        return ", ".join(values.number(random, scope, n, 1) for n in shape)

    def _variants(self, numbers: list[Parameter]) -> list[str]:
        random = self.random
        names = [p.name for p in numbers]
        rows = ["variants {", " ".join(["  name", *names])]
        for row in ("small", "large")[: random.choice((1, 2))]:
            cells = [
                random.choice(("-", values.number(random, Scope(), int(str(p.value))))).replace(
                    " ", ""
                )
                for p in numbers
            ]
            rows.append(" ".join([f"  {row}", *cells]))
        return ["\n  ".join([*rows, "}"])]

    def child(self, parent: Defined) -> Defined | None:
        """A definition that extends another one."""
        random = self.random
        name = self.chooser.name(self.taken)
        made = Defined(
            parent.kind, name, parent.tensors, parent.shapes, parent.parameters, parent.optional
        )
        body: list[str] = []
        candidates = [line for line in parent.lines if line.shape is not None]
        if candidates:
            line = random.choice(candidates)
            if random.random() < 0.5 and "\n" not in line.text and "->" in line.text:
                body.append(
                    f"set {line.target}.0({random.choice(('bias=true', 'k=3', 'eps=1e-3'))})"
                )
            elif "stages" in line.text:
                cell = random.choice(("n=2", "k=3", "bias=true"))
                body.append(f"set {line.target}.stage1({cell})")
            else:
                alike = line.before.alike(line.shape) or [next(iter(line.before.tensors))]
                body.append(
                    f"{line.target} = {random.choice(alike)} -> {random.choice(ACTIVATIONS)}"
                )
        added = ""
        if random.random() < 0.3:
            extra = self.chooser.name({*parent.tensors, *(p.name for p in parent.parameters)})
            parameter = Parameter(random, extra, "number", 2, True)
            if all(extra != line.target for line in parent.lines):
                added = f"({extra}=2)"
                made.parameters = [*parent.parameters, parameter]
        text = f"{parent.kind} {name}{added} extends {parent.name} {{\n"
        text = self.text + text + "".join(f"  {line}\n" for line in body) + "}\n\n"
        tried = text
        if parent.kind == "block":
            tried += self._use(made)
        try:
            found = drafted(tried)
        except DiagnosticError:
            self.tries["extends", False] += 1
            self.taken.discard(name)
            return None
        self.tries["extends", True] += 1
        self.text = text
        made.results = [output.value.shape for output in found.outputs if not output.training]
        return made

    def _use(self, made: Defined) -> str:
        count = len(made.shapes) - made.optional
        given = [f"p{i}" for i in range(count)]
        inputs = [f"  input {n}: {size(s)}\n" for n, s in zip(given, made.shapes, strict=False)]
        told = [f"{p.name}={p.said(Random(0), Scope())}" for p in made.parameters if not p.default]
        call = f"{made.name}({', '.join([*given, *told])})"
        results = len(made.results) or 1
        return (
            "arch probing {\n" + "".join(inputs) + f"  r = {call}\n  return r\n}}\n" * bool(results)
        )


def written(seed: int, lines: int = 6, tries: Tries | None = None) -> str:
    """The spec of a number; the same one for the same number."""
    while True:
        text = Writer(Random(seed), tries=tries).spec(lines)
        if text and is_valid(text):
            return text
        seed += 2**40


def is_valid(text: str) -> bool:
    """Whether a spec has an arch, the last of which the checker takes."""
    try:
        network(text)
    except (DiagnosticError, IndexError):
        return False
    return True


def grammar_specs(lines: int = 6) -> st.SearchStrategy[str]:
    """Texts of valid specs in which every construct of the language stands in every position."""
    return st.integers(0, 2**32).map(lambda seed: written(seed, lines))
