"""Weights to measure with: random ones that do not depend on the initialization of a spec.

Before training, activations of a deep network may shrink from layer to layer until they are
denormal numbers, which processors take many times longer for.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from archdsl.ir.graph import Graph
from archdsl.weights.sources import declared


def steady(graph: Graph) -> dict[str, Any]:
    """Arrays by the names of the `state_dict`; the same for each initialization.

    Matrices are drawn as in He et al., ICCV 2015, so that layers give numbers of about the size
    that they take; normalizations have a weight of one and the statistics of such numbers.
    """
    generator = np.random.default_rng(0)
    found: dict[str, Any] = {}
    for name, tensor in declared(graph).items():
        shape, role = tensor.shape, name.rpartition(".")[2]
        if role == "num_batches_tracked":
            found[name] = np.zeros(shape, np.int64)
        elif len(shape) > 1:
            drawn = generator.standard_normal(shape, np.float32)
            found[name] = drawn * np.float32((2 / max(1, prod(shape[1:]))) ** 0.5)
        else:
            is_factor = role in ("weight", "running_var")
            found[name] = np.full(shape, float(is_factor), np.float32)
    return found
