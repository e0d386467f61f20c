"""Sources of text and the spans in them.

Offsets count from 0, lines and columns from 1.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import NamedTuple


class Source:
    """One text, with the name under which people know it (a path, or `<text>`).

    `path` is where the file is, if it is one; the name may leave out where the specs are.
    """

    def __init__(self, name: str, text: str, path: str | None = None) -> None:
        self.name = name
        self.text = text
        self.path = path
        self._starts: list[int] | None = None

    def __repr__(self) -> str:
        return f"Source({self.name!r})"

    @property
    def starts(self) -> list[int]:
        """Offset of the first character of each line."""
        if self._starts is None:
            self._starts = [0] + [i + 1 for i, c in enumerate(self.text) if c == "\n"]
        return self._starts

    def position(self, offset: int) -> tuple[int, int]:
        """Line and column of an offset, both from 1."""
        line = bisect_right(self.starts, offset)
        return line, offset - self.starts[line - 1] + 1

    def line(self, number: int) -> str:
        """The text of line `number`, without its end."""
        start = self.starts[number - 1]
        end = self.text.find("\n", start)
        return self.text[start:] if end < 0 else self.text[start:end].removesuffix("\r")


class Span(NamedTuple):
    """A stretch of a source, `start` included and `end` not."""

    source: Source
    start: int
    end: int

    @property
    def text(self) -> str:
        return self.source.text[self.start : self.end]

    @property
    def place(self) -> str:
        """Its start as text: `net.arch:12`."""
        return f"{self.source.name}:{self.source.position(self.start)[0]}"

    def to(self, last: Span) -> Span:
        """From the start of this one to the end of `last`."""
        return Span(self.source, self.start, last.end)
