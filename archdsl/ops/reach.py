"""Which positions of a map a position of the result depends on: what receptive fields are made of.

Maps are seen as endless: borders cut off nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from math import gcd
from typing import NamedTuple


class Steps(NamedTuple):
    """Positions as a function of a position, which repeats itself every `len(values)` positions,
    `shift` further on: s * i + a is ((a,), s), i // 2 is ((0, 0), 1)."""

    values: tuple[int, ...]
    shift: int

    def at(self, i: int) -> int:
        """The position for position `i`."""
        rounds, rest = divmod(i, len(self.values))
        return self.values[rest] + rounds * self.shift

    def after(self, first: Steps) -> Steps:
        """This function of what another gives."""
        period, inner = len(self.values), len(first.values)
        if period == inner == 1:
            return Steps((self.values[0] + self.shift * first.values[0],), self.shift * first.shift)
        rounds = period // gcd(period, first.shift) if first.shift else 1
        shift = self.shift * (rounds * first.shift // period)
        return pattern(lambda i: self.at(first.at(i)), inner * rounds, shift)


LONGEST = 65_536
"""Positions of a pattern that is followed."""


class TooFine(Exception):
    """A pattern is longer than any that is followed."""


def pattern(values: Callable[[int], int], period: int, shift: int) -> Steps:
    """Positions that repeat themselves every so many; raises `TooFine` where these are too many."""
    if period > LONGEST:
        raise TooFine
    return Steps(tuple(map(values, range(period))), shift)


Reach = tuple[Steps, Steps]
"""The first and the last position that one depends on; it is on none where the first is larger."""

SAME: Reach = (Steps((0,), 1),) * 2

ALWAYS_0: Reach = (Steps((0,), 0),) * 2
"""Along an axis of size 1 that is repeated."""


def window(k: int, s: int, before: int, d: int = 1) -> Reach:
    """The window of a convolution or a pool, `before` positions added in front."""
    return Steps((-before,), s), Steps((d * (k - 1) - before,), s)


def ratio(size: int, result: int, first: Callable[[int], int], last: Callable[[int], int]) -> Reach:
    """Positions that follow the ratio of two sizes."""
    common = gcd(size, result)
    period, shift = result // common, size // common
    return pattern(first, period, shift), pattern(last, period, shift)


def covered(size: int, result: int) -> Reach:
    """Input ranges of the output pixels of adaptive pooling."""
    return ratio(
        size, result, lambda i: i * size // result, lambda i: -(-(i + 1) * size // result) - 1
    )
