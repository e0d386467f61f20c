"""Layers by their tensors: those of a graph with what feeds what, those of a file with the modules
that its names tell of."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from math import lgamma, log
from typing import NamedTuple

from archdsl.graph import Graph
from archdsl.operations import Shape
from archdsl.weights.sources import File, tensor_name

ROLES = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
"""The tensors of a layer as PyTorch calls them, in its order."""

COUNTER = ROLES[-1]
"""A buffer that files may lack; nothing is computed with it in inference."""

_DEEPEST = 40
"""Modules in modules; what follows further down counts as one name."""

_UNLIKELY = 1000
"""An order is believed when only one in so many shuffled files would look as orderly."""

Signature = tuple[tuple[str, Shape], ...]
"""What a layer's tensors are, and their shapes without trailing ones: a matrix is a 1x1 kernel."""


class Layer(NamedTuple):
    """A layer: its name, the full name of each of its tensors by role, and their shapes."""

    name: str
    tensors: dict[str, str]
    shapes: dict[str, Shape]

    @property
    def signature(self) -> Signature:
        return tuple(
            sorted((role, trimmed(s)) for role, s in self.shapes.items() if role != COUNTER)
        )

    @property
    def weight(self) -> Shape:
        """The shape of its first tensor without trailing ones."""
        return trimmed(next(iter(self.shapes.values())))

    @property
    def is_matrix(self) -> bool:
        """Whether it is a convolution or a matrix."""
        return len(self.weight) > 1 and "running_mean" not in self.shapes


def trimmed(shape: Shape) -> Shape:
    """A shape without trailing ones."""
    while shape and shape[-1] == 1:
        shape = shape[:-1]
    return shape


# Layers of a graph


class Network:
    """The layers of a graph, in the order of computation. Sets of them are bits of a number."""

    def __init__(self, graph: Graph) -> None:
        self.layers: list[Layer] = []
        self.roles: list[tuple[str, str]] = []
        """The block in whose text each stands, and its name there."""
        self.before: list[int] = []
        """Those that directly feed each one."""
        reached: dict[int, int] = {id(value): 0 for value in graph.inputs}
        for node in graph.nodes:
            sources = 0
            for value in node.inputs:
                sources |= reached[id(value)]
            weights = node.operation.weights
            if weights:
                names = {w.name: tensor_name(node, w.name) for w in weights}
                shapes = {w.name: w.shape for w in weights}
                self.roles.append((node.scope.unit.name, ".".join(node.name)))
                self.before.append(sources)
                sources = 1 << len(self.layers)
                self.layers.append(Layer(".".join(node.path), names, shapes))
            for value in node.outputs:
                reached[id(value)] = sources
        self.near = list(self.before)
        """Those that directly feed each one or that it feeds."""
        for i, sources in enumerate(self.before):
            for j in bits(sources):
                self.near[j] |= 1 << i
        self.after = [0] * len(self.layers)
        """All that depend on each one."""
        for i in reversed(range(len(self.layers))):
            for j in bits(self.before[i]):
                self.after[j] |= 1 << i | self.after[i]

    @property
    def all(self) -> int:
        return (1 << len(self.layers)) - 1

    @property
    def head(self) -> int:
        """The last convolutions or matrices on the way to an output, and what follows them."""
        matrices = sum(1 << i for i, layer in enumerate(self.layers) if layer.is_matrix)
        last = [i for i in bits(matrices) if not self.after[i] & matrices]
        return union([1 << i for i in last] + [self.after[i] for i in last])

    @property
    def input(self) -> int:
        """The layers that see an input before any other layer does."""
        return sum(1 << i for i, sources in enumerate(self.before) if not sources)

    def connected(self, layers: int) -> bool:
        """Whether some layers hang together, each feeding another or being fed by it."""
        found = wave = layers & -layers
        while wave:
            wave = union(self.near[i] for i in bits(wave)) & layers & ~found
            found |= wave
        return found == layers

    def after_any(self, layers: int) -> int:
        """All that depend on one of some layers."""
        return union(self.after[i] for i in bits(layers))


def bits(number: int) -> Iterator[int]:
    """The places of the bits of a number, from the lowest."""
    while number:
        low = number & -number
        yield low.bit_length() - 1
        number ^= low


def union(numbers: Iterable[int]) -> int:
    found = 0
    for number in numbers:
        found |= number
    return found


# Layers of a file


class Module:
    """What the names of a file have in common up to a dot: layers and modules, in their order.

    Its layers are those from `first` to `last`, left out, of the file's.
    """

    def __init__(self, name: str, layer: int | None = None) -> None:
        self.name = name
        self.layer = layer
        self.parts: list[Module] = []
        self.first = self.last = 0
        self.needs: list[int] = []
        """For each part, as bits, the parts that come before it."""
        self.follows: list[int | None] = []
        """For each part the one of the same name with the number before."""


class Checkpoint:
    """The layers of a file, and its modules.

    `ordered` tells whether the order of the file is that in which modules were defined. It is not
    where names are sorted, where modules or layers are torn apart, where numbers in names or the
    tensors of a layer run against it, and where all this might be so by chance.
    """

    def __init__(self, file: File) -> None:
        layers = _grouped(file.shapes)
        tree = _tree([layer.name for layer in layers])
        walk = list(_leaves(tree))
        self.ordered = (
            walk == sorted(walk)
            and _as_defined(file.shapes, layers)
            and _numbers_rise(tree)
            and lgamma(len(file.shapes) + 1) - _freedom(tree) > log(_UNLIKELY)
        )
        self.layers = [layers[i] for i in walk]
        self.root = tree
        _number(tree, 0)

    def arrange(self, by_file: bool, dissolve: bool = False) -> Module:
        """The modules with what must come before what: by numbers in names, and by the file.

        To `dissolve` is to let those whose parts have numbers alone for names be no modules.
        """
        return _arranged(self.root, by_file, dissolve)


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


def _tree(names: list[str]) -> Module:
    root = Module("")
    modules: dict[tuple[str, ...], Module] = {(): root}
    for i, name in enumerate(names):
        path = tuple(name.split(".", _DEEPEST)) if name else ()
        for depth in range(1, len(path) + 1):
            if path[:depth] not in modules:
                module = modules[path[:depth]] = Module(path[depth - 1])
                modules[path[: depth - 1]].parts.append(module)
        modules[path].parts.append(Module("", i))
    return root


def _leaves(module: Module) -> Iterator[int]:
    if module.layer is not None:
        yield module.layer
    for part in module.parts:
        yield from _leaves(part)


def _as_defined(shapes: Mapping[str, Shape], layers: list[Layer]) -> bool:
    """Whether layers are whole and their tensors as PyTorch has them, and nobody sorted names."""
    names = [name for name in shapes if not name.endswith(COUNTER)]
    if names in (sorted(names), sorted(names, reverse=True)):
        return False
    return [*shapes] == [name for layer in layers for name in layer.tensors.values()]


def _numbers_rise(module: Module) -> bool:
    follows = _families(module.parts)
    return all(j is None or j < i for i, j in enumerate(follows)) and all(
        map(_numbers_rise, module.parts)
    )


def _freedom(module: Module) -> float:
    """The logarithm of the number of orders in which the names could stand as well."""
    follows = _families(module.parts)
    free = lgamma(len(module.parts) + 1)
    lengths: list[int] = []
    for i in range(len(module.parts)):
        lengths.append(1 if follows[i] is None else lengths[follows[i]] + 1)  # type: ignore[index]
        free -= log(lengths[i])
    return free + sum(map(_freedom, module.parts))


def _families(parts: list[Module]) -> list[int | None]:
    """For each part the one that goes before it by the numbers at the ends of their names."""
    families: dict[tuple[str, ...], list[tuple[tuple[int, ...], int]]] = {}
    for i, part in enumerate(parts):
        words, numbers = [], []
        for piece in re.split(r"[_.]", part.name):
            match = re.fullmatch(r"(.*?)(\d{1,9})", piece, re.ASCII | re.DOTALL)
            words.append(match[1] + "#" if match else piece)
            numbers += [int(match[2])] if match else []
        if numbers:
            families.setdefault(tuple(words), []).append((tuple(numbers), i))
    follows: list[int | None] = [None] * len(parts)
    for family in families.values():
        family.sort()
        for (_, before), (_, i) in itertools.pairwise(family):
            follows[i] = before
    return follows


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


def _arranged(module: Module, by_file: bool, dissolve: bool) -> Module:
    if module.layer is not None:
        return module
    if len(module.parts) == 1:  # a wrapper says nothing
        return _arranged(module.parts[0], by_file, dissolve)
    made = Module(module.name)
    made.first, made.last = module.first, module.last
    for part in module.parts:
        inner = _arranged(part, by_file, dissolve)
        if dissolve and inner.parts and all(p.name.isdecimal() for p in part.parts):
            for piece in inner.parts:
                made.parts.append(_renamed(piece, f"{part.name}.{piece.name}"))
        else:
            made.parts.append(_renamed(inner, part.name))
    made.follows = _families(made.parts)
    for i, before in enumerate(made.follows):
        needs = 0 if before is None else 1 << before
        made.needs.append(needs | (1 << i - 1 if by_file and i else 0))
    return made


def _renamed(module: Module, name: str) -> Module:
    made = Module(name, module.layer)
    made.parts, made.needs, made.follows = module.parts, module.needs, module.follows
    made.first, made.last = module.first, module.last
    return made
