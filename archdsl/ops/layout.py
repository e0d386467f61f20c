"""Moving numbers: parts, sizes, borders, shifts, shuffles and axes. No parameters, no MACs."""

from __future__ import annotations

from math import inf, nextafter, prod, ulp
from typing import Any

from archdsl.diagnostics import errors
from archdsl.ops.base import (
    ANY_RANK,
    Kind,
    Operation,
    Shape,
    axis_text,
    extent_text,
    form_text,
    parameter,
    shape_text,
)
from archdsl.ops.divisors import check_divides
from archdsl.ops.kinds import (
    AXES,
    AXIS,
    COUNT,
    FLAG,
    INTEGER,
    LARGEST,
    NATURAL,
    NUMBER,
    ODD,
    POSITIVE,
    SOME_AXES,
    describe,
    for_some_axes,
    in_order,
    whole,
    words,
)
from archdsl.ops.padding import Pads
from archdsl.ops.reach import ALWAYS_0, SAME, Reach, covered, pattern, ratio, window
from archdsl.support import limits

LARGEST_WINDOW = 2**22
"""Numbers of the windows by which `shift` picks from a map; files and modules hold them."""

LARGEST_DENOMINATOR = 1_000_000
"""A scale that is a fraction with a larger one is the number that it is."""


def _read_sizes(value: Any, rank: int) -> int | tuple[int, ...]:
    if isinstance(value, tuple | list):
        sizes: tuple[int, ...] = in_order(COUNT).read(value, rank)
        return sizes
    count = whole(value, "a count of equal parts, or a list of sizes", 1)
    if count > limits.ITEMS:
        raise errors.TooManyItems(count=count, limit=limits.ITEMS)
    return count


class Split(Operation):
    """Consecutive parts along an axis: equal ones by a count, or ones of given sizes."""

    name = "split"
    view = True
    operator = True
    gives_list = True
    ranks = ANY_RANK
    sizes: tuple[int, ...] = parameter(
        Kind("a count of equal parts, or a list of sizes", _read_sizes), "count or sizes"
    )
    axis: int = parameter(AXIS, "the axis that is cut; 0 is the channels", 0)

    def shapes(self, *inputs: Shape) -> tuple[Shape, ...]:
        (x,) = inputs
        axis, extent = self.axis, x[self.axis]
        given: int | tuple[int, ...] = self.sizes
        if isinstance(given, int):
            what = f"the {extent} channels" if axis == 0 else extent_text(x, axis)
            check_divides("sizes", given, extent, what, {0: axis_text(axis, len(x) - 1)})
            given = (extent // given,) * given
            self._settle(sizes=given)
        if sum(given) != extent:
            raise errors.SplitDoesNotAddUp(
                argument="sizes",
                about={0: axis_text(axis, len(x) - 1)},
                sizes=describe(given),
                total=sum(given),
                fix=_instead(given, extent - sum(given)),
                extent=extent_text(x, axis),
            )
        return tuple((*x[:axis], size, *x[axis + 1 :]) for size in given)

    def reach(self, axis: int, output: int) -> Reach | None:
        return window(1, 1, -sum(self.sizes[:output])) if axis + 1 == self.axis else SAME


def _instead(sizes: tuple[int, ...], more: int) -> str:
    """Suggest sizes that add up, by changing the last one or adding another."""
    *rest, last = sizes
    if last + more < 1:
        return "to split into equal parts, give a count instead of sizes"
    longer = f" or {describe([*sizes, more])}" if more > 0 else ""
    return f"use {describe([*rest, last + more])}{longer}"


class Slice(Operation):
    """Positions start, start + step, ... below stop, along each of some axes.

    Negative positions count from the end.
    """

    name = "slice"
    view = True
    operator = True
    ranks = ANY_RANK
    start: tuple[int, ...] = parameter(for_some_axes(INTEGER), "first position", 0)
    stop: tuple[int | None, ...] = parameter(
        for_some_axes(INTEGER, none=True), "the position after the last; the end if left out", None
    )
    axis: tuple[int, ...] = parameter(
        SOME_AXES, "the axis that is cut, or several; 0 is the channels", 0
    )
    step: tuple[int, ...] = parameter(for_some_axes(COUNT), "distance of positions", 1)
    first: tuple[int, ...]
    end: tuple[int, ...]
    """Start and stop on this map, counted from its beginning."""

    def shapes(self, *inputs: Shape) -> tuple[Shape, ...]:
        (x,) = inputs
        axes = self.axis if isinstance(self.axis, tuple) else (self.axis,)
        start, stop, step = (self._for_axes(axes, name) for name in ("start", "stop", "step"))
        shape, places = [*x], []
        for axis, *given in zip(axes, start, stop, step, strict=True):
            first, end, distance = slice(*given).indices(x[axis])
            places.append((first, end))
            shape[axis] = len(range(first, end, distance))
            if shape[axis] == 0:
                raise errors.NothingLeft(
                    argument="start" if given[1] is None else "stop",
                    about={0: axis_text(axis, len(x) - 1)},
                    operation=self.name,
                    extent=extent_text(x, axis),
                    arithmetic=f"the range is {first} to {end}",
                )
        self._settle(axis=axes, start=start, stop=stop, step=step)
        self._settle(first=tuple(a for a, _ in places), end=tuple(b for _, b in places))
        return (tuple(shape),)

    def _for_axes(self, axes: tuple[int, ...], name: str) -> tuple[Any, ...]:
        """The value for each axis."""
        value = getattr(self, name)
        if not isinstance(value, tuple):
            return (value,) * len(axes)
        if len(value) != len(axes):
            raise errors.WrongAxes(
                argument=name,
                about={"axis": "what is cut"},
                value=describe(value),
                count=len(value),
                axes="1 axis is cut" if len(axes) == 1 else f"{len(axes)} axes are cut",
            )
        return value

    def reach(self, axis: int, output: int) -> Reach | None:
        if axis + 1 not in self.axis:
            return SAME
        index = self.axis.index(axis + 1)
        return window(1, self.step[index], -self.first[index])


def _read_scales(value: Any, rank: int) -> tuple[float, ...]:
    if not isinstance(value, tuple):
        return (_read_scale(value, rank),) * rank
    if len(value) != rank:
        raise errors.WrongAxes(count=len(value), axes=f"the map is {rank}-D", value=describe(value))
    return tuple(_read_scale(item, rank) for item in value)


def _read_scale(value: Any, rank: int) -> float:
    """A factor of a size; of a fraction such as 1/49 the double above it, not the one below.

    So floor(n * scale) is what it is for the fraction, for every n: 49 * (1/49) is 1, where the
    nearest double gives 0.9999999999999999.
    """
    scale: float = POSITIVE.read(value, rank)
    if scale.is_integer():
        return scale
    from fractions import Fraction  # few networks have such a factor

    fraction = Fraction(scale).limit_denominator(LARGEST_DENOMINATOR)
    below = abs(fraction - Fraction(scale)) <= Fraction(2 * ulp(scale))
    while below and Fraction(scale) < fraction:
        scale = nextafter(scale, inf)
    return scale


class Resize(Operation):
    """Resample to the spatial size of `like`, to `size`, or to floor(n * scale).

    Positions follow the two sizes: pixel i of m out of n lies at (i + 0.5) n / m - 0.5, or with
    align_corners at i (n - 1) / (m - 1). `nearest` takes pixel floor(i n / m), `bilinear` is
    linear along every axis, `area` is the mean of the pixels covered (as avg_pool(out=...)).
    """

    name = "resize"
    operator = True
    tensors = ("x", "like?")
    size: tuple[int, ...] | None = parameter(AXES, "spatial size of the result", None)
    scale: tuple[float, ...] | None = parameter(
        Kind(
            POSITIVE.title + ", or a tuple with one per axis", _read_scales, per_axis=True
        ),
        "factor of the size",
        None,
    )
    mode: str = parameter(words("nearest", "bilinear", "area"), "how to resample", "nearest")
    align_corners: bool = parameter(FLAG, "bilinear: let the outermost pixels coincide", False)

    def shapes(self, *inputs: Shape) -> tuple[Shape, ...]:
        x, like = inputs[0], inputs[1] if len(inputs) > 1 else None
        options = {"like": like, "size": self.size, "scale": self.scale}
        given = [name for name, value in options.items() if value is not None]
        if len(given) != 1:
            raise errors.ExactlyOne(
                argument=given[-1] if given else None,
                about={name: f"`{name}` given here" for name in given[:-1]},
                callee=self.name,
                options="like, size and scale",
                given=" and ".join(given) or "none",
            )
        if self.align_corners and self.mode != "bilinear":
            raise errors.NoEffect(
                argument="align_corners",
                about={"mode": "set here"},
                callee=self.name,
                parameter="align_corners",
                other=f"mode={self.mode}",
            )
        if like is None:
            return ((x[0], *(self.size or self._scaled(x))),)
        if len(like) != len(x):
            raise errors.ShapesDiffer(
                argument="like",
                about={0: "shape", 1: "shape"},
                operation=self.name,
                left=shape_text(x),
                right=shape_text(like),
                difference=f"{form_text(len(x) - 1)} and {form_text(len(like) - 1)}",
                fix="",
            )
        return ((x[0], *like[1:]),)

    def _scaled(self, x: Shape) -> Shape:
        sizes = []
        for axis, scale in enumerate(self.scale or (), 1):
            scaled = x[axis] * scale
            arithmetic = f"{x[axis]} * {describe(scale)} = {describe(scaled)}"
            if scaled > LARGEST:
                raise errors.TooLarge(argument="scale", value=arithmetic, limit=LARGEST)
            if scaled < 1:
                raise errors.NothingLeft(
                    argument="scale",
                    about={0: axis_text(axis, len(x) - 1)},
                    operation=self.name,
                    extent=extent_text(x, axis),
                    arithmetic=arithmetic,
                )
            sizes.append(int(scaled))
        return tuple(sizes)

    def reach(self, axis: int, output: int) -> Reach | None:
        size, result = self.inputs[0][axis + 1], self.outputs[0][axis + 1]
        if self.mode == "area":
            return None if result == 1 else covered(size, result)
        if self.mode == "nearest":
            return ratio(size, result, lambda i: i * size // result, lambda i: i * size // result)
        # Position i lies at (a i + b) / c, and takes the pixels on both sides.
        a, b, c = 2 * size, size - result, 2 * result
        if self.align_corners:
            if result == 1:
                return ALWAYS_0
            size, result = size - 1, result - 1
            a, b, c = size, 0, result
        return ratio(size, result, lambda i: (a * i + b) // c, lambda i: -(-(a * i + b) // c))


def _read_border(value: Any, rank: int) -> Pads:
    expected = "a non-negative integer, or a pair of them, before and after"

    def pair(item: Any) -> tuple[int, int]:
        if isinstance(item, tuple) and len(item) == 2:
            return whole(item[0], expected, 0), whole(item[1], expected, 0)
        both = whole(item, expected, 0)
        return both, both

    if not isinstance(value, tuple):
        return (pair(value),) * rank
    if rank == 1 and len(value) == 2:
        return (pair(value),)
    if len(value) != rank:
        raise errors.WrongAxes(count=len(value), axes=f"the map is {rank}-D", value=describe(value))
    return tuple(map(pair, value))


_BORDER = Kind(
    "an integer, one per axis, or a pair of before and after",
    _read_border,
    per_axis=True,
)


class Pad(Operation):
    """Add a border: each axis becomes before + n + after.

    `constant` fills it with `value`, `reflect` mirrors the map at its outermost pixels, `replicate`
    repeats those. In one dimension a pair is before and after.
    """

    name = "pad"
    p: Pads = parameter(_BORDER, "width of the border")
    mode: str = parameter(words("constant", "reflect", "replicate"), "what fills it", "constant")
    value: float = parameter(NUMBER, "constant: the number", 0)

    def shapes(self, *inputs: Shape) -> tuple[Shape, ...]:
        (x,) = inputs
        if self.value and self.mode != "constant":
            raise errors.NoEffect(
                argument="value",
                about={"mode": "set here"},
                callee=self.name,
                parameter="value",
                other=f"mode={self.mode}",
            )
        for axis, (pair, size) in enumerate(zip(self.p, x[1:], strict=True), 1):
            if self.mode == "reflect" and max(pair) >= size:
                raise errors.ReflectionTooLarge(
                    argument="p",
                    about={0: axis_text(axis, len(x) - 1)},
                    padding=max(pair),
                    most=size - 1,
                    axis=axis_text(axis, len(x) - 1),
                    size=size,
                )
        sizes = (low + n + high for (low, high), n in zip(self.p, x[1:], strict=True))
        return ((x[0], *sizes),)

    def reach(self, axis: int, output: int) -> Reach | None:
        return window(1, 1, self.p[axis][0])


class PadChannels(Operation):
    """Add channels of zeros up to `c` in all, `before` of them in front and the others at the end.

    He et al., CVPR 2016, option A of the shortcuts.
    """

    name = "pad_channels"
    operator = True
    ranks = ANY_RANK
    c: int = parameter(COUNT, "channels of the result")
    before: int = parameter(NATURAL, "added channels that come first", 0)

    def shapes(self, *inputs: Shape) -> tuple[Shape, ...]:
        (x,) = inputs
        if self.c < self.before + x[0]:
            raise errors.FewerChannels(
                argument="c",
                about={0: "channels"},
                given=self.c,
                before=self.before,
                channels=x[0],
            )
        return ((self.c, *x[1:]),)


class Shift(Operation):
    """Move each channel by at most k // 2 along each axis, zeros coming in. Keeps the shape.

    Along the last axis channel i reads i mod k - k // 2 further on, along the one before it
    (i // k) mod k - k // 2, and so on. The channels beyond the last whole k^axes stay.
    Wu et al., CVPR 2018.
    """

    name = "shift"
    k: int = parameter(ODD, "number of offsets along each axis", 3)

    def shapes(self, *inputs: Shape) -> tuple[Shape, ...]:
        if self.k > 1 and inputs[0][0] * self.k ** (len(inputs[0]) - 1) > LARGEST_WINDOW:
            axes = " * ".join([str(self.k)] * (len(inputs[0]) - 1))
            raise errors.TooLarge(
                argument="k", value=f"{inputs[0][0]} channels * {axes}", limit=LARGEST_WINDOW
            )
        return inputs

    def offsets(self) -> list[tuple[int, ...]]:
        """For each channel, one per axis: output[y, x] = input[y + offset[0], x + offset[1]]."""
        k, rank, channels = self.k, self.rank, self.inputs[0][0]
        moved = channels - channels % k**rank
        powers = [k ** (rank - 1 - axis) for axis in range(rank)]
        shifts = [tuple(i // power % k - k // 2 for power in powers) for i in range(moved)]
        return shifts + [(0,) * rank] * (channels - moved)

    def reach(self, axis: int, output: int) -> Reach | None:
        return window(self.k, 1, self.k // 2)


class ChannelShuffle(Operation):
    """See the channels as groups x channels / groups, and swap the two. Keeps the shape.

    Zhang et al., CVPR 2018 (ShuffleNet).
    """

    name = "channel_shuffle"
    ranks = ANY_RANK
    groups: int = parameter(COUNT, "groups of channels")

    def shapes(self, *inputs: Shape) -> tuple[Shape, ...]:
        channels = inputs[0][0]
        check_divides("groups", self.groups, channels, f"the {channels} channels", {0: "channels"})
        return inputs


class PixelShuffle(Operation):
    """c factor^2 x h x w becomes c x h factor x w factor. Shi et al., CVPR 2016."""

    name = "pixel_shuffle"
    ranks = (2,)
    factor: int = parameter(COUNT, "factor of height and width")

    def shapes(self, *inputs: Shape) -> tuple[Shape, ...]:
        c, h, w = inputs[0]
        factor = self.factor
        if c % factor**2:
            above = -(-c // factor**2) * factor**2
            raise errors.DoesNotDivide(
                argument="factor",
                about={0: "channels"},
                divisor=f"factor^2 = {factor**2}",
                what=f"the {c} channels",
                total=c,
                by=factor**2,
                quotient=describe(c / factor**2),
                fix=f"use {above} channels",
            )
        return ((c // factor**2, h * factor, w * factor),)

    def reach(self, axis: int, output: int) -> Reach | None:
        return (pattern(lambda i: 0, self.factor, 1),) * 2


class Flatten(Operation):
    """All numbers as a flat vector, the last axis changing fastest."""

    name = "flatten"
    view = True
    ranks = ANY_RANK

    def shapes(self, *inputs: Shape) -> tuple[Shape, ...]:
        return ((prod(inputs[0]),),)

    def reach(self, axis: int, output: int) -> Reach | None:
        return None


def _read_permutation(value: Any, rank: int) -> tuple[int, ...]:
    axes: tuple[int, ...] = in_order(INTEGER).read(value, rank)
    if sorted(axes) != list(range(rank + 1)):
        expected = f"each axis from 0 (the channels) to {rank} once"
        raise errors.WrongValue(expected=expected, value=describe(value))
    return axes


class Permute(Operation):
    """Put the axes in another order: axis i of the result is axis axes[i]. 0 is the channels."""

    name = "permute"
    view = True
    operator = True
    ranks = ANY_RANK
    axes: tuple[int, ...] = parameter(
        Kind("a tuple of all axes, 0 being the channels", _read_permutation), "the new order"
    )

    def shapes(self, *inputs: Shape) -> tuple[Shape, ...]:
        return (tuple(inputs[0][axis] for axis in self.axes),)

    def reach(self, axis: int, output: int) -> Reach | None:
        return SAME if self.axes[axis + 1] == axis + 1 else None


def _read_shape(value: Any, rank: int) -> tuple[int, ...]:
    expected = f"one to {len(ANY_RANK)} sizes of at least 1, one of which may be -1 for the rest"
    items = value if isinstance(value, tuple | list) else (value,)
    sizes = tuple(whole(item, expected) for item in items)
    if not 0 < len(sizes) <= len(ANY_RANK) or sizes.count(-1) > 1:
        raise errors.WrongValue(expected=expected, value=describe(value))
    if any(size < 1 and size != -1 for size in sizes):
        raise errors.WrongValue(expected=expected, value=describe(value))
    return sizes


def _count(shape: tuple[int, ...], size: int) -> str:
    """Number of elements of a shape, or the value of -1."""
    known = [n for n in shape if n != -1]
    product = " * ".join(map(str, known))
    if len(known) < len(shape):
        return f"{size} / ({product}) = {describe(size / prod(known))}"
    return f"{product} = {prod(known)}" if len(known) > 1 else f"{product} is not {size}"


class Reshape(Operation):
    """The same numbers in another shape, the last axis changing fastest; -1 is what is left."""

    name = "reshape"
    view = True
    operator = True
    ranks = ANY_RANK
    shape: tuple[int, ...] = parameter(
        Kind("a tuple of sizes, one of which may be -1", _read_shape), "the new shape"
    )
    rest: int | None
    """Position of -1; `shape` has its value for this map."""

    def given(self, name: str) -> Any:
        return tuple(-1 if i == self.rest else size for i, size in enumerate(self.shape))

    def shapes(self, *inputs: Shape) -> tuple[Shape, ...]:
        (x,) = inputs
        size, known = prod(x), prod(n for n in self.shape if n != -1)
        shape = tuple(size // known if n == -1 else n for n in self.shape)
        if prod(shape) != size:
            raise errors.ReshapeDoesNotFit(
                argument="shape",
                about={0: "shape"},
                size=size,
                shape=shape_text(x),
                wanted=shape_text(self.shape),
                arithmetic=_count(self.shape, size),
            )
        self._settle(shape=shape, rest=self.shape.index(-1) if -1 in self.shape else None)
        return (shape,)

    def reach(self, axis: int, output: int) -> Reach | None:
        return SAME if self.inputs == self.outputs else None
