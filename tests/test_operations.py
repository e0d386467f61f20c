"""Each operation against PyTorch: shapes, weights, and what is refused with which words."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import product
from math import sqrt
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from archdsl.diagnostics import diagnostic as diagnostics
from archdsl.diagnostics import errors
from archdsl.ops import OPERATIONS, WORDS, Operation, Shape, Word
from archdsl.ops.base import REQUIRED
from archdsl.ops.initialisation import BIAS_INIT, INIT, SCHEMES, VECTOR_INIT, distribution

Reference = nn.Module | Callable[..., Any]

V: tuple[Shape, ...] = ((12,),)
L: tuple[Shape, ...] = ((12, 17),)
M: tuple[Shape, ...] = ((12, 15, 10),)
D: tuple[Shape, ...] = ((12, 9, 8, 7),)
MAPS = (L, M, D)

CONVS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
TRANSPOSES = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
MAX_POOLS = (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d)
AVG_POOLS = (nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d)
ADAPTIVE = (nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d)
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
W = Word


def make(name: str, inputs: tuple[Shape, ...], **arguments: Any) -> Any:
    return OPERATIONS[name](inputs, arguments)


def same_then(layer: nn.Module, k: int, s: int, d: int = 1, fill: float = 0) -> Reference:
    """A layer behind TensorFlow's SAME padding, as TensorFlow's documentation states it."""

    def run(x: Tensor) -> Tensor:
        borders: list[int] = []
        for n in reversed(x.shape[2:]):
            reach = d * (k - 1) + 1
            total = max(reach - s, 0) if n % s == 0 else max(reach - n % s, 0)
            borders += [total // 2, total - total // 2]
        result: Tensor = layer(F.pad(x, borders, value=fill))
        assert result.shape[2:] == tuple(-(-n // s) for n in x.shape[2:])
        return result

    return run


class ChannelNorm(nn.LayerNorm):
    """Layer normalisation of the channels of a map."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)


class Scaled(nn.Module):
    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(*shape))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weight.view(-1, *(1,) * (x.ndim - 2))


CASES: list[tuple[str, tuple[Shape, ...], dict[str, Any], Reference]] = []


def case(name: str, inputs: tuple[Shape, ...], reference: Reference, **arguments: Any) -> None:
    CASES.append((name, inputs, arguments, reference))


for maps, conv, transpose in zip(MAPS, CONVS, TRANSPOSES, strict=True):
    for k, s, p, d in ((1, 1, 0, 1), (3, 1, 1, 1), (3, 2, 1, 1), (5, 3, 0, 1), (2, 2, 0, 1)):
        case("conv", maps, conv(12, 7, k, s, p, d, bias=False), c=7, k=k, s=s, p=p, d=d)
    case("conv", maps, conv(12, 8, 3, 2, 2, 2, 4), c=8, k=3, s=2, d=2, groups=4, bias=True)
    case("conv", maps, conv(12, 12, 3, padding=1, groups=12, bias=False), c=12, k=3, groups=12)
    case("conv", maps, conv(12, 5, 3, bias=False), c=5, k=3, p=W("valid"))
    case("conv", maps, conv(12, 5, 1, bias=False), c=5)
    case("conv", maps, conv(12, 5, 4, padding=3, dilation=2, bias=False), c=5, k=4, d=2)
    for k, s, d in product((1, 2, 3, 4), (1, 2, 3), (1, 2)):
        layer = conv(12, 6, k, s, dilation=d, bias=False)
        case("conv", maps, same_then(layer, k, s, d), c=6, k=k, s=s, d=d, p=W("same"))
    for k, s, p, more, d in ((3, 2, 1, 1, 1), (2, 2, 0, 0, 1), (4, 2, 1, 0, 1), (3, 1, 0, 2, 3)):
        layer = transpose(12, 6, k, s, p, more, 3, False, d)
        case("conv_transpose", maps, layer, c=6, k=k, s=s, p=p, out_pad=more, d=d, groups=3)
    case("conv_transpose", maps, transpose(12, 5, 2), c=5, k=2, bias=True)
layer = nn.Conv2d(12, 7, (1, 7), (2, 1), (0, 3), (1, 1))
case("conv", M, layer, c=7, k=(1, 7), s=(2, 1), bias=True)
case("conv", M, nn.Conv2d(12, 7, (3, 2), 1, (4, 0)), c=7, k=(3, 2), p=(4, 0), bias=True)
layer = nn.ConvTranspose2d(12, 5, (3, 4), (2, 3), (1, 0), (1, 2), bias=False)
case("conv_transpose", M, layer, c=5, k=(3, 4), s=(2, 3), p=(1, 0), out_pad=(1, 2))
case("linear", V, nn.Linear(12, 7), c=7)
case("linear", V, nn.Linear(12, 7, bias=False), c=7, bias=False)

for shapes, norm in zip((V, *MAPS), (nn.BatchNorm1d, *NORMS), strict=True):
    case("bn", shapes, norm(12))
    case("bn", shapes, norm(12, affine=False), affine=False)
    case("layer_norm", shapes, ChannelNorm(12))
    case("group_norm", shapes, nn.GroupNorm(4, 12), groups=4)
    case("group_norm", shapes, nn.GroupNorm(4, 12, affine=False), groups=4, affine=False)
    case("scale", shapes, Scaled(12))
    case("scale", shapes, Scaled(1), per=W("number"))
    case("prelu", shapes, nn.PReLU(12))
    case("prelu", shapes, nn.PReLU(), shared=True)
    for name, module in {
        "relu": nn.ReLU(),
        "relu6": nn.ReLU6(),
        "silu": nn.SiLU(),
        "gelu": nn.GELU(),
        "sigmoid": nn.Sigmoid(),
        "tanh": nn.Tanh(),
        "hard_swish": nn.Hardswish(),
        "hard_sigmoid": nn.Hardsigmoid(),
        "leaky_relu": nn.LeakyReLU(),
        "elu": nn.ELU(),
        "mish": nn.Mish(),
        "softmax": nn.Softmax(1),
        "dropout": nn.Dropout(),
        "drop_path": nn.Identity(),
        "identity": nn.Identity(),
        "flatten": nn.Flatten(),
    }.items():
        case(name, shapes, module)
    case("gelu", shapes, nn.GELU("tanh"), approximate=True)
    case("softmax", shapes, nn.Softmax(-1), axis=-1)
    case("leaky_relu", shapes, nn.LeakyReLU(0.2), slope=0.2)
    case("dropout", shapes, nn.Dropout(1.0), rate=1)
    case("drop_path", shapes, nn.Identity(), rate=0.2)

    (x,) = shapes
    ones = (12, *(1,) * (len(x) - 1))
    for name, function in {"add": torch.add, "sub": torch.sub, "mul": torch.mul}.items():
        case(name, (x, x), function)
        case(name, (x, ones), function)
        case(name, ((1, *x[1:]), ones), function)
        case(name, shapes, lambda a, f=function: f(a, 3), number=3)
    case("sub", shapes, lambda a: 1 - a, number=1, reverse=True)
    case("concat", (x, (5, *x[1:]), x), lambda *xs: torch.cat(xs, 1))
    case("concat", shapes, lambda *xs: torch.cat(xs, 1))
    case("concat", ((*x[:-1], 3), x), lambda *xs: torch.cat(xs, -1), axis=-1)
    case("split", shapes, lambda a: a.chunk(4, 1), sizes=4)
    case("split", shapes, lambda a: a.chunk(1, 1), sizes=1)
    case("split", shapes, lambda a: a.split([3, 8, 1], 1), sizes=[3, 8, 1])
    case("slice", shapes, lambda a: a[:, 2:9], start=2, stop=9)
    case("slice", shapes, lambda a: a[:, -5::2], start=-5, step=2)
    case("slice", shapes, lambda a: a[..., 1:-1], start=1, stop=-1, axis=-1)
    case("slice", shapes, lambda a: a[..., :100:3], start=0, stop=100, axis=-1, step=3)
    if shapes is not V:
        both = {"start": (1, 0), "stop": (None, -1), "axis": (-1, 0), "step": (2, 3)}
        case("slice", shapes, lambda a: a[:, :-1:3, ..., 1::2], **both)
        case("slice", shapes, lambda a: a[:, ::2, ..., ::2], axis=(0, -1), step=2)
    case(
        "pad_channels",
        shapes,
        lambda a: torch.cat([torch.zeros_like(a)[:, :3], a, torch.zeros_like(a)[:, :5]], 1),
        c=20,
        before=3,
    )
    case("reshape", shapes, lambda a: a.reshape(len(a), -1), shape=-1)
    case("reshape", shapes, lambda a: a.reshape(len(a), 4, -1, 3), shape=(4, -1, 3))
    order = tuple(range(len(x)))[::-1]
    case("permute", shapes, lambda a, o=order: a.permute(0, *(i + 1 for i in o)), axes=order)

for maps, rank, max_pool, avg_pool, adaptive in zip(
    MAPS, (1, 2, 3), MAX_POOLS, AVG_POOLS, ADAPTIVE, strict=True
):
    case("lrn", maps, nn.LocalResponseNorm(5))
    windows = product((1, 2, 3, 4), (None, 1, 2, 3), (0, 1), (False, True))
    for k, s, p, ceil in windows:
        if 2 * p > k:
            continue
        pool = max_pool(k, s, p, ceil_mode=ceil)
        case("max_pool", maps, pool, k=k, s=s, p=p, ceil=ceil)
        pool = avg_pool(k, s, p, ceil, False)
        case("avg_pool", maps, pool, k=k, s=s, p=p, ceil=ceil, count_include_pad=False)
    case("max_pool", maps, max_pool(3, 2, 1, 2), k=3, s=2, p=1, d=2)
    case("max_pool", maps, nn.Identity(), k=3, s=1, d=2, p=W("keep"))
    case("max_pool", maps, same_then(max_pool(2, 1), 2, 1, 1, -1e9), k=2, s=1, p=W("same"))
    case("avg_pool", maps, same_then(avg_pool(3, 2), 3, 2), k=3, s=2, p=W("same"))
    case("avg_pool", maps, avg_pool(3, 2), k=3, s=2, p=W("valid"))
    for out in (1, 3, 20):
        case("avg_pool", maps, adaptive(out), out=out)
    case("global_pool", maps, adaptive(1))
    case("global_pool", maps, lambda a: a.amax(tuple(range(2, a.ndim)), True), mode=W("max"))
    linear = ("linear", "bilinear", "trilinear")[rank - 1]
    like = (5, *(19, 4, 30)[:rank])
    case("resize", (*maps, like), lambda a, b: F.interpolate(a, b.shape[2:]))
    case("resize", maps, lambda a: F.interpolate(a, 6), size=6)
    case("resize", maps, lambda a: F.interpolate(a, scale_factor=0.3), scale=0.3)
    case("resize", maps, lambda a: F.interpolate(a, scale_factor=1.7), scale=1.7)
    case(
        "resize",
        maps,
        lambda a, m=linear: F.interpolate(a, 11, mode=m, align_corners=True),
        size=11,
        mode=W("bilinear"),
        align_corners=True,
    )
    case("resize", maps, lambda a: F.interpolate(a, 4, mode="area"), size=4, mode=W("area"))
    case("pad", maps, lambda a, r=rank: F.pad(a, (2,) * 2 * r), p=2)
    case("pad", maps, lambda a, r=rank: F.pad(a, (2,) * 2 * r, "reflect"), p=2, mode=W("reflect"))
    case("pad", maps, lambda a, r=rank: F.pad(a, (0, 9) * r, "replicate"),
         p=((0, 9),) * rank, mode=W("replicate"))  # fmt: skip
    case("shift", maps, nn.Identity())
    case("channel_shuffle", maps, nn.ChannelShuffle(3), groups=3)
case("pad", L, lambda a: F.pad(a, (1, 4), value=3), p=(1, 4), value=3)
case("pad", M, lambda a: F.pad(a, (3, 3, 1, 0)), p=((1, 0), 3))
case("max_pool", M, nn.MaxPool2d((3, 2), (2, 1), (1, 0)), k=(3, 2), s=(2, 1), p=(1, 0))
case("resize", M, lambda a: F.interpolate(a, scale_factor=(2.0, 0.5)), scale=(2, 0.5))
case("matmul", ((5, 12), (12, 3)), torch.matmul)
case("matmul", ((4, 5, 12), (4, 12, 3)), torch.matmul)
case("pixel_shuffle", M, nn.PixelShuffle(2), factor=2)
case("group_norm", M, nn.GroupNorm(1, 12), groups=1)
case("split", M, lambda a: a.split([4, 6], 3), sizes=(4, 6), axis=2)
case("relu", ((3, 4, 9, 8, 7),), nn.ReLU())


def case_name(row: tuple[str, tuple[Shape, ...], dict[str, Any], Reference]) -> str:
    name, inputs, arguments, _ = row
    return f"{name}{inputs}{','.join(f'{k}={v}' for k, v in arguments.items())}".replace(" ", "")


@pytest.mark.parametrize("row", CASES, ids=case_name)
def test_shapes_and_weights_are_those_of_torch(
    row: tuple[str, tuple[Shape, ...], dict[str, Any], Reference],
) -> None:
    name, inputs, arguments, reference = row
    operation = make(name, inputs, **arguments)
    with torch.no_grad():
        result = reference(*(torch.zeros(2, *shape) for shape in inputs))
    results = result if isinstance(result, list | tuple) else [result]
    assert operation.outputs == tuple(tuple(r.shape[1:]) for r in results)
    if isinstance(reference, nn.Module):
        state = {key: tuple(value.shape) for key, value in reference.state_dict().items()}
        assert {w.name: w.shape for w in operation.weights} == state
        assert [w.name for w in operation.weights] == list(state)
        trainable = [key for key, _ in reference.named_parameters()]
        assert [w.name for w in operation.weights if w.trainable] == trainable
        assert operation.parameter_count == sum(p.numel() for p in reference.parameters())


def test_every_operation_is_compared_with_torch() -> None:
    assert {row[0] for row in CASES} == set(OPERATIONS)


@settings(deadline=None, max_examples=150)
@given(
    rank=st.integers(1, 3),
    sizes=st.tuples(*[st.integers(1, 12)] * 3),
    k=st.tuples(*[st.integers(1, 5)] * 3),
    s=st.tuples(*[st.integers(1, 4)] * 3),
    p=st.tuples(*[st.integers(0, 3)] * 3),
    d=st.tuples(*[st.integers(1, 7)] * 3),
    ceil=st.booleans(),
)
def test_windows_slide_as_in_torch(
    rank: int,
    sizes: tuple[int, ...],
    k: tuple[int, ...],
    s: tuple[int, ...],
    p: tuple[int, ...],
    d: tuple[int, ...],
    ceil: bool,
) -> None:
    shape = (2, *sizes[:rank])
    values = [value[:rank] for value in (k, s, p, d)]
    named: dict[str, Any] = dict(zip("kspd", values, strict=True))
    x = torch.zeros(1, *shape)
    conv = CONVS[rank - 1](2, 3, *values)
    _same_or_both_refuse("conv", shape, {**named, "c": 3}, lambda: conv(x))
    pool = MAX_POOLS[rank - 1](*values, False, ceil)
    _same_or_both_refuse("max_pool", shape, {**named, "ceil": ceil}, lambda: pool(x))


@settings(deadline=None, max_examples=300)
@given(
    n=st.integers(1, 9), k=st.integers(1, 4), s=st.integers(1, 4), d=st.integers(1, 12),
    p=st.sampled_from(("keep", "same")),
)  # fmt: skip
def test_windows_of_padding_alone_are_refused(n: int, k: int, s: int, d: int, p: str) -> None:
    """PyTorch tells of them: what it takes the largest of is minus infinity everywhere."""
    arguments = {"k": k, "s": s, "d": d, "p": W(p)}
    try:
        (pads,) = make("conv", ((1, n),), c=1, **arguments).pads
    except errors.CannotKeep:
        return
    result = F.max_pool1d(F.pad(torch.zeros(1, 1, n), pads, value=-torch.inf), k, s, 0, d)
    if result.isinf().any():
        with pytest.raises(errors.EmptyWindow):
            make("max_pool", ((1, n),), **arguments)
    else:
        assert make("max_pool", ((1, n),), **arguments).outputs == (tuple(result[0].shape),)


def _same_or_both_refuse(
    name: str, shape: Shape, arguments: dict[str, Any], reference: Callable[[], Tensor]
) -> None:
    try:
        result = reference()
    except RuntimeError:
        with pytest.raises((errors.WindowTooLarge, errors.PaddingTooLarge)):
            make(name, (shape,), **arguments)
        return
    if result.isinf().any():  # the largest number of padding alone
        with pytest.raises(errors.EmptyWindow):
            make(name, (shape,), **arguments)
    else:
        assert make(name, (shape,), **arguments).outputs == (tuple(result.shape[1:]),)


def test_multiply_accumulates() -> None:
    assert make("conv", ((3, 224, 224),), c=64, k=7, s=2).macs == 112 * 112 * 64 * 3 * 49
    assert make("conv", ((32, 56, 56),), c=32, k=3, groups=32).macs == 56 * 56 * 32 * 9
    assert make("conv", ((8, 10),), c=4, k=3, groups=2).macs == 10 * 4 * 4 * 3
    assert make("conv_transpose", ((8, 5, 5),), c=6, k=4, s=2, groups=2).macs == 25 * 8 * 3 * 16
    assert make("linear", ((12,),), c=7).macs == 84
    assert make("matmul", ((4, 5, 12), (4, 12, 3))).macs == 4 * 5 * 12 * 3
    counted = {"conv", "conv_transpose", "linear", "matmul"}
    for name, inputs, arguments, _ in CASES:
        assert (make(name, inputs, **arguments).macs > 0) == (name in counted)


def test_same_padding_has_the_odd_one_after() -> None:
    assert make("conv", ((3, 224, 225),), c=8, k=3, s=2, p=W("same")).pads == ((0, 1), (1, 1))
    assert make("max_pool", ((3, 8),), k=2, s=1, p=W("same")).pads == ((0, 1),)
    assert make("conv", ((3, 8),), c=8, k=1, s=2, p=W("same")).pads == ((0, 0),)
    assert make("conv", ((3, 8),), c=8, k=3, d=2).pads == ((2, 2),)


@pytest.mark.parametrize("shape", [(29, 6), (29, 5, 6), (60, 4, 5, 6), (9, 4, 4), (8, 4, 4)])
@pytest.mark.parametrize("k", [1, 3, 5])
def test_shift_offsets(shape: Shape, k: int) -> None:
    channels, *spatial = shape
    rank = len(spatial)
    expected = []
    for i in range(channels):
        moves = i < channels // k**rank * k**rank
        digits = [(i // k**place) % k - k // 2 if moves else 0 for place in range(rank)]
        expected.append(tuple(reversed(digits)))
    assert make("shift", (shape,), k=k).offsets() == expected


def test_shift_in_two_dimensions_is_the_papers() -> None:
    offsets = make("shift", ((11, 7, 7),)).offsets()
    assert offsets[0] == (-1, -1) and offsets[1] == (-1, 0) and offsets[3] == (0, -1)
    assert sorted(offsets[:9]) == list(product((-1, 0, 1), repeat=2))
    assert offsets[9:] == [(0, 0), (0, 0)]


def test_attributes_are_concrete() -> None:
    conv = make("conv", ((3, 8, 8),), c=8.0, k=3)
    assert (conv.c, conv.k, conv.s, conv.p, conv.d) == (8, (3, 3), (1, 1), "keep", (1, 1))
    assert (conv.rank, conv.init, conv.bias) == (2, W("default"), False)
    assert make("max_pool", ((3, 8),), k=2).s == (2,)
    assert make("split", ((6, 8),), sizes=3).sizes == (2, 2, 2)
    assert make("reshape", ((6, 8),), shape=(2, -1)).shape == (2, 24)
    assert make("softmax", ((6, 8),), axis=-1).axis == 1
    piece = make("slice", ((6, 8),), start=-4, stop=100)
    assert (piece.first, piece.end) == ((2,), (6,))
    piece = make("slice", ((6, 8),), start=(-4, 1), step=2, axis=(0, -1))
    assert (piece.first, piece.end, piece.step) == ((2, 1), (6, 8), (2, 2))
    assert piece.outputs == ((2, 4),)
    assert make("scale", ((6, 8),), init=1e-6).weights[0].init == W("constant", (1e-6,))
    assert make("pad", ((6, 8, 8),), p=((1, 0), 3)).p == ((1, 0), (3, 3))
    with pytest.raises(AttributeError, match="immutable"):
        conv.c = 3


def test_parameters_are_in_the_order_in_which_they_are_called() -> None:
    def order(name: str) -> list[str]:
        return list(OPERATIONS[name].parameters)

    assert order("conv")[:6] == ["c", "k", "s", "p", "d", "groups"]
    assert order("bn")[:2] == ["eps", "momentum"]
    assert order("group_norm")[:2] == ["groups", "eps"]
    assert order("sub") == ["number", "reverse"]
    assert "x" not in {p for cls in OPERATIONS.values() for p in cls.parameters}


def test_operations_are_described() -> None:
    for name, operation in OPERATIONS.items():
        assert operation.name == name
        assert operation.__doc__ and "__doc__" in vars(operation)
        for parameter in operation.parameters.values():
            assert parameter.doc and parameter.kind.title
            if parameter.default not in (None, REQUIRED):
                parameter.kind.read(parameter.default, 2)


def test_words_and_operations_do_not_share_names() -> None:
    assert not WORDS & set(OPERATIONS)
    assert {"keep", "bilinear", "kaiming_normal", "fan_out", "max"} <= WORDS


# Initialisation


def test_initialisations_are_read_with_all_their_arguments() -> None:
    def read(value: Any) -> str:
        return str(INIT.read(value, 2))

    assert read(W("kaiming_normal")) == f"kaiming_normal(fan_in, {sqrt(2)})"
    assert read(W("kaiming_uniform", (W("fan_out"), 1))) == "kaiming_uniform(fan_out, 1.0)"
    assert read(W("normal", (0.01,))) == "normal(0.01)"
    assert (read(0), read(1), read(0.5)) == ("zeros", "ones", "constant(0.5)")
    assert read(W("constant", (0,))) == "zeros"
    assert VECTOR_INIT.read(0, 0) == W("zeros")


@pytest.mark.parametrize(
    ("scheme", "draw"),
    [
        (W("xavier_normal"), nn.init.xavier_normal_),
        (W("xavier_uniform"), nn.init.xavier_uniform_),
        (W("kaiming_normal"), lambda w: nn.init.kaiming_normal_(w, nonlinearity="relu")),
        (
            W("kaiming_normal", (W("fan_out"),)),
            lambda w: nn.init.kaiming_normal_(w, mode="fan_out", nonlinearity="relu"),
        ),
        (
            W("kaiming_uniform", (W("fan_out"), 1)),
            lambda w: nn.init.kaiming_uniform_(w, mode="fan_out", nonlinearity="sigmoid"),
        ),
        (W("fan_uniform"), lambda w: nn.init.kaiming_uniform_(w, a=sqrt(5))),
        (W("default"), lambda w: nn.init.kaiming_uniform_(w, a=sqrt(5))),
        (W("normal", (0.3,)), lambda w: nn.init.normal_(w, std=0.3)),
        (W("uniform", (0.3,)), lambda w: nn.init.uniform_(w, -0.3, 0.3)),
        (W("truncated_normal", (0.3,)), lambda w: nn.init.trunc_normal_(w, std=0.3)),
        (W("zeros"), nn.init.zeros_),
        (W("ones"), nn.init.ones_),
        (W("constant", (3,)), lambda w: nn.init.constant_(w, 3)),
    ],
    ids=lambda value: str(value) if isinstance(value, Word) else "",
)
def test_distributions_are_those_of_torch(scheme: Word, draw: Callable[[Tensor], Any]) -> None:
    torch.manual_seed(0)
    weight = torch.empty(192, 64, 5, 5)
    draw(weight)
    word = distribution(INIT.read(scheme, 2), tuple(weight.shape))
    (value,) = word.arguments
    assert isinstance(value, float)
    if word.name == "constant":
        assert weight.unique().tolist() == [value]
    elif word.name == "uniform":
        assert value * 0.999 < weight.abs().max() <= value
    else:
        assert weight.std().item() == pytest.approx(value, rel=0.01)


def test_grouped_fan_out_is_timms() -> None:
    scheme = INIT.read(W("kaiming_normal", (W("fan_out_per_group"),)), 2)
    assert distribution(scheme, (32, 1, 3, 3), groups=32) == W("normal", (sqrt(2) / sqrt(9),))
    scheme = INIT.read(W("fan_uniform", (W("fan_out"),)), 2)
    assert distribution(scheme, (1000, 1280)) == W("uniform", (1 / sqrt(1000),))


def test_every_scheme_comes_down_to_a_distribution() -> None:
    for name, scheme in SCHEMES.items():
        arguments = tuple(1 for p in scheme.parameters if p.default is REQUIRED)
        word = distribution(INIT.read(W(name, arguments), 2), (4, 2, 3, 3), 2)
        assert word.name in ("constant", "normal", "truncated_normal", "uniform")


# What is refused

E = errors
REFUSED: list[tuple[type[diagnostics.Diagnostic], str | None, str, str, Any, dict[str, Any]]] = [
    # kind, argument at fault, a part of the message or help, operation, inputs, arguments
    (E.MissingArgument, None, "`conv` needs `c`", "conv", M, {"k": 3}),
    (E.MissingTensor, None, "needs the tensor `xs`", "concat", (), {}),
    (E.MissingTensor, None, "needs the tensor `b`", "matmul", L, {}),
    (E.WrongRank, None, "a 2-D map or a 3-D map, not a vector of 12", "conv", V, {"c": 3}),
    (E.WrongRank, None, "takes a 2-D map, not", "pixel_shuffle", L, {"factor": 2}),
    (E.WrongValue, "c", "not none", "conv", M, {"c": None}),
    (E.NotWhole, "c", "2.5 is not an integer", "conv", M, {"c": 2.5}),
    (E.WrongValue, "c", "positive integer, not 0", "linear", V, {"c": 0}),
    (E.WrongAxes, "k", "3 numbers, but the map is 2-D", "conv", M, {"c": 3, "k": (1, 2, 3)}),
    (E.WrongValue, "p", "not around", "conv", M, {"c": 3, "p": W("around")}),
    (E.WrongValue, "p", "non-negative integer, not same", "conv_transpose", M,
     {"c": 3, "k": 2, "p": W("same")}),
    (E.WrongValue, "bias", "true or false, not 1", "conv", M, {"c": 3, "bias": 1}),
    (E.CannotKeep, "k", "1 * (4 - 1) / 2 = 1.5", "conv", M, {"c": 3, "k": 4}),
    (E.CannotKeep, "k", "p=same", "max_pool", M, {"k": 2, "p": W("keep")}),
    (E.WindowTooLarge, "k", "window of 13 does not fit into height 12 (kernel 7, dilation 2",
     "conv", ((3, 12, 20),), {"c": 3, "k": 7, "d": 2, "p": 0}),
    (E.WindowTooLarge, "k", "width 10", "max_pool", M, {"k": 11}),
    (E.WindowTooLarge, "k", "depth 4", "avg_pool", ((1, 4, 4, 4),), {"k": 5}),
    (E.DoesNotDivide, "groups", "groups=32 does not divide the 240 input channels: 240 / 32 = 7.5",
     "conv", ((240, 8, 8),), {"c": 480, "groups": 32}),
    (E.DoesNotDivide, "groups", "use groups=30 or groups=40",
     "conv", ((240, 8, 8),), {"c": 480, "groups": 32}),
    (E.DoesNotDivide, "groups", "the 10 output channels", "conv", M, {"c": 10, "groups": 4}),
    (E.DoesNotDivide, "groups", "use groups=1", "conv", M, {"c": 5, "groups": 2}),
    (E.DoesNotDivide, "groups", "the 12 input channels", "conv_transpose", M,
     {"c": 10, "k": 2, "groups": 5}),
    (E.DoesNotDivide, "groups", "12 / 5 = 2.4", "group_norm", M, {"groups": 5}),
    (E.WrongValue, "k", "", "lrn", M, {"k": -0.5}),
    (E.WrongValue, "groups", "fewer groups than the 12 numbers", "group_norm", ((12,),),
     {"groups": 12}),
    (E.DoesNotDivide, "groups", "groups=4 or groups=6", "channel_shuffle", M, {"groups": 5}),
    (E.DoesNotDivide, "sizes", "sizes=3 does not divide width 10", "split", M,
     {"sizes": 3, "axis": 2}),
    (E.DoesNotDivide, "factor", "factor^2 = 9 does not divide the 12 channels", "pixel_shuffle", M,
     {"factor": 3}),
    (E.WrongValue, "out_pad", "below 2, the larger of s and d", "conv_transpose", M,
     {"c": 3, "k": 2, "s": 2, "out_pad": 2}),
    (E.NothingLeft, "p", "(1 - 1) * 1 - 2 * 2 + 1 * (3 - 1) + 0 + 1 = -1", "conv_transpose",
     ((3, 1, 9),), {"c": 3, "k": 3, "p": 2}),
    (E.LinearNeedsVector, None, "not a 12x15x10 map", "linear", M, {"c": 3}),
    (E.LinearNeedsVector, None, "keep all 1800 numbers: -> flatten", "linear", M, {"c": 3}),
    (E.WrongValue, "momentum", "from 0 to 1, not 2", "bn", M, {"momentum": 2}),
    (E.WrongValue, "eps", "positive number, not nan", "bn", M, {"eps": float("nan")}),
    (E.WrongValue, "size", "odd positive integer, not 4", "lrn", M, {"size": 4}),
    (E.WrongValue, "k", "odd positive integer, not 2", "shift", M, {"k": 2}),
    (E.WrongValue, "per", "channel, number", "scale", M, {"per": W("axis")}),
    (E.WrongValue, "rate", "below 1, not 1", "drop_path", M, {"rate": 1}),
    (E.WrongValue, "rate", "from 0 to 1, not -0.1", "dropout", M, {"rate": -0.1}),
    (E.WrongValue, "axis", "from 0 (the channels) to 2, not 3", "softmax", M, {"axis": 3}),
    (E.WrongValue, "axis", "axis 0, the only one", "softmax", V, {"axis": 1}),
    (E.ExactlyOne, None, "b and number; given: none", "add", M, {}),
    (E.ExactlyOne, None, "given: both", "mul", (*M, *M), {"number": 2}),
    (E.ShapesDiffer, "b", "24 and 40 channels", "add", ((24, 7, 7), (40, 7, 7)), {}),
    (E.ShapesDiffer, "b", "shapes 24x7x7 and 24x7x8 do not match: width 7 and 8", "mul",
     ((24, 7, 7), (24, 7, 8)), {}),
    (E.ShapesDiffer, "b", "a 2-D map and a flat vector", "add", ((24, 7, 7), (24,)), {}),
    (E.ShapesDiffer, "xs", "height 7 and 8", "concat", ((24, 7, 7), (3, 8, 7)), {}),
    (E.ShapesDiffer, "xs", "a 2-D map and a 1-D map", "concat", ((24, 7, 7), (3, 8)), {}),
    (E.ShapesDiffer, "b", "7 columns and 8 rows", "matmul", ((24, 7), (8, 7)), {}),
    (E.ShapesDiffer, "b", "2 and 3 channels", "matmul", ((2, 4, 7), (3, 7, 4)), {}),
    (E.SplitDoesNotAddUp, "sizes", "(4, 6) add up to 10, not to 12 channels", "split", M,
     {"sizes": [4, 6]}),
    (E.TooManyItems, "sizes", "65537", "split", M, {"sizes": 65537}),
    (E.WrongValue, "sizes", "positive integer, not 0", "split", M, {"sizes": [0, 12]}),
    (E.WrongValue, "sizes", "a count of equal parts", "split", M, {"sizes": 0}),
    (E.NothingLeft, "stop", "nothing of 12 channels: the range is 9 to 3", "slice", M,
     {"start": 9, "stop": 3}),
    (E.NothingLeft, "start", "the range is 12 to 12", "slice", M, {"start": 12}),
    (E.NothingLeft, "start", "nothing of width 10: the range is 10 to 10", "slice", M,
     {"start": 10, "axis": (0, 2)}),
    (E.WrongValue, "step", "positive integer, not 0", "slice", M, {"step": 0}),
    (E.WrongValue, "step", "positive integer, not -2", "slice", M,
     {"step": (1, -2), "axis": (1, 2)}),
    (E.WrongValue, "axis", "to 2, not 3", "slice", M, {"axis": (1, 3)}),
    (E.WrongValue, "axis", "different axes, not (1, -2)", "slice", M, {"axis": (1, -2)}),
    (E.WrongValue, "axis", "different axes, not ()", "slice", M, {"axis": ()}),
    (E.WrongAxes, "step", "(1, 2) has 2 numbers, but 1 axis is cut", "slice", M, {"step": (1, 2)}),
    (E.WrongAxes, "start", "2 numbers, but 3 axes are cut", "slice", M,
     {"start": (0, 1), "axis": (0, 1, 2)}),
    (E.PaddingTooLarge, "p", "2 > 3 / 2", "max_pool", M, {"k": 3, "p": 2}),
    (E.EmptyWindow, "d", "padding: 2 positions, 3 apart, over width 2", "max_pool", ((3, 9, 2),),
     {"k": 2, "s": 1, "p": W("same"), "d": 3}),
    (E.ExactlyOne, None, "k and out; given: none", "avg_pool", M, {}),
    (E.ExactlyOne, "out", "given: both", "avg_pool", M, {"k": 2, "out": 2}),
    (E.NoEffect, "s", "`s` of `avg_pool` has no effect with out", "avg_pool", M,
     {"s": 2, "out": 2}),
    (E.NoEffect, "p", "remove `p`", "avg_pool", M, {"p": 1, "out": 2}),
    (E.NoEffect, "ceil", "`ceil`", "avg_pool", M, {"ceil": True, "out": 2}),
    (E.NoEffect, "count_include_pad", "`count", "avg_pool", M,
     {"count_include_pad": True, "out": 2}),
    (E.ExactlyOne, None, "like, size and scale; given: none", "resize", M, {}),
    (E.ExactlyOne, "size", "given: like and size", "resize", (*M, *M), {"size": 4}),
    (E.ExactlyOne, "scale", "given: size and scale", "resize", M, {"size": 4, "scale": 2}),
    (E.NoEffect, "align_corners", "mode=nearest", "resize", M, {"size": 4, "align_corners": True}),
    (E.ShapesDiffer, "like", "a 2-D map and a 1-D map", "resize", (*M, *L), {}),
    (E.NothingLeft, "scale", "10 * 0.05 = 0.5", "resize", ((3, 10),), {"scale": 0.05}),
    (E.TooLarge, "scale", "15 * 1000000000", "resize", M, {"scale": 1e9}),
    (E.WrongAxes, "scale", "3 numbers, but the map is 2-D", "resize", M, {"scale": (1, 2, 3)}),
    (E.WrongValue, "scale", "positive number, not -1", "resize", M, {"scale": -1}),
    (E.ReflectionTooLarge, "p", "10 >= width 10", "pad", M, {"p": 10, "mode": W("reflect")}),
    (E.NoEffect, "value", "mode=reflect", "pad", M, {"p": 1, "mode": W("reflect"), "value": 2}),
    (E.WrongValue, "p", "a pair of them, before and after", "pad", M, {"p": (1, (2, 3, 4))}),
    (E.WrongValue, "p", "non-negative integer", "pad", M, {"p": -1}),
    (E.WrongAxes, "p", "1 numbers", "pad", M, {"p": (1,)}),
    (E.FewerChannels, "c", "2 + 12 is more than 13", "pad_channels", M,
     {"c": 13, "before": 2}),
    (E.WrongValue, "axes", "(0, 1, 1)", "permute", M, {"axes": (0, 1, 1)}),
    (E.WrongValue, "axes", "expected a tuple or list", "permute", M, {"axes": 1}),
    (E.ReshapeDoesNotFit, "shape", "the 1800 numbers of 12x15x10 to 7x-1", "reshape", M,
     {"shape": (7, -1)}),
    (E.ReshapeDoesNotFit, "shape", "12x15x10 to 4: 4 is not 1800", "reshape", M, {"shape": 4}),
    (E.WrongValue, "shape", "one of which may be -1", "reshape", M, {"shape": (-1, -1)}),
    (E.WrongValue, "shape", "one to 6 sizes", "reshape", M, {"shape": ()}),
    (E.WrongValue, "shape", "not (0, 3)", "reshape", M, {"shape": (0, 3)}),
    (E.TooLarge, None, "1099511627776", "conv", ((3, 2**20, 2**20),), {"c": 4}),
    (E.WrongValue, "init", "not kaiming", "conv", M, {"c": 3, "init": W("kaiming")}),
    (E.WrongValue, "init", "expected `kaiming_normal(fan, gain)`", "conv", M,
     {"c": 3, "init": W("kaiming_normal", (W("fan_in"), 1, 2))}),
    (E.WrongValue, "init", "one of fan_in, fan_out", "conv", M,
     {"c": 3, "init": W("kaiming_normal", (W("relu"),))}),
    (E.MissingArgument, "init", "`normal` needs `std`", "conv", M, {"c": 3, "init": W("normal")}),
    (E.WrongValue, "bias_init", "a bias initializer", "conv", M,
     {"c": 3, "bias_init": W("kaiming_normal")}),
    (E.WrongValue, "init", "a vector initializer", "bn", M, {"init": W("default")}),
]  # fmt: skip


@pytest.mark.parametrize("row", REFUSED, ids=lambda row: f"{row[0].__name__}-{row[3]}-{row[1]}")
def test_refused(row: Any) -> None:
    kind, argument, text, name, inputs, arguments = row
    with pytest.raises(diagnostics.Diagnostic) as caught:
        make(name, inputs, **arguments)
    assert type(caught.value) is kind
    assert caught.value.argument == argument
    said = f"{caught.value.title}\n{caught.value.advice}"
    assert text in re.sub(rf" for `\w+` of `{name}`", "", said)
    for value in (caught.value.title, caught.value.advice):
        assert "{" not in value and "Word(" not in value


def test_every_kind_of_shape_mistake_is_among_the_refused() -> None:
    kinds = {
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, diagnostics.Diagnostic)
        if "A2021" <= getattr(kind, "code", "") <= "A2029"
        or "A3011" <= getattr(kind, "code", "") <= "A3029"
    }
    assert kinds <= {row[0] for row in REFUSED}


def test_biases_take_fewer_schemes_and_vectors_fewer_still() -> None:
    assert set(VECTOR_INIT.words) < set(BIAS_INIT.words) < set(INIT.words)


def test_a_class_is_made_for_each_name() -> None:
    assert all(issubclass(cls, Operation) for cls in OPERATIONS.values())
    assert len(set(OPERATIONS.values())) == len(OPERATIONS)
