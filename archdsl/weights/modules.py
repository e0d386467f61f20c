"""The layers of a file, and the modules that their names tell of."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from math import lgamma, log
from typing import NamedTuple

from archdsl.ops import Shape
from archdsl.weights.layers import COUNTER, ROLES, Layer
from archdsl.weights.sources import File

_DEEPEST = 40
"""Modules in modules; what follows further down counts as one name."""

_UNLIKELY = 1000
"""An order is believed when only one in so many shuffled files would look as orderly."""

_MOST_NUMBERS = 3
"""Numbers in a name of which each may count upwards or downwards by itself."""

Way = tuple[bool, ...]
"""For each number in a name whether it counts downwards."""


class Step(NamedTuple):
    """When a part can be read: once exactly the parts `done` of its `family` have been."""

    family: int
    done: int
    before: int | None
    """The member of the family that it follows."""


class Directions(NamedTuple):
    """Direction of numbers in names along the network.

    `words` says it of names such as `conv1`, where either is usual: `up`, `down`, or empty for
    whichever fits. `lists` tells whether a name that is a number may count downwards too; the
    parts of a list are used from the first to the last wherever that fits. `ways` restricts
    families of names to some ways.
    """

    words: str = ""
    lists: bool = False
    ways: Mapping[str, tuple[Way, ...]] = {}


class Module:
    """What the names of a file have in common up to a dot: layers and modules, in their order.

    Its layers are those from `first` to `last`, left out, of the file's.
    """

    def __init__(self, name: str, layer: int | None = None, norm: bool = False) -> None:
        self.name = name
        self.layer = layer
        self.norm = norm
        """True if it is a layer and no convolution or matrix."""
        self.parts: list[Module] = []
        self.first = self.last = 0
        self.needs: list[int] = []
        """For each part, as bits, the parts that come before it in the file, if that counts."""
        self.families: dict[str, Family] = {}
        """By what their names have in common, places aside."""
        self.steps: list[list[Step]] = []
        """For each part when numbers let it be read."""
        self.partners: list[int | None] = []
        """For each part the norm or matrix with the same number, which must be next to it."""


class Family(NamedTuple):
    """Parts whose names differ in numbers alone, and the orders in which these may count."""

    members: int
    orders: dict[Way, tuple[int, ...]]


class Checkpoint:
    """The layers of a file, and its modules.

    `ordered` tells whether the order of the file is that in which modules were defined. It is not
    where names are sorted, where modules or layers are torn apart, where numbers in names or the
    tensors of a layer run against it, and where all this might be so by chance.
    """

    def __init__(self, file: File) -> None:
        layers = _grouped(file.shapes)
        tree = _tree(layers)
        walk = list(_leaves(tree))
        self.ordered = (
            walk == sorted(walk)
            and _as_defined(file.shapes, layers)
            and _numbers_run(tree)
            and lgamma(len(file.shapes) + 1) - _freedom(tree) > log(_UNLIKELY)
        )
        self.layers = [layers[i] for i in walk]
        self.root = tree
        _number(tree, 0)

    def arrange(self, by_file: bool, dissolve: bool, directions: Directions) -> Module:
        """The modules with what must come before what: by numbers in names, and by the file.

        To `dissolve` is to let those whose parts have numbers alone for names be no modules.
        """
        return _arranged(self.root, by_file, dissolve, directions, "")

    def ways(self, directions: Directions) -> dict[str, tuple[Way, ...]]:
        """The ways that numbers may count, for each family of names that leaves a choice.

        Families at the same place, numbers aside, are one.
        """
        found: dict[str, dict[Way, None]] = {}
        for dissolve in (False, True):
            for name, family in _all_families(self.arrange(False, dissolve, directions)):
                found.setdefault(name, {}).update(dict.fromkeys(family.orders))
        return {name: tuple(ways) for name, ways in found.items() if len(ways) > 1}


def _grouped(shapes: Mapping[str, Shape]) -> list[Layer]:
    """Tensors of one layer together; one whose name is no role is a layer by itself."""
    found: dict[tuple[str, bool], Layer] = {}
    for name, shape in shapes.items():
        prefix, _, role = name.rpartition(".")
        alone = role not in ROLES
        if alone:
            prefix, role = name, ROLES[0]
        layer = found.setdefault((prefix, alone), Layer(prefix, {}, {}))
        layer.tensors[role] = name
        layer.shapes[role] = shape
    for layer in found.values():  # in the order of roles, whatever that of the file
        for table in (layer.tensors, layer.shapes):
            kept = dict(table)
            table.clear()
            table.update((role, kept[role]) for role in ROLES if role in kept)  # type: ignore[misc]
    return list(found.values())


def _tree(layers: list[Layer]) -> Module:
    root = Module("")
    modules: dict[tuple[str, ...], Module] = {(): root}
    for i, layer in enumerate(layers):
        path = tuple(layer.name.split(".", _DEEPEST)) if layer.name else ()
        for depth in range(1, len(path) + 1):
            if path[:depth] not in modules:
                module = modules[path[:depth]] = Module(path[depth - 1])
                modules[path[: depth - 1]].parts.append(module)
        modules[path].parts.append(Module("", i, norm=not layer.is_matrix))
    return root


def _leaves(module: Module) -> Iterator[int]:
    if module.layer is not None:
        yield module.layer
    for part in module.parts:
        yield from _leaves(part)


def _as_defined(shapes: Mapping[str, Shape], layers: list[Layer]) -> bool:
    """True if layers are whole and their tensors as PyTorch has them, and nobody sorted names."""
    names = [name for name in shapes if not name.endswith(COUNTER)]
    if names in (sorted(names), sorted(names, reverse=True)):
        return False
    return [*shapes] == [name for layer in layers for name in layer.tensors.values()]


def _numbers_run(module: Module) -> bool:
    """True if numbers in names count upwards or downwards in the order of the file."""
    return all(
        any(list(order) == sorted(order) for order in family.orders.values())
        for family in _families(module.parts, "", Directions()).values()
    ) and all(map(_numbers_run, module.parts))


def _freedom(module: Module) -> float:
    """The logarithm of the number of orders in which the names could stand as well."""
    free = lgamma(len(module.parts) + 1)
    for family in _families(module.parts, "", Directions()).values():
        free -= lgamma(family.members.bit_count() + 1) - log(len(family.orders))
    return free + sum(map(_freedom, module.parts))


class _Number(NamedTuple):
    """A number in a name, with the letter behind it: the one of `3a` comes before that of `3b`."""

    number: int
    letter: str


_NUMBERED = re.compile(r"(.*?)(\d{1,9})([a-z]?)", re.ASCII | re.DOTALL)


def _numbers(name: str) -> tuple[str, list[_Number], list[bool]]:
    """A name without its numbers, these, and whether each is a name or stands in one."""
    words, numbers, within = [], [], []
    for piece in re.split(r"([_.])", name):
        match = _NUMBERED.fullmatch(piece)
        words.append(f"{match[1]}#{'a' if match[3] else ''}" if match else piece)
        if match:
            numbers.append(_Number(int(match[2]), match[3]))
            within.append(bool(match[1]) or piece not in name.split("."))
    return "".join(words), numbers, within


def placeless(name: str) -> str:
    """A name without the numbers in it."""
    return _numbers(name)[0]


def _families(parts: list[Module], place: str, directions: Directions) -> dict[str, Family]:
    groups: dict[str, list[tuple[list[_Number], int]]] = {}
    free: dict[str, list[bool]] = {}
    for i, part in enumerate(parts):
        words, numbers, within = _numbers(part.name)
        if numbers:
            groups.setdefault(words, []).append((numbers, i))
            free[words] = within
    found = {}
    for words, group in groups.items():
        if len(group) > 1:
            name = f"{place}.{words}"
            orders = _orders(group, _ways(parts, group, free[words], directions))
            allowed = directions.ways.get(name, orders)
            kept = {way: order for way, order in orders.items() if way in allowed} or orders
            found[name] = Family(sum(1 << i for _, i in group), kept)
    return found


def _ways(
    parts: list[Module],
    group: list[tuple[list[_Number], int]],
    within: list[bool],
    directions: Directions,
) -> list[Way]:
    """The ways in which the numbers of a family may count."""
    norms = {_is_norm(parts[i]) for _, i in group}
    upwards = (False,) * len(within)
    if len(norms) > 1 or directions.words == "up":  # norms and matrices, one after the other
        return [upwards]
    turns = [inside or directions.lists for inside in within]
    if directions.words == "down":
        return [tuple(turns)]
    if sum(turns) > _MOST_NUMBERS:
        return [upwards, tuple(turns)]
    return [*itertools.product(*((False, True) if turn else (False,) for turn in turns))]


def _orders(group: list[tuple[list[_Number], int]], ways: list[Way]) -> dict[Way, tuple[int, ...]]:
    """The order of the members that each way comes to, those that differ."""
    found: dict[tuple[int, ...], Way] = {}
    for way in ways:
        members = list(group)
        for place in reversed(range(len(way))):
            members.sort(key=lambda member: member[0][place], reverse=way[place])
        found.setdefault(tuple(i for _, i in members), way)
    return {way: order for order, way in found.items()}


def _is_norm(module: Module) -> bool | None:
    """True if a part is a layer other than a convolution or a matrix; none for modules."""
    while module.layer is None and len(module.parts) == 1:
        module = module.parts[0]
    return None if module.layer is None else module.norm


def _partners(parts: list[Module]) -> list[int | None]:
    groups: dict[tuple[_Number, ...], list[int]] = {}
    for i, part in enumerate(parts):
        if part.layer is not None:
            groups.setdefault(tuple(_numbers(part.name)[1]), []).append(i)
    found: list[int | None] = [None] * len(parts)
    for numbers, group in groups.items():
        if numbers and len(group) == 2 and parts[group[0]].norm != parts[group[1]].norm:
            one, two = group
            found[one], found[two] = two, one
    return found


def _all_families(module: Module) -> Iterator[tuple[str, Family]]:
    yield from module.families.items()
    for part in module.parts:
        yield from _all_families(part)


def _number(module: Module, first: int) -> int:
    """Number the layers as they are walked; the number after the module's."""
    module.first = first
    if module.layer is not None:
        module.layer = first
        first += 1
    for part in module.parts:
        first = _number(part, first)
    module.last = first
    return first


def _arranged(
    module: Module, by_file: bool, dissolve: bool, directions: Directions, place: str
) -> Module:
    if module.layer is not None:
        return module
    if len(module.parts) == 1:  # a wrapper says nothing
        (part,) = module.parts
        return _arranged(part, by_file, dissolve, directions, f"{place}.{placeless(part.name)}")
    made = Module(module.name)
    made.first, made.last = module.first, module.last
    for part in module.parts:
        inner = _arranged(part, by_file, dissolve, directions, f"{place}.{placeless(part.name)}")
        if dissolve and inner.parts and all(p.name.isdecimal() for p in part.parts):
            for piece in inner.parts:
                made.parts.append(_renamed(piece, f"{part.name}.{piece.name}"))
        else:
            made.parts.append(_renamed(inner, part.name))
    made.families = _families(made.parts, place, directions)
    made.needs = [1 << i - 1 if by_file and i else 0 for i in range(len(made.parts))]
    made.partners = _partners(made.parts)
    made.steps = [[] for _ in made.parts]
    for family in made.families.values():
        for order in family.orders.values():
            done, before = 0, None
            for i in order:
                made.steps[i].append(Step(family.members, done, before))
                done, before = done | 1 << i, i
    for steps in made.steps:
        steps[:] = dict.fromkeys(steps) or [Step(0, 0, None)]
    return made


def _renamed(module: Module, name: str) -> Module:
    made = Module(name)
    vars(made).update(vars(module), name=name)
    return made
