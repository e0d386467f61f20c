"""One primitive, at the size of the spec and at others, in everything that is made of it.

Each of these is compared with the meaning of the primitive (`reference.py`, in float64) in a
network that is built for the very size: the module, eager and scripted; the ONNX graph for the
spec's size, in onnxruntime and in onnx's own evaluator; the graph with free sizes, in onnxruntime.
"""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path
from random import Random
from typing import NamedTuple

import numpy as np
import onnx
import torch
from hypothesis import strategies as st
from torch import Tensor

from archdsl.api.network import loads
from archdsl.backends.onnx import export
from archdsl.backends.pytorch.source import generate
from archdsl.diagnostics import errors
from archdsl.diagnostics.diagnostic import DiagnosticError
from archdsl.ir.graph import Graph
from archdsl.ops import OPERATIONS
from archdsl.testing.arguments import call
from tests import agreement, onnx_tools
from tests.reference import Reference, State

Sizes = tuple[int, ...]

OPSETS = (13, 17, 18, 20, 22)
CHANNELS = 4


class Case(NamedTuple):
    """A primitive on a map, the sizes that it is run at (the spec's first), and what is in it."""

    flow: str
    sizes: tuple[Sizes, ...]
    order: tuple[int, ...]
    """In which axes lie in memory."""
    mean: float
    batch: int
    opset: int
    evaluated: bool
    """Whether onnx's evaluator, which is slow, is asked, too."""


def cases() -> st.SearchStrategy[Case]:
    """Uses of all primitives."""
    random = st.randoms(use_true_random=False)
    return random.map(lambda random: case(random, random.choice(sorted(OPERATIONS))))


def case(random: Random, operation: str) -> Case:
    """A use of a primitive at random: most with windows have random windows."""
    rank = random.choice((1, 2, 2, 3))
    if operation in ("matmul", "pixel_shuffle") or random.random() < 0.2:
        rank = 2
    most = 9 if rank < 3 else 6
    sizes = tuple(tuple(random.choices(range(1, most + 1), k=rank)) for _ in range(3))
    order = [*range(rank + 2)]
    random.shuffle(order)
    mean = random.choice((0.0, 0.0, 1000.0))
    batch, opset, evaluated = random.choice((1, 3)), random.choice(OPSETS), random.random() < 0.3
    flow = _flow(random, operation, rank)
    return Case(flow, sizes, tuple(order), mean, batch, opset, evaluated)


def _flow(random: Random, operation: str, rank: int) -> str:
    def axes(*numbers: int) -> str:
        if random.random() < 0.4:
            return str(random.choice(numbers))
        return f"({', '.join(str(random.choice(numbers)) for _ in range(rank))},)"

    def window(*more: str) -> str:
        padding = random.choice(("keep", "same", "same", "valid", axes(0, 1, 1, 2)))
        given = [f"k={axes(1, 2, 3, 4)}", f"p={padding}"]
        given += [f"s={axes(1, 1, 2, 3)}"] * (random.random() < 0.7)
        return ", ".join([*given, *(text for text in more if random.random() < 0.5)])

    match operation:
        case "conv":
            return f"x -> conv(3, {window(f'd={axes(1, 2, 3)}', 'bias=true')})"
        case "max_pool":
            return f"x -> max_pool({window(f'd={axes(1, 2, 3)}', 'ceil=true')})"
        case "avg_pool" if random.random() < 0.85:
            return f"x -> avg_pool({window('ceil=true', 'count_include_pad=true')})"
        case "conv_transpose":
            given = f"k={axes(1, 2, 3)}, s={axes(1, 2, 3)}, d={axes(1, 2, 3)}, p={axes(0, 1)}"
            return f"x -> conv_transpose(3, {given}, out_pad={axes(0, 0, 1, 2)})"
        case "resize":
            other = f"x -> conv(2, k=2, s={axes(1, 2, 3)}, p=same)"
            mode = random.choice(("nearest", "nearest", "bilinear"))
            if random.random() < 0.5:
                return f"({other}) -> resize(like=x, mode={mode})"
            if random.random() < 0.5:
                return f"x -> resize(like={other}, mode={mode})"
            return _use(random, operation)
        case "add" | "sub" | "mul" if random.random() < 0.6:
            other = random.choice(
                ("x -> conv(4, k=2, p=same)", "x -> global_pool", "x -> avg_pool(3, p=1)",
                 "x -> conv(1)"),
            )  # fmt: skip
            sign = {"add": "+", "sub": "-", "mul": "*"}[operation]
            return f"({other}) {sign} x" if random.random() < 0.5 else f"x {sign} ({other})"
        case "concat":
            return "concat(x, x -> relu)"
        case "split":
            return f"concat({_use(random, operation)})"
        case "linear":
            return f"x -> global_pool -> {call(random, OPERATIONS[operation], 0.4)}"
        case "matmul":
            return "matmul(x, x -> permute((0, 2, 1)))"
    return _use(random, operation)


def _use(random: Random, operation: str) -> str:
    return f"x -> {call(random, OPERATIONS[operation], 0.4)}"


def spec(case: Case, sizes: Sizes) -> str:
    shape = "x".join(map(str, (CHANNELS, *sizes)))
    return f"arch net {{\n  input x: {shape}\n  return {case.flow}\n}}\n"


def graph_of(case: Case, sizes: Sizes) -> Graph | None:
    """The network at a size, if there is one."""
    try:
        return loads(spec(case, sizes)).graph
    except DiagnosticError:
        return None


def values(case: Case, sizes: Sizes) -> Tensor:
    """A map of random numbers around a mean, its axes in any order in memory."""
    shape = (case.batch, CHANNELS, *sizes)
    generator = torch.Generator().manual_seed(sum(sizes))
    laid = [shape[axis] for axis in case.order]
    numbers = torch.randn(laid, generator=generator, dtype=torch.float32) + case.mean
    return numbers.permute([case.order.index(axis) for axis in range(len(shape))])


def check(case: Case) -> int:
    """Compare all that is made for the spec's size with the meaning at each size; how often."""
    graph = graph_of(case, case.sizes[0])
    if graph is None:
        return 0
    state = onnx_tools.state_of(graph)
    double = {k: v.double() if v.is_floating_point() else v for k, v in state.items()}
    module = agreement.load(generate(graph, "spec.arch"), graph.class_name)()
    module.load_state_dict(state)
    module = module.double().eval()
    compared = 0
    with tempfile.TemporaryDirectory() as folder, torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scripted = torch.jit.script(module)
        fixed, free = _files(case, graph, state, Path(folder))
        for sizes in case.sizes:
            own = graph_of(case, sizes)
            if own is None or not _same_weights(own, graph):
                continue
            x = values(case, sizes)
            (wanted,) = Reference(own, double)(x.double())
            (rounded,) = Reference(own, state)(x)
            scale = max(1e-3, float(wanted.abs().max()))
            # Numbers around 1000 have lost digits before anything is done to them.
            loss = float((rounded - wanted).abs().max()) + case.mean * 1e-7
            for made in (module, scripted):
                _close(made(x.double()), wanted, 1e-9 * scale)
            arrays = [np.ascontiguousarray(x.numpy())]
            results = [onnx_tools.run(free, arrays)] if free is not None else []
            if sizes == case.sizes[0]:
                results.append(onnx_tools.run(fixed, arrays))
                if case.evaluated and not _misjudged(case, fixed):
                    results.append(onnx_tools.evaluate(fixed, arrays))
            for (result,) in results:
                _close(torch.from_numpy(np.array(result)), wanted, 4 * loss + 2e-5 * scale)
            compared += 1
    return compared


def _files(case: Case, graph: Graph, state: State, folder: Path) -> tuple[Path, Path | None]:
    """The ONNX graph for the spec's size, and the one with free sizes if there may be any."""
    weights = {name: tensor.numpy() for name, tensor in state.items()}
    fixed, free = folder / "fixed.onnx", folder / "free.onnx"
    export(graph, str(fixed), weights=weights, opset=case.opset)
    onnx_tools.checked(fixed)
    try:
        export(graph, str(free), weights=weights, opset=case.opset, dynamic="spatial")
    except DiagnosticError as refused:
        kinds = (errors.SizeIsFixed, errors.NoLowering)
        assert all(isinstance(problem, kinds) for problem in refused.diagnostics)
        return fixed, None
    onnx_tools.checked(free)
    return fixed, free


def _same_weights(one: Graph, other: Graph) -> bool:
    """Whether two networks differ in the sizes of their maps only."""

    def told(graph: Graph) -> list[object]:
        channels = [output.value.shape[0] for output in graph.outputs]
        return [*channels, *((node.operation.name, node.operation.weights) for node in graph.nodes)]

    return told(one) == told(other)


def _misjudged(case: Case, path: Path) -> bool:
    """Whether onnx's evaluator is known to be wrong about a file, or to fail."""
    model = onnx.load(path)
    for node in model.graph.node:
        pads = next((a.ints for a in node.attribute if a.name == "pads"), [])
        half = len(pads) // 2
        # MaxPool: it looks for positions outside of lines and uneven borders.
        if node.op_type == "MaxPool" and (half == 1 or pads[:half] != pads[half:]):
            return True
    # LRN: it takes the batch for the channels.
    lrn = any(node.op_type == "LRN" for node in model.graph.node) and case.batch != CHANNELS
    return lrn or onnx_tools.misjudged(model, len(case.sizes[0]))


def _close(mine: Tensor, wanted: Tensor, tolerance: float) -> None:
    assert mine.shape == wanted.shape, (mine.shape, wanted.shape)
    same = (mine == wanted) | ((mine - wanted).abs() <= tolerance)
    assert bool(same.all()), (float((mine - wanted).abs().max()), tolerance)
