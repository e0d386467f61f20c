"""The files of specs: read whole, within the limits, as UTF-8."""

from __future__ import annotations

import os

from archdsl.diagnostics import errors
from archdsl.diagnostics.source import Source, Span
from archdsl.support import limits, resources
from archdsl.support.regular import regular


def read(path: str, name: str, span: Span | None = None) -> Source:
    """The text of a file; a diagnostic where there is none that can be read."""
    try:
        if not os.path.exists(path):
            raise errors.NoSuchFile(span, path=name, reason="no such file")
        with open(regular(path), "rb") as file:
            content = file.read(limits.SOURCE_BYTES + 1)
        if _is_binary(content):
            raise errors.NoSuchFile(span, path=name, reason="binary file", hint=_BINARY)
        if len(content) > limits.SOURCE_BYTES:
            raise errors.FileTooLarge(span, path=name, limit=limits.SOURCE_BYTES)
    except OSError as problem:
        reason = problem.strerror or str(problem)
        raise errors.NoSuchFile(span, path=name, reason=reason) from None
    return decode(content, name, path)


_BINARY = (
    "specs are text; ONNX files go to `archdsl bench FILE` or `archdsl verify SPEC --onnx FILE`,"
    " weights to `--weights FILE`"
)


def _is_binary(content: bytes) -> bool:
    """True if a file begins as models, weights, archives and pictures do, and no text does."""
    magic = (b"\x08", b"PK\x03\x04", b"\x80\x02", b"\x89PNG", b"\x1f\x8b")
    return content.startswith(magic) or b"\0\0\0" in content[:8]


def decode(content: bytes, name: str, path: str | None = None) -> Source:
    """The text of bytes that should be UTF-8; `path` is where they were read, if from a file."""
    try:
        return Source(name, content.decode("utf-8-sig"), path)
    except UnicodeDecodeError as problem:
        readable = Source(name, content.decode("utf-8", errors="replace"), path)
        start = len(content[: problem.start].decode("utf-8", errors="replace"))
        span = Span(readable, start, start + 1)
        raise errors.NotUtf8(span, byte=f"0x{content[problem.start]:02x}") from None


_standard: frozenset[str] | None = None


def standard_names() -> frozenset[str]:
    """The blocks of the standard library: `std/NAME.arch` holds the block NAME."""
    global _standard
    if _standard is None:
        files = os.listdir(resources.STANDARD)
        _standard = frozenset(f.removesuffix(".arch") for f in files if f.endswith(".arch"))
    return _standard


def within(path: str, folder: str) -> bool:
    """True if a path lies in a folder; both are real paths."""
    return os.path.commonpath([path, folder]) == folder
