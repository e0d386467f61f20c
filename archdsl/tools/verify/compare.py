"""Runs the PyTorch module and an ONNX graph on the same inputs. Prints nothing."""

from __future__ import annotations

import copy
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

from archdsl.api.network import Network
from archdsl.diagnostics import errors
from archdsl.diagnostics.diagnostic import DiagnosticError
from archdsl.ops import Shape, shape_text
from archdsl.support.progress import Progress, untold
from archdsl.tools.running import check_run
from archdsl.tools.verify.report import OutputReport, Report

if TYPE_CHECKING:
    from archdsl.tools.verify.files import OnnxFile

TOLERANCES = {"float32": 1e-4, "float16": 1e-2, "bfloat16": 8e-2}
"""The largest difference of results, relative to the largest number of an output, that needs no
explanation. These are some 2000, 20 and 20 roundings of the type: a float32 graph is another order
of the same sums; in the narrow types each folded weight is rounded once more, too."""

ROUNDING = 4
"""How many times the module's own error of rounding explains a difference: the graph makes one of
the same kind in another order."""

MOST = 100
"""How many times a tolerance rounding can be, at most: beyond, numbers tell nothing."""

BATCHES = (1, 2, 5)
"""Of the first seed; others run one sample: code for other batches does not depend on numbers."""

SHIFT = 100
"""What is added to the inputs of the third seed: a mean far from 0 shows a variance that is made
of a difference of squares."""

Size = Sequence[int] | Mapping[str, Sequence[int]]
"""The sizes of the spatial axes: of every input that is a map, or of inputs by name."""


class _Trial(NamedTuple):
    """One run of both: the batch, and the shape of each input without it."""

    batch: int
    shapes: dict[str, Shape]
    asked: bool

    @property
    def text(self) -> str:
        return ", ".join(map(shape_text, self.shapes.values()))


def verify(
    network: Network,
    seeds: int = 3,
    progress: Progress = untold,
    *,
    onnx: str | os.PathLike[str] | None = None,
    weights: str | os.PathLike[str] | Mapping[str, Any] | None = None,
    sizes: Sequence[Size] = (),
    **options: Any,
) -> Report:
    """Compare the module with an ONNX graph: the file `onnx`, or one that is written for it.

    `weights` is a file or a `state_dict`; without it weights are random, with `onnx` those of the
    seed that the file tells. `sizes` are further sizes of the inputs to run at. `options` are those
    of `archdsl.onnx.export`, for a graph that is written; where its sizes are open, it is run at
    others than the spec's, too. Raises `DiagnosticError` where torch, onnx or onnxruntime is
    missing, and for files that do not fit.
    """
    check_run(network.graph)
    for package in ("torch", "onnx", "onnxruntime"):
        try:
            __import__(package)
        except ImportError:
            problem = errors.NeedsPackage(what="`archdsl verify`", package=package)
            raise DiagnosticError([problem]) from None
    if sizes and onnx is None:
        options.setdefault("dynamic", "spatial")
    asked = [_shapes_at(network, size) for size in sizes]
    weights = os.fspath(weights) if isinstance(weights, os.PathLike) else weights
    path = None if onnx is None else os.fspath(onnx)
    with tempfile.TemporaryDirectory(prefix="archdsl-verify-") as folder:
        return _Comparison(network, seeds, progress, weights, asked, options, folder).run(path)


class _Comparison:
    def __init__(
        self,
        network: Network,
        seeds: int,
        tell: Progress,
        weights: str | Mapping[str, Any] | None,
        asked: list[dict[str, Shape]],
        options: dict[str, Any],
        folder: str,
    ) -> None:
        self.network = network
        self.seeds = seeds
        self.tell = tell
        self.weights = weights
        self.asked = asked
        self.options = options
        self.folder = folder
        self.names = [*network.outputs]
        self.worst = dict.fromkeys(self.names, (0.0, 0.0, 0.0))
        self.shapes = {
            name: (_shape(shape), _shape(shape)) for name, shape in network.outputs.items()
        }
        self.problems: list[str] = []
        self.notes: list[str] = []
        self.more: dict[str, Any] = {}
        """Weights that a file has as inputs."""
        self.ran: dict[str, None] = {}
        self.batches: dict[int, None] = {}

    def run(self, path: str | None) -> Report:
        """Compare all; `path` is an ONNX file that is there already."""
        from archdsl.backends.onnx import Options
        from archdsl.backends.onnx.exporter import build
        from archdsl.tools.verify import state
        from archdsl.tools.verify.files import OnnxFile

        network, options = self.network, self.options
        given = None if path is None else OnnxFile(path)
        known = None if self.weights is None else state.stored(network, self.weights)
        if given is not None and known is None:
            if given.seed is None:
                raise DiagnosticError([errors.NeedsWeights(path=given.path)])
            known = state.seeded(network, given.seed)
        self.tell("building the module", 0)
        module = network.module().eval()
        problems = state.problems_of(module, network)
        self.problems += problems
        folded, compared = 0, ""
        if given is not None:
            self.more = given.weight_inputs(network, known or {})
            self._match_names(given)
            count, differing = given.differing_weights(network, known or {})
            self.problems += differing[: state.MOST]
            compared = f"{count} of {len(given.initializers())} initializers found by name"
        for seed in range(self.seeds):
            dtype = given.dtype if given is not None else options.get("dtype", "float32")
            shift = SHIFT if dtype == "float32" and seed == 2 else 0
            inputs = self._inputs(seed, shift, _Trial(max(BATCHES), self._spec_shapes(), True))
            if known is None:
                state.randomise(module, seed, inputs)
            elif seed == 0:
                state.load(module, known)
            _round_state(module, dtype)
            file = given
            if file is None:
                self.tell(f"seed {seed + 1} of {self.seeds}: writing the graph", seed / self.seeds)
                if seed == 0 or known is None:
                    folded = self._write(module.state_dict())
                    written = OnnxFile(os.path.join(self.folder, "net.onnx"))
                file = written
            trials = [*self._trials(file, BATCHES if seed == 0 else BATCHES[:1])]
            for i, trial in enumerate(trials):
                part = (seed + (i + 1) / (len(trials) + 1)) / self.seeds
                self.tell(f"seed {seed + 1} of {self.seeds}: batch {trial.batch}", part)
                self._run_both(module, file, self._inputs(seed, shift, trial), trial)
            self.notes += [note for note in file.notes if note not in self.notes]
        plain = Options(**{**options, "weights": module.state_dict(), "fold": False}).settled()
        trained = {name for name, _ in module.named_parameters()}
        count = sum(prod(t.shape) for t in build(network.graph, plain).tensors if t.name in trained)
        params = sum(p.numel() for p in module.parameters())
        training = network.params - _inference_params(network)
        if params != count + training:
            self.problems.append(f"parameters: PyTorch {params:,}, ONNX {count + training:,}")
        return Report(
            torch_params=params,
            onnx_params=count,
            folded_params=folded,
            training_params=training,
            outputs=tuple(
                OutputReport(name, *self.shapes[name], *self.worst[name]) for name in self.names
            ),
            seeds=self.seeds,
            batches=tuple(self.batches),
            sizes=tuple(self.ran),
            tensors=len(module.state_dict()),
            compared=compared,
            problems=tuple(dict.fromkeys(self.problems)),
            notes=tuple(dict.fromkeys(self.notes)),
        )

    def _write(self, weights: Mapping[str, Any]) -> int:
        """Write the graph; how many parameters it has."""
        from archdsl.backends.onnx import export

        content = export(
            self.network.graph, os.path.join(self.folder, "net.onnx"),
            spec=self.network.spec.name, **{**self.options, "weights": weights},
        )  # fmt: skip
        return sum(prod(tensor.shape) for tensor in content.tensors if _is_parameter(tensor.name))

    def _match_names(self, file: OnnxFile) -> None:
        """Say how inputs and outputs of a file of one's own are called and ordered otherwise."""
        for what, ours, theirs in (
            ("inputs", [*self.network.inputs], [*file.inputs]),
            ("outputs", self.names, [*file.outputs]),
        ):
            if ours == theirs:
                continue
            text = f"the {what} of the file are {', '.join(theirs)}, the spec's {', '.join(ours)}"
            if len(ours) != len(theirs) or set(ours) == set(theirs):
                self.problems.append(text)
            else:
                self.notes.append(text)
        if len(file.inputs) != len(self.network.inputs) or len(file.outputs) != len(self.names):
            raise DiagnosticError([errors.NotThisNetwork(path=file.path, reason=self.problems[-1])])

    def _spec_shapes(self) -> dict[str, Shape]:
        return {value.name: value.shape for value in self.network.graph.inputs}

    def _trials(self, file: OnnxFile, batches: Sequence[int]) -> Iterator[_Trial]:
        """Inputs to run a file on: each batch at the spec's sizes, then other sizes if possible."""
        shapes = self._spec_shapes()
        told = dict(zip(shapes, file.inputs.values()))
        batch = next((sizes[0] for sizes in told.values()), None)
        fixed = batch if isinstance(batch, int) else None
        for n in batches if fixed is None else (fixed,):
            yield _Trial(n, shapes, True)
        is_open = any(not isinstance(size, int) for sizes in told.values() for size in sizes[2:])
        if self.asked and not is_open:
            problem = errors.UnusableSize(
                size=", ".join(map(shape_text, self.asked[0].values())),
                reason="the sizes of the graph are fixed; write it with --dynamic spatial",
            )
            raise DiagnosticError([problem])
        for asked in self.asked:
            yield _Trial(fixed or 2, asked, True)
        if is_open and not self.asked:
            # One size more along the first axis, two along the next: remainders of 2 and 3, and
            # axes that differ; then twice the size, for what has to divide.
            yield _Trial(fixed or 2, {k: _grown(s) for k, s in shapes.items()}, False)
            double = {k: (s[0], *(2 * n for n in s[1:])) for k, s in shapes.items()}
            yield _Trial(fixed or 1, double, False)

    def _inputs(self, seed: int, shift: float, trial: _Trial) -> dict[str, Any]:
        import numpy as np

        generator = np.random.default_rng((seed, trial.batch))
        return {
            name: generator.standard_normal((trial.batch, *shape), np.float32) + np.float32(shift)
            for name, shape in trial.shapes.items()
        }

    def _run_both(self, module: Any, file: OnnxFile, inputs: dict[str, Any], trial: _Trial) -> None:
        inputs = {name: _rounded(array, file.dtype) for name, array in inputs.items()}
        mine = _attempt(lambda: _run_module(module, inputs))
        fed = dict(zip(_in_order(inputs, file.inputs), file.inputs))
        session_type = "float16" if file.dtype == "float16" else "float32"
        feed = {fed[name]: array.astype(session_type) for name, array in inputs.items()}
        feed.update(self.more)
        others = _attempt(lambda: file.session.run(None, feed))
        if isinstance(mine, str) or isinstance(others, str):
            self._refused(mine, others, trial)
            return
        self.ran[trial.text] = None
        self.batches[trial.batch] = None
        results = dict(zip(_in_order(dict.fromkeys(self.names), file.outputs), others))
        told = dict(zip(results, file.outputs.values()))
        rounding: dict[str, float] | None = None
        for name, a in zip(self.names, mine):
            b = results[name]
            shape = [t if isinstance(t, int) else n for t, n in zip(told[name][1:], b.shape[1:])]
            self._note_shapes(name, a, b.shape if shape == [*b.shape[1:]] else (0, *shape), trial)
            difference, relative = _difference(a, b)
            tolerance = TOLERANCES.get(file.dtype, TOLERANCES["float32"])
            if relative > tolerance:
                if rounding is None:
                    rounding = self._rounding(module, inputs, file.dtype)
                tolerance = min(max(tolerance, ROUNDING * rounding[name]), MOST * tolerance)
            if relative > tolerance and trial.shapes != self._spec_shapes():
                self.notes.append(f"the numbers of `{name}` differ at {trial.text}")
            if relative / tolerance >= self.worst[name][1] / (self.worst[name][2] or tolerance):
                self.worst[name] = (difference, relative, tolerance)

    def _note_shapes(self, name: str, mine: Any, theirs: Shape, trial: _Trial) -> None:
        if mine.shape != tuple(theirs) and len(set(self.shapes[name])) == 1:
            self.shapes[name] = (_shape(("N", *mine.shape[1:])), _shape(("N", *theirs[1:])))
            if trial.shapes != self._spec_shapes():
                self.notes.append(f"the shapes of `{name}` differ at {trial.text}")

    def _refused(self, mine: Any, others: Any, trial: _Trial) -> None:
        """At sizes that nobody asked for both may refuse, but not one of them."""
        if isinstance(mine, str) and isinstance(others, str):
            text = f"both fail at {trial.text}: {mine}"
            (self.problems if trial.asked else self.notes).append(text)
        elif isinstance(mine, str):
            self.problems.append(f"only the graph runs at {trial.text}: {mine}")
        else:
            self.problems.append(f"only the module runs at {trial.text}: {others}")

    def _rounding(self, module: Any, inputs: dict[str, Any], dtype: str) -> dict[str, float]:
        """Rounding error of the module: its distance to a wider type, relative to its outputs."""
        import torch

        kind = torch.float64 if dtype == "float32" else getattr(torch, dtype, torch.float64)
        other = copy.deepcopy(module).to(kind)
        exact = _attempt(lambda: _run_module(other, inputs, kind))
        mine = _run_module(module, inputs)
        if isinstance(exact, str):  # an operation that torch lacks in this type
            return dict.fromkeys(self.names, 0.0)
        return {name: _difference(a, b)[1] for name, a, b in zip(self.names, mine, exact)}


def _shapes_at(network: Network, size: Size) -> dict[str, Shape]:
    """The shapes of the inputs at other sizes. Raises `DiagnosticError`."""
    found: dict[str, Shape] = {}
    shapes = {value.name: value.shape for value in network.graph.inputs}
    if isinstance(size, Mapping):
        for name, sizes in size.items():
            if name not in shapes:
                reason = f"the inputs are {', '.join(shapes)}"
                problem = errors.UnusableSize(size=f"{name}={_shape(sizes)}", reason=reason)
                raise DiagnosticError([problem])
    for name, shape in shapes.items():
        sizes = shape[1:]
        if isinstance(size, Mapping):
            sizes = size.get(name, sizes)
        elif sizes:
            sizes = size
        if len(sizes) != len(shape) - 1:
            reason = f"`{name}` is {shape_text(shape)}: {len(shape) - 1} sizes"
            problem = errors.UnusableSize(size=_shape(sizes), reason=reason)
            raise DiagnosticError([problem])
        found[name] = (shape[0], *sizes)
    return found


def _grown(shape: Shape) -> Shape:
    return (shape[0], *(n + 1 + i % 2 for i, n in enumerate(shape[1:])))


def _in_order(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> list[str]:
    """Our name for each of theirs: the same where they use our names, else by place."""
    return [*theirs] if set(ours) == set(theirs) else [*ours]


def _run_module(module: Any, inputs: Mapping[str, Any], kind: Any = None) -> list[Any]:
    import torch

    with torch.no_grad():
        given = [torch.from_numpy(array) for array in inputs.values()]
        results = module(*(x if kind is None else x.to(kind) for x in given))
    found = [results] if isinstance(results, torch.Tensor) else list(results)
    return [(x.float() if x.dtype.itemsize < 4 else x).numpy() for x in found]


def _attempt(run: Any) -> Any:
    """Output of a runtime, or its error as text."""
    try:
        return run()
    except Exception as problem:  # every kind of its own errors
        return (str(problem).splitlines() or [type(problem).__name__])[0][:200]


def _rounded(array: Any, dtype: str) -> Any:
    """An array of float32 whose numbers another type has, too."""
    import numpy as np

    if dtype == "float16":
        return array.astype(np.float16).astype(np.float32)
    if dtype == "bfloat16":
        from archdsl.backends.onnx.model import BFLOAT16
        from archdsl.backends.onnx.numbers import encode

        return (encode(array, BFLOAT16).astype(np.uint32) << np.uint32(16)).view(np.float32)
    return array


def _round_state(module: Any, dtype: str) -> None:
    """Give a module the weights as a file of another type has them."""
    import torch

    if dtype in ("float16", "bfloat16"):
        for tensor in module.state_dict().values():
            if tensor.is_floating_point():
                tensor.copy_(tensor.to(getattr(torch, dtype)))


def _inference_params(network: Network) -> int:
    """Parameters of the operations that an output of inference needs."""
    graph = network.graph
    needed = {output.value for output in graph.outputs if not output.training}
    count = 0
    for node in reversed(graph.nodes):
        if any(value in needed for value in node.outputs):
            needed.update(node.inputs)
            count += node.operation.parameter_count
    return count


def _is_parameter(name: str) -> bool:
    """True if a tensor of the graph is a weight or a bias: no constant, no statistic."""
    return name.rpartition(".")[2] in ("weight", "bias")


def _difference(mine: Any, other: Any) -> tuple[float, float]:
    """The largest difference of two arrays, and as a part of the largest number of ours."""
    import numpy as np

    if mine.shape != other.shape:
        return 0.0, 0.0  # the shapes tell
    if not (np.isfinite(mine).all() and np.isfinite(other).all()):
        return float("inf"), float("inf")
    if not mine.size:
        return 0.0, 0.0
    difference = float(np.abs(mine.astype(np.float64) - other.astype(np.float64)).max())
    return difference, difference / max(float(np.abs(mine).max()), 1e-30)


def _shape(sizes: Any) -> str:
    return "x".join(map(str, sizes))
