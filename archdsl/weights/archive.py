"""The records of a zip archive, as `torch.save` packs them: uncompressed, one after another.

Nothing in the archive is believed: its list of records, the header before each of them and their
places have to agree, so that no two readers find different numbers in it.
"""

from __future__ import annotations

import struct
from typing import IO, NamedTuple

_LARGEST_LIST = 16_000_000
"""Bytes of the list of records."""

_END = struct.Struct("<4s4H2IH")
_END_64 = struct.Struct("<4sQ2H2I4Q")
_LOCATOR = struct.Struct("<4sIQI")
_ENTRY = struct.Struct("<4s6H3I5H2I")
_HEADER = struct.Struct("<4s5H3I2H")
_LONGEST_COMMENT = 0xFFFF
_ENCRYPTED = 1
_SIZES_FOLLOW = 8
"""Flags of a record."""

_IN_EXTRA = 0xFFFFFFFF
"""What stands for a number of 64 bits, which is in the extra field."""


class Damaged(Exception):
    """Why an archive is not one that torch wrote."""


class Record(NamedTuple):
    """Where the bytes of a record are, and whether they are what was packed."""

    offset: int
    size: int
    plain: bool = True


class _Entry(NamedTuple):
    name: bytes
    header: int
    sizes: tuple[int, int]
    """In the archive, and unpacked."""

    plain: bool

    @property
    def title(self) -> str:
        return self.name.decode(errors="backslashreplace")


def records(file: IO[bytes], size: int) -> dict[str, Record]:
    """The records of a file of some size, by name. Raises `Damaged`."""
    place, length, count = _list_of(file, size)
    if length > _LARGEST_LIST:
        raise Damaged("too many records")
    entries = _entries(_read(file, place, length), count)
    found: dict[str, Record] = {}
    reached = 0
    for entry in sorted(entries, key=lambda entry: entry.header):
        record = _record(file, entry)
        if entry.header < reached or record.offset + record.size > place:
            raise Damaged(f"its record `{entry.title}` is cut short or overlaps another")
        if entry.title in found:
            raise Damaged(f"it has two records `{entry.title}`")
        reached = record.offset + record.size
        found[entry.title] = record
    return found


def _read(file: IO[bytes], place: int, length: int) -> bytes:
    file.seek(place)
    found = file.read(length)
    if len(found) != length:
        raise Damaged("truncated file")
    return found


def _list_of(file: IO[bytes], size: int) -> tuple[int, int, int]:
    """Where the list of records starts, its length, and how many it lists."""
    start = max(0, size - _END.size - _LONGEST_COMMENT)
    tail = _read(file, start, size - start)
    at = tail.rfind(b"PK\5\6")
    if at < 0 or at + _END.size > len(tail):
        raise Damaged("its archive is cut short")
    *_, count, length, place, comment = _END.unpack_from(tail, at)
    if at + _END.size + comment != len(tail):
        raise Damaged("its archive is damaged")
    end = start + at
    if tail[max(0, at - _LOCATOR.size) :].startswith(b"PK\6\7"):
        _, _, end, _ = _LOCATOR.unpack_from(tail, at - _LOCATOR.size)
        if end > size - _END_64.size:
            raise Damaged("its archive is damaged")
        mark, *_, count, length, place = _END_64.unpack(_read(file, end, _END_64.size))
        if mark != b"PK\6\6":
            raise Damaged("its archive is damaged")
    if place + length != end:
        raise Damaged("its archive is damaged")
    return place, length, count


def _entries(text: bytes, count: int) -> list[_Entry]:
    """What a list of records says."""
    found = []
    at = 0
    while at < len(text):
        if len(text) - at < _ENTRY.size or text[at : at + 4] != b"PK\1\2":
            raise Damaged("its list of records is damaged")
        _, _, _, flags, method, _, _, _, packed, size, *lengths, _, _, _, header = (
            _ENTRY.unpack_from(text, at)
        )
        name_at = at + _ENTRY.size
        extra_at = name_at + lengths[0]
        at = extra_at + lengths[1] + lengths[2]
        wide = _wide(text[extra_at : extra_at + lengths[1]])
        size, packed, header = (
            (wide.pop(0) if wide else -1) if number == _IN_EXTRA else number
            for number in (size, packed, header)
        )
        if at > len(text) or min(size, packed, header) < 0:
            raise Damaged("its list of records is damaged")
        plain = not method and not flags & _ENCRYPTED and size == packed
        entry = _Entry(text[name_at:extra_at], header, (packed, size), plain)
        found.append(entry)
    if len(found) != count:
        raise Damaged("its list of records is cut short")
    return found


def _wide(extra: bytes) -> list[int]:
    """The numbers of 64 bits in an extra field."""
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, at)
        if kind == 1:
            count = min(length, len(extra) - at - 4) // 8
            return list(struct.unpack_from(f"<{count}Q", extra, at + 4))
        at += 4 + length
    return []


def _record(file: IO[bytes], entry: _Entry) -> Record:
    """Where the bytes of an entry are, by the header before them, which has to agree with it."""
    header = _read(file, entry.header, _HEADER.size)
    mark, _, flags, method, _, _, _, *sizes, name, extra = _HEADER.unpack(header)
    elsewhere = {_IN_EXTRA} | ({0} if flags & _SIZES_FOLLOW else set())
    if (
        mark != b"PK\3\4"
        or (entry.plain and (method or flags & _ENCRYPTED))
        or not all(a == b or a in elsewhere for a, b in zip(sizes, entry.sizes))
        or _read(file, entry.header + _HEADER.size, name) != entry.name
    ):
        raise Damaged(f"the header of its record `{entry.title}` is damaged")
    offset = entry.header + _HEADER.size + name + extra
    return Record(offset, entry.sizes[0], entry.plain)
