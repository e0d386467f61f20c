"""Activation memory: the tensors that operations make, and how many of them are needed at once.

Counted in numbers for one sample, in inference; what a number takes is its type's size. The
definitions are in docs/costs.md.
"""

from __future__ import annotations

from math import prod

from archdsl.ir.graph import Graph, Node, Value

SIZES = {"float32": 4, "float16": 2, "bfloat16": 2, "int8": 1}
"""Bytes of a number by its type."""


def made(node: Node) -> int:
    """Number of elements an operation creates; none if it only passes on its input."""
    if node.operation.view:
        return 0
    return sum(prod(value.shape) for value in node.outputs)


class _Buffer:
    """Memory that one tensor after the other lies in; `last` is the step that reads it last."""

    __slots__ = ("last", "size")

    def __init__(self, size: int, last: float) -> None:
        self.size = size
        self.last = last


def peak(graph: Graph) -> int:
    """The most numbers that inference holds at once, computing in the order of the graph.

    A tensor is held from the operation that makes it, an input from the start, up to the last
    operation that reads it, an output to the end. An operation that treats each number by itself
    writes over a tensor that nobody reads after it, as ReLU does in place.
    """
    nodes = graph.inference_nodes()
    last: dict[Value, float] = {}
    for step, node in enumerate(nodes):
        last.update(dict.fromkeys(node.inputs, step))
    for output in graph.outputs:
        if not output.training:
            last[output.value] = float("inf")
    held = {v: _Buffer(prod(v.shape), last.get(v, -1)) for v in graph.inputs}
    alive = {buffer: buffer for buffer in held.values()}
    total = most = sum(buffer.size for buffer in alive.values())
    for step, node in enumerate(nodes):
        sources = [held[value] for value in node.inputs]
        for value in node.outputs:
            until = last.get(value, step)
            buffer = _shared(node, value, sources, step)
            if buffer is None:
                buffer = _Buffer(prod(value.shape), until)
                alive[buffer] = buffer
                total += buffer.size
            buffer.last = max(buffer.last, until)
            held[value] = buffer
        most = max(most, total)
        for buffer in [*sources, *(held[value] for value in node.outputs)]:
            if buffer.last <= step and alive.pop(buffer, None) is not None:
                total -= buffer.size
    return most


def _shared(node: Node, value: Value, sources: list[_Buffer], step: int) -> _Buffer | None:
    """The memory of an input that an output lies in; none where it takes its own."""
    if node.operation.view:
        return sources[0]
    if node.operation.in_place:
        size = prod(value.shape)
        for source in sources:
            if source.size == size and source.last <= step:
                return source
    return None
