"""What rows of the lowering table work with: a place where nodes and tensors are added."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, NoReturn

import numpy as np

from archdsl.backends.onnx import numbers
from archdsl.backends.onnx.dynamic import is_symbolic
from archdsl.backends.onnx.fold import Affine, Plan, adds, along_weight
from archdsl.backends.onnx.model import FLOAT32, INT64, Model, Node, Sizes, Tensor, Type, Value
from archdsl.diagnostics import errors
from archdsl.ir.graph import Node as Primitive
from archdsl.ir.graph import Value as Result
from archdsl.support import limits
from archdsl.support.arrays import Array
from archdsl.weights.sources import Source, row_pieces, tensor_name


class Builder:
    """A model as it grows. Equal constants are one tensor."""

    def __init__(
        self,
        model: Model,
        type_: Type,
        weights: Source | None,
        plan: Plan,
        sizes: dict[Result, Sizes],
    ) -> None:
        self.model = model
        self.type = type_
        self.weights = weights
        self.plan = plan
        self.sizes = sizes
        self._constants: dict[Any, Tensor] = {}
        self._room = limits.CONSTANTS

    def room(self, count: int, primitive: Primitive) -> None:
        """Make room for numbers beside the weights, before they are made."""
        self._room -= count
        if self._room < 0:
            total, name = limits.CONSTANTS - self._room, primitive.operation.name
            raise errors.TooManyConstants(
                primitive.span, operation=name, count=total, limit=limits.CONSTANTS
            )

    def constant(
        self, values: tuple[int | float, ...], shape: tuple[int, ...], type_: Type
    ) -> Tensor:
        """A tensor of numbers that an operator takes."""
        key = (values, shape, type_.name)
        found = self._constants.get(key)
        if found is None:
            text = ",".join(f"{value:g}" for value in values[:21])  # more are no name
            kind = "ints" if type_ is INT64 else "numbers"
            name = f"{kind}/{text}" if len(text) <= 40 else f"{kind}/{len(self._constants)}"
            array = np.array(values, np.int64 if type_ is INT64 else np.float64)
            array = numbers.encode(array, type_, name)
            array = array.reshape(shape)
            found = Tensor(name, shape, type_, lambda: iter([array]), values)
            self._constants[key] = found
        return found


class Site:
    """Where a primitive is lowered: gives its sizes and tensors, and takes its nodes."""

    def __init__(self, builder: Builder, primitive: Primitive, type_: Type | None = None) -> None:
        self._builder = builder
        self.type = type_ or builder.type
        self._primitive = primitive
        self.operation: Any = primitive.operation
        self._name = node_name(primitive)
        self.opset = builder.model.opset
        self.sizes: list[Sizes] = [builder.sizes[value] for value in primitive.outputs]
        self.dynamic = any(is_symbolic(builder.sizes[v]) for v in primitive.inputs)
        """True if spatial sizes are known only at run time."""

    @property
    def out(self) -> Sizes:
        """The sizes of the first output."""
        return self.sizes[0]

    def emit(
        self,
        op: str,
        *inputs: Value | Tensor | None,
        shape: Sizes | None = None,
        type_: Type | None = None,
        **attributes: Any,
    ) -> Value:
        """Add a node with one output, of the primitive's shape where no other is given."""
        shapes = [self.out if shape is None else shape]
        return self.emit_many(op, inputs, shapes, type_, attributes)[0]

    def emit_many(
        self,
        op: str,
        inputs: tuple[Value | Tensor | None, ...],
        shapes: list[Sizes],
        type_: Type | None = None,
        attributes: dict[str, Any] | None = None,
    ) -> list[Value]:
        """Add a node; its outputs. Attributes that are none are left out."""
        kept = {k: v for k, v in (attributes or {}).items() if v is not None}
        scope = self._primitive.scope
        node = Node(op, list(inputs), kept, self._name, scope, self._primitive)
        node.outputs = [Value(shape, type_ or self.type, node) for shape in shapes]
        self._builder.model.nodes.append(node)
        return node.outputs

    def emit_ints(self, op: str, *inputs: Value | Tensor | None, count: int, **more: Any) -> Value:
        """Add a node that computes so many whole numbers while the graph runs."""
        return self.emit(op, *inputs, shape=(count,), type_=INT64, **more)

    def in_float32(self, x: Value, compute: Callable[[Site, Value], Value]) -> Value:
        """What `compute` makes of a tensor in float32, whatever the network's type."""
        if self.type is FLOAT32:
            return compute(self, x)
        wide = Site(self._builder, self._primitive, FLOAT32)
        y = compute(wide, wide.emit("Cast", x, shape=x.shape, to=FLOAT32.code))
        return self.emit("Cast", y, shape=y.shape, to=self.type.code)

    # Tensors

    def room(self, count: int) -> None:
        """Refuse to make so many numbers where a file would get too large."""
        self._builder.room(count, self._primitive)

    def ints(self, *values: int) -> Tensor:
        """A list of whole numbers."""
        return self._builder.constant(values, (len(values),), INT64)

    def floats(self, *values: float) -> Tensor:
        """A list of numbers that an operator takes as float32, whatever the network's type."""
        return self._builder.constant(tuple(map(float, values)), (len(values),), FLOAT32)

    def number(self, value: float) -> Tensor:
        """One number, in the type of the network."""
        return self._builder.constant((float(value),), (), self.type)

    def whole(self, value: int) -> Tensor:
        """One whole number."""
        return self._builder.constant((value,), (), INT64)

    def repeated(self, value: float, count: int) -> Tensor:
        """The same number for each channel."""
        self.room(count)
        return self._builder.constant((float(value),) * count, (count,), self.type)

    def array(self, name: str, array: Array) -> Tensor:
        """A constant of many numbers, named by the primitive."""
        encoded = numbers.encode(array, self.type)
        title = f"{self._name}/{name}"
        return Tensor(title, encoded.shape, self.type, lambda: iter([encoded]))

    def has(self, weight: str) -> bool:
        """True if the primitive owns a tensor of this name."""
        return any(w.name == weight for w in self.operation.weights)

    def weight(self, name: str, shape: tuple[int, ...] | None = None) -> Tensor:
        """A tensor of the primitive, under its name in the `state_dict`."""
        (own,) = [w.shape for w in self.operation.weights if w.name == name]
        title, target, source = self._title(name), self._builder.type, self._builder.weights
        shape = own if shape is None else shape
        if source is None:
            return Tensor(title, shape, target, None)

        def blocks() -> Iterator[Array]:
            for piece in source.pieces(title):
                yield numbers.encode(piece, target, title)

        return Tensor(title, shape, target, blocks)

    def along(self, name: str) -> Tensor:
        """A vector with a number for each channel, so that it broadcasts over a map."""
        (own,) = [w.shape for w in self.operation.weights if w.name == name]
        return self.weight(name, (*own, *(1,) * (len(self.out) - 2)))

    def folded(self) -> list[Tensor]:
        """The weight, and the bias if there is one, of a layer, with what it takes up."""
        chain = self._builder.plan.chain(self._primitive)
        biased = self.has("bias")
        if not chain:
            return [self.weight(name) for name in ("weight", "bias") if self.has(name)]
        (shape,) = [w.shape for w in self.operation.weights if w.name == "weight"]
        biased_after = biased or any(map(adds, chain))
        channels: int = self.operation.c
        target, source, primitive = self._builder.type, self._builder.weights, self._primitive
        title, bias_title = self._title("weight"), self._title("bias")
        if source is None:
            bias = Tensor(bias_title, (channels,), target, None)
            return [Tensor(title, shape, target, None), *[bias] * biased_after]

        @cache
        def affine() -> Affine:
            return Affine(chain, channels, source)

        def weight_blocks() -> Iterator[Array]:
            factor = along_weight(primitive, affine().factor)
            for (start, stop), piece in zip(row_pieces(shape), source.pieces(title)):
                yield numbers.encode(piece * factor[start:stop], target, title)

        def bias_blocks() -> Iterator[Array]:
            own = source.vector(bias_title) if biased else 0.0
            yield numbers.encode(own * affine().factor + affine().shift, target, bias_title)

        bias = Tensor(bias_title, (channels,), target, bias_blocks)
        return [Tensor(title, shape, target, weight_blocks), *[bias] * biased_after]

    def _title(self, name: str) -> str:
        return tensor_name(self._primitive, name)

    # Refusals

    def refuse(self, reason: str) -> NoReturn:
        raise errors.NoLowering(
            self._primitive.span, operation=self.operation.name, opset=self.opset, reason=reason
        )


def node_name(primitive: Primitive) -> str:
    """The scope of a primitive, then what it does: `body/stage2/0/depthwise/conv`.

    The number of the step within its line is left out.
    """
    operation = primitive.operation.name
    own = list(primitive.name)
    if own and own[-1] == operation:
        own.pop()
    if len(own) > 1 and own[-1].isdigit():
        own.pop()
    return "/".join((*primitive.scope.path, *own, operation))
