"""Whether both backends compute the same: the PyTorch module and the ONNX graph, weights equal.

Needs torch and onnxruntime. Says what it found as data and as text; prints nothing.
"""

from __future__ import annotations

import os
import tempfile
from math import prod
from typing import Any

from archdsl import errors
from archdsl.diagnostics import DiagnosticError
from archdsl.network import Network
from archdsl.progress import Progress, untold
from archdsl.records import Record

TOLERANCE = 1e-4
"""The largest difference of float32 results, relative to the largest number of an output."""
BATCHES = (1, 2, 5)


class OutputReport(Record):
    """One output: its shapes, and the largest difference, absolute and relative to its size."""

    name: str
    torch_shape: str
    onnx_shape: str
    difference: float
    relative: float

    @property
    def agrees(self) -> bool:
        """Whether the shapes are equal and the numbers close."""
        return self.torch_shape == self.onnx_shape and self.relative <= TOLERANCE


class Report(Record):
    """What was found, over all seeds and batches."""

    torch_params: int
    onnx_params: int
    """Those that inference needs, before folding."""
    folded_params: int
    training_params: int
    """Parameters of the module that training alone needs, and the graph has not."""
    outputs: tuple[OutputReport, ...]
    seeds: int

    @property
    def agrees(self) -> bool:
        """Whether nothing differs."""
        same = self.torch_params == self.onnx_params + self.training_params
        return same and all(output.agrees for output in self.outputs)

    def text(self) -> str:
        """A table for people."""
        rows = [("output", "PyTorch", "ONNX", "difference", "relative", "")]
        for o in self.outputs:
            rows.append(
                (o.name, o.torch_shape, o.onnx_shape, f"{o.difference:.2e}", f"{o.relative:.2e}",
                 "agrees" if o.agrees else "DIFFERS")
            )  # fmt: skip
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
        lines = ["  ".join(t.ljust(w) for t, w in zip(row, widths)).rstrip() for row in rows]
        counted = f"parameters: PyTorch {self.torch_params:,}, ONNX {self.onnx_params:,}"
        if self.training_params:
            counted += f" ({self.training_params:,} are for training alone)"
        counted += f"; after folding {self.folded_params:,}"
        if self.torch_params != self.onnx_params + self.training_params:
            counted += "  DIFFERS"
        batches = ", ".join(map(str, BATCHES))
        return "\n".join([*lines, counted, f"seeds: {self.seeds}; batches: {batches}"])


def verify(
    network: Network, seeds: int = 3, progress: Progress = untold, **options: Any
) -> Report:
    """Compare the backends; `options` are those of `archdsl.onnx.export`.

    Raises `DiagnosticError` where torch or onnxruntime is missing.
    """
    for package in ("torch", "onnxruntime"):
        try:
            __import__(package)
        except ImportError:
            problem = errors.NeedsPackage(what="`archdsl verify`", package=package)
            raise DiagnosticError([problem]) from None
    with tempfile.TemporaryDirectory(prefix="archdsl-verify-") as folder:
        return _compare(network, os.path.join(folder, "net.onnx"), seeds, progress, options)


def _compare(
    network: Network, path: str, seeds: int, tell: Progress, options: dict[str, Any]
) -> Report:
    import torch

    from archdsl.onnx import export

    tell("building the module", 0)
    module = network.module().eval()
    names = list(network.outputs)
    worst = dict.fromkeys(names, (0.0, 0.0))
    shapes: dict[str, tuple[str, str]] = {}
    folded = 0
    for seed in range(seeds):
        _randomise(module, seed, _inputs(network, seed, max(BATCHES)))
        state = module.state_dict()
        tell(f"seed {seed + 1} of {seeds}: writing the graph", seed / seeds)
        content = export(network.graph, path, spec=network.spec.name, weights=state, **options)
        folded = sum(prod(tensor.shape) for tensor in content.tensors if _is_parameter(tensor.name))
        session = _session(path)
        told = {item.name: item.shape for item in session.get_outputs()}
        for i, batch in enumerate(BATCHES):
            part = (seed + (i + 1) / (len(BATCHES) + 1)) / seeds
            tell(f"seed {seed + 1} of {seeds}: batch {batch}", part)
            if options.get("dynamic") == "none" and batch > 1:
                continue
            inputs = _inputs(network, seed, batch)
            with torch.no_grad():
                results = module(*map(torch.from_numpy, inputs.values()))
            mine = [results] if isinstance(results, torch.Tensor) else list(results)
            others = session.run(None, inputs)
            for name, a, b in zip(names, mine, others, strict=True):
                shapes[name] = (_shape(("N", *a.shape[1:])), _shape(("N", *told[name][1:])))
                worst[name] = _worse(worst[name], a.numpy(), b)
    plain = export(network.graph, path, spec=network.spec.name, **{**options, "fold": False})
    trained = {name for name, _ in module.named_parameters()}
    count = sum(prod(tensor.shape) for tensor in plain.tensors if tensor.name in trained)
    return Report(
        torch_params=sum(p.numel() for p in module.parameters()),
        onnx_params=count,
        folded_params=folded,
        training_params=network.params - _inference_params(network),
        outputs=tuple(OutputReport(name, *shapes[name], *worst[name]) for name in names),
        seeds=seeds,
    )


def _inference_params(network: Network) -> int:
    """Parameters of the operations that inference needs."""
    return sum(node.operation.parameter_count for node in network.graph.inference_nodes())


def _is_parameter(name: str) -> bool:
    """Whether a tensor of the graph is a weight or a bias: no constant, no statistic."""
    return name.rpartition(".")[2] in ("weight", "bias")


def _session(path: str) -> Any:
    import onnxruntime  # type: ignore[import-untyped]

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path, options, ["CPUExecutionProvider"])


def _randomise(module: Any, seed: int, inputs: dict[str, Any]) -> None:
    """Random weights that leave no operation without effect, and to batch normalisation the
    statistics of its inputs, so that numbers keep their size through any depth."""
    import numpy as np
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
    normalisations = [part for part in module.modules() if hasattr(part, "running_var")]
    if normalisations:
        for part in normalisations:
            part.momentum = 1.0
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            module.train()(*map(torch.from_numpy, inputs.values()))
        for part in normalisations:
            part.running_var += 0.1  # channels that were the same everywhere
        module.eval()


def _inputs(network: Network, seed: int, batch: int) -> dict[str, Any]:
    import numpy as np

    generator = np.random.default_rng((seed, batch))
    return {
        value.name: generator.standard_normal((batch, *value.shape), np.float32)
        for value in network.graph.inputs
    }


def _worse(known: tuple[float, float], mine: Any, other: Any) -> tuple[float, float]:
    """The larger of a known difference and that of two arrays."""
    import numpy as np

    if mine.shape != other.shape:
        return known  # the shapes tell
    if not (np.isfinite(mine).all() and np.isfinite(other).all()):
        return float("inf"), float("inf")
    difference = float(np.abs(mine.astype(np.float64) - other).max())
    size = max(float(np.abs(mine).max()), 1e-30)
    return max(known[0], difference), max(known[1], difference / size)


def _shape(sizes: Any) -> str:
    return "x".join(map(str, sizes))
