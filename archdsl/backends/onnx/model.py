"""An ONNX model in memory: nodes, typed values, tensors whose numbers are made when written.

Knows nothing of specs, and nothing of the file format.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from archdsl.support.arrays import Array
from archdsl.support.records import Record

Size = int | str
"""A size of an axis, or the name of one that is known at run time alone."""
Sizes = tuple[Size, ...]
"""The sizes of all axes, the batch first."""


class Type(Record):
    """A type of numbers: its number in ONNX, and bytes for each."""

    name: str
    code: int
    bytes: int


FLOAT32 = Type("float32", 1, 4)
FLOAT16 = Type("float16", 10, 2)
BFLOAT16 = Type("bfloat16", 16, 2)
INT64 = Type("int64", 7, 8)
TYPES = {type_.name: type_ for type_ in (FLOAT32, FLOAT16, BFLOAT16)}
"""Those that a network can be written in."""


class Value:
    """A tensor that flows. `name` is empty until the model is named."""

    __slots__ = ("name", "node", "shape", "type")

    def __init__(self, shape: Sizes, type_: Type, node: Node | None = None, name: str = "") -> None:
        self.shape = shape
        self.type = type_
        self.node = node
        self.name = name


class Tensor:
    """A tensor with numbers of its own: a weight, or a constant that an operator takes.

    `blocks` makes the numbers, in pieces of whole rows along the first axis and in the type of the
    file; none for a weight that is to be given at run time. `value` holds those of a constant.
    """

    __slots__ = ("blocks", "name", "shape", "type", "value")

    def __init__(
        self,
        name: str,
        shape: tuple[int, ...],
        type_: Type,
        blocks: Callable[[], Iterator[Array]] | None,
        value: tuple[int | float, ...] | None = None,
    ) -> None:
        self.name = name
        self.shape = shape
        self.type = type_
        self.blocks = blocks
        self.value = value

    @property
    def size(self) -> int:
        """Bytes that its numbers take."""
        count = self.type.bytes
        for extent in self.shape:
            count *= extent
        return count


class Node:
    """An operator. `scope` is the use of a block that it belongs to; nodes that write one primitive
    share its `primitive`."""

    __slots__ = ("attributes", "inputs", "name", "op", "outputs", "primitive", "scope")

    def __init__(
        self,
        op: str,
        inputs: list[Value | Tensor | None],
        attributes: dict[str, Any],
        name: str,
        scope: Any,
        primitive: object,
    ) -> None:
        self.op = op
        self.inputs = inputs
        self.attributes = attributes
        self.outputs: list[Value] = []
        self.name = name
        self.scope = scope
        self.primitive = primitive

    def __repr__(self) -> str:
        return f"<{self.name}: {self.op}>"


class Function:
    """A block as an operator: the formal names of its tensors and attributes, its nodes."""

    __slots__ = ("attributes", "doc", "inputs", "name", "nodes", "outputs")

    def __init__(
        self,
        name: str,
        doc: str,
        inputs: list[str],
        outputs: list[str],
        attributes: list[str],
        nodes: list[Written],
    ) -> None:
        self.name = name
        self.doc = doc
        self.inputs = inputs
        self.outputs = outputs
        self.attributes = attributes
        self.nodes = nodes


class Reference(Record):
    """In a function the value of one of its attributes; `example` is of the same type."""

    name: str
    example: Any


class Written(Record):
    """A node as the file has it, its tensors by name. `domain` is that of a local function."""

    op: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: tuple[tuple[str, Any], ...]
    domain: str = ""


class Model:
    """A network: its nodes in an order in which they can be computed, its inputs and outputs."""

    def __init__(self, name: str, opset: int) -> None:
        self.name = name
        self.opset = opset
        self.doc = ""
        self.producer = ("", "")
        self.metadata: dict[str, str] = {}
        self.inputs: list[Value] = []
        self.outputs: list[Value] = []
        self.nodes: list[Node] = []

    def tensors(self) -> list[Tensor]:
        """The tensors that nodes take, each once, in the order of use."""
        found: dict[Tensor, Tensor] = {}
        for node in self.nodes:
            for item in node.inputs:
                if isinstance(item, Tensor):
                    found.setdefault(item, item)
        return list(found.values())
