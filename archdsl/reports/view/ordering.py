"""Orders: whether some flows go round in a circle, and an order in which they do not go back."""

from __future__ import annotations

from collections.abc import Iterable
from heapq import heappop, heappush
from typing import TypeVar

Thing = TypeVar("Thing")


def order(count: int, flows: Iterable[tuple[int, int]]) -> list[int]:
    """Numbers below `count` so that flows go forward, else as they are. Shorter in a circle."""
    after: list[list[int]] = [[] for _ in range(count)]
    before = [0] * count
    for tail, head in flows:
        if tail != head:
            after[tail].append(head)
            before[head] += 1
    ready = [number for number in range(count) if not before[number]]
    found = []
    while ready:
        number = heappop(ready)
        found.append(number)
        for head in after[number]:
            before[head] -= 1
            if not before[head]:
                heappush(ready, head)
    return found


def is_ordered(count: int, flows: Iterable[tuple[int, int]]) -> bool:
    """True if no flow leads back to where it came from."""
    return len(order(count, flows)) == count


def ordered(things: list[Thing], flows: Iterable[tuple[int, int]]) -> list[Thing]:
    """The things in an order in which flows, pairs of their numbers, go forward."""
    return [things[number] for number in order(len(things), flows)]
