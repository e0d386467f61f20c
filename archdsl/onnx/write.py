"""Writes a model to its file, or to two, with never more than a piece of a tensor in memory.

All lengths follow from shapes, so that they can stand before the numbers. The files appear whole,
or none of them does.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, NamedTuple

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

from archdsl import errors
from archdsl.onnx import protobuf
from archdsl.onnx.model import INT64, Function, Model, Tensor, Value, Written

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
    nodes: list[Written]
    values: list[Value]
    functions: list[Function]
    tensors: list[Tensor]
    given: list[Tensor]
    """Weights that are inputs."""


def write(path: str, content: Content, external: str = "auto") -> None:
    """Write a model; with weights of their own file that is `path` with `.data` behind it.

    Raises `OSError`, and a diagnostic where the model does not fit into one file and must.
    """
    total = sum(tensor.size for tensor in content.tensors)
    if external == "never" and total + _size_of_rest(content) > LARGEST_FILE:
        raise errors.TooLargeForOneFile(size=total)
    apart = external == "always" or (external == "auto" and total > LARGEST_BY_CHOICE)
    if not apart:
        with _whole([path]) as (file,):
            for part in _parts(content, {}):
                _put(file, part)
        return
    data_path = path + ".data"
    offsets = _offsets([tensor for tensor in content.tensors if _is_large(tensor)])
    location = os.path.basename(data_path)
    ends = {
        key: protobuf.external(location, offset, tensor.size)
        for key, (tensor, offset) in offsets.items()
    }
    with _whole([data_path, path]) as (data, file):
        for tensor, offset in offsets.values():
            data.write(bytes(offset - data.tell()))
            _put(data, tensor)
        for part in _parts(content, ends):
            _put(file, part)


def _is_large(tensor: Tensor) -> bool:
    return tensor.size >= _SMALL and tensor.type is not INT64


def _offsets(tensors: list[Tensor]) -> dict[int, tuple[Tensor, int]]:
    """Where each tensor lies in their file: large ones at a page, so that they can be mapped."""
    found = {}
    end = 0
    for tensor in tensors:
        unit = _PAGE if tensor.size >= 16 * _PAGE else 64
        start = -(-end // unit) * unit
        found[id(tensor)] = (tensor, start)
        end = start + tensor.size
    return found


def _size_of_rest(content: Content) -> int:
    """Bytes without the numbers of tensors, a little more than there will be."""
    parts = [part for part in _parts(content, {}) if isinstance(part, bytes)]
    return sum(map(len, parts))


def _parts(content: Content, ends: dict[int, bytes]) -> Iterator[bytes | Tensor]:
    """The bytes of the model; a tensor stands for its numbers. `ends` are for those elsewhere."""
    model = content.model
    fields: list[bytes | Tensor] = []
    for tensor in content.tensors:
        start = protobuf.tensor_start(tensor)
        end = ends.get(id(tensor))
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


def _put(file: IO[bytes], part: bytes | Tensor) -> None:
    if isinstance(part, bytes):
        file.write(part)
        return
    assert part.blocks is not None
    written = 0
    for block in part.blocks():
        file.write(block.data)
        written += block.nbytes
    if written != part.size:
        raise AssertionError(f"{part.name} has {written} bytes, not {part.size}")


# Files that appear whole


@contextmanager
def _whole(paths: list[str]) -> Iterator[list[IO[bytes]]]:
    """Files to write; together they take their places in the end, or nothing is left of them."""
    if any(os.path.exists(path) and not os.path.isfile(path) for path in paths):
        with _opened(paths) as files:  # a device or a pipe is written as it is
            yield files
        return
    places = [os.path.realpath(path) for path in paths]
    temporary: list[str] = []
    try:
        for place in places:
            descriptor, name = tempfile.mkstemp(prefix=".archdsl-", dir=os.path.dirname(place))
            os.close(descriptor)
            temporary.append(name)
        with _opened(temporary) as files:
            yield files
        for name, place in zip(temporary, places):
            os.chmod(name, _mode(place))
        with _alone(places):
            _replace_all(list(zip(temporary, places)))
    finally:
        for name in temporary:
            if os.path.exists(name):
                os.unlink(name)


@contextmanager
def _opened(paths: list[str]) -> Iterator[list[IO[bytes]]]:
    files: list[IO[bytes]] = []
    try:
        for path in paths:
            files.append(open(path, "wb"))
        yield files
        for file in files:
            file.close()  # what is left in the buffers may not fit either
    finally:
        for file in files:
            try:
                file.close()
            except OSError:
                pass


@contextmanager
def _alone(places: list[str]) -> Iterator[None]:
    """Where several files belong together, let nobody else put theirs in between."""
    if len(places) < 2 or fcntl is None:
        yield
        return
    folder = os.open(os.path.dirname(places[0]), os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _mode(place: str) -> int:
    """The rights of the file that is there, or of a new one."""
    try:
        return os.stat(place).st_mode & 0o777
    except FileNotFoundError:
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask


def _replace_all(moves: list[tuple[str, str]]) -> None:
    """Move files over others; where one fails, those moved before are as they were."""
    undo: list[Callable[[], None]] = []
    kept: list[str] = []
    try:
        for number, (name, place) in enumerate(moves):
            if number + 1 < len(moves):
                undo.append(_keep(place, kept))
            os.replace(name, place)
    except BaseException:
        for step in reversed(undo):
            step()
        raise
    finally:
        for name in kept:
            if os.path.exists(name):
                os.unlink(name)


def _keep(place: str, kept: list[str]) -> Callable[[], None]:
    """Set a file aside; how to bring it back."""
    if not os.path.exists(place):
        return lambda: os.path.exists(place) and os.unlink(place)  # type: ignore[func-returns-value, return-value]
    aside = f"{place}.archdsl-{os.getpid()}"
    os.rename(place, aside)
    kept.append(aside)

    def back() -> None:
        os.replace(aside, place)

    return back
