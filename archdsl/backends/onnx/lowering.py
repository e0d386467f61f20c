"""Lowering of each primitive to ONNX.

A row takes the site, the operation and its inputs, adds nodes for the site's opset, and gives the
outputs. What does nothing gives its input. Rows do not look at each other; what can be merged
between them is merged in `fold.py`, before, and in `simplify.py`, after.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod, sqrt
from typing import Any

import numpy as np

from archdsl.backends.onnx.builder import Builder, Site
from archdsl.backends.onnx.dynamic import is_symbolic, plus, same_size, times
from archdsl.backends.onnx.model import INT64, Size, Sizes, Tensor, Value
from archdsl.backends.onnx.numbers import holds
from archdsl.ops.kinds import LARGEST
from archdsl.support.arrays import Array

Row = Callable[..., Value | list[Value]]


def lower(builder: Builder, primitives: list[Any], values: dict[Any, Value]) -> None:
    """Add the nodes of primitives. `values` leads from ids in the graph to values in the model."""
    for primitive in primitives:
        inputs = [values[value] for value in primitive.inputs]
        operation = primitive.operation
        if primitive in builder.plan.absorbed:
            results = inputs[:1]
        else:
            found = LOWERINGS[operation.name](Site(builder, primitive), operation, *inputs)
            results = found if isinstance(found, list) else [found]
        for value, result in zip(primitive.outputs, results, strict=True):
            values[value] = result


# Convolutions and matrices


def _sides(pads: Any) -> tuple[int, ...]:
    """Padding as ONNX lists it: all that come before, then all after."""
    return (*(low for low, _ in pads), *(high for _, high in pads))


def _takes_rule(o: Any, d: tuple[int, ...]) -> bool:
    """True if runtimes know the border of `p=same` by themselves: onnxruntime refuses a dilation,
    and finds a border below 0 where the stride is larger than the window."""
    return all(k >= s and dilation == 1 for k, s, dilation in zip(o.k, o.s, d))


def _bordered(
    at: Site, o: Any, d: tuple[int, ...], x: Value, *fill: Tensor
) -> tuple[Value, dict[str, Any]]:
    """The map, and its border as attributes: in numbers, or as a rule where these depend on a size
    not known yet. Where there is no rule, the map has its border already."""
    if not at.dynamic or o.p != "same" or all(s == 1 for s in o.s):
        return x, {"pads": _sides(o.pads)}
    if _takes_rule(o, d):
        return x, {"auto_pad": "SAME_UPPER"}
    return _same_border(at, o, d, x, *fill), {"pads": (0,) * (2 * len(o.k))}


def _same_border(at: Site, o: Any, d: tuple[int, ...], x: Value, *fill: Tensor) -> Value:
    """The border of `p=same` around a map of any size: (-n) mod s + w - s positions for each axis,
    w being the window, where that is more than 0; the odd one comes after."""
    rank = len(o.k)
    least = [dilation * (k - 1) + 1 - s for k, s, dilation in zip(o.k, o.s, d)]
    total = at.emit_ints("Neg", _spatial_sizes(at, x), count=rank)
    total = at.emit_ints("Mod", total, at.ints(*o.s), count=rank)
    total = at.emit_ints("Add", total, at.ints(*least), count=rank)
    total = at.emit_ints("Max", total, at.ints(0), count=rank)
    low = at.emit_ints("Div", total, at.ints(2), count=rank)
    high = at.emit_ints("Sub", total, low, count=rank)
    none = at.ints(0, 0)
    sides = at.emit_ints("Concat", none, low, none, high, count=2 * rank + 4, axis=0)
    sizes = (same_size(n, s, more) for n, s, more in zip(x.shape[2:], o.s, least))
    return at.emit("Pad", x, sides, *fill, shape=(*x.shape[:2], *sizes))


def _spatial_sizes(at: Site, x: Value) -> Value:
    """The sizes of the spatial axes, while the graph runs."""
    rank = len(x.shape) - 2
    if at.opset >= 15:
        return at.emit_ints("Shape", x, count=rank, start=2)
    every = at.emit_ints("Shape", x, count=rank + 2)
    return at.emit_ints("Slice", every, at.ints(2), at.ints(rank + 2), count=rank)


def _conv(at: Site, o: Any, x: Value) -> Value:
    x, border = _bordered(at, o, o.d, x)
    inputs: list[Value | Tensor] = [x, *at.folded()]
    return at.emit(
        "Conv", *inputs, kernel_shape=o.k, strides=o.s, dilations=o.d, group=o.groups, **border
    )


def _conv_transpose(at: Site, o: Any, x: Value) -> Value:
    # onnxruntime adds fewer positions than a stride. Where more are added, less is cut off, and
    # where nothing is left to cut off, zeros behind the input make room.
    large = [more >= s for more, s in zip(o.out_pad, o.s)]
    added = [more * (not is_large) for more, is_large in zip(o.out_pad, large)]
    behind = [
        max(0, -(-(more - p) // s)) * is_large
        for more, p, s, is_large in zip(o.out_pad, o.p, o.s, large)
    ]
    ends = [
        p + s * extra - (more - rest)
        for p, s, extra, more, rest in zip(o.p, o.s, behind, o.out_pad, added)
    ]
    if any(behind):
        border = [(0, 0), (0, 0), *((0, extra) for extra in behind)]
        grown = (*x.shape[:2], *(plus(n, extra) for n, extra in zip(x.shape[2:], behind)))
        x = at.emit("Pad", x, at.ints(*_sides(border)), shape=grown)
    inputs: list[Value | Tensor] = [x, *at.folded()]
    return at.emit(
        "ConvTranspose", *inputs, kernel_shape=o.k, strides=o.s, pads=(*o.p, *ends),
        output_padding=tuple(added) if any(added) else None, dilations=o.d, group=o.groups,
    )  # fmt: skip


def _linear(at: Site, o: Any, x: Value) -> Value:
    return at.emit("Gemm", x, *at.folded(), transB=1)


# Normalisation


def _bn(at: Site, o: Any, x: Value) -> Value:
    channels = o.inputs[0][0]
    weight = at.weight("weight") if o.affine else at.repeated(1, channels)
    bias = at.weight("bias") if o.affine else at.repeated(0, channels)
    return at.emit(
        "BatchNormalization", x, weight, bias,
        at.weight("running_mean"), at.weight("running_var"), epsilon=o.eps,
    )  # fmt: skip


def _layer_norm(at: Site, o: Any, x: Value) -> Value:
    if at.opset < 17:
        return _composed_layer_norm(at, o, x)
    weight = at.weight("weight") if o.affine else at.repeated(1, o.inputs[0][0])
    bias = [at.weight("bias")] if o.affine else []
    last = len(at.out) - 1
    if last == 1:
        return at.emit("LayerNormalization", x, weight, *bias, axis=-1, epsilon=o.eps)
    there, back = (0, *range(2, last + 1), 1), (0, last, *range(1, last))
    moved = tuple(at.out[axis] for axis in there)
    y = at.emit("Transpose", x, shape=moved, perm=there)
    y = at.emit("LayerNormalization", y, weight, *bias, shape=moved, axis=-1, epsilon=o.eps)
    return at.emit("Transpose", y, perm=back)


def _composed_layer_norm(at: Site, o: Any, x: Value) -> Value:
    # In float32, as LayerNormalization: squares are soon beyond float16, and eps may be below it.
    return _affine(at, o, at.in_float32(x, lambda wide, x: _layer_normalised(wide, o, x)))


def _layer_normalised(at: Site, o: Any, x: Value) -> Value:
    one = (at.out[0], 1, *at.out[2:])
    mean = at.emit("ReduceMean", x, shape=one, axes=(1,), keepdims=1)
    centred = at.emit("Sub", x, mean)
    square = at.emit("Mul", centred, centred)
    variance = at.emit("ReduceMean", square, shape=one, axes=(1,), keepdims=1)
    y = at.emit("Add", variance, at.number(o.eps), shape=one)
    return at.emit("Div", centred, at.emit("Sqrt", y, shape=one))


def _affine(at: Site, o: Any, x: Value) -> Value:
    if not o.affine:
        return x
    return at.emit("Add", at.emit("Mul", x, at.along("weight")), at.along("bias"))


def _group_norm(at: Site, o: Any, x: Value) -> Value:
    # As instances, for which onnxruntime has a kernel. GroupNormalization it takes to pieces, and
    # these take the variance as the difference of two squares: it is lost where the mean is large.
    rest = times(o.inputs[0][0] // o.groups, *x.shape[2:])
    shape = (at.out[0], o.groups, rest)
    y = at.emit("Reshape", x, at.ints(0, o.groups, _or_rest(rest)), shape=shape)
    ones, zeros = at.repeated(1, o.groups), at.repeated(0, o.groups)
    y = at.emit("InstanceNormalization", y, ones, zeros, shape=shape, epsilon=o.eps)
    return _affine(at, o, at.emit("Reshape", y, _shape_of(at, o, x)))


def _or_rest(size: Size) -> int:
    """A size as Reshape takes it: -1 is what is left over."""
    return size if isinstance(size, int) else -1


def _shape_of(at: Site, o: Any, x: Value) -> Value | Tensor:
    """The shape of the first input, for Reshape."""
    if not at.dynamic:
        return at.ints(0, *o.inputs[0])
    return at.emit_ints("Shape", x, count=len(x.shape))


def _lrn(at: Site, o: Any, x: Value) -> Value:
    # Runtimes take images alone: other maps become one.
    if o.rank == 2:
        return at.emit("LRN", x, size=o.size, alpha=o.alpha, beta=o.beta, bias=o.k)
    channels, *spatial = x.shape[1:]
    positions = times(*spatial)
    image: Sizes = (at.out[0], channels, 1, positions)
    y = at.emit("Reshape", x, at.ints(0, o.inputs[0][0], 1, _or_rest(positions)), shape=image)
    y = at.emit("LRN", y, shape=image, size=o.size, alpha=o.alpha, beta=o.beta, bias=o.k)
    return at.emit("Reshape", y, _shape_of(at, o, x))


def _scale(at: Site, o: Any, x: Value) -> Value:
    return at.emit("Mul", x, at.along("weight"))


# Activations


def _plain(op: str, **attributes: Any) -> Row:
    return lambda at, o, x: at.emit(op, x, **attributes)


def _relu6(at: Site, o: Any, x: Value) -> Value:
    return at.emit("Clip", x, at.number(0), at.number(6))


def _silu(at: Site, o: Any, x: Value) -> Value:
    # Swish (opset 24) is left: onnxruntime has no faster kernel for it, and older ones none.
    return at.emit("Mul", x, at.emit("Sigmoid", x))


def _gelu(at: Site, o: Any, x: Value) -> Value:
    if at.opset >= 20:
        return at.emit("Gelu", x, approximate="tanh" if o.approximate else None)
    if not o.approximate:
        y = at.emit("Erf", at.emit("Div", x, at.number(sqrt(2))))
        y = at.emit("Mul", x, at.emit("Add", y, at.number(1)))
        return at.emit("Mul", y, at.number(0.5))
    cube = at.emit("Mul", at.emit("Mul", x, x), x)
    y = at.emit("Add", x, at.emit("Mul", cube, at.number(0.044715)))
    y = at.emit("Tanh", at.emit("Mul", y, at.number(sqrt(2 / np.pi))))
    y = at.emit("Mul", x, at.emit("Add", y, at.number(1)))
    return at.emit("Mul", y, at.number(0.5))


def _hard_sigmoid(at: Site, o: Any, x: Value) -> Value:
    return at.emit("HardSigmoid", x, alpha=1 / 6, beta=0.5)


def _hard_swish(at: Site, o: Any, x: Value) -> Value:
    if at.opset >= 14:
        return at.emit("HardSwish", x)
    return at.emit("Mul", x, _hard_sigmoid(at, o, x))


def _mish(at: Site, o: Any, x: Value) -> Value:
    if at.opset >= 18:
        return at.emit("Mish", x)
    return at.emit("Mul", x, at.emit("Tanh", at.emit("Softplus", x)))


def _nothing(at: Site, o: Any, x: Value) -> Value:
    return x


# Arithmetic


def _pairwise(op: str, neutral: float) -> Row:
    def row(at: Site, o: Any, a: Value, b: Value | None = None) -> Value:
        reverse = getattr(o, "reverse", False)
        if b is not None:
            return at.emit(op, *((b, a) if reverse else (a, b)))
        if reverse and not o.number:
            return at.emit("Neg", a)
        if o.number == neutral and not reverse:
            return a
        if holds(o.number, at.type):
            return with_number(at, o, a)
        return at.in_float32(a, lambda wide, a: with_number(wide, o, a))

    def with_number(at: Site, o: Any, a: Value) -> Value:
        number = at.number(o.number)
        return at.emit(op, *((number, a) if getattr(o, "reverse", False) else (a, number)))

    return row


def _concat(at: Site, o: Any, *xs: Value) -> Value:
    return xs[0] if len(xs) == 1 else at.emit("Concat", *xs, axis=o.axis + 1)


def _matmul(at: Site, o: Any, a: Value, b: Value) -> Value:
    return at.emit("MatMul", a, b)


# Pooling


def _max_pool(at: Site, o: Any, x: Value) -> Value:
    lowest = at.number(float("-inf"))
    x, border = _window(at, o, o.d, x, lowest)
    pads = border.get("pads", ())
    if any(pad >= k for pad, k in zip(pads, (*o.k, *o.k))):  # onnxruntime's borders are below k
        rank = len(o.k)
        x = _padded(at, x, [*zip(pads[:rank], pads[rank:])], lowest)
        border["pads"] = (0,) * len(pads)
    return at.emit(
        "MaxPool", x, kernel_shape=o.k, strides=o.s,
        dilations=o.d if any(d > 1 for d in o.d) else None, **border,
    )  # fmt: skip


def _padded(at: Site, x: Value, pads: Any, *fill: Tensor) -> Value:
    """The map with a border around it."""
    grown = (*x.shape[:2], *(plus(n, low + high) for n, (low, high) in zip(x.shape[2:], pads)))
    return at.emit("Pad", x, at.ints(*_sides(((0, 0), (0, 0), *pads))), *fill, shape=grown)


def _avg_pool(at: Site, o: Any, x: Value) -> Value:
    if o.out is not None:
        return _adaptive(at, x, o.outputs[0])
    single = (1,) * len(o.k)
    inner, border = _window(at, o, single, x)
    if inner is not x and not o.count_include_pad:
        # The border is in the map: means of it, by the share of the map in each window.
        size = at.emit_ints("Shape", x, count=len(x.shape))
        ones = at.emit("Expand", at.number(1), size, shape=x.shape)
        share = at.emit("AveragePool", _window(at, o, single, ones)[0], **_pooled(o, border))
        return at.emit("Div", at.emit("AveragePool", inner, **_pooled(o, border)), share)
    pads = border.get("pads", ())
    if o.count_include_pad and inner is x and pads and pads != _sides(o.pads):
        # What hangs over the padding is not counted, the padding is.
        extra = tuple(all_ - own for all_, own in zip(pads, _sides(o.pads)))
        return at.emit("AveragePool", _padded(at, x, o.pads), **_pooled(o, {"pads": extra}))
    counts = 1 if o.count_include_pad and any(border.get("pads", "?")) else None
    return at.emit("AveragePool", inner, count_include_pad=counts, **_pooled(o, border))


def _pooled(o: Any, border: dict[str, Any]) -> dict[str, Any]:
    return {"kernel_shape": o.k, "strides": o.s, **border}


def _window(
    at: Site, o: Any, d: tuple[int, ...], x: Value, *fill: Tensor
) -> tuple[Value, dict[str, Any]]:
    """The map of a pool and its border. A last window that hangs over (`ceil`) is padding at the
    end, which runtimes agree about, unlike about ceil_mode; where the size is not known, it is
    ceil_mode."""
    if at.dynamic:
        rounded = {"ceil_mode": 1} if o.ceil and any(s > 1 for s in o.s) else {}
        if rounded and o.name == "avg_pool" and o.count_include_pad and any(map(any, o.pads)):
            at.refuse("whether the last window extends beyond the padding depends on the size")
        x, border = _bordered(at, o, d, x, *fill)
        return x, {**border, **(rounded if o.p != "same" else {})}
    pads = []
    for axis, (low, high) in enumerate(o.pads):
        size, count = o.inputs[0][axis + 1], o.outputs[0][axis + 1]
        reached = (count - 1) * o.s[axis] + d[axis] * (o.k[axis] - 1) + 1
        pads.append((low, high + max(0, reached - size - low - high)))
    return x, {"pads": _sides(pads)}


def _global_pool(at: Site, o: Any, x: Value) -> Value:
    if not is_symbolic(x.shape) and all(size == 1 for size in x.shape[2:]):
        return x
    return at.emit({"avg": "GlobalAveragePool", "max": "GlobalMaxPool"}[o.mode], x)


def _adaptive(at: Site, x: Value, result: tuple[int, ...]) -> Value:
    """Means of as many windows as it takes. Even ones are a pool, others a product of matrices."""
    sizes = x.shape[2:]
    wanted = result[1:]
    if tuple(sizes) == wanted:
        return x
    if all(size == 1 for size in wanted):
        return at.emit("GlobalAveragePool", x)
    known: list[int] = [size for size in sizes if isinstance(size, int)]
    even = [n // m if n % m == 0 else 1 for n, m in zip(known, wanted, strict=True)]
    if any(k > 1 for k in even):
        shape: Sizes = (*x.shape[:2], *(n // k for n, k in zip(known, even)))
        x = at.emit("AveragePool", x, shape=shape, kernel_shape=tuple(even), strides=tuple(even))
    for axis, (size, m) in enumerate(zip(x.shape[2:], wanted)):
        if size != m:
            assert isinstance(size, int)
            at.room(size * m)
            x = _means(at, x, axis, _window_means(size, m))
    return x


def _means(at: Site, x: Value, axis: int, matrix: Array) -> Value:
    """Multiply a spatial axis by a matrix (new x old), in a type that holds its numbers."""
    if holds(float(matrix[matrix > 0].min()), at.type):
        return _product(at, x, axis, matrix)
    return at.in_float32(x, lambda wide, x: _product(wide, x, axis, matrix))


def _window_means(size: int, count: int) -> Array:
    """The matrix (count x size) that takes the mean of each window."""
    matrix = np.zeros((count, size))
    for i in range(count):
        start, stop = i * size // count, -(-(i + 1) * size // count)
        matrix[i, start:stop] = 1 / (stop - start)
    return matrix


def _product(at: Site, x: Value, axis: int, matrix: Array) -> Value:
    """Multiply a spatial axis by a matrix (new x old)."""
    rank = len(x.shape) - 2
    new = matrix.shape[0]
    shape: Sizes = (*x.shape[: axis + 2], new, *x.shape[axis + 3 :])
    if axis == rank - 1:
        return at.emit("MatMul", x, at.array(f"means{axis}", matrix.T.copy()), shape=shape)
    left = at.array(f"means{axis}", matrix)
    if axis == rank - 2:
        return at.emit("MatMul", left, x, shape=shape)
    # The axes behind it become one, so that it is the last but one.
    batch, *known = x.shape
    sizes = [size for size in known if isinstance(size, int)]
    flat: Sizes = (batch, *sizes[: axis + 2], prod(sizes[axis + 2 :]))
    x = at.emit("Reshape", x, at.ints(0, *sizes[: axis + 2], prod(sizes[axis + 2 :])), shape=flat)
    x = at.emit("MatMul", left, x, shape=(*flat[: axis + 2], new, flat[-1]))
    after = [size for size in shape[1:] if isinstance(size, int)]
    return at.emit("Reshape", x, at.ints(0, *after), shape=shape)


# Layout


def _resize(at: Site, o: Any, x: Value, like: Value | None = None) -> Value:
    if x.shape == at.out:
        return x
    if is_symbolic(x.shape) or is_symbolic(at.out):
        return _resize_unknown(at, o, x, like)
    if o.mode == "area":
        return _adaptive(at, x, o.outputs[0])
    before, after = o.inputs[0][1:], o.outputs[0][1:]
    if o.mode == "bilinear":
        return _resample(at, o, x, at.floats(1, 1, *map(_scale_to, before, after)))
    if all(m % n == 0 for n, m in zip(before, after)):
        return _resample(at, o, x, at.floats(1, 1, *(m / n for n, m in zip(before, after))))
    # Runtimes compute places in float32, and miss the pixel where the exact place is whole.
    for axis, (n, m) in enumerate(zip(before, after), 2):
        if n != m:
            at.room(m)
            x = _picked(at, x, axis, m, at.ints(*(i * n // m for i in range(m))))
    return x


def _picked(at: Site, x: Value, axis: int, size: Size, places: Value | Tensor) -> Value:
    """The positions of an axis in these places, as many as the axis is to have."""
    shape: Sizes = (*x.shape[:axis], size, *x.shape[axis + 1 :])
    return at.emit("Gather", x, places, shape=shape, axis=axis)


def _resample(
    at: Site, o: Any, x: Value, scales: Tensor | None, sizes: Value | None = None
) -> Value:
    if o.mode == "nearest":
        mode, places, rounding = "nearest", "asymmetric", "floor"
    else:
        mode, places, rounding = "linear", "half_pixel", None
        if o.align_corners:
            places = "align_corners"
    return at.emit(
        "Resize", *([x, None, scales] if sizes is None else [x, None, None, sizes]), mode=mode,
        coordinate_transformation_mode=places, nearest_mode=rounding,
    )  # fmt: skip


def _scale_to(n: int, m: int) -> float:
    """The float32 next to m / n that makes n into m when the product is rounded down."""
    scale = np.float32(m / n)
    while int(np.floor(np.float32(n) * scale)) < m or int(np.floor(n * float(scale))) < m:
        scale = np.nextafter(scale, np.float32(np.inf))
    return float(scale)


def _resize_unknown(at: Site, o: Any, x: Value, like: Value | None) -> Value:
    if o.scale is not None:
        return _resample(at, o, x, at.floats(1, 1, *o.scale))
    rank = len(at.out) - 2
    size = at.ints(*o.outputs[0][1:]) if is_symbolic(x.shape) and not is_symbolic(at.out) else None
    wanted: Value | Tensor = size or _spatial_sizes(at, like or x)
    if o.mode == "bilinear":
        # All sizes: with `axes` onnxruntime drops them where it moves a Transpose.
        first = at.emit_ints("Shape", x, count=rank + 2)
        first = at.emit_ints("Slice", first, at.ints(0), at.ints(2), count=2)
        every = at.emit_ints("Concat", first, wanted, count=rank + 2, axis=0)
        return _resample(at, o, x, None, every)
    own = _spatial_sizes(at, x)
    for axis in range(rank):
        if x.shape[axis + 2] != at.out[axis + 2]:
            n, m = (_item(at, sizes, axis) for sizes in (own, wanted))
            size_ = at.out[axis + 2]
            places = at.emit("Range", at.whole(0), m, at.whole(1), shape=(size_,), type_=INT64)
            places = at.emit("Mul", places, n, shape=(size_,), type_=INT64)
            places = at.emit("Div", places, m, shape=(size_,), type_=INT64)
            x = _picked(at, x, axis + 2, size_, places)
    return x


def _item(at: Site, numbers: Value | Tensor, index: int) -> Value | Tensor:
    """One of several whole numbers."""
    if isinstance(numbers, Tensor):
        assert numbers.value is not None
        return at.whole(int(numbers.value[index]))
    return at.emit("Gather", numbers, at.whole(index), shape=(), type_=INT64, axis=0)


def _pad(at: Site, o: Any, x: Value) -> Value:
    if not any(map(any, o.p)):
        return x
    sides = at.ints(*_sides(((0, 0), (0, 0), *o.p)))
    if o.mode == "constant":
        return at.emit("Pad", x, sides, *[at.number(o.value)] * (o.value != 0))
    return at.emit("Pad", x, sides, mode={"reflect": "reflect", "replicate": "edge"}[o.mode])


def _pad_channels(at: Site, o: Any, x: Value) -> Value:
    after = o.c - o.before - o.inputs[0][0]
    if not o.before and not after:
        return x
    rest = ((0, 0),) * (len(at.out) - 2)
    return at.emit("Pad", x, at.ints(*_sides(((0, 0), (o.before, after), *rest))))


def _shift(at: Site, o: Any, x: Value) -> Value:
    """A depthwise convolution that takes one number: one pass over the map."""
    if o.k == 1 or o.inputs[0][0] < o.k**o.rank:
        return x
    at.room(o.inputs[0][0] * o.k**o.rank)
    offsets = o.offsets()
    half = o.k // 2
    kernel = np.zeros((len(offsets), 1, *(o.k,) * o.rank))
    for channel, offset in enumerate(offsets):
        kernel[(channel, 0, *(half + step for step in offset))] = 1
    return at.emit(
        "Conv", x, at.array("offsets", kernel), kernel_shape=(o.k,) * o.rank,
        strides=(1,) * o.rank, pads=(half,) * (2 * o.rank), dilations=(1,) * o.rank,
        group=len(offsets),
    )  # fmt: skip


def _channel_shuffle(at: Site, o: Any, x: Value) -> Value:
    """Taking channels one by one copies each map once, and asks for no other shape."""
    channels, groups = o.inputs[0][0], o.groups
    if groups in (1, channels):
        return x
    at.room(channels)
    order = [i % groups * (channels // groups) + i // groups for i in range(channels)]
    return at.emit("Gather", x, at.ints(*order), axis=1)


def _pixel_shuffle(at: Site, o: Any, x: Value) -> Value:
    return x if o.factor == 1 else at.emit("DepthToSpace", x, blocksize=o.factor, mode="CRD")


def _split(at: Site, o: Any, x: Value) -> list[Value]:
    if len(o.sizes) == 1:
        return [x]
    # Even parts without their number (13 to 17) onnxruntime takes for any other even parts.
    even = len(set(o.sizes)) == 1 and at.opset >= 18
    inputs = (x,) if even else (x, at.ints(*o.sizes))
    attributes = {"axis": o.axis + 1, "num_outputs": len(o.sizes) if even else None}
    return at.emit_many("Split", inputs, at.sizes, attributes=attributes)


def _slice(at: Site, o: Any, x: Value) -> Value:
    if x.shape == at.out:
        return x
    axes = tuple(axis + 1 for axis in o.axis)
    steps = [o.step] * any(step != 1 for step in o.step)
    ends = (o.first, o.end)
    if any(isinstance(x.shape[axis], str) for axis in axes):
        ends = (o.start, tuple(LARGEST if stop is None else stop for stop in o.stop))
    return at.emit("Slice", x, *(at.ints(*each) for each in (*ends, axes, *steps)))


def _flatten(at: Site, o: Any, x: Value) -> Value:
    return x if len(x.shape) == 2 else at.emit("Flatten", x, axis=1)


def _permute(at: Site, o: Any, x: Value) -> Value:
    if o.axes == tuple(range(len(o.axes))):
        return x
    return at.emit("Transpose", x, perm=(0, *(axis + 1 for axis in o.axes)))


def _reshape(at: Site, o: Any, x: Value) -> Value:
    if x.shape == at.out:
        return x
    if len(at.out) == 2:
        return at.emit("Flatten", x, axis=1)
    return at.emit("Reshape", x, at.ints(0, *o.outputs[0]))


LOWERINGS: dict[str, Row] = {
    "conv": _conv,
    "conv_transpose": _conv_transpose,
    "linear": _linear,
    "bn": _bn,
    "layer_norm": _layer_norm,
    "group_norm": _group_norm,
    "lrn": _lrn,
    "scale": _scale,
    "relu": _plain("Relu"),
    "relu6": _relu6,
    "silu": _silu,
    "gelu": _gelu,
    "sigmoid": _plain("Sigmoid"),
    "tanh": _plain("Tanh"),
    "hard_swish": _hard_swish,
    "hard_sigmoid": _hard_sigmoid,
    "leaky_relu": lambda at, o, x: at.emit("LeakyRelu", x, alpha=o.slope),
    "prelu": lambda at, o, x: at.emit("PRelu", x, at.along("weight")),
    "elu": lambda at, o, x: at.emit("Elu", x, alpha=o.alpha),
    "mish": _mish,
    "softmax": lambda at, o, x: at.emit("Softmax", x, axis=o.axis + 1),
    "identity": _nothing,
    "dropout": _nothing,
    "drop_path": _nothing,
    "add": _pairwise("Add", 0),
    "sub": _pairwise("Sub", 0),
    "mul": _pairwise("Mul", 1),
    "concat": _concat,
    "matmul": _matmul,
    "max_pool": _max_pool,
    "avg_pool": _avg_pool,
    "global_pool": _global_pool,
    "resize": _resize,
    "pad": _pad,
    "pad_channels": _pad_channels,
    "shift": _shift,
    "channel_shuffle": _channel_shuffle,
    "pixel_shuffle": _pixel_shuffle,
    "split": _split,
    "slice": _slice,
    "flatten": _flatten,
    "permute": _permute,
    "reshape": _reshape,
}
