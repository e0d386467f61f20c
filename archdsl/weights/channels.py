"""First layers for another number of input channels, made of those of a file.

Of the file's c channels and the network's n, the kernel of channel i becomes

- `sum`: the sum of all c, divided by n: n equal channels give what c equal ones gave;
- `repeat`: the one of channel i mod c, times c / n: numbers keep their size;
- `mean`: the one of channel i as long as there is one, else the mean of all c; with fewer channels
  than the file has, the mean for each.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from archdsl.support.arrays import Array
from archdsl.weights.layers import Layer
from archdsl.weights.sources import File


def _sum(kernels: Array, count: int) -> Array:
    return np.repeat(kernels.sum(axis=1, keepdims=True) / count, count, axis=1)


def _repeat(kernels: Array, count: int) -> Array:
    held = kernels.shape[1]
    return np.asarray(kernels[:, np.arange(count) % held] * (held / count))


def _mean(kernels: Array, count: int) -> Array:
    kept = kernels[:, :count] if count >= kernels.shape[1] else kernels[:, :0]
    mean = kernels.mean(axis=1, keepdims=True)
    return np.concatenate([kept, np.repeat(mean, count - kept.shape[1], axis=1)], axis=1)


WAYS: dict[str, Callable[[Array, int], Array]] = {"sum": _sum, "repeat": _repeat, "mean": _mean}


def fitted_channels(file: File, pairs: list[tuple[Layer, Layer]], way: str) -> File:
    """A file whose first layers have as many channels as the network's."""
    counts = {
        theirs.tensors["weight"]: ours.shapes["weight"][1]
        for theirs, ours in pairs
        if other_channels(theirs, ours)
    }
    return _Channels(file, counts, WAYS[way]) if counts else file


def other_channels(theirs: Layer, ours: Layer) -> bool:
    """True if two layers differ in their number of input channels alone."""
    one, two = theirs.shapes.get("weight", ()), ours.shapes.get("weight", ())
    return (
        len(one) == len(two) > 1
        and one[1] != two[1]
        and (*one[:1], *one[2:]) == (*two[:1], *two[2:])
        and theirs.shapes.get("bias") == ours.shapes.get("bias")
    )


class _Channels:
    def __init__(
        self, file: File, counts: dict[str, int], way: Callable[[Array, int], Array]
    ) -> None:
        self.name, self.kinds = file.name, file.kinds
        self.shapes = {
            name: (*shape[:1], counts[name], *shape[2:]) if name in counts else shape
            for name, shape in file.shapes.items()
        }
        self._file, self._counts, self._way = file, counts, way

    def rows(self, name: str, start: int, stop: int) -> Array:
        """Some rows of a tensor."""
        found = self._file.rows(name, start, stop)
        if name not in self._counts:
            return found
        return self._way(found.astype(np.float64), self._counts[name])
