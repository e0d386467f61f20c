"""Networks that run: in onnxruntime, in torch, in torch compiled. All on the processor."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from archdsl.api.network import Network
from archdsl.diagnostics import errors
from archdsl.diagnostics.diagnostic import DiagnosticError
from archdsl.ir.graph import Node

Run = Callable[[], object]


class Model(Protocol):
    """A network that is ready to run."""

    def runner(self, batch: int) -> Run:
        """Runs it once on random samples."""


class OnnxFile:
    """An ONNX file in onnxruntime, as it is."""

    def __init__(self, path: str, threads: int, size: Sequence[int] = ()) -> None:
        """`size` is for the axes that the file leaves open, the batch aside."""
        if not os.path.isfile(path):
            raise DiagnosticError([errors.NoSuchFile(path=path, reason="no such file")])
        try:
            self.session = session(Path(path), threads)
        except Exception as problem:  # whatever onnxruntime raises for a bad file
            reason = (str(problem).splitlines() or [""])[0][:300]
            raise DiagnosticError([errors.NotAnOnnxFile(path=path, reason=reason)]) from None
        self.path = path
        self._size = size

    def runner(self, batch: int) -> Run:
        inputs = {item.name: self._sample(item, batch) for item in self.session.get_inputs()}
        return lambda: self.session.run(None, inputs)

    def _sample(self, item: Any, batch: int) -> Any:
        """Random numbers for an input; zeros where it takes whole ones."""
        import numpy as np

        told = item.shape
        first = self.session.get_inputs()[0].shape
        if first and isinstance(first[0], int) and first[0] != batch:
            reason = f"fixed batch size {first[0]}"
            raise DiagnosticError(
                [errors.CannotFeed(path=self.path, input=item.name, reason=reason)]
            )
        shape = [batch if i == 0 and not isinstance(n, int) else n for i, n in enumerate(told)]
        unknown = [i for i, n in enumerate(shape) if not isinstance(n, int)]
        if unknown and len(self._size) != len(shape) - 2:
            reason = f"its shape is {'x'.join(map(str, told))}"
            raise DiagnosticError(
                [errors.CannotFeed(path=self.path, input=item.name, reason=reason)]
            )
        for i in unknown:
            shape[i] = self._size[i - 2] if i > 1 else batch
        kind = _TYPES.get(item.type)
        if kind is None:
            return np.zeros(shape, item.type[len("tensor(") : -1])
        return np.random.default_rng(batch).standard_normal(shape, np.float32).astype(kind)


_TYPES = {"tensor(float)": "float32", "tensor(double)": "float64", "tensor(float16)": "float16"}
"""Types of onnxruntime that hold random numbers, and what numpy calls them."""


class OnnxModel:
    """A network in onnxruntime, from the graph that archdsl writes, batch normalisation folded."""

    def __init__(self, network: Network, path: Path, threads: int) -> None:
        from archdsl.backends.onnx import export
        from archdsl.tools.bench.weights import steady

        graph = network.graph
        content = export(graph, str(path), spec=network.spec.name, weights=steady(graph))
        nodes = content.model.nodes
        self.network = network
        self.path = path
        self.nodes = {n.name: n.primitive for n in nodes if isinstance(n.primitive, Node)}
        """The operations that the nodes of the file were made of, by their names."""
        self.session = session(path, threads)

    def runner(self, batch: int) -> Run:
        inputs = samples(self.network, batch)
        return lambda: self.session.run(None, inputs)


class TorchModel:
    """The generated module in torch, operation by operation."""

    compiled = False

    def __init__(self, network: Network, path: Path, threads: int) -> None:
        import torch

        from archdsl.tools.bench.weights import steady

        self._network = network
        self._module: Any = network.module().eval()
        state = {name: torch.from_numpy(x) for name, x in steady(network.graph).items()}
        self._module.load_state_dict(state)
        if self.compiled:
            # Each batch size a graph of its own, as a user with one size would have it.
            self._module = torch.compile(self._module, dynamic=False)

    def runner(self, batch: int) -> Run:
        import torch

        inputs = [torch.from_numpy(x) for x in samples(self._network, batch).values()]

        def run() -> object:
            with torch.inference_mode():
                return self._module(*inputs)

        return run


class CompiledModel(TorchModel):
    """The generated module, compiled by torch."""

    compiled = True


RUNTIMES: dict[str, Callable[[Network, Path, int], Model]] = {
    "onnxruntime": OnnxModel,
    "torch": TorchModel,
    "torch.compile": CompiledModel,
}
"""By the names that users give and get."""


def chosen(names: Sequence[str], profiled: bool = False) -> list[str]:
    """The runtimes that are meant. Raises `DiagnosticError` where one is not installed."""
    wanted = [*dict.fromkeys(names)]
    unknown = [name for name in wanted if name not in RUNTIMES]
    if unknown:
        known = ", ".join(RUNTIMES)
        problem = errors.UnknownOption(option="runtime", value=unknown[0], known=known)
        raise DiagnosticError([problem])
    if not wanted:
        wanted = ["onnxruntime", *["torch"] * _is_installed("torch")]
    for name in [*wanted, *["onnxruntime"] * profiled]:
        package = name.partition(".")[0]
        if not _is_installed(package):
            missing = errors.NeedsPackage(what="`archdsl bench`", package=package)
            raise DiagnosticError([missing])
    return wanted


def _is_installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ValueError:  # it is in `sys.modules`, as none
        return False


@contextmanager
def torch_settings(threads: int, runtimes: Sequence[str]) -> Iterator[None]:
    """Let torch, if it is to run at all, compute for a while on so many threads, and take
    denormal numbers for 0, as `session` has it for onnxruntime."""
    if not any(name.startswith("torch") for name in runtimes):
        yield
        return
    import torch

    before = torch.get_num_threads()
    torch.set_flush_denormal(True)  # first: threads that start later take it over
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
        torch.set_flush_denormal(False)


def session(path: Path, threads: int, profile: str | None = None) -> Any:
    """An ONNX file in onnxruntime; `profile` is how the file of its profiler begins."""
    import onnxruntime  # type: ignore[import-untyped]

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.set_denormal_as_zero", "1")
    if profile is not None:
        options.enable_profiling = True
        options.profile_file_prefix = profile
    return onnxruntime.InferenceSession(str(path), options, ["CPUExecutionProvider"])


def samples(network: Network, batch: int) -> dict[str, Any]:
    """Random inputs, the same for all runtimes."""
    import numpy as np

    generator = np.random.default_rng(batch)
    return {
        value.name: generator.standard_normal((batch, *value.shape), np.float32)
        for value in network.graph.inputs
    }
