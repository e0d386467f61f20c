"""Convolutions, their transposes, and matrices."""

from __future__ import annotations

from math import gcd, prod

from archdsl.diagnostics import errors
from archdsl.ops.base import Operation, Shape, Weight, Word, axis_text, parameter, tensor_text
from archdsl.ops.divisors import check_divides
from archdsl.ops.initialisation import BIAS_INIT, INIT
from archdsl.ops.kinds import AXES, COUNT, FLAG
from archdsl.ops.padding import MARGIN, PADDING, Pads, slide
from archdsl.ops.reach import Reach, pattern, window

ORDER = "give only the output channels before k, the input's are inferred: conv(128, 3)"
"""What to say of a kernel that may be a number of channels."""


class _Layer(Operation):
    """Operations with a learned weight and an optional learned bias."""

    c: int
    bias: bool
    init: Word
    bias_init: Word

    def _with_bias(self, weight: Shape) -> tuple[Weight, ...]:
        own = Weight("weight", weight, self.init)
        return (own, Weight("bias", (self.c,), self.bias_init)) if self.bias else (own,)


class Conv(_Layer):
    """Convolution, `groups` of them side by side; groups = c = the input's channels is depthwise.

    Each axis becomes floor((n + lo + hi - d (k - 1) - 1) / s) + 1.
    Parameters: c * channels / groups * prod(k), and c with a bias.
    MACs: output positions * c * channels / groups * prod(k).
    """

    name = "conv"
    c: int = parameter(COUNT, "output channels")
    k: tuple[int, ...] = parameter(AXES, "kernel", 1)
    s: tuple[int, ...] = parameter(AXES, "stride", 1)
    p: str | tuple[int, ...] = parameter(PADDING, "padding", "keep")
    d: tuple[int, ...] = parameter(AXES, "dilation", 1)
    groups: int = parameter(COUNT, "groups of channels that do not see each other", 1)
    bias: bool = parameter(FLAG, "add a learnt number to each channel", False)
    init: Word = parameter(INIT, "how the weight begins", "default")
    bias_init: Word = parameter(BIAS_INIT, "how the bias begins", "default")
    pads: Pads

    def shapes(self, *inputs: Shape) -> tuple[Shape, ...]:
        (x,) = inputs
        if self.groups > 1:
            _check_groups(self.groups, x[0], self.c)
        try:
            pads, sizes = slide(x[1:], self.k, self.s, self.p, self.d)
        except errors.CannotKeep as problem:
            if problem.values["kernel"] >= 32:
                problem.values["hint"] = ORDER
            raise
        self._settle(pads=pads)
        return ((self.c, *sizes),)

    def make_weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        return self._with_bias((self.c, inputs[0][0] // self.groups, *self.k))

    def count_macs(self, *inputs: Shape) -> int:
        return prod(self.outputs[0]) * (inputs[0][0] // self.groups) * prod(self.k)

    def reach(self, axis: int, output: int) -> Reach | None:
        return window(self.k[axis], self.s[axis], self.pads[axis][0], self.d[axis])


class ConvTranspose(_Layer):
    """Transposed convolution: the gradient of a convolution with regard to its input.

    Each axis becomes (n - 1) s - 2 p + d (k - 1) + out_pad + 1.
    Parameters: channels * c / groups * prod(k), and c with a bias.
    MACs: input positions * channels * c / groups * prod(k).
    """

    name = "conv_transpose"
    c: int = parameter(COUNT, "output channels")
    k: tuple[int, ...] = parameter(AXES, "kernel")
    s: tuple[int, ...] = parameter(AXES, "stride", 1)
    p: tuple[int, ...] = parameter(MARGIN, "positions cut off on both sides", 0)
    out_pad: tuple[int, ...] = parameter(MARGIN, "positions added at the end", 0)
    d: tuple[int, ...] = parameter(AXES, "dilation", 1)
    groups: int = parameter(COUNT, "groups of channels that do not see each other", 1)
    bias: bool = parameter(FLAG, "add a learnt number to each channel", False)
    init: Word = parameter(INIT, "how the weight begins", "default")
    bias_init: Word = parameter(BIAS_INIT, "how the bias begins", "default")

    def shapes(self, *inputs: Shape) -> tuple[Shape, ...]:
        (x,) = inputs
        _check_groups(self.groups, x[0], self.c)
        return ((self.c, *(self._size(axis, size) for axis, size in enumerate(x[1:]))),)

    def _size(self, axis: int, size: int) -> int:
        k, s, p, d, more = (v[axis] for v in (self.k, self.s, self.p, self.d, self.out_pad))
        if more >= max(s, d):
            expected = f"out_pad below {max(s, d)}, the larger of s and d"
            raise errors.WrongValue(argument="out_pad", expected=expected, value=str(more))
        result = (size - 1) * s - 2 * p + d * (k - 1) + more + 1
        if result < 1:
            sum_text = f"({size} - 1) * {s} - 2 * {p} + {d} * ({k} - 1) + {more} + 1 = {result}"
            extent = f"{axis_text(axis + 1, len(self.k))} {size}"
            raise errors.NothingLeft(
                argument="p",
                about={0: axis_text(axis + 1, len(self.k))},
                operation=self.name,
                extent=extent,
                arithmetic=sum_text,
            )
        return result

    def make_weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        return self._with_bias((inputs[0][0], self.c // self.groups, *self.k))

    def count_macs(self, *inputs: Shape) -> int:
        return prod(inputs[0]) * (self.c // self.groups) * prod(self.k)

    def reach(self, axis: int, output: int) -> Reach | None:
        k, s, p, d = (v[axis] for v in (self.k, self.s, self.p, self.d))
        # Tap j brings input (i + p - j d) / s to output i, where that is whole: every few taps.
        common = gcd(d, s)
        every = s // common
        inverse = pow(d // common, -1, every)

        def first(i: int) -> int:
            tap = (i + p) // common * inverse % every
            if (i + p) % common or tap >= k:
                return last(i) + 1
            return (i + p - (tap + (k - 1 - tap) // every * every) * d) // s

        def last(i: int) -> int:
            return (i + p - (i + p) // common * inverse % every * d) // s

        return pattern(first, s, 1), pattern(last, s, 1)


class Linear(_Layer):
    """Matrix times vector. Parameters: c * channels, and c with a bias. MACs: c * channels."""

    name = "linear"
    flattens = True
    ranks = (0,)
    c: int = parameter(COUNT, "output channels")
    bias: bool = parameter(FLAG, "add a learnt vector", True)
    init: Word = parameter(INIT, "how the weight begins", "default")
    bias_init: Word = parameter(BIAS_INIT, "how the bias begins", "default")

    def shapes(self, *inputs: Shape) -> tuple[Shape, ...]:
        return ((self.c,),)

    def make_weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        return self._with_bias((self.c, inputs[0][0]))

    def count_macs(self, *inputs: Shape) -> int:
        return self.c * inputs[0][0]

    def reach(self, axis: int, output: int) -> Reach | None:
        return None

    @classmethod
    def refusal(cls, shape: Shape) -> errors.Diagnostic:
        return errors.LinearNeedsVector(
            about={0: "shape"}, shape=tensor_text(shape, "map"), size=prod(shape)
        )


def _check_groups(groups: int, channels: int, c: int) -> None:
    common = gcd(channels, c)
    for total, what, where in ((channels, "input", 0), (c, "output", "c")):
        about: dict[int | str, str] = {where: "channels" if where == 0 else "the output channels"}
        check_divides("groups", groups, total, f"the {total} {what} channels", about, common=common)
