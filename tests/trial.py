"""All that is made of one spec, stage by stage; what fails is told by its mechanism."""

from __future__ import annotations

import io
import re
import tempfile
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from math import inf, isfinite
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch

import archdsl
from archdsl.api.load_source import import_class
from archdsl.api.network import Network
from archdsl.backends.onnx import export
from archdsl.diagnostics import errors
from archdsl.diagnostics.diagnostic import DiagnosticError
from archdsl.ir import parts as rows
from archdsl.ir.graph import Graph, Node
from archdsl.reports.view.drawing import FORMATS
from tests import agreement, onnx_tools
from tests.properties import network
from tests.reference import Reference, State, weight_names

torch.set_num_threads(1)

ROUNDED = 1e-5

LARGE = 1e6
"""Where numbers get larger, or are none, nothing is compared: rounding would be."""


Checks = Counter[str]
"""How often something was compared, or read through; those left out do not count."""


class Failure(Exception):
    """A stage that failed: its name, and what went wrong there in a line."""

    def __init__(self, stage: str, problem: BaseException) -> None:
        self.stage = stage
        self.problem = problem
        place = ""
        for frame in reversed(traceback.extract_tb(problem.__traceback__)):
            if "/archdsl/" in frame.filename or frame.filename.startswith("<archdsl"):
                name = Path(frame.filename).name if "/archdsl/" in frame.filename else "module"
                place = f" in {name}:{frame.name}"
                break
        told = str(problem).strip().splitlines()
        first = re.sub(r"/\S+/\S+", "FILE", told[0]) if told else ""
        text = re.sub(r"\d+(\.\d+)?(e[+-]?\d+)?", "N", first)[:150]
        text = re.sub(r"(class for|\(')[^ ,]+", r"\1 NAME", re.sub(r"'[\w.]+'", "'NAME'", text))
        self.bucket = f"{stage}: {type(problem).__name__}{place}: {text}"
        super().__init__(self.bucket)


class Trial:
    """One spec and what is made of it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.made: Network = network(text)
        self.graph: Graph = self.made.graph
        self.checks: Checks = Counter()

    def stages(self) -> Iterator[tuple[str, Callable[[], None]]]:
        """What is tried, in order; each relies only on those before it that build the module."""
        yield "source", self.source
        yield "module", self.module
        yield "weights", self.weights
        yield "eager", self.eager
        yield "training", self.training
        yield "script", self.script
        yield "export", self.export
        for name, options in OPTIONS.items():
            yield name, lambda name=name, options=options: self.onnx(name, options)  # type: ignore[misc]
        yield "figures", self.figures
        yield "pictures", self.pictures

    def source(self) -> None:
        """The text is written, twice the same, and Python compiles it."""
        self.code = self.made.source()
        assert network(self.text).source() == self.code, "two texts of one spec"
        compile(self.code, "net.py", "exec")

    def module(self) -> None:
        """It imports and builds."""
        self.net = import_class(self.code, "trial", self.made.class_name)()

    def weights(self) -> None:
        """The `state_dict` is what the graph declares."""
        shapes = {name: tuple(t.shape) for name, t in self.net.state_dict().items()}
        assert shapes == weight_names(self.graph), "other weights"
        agreement.begins_as_told(self.graph, self.net)

    def _prepare(self) -> None:
        self.net = self.net.double()
        agreement.randomise(self.net.state_dict())

    def eager(self) -> None:
        """It computes what the reference does, in float64."""
        self._prepare()
        agreement._same_in_use(self.graph, self.net)

    def training(self) -> None:
        """Also while it is trained, its gradients included; what no output needs may run or not."""
        needed = set(map(id, Reference(self.graph, {}, training=True)._needed()))
        if any(node.operation.weights and id(node) not in needed for node in self.graph.nodes):
            return
        self._prepare()
        try:
            agreement._same_in_training(self.graph, self.net)
            self.checks["training"] += 1
        except AssertionError as problem:
            # A narrow normalization, of one number or two, magnifies what float64 rounds.
            told = problem.args[0] if problem.args else ""
            if not (isinstance(told, tuple) and isinstance(told[-1], float) and told[-1] < ROUNDED):
                raise

    def script(self) -> None:
        """TorchScript takes it."""
        self._prepare()
        agreement._same_scripted(self.graph, self.net)

    def export(self) -> None:
        """`torch.export` takes it."""
        self._prepare()
        agreement._same_exported(self.graph, self.net)

    def onnx(self, kind: str, options: dict[str, Any]) -> None:
        """onnx finds the file sound, and two evaluators compute what the reference does."""
        state = onnx_tools.state_of(self.graph)
        weights = {name: tensor.numpy() for name, tensor in state.items()}
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "net.onnx"
            try:
                export(self.graph, str(path), spec="spec.arch", weights=weights, **options)
            except DiagnosticError as refused:
                kinds = (errors.SizeIsFixed, errors.NoLowering)
                if all(isinstance(problem, kinds) for problem in refused.diagnostics):
                    return
                raise
            model = onnx_tools.checked(path)
            inputs = onnx_tools.inputs_of(self.graph, 3)
            measured = Measured(self.graph, state)
            with torch.no_grad():
                wanted = [
                    x.numpy() for x in measured(*(torch.from_numpy(x).double() for x in inputs))
                ]
            if not measured.largest < LARGE:
                return
            rounded = onnx_tools.expected(self.graph, state, inputs, torch.float32)
            spread = [
                np.abs(a - b).max() / max(1e-3, np.abs(b).max()) for a, b in zip(rounded, wanted)
            ]
            tolerance = max(1e-3, 8 * float(max(spread)))
            if tolerance > 0.05:
                return
            onnx_tools.close(onnx_tools.run(path, inputs), wanted, tolerance)
            self.checks[f"{kind}: onnxruntime"] += 1
            ranks = {len(value.shape) - 1 for value in self.graph.values()}
            if options.get("opset", 18) >= 15 and not misjudged(model, ranks):
                try:
                    onnx_tools.close(onnx_tools.evaluate(path, inputs), wanted, tolerance)
                except Exception as problem:
                    raise AssertionError(f"evaluator: {type(problem).__name__} {problem}") from None
                self.checks[f"{kind}: evaluator"] += 1

    def figures(self) -> None:
        """Tables, explanations and differences."""
        made = self.made
        for depth in rows.DEPTHS:
            table = made.table(depth)
            assert sum(part.params for part in table) == made.params, "params of rows"
            assert sum(part.macs for part in table) == made.macs, "MACs of rows"
            assert len({part.name for part in table}) == len(table), "rows of one name"
        for form in ("text", "json", "csv", "markdown", "latex"):
            assert made.summary(format=form)
        assert made.explain() and made.explain(format="json")
        assert archdsl.diff(made, network(self.text)).same, "differs from itself"
        assert made.warnings is not None

    def pictures(self) -> None:
        """Every format at every depth."""
        for depth in rows.DEPTHS:
            for form in FORMATS:
                assert self.made.view(format=form, depth=depth)


class Measured(Reference):
    """A reference in float64 that notes the largest number on the way; infinite where one is none.

    What overflows in a float32 on the way may come out small, or as anything, where it is divided
    by later.
    """

    def __init__(self, graph: Graph, state: State) -> None:
        exact = {k: v.double() if v.is_floating_point() else v for k, v in state.items()}
        super().__init__(graph, exact)
        self.largest = 0.0

    def node(self, node: Node, inputs: list[torch.Tensor]) -> list[torch.Tensor]:
        results = super().node(node, inputs)
        for x in results:
            if x.numel():
                found = float(x.abs().max())
                self.largest = max(self.largest, found if isfinite(found) else inf)
        return results


OPTIONS: dict[str, dict[str, Any]] = {
    "onnx flat folded": {"fold": True},
    "onnx functions": {"fold": False, "functions": True},
    "onnx functions folded": {"fold": True, "functions": True, "opset": 18},
    "onnx free sizes": {"fold": False, "dynamic": "spatial"},
    "onnx free sizes functions": {"fold": True, "dynamic": "spatial", "functions": True},
}


def seldom(number: int) -> set[str]:
    """The stages that a spec of this number is not tried with: of 20,000 numbers in a row each is
    tried with at least 1,000, what is fast with more."""
    names = [*OPTIONS]
    found = {*names} - {names[number % len(names)]}
    if number % 18:
        found.add("export")
    if number % 4 != 1:
        found.add("script")
    if number % 8 != 2:
        found |= {"figures", "pictures"}
    return set() if number % 120 == 0 else found


def misjudged(model: Any, ranks: set[int]) -> bool:
    """Whether onnx's own evaluator is known to be wrong about the file: it has no implementation of
    an operator within a function that is itself defined by a function of its inputs' types, and
    takes `LRN` and the largest of all to have two axes, means over windows that hang over a small
    map to be none, pads three axes wrongly by itself, finds no attributes of functions, and asks a
    function that has an operator's name for that operator's attributes."""
    inside = [node for function in model.functions for node in function.node]
    named = {node.op_type for node in inside}
    flat = onnx.ModelProto()
    flat.CopyFrom(model)
    flat.graph.node.extend(inside)
    return (
        not named.isdisjoint({"Gelu", "Mish", "GroupNormalization"})
        or "LRN" in {node.op_type for node in flat.graph.node}
        or any(a.name == "ceil_mode" and a.i for node in flat.graph.node for a in node.attribute)
        or any(a.name == "auto_pad" for node in flat.graph.node for a in node.attribute)
        or any(a.ref_attr_name for node in inside for a in node.attribute)
        or any(onnx.defs.has(function.name) for function in model.functions)
        or any(onnx_tools.misjudged(flat, rank) for rank in ranks)
    )


TORCH = ("module", "weights", "eager", "training", "script", "export")
"""Stages of the PyTorch backend; one that fails spoils those after it."""


def failures(
    text: str, number: int = 0, only: str = "", checks: Checks | None = None
) -> list[Failure]:
    """What fails of a spec; with `only` no stage but this one and those that it needs.

    By its number a spec is tried with all that takes long, or with a part of it.
    """
    found: list[Failure] = []
    broken = False
    needed = {only, "source", "module"} if only in TORCH else {only}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trial = Trial(text)
        trial.checks = Counter() if checks is None else checks
        for name, run in trial.stages():
            left_out = name not in needed if only else name in seldom(number)
            if left_out or (broken and name in TORCH):
                continue
            try:
                with redirect_stdout(io.StringIO()):
                    run()
            except Exception as problem:
                found.append(Failure(name, problem))
                broken = broken or name in TORCH or name == "source"
            else:
                if name not in OPTIONS and name != "training":
                    trial.checks[name] += 1
            if name == only:
                break
    return found
