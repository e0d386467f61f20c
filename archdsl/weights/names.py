"""What names tell where shapes and the order leave doubts: equal ones, and those of other uses."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from archdsl.weights.layers import Layer, Network
from archdsl.weights.modules import placeless

Path = tuple[str, ...]
Doubts = Mapping[int, "frozenset[int | None]"]


# Equal names


def shared_modules(ours: Sequence[Layer], theirs: Sequence[Layer]) -> tuple[list[Path], list[Path]]:
    """For each layer of both sides the innermost module whose name both sides have.

    A number in a name counts only where the other members of its family are the same too: `up2` of
    `up1` and `up2` is not `up2` of `up2` and `up3`. Both sides of a module hold the same layers.
    """
    both = [[Path(layer.name.split(".")) for layer in layers] for layers in (ours, theirs)]
    both = [_without_wrapper(paths) for paths in both]
    inside = [_families(paths) for paths in both]
    found = [[_shared(path, *inside) for path in paths] for paths in both]
    for depth in range(max(map(len, found[0] + found[1]), default=0), 0, -1):
        held: list[dict[Path, Counter[Any]]] = [defaultdict(Counter), defaultdict(Counter)]
        for side, layers in enumerate((ours, theirs)):
            for place, layer in zip(found[side], layers):
                held[side][place][layer.signature] += 1
        for places in found:
            places[:] = [
                p[:-1] if len(p) == depth and held[0][p] != held[1][p] else p for p in places
            ]
    return found[0], found[1]


def _without_wrapper(paths: list[Path]) -> list[Path]:
    """Paths without what all of them have in common."""
    while paths and all(len(p) > 1 and p[0] == paths[0][0] for p in paths):
        paths = [p[1:] for p in paths]
    return paths


_Families = Mapping[tuple[Path, str], "set[str]"]
"""The names in a module that differ only by their numbers, by module and what they share."""


def _families(paths: list[Path]) -> _Families:
    found: dict[tuple[Path, str], set[str]] = defaultdict(set)
    for path, name in {(p[:depth], name) for p in paths for depth, name in enumerate(p)}:
        found[path, placeless(name)].add(name)
    return found


def _shared(path: Path, one: _Families, two: _Families) -> Path:
    for depth, name in enumerate(path):
        family = (path[:depth], placeless(name))
        if one.get(family) != two.get(family):
            return path[:depth]
    return path


# Names in other uses of a block


class Meanings:
    """What names mean in the uses of blocks that are settled.

    A name in a module is compared with the place in a block that it has, for each block around a
    layer whose use is exactly one module: `branch2.1.conv` of `3a`, `3b`, `4a` is one place of one
    block in all of them, or it means nothing.
    """

    def __init__(
        self, network: Network, theirs: Sequence[Layer], settled: Mapping[int, int]
    ) -> None:
        self._network = network
        self._theirs = theirs
        self._known: dict[tuple[str, str, str], set[str]] = defaultdict(set)
        modules: dict[str, set[int]] = defaultdict(set)
        uses: dict[str, set[int]] = defaultdict(set)
        for i, j in settled.items():
            for module, _ in _splits(theirs[i].name):
                modules[module].add(i)
            for use, _, _ in self._uses(j):
                uses[use].add(i)
        met: dict[tuple[str, str, str], set[str]] = defaultdict(set)
        for i, j in settled.items():
            for module, name in _splits(theirs[i].name):
                for depth, (use, block, place) in enumerate(self._uses(j)):
                    innermost = depth == 0 and "." not in name
                    if innermost or modules[module] == uses[use]:
                        key = (_numberless(module), name, block)
                        self._known[key].add(place)
                        met[key].add(use)
        unclear = [key for key, places in self._known.items() if len(places) > 1]
        self._odd = {use for key in unclear for use in met[key]}
        """Uses in which a name means something of its own; nothing is concluded for them."""

    def told(self, doubts: Doubts) -> dict[int, int]:
        """Layers identified by consistent knowledge of a name."""
        found: dict[int, int] = {}
        for i, candidates in doubts.items():
            said = set()
            for module, name in _splits(self._theirs[i].name):
                if re.search(r"[^\W\d]", name.rpartition(".")[2] if "." not in name else name):
                    said |= self._said(_numberless(module), name, candidates)
            if len(said) == 1:
                (found[i],) = said
        return found

    def _said(self, module: str, name: str, candidates: frozenset[int | None]) -> set[int]:
        found: dict[str, list[int]] = defaultdict(list)
        for j in candidates:
            for use, block, place in self._uses(j) if j is not None else ():
                if self._known.get((module, name, block)) == {place} and use not in self._odd:
                    found[block].append(j)  # type: ignore[arg-type]
        return {js[0] for js in found.values() if len(js) == 1}

    def _uses(self, j: int) -> list[tuple[str, str, str]]:
        """The uses of blocks around a layer, the innermost first, with its place in each."""
        name = self._network.layers[j].name
        return [(name.removesuffix(place), block, place) for block, place in self._network.roles[j]]


def _splits(name: str) -> list[tuple[str, str]]:
    """A name as a module and a name in it, in all ways, the innermost module first."""
    pieces = name.split(".")
    return [
        (".".join(pieces[:i]), ".".join(pieces[i:])) for i in range(len(pieces) - 1, -1, -1)
    ]  # fmt: skip


def _numberless(module: str) -> str:
    """The name of a module without the numbers that tell uses of a block apart."""
    return re.sub(r"\d+[a-z]?(?=\.|$)", "#", module)


# Lists


def lists_told(network: Network, theirs: Sequence[Layer], doubts: Doubts) -> dict[int, int]:
    """What is in the same place of two lists of the same length, where only that is open."""
    open_ = {j for candidates in doubts.values() for j in candidates if j is not None}
    mine = _lists({j: network.layers[j].name for j in open_})
    places = {frozenset(members): members for members in mine}
    found: dict[int, int] = {}
    for members in _lists({i: theirs[i].name for i in doubts}):
        meant = places.get(frozenset().union(*(doubts[i] for i in members)))  # type: ignore[arg-type]
        if meant is not None and len(meant) == len(members):
            found.update(zip(members, meant))
    return found


def _lists(names: Mapping[int, str]) -> list[list[int]]:
    """Those whose names differ in one number, which is a name by itself, in order."""
    groups: dict[tuple[Path, Path], dict[int, int]] = defaultdict(dict)
    for i, name in names.items():
        path = Path(name.split("."))
        for depth, piece in enumerate(path):
            if re.fullmatch(r"\d{1,9}", piece, re.ASCII):
                groups[path[:depth], path[depth + 1 :]][int(piece)] = i
    return [[group[n] for n in sorted(group)] for group in groups.values() if len(group) > 1]
