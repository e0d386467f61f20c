"""Tracks of the gaps between rows, on which edges change columns; of no two pieces at one place."""

from __future__ import annotations

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
        while waiting:
            clear = (key for key in waiting if not self._is_under(key, waiting))
            key = next(clear, waiting[0])
            waiting.remove(key)
            low, high = min(self.pieces[key]), max(self.pieces[key])
            meets = [
                number
                for number, track in enumerate(tracks)
                if any(low <= end + APART and start - APART <= high for start, end in track)
            ]
            number = max(meets, default=-1) + 1
            tracks += [[]] * (number == len(tracks))
            tracks[number] = [*tracks[number], (low, high)]
            self.tracks[key] = number
        return len(tracks)

    def _place(self, key: Hashable) -> tuple[bool, float]:
        start, *stops = self.pieces[key]
        right = sum(stops) > start * len(stops)
        return right, -start if right else start

    def _is_under(self, key: Hashable, others: list[Hashable]) -> bool:
        ends = self.pieces[key][1:]
        return any(
            other != key and abs(self.pieces[other][0] - end) < 0.1
            for other in others
            for end in ends
        )


APART = 6.0
"""Pixels between pieces on one track."""
