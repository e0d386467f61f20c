"""A primitive where it stands: what the tables of `layers.py` may ask about it."""

from __future__ import annotations

from collections.abc import Mapping
from math import isclose
from typing import TYPE_CHECKING, Any

from archdsl.backends.pytorch.lanes import agrees, as_whole, fitted
from archdsl.backends.pytorch.layers import LAYERS
from archdsl.backends.pytorch.symbols import (
    ATOM,
    NotExpressible,
    NotOpen,
    Symbol,
    call,
    is_constant,
    literal,
    python,
)
from archdsl.elaborate.expressions import OperationValue
from archdsl.frontend import ast
from archdsl.frontend.units import Unit
from archdsl.ir.graph import Frame, Node
from archdsl.ops import Operation
from archdsl.ops.kinds import nearest_whole

if TYPE_CHECKING:
    from archdsl.backends.pytorch.flows import Flows


_SOURCES = {"count": "sizes", "pads": "p"}
"""The parameters that other attributes follow from."""


class StepSite:
    """A primitive where it stands: see `layers.Site`."""

    def __init__(
        self,
        builder: Flows,
        nodes: Mapping[Frame, Node],
        step: ast.Call | None,
        channels: Symbol | None,
        forward: bool = False,
        written: Mapping[str, ast.Expression] | None = None,
    ) -> None:
        self.builder = builder
        self.nodes = nodes
        self.step = step
        self.written = written or {}
        self.forward = forward
        self.operations: list[Operation] = [node.operation for node in nodes.values()]
        self.inplace = all(builder.writer.may_overwrite(node) for node in nodes.values())
        self._channels = channels
        for name in ("init", "bias_init"):
            self.settle(name)

    @property
    def channels(self) -> Symbol:
        """The channels of the input."""
        sizes = {f: node.inputs[0].shape[0] for f, node in self.nodes.items()}
        symbol = self._channels
        if symbol is not None and agrees(symbol, sizes):
            return fitted(symbol, sizes)
        return self.builder.find(sizes)

    def helper(self, name: str) -> str:
        return str(self.builder.writer.helper(name))

    def _written(self, name: str) -> ast.Expression | None:
        """What the spec says of a parameter here."""
        if self.step is None:
            return self.written.get(name)
        return self.builder.argument_of(self.step, name, next(iter(self.nodes.values())))

    def open(self, name: str) -> frozenset[str]:
        """The open parameters of the network that an argument follows."""
        return self.builder.opened(self._written(name), list(self.nodes))

    def settle(self, name: str) -> None:
        """Refuse to keep a parameter of the network open that an argument follows: its value is
        written as a number."""
        if opened := self.open(name):
            raise NotOpen(opened)

    def argument(self, name: str) -> Symbol:
        """The symbol of a parameter of the operation."""
        values = {f: concrete(node.operation, name) for f, node in self.nodes.items()}
        source = _SOURCES.get(name, name)
        written = self._written(source)
        lanes = [f for f in values if written is None or written in f.trace]
        settled = self.builder.settled(values)
        if settled and (written is None or not self.builder.plan.open):
            return literal(values)
        if name == "pads":
            return literal(values) if is_constant(values) else Symbol(values, "")
        symbol = self.builder.symbol(written, lanes) if written is not None and lanes else None
        if symbol is None or len(lanes) < len(values):
            if is_constant(values):
                return literal(values)
            symbol = self.builder.find(values)
        if not symbol.names and is_constant(values):
            return literal(values)
        if not all(_same(symbol.at(f), value) for f, value in values.items()):
            # What the text says is scaled: channels by `width`, for one.
            if symbol.open:
                raise NotOpen(symbol.open)
            symbol = self.builder.find(values)
        is_float = all(isinstance(value, float) for value in values.values())
        if is_float:
            symbol = self.builder.plan.as_float(symbol, values)
        else:
            self.builder.plan.counts |= symbol.names
        symbol = self._converted(symbol, values, written)
        if self.forward:
            return Symbol(values, self.builder.in_forward(symbol, name))
        return symbol

    def items(self, name: str) -> list[str]:
        """The items of a tuple in `forward`, of a parameter that is a tuple in all uses. What is
        left over of a shape is -1."""
        rests = {getattr(operation, "rest", None) for operation in self.operations}
        if len(rests) > 1:
            raise NotExpressible
        values = {f: getattr(node.operation, name) for f, node in self.nodes.items()}
        if len({len(value) for value in values.values()}) > 1:
            raise NotExpressible
        written = self._written(name)
        items = written.items if isinstance(written, ast.Tuple | ast.List) else None
        if items is None:
            self.settle(name)
        texts = []
        for i, first in enumerate(next(iter(values.values()))):
            if i in rests:
                texts.append("-1")
                continue
            sizes = {f: value[i] for f, value in values.items()}
            item = items[i] if items is not None else None
            if self.builder.settled(sizes) and not self.builder.opened(item, list(sizes)):
                texts.append(python(first))
                continue
            symbol = None
            if item is not None:
                symbol = as_whole(self.builder.symbol(item, list(sizes)))
                symbol = symbol if agrees(symbol, sizes) else None
            symbol = symbol or self.builder.find(sizes)
            self.builder.plan.counts |= symbol.names
            texts.append(self.builder.in_forward(symbol, f"{name}_{i}"))
        return texts

    def _converted(
        self, symbol: Symbol, values: Mapping[Frame, Any], written: ast.Expression | None
    ) -> Symbol:
        raw = {f: symbol.at(f) for f in values}
        kinds = {isinstance(v, tuple) for v in raw.values()}
        if len(kinds) > 1:
            raise NotExpressible
        if kinds != {True}:
            return fitted(symbol, values)
        if any(type(item) is float for tuple_ in raw.values() for item in tuple_):
            if all(map(_is_whole, values.values())):
                return self._whole_items(symbol, raw, written)
        return fitted(symbol, raw)

    def _whole_items(
        self, symbol: Symbol, raw: Mapping[Frame, Any], written: ast.Expression | None
    ) -> Symbol:
        """A tuple where PyTorch needs integers, and arithmetic made floats of some items."""
        ranks = {len(value) for value in raw.values()}
        if len(ranks) > 1:
            raise NotExpressible
        items: list[Symbol] = []
        for i in range(ranks.pop()):
            values = {f: value[i] for f, value in raw.items()}
            if isinstance(written, ast.Tuple):
                item = fitted(self.builder.symbol(written.items[i], list(raw)), values)
            else:
                item = call(f"{symbol.wrapped(ATOM)}[{i}]", [symbol], values)
            items.append(as_whole(item))
        inside = ", ".join(item.text for item in items)
        whole = {f: tuple(map(nearest_whole, value)) for f, value in raw.items()}
        return call(f"({inside}{',' * (len(items) == 1)})", items, whole)


class _BareSite:
    """A site for an operation by itself."""

    inplace = False

    def __init__(self, operations: list[Operation]) -> None:
        self.operations = operations

    @property
    def channels(self) -> Symbol:
        raise NotExpressible

    def open(self, name: str) -> frozenset[str]:
        return frozenset()

    def settle(self, name: str) -> None:
        pass

    def argument(self, name: str) -> Symbol:
        raise NotExpressible

    def items(self, name: str) -> list[str]:
        raise NotExpressible

    def helper(self, name: str) -> str:
        raise NotExpressible


def class_of(value: OperationValue) -> str | None:
    """The class of a layer that takes no arguments: `nn.ReLU`."""
    if isinstance(value.callee, Unit) or value.arguments or value.callee.name not in LAYERS:
        return None
    try:
        operation = value.callee(((8,),), {})
        code = LAYERS[value.callee.name](_BareSite([operation]))
    except Exception:  # one that needs arguments, or a map: it has no class that is one by itself
        return None
    return code.function if not code.arguments else None


def concrete(operation: Operation, name: str) -> Any:
    """A parameter's value as PyTorch takes it: one number where all axes agree."""
    if name == "count":
        return len(operation.outputs)
    value = getattr(operation, name)
    if name == "pads":
        return value
    if name in ("axes", "shape", "sizes"):
        return value
    if isinstance(value, tuple) and value and len(set(value)) == 1:
        return value[0]
    return value


def _same(said: Any, value: Any) -> bool:
    """Whether what the text says of a parameter is its value, be it said for each axis."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        items = said if isinstance(said, tuple) else (said,)
        return all(
            isinstance(item, int | float) and isclose(item, value, rel_tol=1e-9, abs_tol=1e-9)
            for item in items
        )
    if isinstance(value, tuple) and isinstance(said, tuple):
        return len(said) == len(value) and all(map(_same, said, value))
    return True


def _is_whole(value: Any) -> bool:
    items = value if isinstance(value, tuple) else (value,)
    return all(type(item) is int for item in items)


def flatten_before(node: Node) -> Node | None:
    before = node.inputs[0].node
    if before is not None and node.operation.flattens and before.span is node.span:
        return before if before.operation.name == "flatten" else None
    return None
