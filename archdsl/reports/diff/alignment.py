"""Alignment of two sequences: the ordered pairs with the greatest total similarity."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

Item = TypeVar("Item")
Pair = tuple[Item | None, Item | None]
"""An item of each; none where it is only in the other."""

LARGEST = 250_000
"""Comparisons that are made at most; of longer sequences the rest is paired as it comes."""


def aligned(
    a: Sequence[Item], b: Sequence[Item], likeness: Callable[[Item, Item], float]
) -> list[Pair[Item]]:
    """The items of both in order, paired so that the sum of likenesses is greatest.

    Two of likeness 0 are no pair. Needleman & Wunsch, J. Mol. Biol. 1970, without a price for gaps.
    """
    start = 0
    while start < min(len(a), len(b)) and likeness(a[start], b[start]) >= 1:
        start += 1
    end = 0
    while end < min(len(a), len(b)) - start and likeness(a[-1 - end], b[-1 - end]) >= 1:
        end += 1
    head: list[Pair[Item]] = [*zip(a[:start], b[:start])]
    tail: list[Pair[Item]] = [*zip(a[len(a) - end :], b[len(b) - end :])]
    return head + _middle(a[start : len(a) - end], b[start : len(b) - end], likeness) + tail


def _middle(
    a: Sequence[Item], b: Sequence[Item], likeness: Callable[[Item, Item], float]
) -> list[Pair[Item]]:
    if len(a) * len(b) > LARGEST:
        pairs: list[Pair[Item]] = [(x, y) for x, y in zip(a, b) if likeness(x, y)]
        return pairs if len(pairs) == len(a) == len(b) else [*_apart(a, b)]
    alike = [[likeness(x, y) for y in b] for x in a]
    best = [[0.0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i in range(len(a) - 1, -1, -1):
        for j in range(len(b) - 1, -1, -1):
            both = alike[i][j] + best[i + 1][j + 1] if alike[i][j] else 0
            best[i][j] = max(best[i + 1][j], best[i][j + 1], both)
    found: list[Pair[Item]] = []
    i = j = 0
    while i < len(a) and j < len(b):
        if alike[i][j] and best[i][j] == alike[i][j] + best[i + 1][j + 1]:
            found.append((a[i], b[j]))
            i, j = i + 1, j + 1
        elif best[i][j] == best[i + 1][j]:
            found.append((a[i], None))
            i += 1
        else:
            found.append((None, b[j]))
            j += 1
    return found + [*_apart(a[i:], b[j:])]


def _apart(a: Sequence[Item], b: Sequence[Item]) -> list[Pair[Item]]:
    return [(x, None) for x in a] + [(None, y) for y in b]
