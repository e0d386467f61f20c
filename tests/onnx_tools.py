"""What the ONNX tests share: writing a spec, running the file in several ways, and checking it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator

from archdsl.api.network import loads
from archdsl.backends.onnx import export
from archdsl.ir.graph import Graph
from tests.reference import Reference, randomise, weight_names

Arrays = list[np.ndarray]

ORT_NEWEST = 28
"""The newest opset that the installed onnxruntime runs."""


def state_of(graph: Graph, seed: int = 0) -> dict[str, torch.Tensor]:
    """Random weights for a graph, none like another."""
    state = {
        name: torch.zeros(shape, dtype=torch.int64 if name.endswith("tracked") else torch.float32)
        for name, shape in weight_names(graph).items()
    }
    randomise(state, seed)
    return state


def stored(graph: Graph, path: Path, seed: int = 0) -> dict[str, torch.Tensor]:
    """The same in a safetensors file."""
    from safetensors.torch import save_file

    state = state_of(graph, seed)
    save_file(state, path)
    return state


def inputs_of(graph: Graph, batch: int = 2, sizes: dict[int, int] | None = None) -> Arrays:
    """Random inputs; `sizes` gives other spatial sizes for those of the spec."""
    generator = np.random.default_rng(batch)
    found = []
    for value in graph.inputs:
        spatial = [(sizes or {}).get(n, n) for n in value.shape[1:]]
        shape = (batch, value.shape[0], *spatial)
        found.append(generator.standard_normal(shape).astype(np.float32))
    return found


def expected(
    graph: Graph,
    state: dict[str, torch.Tensor],
    inputs: Arrays,
    dtype: torch.dtype = torch.float64,
) -> Arrays:
    """What the reference computes, in float64 if not told otherwise."""
    cast = {k: v.to(dtype) if v.is_floating_point() else v for k, v in state.items()}
    with torch.no_grad():
        outputs = Reference(graph, cast)(*(torch.from_numpy(x).to(dtype) for x in inputs))
    return [x.numpy() for x in outputs]


def run(path: Path | str, inputs: Arrays) -> Arrays:
    """What onnxruntime computes."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, ["CPUExecutionProvider"])
    names = [item.name for item in session.get_inputs()]
    return session.run(None, dict(zip(names, inputs, strict=True)))


def evaluate(path: Path | str, inputs: Arrays) -> Arrays:
    """What onnx's own reference computes."""
    evaluator = ReferenceEvaluator(str(path))
    return evaluator.run(None, dict(zip(evaluator.input_names, inputs, strict=False)))


def misjudged(model: onnx.ModelProto, rank: int) -> bool:
    """Whether onnx 1.23's evaluator is known to be wrong about an operator of a model: batch
    normalisation before opset 14 (it takes the statistics of the batch), grouped transposed
    convolutions (it fails), and the largest of all unless the map has two axes (it takes two)."""
    operators = {node.op_type: node for node in model.graph.node}
    if "BatchNormalization" in operators and model.opset_import[0].version < 14:
        return True
    if "GlobalMaxPool" in operators and rank != 2:
        return True
    transposed = operators.get("ConvTranspose")
    return transposed is not None and any(
        a.name == "group" and a.i > 1 for a in transposed.attribute
    )


def close(mine: Arrays, other: Arrays, tolerance: float = 1e-4) -> None:
    assert len(mine) == len(other)
    for a, b in zip(mine, other, strict=True):
        assert a.shape == b.shape, (a.shape, b.shape)
        scale = max(1e-3, float(np.abs(b).max()))
        difference = float(np.abs(a.astype(np.float64) - b).max())
        assert difference <= tolerance * scale, (difference, scale)


def checked(path: Path | str) -> onnx.ModelProto:
    """The model of a file, found sound by onnx, its own shape inference agreeing with it."""
    onnx.checker.check_model(str(path), full_check=True)
    model = onnx.load(str(path))
    same_shapes(model)
    for body in (model.graph, *model.functions):
        names = [node.name for node in body.node]
        assert len(set(names)) == len(names)
    identities = [(f.domain, f.name) for f in model.functions]
    assert len(set(identities)) == len(identities)
    return model


def same_shapes(model: onnx.ModelProto) -> None:
    """Each value has a type and a shape, the one that onnx infers when it is not told."""
    told = {v.name: v.type.tensor_type for v in [*model.graph.value_info, *model.graph.output]}
    handed_on = {v.name for v in model.graph.input} & {v.name for v in model.graph.output}
    assert {name for node in model.graph.node for name in node.output} == set(told) - handed_on
    bare = onnx.ModelProto()
    bare.CopyFrom(model)
    del bare.graph.value_info[:]
    inferred = onnx.shape_inference.infer_shapes(
        bare, check_type=True, strict_mode=True, data_prop=True
    )
    found = {v.name: v.type.tensor_type for v in inferred.graph.value_info}
    for name, tensor in told.items():
        assert tensor.HasField("shape") and all(
            d.HasField("dim_value") or d.HasField("dim_param") for d in tensor.shape.dim
        ), name
        if name in found and not found[name].HasField("shape"):
            continue  # GroupNormalization: it has no rule
        if name not in found:
            assert name in {v.name for v in model.graph.output}, name
            continue
        other = found[name]
        assert other.elem_type == tensor.elem_type, name
        for a, b in zip(other.shape.dim, tensor.shape.dim, strict=True):
            # `unk__0` is what it calls a size that it cannot tell.
            assert str(_size(a)).startswith("unk__") or _size(a) == _size(b), name


def _size(dim: Any) -> Any:
    return dim.dim_value if dim.HasField("dim_value") else dim.dim_param


def onnx_of(text: str, path: Path, **options: Any) -> Graph:
    """Write the network of a spec's text; its graph."""
    graph = loads(text).graph
    export(graph, str(path), spec="test.arch", **options)
    return graph


def weights_in(model: onnx.ModelProto) -> dict[str, np.ndarray]:
    return {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
