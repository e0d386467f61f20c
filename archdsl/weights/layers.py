"""Layers by their tensors, and those of a graph with what feeds what."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from archdsl.ir.graph import Graph, Node, Scope, Value
from archdsl.ops import Shape
from archdsl.weights.sources import tensor_name

ROLES = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
"""The tensors of a layer as PyTorch calls them, in its order."""

COUNTER = ROLES[-1]
"""A buffer that files may lack; nothing is computed with it in inference."""

Signature = tuple[tuple[str, Shape], ...]
"""What a layer's tensors are, and their shapes without trailing ones: a matrix is a 1x1 kernel."""


class Layer(NamedTuple):
    """A layer: its name, the full name of each of its tensors by role, and their shapes."""

    name: str
    tensors: dict[str, str]
    shapes: dict[str, Shape]

    @property
    def signature(self) -> Signature:
        return tuple(
            sorted((role, trimmed(s)) for role, s in self.shapes.items() if role != COUNTER)
        )

    @property
    def weight(self) -> Shape:
        """The shape of its first tensor without trailing ones."""
        return trimmed(next(iter(self.shapes.values())))

    @property
    def is_matrix(self) -> bool:
        """True if it is a convolution or a matrix."""
        return len(self.weight) > 1 and "running_mean" not in self.shapes


def trimmed(shape: Shape) -> Shape:
    """A shape without trailing ones."""
    while shape and shape[-1] == 1:
        shape = shape[:-1]
    return shape


# Layers of a graph


class Network:
    """The layers of a graph, in the order of computation. Sets of them are bits of a number."""

    def __init__(self, graph: Graph) -> None:
        self.layers: list[Layer] = []
        self.roles: list[list[tuple[str, str]]] = []
        """The blocks around each, the innermost first, and its name in each of them."""
        self.before: list[int] = []
        """Those that directly feed each one."""
        reached: dict[Value, int] = {value: 0 for value in graph.inputs}
        for node in graph.nodes:
            sources = 0
            for value in node.inputs:
                sources |= reached[value]
            weights = node.operation.weights
            if weights:
                names = {w.name: tensor_name(node, w.name) for w in weights}
                shapes = {w.name: w.shape for w in weights}
                self.roles.append(_roles(node))
                self.before.append(sources)
                sources = 1 << len(self.layers)
                self.layers.append(Layer(".".join(node.path), names, shapes))
            for value in node.outputs:
                reached[value] = sources
        self.near = list(self.before)
        """Those that directly feed each one or that it feeds."""
        for i, sources in enumerate(self.before):
            for j in bits(sources):
                self.near[j] |= 1 << i
        self.after = [0] * len(self.layers)
        """All that depend on each one."""
        for i in reversed(range(len(self.layers))):
            for j in bits(self.before[i]):
                self.after[j] |= 1 << i | self.after[i]

    @property
    def all(self) -> int:
        return (1 << len(self.layers)) - 1

    @property
    def head(self) -> int:
        """The last convolutions or matrices on the way to an output, and what follows them."""
        matrices = sum(1 << i for i, layer in enumerate(self.layers) if layer.is_matrix)
        last = [i for i in bits(matrices) if not self.after[i] & matrices]
        return union([1 << i for i in last] + [self.after[i] for i in last])

    @property
    def input(self) -> int:
        """The layers that see an input before any other layer does."""
        return sum(1 << i for i, sources in enumerate(self.before) if not sources)

    def connected(self, layers: int) -> bool:
        """True if some layers hang together, each feeding another or being fed by it."""
        found = wave = layers & -layers
        while wave:
            wave = union(self.near[i] for i in bits(wave)) & layers & ~found
            found |= wave
        return found == layers

    def after_any(self, layers: int) -> int:
        """All that depend on one of some layers."""
        return union(self.after[i] for i in bits(layers))


def _roles(node: Node) -> list[tuple[str, str]]:
    found = []
    scope: Scope | None = node.scope
    while scope is not None:
        found.append((scope.unit.name, ".".join(node.path[len(scope.path) :])))
        scope = scope.parent
    return found


def bits(number: int) -> Iterator[int]:
    """The places of the bits of a number, from the lowest."""
    while number:
        low = number & -number
        yield low.bit_length() - 1
        number ^= low


def union(numbers: Iterable[int]) -> int:
    found = 0
    for number in numbers:
        found |= number
    return found
