"""Writes a model to its file, or to two, with never more than a piece of a tensor in memory.

All lengths follow from shapes, so that they can stand before the numbers. The files appear whole,
or none of them does.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from typing import IO, NamedTuple

from archdsl.backends.onnx import protobuf
from archdsl.backends.onnx.model import INT64, Function, Model, Tensor, Value
from archdsl.backends.onnx.model import Written as WrittenNode
from archdsl.diagnostics import errors
from archdsl.support.atomic import whole
from archdsl.support.progress import Progress, Written, untold

LARGEST_FILE = 2**31 - 1
"""Protocol buffers are no longer than this."""
LARGEST_BY_CHOICE = 1_800_000_000
"""From here on `auto` puts weights into a file of their own."""
EXTERNAL = ("auto", "always", "never")

_SMALL = 1024
"""Bytes below which a tensor stays in the model, whatever the choice: shapes are read there."""
_PAGE = 4096


class Content(NamedTuple):
    """A model as its files have it."""

    model: Model
    ir_version: int
    nodes: list[WrittenNode]
    values: list[Value]
    functions: list[Function]
    tensors: list[Tensor]
    given: list[Tensor]
    """Weights that are inputs."""


def write(path: str, content: Content, external: str = "auto", progress: Progress = untold) -> None:
    """Write a model; with weights of their own file that is `path` with `.data` behind it.

    Raises `OSError`, and a diagnostic where the model does not fit into one file and must.
    """
    total = sum(tensor.size for tensor in content.tensors)
    if external == "never" and total + _size_of_rest(content) > LARGEST_FILE:
        raise errors.TooLargeForOneFile(size=total)
    apart = external == "always" or (external == "auto" and total > LARGEST_BY_CHOICE)
    written = Written(total, progress)
    if not apart:
        with whole([path]) as (file,):
            for part in _parts(content, {}):
                _put(file, part, written)
        return
    data_path = path + ".data"
    offsets = _offsets([tensor for tensor in content.tensors if _is_large(tensor)])
    location = os.path.basename(data_path)
    if not location.isprintable():  # the ONNX file names it, in UTF-8
        raise OSError(errno.EINVAL, "external data requires a printable file name")
    ends = {
        key: protobuf.external(location, offset, tensor.size)
        for key, (tensor, offset) in offsets.items()
    }
    with whole([data_path, path]) as (data, file):
        for tensor, offset in offsets.values():
            data.write(bytes(offset - data.tell()))
            _put(data, tensor, written)
        for part in _parts(content, ends):
            _put(file, part, written)


def _is_large(tensor: Tensor) -> bool:
    return tensor.size >= _SMALL and tensor.type is not INT64


def _offsets(tensors: list[Tensor]) -> dict[Tensor, tuple[Tensor, int]]:
    """Offsets of tensors in their file; large ones are page-aligned for memory mapping."""
    found = {}
    end = 0
    for tensor in tensors:
        unit = _PAGE if tensor.size >= 16 * _PAGE else 64
        start = -(-end // unit) * unit
        found[tensor] = (tensor, start)
        end = start + tensor.size
    return found


def _size_of_rest(content: Content) -> int:
    """Bytes without the numbers of tensors, a little more than there will be."""
    parts = [part for part in _parts(content, {}) if isinstance(part, bytes)]
    return sum(map(len, parts))


def _parts(content: Content, ends: dict[Tensor, bytes]) -> Iterator[bytes | Tensor]:
    """The bytes of the model; a tensor stands for its numbers. `ends` are for those elsewhere."""
    model = content.model
    fields: list[bytes | Tensor] = []
    for tensor in content.tensors:
        start = protobuf.tensor_start(tensor)
        end = ends.get(tensor)
        if end is not None:
            whole = start + end
            fields.append(protobuf.head(protobuf.INITIALIZER, len(whole)) + whole)
        else:
            start += protobuf.head(protobuf.RAW_DATA, tensor.size)
            length = len(start) + tensor.size
            fields += [protobuf.head(protobuf.INITIALIZER, length) + start, tensor]
    inputs: list[Value | Tensor] = [*model.inputs, *content.given]
    graph = [
        protobuf.graph_start(model, content.nodes),
        *fields,
        protobuf.graph_end(
            [protobuf.value_info(x.name, x.shape, x.type) for x in inputs],
            model.outputs,
            content.values,
        ),
    ]
    length = sum(part.size if isinstance(part, Tensor) else len(part) for part in graph)
    yield protobuf.model_start(model, content.ir_version) + protobuf.head(protobuf.GRAPH, length)
    yield from graph
    yield protobuf.model_end(model, content.functions)


def _put(file: IO[bytes], part: bytes | Tensor, told: Written) -> None:
    if isinstance(part, bytes):
        file.write(part)
        return
    assert part.blocks is not None
    written = 0
    for block in part.blocks():
        file.write(block.data)
        written += block.nbytes
        told.add(block.nbytes)
    if written != part.size:
        raise AssertionError(f"{part.name} has {written} bytes, not {part.size}")
