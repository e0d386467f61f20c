"""What a graph computes, node by node, from the meaning of each primitive. Knows no generated code.

Windows are cut out one by one and reduced, borders are counted by hand: wherever PyTorch has a rule
of its own, this one is written from the language's.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from archdsl.ir.graph import Graph, Node, Value

State = dict[str, Tensor]
"""Tensors by the names they have in a `state_dict`."""


class Reference:
    """A graph with weights. Training moves running statistics, in `state`; nothing is dropped."""

    def __init__(self, graph: Graph, state: State, training: bool = False) -> None:
        self.graph = graph
        self.state = state
        self.training = training

    def __call__(self, *inputs: Tensor) -> list[Tensor]:
        """The outputs, those for training alone among them only in training."""
        known: dict[Value, Tensor] = dict(zip(self.graph.inputs, inputs, strict=True))
        batch = inputs[0].shape[0]
        for node in self._needed():
            results = self.node(node, [known[value] for value in node.inputs])
            for value, result in zip(node.outputs, results, strict=True):
                assert tuple(result.shape) == (batch, *value.shape), (node, tuple(result.shape))
                known[value] = result
        outputs = self.graph.outputs
        return [known[o.value] for o in outputs if self.training or not o.training]

    def _needed(self) -> list[Node]:
        """The nodes that outputs need, in order."""
        outputs = self.graph.outputs
        needed = {id(o.value) for o in outputs if self.training or not o.training}
        found = []
        for node in reversed(self.graph.nodes):
            if any(id(value) in needed for value in node.outputs):
                needed.update(map(id, node.inputs))
                found.append(node)
        return found[::-1]

    def node(self, node: Node, inputs: list[Tensor]) -> list[Tensor]:
        """The results of one operation."""
        prefix = ".".join(node.path)
        weights = {w.name: self.state[f"{prefix}.{w.name}"] for w in node.operation.weights}
        operation: Any = node.operation
        if operation.name == "bn":
            return [self._batch_norm(operation, inputs[0], weights)]
        result = COMPUTE[operation.name](operation, *inputs, **weights)
        return result if isinstance(result, list) else [result]

    def _batch_norm(self, o: Any, x: Tensor, weights: State) -> Tensor:
        axes = [0, *range(2, x.dim())]
        mean, variance = weights["running_mean"], weights["running_var"]
        if self.training:
            mean, variance = x.mean(axes), x.var(axes, correction=0)
            count = x.numel() // x.shape[1]
            with torch.no_grad():
                for name, new in (
                    ("running_mean", mean),
                    ("running_var", variance * count / (count - 1)),
                ):
                    weights[name].copy_((1 - o.momentum) * weights[name] + o.momentum * new)
                weights["num_batches_tracked"].add_(1)
        result = (x - along(mean, x)) / (along(variance, x) + o.eps).sqrt()
        return affine(result, weights.get("weight"), weights.get("bias"))


def along(vector: Tensor, x: Tensor) -> Tensor:
    """A number for each channel, to be combined with a map."""
    return vector.view(-1, *[1] * (x.dim() - 2))


def affine(x: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    if weight is not None:
        x = x * along(weight, x)
    return x if bias is None else x + along(bias, x)


def normalised(x: Tensor, axes: list[int], eps: float) -> Tensor:
    mean = x.mean(axes, keepdim=True)
    return (x - mean) / (x.var(axes, correction=0, keepdim=True) + eps).sqrt()


def border(o: Any, x: Tensor, d: tuple[int, ...]) -> list[tuple[int, int]]:
    """How much a sliding window is padded before and after, for each axis."""
    found = []
    for axis, (n, k, s) in enumerate(zip(x.shape[2:], o.k, o.s or o.k, strict=True)):
        reach = d[axis] * (k - 1) + 1
        if o.p == "keep":
            found.append(((reach - 1) // 2, (reach - 1) // 2))
        elif o.p == "same":
            total = max(0, (reach - s if n % s == 0 else reach - n % s))
            found.append((total // 2, total - total // 2))
        elif o.p == "valid":
            found.append((0, 0))
        else:
            found.append((o.p[axis], o.p[axis]))
    return found


def padded(x: Tensor, pads: list[tuple[int, int]], value: float = 0.0) -> Tensor:
    flat = [n for pair in reversed(pads) for n in pair]
    return functional.pad(x, flat, value=value)


def conv(o: Any, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    function: Callable[..., Tensor] = getattr(functional, f"conv{x.dim() - 2}d")
    return function(
        padded(x, border(o, x, o.d)), weight, bias, stride=o.s, dilation=o.d, groups=o.groups
    )


def conv_transpose(o: Any, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    function: Callable[..., Tensor] = getattr(functional, f"conv_transpose{x.dim() - 2}d")
    return function(x, weight, bias, o.s, o.p, o.out_pad, o.groups, o.d)


def windows(x: Tensor, o: Any, d: tuple[int, ...], fill: float, low: list[int]) -> Tensor:
    """The windows of a pool, one more axis for each: `fill` stands wherever the map does not."""
    rank = x.dim() - 2
    sizes = o.outputs[0][1:]
    for axis in range(rank):
        n, k, s = x.shape[2 + axis], o.k[axis], o.s[axis]
        starts = torch.arange(sizes[axis]) * s - low[axis]
        places = starts[:, None] + torch.arange(k) * d[axis]
        inside = (places >= 0) & (places < n)
        cut = x.index_select(2 + axis, places.clamp(0, n - 1).flatten())
        cut = cut.unflatten(2 + axis, (sizes[axis], k))
        mask = inside.view(*[1] * (2 + axis), sizes[axis], k, *[1] * (cut.dim() - axis - 4))
        x = torch.where(mask, cut, torch.full_like(cut, fill)).movedim(3 + axis, -1)
    return x.flatten(2 + rank)


def max_pool(o: Any, x: Tensor) -> Tensor:
    low = [pair[0] for pair in border(o, x, o.d)]
    return windows(x, o, o.d, float("-inf"), low).amax(-1)


def avg_pool(o: Any, x: Tensor) -> Tensor:
    if o.out is not None:
        return adaptive(x, o.out)
    pads = border(o, x, (1,) * len(o.k))
    counted = torch.ones_like(x[:1, :1])
    if o.count_include_pad:
        # A window that hangs over the padding, too, is cut off there.
        x, counted = padded(x, pads), padded(counted, pads, 1.0)
        low = [0 for _ in pads]
    else:
        low = [pair[0] for pair in pads]
    d = (1,) * len(o.k)
    return windows(x, o, d, 0.0, low).sum(-1) / windows(counted, o, d, 0.0, low).sum(-1)


def adaptive(x: Tensor, out: tuple[int, ...]) -> Tensor:
    for axis, m in enumerate(out, 2):
        n = x.shape[axis]
        parts = [
            x.narrow(axis, i * n // m, -(-(i + 1) * n // m) - i * n // m).mean(axis)
            for i in range(m)
        ]
        x = torch.stack(parts, axis)
    return x


def global_pool(o: Any, x: Tensor) -> Tensor:
    axes = list(range(2, x.dim()))
    return x.mean(axes, keepdim=True) if o.mode == "avg" else x.amax(axes, keepdim=True)


def resize(o: Any, x: Tensor, like: Tensor | None = None) -> Tensor:
    sizes = o.outputs[0][1:]
    if o.mode == "area":
        return adaptive(x, sizes)
    for axis, m in enumerate(sizes, 2):
        n = x.shape[axis]
        if o.mode == "nearest":
            x = x.index_select(axis, torch.tensor([i * n // m for i in range(m)]))
            continue
        if o.align_corners:
            places = torch.arange(m, dtype=x.dtype) * ((n - 1) / (m - 1) if m > 1 else 0)
        else:
            places = ((torch.arange(m, dtype=x.dtype) + 0.5) * n / m - 0.5).clamp(min=0)
        left = places.floor().long().clamp(max=n - 1)
        right = (left + 1).clamp(max=n - 1)
        share = (places - left).view(-1, *[1] * (x.dim() - axis - 1))
        x = x.index_select(axis, left) * (1 - share) + x.index_select(axis, right) * share
    return x


def pad(o: Any, x: Tensor) -> Tensor:
    if o.mode == "constant":
        return padded(x, list(o.p), o.value)
    for axis, (low, high) in enumerate(o.p, 2):
        n = x.shape[axis]
        places = torch.arange(-low, n + high)
        if o.mode == "replicate":
            places = places.clamp(0, n - 1)
        else:
            places = (n - 1 - (n - 1 - places.abs()).abs()).abs()
        x = x.index_select(axis, places)
    return x


def pad_channels(o: Any, x: Tensor) -> Tensor:
    def zeros(count: int) -> Tensor:
        return torch.zeros(x.shape[0], count, *x.shape[2:], dtype=x.dtype)

    return torch.cat([zeros(o.before), x, zeros(o.c - o.before - x.shape[1])], 1)


def shift(o: Any, x: Tensor) -> Tensor:
    half, rank, channels = o.k // 2, x.dim() - 2, x.shape[1]
    wide = padded(x, [(half, half)] * rank)
    moved = []
    for i in range(channels):
        part = wide[:, i]
        for axis in range(rank):
            offset = i // o.k ** (rank - 1 - axis) % o.k
            if i >= channels // o.k**rank * o.k**rank:
                offset = half
            part = part.narrow(1 + axis, offset, x.shape[2 + axis])
        moved.append(part)
    return torch.stack(moved, 1)


def channel_shuffle(o: Any, x: Tensor) -> Tensor:
    return x.unflatten(1, (o.groups, -1)).transpose(1, 2).flatten(1, 2)


def pixel_shuffle(o: Any, x: Tensor) -> Tensor:
    f = o.factor
    x = x.unflatten(1, (-1, f, f)).permute(0, 1, 4, 2, 5, 3)
    return x.flatten(2, 3).flatten(3, 4)


def lrn(o: Any, x: Tensor) -> Tensor:
    channels, half = x.shape[1], o.size // 2
    squares = []
    for i in range(channels):
        near = x[:, max(0, i - half) : i + half + 1]
        squares.append(near.square().sum(1) / o.size)
    return x / (o.k + o.alpha * torch.stack(squares, 1)) ** o.beta


def layer_norm(
    o: Any, x: Tensor, weight: Tensor | None = None, bias: Tensor | None = None
) -> Tensor:
    return affine(normalised(x, [1], o.eps), weight, bias)


def group_norm(
    o: Any, x: Tensor, weight: Tensor | None = None, bias: Tensor | None = None
) -> Tensor:
    grouped = x.reshape(x.shape[0], o.groups, -1)
    return affine(normalised(grouped, [2], o.eps).reshape(x.shape), weight, bias)


def with_number(
    apply: Callable[[Any, Any], Tensor],
) -> Callable[..., Tensor]:
    def compute(o: Any, a: Tensor, b: Tensor | None = None) -> Tensor:
        other: Any = o.number if b is None else b
        return apply(other, a) if getattr(o, "reverse", False) else apply(a, other)

    return compute


def cut(o: Any, x: Tensor) -> Tensor:
    for axis, start, stop, step in zip(o.axis, o.start, o.stop, o.step, strict=True):
        places = range(x.shape[axis + 1])[start:stop:step]
        x = x.index_select(axis + 1, torch.tensor(list(places)))
    return x


def split(o: Any, x: Tensor) -> list[Tensor]:
    starts = [sum(o.sizes[:i]) for i in range(len(o.sizes))]
    return [x.narrow(o.axis + 1, a, n) for a, n in zip(starts, o.sizes, strict=True)]


def softmax(o: Any, x: Tensor) -> Tensor:
    powers = (x - x.amax(o.axis + 1, keepdim=True)).exp()
    return powers / powers.sum(o.axis + 1, keepdim=True)


def unchanged(o: Any, x: Tensor) -> Tensor:
    return x


COMPUTE: dict[str, Callable[..., Tensor | list[Tensor]]] = {
    "conv": conv,
    "conv_transpose": conv_transpose,
    "linear": lambda o, x, weight, bias=None: functional.linear(x, weight, bias),
    "layer_norm": layer_norm,
    "group_norm": group_norm,
    "lrn": lrn,
    "scale": lambda o, x, weight: x * along(weight, x),
    "relu": lambda o, x: x.clamp(min=0),
    "relu6": lambda o, x: x.clamp(0, 6),
    "silu": lambda o, x: x * x.sigmoid(),
    "gelu": lambda o, x: functional.gelu(x, approximate="tanh" if o.approximate else "none"),
    "sigmoid": lambda o, x: 1 / (1 + (-x).exp()),
    "tanh": lambda o, x: x.tanh(),
    "hard_swish": lambda o, x: x * (x + 3).clamp(0, 6) / 6,
    "hard_sigmoid": lambda o, x: (x + 3).clamp(0, 6) / 6,
    "leaky_relu": lambda o, x: torch.where(x > 0, x, o.slope * x),
    "prelu": lambda o, x, weight: torch.where(x > 0, x, along(weight, x) * x),
    "elu": lambda o, x: torch.where(x > 0, x, o.alpha * x.clamp(max=0).expm1()),
    "mish": lambda o, x: x * functional.softplus(x).tanh(),
    "softmax": softmax,
    "identity": unchanged,
    "dropout": unchanged,
    "drop_path": unchanged,
    "add": with_number(lambda a, b: a + b),
    "sub": with_number(lambda a, b: a - b),
    "mul": with_number(lambda a, b: a * b),
    "concat": lambda o, *xs: torch.cat(xs, o.axis + 1),
    "matmul": lambda o, a, b: torch.einsum("...mk,...kn->...mn", a, b),
    "split": split,
    "slice": cut,
    "max_pool": max_pool,
    "avg_pool": avg_pool,
    "global_pool": global_pool,
    "resize": resize,
    "pad": pad,
    "pad_channels": pad_channels,
    "shift": shift,
    "channel_shuffle": channel_shuffle,
    "pixel_shuffle": pixel_shuffle,
    "flatten": lambda o, x: x.reshape(x.shape[0], prod(x.shape[1:])),
    "permute": lambda o, x: x.permute(0, *[axis + 1 for axis in o.axes]),
    "reshape": lambda o, x: x.reshape(x.shape[0], *o.shape),
}
"""What each primitive does, for an operation and its tensors. `bn` is the reference's own."""


def weight_names(graph: Graph) -> dict[str, tuple[int, ...]]:
    """The tensors that a network owns, by name: their shapes."""
    return {
        ".".join([*node.path, weight.name]): weight.shape
        for node in graph.nodes
        for weight in node.operation.weights
    }


def randomise(state: State, seed: int = 0) -> None:
    """Draw every tensor, so that no two are alike and numbers stay of the same size."""
    generator = torch.Generator().manual_seed(seed)
    for name in sorted(state):
        tensor = state[name]
        noise = torch.randn(tensor.shape, generator=generator, dtype=torch.float64)
        if not tensor.is_floating_point():
            tensor.fill_(7)
        elif name.endswith("running_var"):
            tensor.copy_(noise.abs() + 0.5)
        elif tensor.dim() > 1:
            tensor.copy_(noise * (2 / max(1, tensor[0].numel())) ** 0.5)
        else:
            tensor.copy_(noise * 0.2 + (0.8 if name.endswith("weight") else 0.1))
