"""Folding of operations into the preceding convolution or matrix product.

Batch normalisation in inference, learnt scales, and numbers that are added or multiplied are
`factor * x + shift` for each channel. They fold into the layer whose output nobody else reads:
weight * factor, bias * factor + shift, in float64. Looks at the checked graph alone.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from archdsl.ir.graph import Graph, Node, Value
from archdsl.support.arrays import Array
from archdsl.weights.sources import Source, tensor_name

ANCHORS = {"conv", "conv_transpose", "linear"}
"""Operations that can absorb the following ones."""
PASSING = {"identity", "dropout", "drop_path"}
"""Operations without effect in inference."""


class Plan:
    """For each layer the operations that it takes up; `absorbed` are the ids of all of these."""

    def __init__(self, graph: Graph, fold: bool) -> None:
        self.absorbed: set[Node] = set()
        self._chains: dict[Node, list[Node]] = {}
        if fold:
            self._find(graph)

    def chain(self, node: Node) -> list[Node]:
        """Operations absorbed by a layer, in order."""
        return self._chains.get(node, [])

    def _find(self, graph: Graph) -> None:
        nodes = graph.inference_nodes()
        readers = Counter(value for node in nodes for value in node.inputs)
        readers.update(output.value for output in graph.outputs if not output.training)
        anchors: dict[Value, Node] = {}
        for node in nodes:
            name = node.operation.name
            if name in ANCHORS:
                anchors[node.outputs[0]] = node
                continue
            source = node.inputs[0]
            anchor = anchors.get(source)
            if anchor is None or readers[source] > 1 or not (name in PASSING or _is_affine(node)):
                continue
            anchors[node.outputs[0]] = anchor
            if name not in PASSING:
                self.absorbed.add(node)
                self._chains.setdefault(anchor, []).append(node)


def _is_affine(node: Node) -> bool:
    operation: Any = node.operation
    if operation.name in ("bn", "scale"):
        return True
    return operation.name in ("add", "sub", "mul") and operation.number is not None


def adds(node: Node) -> bool:
    """True if an absorbed operation gives its layer a bias."""
    return node.operation.name in ("bn", "add", "sub")


class Affine:
    """`factor * x + shift` for each channel, in float64: a chain of operations in one."""

    def __init__(self, chain: list[Node], channels: int, weights: Source) -> None:
        self.factor: Array = np.ones(channels)
        self.shift: Array = np.zeros(channels)
        for node in chain:
            factor, shift = _coefficients(node, weights)
            self.factor = self.factor * factor
            self.shift = self.shift * factor + shift


def _coefficients(node: Node, weights: Source) -> tuple[Any, Any]:
    operation: Any = node.operation

    def vector(name: str) -> Array:
        return weights.vector(tensor_name(node, name))

    match operation.name:
        case "bn":
            factor = 1 / np.sqrt(vector("running_var") + operation.eps)
            shift = -vector("running_mean") * factor
            if operation.affine:
                weight = vector("weight")
                factor, shift = factor * weight, shift * weight + vector("bias")
            return factor, shift
        case "scale":
            return vector("weight"), 0.0
        case "mul":
            return operation.number, 0.0
        case "add":
            return 1.0, operation.number
        case "sub":
            return (-1.0, operation.number) if operation.reverse else (1.0, -operation.number)
    raise AssertionError(operation.name)


def along_weight(node: Node, factor: Array) -> Array:
    """A number for each output channel, so that it multiplies the weight of a layer."""
    operation: Any = node.operation
    shape: tuple[int, ...] = operation.weights[0].shape
    window = (1,) * (len(shape) - 2)
    if operation.name != "conv_transpose":
        return factor.reshape(-1, 1, *window)
    # Row i of the weight belongs to input channel i, whose group has these output channels.
    groups: int = operation.groups
    per_group = factor.reshape(groups, shape[1])
    return np.repeat(per_group, shape[0] // groups, axis=0).reshape(shape[0], shape[1], *window)
