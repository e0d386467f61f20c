"""Reads and writes `.safetensors`: a length, a header in JSON, and the numbers of all tensors.

The header that is read is believed in nothing: every size, place and type is checked against the
file before a number is read. Rows are read rather than mapped, so that what was used leaves the
memory.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from math import prod
from typing import Any, NamedTuple, NoReturn

import numpy as np

from archdsl.diagnostics import errors
from archdsl.ops import Shape, shape_text
from archdsl.support.arrays import Array
from archdsl.support.atomic import whole
from archdsl.support.progress import Progress, Written, untold
from archdsl.weights.sources import widened

_LONGEST_HEADER = 8_000_000
"""Bytes; four hundred for each tensor that a file may have."""

_LONGEST_REASON = 500
"""Characters; a name can be as long as the header."""

_MOST_AXES = 32

# What numpy reads, and what kind of numbers these are. bfloat16 is read as the bits it is.
_TYPES = {
    "F64": ("<f8", "float64"),
    "F32": ("<f4", "float32"),
    "F16": ("<f2", "float16"),
    "BF16": ("<u2", "bfloat16"),
    "I64": ("<i8", "int64"),
    "I32": ("<i4", "int32"),
    "I16": ("<i2", "int16"),
    "I8": ("i1", "int8"),
    "U64": ("<u8", "uint64"),
    "U32": ("<u4", "uint32"),
    "U16": ("<u2", "uint16"),
    "U8": ("u1", "uint8"),
    "BOOL": ("u1", "truth values"),
    "F8_E4M3": ("u1", "8-bit floats"),
    "F8_E5M2": ("u1", "8-bit floats"),
    "C64": ("<c8", "complex64"),
}


class _Place(NamedTuple):
    kind: str
    offset: int


class SafetensorsFile:
    """The tensors of a file; raises a diagnostic for one that is no sound safetensors file."""

    def __init__(self, path: str) -> None:
        self.name = os.path.basename(path)
        self._path = path
        self.shapes: dict[str, Shape] = {}
        self.kinds: dict[str, str] = {}
        self._places: dict[str, _Place] = {}
        try:
            with open(path, "rb") as file:
                size = os.fstat(file.fileno()).st_size
                length = int.from_bytes(file.read(8), "little")
                if size < 8 or length > min(size - 8, _LONGEST_HEADER):
                    self._refuse(f"header length {length} exceeds the file size {size}")
                text = file.read(length)
        except OSError as problem:
            reason = problem.strerror or str(problem)
            raise errors.NoSuchFile(path=path, reason=reason) from None
        self._read_header(text, 8 + length, size - 8 - length)

    def _read_header(self, text: bytes, start: int, room: int) -> None:
        header: Any = None
        try:
            header = json.loads(text.decode(), object_pairs_hook=self._once)
        except (ValueError, RecursionError):
            self._refuse("header is not JSON")
        if not isinstance(header, dict):
            self._refuse("header is not a JSON object")
        header.pop("__metadata__", None)
        ends = []
        for name, entry in header.items():
            begin, end = self._read_entry(name, entry, start)
            ends.append((begin, end, name))
        reached = 0
        for begin, end, name in sorted(ends):
            if begin != reached:
                what = "overlaps another tensor" if begin < reached else "leaves a gap before it"
                self._refuse(f"`{name}` {what}, at byte {begin}")
            reached = end
        if reached != room:
            self._refuse(f"tensors take {reached} bytes, but the file has {room}")

    def _read_entry(self, name: str, entry: Any, start: int) -> tuple[int, int]:
        if not isinstance(entry, dict) or not {"dtype", "shape", "data_offsets"} <= set(entry):
            self._refuse(f"`{name}` lacks a dtype, a shape or its data_offsets")
        kind, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
        if not isinstance(kind, str) or kind not in _TYPES:
            self._refuse(f"`{name}` has the unknown dtype {kind!r}")
        if not _are_sizes(shape) or len(shape) > _MOST_AXES:
            self._refuse(f"`{name}` has the shape {shape!r:.80}")
        if not _are_sizes(offsets) or len(offsets) != 2:
            self._refuse(f"`{name}` has the data_offsets {offsets!r:.80}")
        begin, end = offsets
        need = prod(shape) * np.dtype(_TYPES[kind][0]).itemsize
        if end - begin != need:
            text = shape_text(tuple(shape)) or "a single number"
            self._refuse(f"`{name}`, {text} of {kind}, takes {need} bytes, not {end - begin}")
        self.shapes[name] = tuple(shape)
        self.kinds[name] = _TYPES[kind][1]
        self._places[name] = _Place(kind, start + begin)
        return begin, end

    def _once(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in pairs]
        if len(set(names)) != len(names):
            self._refuse("duplicate name in the header")
        return dict(pairs)

    def _refuse(self, reason: str) -> NoReturn:
        raise errors.NotSafetensors(path=self._path, reason=f"{reason:.{_LONGEST_REASON}}")

    def rows(self, name: str, start: int, stop: int) -> Array:
        """Some rows of a tensor; raises a diagnostic where the file has changed since."""
        kind, offset = self._places[name]
        shape = self.shapes[name]
        dtype = np.dtype(_TYPES[kind][0])
        row = prod(shape[1:])
        count = row * (stop - start)
        found = np.fromfile(self._path, dtype, count, offset=offset + start * row * dtype.itemsize)
        if len(found) != count:
            self._refuse("file shrank while it was read")
        found = found.reshape((stop - start, *shape[1:]) if shape else ())
        return widened(found, self.kinds[name])


def _are_sizes(value: Any) -> bool:
    return isinstance(value, list) and all(type(n) is int and 0 <= n < 2**62 for n in value)


def write(
    path: str,
    shapes: Mapping[str, Shape],
    kinds: Mapping[str, str],
    pieces: Callable[[str], Iterable[Array]],
    progress: Progress = untold,
) -> None:
    """Write a file that appears whole or not at all. Raises `OSError`.

    `kinds` are the types of numbers, `pieces` gives the numbers of a tensor, some rows at a time.
    Wide numbers come first, so that all are aligned; otherwise tensors keep their order.
    """
    types = {kind: (code, np.dtype(dtype)) for code, (dtype, kind) in _TYPES.items()}
    names = sorted(shapes, key=lambda name: -types[kinds[name]][1].itemsize)
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name in names:
        code, dtype = types[kinds[name]]
        start, end = end, end + prod(shapes[name]) * dtype.itemsize
        header[name] = {"dtype": code, "shape": [*shapes[name]], "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with whole([path]) as (file,):
        file.write(len(text).to_bytes(8, "little") + text)
        begun = file.tell()
        written = Written(end, progress)
        for name in names:
            dtype = types[kinds[name]][1]
            for piece in pieces(name):
                file.write(np.ascontiguousarray(piece, dtype).data)
                written.add(piece.size * dtype.itemsize)
            if file.tell() - begun != header[name]["data_offsets"][1]:
                raise AssertionError(f"{name} has another length")
