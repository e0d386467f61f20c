"""Uses of primitives that their own shape rules allow, from the tables of their parameters."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from random import Random
from typing import Any

from archdsl.diagnostics.diagnostic import Diagnostic
from archdsl.ops import OPERATIONS, Operation, Shape, Word
from archdsl.ops.base import REQUIRED, Parameter
from archdsl.ops.initialisation import BIAS_INIT, INIT, VECTOR_INIT
from archdsl.ops.kinds import (
    AXES,
    AXIS,
    COUNT,
    FLAG,
    FRACTION,
    INTEGER,
    NATURAL,
    NUMBER,
    ODD,
    POSITIVE,
    RATE,
)
from archdsl.ops.padding import MARGIN, PADDING
from archdsl.testing.grammar import values
from archdsl.testing.grammar.scope import Scope

LARGEST = 3000
"""Numbers of one tensor: networks are to be quick."""

Argument = tuple[str, Any]
"""The text, and the value that the operation gets."""

UNSAID: Any = object()
"""A value that no shape depends on."""

ACTIVATIONS = (
    "relu", "relu6", "silu", "gelu", "sigmoid", "tanh", "hard_swish", "hard_sigmoid", "leaky_relu",
    "leaky_relu(0.2)", "leaky_relu(slope=0.1)", "prelu", "prelu(shared=true)", "elu", "elu(0.5)",
    "mish", "gelu(approximate=true)", "identity", "bn", "scale", "scale(per=number)",
    "dropout(0.3)", "layer_norm", "bn(eps=1e-3)", "softmax",
)  # fmt: skip
"""Operations for one tensor of any shape: what a parameter can hold."""

_VECTOR = ("zeros", "ones", "constant(0.5)", "normal(0.1)", "truncated_normal(0.2)", "uniform(0.3)",
           "0.5")  # fmt: skip
_MATRIX = ("default", "fan_uniform(fan_out)", "kaiming_normal", "kaiming_normal(fan_out)",
           "kaiming_uniform(fan_in, 1)", "xavier_normal", "xavier_uniform(2)")  # fmt: skip


def step(
    random: Random, scope: Scope, shape: Shape, others: bool = True
) -> tuple[str, tuple[Shape, ...]]:
    """A step that a tensor can take, and the shapes that come out; `others` allows more tensors."""
    for _ in range(30):
        kind = OPERATIONS[random.choice(NAMES)]
        made = call(random, scope, kind, shape, others)
        if made is not None:
            return made
    return "relu", (shape,)


def split(random: Random, scope: Scope, shape: Shape) -> tuple[str, tuple[Shape, ...]] | None:
    """A `split` that a tensor of a shape allows."""
    for _ in range(10):
        made = call(random, scope, OPERATIONS["split"], shape)
        if made is not None:
            return made
    return None


def call(
    random: Random, scope: Scope, kind: type[Operation], shape: Shape, others: bool = True
) -> tuple[str, tuple[Shape, ...]] | None:
    """A use of one primitive, if one is found."""
    if len(shape) - 1 not in kind.ranks:
        return None
    tensors, shapes = _tensors(random, scope, kind, shape) if others else ([], ())
    needed = sum(not name.endswith("?") for name in kind.tensors) - 1
    number = {} if shapes else _number(random, scope, kind)
    if len(shapes) < needed and not number and not kind.name == "concat":
        return None
    known, texts = dict[str, Any](), list[str]()
    named = kind.name == "concat" or (bool(shapes) and random.random() < 0.5)
    for name, (text, value) in number.items():
        texts.append(f"{name}={text}")
        known[name], named = value, True
    either = EITHER.get(kind.name, ())
    said = random.choice(either) if either and not shapes else ""
    for parameter in kind.parameters.values():
        if parameter.name in known or kind.name in ("add", "mul", "sub"):
            continue
        left_out = parameter.default is not REQUIRED and random.random() > 0.35
        if (left_out or parameter.name in either) and parameter.name != said:
            named = True
            continue
        text, value = argument(random, scope, kind, parameter, shape)
        named = named or bool(shapes) or random.random() < 0.5
        texts.append(f"{parameter.name}={text}" if named else text)
        if value is not UNSAID:
            known[parameter.name] = value
    try:
        operation = kind((shape, *shapes), known)
    except Diagnostic:
        return None
    if any(prod(out) > LARGEST for out in operation.outputs):
        return None
    if named and not shapes and random.random() < 0.3:
        named_ones = [text for text in texts if "=" in text.split("(")[0]]
        if len(named_ones) == len(texts):
            random.shuffle(texts)
    written = ", ".join([*tensors, *texts])
    brackets = bool(written) or random.random() < 0.1
    return kind.name + (f"({written})" if brackets else ""), operation.outputs


def _tensors(
    random: Random, scope: Scope, kind: type[Operation], shape: Shape
) -> tuple[list[str], tuple[Shape, ...]]:
    """Further tensors for an operation."""
    if kind.tensors == ("x",):
        return [], ()
    if kind.name == "concat":
        count = random.choice((0, 1, 1, 2))
        known = [t for t, s in scope.tensors.items() if s and len(s) == len(shape)]
        alike = [t for t in known if scope.tensors[t][1:] == shape[1:]]  # type: ignore[index]
        if not alike:
            return [], ()
        chosen = [random.choice(alike) for _ in range(count)]
        shapes = [scope.tensors[text] for text in chosen]
        if chosen and random.random() < 0.2:
            chosen.insert(random.randrange(len(chosen)), "none")
        if chosen and random.random() < 0.3:
            chosen = [f"[{', '.join(chosen)}]"]
        return chosen, tuple(s for s in shapes if s)
    name = kind.tensors[1].rstrip("?")
    if name != kind.tensors[1] and random.random() < 0.5:
        return [], ()
    fitting = []
    for text, other in scope.tensors.items():
        if other is None or len(other) != len(shape):
            continue
        if kind.name in ("add", "mul", "sub"):
            fits = all(a == b or 1 in (a, b) for a, b in zip(shape, other, strict=True))
        else:
            fits = True
        if fits:
            fitting.append(text)
    if not fitting:
        return [], ()
    text = random.choice(fitting)
    found = scope.tensors[text]
    assert found is not None
    return [f"{name}={text}" if random.random() < 0.3 else text], (found,)


def _number(random: Random, scope: Scope, kind: type[Operation]) -> dict[str, Argument]:
    if "number" not in kind.parameters:
        return {}
    found: dict[str, Argument] = {"number": (random.choice(("2", "0.5", "3")), 2.0)}
    if "reverse" in kind.parameters and random.random() < 0.4:
        found["reverse"] = ("true", True)
    return found


def argument(
    random: Random, scope: Scope, kind: type[Operation], parameter: Parameter, shape: Shape
) -> Argument:
    """A value for a parameter, likely one that fits the shape."""
    own = OWN.get((kind.name, parameter.name))
    if own is not None:
        return own(random, scope, shape)
    rank = len(shape) - 1

    def whole(*choices: int) -> Argument:
        value = random.choice(choices)
        return values.number(random, scope, value), value

    def said(*texts: str) -> Argument:
        return random.choice(texts), UNSAID

    if parameter.name == "c":
        return whole(shape[0], shape[0], 2, 3, 4, 6)
    if parameter.name == "groups":
        return whole(1, shape[0], *[n for n in (2, 3) if shape[0] % n == 0])
    title = parameter.kind
    if title is COUNT:
        return whole(1, 2, 3)
    if title is NATURAL:
        return whole(0, 1)
    if title is INTEGER:
        return whole(0, 1, -1)
    if title is ODD:
        return whole(1, 3, 5)
    if title is AXIS:
        return whole(0, rank, -1, *range(rank + 1))
    if title is FLAG:
        wanted = random.random() < 0.5
        text = values.condition(random, scope, wanted, 1)
        return (text if random.random() < 0.3 else str(wanted).lower()), wanted
    if title in (AXES, MARGIN, PADDING):
        sizes = (0, 1, 1) if title is MARGIN else (1, 2, 3, 3)
        if title is PADDING:
            if random.random() < 0.6:
                word = random.choice(parameter.kind.words)
                return word, Word(word)
            sizes = (0, 1, 1)
        if rank and random.random() < 0.35:
            several = tuple(random.choice(sizes) for _ in range(rank))
            return values.sequence(random, scope, several, False), several
        return whole(*sizes)
    if title in (INIT, BIAS_INIT, VECTOR_INIT):
        return said(*_VECTOR, *(_MATRIX if title is INIT else ()))
    if title in (FRACTION, RATE):
        return said("0.1", "0.5", "0.25", "1 / 4")
    if title in (NUMBER, POSITIVE):
        return said("0.5", "1", "2", "1e-3", "0.75")
    if parameter.kind.words:
        word = random.choice(parameter.kind.words)
        return word, Word(word)
    raise AssertionError(f"no values for {kind.name}.{parameter.name}")


def _sizes(random: Random, scope: Scope, shape: Shape) -> Argument:
    n = shape[0]
    if n > 1 and random.random() < 0.5:
        first = random.randrange(1, n)
        parts: tuple[int, ...] = (first, n - first)
        if n - first > 1 and random.random() < 0.3:
            parts = (first, 1, n - first - 1)
        return values.sequence(random, scope, parts, random.random() < 0.7), parts
    count = random.choice([d for d in range(1, n + 1) if n % d == 0])
    return values.number(random, scope, count), count


def _border(random: Random, scope: Scope, shape: Shape) -> Argument:
    rank = len(shape) - 1

    def one() -> int:
        return random.choice((0, 1, 2))

    if random.random() < 0.4:
        value: Any = one()
    elif rank == 1 and random.random() < 0.5:
        value = (one(), one())
    else:
        value = tuple((one(), one()) if random.random() < 0.5 else one() for _ in range(rank))
    text = str(value) if isinstance(value, tuple) else values.number(random, scope, value)
    return text, value


def _order(random: Random, scope: Scope, shape: Shape) -> Argument:
    axes = [*range(len(shape))]
    random.shuffle(axes)
    return values.sequence(random, scope, tuple(axes), random.random() < 0.2), tuple(axes)


def _shape(random: Random, scope: Scope, shape: Shape) -> Argument:
    left = prod(shape)
    sizes: list[int] = []
    for _ in range(random.choice((0, 1, 1, 2, 2, 3, 4))):
        size = random.choice([d for d in range(1, min(left, 12) + 1) if left % d == 0])
        sizes.append(size)
        left //= size
    sizes.insert(random.randrange(len(sizes) + 1), left)
    told = [-1 if i == 0 and random.random() < 0.5 else n for i, n in enumerate(sizes)]
    texts = [values.number(random, scope, n, 1) if n > 0 else "-1" for n in told]
    text = f"({texts[0]},)" if len(texts) == 1 else f"({', '.join(texts)})"
    return text, tuple(told)


def _cut(*numbers: int | None) -> Callable[[Random, Scope, Shape], Argument]:
    """A number for all axes that are cut, or one for each of two."""

    def one(random: Random, scope: Scope, shape: Shape) -> Argument:
        choices = (*numbers, shape[0], shape[-1]) if -1 in numbers else numbers
        if len(shape) == 1 or random.random() < 0.7:
            value = random.choice([number for number in choices if number is not None])
            return values.number(random, scope, value) if value > 0 else str(value), value
        both = random.choice(choices), random.choice(choices)
        return f"({', '.join('none' if n is None else str(n) for n in both)})", both

    return one


def _cut_axes(random: Random, scope: Scope, shape: Shape) -> Argument:
    rank = len(shape) - 1
    if rank == 0 or random.random() < 0.3:
        axis = random.choice((0, rank, -1))
        return str(axis), axis
    axes = tuple(random.sample(range(rank + 1), 2))
    told = tuple(random.choice((axis, axis - rank - 1)) for axis in axes)
    return values.sequence(random, scope, told, False), told


def _factor(random: Random, scope: Scope, shape: Shape) -> Argument:
    value: Any = random.choice((2, 0.5, 1.5, 1))
    if len(shape) > 1 and random.random() < 0.3:
        value = tuple(random.choice((1, 2)) for _ in shape[1:])
        return values.sequence(random, scope, value, False), value
    return f"{value:g}", value


OWN: dict[tuple[str, str], Callable[[Random, Scope, Shape], Argument]] = {
    ("split", "sizes"): _sizes,
    ("pad", "p"): _border,
    ("permute", "axes"): _order,
    ("reshape", "shape"): _shape,
    ("slice", "start"): _cut(0, 0, 1, 2, -3),
    ("slice", "stop"): _cut(None, 1, 2, -1),
    ("slice", "axis"): _cut_axes,
    ("slice", "step"): _cut(1, 2, 3),
    ("resize", "scale"): _factor,
}
"""Parameters whose kind does not tell what fits."""

EITHER = {"resize": ("size", "scale"), "avg_pool": ("k", "out")}
"""Parameters of which one is given; a further tensor stands for it."""

COMMON = ("conv", "conv", "conv_transpose", "bn", "relu", "linear", "max_pool", "avg_pool",
          "reshape", "permute", "concat", "split", "slice", "add", "mul", "flatten",
          "global_pool")  # fmt: skip
NAMES = (*OPERATIONS, *COMMON)
