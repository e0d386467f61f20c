"""Arithmetic of tensors, joining them, and products of matrices."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from archdsl.diagnostics import errors
from archdsl.ops.base import ANY_RANK, Operation, Shape, axis_text, form_text, parameter, shape_text
from archdsl.ops.kinds import AXIS, FLAG, NUMBER
from archdsl.ops.reach import SAME, Reach

_NUMBER = parameter(NUMBER, "a number in place of the second tensor", None)


class _Pairwise(Operation):
    """Two tensors number by number, or one tensor and a number.

    Both have equally many axes; an axis of size 1 is repeated to the size of the other's.
    """

    tensors = ("a", "b?")
    operator = True
    in_place = True
    ranks = ANY_RANK
    number: float | None = _NUMBER

    def shapes(self, *inputs: Shape) -> tuple[Shape, ...]:
        if (self.number is None) == (len(inputs) == 1):
            given = "none" if self.number is None else "both"
            raise errors.ExactlyOne(callee=self.name, options="b and number", given=given)
        if len(inputs) == 1 or inputs[0] == inputs[1]:
            return inputs[:1]
        a, b = inputs
        _check_ranks(self.name, "b", a, b)
        axes = [i for i, (m, n) in enumerate(zip(a, b, strict=True)) if m != n and 1 not in (m, n)]
        if axes:
            raise _differ(self.name, "b", a, b, axes, _projected(a, b, axes))
        return (tuple(n if m == 1 else m for m, n in zip(a, b, strict=True)),)


class Add(_Pairwise):
    """a + b. Sizes are equal or 1; the larger one is the result's. No MACs."""

    name = "add"


class Sub(_Pairwise):
    """a - b. Sizes are equal or 1; the larger one is the result's. No MACs."""

    name = "sub"
    number: float | None = _NUMBER
    reverse: bool = parameter(FLAG, "b - a", False)


class Mul(_Pairwise):
    """a * b. Sizes are equal or 1; the larger one is the result's. No MACs."""

    name = "mul"


class Concat(Operation):
    """Tensors one after the other along an axis; their other sizes are equal. No MACs."""

    name = "concat"
    operator = True
    tensors = ("*xs",)
    ranks = ANY_RANK
    axis: int = parameter(AXIS, "the axis along which they follow; 0 is the channels", 0)

    def shapes(self, *inputs: Shape) -> tuple[Shape, ...]:
        first, axis = inputs[0], self.axis
        for index, other in enumerate(inputs[1:], 1):
            _check_ranks(self.name, "xs", first, other)
            sizes = enumerate(zip(first, other, strict=True))
            axes = [place for place, (m, n) in sizes if m != n and place != axis]
            if axes:
                fix = _alike(first, other, axes)
                raise _differ(self.name, "xs", first, other, axes, fix, (0, index))
        total = sum(shape[axis] for shape in inputs)
        return ((*first[:axis], total, *first[axis + 1 :]),)

    def reach(self, axis: int, output: int) -> Reach | None:
        return None if axis + 1 == self.axis else SAME


class MatMul(Operation):
    """Product of matrices: M x K times K x N is M x N, for each sample and each leading index.

    The last two axes are the matrix (in one dimension: channels and positions); the axes before
    them are equal in both. MACs: leading sizes * M * K * N.
    """

    name = "matmul"
    operator = True
    tensors = ("a", "b")
    ranks = (1, 2, 3)

    def shapes(self, *inputs: Shape) -> tuple[Shape, ...]:
        a, b = inputs
        _check_ranks(self.name, "b", a, b)
        axes = [axis for axis in range(len(a) - 2) if a[axis] != b[axis]]
        if axes or a[-1] != b[-2]:
            problem = _differ(self.name, "b", a, b, axes or [0], "")
            if a[-1] != b[-2]:
                turned = a[-1] == b[-1] and not axes
                order = ", ".join(map(str, (*range(len(b) - 2), len(b) - 1, len(b) - 2)))
                problem.about = {0: "shape", 1: "shape"}
                problem.values |= {
                    "difference": _listed(a, b, axes, f"{a[-1]} columns and {b[-2]} rows"),
                    "fix": f"`-> permute(({order}))` transposes the second"
                    if turned
                    else "the columns of the first must equal the rows of the second",
                }
            raise problem
        return ((*a[:-1], b[-1]),)

    def count_macs(self, *inputs: Shape) -> int:
        return prod(self.outputs[0]) * inputs[0][-1]

    def reach(self, axis: int, output: int) -> Reach | None:
        return None


def _check_ranks(operation: str, argument: str, a: Shape, b: Shape) -> None:
    if len(a) != len(b):
        vector = next((shape for shape in (a, b) if len(shape) == 1), None)
        ones = ", 1" * (max(len(a), len(b)) - 1)
        raise errors.ShapesDiffer(
            argument=argument,
            about={0: "shape", 1: "shape"},
            operation=operation,
            left=shape_text(a),
            right=shape_text(b),
            difference=f"{form_text(len(a) - 1)} and {form_text(len(b) - 1)}",
            fix=""
            if vector is None
            else f"`-> reshape(({vector[0]}{ones}))` turns the vector into a map",
        )


def _differ(
    operation: str,
    argument: str,
    a: Shape,
    b: Shape,
    axes: list[int],
    fix: str,
    places: tuple[int, int] = (0, 1),
) -> errors.Diagnostic:
    """The error for two inputs, at these positions, that differ along some axes."""
    about = axis_text(axes[0], len(a) - 1) if len(axes) == 1 else "shape"
    return errors.ShapesDiffer(
        argument=argument,
        about=dict.fromkeys(places, about),
        operation=operation,
        left=shape_text(a),
        right=shape_text(b),
        difference=_listed(a, b, axes),
        fix=fix,
    )


def _listed(a: Shape, b: Shape, axes: list[int], *more: str) -> str:
    """The sizes that differ: `32 and 64 channels, height 10 and 5`."""
    pairs = [
        f"{axis_text(axis, len(a) - 1)} {a[axis]} and {b[axis]}"
        if axis
        else f"{a[0]} and {b[0]} channels"
        for axis in axes
    ]
    return ", ".join([*pairs, *more])


def _projected(a: Shape, b: Shape, axes: list[int]) -> str:
    """The 1x1 convolution that gives one of two inputs the sizes of the other, if one does.

    That is the second, unless only the first has a larger map, which a stride can make smaller.
    """
    if len(a) == 1:
        return f"`-> linear({a[0]})` gives the second as many channels as the first"
    for this, other, name, others in ((b, a, "second", "first"), (a, b, "first", "second")):
        steps = [_step(m, n) if i in axes else 1 for i, (m, n) in enumerate(zip(this, other))][1:]
        if all(steps):
            wanted = [n if i in axes else m for i, (m, n) in enumerate(zip(this, other))]
            stride = _stride([step or 1 for step in steps])
            if not stride:
                return f"`-> conv({wanted[0]})` gives the {name} as many channels as the {others}"
            return f"`-> conv({wanted[0]}{stride})` makes the {name} {shape_text(tuple(wanted))}"
    return _alike(a, b, axes)


def _alike(a: Shape, b: Shape, axes: list[int]) -> str:
    """The conversion of the second of two inputs to the sizes of the first."""
    resized = f"-> resize({_tuple(a[1:])})"
    if axes[0] > 0:
        return f"`{resized}` gives the second the size of the first, as do equal strides"
    if len(axes) > 1:
        return f"`{resized} -> conv({a[0]})` makes the second {shape_text(a)}"
    return f"`-> conv({a[0]})` gives the second as many channels as the first"


def _step(size: int, wanted: int) -> int | None:
    """The stride by which a window of 1 makes one size of another."""
    step = -(-size // wanted)
    return step if -(-size // step) == wanted else None


def _stride(steps: list[int]) -> str:
    if max(steps, default=1) == 1:
        return ""
    return f", s={_tuple(steps)}"


def _tuple(sizes: Sequence[int]) -> str:
    """Sizes as an argument: one number where all are equal."""
    return str(sizes[0]) if len(set(sizes)) == 1 else f"({', '.join(map(str, sizes))})"
