"""Names of nodes, values and constants in a model, each unique. Weights keep theirs."""

from __future__ import annotations

from collections import Counter

from archdsl.backends.onnx.model import Model, Node, Value


class Unique:
    """Gives names that were not given before: the second `x` is `x_1`."""

    def __init__(self, taken: set[str]) -> None:
        self._taken = taken
        self._counts: Counter[str] = Counter()

    def __call__(self, name: str) -> str:
        free = name
        while free in self._taken:
            self._counts[name] += 1
            free = f"{name}_{self._counts[name]}"
        self._taken.add(free)
        return free


def name_all(model: Model, outputs: list[str]) -> None:
    """Name what has no name, in place; `outputs` are those of the network's outputs.

    A node is called by its primitive; where several write one primitive the last is, and the others
    have their operator behind it. A value is called as the node that gives it.
    """
    unique = Unique(set())
    for tensor in model.tensors():  # no name of a weight has the `/` that those of constants have
        tensor.name = unique(tensor.name)
    for value in model.inputs:
        value.name = unique(value.name)
    for i, (value, name) in enumerate(zip(model.outputs, outputs, strict=True)):
        if value.node is None and value.name == name:  # an input that is handed on
            continue
        if value.node is None or value.name:  # one that has another name already
            node = Node("Identity", [value], {}, name, None, object())
            node.outputs = [Value(value.shape, value.type, node)]
            model.nodes.append(node)
            model.outputs[i] = value = node.outputs[0]
        value.name = unique(name)
    node_names = Unique(set())
    last = {node.primitive: node for node in model.nodes}
    for node in model.nodes:
        is_last = last[node.primitive] is node
        node.name = node_names(node.name if is_last else f"{node.name}/{node.op}")
        for i, value in enumerate(node.outputs):
            if not value.name:
                value.name = unique(node.name if len(node.outputs) == 1 else f"{node.name}/{i}")
