"""Stage tables: headers, rows with and without labels, cells of every kind, scaling, taps."""

from __future__ import annotations

from random import Random
from typing import Protocol

from archdsl.ops import OPERATIONS, Shape
from archdsl.testing.grammar import calls, library, values
from archdsl.testing.grammar.calls import ACTIVATIONS
from archdsl.testing.grammar.definitions import Defined
from archdsl.testing.grammar.scope import Scope

SIZES = ("c", "h", "w", "d")


class Writer(Protocol):
    """What a table asks of whoever writes expressions."""

    random: Random
    names: tuple[str, ...]

    def block(self, shape: Shape | None, single: bool = True) -> Defined | None:
        """A block that takes a tensor of a shape; none where there is none."""


def stages(
    writer: Writer, scope: Scope, shape: Shape, depth: int
) -> tuple[str, Shape | None, list[str]]:
    """A table for a tensor of a shape; what comes out, and the taps it has."""
    random = writer.random
    lines: list[str] = []
    taps: list[str] = []
    known: Shape | None = shape
    labels = set(SIZES)
    columns: list[str] | None = None
    scaled = random.random() < 0.15
    for number in range(1, random.choice((1, 2, 2, 3)) + 1):
        label = ""
        if random.random() < 0.4:
            label = random.choice(writer.names if random.random() < 0.3 else ("p1", "p2", "last"))
            if label in labels or label.startswith("stage"):
                label = ""
        labels.add(label)
        row = _row(writer, scope, known, depth)
        if row is None:
            break
        name, cells, known = row
        if columns is None or (set(cells) - set(columns) and random.random() < 0.6):
            columns = [key for key in cells if random.random() < 0.8]
            if random.random() < 0.3 and "n" not in columns:
                columns.append("n")
            if random.random() < 0.2 and "s" not in columns:
                columns.append("s")
            lines.append(" ".join(["block", *columns]))
        texts = [cells.pop(column, "-") for column in columns]
        while texts and texts[-1] == "-" and random.random() < 0.6:
            texts.pop()
        texts += [f"{key}={text}" for key, text in cells.items()]
        taps.append(label or f"stage{number}")
        lines.append(" ".join([f"{label}: {name}" if label else name, *texts]))
    if not taps:
        lines, taps = ["block", "relu"], ["stage1"]
    told = _arguments(random, scope, scaled)
    if scaled:
        known = None
    return f"stages{told} {{\n" + "\n".join(lines) + "\n}", known, taps


def _row(
    writer: Writer, scope: Scope, shape: Shape | None, depth: int
) -> tuple[str, dict[str, str], Shape | None] | None:
    """An operation, its cells by parameter, and what comes out."""
    random = writer.random
    dice = random.random()
    cells: dict[str, str] = {}
    out: Shape | None = None
    block = writer.block(shape) if shape is not None else None
    if block is not None and len(block.shapes) - block.optional == 1 and dice < 0.4:
        name = block.name
        same = shape == block.shapes[0]
        for parameter in block.parameters:
            if not parameter.default or random.random() < 0.5:
                other = random.random() < 0.2
                same = same and not other
                cells[parameter.name] = _cell(parameter.said(random, scope, other))
        out = block.results[0] if same else None
    elif scope.operations and dice < 0.5:
        name, out = random.choice([*scope.operations]), shape
    elif shape is not None and len(shape) > 1 and dice < 0.57:
        name, needed = library.use(random, scope)
        cells = {key: _cell(value) for key, value in needed.items()}
    elif shape is None:
        name, out = random.choice([a for a in ACTIVATIONS if a.isidentifier()]), None
    else:
        for _ in range(20):
            written, shapes = calls.step(random, scope, shape, others=False)
            if written.split("(")[0] not in ("split", "add", "mul", "sub", "concat"):
                break
        else:
            written, shapes = "relu", (shape,)
        name, _, rest = written.partition("(")
        if rest:
            taken = [*OPERATIONS[name].parameters]
            for index, text in enumerate(_parts(rest[:-1])):
                key, equals, value = text.partition("=")
                if equals and key.isidentifier():
                    cells[key] = _cell(value)
                else:
                    cells[taken[index]] = _cell(text)
        out = shapes[0]
    if random.random() < 0.35 and "n" not in cells:
        count = random.choice((1, 2, 2, 3))
        cells["n"] = _cell(values.number(random, scope, count))
        out = out if out == shape else None
    if random.random() < 0.06:
        cells[random.choice(("width", "depth"))] = random.choice(("1", "1.5", "2"))
        out = None
    return name, cells, out


def _arguments(random: Random, scope: Scope, scaled: bool) -> str:
    texts: list[str] = []
    if scaled:
        texts.append(f"width={random.choice(('0.5', '1', '1.5', '2'))}")
        if random.random() < 0.6:
            texts.append(f"divisor={random.choice(('1', '2', '4'))}")
        if random.random() < 0.5:
            texts.append(f"depth={random.choice(('0.5', '1.2', '2'))}")
            if random.random() < 0.4:
                texts.append(f"depth_round={random.choice(('up', 'nearest'))}")
    if random.random() < 0.15:
        texts.append(random.choice((
            "eps=1e-3", "rate=0.1 * index / total", "momentum=0.1 + index / 10", "bias=true",
            "act=relu6", "slope=0.1 * (1 + index)", "bias=rep == 0", "init=0.5",
        )))  # fmt: skip
    return f"({', '.join(texts)})" if texts else ""


def _cell(text: str) -> str:
    """A cell has no space outside of brackets."""
    depth = 0
    for sign in text:
        depth += (sign in "([") - (sign in ")]")
        if sign == " " and depth == 0:
            return f"({text})"
    return text


def _parts(text: str) -> list[str]:
    """Arguments, parted at the commas outside of brackets."""
    found, depth, start = [], 0, 0
    for place, sign in enumerate(text):
        depth += (sign in "([") - (sign in ")]")
        if sign == "," and depth == 0:
            found.append(text[start:place].strip())
            start = place + 1
    return [*found, text[start:].strip()] if text.strip() else []
