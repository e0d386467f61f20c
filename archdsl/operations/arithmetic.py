"""Arithmetic of tensors, joining them, and products of matrices."""

from __future__ import annotations

from math import prod

from archdsl import errors
from archdsl.operations.base import (
    ANY_RANK,
    Operation,
    Shape,
    axis_text,
    extent_text,
    parameter,
    shape_text,
)
from archdsl.operations.kinds import AXIS, FLAG, NUMBER
from archdsl.operations.reach import SAME, Reach

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
        for axis, (m, n) in enumerate(zip(a, b, strict=True)):
            if m != n and m != 1 and n != 1:
                raise _differ(self.name, "b", a, b, axis)
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
            for place, (m, n) in enumerate(zip(first, other, strict=True)):
                if m != n and place != axis:
                    raise _differ(self.name, "xs", first, other, place, (0, index))
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
        for axis, (m, n) in enumerate(zip(a[:-2], b[:-2], strict=True)):
            if m != n:
                raise _differ(self.name, "b", a, b, axis)
        if a[-1] != b[-2]:
            raise errors.ShapesDiffer(
                argument="b",
                about={0: "shape", 1: "shape"},
                operation=self.name,
                left=shape_text(a),
                right=shape_text(b),
                difference=f"{a[-1]} columns and {b[-2]} rows",
                fix="`permute` swaps rows and columns of the second"
                if a[-1] == b[-1]
                else "the columns of the first are the rows of the second",
            )
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
            difference=f"{len(a) - 1} spatial axes and {len(b) - 1}",
            fix=""
            if vector is None
            else f"`-> reshape(({vector[0]}{ones}))` makes the vector a map",
        )


def _differ(
    operation: str, argument: str, a: Shape, b: Shape, axis: int, places: tuple[int, int] = (0, 1)
) -> errors.Diagnostic:
    """What to say of two inputs, at these places, whose sizes along an axis are not equal."""
    name = axis_text(axis, len(a) - 1)
    fix = "`-> resize(...)` of one like the other makes their sizes equal, or equal strides do"
    if axis == 0:
        fix = f"`-> conv({a[0]})` gives the second as many channels as the first"
    return errors.ShapesDiffer(
        argument=argument,
        about=dict.fromkeys(places, name),
        operation=operation,
        left=shape_text(a),
        right=shape_text(b),
        difference=f"{extent_text(a, axis)} and {extent_text(b, axis)}",
        fix=fix,
    )
