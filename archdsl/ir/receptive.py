"""Receptive fields and strides: what of the network's first input a position of a tensor sees.

The theoretical receptive field: how many positions of the input, along one axis, one position of
the tensor can depend on, whatever the weights, were the maps endless. Araujo et al., Computing
Receptive Fields of Convolutional Neural Networks, Distill 2019. Followed forward, so that all of a
network takes linear time. docs/costs.md has the definitions.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from math import gcd, lcm
from typing import NamedTuple

from archdsl.ir.graph import Graph, Node, Value
from archdsl.ops.reach import ALWAYS_0, LONGEST, SAME, Reach, Steps, TooFine, pattern


class Sight(NamedTuple):
    """Receptive field of a tensor along one axis of the input.

    `near` is what it sees through windows, none where nothing came through windows alone;
    `everything` whether it sees the whole axis besides, by a global pool or the like.
    """

    near: Reach | None
    everything: bool

    @property
    def unknown(self) -> bool:
        """True if it would take too long to follow."""
        return self.near is None and not self.everything

    @property
    def field(self) -> int | None:
        """The receptive field through windows, in positions of the input."""
        if self.near is None:
            return None
        first, last = self.near
        return max(last.at(i) - first.at(i) + 1 for i in range(_period(self.near)))

    @property
    def stride(self) -> Fraction | None:
        """Distance in the input between neighboring positions of the tensor."""
        return None if self.near is None else Fraction(self.near[0].shift, len(self.near[0].values))


Sights = tuple[Sight, ...]
"""One for each spatial axis of the input."""

MOST = 2_000_000
"""Positions that are looked at for a whole network; what is left over then is not known."""


def sights(graph: Graph) -> dict[Value, Sights]:
    """For the id of each tensor that depends on the network's first input: what it sees of it."""
    image = graph.inputs[0]
    rank = len(image.shape) - 1
    known: dict[Value, Sights] = {image: (Sight(SAME, False),) * rank}
    spent = 0
    for node in graph.nodes:
        seen = [value for value in _read(node) if value in known]
        for value in node.outputs if seen else ():
            found = []
            for axis in range(rank):
                try:
                    if spent > MOST:
                        raise TooFine
                    sight = _sight(node, value, axis, seen, known)
                    spent += len(seen) * (_period(sight.near) if sight.near else 1)
                except TooFine:
                    sight = Sight(None, False)
                    spent += LONGEST if spent <= MOST else 0
                found.append(sight)
            known[value] = tuple(found)
    return known


def _read(node: Node) -> tuple[Value, ...]:
    """The inputs whose numbers matter: of a second tensor `like` only the size does."""
    names = node.operation.tensors
    return node.inputs[:1] if names[-1] == "like?" else node.inputs


def _sight(
    node: Node, value: Value, axis: int, seen: list[Value], known: dict[Value, Sights]
) -> Sight:
    """Receptive field of an operation's output along an axis, from those of its inputs."""
    near: Reach | None = None
    everything = False
    for source in seen:
        before = known[source][axis]
        if before.unknown:
            raise TooFine
        everything = everything or before.everything
        reach = _reach(node, value, source, axis, len(known[source]))
        if reach is None:
            everything = True
        elif before.near is not None:
            further = _after(before.near, reach, value.shape[axis + 1])
            near = further if near is None else _joined(near, further, value.shape[axis + 1])
    if near is not None and _period(near) > LONGEST:
        raise TooFine
    return Sight(near, everything or near is None)


def _reach(node: Node, value: Value, source: Value, axis: int, rank: int) -> Reach | None:
    if len(source.shape) != rank + 1 or len(value.shape) != rank + 1:
        return None
    if node.operation.operator and source.shape[axis + 1] == 1 and value.shape[axis + 1] > 1:
        return ALWAYS_0
    return node.operation.reach(axis, value.index)


def _period(reach: Reach) -> int:
    return lcm(len(reach[0].values), len(reach[1].values))


def _after(near: Reach, reach: Reach, size: int) -> Reach:
    if reach is SAME:
        return near
    if _rises(near) and _rises(reach):
        first, last = near[0].after(reach[0]), near[1].after(reach[1])
    else:
        first, last = _searched(near, reach)
    return _within(first, size), _within(last, size)


def _rises(reach: Reach) -> bool:
    """True if every position depends on some, and none on earlier ones than the position before:
    not so behind a transposed convolution with gaps."""
    steps = [(*each.values, each.values[0] + each.shift) for each in reach]
    rising = all(a <= b for each in steps for a, b in pairwise(each))
    return rising and all(reach[0].at(i) <= reach[1].at(i) for i in range(_period(reach)))


def _searched(near: Reach, reach: Reach) -> Reach:
    """Receptive field through a window, at each of its positions."""
    own, outer = _period(near), _period(reach)
    moved = reach[0].shift * outer // len(reach[0].values)
    rounds = own // gcd(own, moved) if moved else 1

    def span(i: int) -> tuple[int, int]:
        start, stop = reach[0].at(i), reach[1].at(i) + 1
        # The pattern repeats itself further on: its beginning has the first, its end the last.
        places = {*range(start, min(stop, start + own)), *range(max(start, stop - own), stop)}
        seen = [span for q in places if (span := (near[0].at(q), near[1].at(q)))[0] <= span[1]]
        if not seen:
            return near[0].at(start), near[0].at(start) - 1
        return min(first for first, _ in seen), max(last for _, last in seen)

    period = outer * rounds
    width = max(reach[1].at(i) - reach[0].at(i) + 1 for i in range(outer))
    if period * max(1, min(width, 2 * own)) > LONGEST:
        raise TooFine
    spans = [span(i) for i in range(period)]
    shift = near[0].shift * (rounds * moved) // len(near[0].values)
    return Steps(tuple(a for a, _ in spans), shift), Steps(tuple(b for _, b in spans), shift)


def _within(steps: Steps, size: int) -> Steps:
    """The same on a map of this size; patterns need not be longer than the map."""
    return _listed(steps, size) if len(steps.values) > size else steps


def _listed(steps: Steps, size: int) -> Steps:
    return pattern(steps.at, size, steps.at(size) - steps.at(0))


def _joined(one: Reach, other: Reach, size: int) -> Reach:
    """Union of two receptive fields, from the first position to the last."""
    if one == other:
        return one
    firsts, lasts = (_alike(a, b, size) for a, b in zip(one, other))
    period = lcm(len(firsts[0].values), len(lasts[0].values))

    def span(i: int) -> tuple[int, int]:
        spans = [(a.at(i), b.at(i)) for a, b in zip(firsts, lasts)]
        seen = [(a, b) for a, b in spans if a <= b] or spans[:1]
        return min(a for a, _ in seen), max(b for _, b in seen)

    if period > LONGEST:
        raise TooFine
    joined = [span(i) for i in range(period)]
    shifts = [steps[0].shift * (period // len(steps[0].values)) for steps in (firsts, lasts)]
    return (
        Steps(tuple(a for a, _ in joined), shifts[0]),
        Steps(tuple(b for _, b in joined), shifts[1]),
    )


def _alike(one: Steps, other: Steps, size: int) -> tuple[Steps, Steps]:
    """Two functions with equal periods. Where they drift apart, this is exact on the map alone."""
    if one.shift * len(other.values) != other.shift * len(one.values):
        return _listed(one, size), _listed(other, size)
    period = lcm(len(one.values), len(other.values))
    return _repeated(one, period), _repeated(other, period)


def _repeated(steps: Steps, period: int) -> Steps:
    if len(steps.values) == period:
        return steps
    times = period // len(steps.values)
    return pattern(steps.at, period, steps.shift * times)


def plain(stride: Fraction) -> float:
    """A stride as a number, whole where it can be."""
    return stride.numerator if stride.denominator == 1 else float(stride)
