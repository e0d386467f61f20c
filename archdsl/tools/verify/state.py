"""The state of a module: held against the declaration of the graph, drawn, and loaded."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np

from archdsl.api.network import Network
from archdsl.diagnostics.diagnostic import Diagnostic, DiagnosticError
from archdsl.ops import shape_text
from archdsl.weights.conversion import fitting
from archdsl.weights.sources import Drawn, Source, declared

MOST = 5
"""Problems of one kind that are listed by name."""


def problems_of(module: Any, network: Network) -> list[str]:
    """Differences between the state of a module and the graph."""
    told = {
        name: (tensor.shape, "int64" if _counts(name) else "float32")
        for name, tensor in declared(network.graph).items()
    }
    found = {
        name: (tuple(tensor.shape), str(tensor.dtype).removeprefix("torch."))
        for name, tensor in module.state_dict().items()
    }
    problems = _listed("the module lacks `{}`", [name for name in told if name not in found])
    problems += _listed("only the module has `{}`", [name for name in found if name not in told])
    problems += [
        f"`{name}` is {_text(found[name])} in the module, {_text(told[name])} in the spec"
        for name in told
        if name in found and found[name] != told[name]
    ][:MOST]
    first: dict[int, str] = {}
    named = [*module.named_parameters(remove_duplicate=False)]
    named += module.named_buffers(remove_duplicate=False)
    for name, tensor in named:
        other = first.setdefault(id(tensor), name)
        if other != name:
            problems.append(f"`{other}` and `{name}` are one tensor in the module")
            break
    count = sum(parameter.numel() for parameter in module.parameters())
    if count != network.params:
        problems.append(f"the module has {count:,} parameters, the spec {network.params:,}")
    return problems


def _counts(name: str) -> bool:
    return name.rpartition(".")[2] == "num_batches_tracked"


def _listed(text: str, names: list[str]) -> list[str]:
    more = [f"and {len(names) - MOST} more"] if len(names) > MOST else []
    return [*(text.format(name) for name in names[:MOST]), *more]


def _text(tensor: tuple[tuple[int, ...], str]) -> str:
    shape, kind = tensor
    return f"{shape_text(shape) or 'a single number'} of {kind}"


def stored(network: Network, weights: str | Mapping[str, Any]) -> dict[str, Any]:
    """The arrays of a file or `state_dict`. Raises `DiagnosticError` where they do not fit."""
    try:
        return _arrays(network, fitting(network.graph, weights))
    except Diagnostic as problem:
        raise DiagnosticError([problem]) from None


def seeded(network: Network, seed: int) -> dict[str, Any]:
    """The random weights that `archdsl onnx` draws from a seed."""
    return _arrays(network, Drawn(declared(network.graph), seed))


def _arrays(network: Network, source: Source) -> dict[str, Any]:
    """What a source has of a network's tensors, but for counters."""
    tensors = declared(network.graph)
    names = [name for name in source.names if not _counts(name)]
    return {name: _whole(source, name, tensors[name].shape) for name in names}


def _whole(source: Source, name: str, shape: tuple[int, ...]) -> Any:
    pieces = [np.atleast_1d(piece) for piece in source.pieces(name)]
    return np.concatenate(pieces).reshape(shape).astype(np.float32)


def load(module: Any, state: Mapping[str, Any]) -> None:
    """Put arrays into the module's tensors of the same names."""
    import torch

    for name, tensor in module.state_dict().items():
        if name in state:
            tensor.copy_(torch.from_numpy(np.asarray(state[name])).reshape(tensor.shape))


def randomise(module: Any, seed: int, inputs: dict[str, Any]) -> None:
    """Random weights that leave no operation without effect, and to batch normalisation the
    statistics of its inputs, so that numbers keep their size through any depth."""
    import torch

    generator = np.random.default_rng(seed)
    for name, tensor in module.state_dict().items():
        if not tensor.is_floating_point() or name.rpartition(".")[2].startswith("running_"):
            continue
        shape = tuple(tensor.shape)
        drawn = generator.standard_normal(shape, np.float32)
        if len(shape) > 1:
            drawn *= np.float32((2 / max(1, prod(shape[1:]))) ** 0.5)
        else:
            drawn = drawn * np.float32(0.1) + np.float32(0.9 if name.endswith("weight") else 0)
        tensor.copy_(torch.from_numpy(np.asarray(drawn)))
    calibrate(module, seed, inputs)


def calibrate(module: Any, seed: int, inputs: dict[str, Any]) -> None:
    """Give batch normalisation the statistics of its inputs; the module is in eval mode then."""
    import torch

    normalisations = [part for part in module.modules() if hasattr(part, "running_var")]
    if normalisations:
        momenta = [part.momentum for part in normalisations]
        for part in normalisations:
            part.momentum = 1.0
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            module.train()(*map(torch.from_numpy, inputs.values()))
        for part, momentum in zip(normalisations, momenta):
            part.momentum = momentum
            part.running_var += 0.1  # channels that were the same everywhere
    module.eval()
