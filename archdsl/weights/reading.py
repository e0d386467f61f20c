"""Reads a checkpoint along a graph: which of its layers is which.

The layers of a file are taken one after the other, and each takes up a layer of the graph with the
same tensors all of whose predecessors have been taken up. A module is taken whole, its parts in
an order that the file or numbers in names demand. All ways to do so are followed at once: from the
same layers taken up there is one way on, whatever led there. Where two ways take up the same layers
differently, there is a doubt.

What names tell is believed first: that parts with consecutive numbers (`conv1`, `conv2`) depend on
one another, and that a module hangs together. Where there is no way then, they need not.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from typing import NamedTuple

from archdsl.weights.layers import Network, bits
from archdsl.weights.modules import Checkpoint, Directions, Module, Step

_VARIANTS = 16
"""Different ways with the same outcome that are told apart inside a module."""

_STEPS = 30_000
"""Ways that are followed for a part before there is taken to be no end of them."""

_LOOKS = 5_000_000
"""Parts that are looked at on these ways, likewise."""

State = tuple[int, int]
"""Layers of the graph that are taken up, and of the file that are dropped, as bits."""


Doubts = dict[int, frozenset["int | None"]]


class Reading(NamedTuple):
    """What each layer of the file is in the graph (none: dropped), and what else it may be."""

    image: dict[int, int | None]
    doubts: Doubts


class Task(NamedTuple):
    """What is to be found: layers may stand for one another where their keys are equal.

    `taken` are layers of the graph that are settled or left fresh.
    """

    ours: list[Hashable]
    theirs: list[Hashable]
    taken: int
    settled: dict[int, int | None]
    """Knowledge about layers of the file."""
    relaxed: dict[int, Callable[[int], bool]]
    """For layers of the graph that other layers may stand for: which of the file do."""
    may_drop: Callable[[int], bool]
    """True if layers of the file may be dropped when these of the graph are taken up."""


class TooManyWays(Exception):
    """There are more ways to read the file than can be looked at."""


class Spent:
    """What all attempts together have looked at; raises `TooManyWays` where that has no end."""

    def __init__(self) -> None:
        self.steps = 0
        self.looks = 0

    def follow(self, ways: int) -> None:
        self.steps += ways
        if self.steps > _STEPS:
            raise TooManyWays

    def look(self, parts: int) -> None:
        self.looks += parts
        if self.looks > _LOOKS:
            raise TooManyWays


class Reader:
    """One attempt with one belief in names."""

    def __init__(self, network: Network, task: Task, trust: bool, spent: Spent) -> None:
        self._network = network
        self._task = task
        self._trust = trust
        self._spent = spent
        self._known: dict[tuple[int, State], dict[State, Reading]] = {}
        self._keys: dict[Hashable, list[int]] = {}
        for i, key in enumerate(task.ours):
            if i not in task.relaxed and not task.taken >> i & 1:
                self._keys.setdefault(key, []).append(i)
        wanted = {key: len(found) for key, found in self._keys.items()}
        held = Counter(key for i, key in enumerate(task.theirs) if i not in task.settled)
        self._surplus = {k: n - wanted.get(k, 0) for k, n in held.items() if n > wanted.get(k, 0)}
        self.furthest = task.taken
        """The most layers that were taken up on a way that did not lead on."""
        self.stuck: int | None = None
        """The layer of the file that was tried there."""

    def read(self, root: Module) -> Reading | None:
        """The matched file, or None if it cannot be read in this way."""
        start = (self._task.taken, 0)
        ends = self._module(root, start, whole=True)
        found = [r for (taken, _), r in ends.items() if taken == self._network.all]
        return _joined(found) if found else None

    def _part(self, module: Module, state: State) -> dict[State, Reading]:
        known = self._known.get((id(module), state))
        if known is None:
            if module.layer is not None:
                known = self._layer(module.layer, state)
            else:
                known = self._module(module, state)
            self._add_dropped(module, state, known)
            self._known[id(module), state] = known
        return known

    def _layer(self, layer: int, state: State) -> dict[State, Reading]:
        task, (taken, dropped) = self._task, state
        if layer in task.settled:
            return {state: Reading({layer: task.settled[layer]}, {})}
        fits = self._keys.get(task.theirs[layer], [])
        candidates = [*fits, *(i for i, fit in task.relaxed.items() if fit(layer))]
        found = {}
        for i in candidates:
            if not taken >> i & 1 and not self._network.before[i] & ~taken:
                found[taken | 1 << i, dropped] = Reading({layer: i}, {})
        if not found and taken.bit_count() >= self.furthest.bit_count():
            self.furthest, self.stuck = taken, layer
        return found

    def _add_dropped(self, module: Module, state: State, found: dict[State, Reading]) -> None:
        """The ways that leave a part of the file unused."""
        taken, dropped = state
        if not self._surplus or not self._task.may_drop(taken):
            return
        theirs = self._task.theirs
        inside = range(module.first, module.last)
        if any(i in self._task.settled for i in inside):
            return
        counts = Counter([theirs[i] for i in (*bits(dropped), *inside)])
        if all(n <= self._surplus.get(key, 0) for key, n in counts.items()):
            end = (taken, dropped | sum(1 << i for i in inside))
            found.setdefault(end, Reading({i: None for i in inside}, {}))

    def _module(self, module: Module, start: State, whole: bool = False) -> dict[State, Reading]:
        if module.layer is not None:
            return self._part(module, start)
        ends = self._ways(module, start, series=True)
        if not ends and not self._trust:
            ends = self._ways(module, start, series=False)
            ends = ends or self._ways(module, start, series=False, partners=False)
        if self._trust and not whole:
            together = {end: [r for r in ways if self._hangs(r)] for end, ways in ends.items()}
            ends = {end: ways for end, ways in together.items() if ways} or ends
        return {end: _joined(readings) for end, readings in ends.items()}

    def _hangs(self, reading: Reading) -> bool:
        """True if what was found hangs together."""
        return self._network.connected(_bits(reading.image.values()))

    def _ways(
        self, module: Module, start: State, series: bool, partners: bool = True
    ) -> dict[State, list[Reading]]:
        """Every state that taking the module leads to, with the ways that lead there."""
        ways: dict[tuple[int, State], list[Reading]] = {(0, start): [Reading({}, {})]}
        for _ in module.parts:
            further: dict[tuple[int, State], list[Reading]] = {}
            for (done, state), readings in ways.items():
                self._spent.look(len(module.parts))
                for i, part in enumerate(module.parts):
                    if done >> i & 1 or module.needs[i] & ~done:
                        continue
                    steps = [s for s in module.steps[i] if done & s.family == s.done]
                    if not steps:
                        continue
                    self._spent.follow(len(readings))
                    for end, found in self._part(part, state).items():
                        more = [
                            Reading({**r.image, **found.image}, {**r.doubts, **found.doubts})
                            for r in readings
                            if (not partners or self._by_partner(module, i, done, r, found))
                            and (not series or self._in_series(module, steps, r, found))
                        ]
                        _add(further, (done | 1 << i, end), more)
            ways = further
        return {state: readings for (_, state), readings in ways.items()}

    def _in_series(
        self, module: Module, steps: list[Step], reading: Reading, found: Reading
    ) -> bool:
        """True if what was found for a part goes on from the part before it in its family."""
        return any(
            s.before is None or self._depends(found, reading, module.parts[s.before]) for s in steps
        )

    def _by_partner(
        self, module: Module, i: int, done: int, reading: Reading, found: Reading
    ) -> bool:
        """True if a part is next to the norm or the matrix of the same number."""
        partner = module.partners[i]
        if partner is None or not done >> partner & 1:
            return True
        one, two = _bits(found.image.values()), self._taken(reading, module.parts[partner])
        return not one or not two or self._network.connected(one | two)

    def _depends(self, found: Reading, reading: Reading, before: Module) -> bool:
        """True if what was found for a part depends on what the part before it is."""
        sources = self._taken(reading, before)
        results = _bits(found.image.values())
        return not sources or not results or bool(self._network.after_any(sources) & results)

    def _taken(self, reading: Reading, part: Module) -> int:
        """The assignment of a matched part, as bits."""
        return _bits(reading.image.get(i) for i in range(part.first, part.last))


def _bits(layers: Iterable[int | None]) -> int:
    return sum(1 << i for i in layers if i is not None)


def _add(
    ways: dict[tuple[int, State], list[Reading]], place: tuple[int, State], more: list[Reading]
) -> None:
    there = ways.setdefault(place, []) if more else []
    for reading in more:
        if all(reading.image != other.image for other in there):
            there.append(reading)
        else:
            same = next(other for other in there if reading.image == other.image)
            _doubt(same.doubts, reading.doubts)
    if len(there) > _VARIANTS:
        there[:] = [_joined(there)]


def _joined(readings: list[Reading]) -> Reading:
    """One of several ways, with doubts where the others differ from it."""
    first, *others = readings
    doubts = dict(first.doubts)
    for other in others:
        _doubt(doubts, other.doubts)
        for i in first.image.keys() | other.image.keys():
            one, two = first.image.get(i), other.image.get(i)
            if one != two:
                _doubt(doubts, {i: frozenset((one, two))})
    return Reading(first.image, doubts)


def _doubt(doubts: Doubts, more: Doubts) -> None:
    for i, found in more.items():
        doubts[i] = doubts.get(i, frozenset()) | found


def read(
    network: Network, checkpoint: Checkpoint, task: Task, directions: Directions
) -> tuple[Reading | None, Reader]:
    """What a file is, by the first belief that leads anywhere; and the attempt that got furthest.

    Raises `TooManyWays`.
    """
    best: Reader | None = None
    spent = Spent()
    for lists, dissolve, trust, by_file in _beliefs(checkpoint.ordered):
        reader = Reader(network, task, trust, spent)
        counted = directions._replace(lists=lists)
        found = reader.read(checkpoint.arrange(by_file, dissolve, counted))
        if found is not None:
            return found, reader
        if lists and best is not None:  # no way at all, and no reason to give
            continue
        if best is None or reader.furthest.bit_count() > best.furthest.bit_count():
            best = reader
    assert best is not None
    return None, best


def _beliefs(ordered: bool) -> Iterable[tuple[bool, bool, bool, bool]]:
    """What is believed of names in turn, the last first: that the file has its modules in order,
    that they hang together, that lists are modules, and that their numbers count upwards."""
    orders = (True, False) if ordered else (False,)
    return itertools.product((False, True), (False, True), (True, False), orders)
