"""Tracks of the gaps between rows, on which edges change columns; of no two pieces at one place."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Hashable


class Gap:
    """The space between two rows, and the pieces of edges that run along it."""

    def __init__(self) -> None:
        self.pieces: dict[Hashable, list[float]] = {}
        """For each piece its start and its ends; what leaves a box as one tensor is one piece."""
        self.tracks: dict[Hashable, int] = {}

    def add(self, start: float, stop: float, key: Hashable) -> None:
        """Note that something turns here, if it does."""
        if abs(start - stop) > 0.1:
            self.pieces.setdefault(key, [start]).append(stop)

    def assign(self) -> int:
        """Give each piece a track, from above; how many there are.

        Of pieces to the right those from farther right are higher, and the other way round, so
        that they do not cross. What starts where another ends is above that one.
        """
        tracks: list[list[tuple[float, float]]] = []
        waiting = sorted(self.pieces, key=self._place)
        starts = sorted(self.pieces[key][0] for key in waiting)
        while waiting:
            clear = (key for key in waiting if not self._is_under(key, starts))
            key = next(clear, waiting[0])
            waiting.remove(key)
            del starts[bisect_left(starts, self.pieces[key][0])]
            low, high = min(self.pieces[key]), max(self.pieces[key])
            number = len(tracks)
            while number and not _meets(low, high, tracks[number - 1]):
                number -= 1
            if number == len(tracks):
                tracks.append([])
            tracks[number].append((low, high))
            self.tracks[key] = number
        return len(tracks)

    def _place(self, key: Hashable) -> tuple[bool, float]:
        start, *stops = self.pieces[key]
        right = sum(stops) > start * len(stops)
        return right, -start if right else start

    def _is_under(self, key: Hashable, starts: list[float]) -> bool:
        """True if another piece that waits starts where this one ends; `starts` are in order."""
        own, *ends = self.pieces[key]
        for end in ends:
            near = bisect_left(starts, end + 0.1) - bisect_right(starts, end - 0.1)
            if near > (abs(own - end) < 0.1):
                return True
        return False


APART = 6.0
"""Pixels between pieces on one track."""


def _meets(low: float, high: float, track: list[tuple[float, float]]) -> bool:
    return any(low <= end + APART and start - APART <= high for start, end in track)
