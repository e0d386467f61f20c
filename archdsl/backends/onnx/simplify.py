"""Merges that show between operators alone, until nothing is left that a simplifier would remove.

Each rule takes a node and gives what its output is instead, or nothing. A rule that takes up the
node before it asks that nobody else reads that one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from archdsl.backends.onnx.model import Model, Node, Tensor, Value


class _Use:
    """Consumers of values, updated as nodes change."""

    def __init__(self, model: Model) -> None:
        self.readers: Counter[Value | Tensor | None] = Counter(model.outputs)
        for node in model.nodes:
            self.readers.update(node.inputs)

    def source(self, node: Node, op: str, shared: bool = False) -> Node | None:
        """The node of this operator that gives the first input; nobody else reads it, or may."""
        value = node.inputs[0]
        if not isinstance(value, Value) or value.node is None or value.node.op != op:
            return None
        return value.node if shared or self.readers[value] == 1 else None

    def replace(self, node: Node, inputs: list[Value | Tensor | None]) -> None:
        """Give a node other inputs."""
        self.readers.subtract(node.inputs)
        self.readers.update(inputs)
        node.inputs = inputs


def simplify(model: Model, make_ints: Callable[..., Tensor], by_scope: bool = False) -> None:
    """Change the model in place. `make_ints` gives the constant for whole numbers; `by_scope` keeps
    what two uses of blocks compute alike apart."""
    use = _Use(model)
    known: dict[Any, Node] = {}
    replaced: dict[Value | Tensor | None, Value] = {}
    for node in model.nodes:
        inputs = [replaced.get(item, item) for item in node.inputs]
        if any(a is not b for a, b in zip(inputs, node.inputs)):
            use.replace(node, inputs)
        for rule in _RULES.get(node.op, ()):
            instead = rule(node, use, make_ints)
            if instead is not None:
                replaced[node.outputs[0]] = instead
        key = (node.op, *node.inputs, *sorted(node.attributes.items()), len(node.outputs))
        key += (node.scope,) if by_scope else ()
        twin = known.setdefault(key, node)
        if twin is not node:
            for old, new in zip(node.outputs, twin.outputs):
                replaced[old] = new
    model.outputs = [replaced.get(value, value) for value in model.outputs]
    _drop_unread(model)


def _drop_unread(model: Model) -> None:
    read: set[Value | Tensor | None] = set(model.outputs)
    kept = []
    for node in reversed(model.nodes):
        if any(value in read for value in node.outputs):
            kept.append(node)
            read.update(node.inputs)
    model.nodes = kept[::-1]


_Rule = Callable[[Node, _Use, Callable[..., Tensor]], "Value | None"]


def _pad_into_window(node: Node, use: _Use, ints: Callable[..., Tensor]) -> None:
    """A border of zeros is what a convolution pads with, and a mean that counts its padding."""
    pad = use.source(node, "Pad")
    if pad is None or len(pad.inputs) > 2 or "mode" in pad.attributes:
        return
    if node.op == "AveragePool" and (
        "ceil_mode" in node.attributes
        or (any(node.attributes.get("pads", ())) and "count_include_pad" not in node.attributes)
    ):
        return
    pads = node.attributes.get("pads")
    sides = pad.inputs[1]
    if not isinstance(sides, Tensor):
        return  # they follow from a size that is not known yet
    assert sides.value is not None
    border = sides.value
    half = len(border) // 2
    spatial = (*border[2:half], *border[half + 2 :])
    if pads is None or any(border[:2]) or any(border[half : half + 2]):
        return
    total = tuple(int(a + b) for a, b in zip(pads, spatial))
    if node.op == "AveragePool":
        kernel = node.attributes["kernel_shape"]
        if any(pad >= k for pad, k in zip(total, (*kernel, *kernel))):
            return
        node.attributes["count_include_pad"] = 1
    node.attributes["pads"] = total
    use.replace(node, [pad.inputs[0], *node.inputs[1:]])


def _concat_of_concat(node: Node, use: _Use, ints: Callable[..., Tensor]) -> None:
    inputs: list[Value | Tensor | None] = []
    for item in node.inputs:
        inner = item.node if isinstance(item, Value) else None
        axis = node.attributes["axis"]
        if (
            inner is not None
            and inner.op == "Concat"
            and inner.attributes["axis"] == axis
            and use.readers[item] == 1
        ):
            inputs += inner.inputs
        else:
            inputs.append(item)
    if len(inputs) != len(node.inputs):
        use.replace(node, inputs)


def _reshape_of_reshape(node: Node, use: _Use, ints: Callable[..., Tensor]) -> Value | None:
    """Only the last shape counts; none of them touches the batch."""
    while source := use.source(node, "Reshape", True) or use.source(node, "Flatten", True):
        use.replace(node, [source.inputs[0], *node.inputs[1:]])
    before = node.inputs[0]
    if isinstance(before, Value) and before.shape == node.outputs[0].shape:
        return before
    return None


def _transpose_of_transpose(node: Node, use: _Use, ints: Callable[..., Tensor]) -> Value | None:
    source = use.source(node, "Transpose", True)
    if source is None:
        return None
    first, second = source.attributes["perm"], node.attributes["perm"]
    both = tuple(first[axis] for axis in second)
    if both == tuple(range(len(both))):
        return source.inputs[0]  # type: ignore[return-value]
    node.attributes["perm"] = both
    use.replace(node, [source.inputs[0]])
    return None


def _relu_of_relu(node: Node, use: _Use, ints: Callable[..., Tensor]) -> Value | None:
    source = use.source(node, "Relu", True)
    return source.outputs[0] if source else None


def _slice_of_slice(node: Node, use: _Use, ints: Callable[..., Tensor]) -> None:
    """Slices of different axes are one."""
    source = use.source(node, "Slice")
    if source is None:
        return
    axes = [list(_values(each, 3)) for each in (source, node)]
    if set(axes[0]) & set(axes[1]):
        return
    parts = [(*_values(source, i), *_values(node, i)) for i in (1, 2, 3)]
    steps = [_values(each, 4) or (1,) * len(own) for each, own in zip((source, node), axes)]
    inputs = [source.inputs[0], *(ints(*part) for part in parts)]
    both = (*steps[0], *steps[1])
    use.replace(node, inputs + [ints(*both)] * any(step != 1 for step in both))


def _values(node: Node, index: int) -> tuple[Any, ...]:
    if index >= len(node.inputs):
        return ()
    item = node.inputs[index]
    assert isinstance(item, Tensor) and item.value is not None
    return item.value


_RULES: dict[str, tuple[_Rule, ...]] = {
    "Conv": (_pad_into_window,),
    "AveragePool": (_pad_into_window,),
    "Concat": (_concat_of_concat,),
    "Reshape": (_reshape_of_reshape,),
    "Flatten": (_reshape_of_reshape,),
    "Transpose": (_transpose_of_transpose,),
    "Relu": (_relu_of_relu,),
    "Slice": (_slice_of_slice,),
}
