"""Reads what `torch.save` writes, without torch: pickled mappings of tensors, and their numbers.

An archive is checked before a number is read: its records are stored as they are, and each is as
long as the tensors in it say. The older format, a row of pickles before the numbers, is read too.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from math import prod
from typing import Any, NoReturn

import numpy as np

from archdsl.diagnostics import errors
from archdsl.ops import Shape
from archdsl.support.arrays import Array
from archdsl.weights import archive, pickles
from archdsl.weights.archive import Record
from archdsl.weights.sources import widened

_DEEPEST = 3
"""Entries in entries that are looked into."""

_MOST_ENTRIES = 1_000_000
"""Entries of mappings that are looked at."""

_LARGEST_PICKLE = 64_000_000
"""Bytes of the pickle."""

_LONGEST_REASON = 500
"""Characters; a name of a file can be as long as the file."""

_MAGIC = 0x1950A86A20F9469CFC6C
"""The first pickle of a file of the older format."""

_TYPES = {
    "float64": "f8", "float32": "f4", "float16": "f2", "bfloat16": "u2",
    "int64": "i8", "int32": "i4", "int16": "i2", "int8": "i1", "uint8": "u1", "bool": "u1",
    "complex64": "c8", "complex128": "c16",
    "uint16": "u2", "uint32": "u4", "uint64": "u8",
}  # fmt: skip
"""numpy types; bfloat16 is read as bits."""


class CheckpointFile:
    """The tensors of a checkpoint; raises a diagnostic for one that cannot be read.

    `entry` is the place of the `state_dict` in the file: none for wherever there is one.
    """

    def __init__(self, path: str, entry: str | None = None) -> None:
        self.name = os.path.basename(path)
        self._path = path
        self._order = "<"
        self._records: dict[str, Record] = {}
        try:
            with open(path, "rb") as file:
                content = self._archive(file) if file.read(4) == b"PK\3\4" else self._row(file)
        except OSError as problem:
            raise errors.NoSuchFile(path=path, reason=problem.strerror or "") from None
        except archive.Damaged as problem:
            self._refuse(str(problem))
        except pickles.Unreadable as problem:
            self._refuse(f"torch cannot read it: {problem}")
        self._tensors = self._chosen(content, entry)
        self.shapes: dict[str, Shape] = {}
        self.kinds: dict[str, str] = {}
        for name, tensor in self._tensors.items():
            self.shapes[name] = tensor.shape
            self.kinds[name] = self._checked(name, tensor)

    # Archives

    def _archive(self, file: Any) -> Any:
        found = archive.records(file, os.fstat(file.fileno()).st_size)
        roots = [n[: -len("data.pkl")] for n in found if n.count("/") < 2 and _is_pickle(n)]
        if len(roots) != 1:
            self._refuse("zip archive without a checkpoint")
        (root,) = roots
        if f"{root}constants.pkl" in found:
            self._refuse("TorchScript module; save its `state_dict()` instead")
        for name, record in found.items():
            if not record.plain:
                self._refuse(f"its record `{name}` is compressed or encrypted; torch does neither")
        self._records = {n[len(root) :]: r for n, r in found.items() if n.startswith(root)}
        order = self._read_record(file, "byteorder", 16)
        if order not in (b"", b"little", b"big"):
            self._refuse("invalid byteorder: neither little nor big")
        self._order = ">" if order == b"big" else "<"
        pickle = self._read_record(file, "data.pkl", _LARGEST_PICKLE)
        content = pickles.Reader(pickle).read()
        self._records = {
            name.removeprefix("data/"): record
            for name, record in self._records.items()
            if name.startswith("data/")
        }
        return content

    def _read_record(self, file: Any, name: str, most: int) -> bytes:
        record = self._records.get(name, Record(0, 0))
        if record.size > most:
            self._refuse(f"record `{name}` has more than {most} bytes")
        file.seek(record.offset)
        found: bytes = file.read(record.size)
        return found

    # The older format

    def _row(self, file: Any) -> Any:
        """Magic, version, system, the content, the keys of storages; then these."""
        size = os.fstat(file.fileno()).st_size
        file.seek(0)
        text = file.read(min(size, _LARGEST_PICKLE))
        if text[257:262] == b"ustar":
            self._refuse(
                "tar archive of PyTorch before 0.2; load it there and save it again"
            )
        if text[:1] != b"\x80":
            self._refuse("not a torch file")
        reader = pickles.Reader(text)
        if reader.read() != _MAGIC:
            self._refuse("pickle without a checkpoint")
        _, system, content, keys = (reader.read() for _ in range(4))
        if isinstance(system, dict) and system.get("little_endian") is False:
            self._order = ">"
        at, kinds = reader.place, reader.storages
        for key in keys if isinstance(keys, list) else ():
            if not isinstance(key, str) or key not in kinds or at + 8 > size:
                self._refuse("truncated file")
            file.seek(at)
            count = int.from_bytes(file.read(8), "little" if self._order == "<" else "big")
            kind = kinds[key].kind
            width = np.dtype(_TYPES.get(kind, "u1")).itemsize
            self._records[key] = Record(at + 8, count * width)
            at += 8 + count * width
        if at > size:
            self._refuse("torch cannot read it: it is cut short")
        return content

    # Tensors

    def _checked(self, name: str, tensor: pickles.Stored) -> str:
        """Data type of a tensor, whose data must be in the file."""
        storage = tensor.storage
        if storage is None or tensor.kind not in _TYPES:
            return tensor.kind
        record = self._records.get(storage.key)
        if record is None:
            self._refuse(f"the numbers of `{name}` are not in it")
        width = np.dtype(_TYPES.get(storage.kind, "u1")).itemsize
        if record.size != (storage.start + storage.size) * width and not storage.start:
            self._refuse(
                f"`{name}` needs {storage.size * width} bytes, and its record has {record.size}"
            )
        reach = 0
        if prod(tensor.shape):
            reach = 1 + sum((n - 1) * step for n, step in zip(tensor.shape, tensor.strides))
        held = record.size // np.dtype(_TYPES[tensor.kind]).itemsize
        if storage.start + tensor.start + reach > held:
            self._refuse(f"`{name}` reaches past the end of its record")
        return "truth values" if tensor.kind == "bool" else tensor.kind

    def rows(self, name: str, start: int, stop: int) -> Array:
        """Some rows of a tensor; raises a diagnostic where the file has changed since."""
        tensor = self._tensors[name]
        storage = tensor.storage
        assert storage is not None
        dtype = np.dtype(self._order + _TYPES[tensor.kind])
        record = self._records[storage.key]
        first = record.offset + (storage.start + tensor.start) * dtype.itemsize
        shape = (stop - start, *tensor.shape[1:]) if tensor.shape else ()
        step = tensor.strides[0] if tensor.shape else 0
        first += start * step * dtype.itemsize
        if not prod(shape):
            return np.zeros(shape, dtype.newbyteorder("="))
        reach = 1 + sum((n - 1) * s for n, s in zip(shape, tensor.strides))
        flat = np.fromfile(self._path, dtype, reach, offset=first)
        if len(flat) != reach:
            self._refuse("file shrank while it was read")
        steps = tuple(s * dtype.itemsize for s in tensor.strides)
        found: Array = np.lib.stride_tricks.as_strided(flat, shape, steps)
        found = widened(found.astype(dtype.newbyteorder("=")), tensor.kind)
        return -found if tensor.negated else found

    # Which of its entries

    def _chosen(self, content: Any, entry: str | None) -> Mapping[str, pickles.Stored]:
        """The `state_dict` that is meant."""
        states = dict(_states(content, [_MOST_ENTRIES]))
        if entry and entry not in states:
            states.update([*_prefixed(states, entry)])
        if not states:
            call = next(_calls(content), None)
            if call is not None:
                self._refuse(f"it requires `{call}`, but only tensors are loaded")
            self._refuse("no mapping of names to tensors")
        if entry is not None and entry not in states:
            hint = f"it has {', '.join(filter(None, states)) or 'no entries'}"
            raise errors.NoSuchEntry(path=self._path, entry=entry, hint=hint)
        if entry is None and len(states) > 1:
            first, *_ = states
            raise errors.SeveralStates(path=self._path, entries=", ".join(states), first=first)
        state = states[next(iter(states)) if entry is None else entry]
        for item in state.values():
            if isinstance(item, pickles.Call):
                self._refuse(f"it requires `{item.name}`, but only tensors are loaded")
        return {name: item for name, item in state.items() if isinstance(item, pickles.Stored)}

    def _refuse(self, reason: str) -> NoReturn:
        raise errors.NotACheckpoint(path=self._path, reason=f"{reason:.{_LONGEST_REASON}}")


def _is_pickle(name: str) -> bool:
    return name == "data.pkl" or name.endswith("/data.pkl")


def _calls(content: Any) -> Iterator[str]:
    return (item.name for item in _items(content) if isinstance(item, pickles.Call | pickles.Name))


def _items(content: Any) -> Iterator[Any]:
    """What is in a file, each thing once; not all of what holds very much."""
    seen: set[int] = set()
    waiting = [content]
    while waiting and len(seen) < _MOST_ENTRIES:
        item = waiting.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        yield item
        if isinstance(item, dict):
            waiting += item.values()
        elif isinstance(item, list | tuple) and not isinstance(item, pickles.Stored):
            waiting += item


def _states(
    content: Any, left: list[int], place: str = "", depth: int = 0
) -> Iterator[tuple[str, dict[str, Any]]]:
    """The mappings from names to tensors in what a file holds, by their places in it.

    A tensor or two beside such a mapping (an accuracy, the state of a generator) is none.
    """
    if not isinstance(content, dict) or depth > _DEEPEST or left[0] < 0:
        return
    left[0] -= 1 + len(content)
    entries = {name: entry for name, entry in content.items() if isinstance(name, str)}
    found: list[tuple[str, dict[str, Any]]] = []
    for name, entry in entries.items():
        found += _states(entry, left, f"{place}.{name}" if place else name, depth + 1)
    own = sum(isinstance(x, pickles.Stored) for x in entries.values())
    most = max((len(state) for _, state in found), default=0)
    if own and own >= most:
        yield place, entries
    else:  # what is far smaller than another is the state of something else
        yield from (pair for pair in found if 2 * len(pair[1]) > most)


def _prefixed(states: Mapping[str, dict[str, Any]], entry: str) -> Iterator[tuple[str, Any]]:
    """The tensors whose names begin with an entry, where that is no mapping by itself."""
    for place, state in states.items():
        start = entry.removeprefix(f"{place}.") + "."
        found = {n.removeprefix(start): x for n, x in state.items() if n.startswith(start)}
        if found:
            yield entry, found
