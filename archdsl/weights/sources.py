"""Sources of weights: random by the spec's initialization, or read from a file.

A source gives each tensor in pieces of whole rows, so that no more than a piece is ever in memory.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Iterator, Mapping
from math import prod
from typing import Any, NamedTuple, Protocol

import numpy as np

from archdsl.diagnostics import errors
from archdsl.diagnostics.diagnostic import Diagnostic, DiagnosticError
from archdsl.diagnostics.spelling import nearest
from archdsl.ir.graph import Graph, Node
from archdsl.ops import Shape, Word, shape_text
from archdsl.ops.initialisation import distribution
from archdsl.support import limits
from archdsl.support.arrays import Array

PIECE = 1 << 18
"""Numbers in a piece, where rows are smaller: a piece and its double fit into a core's cache."""


FLOATS = ("float64", "float32", "float16", "bfloat16")
"""The kinds of numbers that weights may have."""

_HINTS = 20
"""Looking for the name that was meant takes time; whoever lacks more has another network's file."""

_FEW = 2
"""With more tensors than this, none of which has a name of the network, they have other names."""


class Source(Protocol):
    """Gives tensors by the names they have in a `state_dict`."""

    @property
    def names(self) -> Collection[str]:
        """The tensors that it can give."""

    def pieces(self, name: str) -> Iterator[Array]:
        """The numbers of a tensor as floats of any width, some rows at a time."""

    def vector(self, name: str) -> Array:
        """All numbers of a small tensor, in float64."""


class Declared(NamedTuple):
    """A tensor that the graph says there is."""

    shape: Shape
    distribution: Word
    needed: bool
    """True if inference needs it; what training alone needs may be missing."""


def tensor_name(node: Node, weight: str) -> str:
    """Name of a tensor in the `state_dict`."""
    return ".".join((*node.path, weight))


def declared(graph: Graph) -> dict[str, Declared]:
    """Every tensor of a `state_dict`, by name."""
    inference = set(graph.inference_nodes())
    found = {}
    for node in graph.nodes:
        operation: Any = node.operation
        for weight in operation.weights:
            # Biases count the fans of the weight, the first tensor.
            scheme = distribution(
                weight.init, operation.weights[0].shape, getattr(operation, "groups", 1)
            )
            needed = node in inference and weight.name != "num_batches_tracked"
            found[tensor_name(node, weight.name)] = Declared(weight.shape, scheme, needed)
    return found


def row_pieces(shape: Shape) -> Iterator[tuple[int, int]]:
    """First and last row (left out) of each piece of a tensor."""
    rows = shape[0] if shape else 1
    step = max(1, PIECE // max(1, prod(shape[1:])))
    for start in range(0, rows, step):
        yield start, min(rows, start + step)


# Random weights


class Drawn:
    """Random weights. Each tensor has a generator of its own, made of the seed and its name, so
    that its numbers depend on nothing else."""

    def __init__(self, tensors: Mapping[str, Declared], seed: int) -> None:
        self.names = tensors.keys()
        self._tensors = tensors
        self._seed = seed

    def pieces(self, name: str) -> Iterator[Array]:
        shape, (scheme, argument, mean), _ = self._plan(name)
        count = prod(shape[1:])
        if count > limits.WEIGHT_ROW:
            limit = limits.WEIGHT_ROW
            raise errors.TooLongRow(name=name, rows=shape[0], count=count, limit=limit)
        if scheme == "constant":
            for start, stop in row_pieces(shape):
                yield np.full((stop - start, *shape[1:]), argument, np.float32)
            return
        key = np.frombuffer(name.encode(), np.uint8)
        seeds = np.random.SeedSequence([self._seed, *key.tolist()])
        generator = np.random.Generator(np.random.SFC64(seeds))
        factor = np.float32(argument)
        for start, stop in row_pieces(shape):
            size = (stop - start, *shape[1:])
            if scheme == "uniform":
                piece = generator.random(size, np.float32)
                piece -= np.float32(0.5)
                piece *= 2 * factor
            else:
                if scheme == "truncated_normal" and argument > EDGE:
                    yield _wide(size, generator, argument, mean)
                    continue
                piece = generator.standard_normal(size, np.float32)
                piece *= factor
                if mean:
                    piece += np.float32(mean)
                if scheme == "truncated_normal":
                    _redraw(piece, generator, factor, np.float32(mean))
            yield piece

    def vector(self, name: str) -> Array:
        return np.concatenate([*self.pieces(name)]).astype(np.float64)

    def _plan(self, name: str) -> tuple[Shape, tuple[str, float, float], bool]:
        shape, scheme, needed = self._tensors[name]
        argument, mean = (*scheme.arguments, 0.0)[:2]
        return shape, (scheme.name, argument, mean), needed  # type: ignore[return-value]


EDGE = 2.0
"""Bounds of the truncated normal distribution."""


def _wide(size: Shape, generator: np.random.Generator, std: float, mean: float) -> Array:
    """A normal within -2 and 2 that is wider than that: uniform numbers, each kept as often as it
    is likely. At least an eighth of them are, where a normal itself might be outside for ever."""
    piece = np.empty(prod(size), np.float32)
    missing = np.arange(len(piece))
    while len(missing):
        drawn = generator.uniform(-EDGE, EDGE, len(missing))
        kept = generator.random(len(missing)) < np.exp(-0.5 * ((drawn - mean) / std) ** 2)
        piece[missing[kept]] = drawn[kept]
        missing = missing[~kept]
    return piece.reshape(size)


def _redraw(
    piece: Array, generator: np.random.Generator, factor: np.float32, mean: np.float32
) -> None:
    """Draw again what lies outside of -2 and 2; of a wide normal only what would be rare."""
    outside = np.abs(piece) > EDGE
    while count := int(outside.sum()):
        piece[outside] = generator.standard_normal(count, np.float32) * factor + mean
        outside = np.abs(piece) > EDGE


# Stored weights


class File(Protocol):
    """A file with tensors."""

    name: str
    shapes: dict[str, Shape]
    kinds: dict[str, str]
    """Data type of each tensor: `float32`, `int64`."""

    def rows(self, name: str, start: int, stop: int) -> Array:
        """Some rows of a tensor, as floats."""


class Stored:
    """The weights of a file that has what the graph declares.

    Raises a diagnostic for numbers that no result comes of, when it comes to them.
    """

    def __init__(self, file: File, tensors: Mapping[str, Declared]) -> None:
        """Raises `DiagnosticError` with the tensors that are missing, surplus or misshapen."""
        problems = _misfits(file, tensors)
        if problems:
            raise DiagnosticError(problems)
        self._file = file
        self.names = [
            name
            for name, (shape, *_) in tensors.items()
            if file.shapes.get(name) == shape and file.kinds[name] in FLOATS
        ]

    def pieces(self, name: str) -> Iterator[Array]:
        for start, stop in row_pieces(self._file.shapes[name]):
            yield useful(self._file, name, self._file.rows(name, start, stop))

    def vector(self, name: str) -> Array:
        return np.concatenate([*self.pieces(name)]).astype(np.float64)


def useful(file: File, name: str, numbers: Array) -> Array:
    """Numbers of a tensor of a file. Raises a diagnostic for those of which no result comes."""
    what = ""
    if not np.isfinite(numbers).all():
        what = "numbers that are not finite"
    elif name.rpartition(".")[2] == "running_var" and (numbers < 0).any():
        what = "variances below 0"
    if what:
        raise errors.UselessNumbers(path=file.name, name=name, what=what)
    return numbers


def has_other_names(file: File, tensors: Mapping[str, Declared]) -> bool:
    """True if a file has no tensor of the network by its name."""
    return len(file.shapes) > _FEW and not any(name in tensors for name in file.shapes)


class Narrowed:
    """A file without some of its tensors."""

    def __init__(self, file: File, left_out: Container[str]) -> None:
        self.name = file.name
        self.shapes = {name: s for name, s in file.shapes.items() if name not in left_out}
        self.kinds = {name: k for name, k in file.kinds.items() if name not in left_out}
        self.rows = file.rows


def _misfits(file: File, tensors: Mapping[str, Declared]) -> list[Diagnostic]:
    problems: list[Diagnostic] = []
    surplus = [name for name in file.shapes if name not in tensors]
    for name, (shape, _, needed) in tensors.items():
        expected = shape_text(shape) or "a single number"
        if name not in file.shapes:
            if needed:
                near = nearest(name, surplus) if len(problems) < _HINTS else ""
                hint = f"the file has `{near}`, which the network has not" if near else ""
                problems.append(
                    errors.MissingWeight(path=file.name, name=name, expected=expected, hint=hint)
                )
        elif needed and (file.shapes[name] != shape or file.kinds[name] not in FLOATS):
            given = shape_text(file.shapes[name]) or "a single number"
            kind = file.kinds[name]
            problems.append(
                errors.MisshapenWeight(
                    path=file.name, name=name, expected=f"{expected} of floating-point numbers",
                    given=f"{given} of {kind}",
                )
            )  # fmt: skip
    for name in surplus[: limits.MISTAKES]:
        given = shape_text(file.shapes[name]) or "a single number"
        problems.append(errors.SurplusWeight(path=file.name, name=name, given=given))
    return problems[: limits.MISTAKES]


def widened(numbers: Array, kind: str) -> Array:
    """The bits of bfloat16, which numpy lacks, as float32; other numbers as they are."""
    if kind != "bfloat16":
        return numbers
    return (numbers.astype(np.uint32) << np.uint32(16)).view(np.float32)


class Tensors:
    """Tensors in memory, of numpy or of torch, as if they were a file."""

    def __init__(self, tensors: Mapping[str, Any], name: str = "the given state_dict") -> None:
        self.name = name
        self._tensors = tensors
        self.shapes = {str(name): _shape(tensor) for name, tensor in tensors.items()}
        self.kinds = {str(name): _kind(tensor) for name, tensor in tensors.items()}

    def rows(self, name: str, start: int, stop: int) -> Array:
        tensor = self._tensors[name]
        part = tensor[start:stop] if len(tensor.shape) else tensor
        if hasattr(part, "detach"):  # numpy knows no bfloat16, nor numbers that wait to be negated
            part = part.detach().cpu().resolve_neg()
            part = part if "float64" in str(part.dtype) else part.float()
        return np.ascontiguousarray(part)


def _shape(tensor: Any) -> Shape:
    return () if getattr(tensor, "is_nested", False) else tuple(getattr(tensor, "shape", ()))


def _kind(tensor: Any) -> str:
    """What kind of numbers something has; none of `FLOATS` where they cannot be had."""
    if not hasattr(tensor, "dtype"):
        return f"`{type(tensor).__name__}`"
    kind = str(tensor.dtype).removeprefix("torch.")
    if hasattr(tensor, "detach"):
        if tensor.is_nested:
            return f"nested {kind}"
        if tensor.is_meta:
            return f"{kind} without numbers"
        if "strided" not in str(tensor.layout):
            return f"sparse {kind}"
    return kind
