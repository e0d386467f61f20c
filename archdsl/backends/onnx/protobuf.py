"""The messages of ONNX as bytes. Weights are left out: `write.py` puts them where `model` says.

A message is the concatenation of its fields, each a number, a wire type and a value; what is
written here is what Google's library writes for the same content, a test says. The numbers are
those of onnx.proto, which never change.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Any

from archdsl.backends.onnx.model import (
    Function,
    Model,
    Reference,
    Size,
    Sizes,
    Tensor,
    Type,
    Value,
    Written,
)

_VARINT, _BYTES, _FIXED32 = 0, 2, 5
_FLOAT, _INT, _STRING, _FLOATS, _INTS = 1, 2, 3, 6, 7
_EXTERNAL = 1

_ONE_BYTE = [bytes([number]) for number in range(128)]

FUNCTION_DOMAIN = "archdsl.blocks"
"""Domain of local functions."""


def varint(number: int) -> bytes:
    """A whole number, seven bits in each byte; negative ones as 64 bits in two's complement."""
    if 0 <= number < 128:
        return _ONE_BYTE[number]
    if number < 0:
        number += 1 << 64
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def _integer(field: int, number: int) -> bytes:
    return varint(field << 3 | _VARINT) + varint(number)


def _bytes(field: int, content: bytes) -> bytes:
    return varint(field << 3 | _BYTES) + varint(len(content)) + content


def _text(field: int, text: str) -> bytes:
    return _bytes(field, text.encode())


def head(field: int, length: int) -> bytes:
    """Prefix of a field of `length` bytes."""
    return varint(field << 3 | _BYTES) + varint(length)


# Nodes


def node(written: Written) -> bytes:
    """A NodeProto."""
    return b"".join(
        [
            *(_text(1, name) for name in written.inputs),
            *(_text(2, name) for name in written.outputs),
            _text(3, written.name),
            _text(4, written.op),
            *(_bytes(5, _attribute(name, value)) for name, value in written.attributes),
            _text(7, written.domain) if written.domain else b"",
        ]
    )


def _attribute(name: str, value: Any) -> bytes:
    """An AttributeProto: its type follows from that of the value."""
    start = _text(1, name)
    if isinstance(value, Reference):
        return start + _integer(20, _kind(value.example)) + _text(21, value.name)
    if isinstance(value, float):
        return start + varint(2 << 3 | _FIXED32) + struct.pack("<f", value) + _integer(20, _FLOAT)
    if isinstance(value, int):
        return start + _integer(3, value) + _integer(20, _INT)
    if isinstance(value, str):
        return start + _text(4, value) + _integer(20, _STRING)
    if isinstance(value[0], float):
        tag = varint(7 << 3 | _FIXED32)
        items = b"".join(tag + struct.pack("<f", item) for item in value)
        return start + items + _integer(20, _FLOATS)
    return start + b"".join(_integer(8, item) for item in value) + _integer(20, _INTS)


def _kind(value: Any) -> int:
    """The number of an attribute's type."""
    many = isinstance(value, tuple)
    first = value[0] if many else value
    if isinstance(first, str):
        return _STRING
    return (_FLOATS if many else _FLOAT) if isinstance(first, float) else _INTS if many else _INT


# Types and tensors


def value_info(name: str, shape: Sizes, type_: Type) -> bytes:
    """A ValueInfoProto: a name with the type and the shape of its tensor."""
    sizes = b"".join(_bytes(1, _dimension(size)) for size in shape)
    tensor = _integer(1, type_.code) + _bytes(2, sizes)
    return _text(1, name) + _bytes(2, _bytes(1, tensor))


def _dimension(size: Size) -> bytes:
    return _text(2, size) if isinstance(size, str) else _integer(1, size)


def tensor_start(tensor: Tensor) -> bytes:
    """A TensorProto but for its numbers, which follow as field 9, or lie in another file."""
    sizes = b"".join(_integer(1, size) for size in tensor.shape)
    return sizes + _integer(2, tensor.type.code) + _text(8, tensor.name)


RAW_DATA = 9


def external(location: str, offset: int, length: int) -> bytes:
    """The end of a TensorProto whose numbers lie in another file."""
    entries = {"location": location, "offset": str(offset), "length": str(length)}
    return b"".join(_bytes(13, _entry(*entry)) for entry in entries.items()) + _integer(
        14, _EXTERNAL
    )


def _entry(key: str, value: str) -> bytes:
    return _text(1, key) + _text(2, value)


# The whole

GRAPH, INITIALIZER = 7, 5


def model_start(model: Model, ir_version: int) -> bytes:
    """The fields of a ModelProto before its graph."""
    name, version = model.producer
    return _integer(1, ir_version) + _text(2, name) + _text(3, version) + _text(6, model.doc)


def graph_start(model: Model, nodes: Iterable[Written]) -> bytes:
    """The fields of a GraphProto before its initializers."""
    return b"".join([*(_bytes(1, node(item)) for item in nodes), _text(2, model.name)])


def graph_end(inputs: list[bytes], outputs: list[Value], values: Iterable[Value]) -> bytes:
    """The fields of a GraphProto after its initializers."""
    return b"".join(
        [
            *(_bytes(11, item) for item in inputs),
            *(_bytes(12, value_info(v.name, v.shape, v.type)) for v in outputs),
            *(_bytes(13, value_info(v.name, v.shape, v.type)) for v in values),
        ]
    )


def model_end(model: Model, functions: list[Function]) -> bytes:
    """The fields of a ModelProto after its graph."""
    domains = [_opset("", model.opset)]
    if functions:
        domains.append(_opset(FUNCTION_DOMAIN, 1))
    return b"".join(
        [
            *(_bytes(8, domain) for domain in domains),
            *(_bytes(14, _entry(*entry)) for entry in model.metadata.items()),
            *(_bytes(25, _function(item, domains)) for item in functions),
        ]
    )


def _opset(domain: str, version: int) -> bytes:
    return _text(1, domain) + _integer(2, version)


def _function(function: Function, domains: list[bytes]) -> bytes:
    """A FunctionProto."""
    return b"".join(
        [
            _text(1, function.name),
            *(_text(4, name) for name in function.inputs),
            *(_text(5, name) for name in function.outputs),
            *(_text(6, name) for name in function.attributes),
            *(_bytes(7, node(item)) for item in function.nodes),
            _text(8, function.doc),
            *(_bytes(9, domain) for domain in domains),
            _text(10, FUNCTION_DOMAIN),
        ]
    )
