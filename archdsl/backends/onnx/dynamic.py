"""The size of every axis of every tensor: a number, or a name where it is known at run time alone.

With symbolic height and width a name says how the size follows from the input's: `ceil(H/2)`.
An operation that only works at one size is a diagnostic at its place in the spec.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from math import prod
from typing import Any

from archdsl.backends.onnx.model import Size, Sizes
from archdsl.diagnostics import errors
from archdsl.ir.graph import Graph, Node, Value

BATCH = "N"
MODES = ("batch", "spatial", "none")

_AXES = ("D", "H", "W")


class Fixed(Exception):
    """Raised by a rule: the operation works at one size alone. Carries the reason."""


def sizes_of(graph: Graph, mode: str) -> dict[Value, Sizes]:
    """For the id of each value that inference needs, the sizes of its axes."""
    batch: Size = 1 if mode == "none" else BATCH
    nodes = graph.inference_nodes()
    if mode != "spatial":
        values = [*graph.inputs, *(value for node in nodes for value in node.outputs)]
        return {value: (batch, *value.shape) for value in values}
    found = {value: (batch, *sizes) for value, sizes in zip(graph.inputs, _inputs(graph))}
    for node in nodes:
        inputs = [found[value][1:] for value in node.inputs]
        for value, sizes in zip(node.outputs, _follow(node, inputs), strict=True):
            found[value] = (batch, *sizes)
    return found


def is_symbolic(sizes: Sizes) -> bool:
    """True if a size is a name; the batch, which comes first, does not count."""
    return any(isinstance(size, str) for size in sizes[1:])


def _inputs(graph: Graph) -> list[Sizes]:
    """The axes of the inputs, those of equal size in the spec having one name."""
    names: dict[tuple[str, int], str] = {}
    found: list[Sizes] = []
    for value in graph.inputs:
        rank = len(value.shape) - 1
        sizes: list[Size] = [value.shape[0]]
        for letter, size in zip(_AXES[len(_AXES) - rank :], value.shape[1:]):
            taken = any(axis == letter for axis, _ in names)
            name = f"{letter}_{value.name}" if taken else letter
            sizes.append(names.setdefault((letter, size), name))
        found.append(tuple(sizes) if rank <= len(_AXES) else value.shape)
    return found


def _follow(node: Node, inputs: list[Sizes]) -> list[Sizes]:
    operation: Any = node.operation
    if not any(isinstance(size, str) for sizes in inputs for size in sizes):
        return list(operation.outputs)
    rule: Callable[..., list[Sizes]] = _RULES.get(operation.name, _same)
    try:
        return rule(operation, *inputs)
    except Fixed as problem:
        raise errors.SizeIsFixed(node.span, operation=operation.name, reason=str(problem)) from None


# Rules: sizes without the batch


def _same(o: Any, x: Sizes, *others: Sizes) -> list[Sizes]:
    """The spatial axes stay; channels are as the operation says."""
    return [(shape[0], *x[1:]) for shape in o.outputs]


def _slide(o: Any, x: Sizes) -> list[Sizes]:
    """A convolution, or a pool by its window."""
    if o.name == "avg_pool" and o.out is not None:
        if all(size == 1 for size in o.out):
            return [o.outputs[0]]
        raise Fixed("the windows of avg_pool(out=...) depend on the size")
    sizes: list[Size] = [o.outputs[0][0]]
    for axis, size in enumerate(x[1:]):
        k, s, d = o.k[axis], o.s[axis], o.d[axis] if hasattr(o, "d") else 1
        low, high = o.pads[axis]
        if isinstance(size, int):
            sizes.append(o.outputs[0][axis + 1])
        elif o.p == "same" and s > 1:
            sizes.append(_divided(size, s, up=True))
        elif getattr(o, "ceil", False) and s > 1:
            if high > k - s:
                raise Fixed("whether the last window overhangs depends on the size")
            room = low + high - d * (k - 1) - 1
            sizes.append(plus(_divided(plus(size, room), s, up=True), 1))
        else:
            sizes.append(_windows(size, low + high - d * (k - 1) - 1, s))
    return [tuple(sizes)]


def _transposed(o: Any, x: Sizes) -> list[Sizes]:
    sizes: list[Size] = [o.c]
    for axis, size in enumerate(x[1:]):
        k, s, p, d = o.k[axis], o.s[axis], o.p[axis], o.d[axis]
        more = o.out_pad[axis]
        sizes.append(plus(_times(size, s), d * (k - 1) + more + 1 - s - 2 * p))
    return [tuple(sizes)]


def _global(o: Any, x: Sizes) -> list[Sizes]:
    return [o.outputs[0]]


def _pairwise(o: Any, a: Sizes, b: Sizes | None = None) -> list[Sizes]:
    if b is None:
        return [a]
    sizes: list[Size] = []
    for m, n, *told in zip(a, b, *o.inputs, strict=True):
        if isinstance(m, str) != isinstance(n, str) and m != 1 and n != 1:
            raise Fixed(f"it combines maps of size {m} and {n}")
        sizes.append(_joint(m, n, *told))
    return [tuple(sizes)]


def _joint(m: Size, n: Size, m_told: int, n_told: int) -> Size:
    """The size of an axis of two that are joined, given both sizes at the size of the spec. There,
    one that is 1 is repeated; where both are, they may differ at other sizes."""
    if m == n or n == 1 or n_told == 1 < m_told:
        return m
    if m == 1 or m_told == 1 < n_told:
        return n
    return f"max({m},{n})" if m_told == 1 else m


def _concat(o: Any, *xs: Sizes) -> list[Sizes]:
    first = xs[0]
    for axis in range(len(first)):
        if axis == o.axis:
            if any(isinstance(x[axis], str) for x in xs):
                raise Fixed("it concatenates along a dynamic axis")
        elif len({isinstance(x[axis], str) for x in xs}) > 1:
            raise Fixed("it concatenates maps of fixed and dynamic size")
    total = o.outputs[0][o.axis]
    return [(*first[: o.axis], total, *first[o.axis + 1 :])]


def _split(o: Any, x: Sizes) -> list[Sizes]:
    if isinstance(x[o.axis], str):
        raise Fixed("it cuts along a dynamic axis")
    return [(*x[: o.axis], shape[o.axis], *x[o.axis + 1 :]) for shape in o.outputs]


def _slice(o: Any, x: Sizes) -> list[Sizes]:
    sizes = [*x]
    for axis, start, stop, step in zip(o.axis, o.start, o.stop, o.step, strict=True):
        size = x[axis]
        if isinstance(size, str):
            sizes[axis] = _divided(_between(size, start, stop), step, up=True)
        else:
            sizes[axis] = o.outputs[0][axis]
    return [tuple(sizes)]


def _between(size: str, start: int, stop: int | None) -> Size:
    """Number of positions between two, where negative ones count from the end."""
    below = 0 if stop is None else stop  # from the end, or if positive from the beginning
    if start >= 0:
        return plus(size if below <= 0 else f"min({size},{below})", min(below, 0) - start)
    if below <= 0:
        return f"min({plus(size, below)},{below - start})"
    return f"min({size},{below})-max({plus(size, start)},0)"


def _pad(o: Any, x: Sizes) -> list[Sizes]:
    return [(x[0], *(plus(n, low + high) for n, (low, high) in zip(x[1:], o.p)))]


def _pixel_shuffle(o: Any, x: Sizes) -> list[Sizes]:
    return [(o.outputs[0][0], *(_times(size, o.factor) for size in x[1:]))]


def _permute(o: Any, x: Sizes) -> list[Sizes]:
    if isinstance(x[o.axes[0]], str):
        raise Fixed("it turns a dynamic axis into channels, whose number must be fixed for weights")
    return [tuple(x[axis] for axis in o.axes)]


def _resize(o: Any, x: Sizes, like: Sizes | None = None) -> list[Sizes]:
    if o.mode == "area":
        raise Fixed("the windows of mode=area depend on the size")
    if like is not None:
        return [(x[0], *like[1:])]
    if o.size is not None:
        return [o.outputs[0]]
    if any(scale != int(scale) for scale in o.scale):
        raise Fixed("a fractional scale is rounded for one size")
    return [(x[0], *(_times(n, int(scale)) for n, scale in zip(x[1:], o.scale, strict=True)))]


def _refuse(reason: str) -> Callable[..., list[Sizes]]:
    def rule(o: Any, *xs: Sizes) -> list[Sizes]:
        raise Fixed(reason)

    return rule


def _flatten(o: Any, x: Sizes) -> list[Sizes]:
    raise Fixed("the size of its output depends on the input size; global_pool avoids this")


_RULES: dict[str, Callable[..., list[Sizes]]] = {
    "conv": _slide,
    "max_pool": _slide,
    "avg_pool": _slide,
    "conv_transpose": _transposed,
    "global_pool": _global,
    "add": _pairwise,
    "sub": _pairwise,
    "mul": _pairwise,
    "concat": _concat,
    "split": _split,
    "slice": _slice,
    "pad": _pad,
    "pixel_shuffle": _pixel_shuffle,
    "permute": _permute,
    "resize": _resize,
    "flatten": _flatten,
    "linear": _flatten,
    "reshape": _refuse("its sizes are fixed"),
    "matmul": _refuse("the axes of its matrices are those of the map"),
}
"""Operations not listed keep the spatial axes."""


# Sizes as text


def _windows(size: Size, room: int, s: int) -> Size:
    """floor((size + room) / s) + 1."""
    if s == 1:
        return plus(size, room + 1)
    if room == -1:
        return _divided(size, s, up=True)
    if room == -s:
        return _divided(size, s, up=False)
    return plus(_divided(plus(size, room), s, up=False), 1)


def plus(size: Size, number: int) -> Size:
    if isinstance(size, int):
        return size + number
    match = re.fullmatch(r"(.*[^-+(*/])([-+]\d+)", size)
    if match and _closed(match[1]):
        size, number = match[1], number + int(match[2])
    return f"{size}{number:+d}" if number else size


def _times(size: Size, factor: int) -> Size:
    if isinstance(size, int):
        return size * factor
    return f"{factor}*{_atom(size)}" if factor != 1 else size


def times(*sizes: Size) -> Size:
    """The product of sizes."""
    factor = prod(size for size in sizes if isinstance(size, int))
    names = [_atom(size) for size in sizes if isinstance(size, str)]
    if not names:
        return factor
    return "*".join([str(factor)] * (factor != 1) + names)


def same_size(size: Size, s: int, least: int) -> Size:
    """The size of an axis with the border of `p=same`: `least` is the window less the stride."""
    covered = plus(_times(_divided(size, s, up=True), s), least)
    if isinstance(size, int) and isinstance(covered, int):
        return max(size, covered)
    return covered if least >= 0 else f"max({size},{covered})"


def _divided(size: Size, divisor: int, up: bool) -> Size:
    if isinstance(size, int):
        return -(-size // divisor) if up else size // divisor
    function = "ceil" if up else "floor"
    match = re.fullmatch(rf"{function}\((\w+)/(\d+)\)", size)
    if match:  # a quotient rounded the same way twice is rounded once
        return f"{function}({match[1]}/{int(match[2]) * divisor})"
    return f"{function}({_atom(size)}/{divisor})"


def _atom(size: str) -> str:
    return size if re.fullmatch(r"\w+|\w+\([^()]*\)", size) else f"({size})"


def _closed(text: str) -> bool:
    return text.count("(") == text.count(")")
