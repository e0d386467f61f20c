"""The weights of a network from a checkpoint whose names are others."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from math import prod
from typing import Any, NamedTuple, Protocol

import numpy as np

from archdsl.diagnostics import errors
from archdsl.diagnostics.diagnostic import Diagnostic, DiagnosticError
from archdsl.diagnostics.spelling import did_you_mean, nearest
from archdsl.diagnostics.writing import writing
from archdsl.ir.graph import Graph
from archdsl.ops import Shape, shape_text
from archdsl.support.arrays import Array
from archdsl.support.progress import Progress, untold
from archdsl.weights.channels import fitted_channels
from archdsl.weights.files import open_file
from archdsl.weights.finding import Skipped, described, find, shown
from archdsl.weights.layers import COUNTER, ROLES, Layer, Network
from archdsl.weights.modules import Checkpoint
from archdsl.weights.parametrized import whole_weights
from archdsl.weights.rules import Map, quoted, rules_of
from archdsl.weights.sources import (
    FLOATS,
    Declared,
    Drawn,
    File,
    Narrowed,
    Source,
    Stored,
    Tensors,
    declared,
    has_other_names,
    row_pieces,
    useful,
)

_COUNTS = (*FLOATS, "int64", "int32", "int16", "int8", "uint8")
"""The kinds of numbers that a counter of batches may have."""


class HasGraph(Protocol):
    """A network, whatever else it is."""

    @property
    def graph(self) -> Graph:
        """Its checked graph."""


class Pair(NamedTuple):
    """A layer of the checkpoint, and the layer of the network that it is."""

    theirs: str
    ours: str
    what: str
    """Description of the layer: the shape of its weight."""


class Conversion:
    """The tensors of a network's `state_dict`, found in a checkpoint.

    `pairs` are the layers that were found, in the network's order, `begun` those of the network
    that were skipped and begin anew, `unused` those of the checkpoint that nothing was made of.
    `fresh` are the names of the tensors that do not come from the checkpoint: of layers that begin
    anew, and counters of batches that the checkpoint lacks.
    """

    def __init__(
        self,
        file: File,
        tensors: Mapping[str, Declared],
        layers: list[Layer],
        pairs: list[tuple[Layer, Layer]],
        unused: list[str],
        seed: int,
    ) -> None:
        self.names = tensors.keys()
        self._file = file
        self._declared = tensors
        self._drawn = Drawn(tensors, seed)
        self._sources = {
            name: theirs.tensors[role]
            for theirs, ours in pairs
            for role, name in ours.tensors.items()
            if role in theirs.tensors
        }
        self.pairs = [_pair(theirs, ours) for theirs, ours in pairs]
        self.unused = unused
        found = {pair.ours for pair in self.pairs}
        self.begun = [layer.name for layer in layers if layer.name not in found]
        self.fresh = [name for name in tensors if name not in self._sources]
        self.shapes: dict[str, Shape] = {name: t.shape for name, t in tensors.items()}
        self.kinds = {name: self._kind(name) for name in tensors}
        """What numbers each tensor has; bfloat16, which numpy lacks, has become float32."""

    @property
    def mapping(self) -> dict[str, str]:
        """The names of tensors: the checkpoint's, and the network's."""
        return {theirs: ours for ours, theirs in self._sources.items()}

    @property
    def tensors(self) -> dict[str, Array]:
        """All tensors by the network's names, as arrays, in the order of the `state_dict`."""
        try:
            return {name: self._whole(name) for name in self._declared}
        except Diagnostic as problem:
            raise DiagnosticError([problem]) from None

    def lines(self) -> Iterator[str]:
        """The matches as lines of a map."""
        for pair in self.pairs:
            yield f"{quoted(pair.theirs)} -> {pair.ours}  # {pair.what}"
        for name in self.begun:
            yield f"- -> {name}  # begins anew"
        for name in self.unused:
            yield f"{quoted(name)} -> -  # unused"

    def pieces(self, name: str) -> Iterator[Array]:
        """The numbers of a tensor, some rows at a time, in the type that `kinds` tells."""
        shape = self.shapes[name]
        source = self._sources.get(name)
        dtype = np.dtype(self.kinds[name])
        if source is None:
            for piece in self._drawn.pieces(name):
                yield np.asarray(piece.reshape(_rows(shape, len(piece))), dtype, order="C")
            return
        for start, stop in row_pieces(shape):
            piece = useful(self._file, source, self._file.rows(source, start, stop))
            yield np.asarray(piece.reshape(_rows(shape, stop - start)), dtype, order="C")

    def vector(self, name: str) -> Array:
        """All numbers of a small tensor, in float64."""
        return np.asarray(self._whole(name), np.float64).ravel()

    def save(self, path: str | os.PathLike[str], progress: Progress = untold) -> None:
        """Write a `.safetensors` file, whole or not at all. Raises `DiagnosticError`."""
        from archdsl.weights.safetensors import write

        name = os.fspath(path)
        try:
            with writing(name):
                write(name, self.shapes, self.kinds, self.pieces, progress)
        except Diagnostic as problem:
            raise DiagnosticError([problem]) from None

    def _kind(self, name: str) -> str:
        if name.endswith("." + COUNTER):
            return "int64"
        source = self._sources.get(name)
        kind = "float32" if source is None else self._file.kinds[source]
        return "float32" if kind == "bfloat16" else kind

    def _whole(self, name: str) -> Array:
        found = np.empty(self.shapes[name], self.kinds[name])
        start = 0
        for piece in self.pieces(name):
            if found.shape:
                found[start : start + len(piece)] = piece
                start += len(piece)
            else:
                found[()] = piece
        return found


def convert(
    network: HasGraph | Graph,
    state: Mapping[str, Any] | str | os.PathLike[str],
    *,
    map: Map | str | os.PathLike[str] | None = None,
    skip_head: bool = False,
    skip_input: bool = False,
    skip: Sequence[str] = (),
    allow_unused: bool = False,
    numbers: str = "",
    input_channels: str = "",
    entry: str | None = None,
    seed: int = 0,
) -> Conversion:
    """The weights of a network from a checkpoint of the same network under other names.

    `state` is a `state_dict` of torch tensors or numpy arrays, or the path of a safetensors file or
    of what `torch.save` wrote; `entry` says which `state_dict` of several. Which layer is which
    follows from shapes, the names' hierarchy and numbers, and the order along the graph
    (docs/weights.md). `map` settles what these do not: a file, or a mapping from the checkpoint's
    names to the network's. `skip_head` begins the last layers anew, `skip_input` the first ones,
    `skip` layers or blocks by name, drawn by the network's own initialisation from `seed`.
    `input_channels` makes the first layers' weights from those for another number of channels:
    `sum`, `repeat` or `mean`. `numbers` says which way numbers in names count along the network,
    `up` or `down`. `allow_unused` lets layers of the checkpoint that the network has not be left
    out.

    The result's `.tensors` are numpy arrays by the network's names (all of them, for
    `load_state_dict(strict=True)`), `.mapping` leads from the checkpoint's names to the network's,
    `.save(path)` writes a `.safetensors` file. Raises `DiagnosticError` for what does not fit, and
    where it cannot be told which layer is which.
    """
    graph = network if isinstance(network, Graph) else network.graph
    try:
        file = weights_in(state, entry)
        layers = Network(graph)
        skipped = Skipped(
            layers.head if skip_head else 0, layers.input if skip_input else 0,
            _named(skip, layers), layers.input if input_channels else 0,
        )  # fmt: skip
        return _converted(
            graph, layers, file, map, skipped, allow_unused, numbers, input_channels, seed
        )
    except Diagnostic as problem:
        raise DiagnosticError([problem]) from None


_NONE = Skipped()


def _converted(
    graph: Graph,
    layers: Network,
    file: File,
    map: Map | str | os.PathLike[str] | None = None,
    skipped: Skipped = _NONE,
    allow_unused: bool = False,
    numbers: str = "",
    input_channels: str = "",
    seed: int = 0,
) -> Conversion:
    tensors = declared(graph)
    idle = idle_tensors(file, tensors)
    checkpoint = Checkpoint(Narrowed(file, idle))
    rules = rules_of(map, checkpoint.layers, layers.layers, file.name, idle)
    try:
        found = find(layers, checkpoint, file.name, rules, skipped, allow_unused, numbers)
    except DiagnosticError as problem:
        copies = _copies(checkpoint.layers)
        if len(copies) > 1 and not isinstance(problem.diagnostics[0], errors.Ambiguous):
            entries = ", ".join(copies)
            raise errors.SeveralStates(path=file.name, entries=entries, first=copies[0]) from None
        raise
    order = {id(layer): i for i, layer in enumerate(layers.layers)}
    pairs = sorted(found.pairs, key=lambda pair: order[id(pair[1])])
    _check_kinds(file, pairs)
    file = fitted_channels(file, pairs, input_channels)
    unused = [*(shown(layer) for layer in found.unused), *idle]
    return Conversion(file, tensors, layers.layers, pairs, unused, seed)


def fitting(graph: Graph, state: Mapping[str, Any] | str | os.PathLike[str]) -> Source:
    """The weights of a network from anything that `convert` reads, to compute with.

    Where the file has names of the network they decide, and everything that does not fit is told.
    Where it has none, what is what is found as by `convert`. Raises `DiagnosticError`.
    """
    tensors = declared(graph)
    try:
        file = weights_in(state)
        if not has_other_names(file, tensors) or not tensors:
            return Stored(Narrowed(file, idle_tensors(file, tensors)), tensors)
        try:
            return _converted(graph, Network(graph), file)
        except DiagnosticError:
            theirs, ours = next(iter(file.shapes)), next(iter(tensors))
            raise errors.OtherNames(path=file.name, theirs=theirs, ours=ours) from None
    except Diagnostic as problem:
        raise DiagnosticError([problem]) from None


def idle_tensors(file: File, tensors: Mapping[str, Declared]) -> list[str]:
    """Tensors of a file that can be no weights of the network, whatever they are: whole numbers,
    and single numbers where the network has none. Counts of operations and of averages are such.
    """
    single = any(prod(t.shape) == 1 for name, t in tensors.items() if not name.endswith(COUNTER))
    return [
        name
        for name, shape in file.shapes.items()
        if name not in tensors
        and name.rpartition(".")[2] not in ROLES
        and not file.kinds[name].startswith("`")
        and (file.kinds[name] not in FLOATS or (prod(shape) == 1 and not single))
    ]


def _copies(layers: Sequence[Layer]) -> list[str]:
    """The modules of a file that hold the same layers as one another: a network and its average."""
    held: dict[str, dict[str, Any]] = {}
    for layer in layers:
        module, _, name = layer.name.partition(".")
        held.setdefault(module, {})[name] = layer.signature
    most = max(map(len, held.values()), default=0)
    large = [module for module, inside in held.items() if len(inside) == most > 1]
    return large if all(held[m] == held[large[0]] for m in large) else []


def weights_in(state: Mapping[str, Any] | str | os.PathLike[str], entry: str | None = None) -> File:
    """The tensors of a `state_dict` or file, with no weight in parts. Raises a diagnostic."""
    if isinstance(state, Mapping):
        return whole_weights(Tensors(state))
    return whole_weights(open_file(os.fspath(state), entry))


def _named(names: Sequence[str], network: Network) -> int:
    found = 0
    for name in names:
        chosen = [
            i
            for i, layer in enumerate(network.layers)
            if name == layer.name or layer.name.startswith(name + ".")
        ]
        if not chosen:
            names = [layer.name for layer in network.layers]
            lines = ", ".join(dict.fromkeys(n.partition(".")[0] for n in names))
            hint = did_you_mean(nearest(name, names)) or f"it has {lines}"
            raise errors.NoSuchLayer(name=name, hint=hint)
        found |= sum(1 << i for i in chosen)
    return found


def _check_kinds(file: File, pairs: list[tuple[Layer, Layer]]) -> None:
    problems: list[Diagnostic] = []
    for theirs, _ in pairs:
        for role, name in theirs.tensors.items():
            given, expected = file.kinds[name], ""
            if role == COUNTER and (prod(file.shapes[name]) != 1 or given not in _COUNTS):
                given = f"{shape_text(file.shapes[name]) or 'a single number'} of {given}"
                expected = "an integer"
            elif role != COUNTER and given not in FLOATS:
                expected = "floating-point numbers"
            if expected:
                problem = errors.MisshapenWeight(
                    path=file.name, name=name, given=given, expected=expected
                )
                problems.append(problem)
    if problems:
        raise DiagnosticError(problems)


def _pair(theirs: Layer, ours: Layer) -> Pair:
    one, two = described(theirs), described(ours)
    return Pair(shown(theirs), ours.name, one if one == two else f"{one}, stored as {two}")


def _rows(shape: Shape, rows: int) -> Shape:
    return (rows, *shape[1:]) if shape else ()
