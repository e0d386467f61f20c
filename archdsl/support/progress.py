"""Progress of long work. The command line decides how to show it."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, float], None]
"""Takes what is being done, in a few words, and which part of the whole is done, from 0 to 1."""


class Written:
    """Tells how many of so many bytes are written."""

    def __init__(self, total: int, tell: Progress) -> None:
        self._total = total
        self._tell = tell
        self._done = 0

    def add(self, count: int) -> None:
        """So many more are."""
        self._done += count
        text = f"writing {self._done / 1e6:,.0f} of {self._total / 1e6:,.0f} MB"
        self._tell(text, self._done / max(1, self._total))


def untold(text: str, part: float) -> None:
    """Tells nobody."""
