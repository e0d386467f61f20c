"""Weights that a file holds in parts: weight and spectral normalization, pruning.

PyTorch computes such a weight whenever the layer is used, and its `state_dict` holds what it is
computed from. Here it is computed once, in float64, and the parts are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from archdsl.diagnostics import errors
from archdsl.ops import Shape
from archdsl.support.arrays import Array
from archdsl.weights.sources import FLOATS, File

_PARTS = {
    # as they were before torch 1.9 and are in `torch.nn.utils.prune`
    "{}_v": "direction", "{}_g": "norm", "{}_orig": "original", "{}_mask": "mask",
    "{}_u": "left",
    "parametrizations.{}.original0": "norm", "parametrizations.{}.original1": "direction",
    "parametrizations.{}.original": "original",
    "parametrizations.{}.0._u": "left", "parametrizations.{}.0._v": "right",
}  # fmt: skip

_LEAST_COSINE = 0.5
"""A spectral norm's vectors agree so far, at least, with those of the weight that they are of."""


class _Weight(NamedTuple):
    parts: dict[str, str]
    """The tensors that it is made of, by what they are."""
    make: Callable[[dict[str, Array]], Array]
    shape: Shape
    kind: str


class Parametrized:
    """The tensors of a file, those that it holds in parts put together."""

    def __init__(self, file: File, weights: Mapping[str, _Weight]) -> None:
        self.name = file.name
        self._file = file
        self._weights = weights
        parts = {part for weight in weights.values() for part in weight.parts.values()}
        self.shapes: dict[str, Shape] = {}
        self.kinds: dict[str, str] = {}
        made = {next(iter(weight.parts.values())): name for name, weight in weights.items()}
        for name in file.shapes:  # in the file's order, each where its first part is
            if name in made:
                weight = weights[made[name]]
                self.shapes[made[name]], self.kinds[made[name]] = weight.shape, weight.kind
            elif name not in parts:
                self.shapes[name], self.kinds[name] = file.shapes[name], file.kinds[name]
        self._last: tuple[str, Array] | None = None

    def rows(self, name: str, start: int, stop: int) -> Array:
        """Some rows of a tensor."""
        weight = self._weights.get(name)
        if weight is None:
            return self._file.rows(name, start, stop)
        if self._last is None or self._last[0] != name:
            parts = {what: self._whole(part) for what, part in weight.parts.items()}
            self._last = name, weight.make(parts)
        return self._last[1][start:stop]

    def _whole(self, name: str) -> Array:
        shape = self._file.shapes[name]
        found = self._file.rows(name, 0, shape[0] if shape else 1)
        return np.asarray(found, np.float64).reshape(shape)


def whole_weights(file: File) -> File:
    """A file in which no weight is in parts. Raises a diagnostic for those it cannot make."""
    weights = {}
    for name, parts in _groups(file.shapes):
        weights[name] = _weight(file, name, parts)
    return Parametrized(file, weights) if weights else file


def _groups(names: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, str]]]:
    """Weights that are in parts, and the names of these by what they are, in the file's order."""
    found: dict[str, dict[str, str]] = {}
    for name in names:
        for role in ("weight", "bias"):
            for form, what in _PARTS.items():
                end = form.format(role)
                if name == end or name.endswith("." + end):
                    whole = name.removesuffix(end) + role
                    found.setdefault(whole, {})[what] = name
        if ".parametrizations." in f".{name}":
            module, _, rest = f".{name}".partition(".parametrizations.")
            whole = f"{module}.{rest.partition('.')[0]}".lstrip(".")
            if name not in found.setdefault(whole, {}).values():
                found[whole]["unknown"] = name
    yield from found.items()


def _weight(file: File, name: str, parts: dict[str, str]) -> _Weight:
    """Compute a weight from its parts."""
    if {"original", "left", "direction"} <= parts.keys():  # `weight_v` of the spectral norm
        parts = {**parts, "right": parts["direction"]}
        del parts["direction"]
    held = set(parts)
    shapes = {what: file.shapes[part] for what, part in parts.items()}
    reason = ""
    make: Callable[[dict[str, Array]], Array] = _normalized
    main = parts.get("direction", parts.get("original", next(iter(parts.values()))))
    shape = file.shapes[main]
    if name in file.shapes:
        reason = "the weight itself is present, too"
    elif any(file.kinds[part] not in FLOATS for w, part in parts.items() if w != "mask"):
        reason = "its parts are not floating-point"
    elif held == {"direction", "norm"}:
        if not _broadcasts(shapes["norm"], shape):
            reason = "its norms have another shape"
    elif held == {"original", "mask"}:
        make = _masked
        if shapes["mask"] != shape:
            reason = "its mask has another shape"
    elif held == {"original", "left", "right"}:
        make = _spectral(file, parts)
    elif held == {"original", "left"}:
        reason = "the right vector of its spectral norm is missing"
    else:
        reason = "its parametrization is unknown"
    if reason:
        raise errors.WeightInParts(path=file.name, name=name, part=main, reason=reason)
    return _Weight(parts, make, shape, file.kinds[main])


def _broadcasts(norms: Shape, shape: Shape) -> bool:
    return not norms or (
        len(norms) == len(shape) and all(n in (1, size) for n, size in zip(norms, shape))
    )


def _normalized(parts: dict[str, Array]) -> Array:
    """Weight normalization (Salimans & Kingma, 2016): the norm times the direction."""
    norm, direction = parts["norm"], parts["direction"]
    axes = tuple(i for i in range(direction.ndim) if not norm.ndim or norm.shape[i] == 1)
    length = np.sqrt((direction**2).sum(axis=axes, keepdims=True))
    with np.errstate(all="ignore"):  # what is not finite is refused where it is used
        return np.asarray(direction * (norm / length))


def _masked(parts: dict[str, Array]) -> Array:
    return np.asarray(parts["original"] * parts["mask"])


def _spectral(file: File, parts: dict[str, str]) -> Callable[[dict[str, Array]], Array]:
    """Spectral normalization (Miyato et al., 2018): the weight by its largest singular value, of
    which the file has the vectors. They also tell which axis is that of the rows.
    """

    def make(given: dict[str, Array]) -> Array:
        weight, left, right = (given[what] for what in ("original", "left", "right"))
        best: tuple[float, float] | None = None
        for axis in range(weight.ndim):
            matrix = np.moveaxis(weight, axis, 0).reshape(weight.shape[axis], -1)
            if matrix.shape != (left.size, right.size):
                continue
            image = matrix @ right.ravel()
            sigma = float(left.ravel() @ image)
            scale = float(np.linalg.norm(image) * np.linalg.norm(left)) or 1.0
            if best is None or sigma / scale > best[0]:
                best = sigma / scale, sigma
        if best is None or not best[0] >= _LEAST_COSINE:
            main = parts["original"]
            reason = "the vectors of its spectral norm are those of another weight"
            raise errors.WeightInParts(path=file.name, name=main, part=main, reason=reason)
        return np.asarray(weight / best[1])

    return make
