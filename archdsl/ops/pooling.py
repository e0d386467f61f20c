"""Pooling. No parameters, no MACs."""

from __future__ import annotations

from archdsl.diagnostics import errors
from archdsl.ops.base import Operation, Shape, axis_text, parameter
from archdsl.ops.kinds import AXES, FLAG, words
from archdsl.ops.padding import PADDING, Pads, slide
from archdsl.ops.reach import Reach, covered, window

_STRIDE = "stride; k if left out"
_CEIL = "let a last window hang over the end, if it starts inside the map or the padding before"


class _Pool(Operation):
    """Windows that slide as a convolution's; padding as a number is at most half of k."""

    s: tuple[int, ...] | None
    p: str | tuple[int, ...]
    ceil: bool
    pads: Pads

    def _slide(self, x: Shape, k: tuple[int, ...], d: tuple[int, ...]) -> Shape:
        s = self.s or k
        if not isinstance(self.p, str):
            for kernel, padding in zip(k, self.p, strict=True):
                if padding > kernel // 2:
                    raise errors.PaddingTooLarge(
                        argument="p",
                        about={"k": f"k is {kernel}"},
                        padding=padding,
                        kernel=kernel,
                        most=kernel // 2,
                    )
        pads, sizes = slide(x[1:], k, s, self.p, d, self.ceil)
        self._settle(s=s, pads=pads)
        return (x[0], *sizes)

    def _window(self, k: tuple[int, ...], d: tuple[int, ...], axis: int) -> Reach:
        s = self.s or k
        return window(k[axis], s[axis], self.pads[axis][0], d[axis])


class MaxPool(_Pool):
    """The largest number in each window; padding is never the largest.

    Each axis becomes floor((n + lo + hi - d (k - 1) - 1) / s) + 1.
    """

    name = "max_pool"
    k: tuple[int, ...] = parameter(AXES, "window")
    s: tuple[int, ...] = parameter(AXES, _STRIDE, None)
    p: str | tuple[int, ...] = parameter(PADDING, "padding", 0)
    d: tuple[int, ...] = parameter(AXES, "dilation", 1)
    ceil: bool = parameter(FLAG, _CEIL, False)

    def shapes(self, *inputs: Shape) -> tuple[Shape, ...]:
        (x,) = inputs
        result = self._slide(x, self.k, self.d)
        for axis in range(len(self.k)):
            if self._is_blind(axis, x[axis + 1], result[axis + 1]):
                raise errors.EmptyWindow(
                    argument="d",
                    about={0: axis_text(axis + 1, len(x) - 1)},
                    kernel=self.k[axis],
                    dilation=self.d[axis],
                    axis=axis_text(axis + 1, len(x) - 1),
                    size=x[axis + 1],
                )
        return (result,)

    def _is_blind(self, axis: int, size: int, count: int) -> bool:
        """True if one of so many windows has nothing but padding at its positions."""
        k, d, low = self.k[axis], self.d[axis], self.pads[axis][0]
        s = self.s[axis] if self.s else k
        if d <= size:
            return False
        # Positions are further apart than the map is wide: no window sees it with two of them.
        seeing = 0
        for tap in range(max(0, -(((count - 1) * s - low) // d)), k):
            start = low - tap * d
            if start + size <= 0:
                break
            first, last = max(0, -(-start // s)), min(count - 1, (start + size - 1) // s)
            seeing += max(0, last - first + 1)
        return seeing < count

    def reach(self, axis: int, output: int) -> Reach | None:
        return self._window(self.k, self.d, axis)


class AvgPool(_Pool):
    """The mean of each window, by `k`, or of as many windows as it takes for the size `out`.

    By k, each axis becomes floor((n + lo + hi - k) / s) + 1. By out (adaptive), window i goes from
    floor(i n / out) up to ceil((i + 1) n / out).
    """

    name = "avg_pool"
    k: tuple[int, ...] | None = parameter(AXES, "window", None)
    s: tuple[int, ...] | None = parameter(AXES, _STRIDE, None)
    p: str | tuple[int, ...] = parameter(PADDING, "padding", 0)
    ceil: bool = parameter(FLAG, _CEIL, False)
    count_include_pad: bool = parameter(FLAG, "divide by the window's size at the edges too", False)
    out: tuple[int, ...] | None = parameter(AXES, "size of the result", None)

    def shapes(self, *inputs: Shape) -> tuple[Shape, ...]:
        (x,) = inputs
        if (self.k is None) == (self.out is None):
            given = "none" if self.k is None else "both"
            raise errors.ExactlyOne(
                argument=None if self.k is None else "out",
                about={"k": "`k` given here"},
                callee=self.name,
                options="k and out",
                given=given,
            )
        if self.k is not None:
            single = (1,) * len(self.k)
            return (self._slide(x, self.k, single),)
        unused = {
            "s": self.s is not None,
            "p": self.p not in ("keep", "same", "valid", (0,) * (len(x) - 1)),
            "ceil": self.ceil,
            "count_include_pad": self.count_include_pad,
        }
        for name, is_set in unused.items():
            if is_set:
                raise errors.NoEffect(
                    argument=name, about={"out": "set here"},
                    callee=self.name, parameter=name, other="out",
                )  # fmt: skip
        self._settle(pads=((0, 0),) * (len(x) - 1))
        assert self.out is not None
        return ((x[0], *self.out),)

    def reach(self, axis: int, output: int) -> Reach | None:
        if self.k is not None:
            return self._window(self.k, (1,) * len(self.k), axis)
        size, result = self.inputs[0][axis + 1], self.outputs[0][axis + 1]
        return None if result == 1 else covered(size, result)


class GlobalPool(Operation):
    """The mean or the largest number of each channel; every axis becomes 1."""

    name = "global_pool"
    mode: str = parameter(words("avg", "max"), "mean or largest", "avg")

    def shapes(self, *inputs: Shape) -> tuple[Shape, ...]:
        return ((inputs[0][0], *(1,) * (len(inputs[0]) - 1)),)

    def reach(self, axis: int, output: int) -> Reach | None:
        return None
