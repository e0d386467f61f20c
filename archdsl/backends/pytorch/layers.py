"""How each primitive is written in PyTorch: a layer in `__init__`, or an operator in `forward`.

Two tables, a row for each primitive. A row sees symbols and writes code; it decides nothing about
shapes.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, Protocol

from archdsl.backends.pytorch.code import Code, Invoke, Plain, plain
from archdsl.backends.pytorch.pieces import Piece
from archdsl.backends.pytorch.symbols import (
    PRODUCT,
    SUM,
    NotExpressible,
    Symbol,
    binary,
    is_constant,
    literal,
    python,
)
from archdsl.ops import Operation, Word
from archdsl.ops.initialisation import distribution


class Site(Protocol):
    """Where an operation stands: the same step in all uses of a block."""

    operations: list[Operation]
    inplace: bool

    @property
    def channels(self) -> Symbol:
        """The symbol of the input's channels."""

    def open(self, name: str) -> frozenset[str]:
        """The open parameters of the network that a parameter follows."""

    def settle(self, name: str) -> None:
        """Refuse to keep these open."""

    def argument(self, name: str) -> Symbol:
        """The symbol of a parameter's concrete value; a tuple where it differs by axis."""

    def items(self, name: str) -> list[str]:
        """The texts in `forward` of a parameter that is a tuple, item by item."""

    def helper(self, name: str) -> str:
        """Ask for a class that the module carries; gives its name."""


def first(site: Site) -> Any:
    """Any of the operations, for what is the same in all."""
    return site.operations[0]


def same(site: Site, name: str) -> Any:
    """A value that has to be the same in all uses."""
    site.settle(name)
    values = {getattr(operation, name) for operation in site.operations}
    if len(values) > 1:
        raise NotExpressible
    return values.pop()


def rank(site: Site) -> int:
    ranks = {operation.rank for operation in site.operations}
    if len(ranks) > 1:
        raise NotExpressible
    return ranks.pop()


def invoke(function: str, *places: Symbol | Plain | str, **named: Symbol | str | None) -> Invoke:
    """A call; keywords that are none are left out."""
    arguments = [("", _code(place)) for place in places]
    arguments += [(f"{k}=", _code(v)) for k, v in named.items() if v is not None]
    return Invoke(function, tuple(arguments))


def _code(value: Symbol | Plain | str) -> Code:
    if isinstance(value, Symbol):
        return plain(value)
    return Plain(value) if isinstance(value, str) else value


def unless(symbol: Symbol, default: Any) -> Symbol | None:
    """The symbol, or none where it is the default everywhere (in all axes)."""
    if symbol.open or not is_constant(symbol.values):
        return symbol
    value = next(iter(symbol.values.values()))
    items = value if isinstance(value, tuple) else (value,)
    return None if all(item == default for item in items) else symbol


# Convolutions and matrices


def _conv(site: Site) -> Invoke:
    dimensions = rank(site)
    kernel, stride, dilation = site.argument("k"), site.argument("s"), site.argument("d")
    function = f"nn.Conv{dimensions}d"
    padding: Symbol | str | None
    if all(operation.p == "same" for operation in site.operations):  # type: ignore[attr-defined]
        if any(item != 1 for operation in site.operations for item in operation.s):  # type: ignore[attr-defined]
            site.helper("same_pad")
            function, padding = site.helper(f"SameConv{dimensions}d"), None
        else:
            padding = '"same"'
    else:
        padding = _padding(site, kernel, dilation)
    bias = site.argument("bias")
    return invoke(
        function,
        site.channels,
        site.argument("c"),
        kernel,
        stride=unless(stride, 1),
        padding=padding,
        dilation=unless(dilation, 1),
        groups=unless(site.argument("groups"), 1),
        bias=unless(bias, True),
    )


def _padding(site: Site, kernel: Symbol, dilation: Symbol) -> Symbol | None:
    """Padding in numbers: constant, written in the spec, or half of the kernel's reach."""
    pads = site.argument("pads")
    if is_constant(pads.values) and not (kernel.open or dilation.open or site.open("p")):
        return unless(literal({f: even(v) for f, v in pads.values.items()}), 0)
    words = {operation.p for operation in site.operations if isinstance(operation.p, str)}  # type: ignore[attr-defined]
    if not words:
        return site.argument("p")
    if words != {"keep"}:
        raise NotExpressible
    two = literal({f: 2 for f in pads.values})
    values = {f: even(v) for f, v in pads.values.items()}
    kinds = {type(kernel.at(frame)) for frame in pads.values}
    if unless(dilation, 1) is None:
        if kinds == {int}:
            return binary("//", kernel, two, values)
        if kinds == {tuple}:
            sizes = range(rank(site))
            text = ", ".join(f"{kernel.text}[{i}] // 2" for i in sizes)
            return Symbol(values, f"({text}{',' * (len(sizes) == 1)})", names=kernel.names)
        raise NotExpressible
    reach = {f: (kernel.at(f), dilation.at(f)) for f in pads.values}
    if not all(isinstance(k, int) and isinstance(d, int) for k, d in reach.values()):
        raise NotExpressible
    if is_constant(kernel.values) and not kernel.open:
        half = (next(iter(kernel.values.values())) - 1) // 2
        if half == 1:
            return dilation
        return binary("*", literal({f: half for f in values}), dilation, values)
    one = literal({f: 1 for f in values})
    less = binary("-", kernel, one, {f: k - 1 for f, (k, _) in reach.items()})
    both = binary("*", dilation, less, {f: d * (k - 1) for f, (k, d) in reach.items()})
    return binary("//", both, two, values)


def even(pads: Any) -> Any:
    """Padding as PyTorch takes it: one number for both sides, a tuple where the axes differ."""
    if any(low != high for low, high in pads):
        raise NotExpressible
    lows = tuple(low for low, _ in pads)
    return lows[0] if len(set(lows)) == 1 else lows


def _conv_transpose(site: Site) -> Invoke:
    return invoke(
        f"nn.ConvTranspose{rank(site)}d",
        site.channels,
        site.argument("c"),
        site.argument("k"),
        stride=unless(site.argument("s"), 1),
        padding=unless(site.argument("p"), 0),
        output_padding=unless(site.argument("out_pad"), 0),
        groups=unless(site.argument("groups"), 1),
        bias=unless(site.argument("bias"), True),
        dilation=unless(site.argument("d"), 1),
    )


def _linear(site: Site) -> Invoke:
    bias = unless(site.argument("bias"), True)
    return invoke("nn.Linear", site.channels, site.argument("c"), bias=bias)


# Normalisation


def _bn(site: Site) -> Invoke:
    return invoke(
        f"nn.BatchNorm{max(rank(site), 1)}d",
        site.channels,
        eps=unless(site.argument("eps"), 1e-5),
        momentum=unless(site.argument("momentum"), 0.1),
        affine=unless(site.argument("affine"), True),
    )


def _layer_norm(site: Site) -> Invoke:
    return invoke(
        "nn.LayerNorm" if rank(site) == 0 else site.helper("ChannelNorm"),
        site.channels,
        eps=unless(site.argument("eps"), 1e-5),
        elementwise_affine=unless(site.argument("affine"), True),
    )


def _group_norm(site: Site) -> Invoke:
    return invoke(
        "nn.GroupNorm",
        site.argument("groups"),
        site.channels,
        eps=unless(site.argument("eps"), 1e-5),
        affine=unless(site.argument("affine"), True),
    )


def _lrn(site: Site) -> Invoke:
    return invoke(
        site.helper("LocalResponseNorm") if rank(site) == 3 else "nn.LocalResponseNorm",
        site.argument("size"),
        alpha=unless(site.argument("alpha"), 1e-4),
        beta=unless(site.argument("beta"), 0.75),
        k=unless(site.argument("k"), 1),
    )


def _scale(site: Site) -> Invoke:
    size: Symbol | str = "1" if same(site, "per") == "number" else site.channels
    begin = _beginning(same(site, "init"))
    return invoke(site.helper("Scale"), size, *([python(begin)] if begin != 1 else []))


def _beginning(scheme: Word) -> float:
    """The constant that a vector begins with; what is drawn instead is drawn later."""
    drawn = distribution(scheme, (1,))
    return float(drawn.arguments[0]) if drawn.name == "constant" else 1.0  # type: ignore[arg-type]


# Activations


def _activation(name: str, can_replace: bool = True) -> Callable[[Site], Invoke]:
    def write(site: Site) -> Invoke:
        return invoke(f"nn.{name}", inplace="True" if can_replace and site.inplace else None)

    return write


def _gelu(site: Site) -> Invoke:
    return invoke("nn.GELU", approximate='"tanh"' if same(site, "approximate") else None)


def _leaky_relu(site: Site) -> Invoke:
    slope = unless(site.argument("slope"), 0.01)
    return invoke("nn.LeakyReLU", *([slope] if slope else []), inplace=_in_place(site, "slope"))


def _elu(site: Site) -> Invoke:
    alpha = unless(site.argument("alpha"), 1)
    return invoke("nn.ELU", *([alpha] if alpha else []), inplace=_in_place(site, "alpha"))


def _in_place(site: Site, factor: str) -> str | None:
    """With a factor below 0 the gradient cannot be told from what the layer gives."""
    rises = all(getattr(operation, factor) >= 0 for operation in site.operations)
    return "True" if site.inplace and rises else None


def _prelu(site: Site) -> Invoke:
    begin = _beginning(same(site, "init"))
    size = [] if same(site, "shared") else [site.channels]
    return invoke("nn.PReLU", *size, init=None if begin == 0.25 else python(begin))


def _softmax(site: Site) -> Invoke:
    return invoke("nn.Softmax", python(same(site, "axis") + 1))


# Pooling


def _max_pool(site: Site) -> Invoke:
    return _pool(site, "Max", dilation=unless(site.argument("d"), 1))


def _avg_pool(site: Site) -> Invoke:
    if first(site).out is not None:
        return invoke(f"nn.AdaptiveAvgPool{rank(site)}d", site.argument("out"))
    is_padded = any(map(_may_pad, site.operations)) or bool(site.open("p"))
    counts = same(site, "count_include_pad") or not (is_padded or same(site, "ceil"))
    return _pool(site, "Avg", count_include_pad=None if counts else "False")


def _may_pad(operation: Any) -> bool:
    """Whether there is padding at some size of the map, not only at that of the spec."""
    if operation.p == "same":
        return any(k > 1 for k in operation.k)
    return any(map(any, operation.pads))


def _pool(site: Site, kind: str, **more: Symbol | str | None) -> Invoke:
    dimensions = rank(site)
    kernel, stride = site.argument("k"), site.argument("s")
    if all(operation.p == "same" for operation in site.operations):  # type: ignore[attr-defined]
        # It leaves no window hanging over the end, so `ceil` changes nothing.
        site.helper("same_pad")
        return invoke(site.helper(f"Same{kind}Pool{dimensions}d"), kernel, stride, **more)
    dilation = more.get("dilation")
    if not isinstance(dilation, Symbol):
        dilation = literal({f: 1 for f in kernel.values})
    padding = _padding(site, kernel, dilation)
    border: list[Plain] = []
    if any(2 * n > k for o in site.operations for (n, _), k in zip(o.pads, o.k)):  # type: ignore[attr-defined]
        if padding is None or padding.names:
            raise NotExpressible
        if same(site, "ceil"):
            return invoke(
                site.helper(f"Padded{kind}Pool{dimensions}d"), kernel, stride, padding, **more
            )
        pads = padding.at(next(iter(padding.values)))
        if isinstance(pads, tuple):
            pads = tuple(n for n in reversed(pads) for _ in range(2))
        # PyTorch's own padding is at most half of the kernel.
        border = [Plain(f'nn.ConstantPad{dimensions}d({python(pads)}, -float("inf"))')]
        padding = None
    function = f"nn.{kind}Pool{dimensions}d"
    if function == "nn.AvgPool3d" and (same(site, "ceil") or any(map(_may_pad, site.operations))):
        function = site.helper("AvgPool")
    pool = invoke(
        function,
        kernel,
        stride=None if stride.text == kernel.text else stride,
        padding=padding,
        ceil_mode="True" if same(site, "ceil") else None,
        **more,
    )
    return Invoke("nn.Sequential", (("", border[0]), ("", pool))) if border else pool


def _global_pool(site: Site) -> Invoke:
    mode = {"avg": "Avg", "max": "Max"}[same(site, "mode")]
    return invoke(f"nn.Adaptive{mode}Pool{rank(site)}d", "1")


# Layout


def _resize_layer(site: Site) -> Invoke:
    operation = first(site)
    if operation.size is None and operation.scale is None:
        raise NotExpressible
    if same(site, "mode") == "nearest" and not _is_exact(site):
        for name in ("_nearest", "_nearest_scaled"):
            site.helper(name)
        title = "Nearest" if operation.scale is None else "NearestScaled"
        return invoke(site.helper(title), _nearest_target(site))
    return invoke("nn.Upsample", **_resize_options(site))


def _is_exact(site: Site) -> bool:
    """Whether PyTorch's nearest pixel is floor(i * n / m) at every size.

    It is floor(i * f), where f is 1 / scale or n / m in float32, in float64 for a map of those. For
    a whole scale that is right at every i, if scale * f rounds to 1.
    """
    scales = same(site, "scale")
    return scales is not None and all(
        scale == int(scale) and 1 / scale * scale == 1 and _single(_single(1 / scale) * scale) == 1
        for scale in scales
    )


def _single(number: float) -> float:
    """The float32 next to a number."""
    (found,) = struct.unpack("f", struct.pack("f", number))
    return float(found)


def _nearest_target(site: Site) -> Plain:
    """The size or the factors as a list with a number for each axis."""
    name = "size" if same(site, "scale") is None else "scale"
    if name == "scale":
        return Plain(python([float(scale) for scale in same(site, "scale")]))
    symbol = site.argument("size")
    kinds = {isinstance(value, tuple) for value in symbol.values.values()}
    if symbol.names:
        text = f"list({symbol.text})" if kinds == {True} else f"[{symbol.text}] * {rank(site)}"
    else:
        text = python([*same(site, "size")])
    return Plain(text, symbol.names)


def _resize_options(site: Site) -> dict[str, Symbol | str | None]:
    operation = first(site)
    options: dict[str, Symbol | str | None] = {}
    if operation.size is not None:
        options["size"] = site.argument("size")
    elif operation.scale is not None:
        scales = tuple(float(scale) for scale in same(site, "scale"))
        options["scale_factor"] = python(scales[0] if len(set(scales)) == 1 else scales)
        if any(scale != int(scale) for scale in scales):
            options["recompute_scale_factor"] = "True"
    mode = same(site, "mode")
    if mode == "bilinear":
        mode = {1: "linear", 2: "bilinear", 3: "trilinear"}[rank(site)]
    if mode != "nearest":
        options["mode"] = f'"{mode}"'
    if same(site, "align_corners"):
        options["align_corners"] = "True"
    return options


def _pad(site: Site) -> Invoke:
    border = tuple(n for pair in reversed(same(site, "p")) for n in pair)
    written = python(border[0] if len(set(border)) == 1 else border)
    mode, value = same(site, "mode"), same(site, "value")
    if mode == "constant" and value:
        return invoke(f"nn.ConstantPad{rank(site)}d", written, python(value))
    name = {"constant": "Zero", "reflect": "Reflection", "replicate": "Replication"}[mode]
    return invoke(f"nn.{name}Pad{rank(site)}d", written)


def _shift(site: Site) -> Invoke:
    return invoke(site.helper(f"Shift{rank(site)}d"), site.channels, site.argument("k"))


def _reshape_layer(site: Site) -> Invoke:
    shape, rest = same(site, "shape"), same(site, "rest")
    sizes = tuple(-1 if i == rest else size for i, size in enumerate(shape))
    return invoke("nn.Sequential", "nn.Flatten()", f"nn.Unflatten(1, {python(sizes)})")


def _permute_layer(site: Site) -> Invoke:
    return invoke(site.helper("Permute"), python(list(_batch_first(same(site, "axes")))))


def _slice_layer(site: Site) -> Invoke:
    cut = zip(*(same(site, name) for name in ("start", "stop", "axis", "step")), strict=True)
    layers = [
        (python(start), python(stop), f"axis={axis + 1}", *[f"step={step}"] * (step != 1))
        for start, stop, axis, step in cut
    ]
    slice_ = site.helper("Slice")
    if len(layers) == 1:
        return invoke(slice_, *layers[0])
    return invoke("nn.Sequential", *(f"{slice_}({', '.join(each)})" for each in layers))


def _pad_channels_layer(site: Site) -> Invoke:
    return invoke(site.helper("PadChannels"), *map(python, _channel_pad(site)))


def _channel_shuffle(site: Site) -> Invoke:
    groups = site.argument("groups")
    if rank(site) > 0:
        return invoke("nn.ChannelShuffle", groups)
    swap = f"{site.helper('Permute')}([0, 2, 1])"
    parts = Plain(f"nn.Unflatten(1, ({groups.text}, -1))", groups.names)
    return invoke("nn.Sequential", parts, swap, "nn.Flatten()")


def _affine(site: Site) -> Invoke:
    """Arithmetic with a number where a layer is wanted: `act=mul(number=2)`."""
    number = same(site, "number")
    if first(site).name == "mul":
        return invoke(site.helper("Affine"), python(number))
    factor, offset = 1.0, number
    if first(site).name == "sub":
        factor, offset = (-1.0, number) if same(site, "reverse") else (1.0, -number)
    return invoke(site.helper("Affine"), python(factor), python(offset))


def _simple(function: str, *names: str) -> Callable[[Site], Invoke]:
    """A layer that takes some parameters by place."""
    return lambda site: invoke(function, *(site.argument(name) for name in names))


LAYERS: dict[str, Callable[[Site], Invoke]] = {
    "conv": _conv,
    "conv_transpose": _conv_transpose,
    "linear": _linear,
    "bn": _bn,
    "layer_norm": _layer_norm,
    "group_norm": _group_norm,
    "lrn": _lrn,
    "scale": _scale,
    "relu": _activation("ReLU"),
    "relu6": _activation("ReLU6"),
    "silu": _activation("SiLU"),
    "gelu": _gelu,
    "sigmoid": _activation("Sigmoid", False),
    "tanh": _activation("Tanh", False),
    "hard_swish": _activation("Hardswish"),
    "hard_sigmoid": _activation("Hardsigmoid"),
    "leaky_relu": _leaky_relu,
    "prelu": _prelu,
    "elu": _elu,
    "mish": _activation("Mish"),
    "softmax": _softmax,
    "identity": _simple("nn.Identity"),
    "concat": _simple("nn.Identity"),  # of one tensor
    "add": _affine,
    "sub": _affine,
    "mul": _affine,
    "max_pool": _max_pool,
    "avg_pool": _avg_pool,
    "global_pool": _global_pool,
    "resize": _resize_layer,
    "pad": _pad,
    "pad_channels": _pad_channels_layer,
    "shift": _shift,
    "slice": _slice_layer,
    "channel_shuffle": _channel_shuffle,
    "pixel_shuffle": _simple("nn.PixelShuffle", "factor"),
    "flatten": _simple("nn.Flatten"),
    "permute": _permute_layer,
    "reshape": _reshape_layer,
    "dropout": _simple("nn.Dropout", "rate"),
    "drop_path": lambda site: invoke(site.helper("DropPath"), site.argument("rate")),
}
"""Layers: what stands in `__init__`."""


# Operators


def _arithmetic(sign: str, level: int) -> Callable[[Site, list[Piece]], Piece]:
    def write(site: Site, operands: list[Piece]) -> Piece:
        typed = all(operand.typed for operand in operands)
        is_reverse = sign == "-" and same(site, "reverse")
        if len(operands) == 2:
            first, second = operands[::-1] if is_reverse else operands
            if sign == "+" and site.inplace and first.is_call:
                # The sum takes the memory of what a layer gave: 2 % of a ResNet's time.
                return Piece(first, ".add_(", second, ")", typed=first.typed)
            left, right = first.wrapped(level), second.wrapped(level + 1)
            return Piece(left, f" {sign} ", right, level=level, typed=typed)
        number = same(site, "number")
        number = int(number) if number == int(number) else number
        if is_reverse:
            right = operands[0].wrapped(level + 1)
            return Piece(f"{python(number)} - ", right, level=level, typed=typed)
        if sign == "*" and number == -1:
            return Piece("-", operands[0].wrapped(level + 1), level=level, typed=typed)
        left = operands[0].wrapped(level)
        text = python(number) if number >= 0 else f"({python(number)})"
        return Piece(left, f" {sign} {text}", level=level, typed=typed)

    return write


def _concat(site: Site, operands: list[Piece]) -> Piece:
    axis = same(site, "axis") + 1
    lists = [piece for piece in operands if piece.many]
    if len(operands) == 1 and not lists:
        return operands[0]
    if lists and len(operands) == 1:
        return Piece("torch.cat(", operands[0], f", {axis})", typed=True)
    operands = [as_list(piece) for piece in operands]
    lists = [piece for piece in operands if piece.many]
    parts: list[str | Piece] = ["torch.cat("]
    opened = False
    for i, piece in enumerate(operands):
        is_list = piece in lists
        if i:
            parts.append(", " if opened and not is_list else "")
        if is_list:
            parts.append("] + " if opened else " + " if i else "")
            parts.append(piece)
            opened = False
        else:
            parts += [piece] if opened else [" + [" if i else "[", piece]
            opened = True
    parts.append(f"], {axis})" if opened else f", {axis})")
    return Piece(*parts, typed=True)


def _matmul(site: Site, operands: list[Piece]) -> Piece:
    left, right = operands[0].wrapped(PRODUCT), operands[1].wrapped(PRODUCT + 1)
    typed = operands[0].typed and operands[1].typed
    return Piece(left, " @ ", right, level=PRODUCT, typed=typed)


def _split(site: Site, operands: list[Piece]) -> Piece:
    axis = same(site, "axis") + 1
    x = operands[0]
    parts = {operation.sizes for operation in site.operations}  # type: ignore[attr-defined]
    if site.open("sizes"):
        sizes = ", ".join(site.items("sizes"))
        return Piece("torch.split(", x, f", [{sizes}], {axis})", many="tuple")
    if all(len(set(sizes)) == 1 for sizes in parts):
        count = site.argument("count")
        if x.typed:
            return Piece(x.wrapped(9), f".chunk({count.text}, {axis})", typed=True, many="tuple")
        return Piece("torch.chunk(", x, f", {count.text}, {axis})", typed=True, many="tuple")
    sizes = python(list(same(site, "sizes")))
    return Piece("torch.split(", x, f", {sizes}, {axis})", typed=True, many="tuple")


def as_list(piece: Piece) -> Piece:
    """What a split gives as a list, which it is in TorchScript alone."""
    return Piece("list(", piece, ")", typed=True, many="list") if piece.many == "tuple" else piece


def _slice(site: Site, operands: list[Piece]) -> Piece:
    axes = same(site, "axis")
    one = len(axes) == 1
    starts, stops = ([site.argument(n).text] if one else site.items(n) for n in ("start", "stop"))
    places = [":"] * (max(axes) + 1)
    for index, (axis, step) in enumerate(zip(axes, same(site, "step"), strict=True)):
        start, stop = starts[index], stops[index]
        ends = ["" if start == "0" else start, "" if _to_the_end(site, index) else stop]
        ends += [str(step)] * (step != 1)
        # Formatters give room to a colon between more than names and numbers.
        colon = ":" if all(text.lstrip("-").isalnum() for text in ends if text) else " : "
        places[axis] = colon.join(ends).strip().replace("  ", " ")
    inside = ", ".join([":", *places])
    return Piece(operands[0].wrapped(9), f"[{inside}]", typed=operands[0].typed)


def _to_the_end(site: Site, index: int) -> bool:
    """Whether an axis is cut at the front only. There are as many channels at every size."""
    operations: list[Any] = site.operations
    if operations[0].axis[index] == 0:
        return all(o.end[index] == o.inputs[0][0] for o in operations)
    return all(o.stop[index] is None for o in operations)


def _resize(site: Site, operands: list[Piece]) -> Piece:
    if same(site, "mode") == "nearest" and not _is_exact(site):
        return _resize_nearest(site, operands)
    options = _resize_options(site)
    text = ", ".join(f"{k}={v.text if isinstance(v, Symbol) else v}" for k, v in options.items())
    if len(operands) == 2:
        size = Piece("size=", operands[1].wrapped(9), ".shape[2:]", ", " if text else "")
        return Piece("nn.functional.interpolate(", operands[0], ", ", size, f"{text})", typed=True)
    return Piece("nn.functional.interpolate(", operands[0], f", {text})", typed=True)


def _resize_nearest(site: Site, operands: list[Piece]) -> Piece:
    function = site.helper("_nearest")
    if len(operands) == 2:
        like = operands[1].wrapped(9)
        return Piece(f"{function}(", operands[0], ", list(", like, ".shape[2:]))", typed=True)
    if first(site).scale is not None:
        function = site.helper("_nearest_scaled")
    return Piece(f"{function}(", operands[0], f", {_nearest_target(site).text})", typed=True)


def _batch_first(axes: tuple[int, ...]) -> tuple[int, ...]:
    return (0, *(axis + 1 for axis in axes))


def _permute(site: Site, operands: list[Piece]) -> Piece:
    axes = ", ".join(map(str, _batch_first(same(site, "axes"))))
    return Piece(operands[0].wrapped(9), f".permute({axes})", typed=operands[0].typed)


def _reshape(site: Site, operands: list[Piece]) -> Piece:
    # The batch stays out of it: a map of another size must not become more samples.
    sizes, flat = site.items("shape"), Piece(operands[0].wrapped(9), ".flatten(1)")
    if len(sizes) == 1:
        return Piece(flat, typed=operands[0].typed)
    return Piece("torch.unflatten(", flat, f", 1, [{', '.join(sizes)}])", typed=True)


def _channel_pad(site: Site) -> tuple[int, int]:
    """How many channels are added in front and at the end."""
    pads = set()
    site.settle("c")
    site.settle("before")
    for operation in site.operations:
        before = operation.before  # type: ignore[attr-defined]
        pads.add((before, operation.outputs[0][0] - operation.inputs[0][0] - before))
    if len(pads) > 1:
        raise NotExpressible
    return pads.pop()


def _pad_channels(site: Site, operands: list[Piece]) -> Piece:
    border = python((*(0,) * (2 * rank(site)), *_channel_pad(site)))
    return Piece("nn.functional.pad(", operands[0], f", {border})", typed=True)


OPERATORS: dict[str, Callable[[Site, list[Piece]], Piece]] = {
    "add": _arithmetic("+", SUM),
    "sub": _arithmetic("-", SUM),
    "mul": _arithmetic("*", PRODUCT),
    "concat": _concat,
    "matmul": _matmul,
    "split": _split,
    "slice": _slice,
    "resize": _resize,
    "permute": _permute,
    "reshape": _reshape,
    "pad_channels": _pad_channels,
}
"""Operators: what stands in `forward`."""
