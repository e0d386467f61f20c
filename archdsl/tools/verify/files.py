"""An ONNX file that is to be verified: what it takes and gives, and the weights in it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from archdsl.api.network import Network
from archdsl.backends.onnx.exporter import Options, build
from archdsl.backends.onnx.model import BFLOAT16, FLOAT32, TYPES
from archdsl.diagnostics import errors
from archdsl.diagnostics.diagnostic import DiagnosticError
from archdsl.support.regular import regular

CLOSE = {"float32": 1e-5, "float16": 2e-3, "bfloat16": 2e-2}
"""How far a weight in a file may be from ours, as a part of the tensor's largest number: a few
roundings in its type, since a tool may have folded in that type what we fold in float64."""

WIDENED = "onnxruntime has no bfloat16 kernels for this file: it ran in float32, numbers unchanged"

_SEED = re.compile(r"--seed (\d+)")


class OnnxFile:
    """A file in onnxruntime. Raises `DiagnosticError` for what it cannot read."""

    def __init__(self, path: str) -> None:
        import onnx
        import onnxruntime  # type: ignore[import-untyped]

        self.path = path
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        self.notes: list[str] = []
        providers = ["CPUExecutionProvider"]
        try:
            self._model: Any = onnx.load(regular(path))
            self.dtype = _type_of(self._model)
            source: Any = path
            if self.dtype == BFLOAT16.name:
                source = _widened(path)
                self.notes.append(WIDENED)
            self.session = onnxruntime.InferenceSession(source, options, providers)
        except OSError as problem:
            reason = problem.strerror or str(problem)
            raise DiagnosticError([errors.NoSuchFile(path=path, reason=reason)]) from None
        except Exception as problem:  # whatever protobuf and onnxruntime raise for a bad file
            reason = (str(problem).splitlines() or [""])[0][:300]
            raise DiagnosticError([errors.NotAnOnnxFile(path=path, reason=reason)]) from None
        self.outputs = {item.name: item.shape for item in self.session.get_outputs()}
        self.inputs = {item.name: item.shape for item in self.session.get_inputs()}
        self.metadata: dict[str, str] = dict(self.session.get_modelmeta().custom_metadata_map)

    @property
    def seed(self) -> int | None:
        """The seed of the random weights in it, where archdsl wrote it with some."""
        found = _SEED.search(self.metadata.get("archdsl.options", ""))
        return int(found[1]) if found else None

    def initializers(self) -> dict[str, Any]:
        """The arrays in the file by name."""
        from onnx import numpy_helper

        return {t.name: numpy_helper.to_array(t) for t in self._model.graph.initializer}

    def weight_inputs(self, network: Network, state: Mapping[str, Any]) -> dict[str, Any]:
        """Arrays for the inputs that are weights, taken out of `inputs`; of a file without any,
        nothing."""
        names = [name for name in self.inputs if "." in name and name not in network.inputs]
        for fold in (False, True) if names else ():
            ours = _tensors(network, state, fold)
            if all(name in ours for name in names):
                kinds = {item.name: item.type for item in self.session.get_inputs()}
                found = {}
                for name in names:
                    kind = np.float16 if "float16" in kinds[name] else np.float32
                    found[name] = ours[name].astype(kind).reshape(self.inputs.pop(name))
                return found
        return {}

    def differing_weights(
        self, network: Network, state: Mapping[str, Any]
    ) -> tuple[int, list[str]]:
        """Number of its initializers that match the network, folded or not, and those that differ.

        Tensors are found by their names, so that only those of a file count whose writer keeps
        the names of the `state_dict`.
        """
        dtype = self.dtype if self.dtype in TYPES else FLOAT32.name
        expected = [_tensors(network, state, fold) for fold in (False, True)]
        count, problems = 0, []
        for name, array in self.initializers().items():
            numbers = array.astype(np.float32).ravel()
            ours = [
                tensors[name].ravel()
                for tensors in expected
                if name in tensors and tensors[name].size == numbers.size
            ]
            if not ours or not numbers.size:
                continue
            count += 1
            distance = min(
                float(np.abs(numbers - other).max()) / max(float(np.abs(other).max()), 1e-30)
                for other in ours
            )
            if not distance <= CLOSE[dtype]:  # so that NaN differs, too
                text = f"`{name}` of the file is {distance:.1e} of its size away from the weights"
                problems.append(text)
        return count, problems


def _tensors(network: Network, state: Mapping[str, Any], fold: bool) -> dict[str, Any]:
    """The weights of a graph by name, in float32."""
    options = Options(weights=state, fold=fold).settled()
    return {
        tensor.name: np.concatenate([*map(np.atleast_1d, tensor.blocks())])
        for tensor in build(network.graph, options).tensors
        if tensor.type is FLOAT32 and tensor.value is None and tensor.blocks is not None
    }


def _type_of(model: Any) -> str:
    """The type of the numbers that a model takes."""
    from onnx import TensorProto

    given = {tensor.name for tensor in model.graph.initializer}
    types = [i.type.tensor_type.elem_type for i in model.graph.input if i.name not in given]
    name = str(TensorProto.DataType.Name(types[0])).lower() if types else FLOAT32.name
    return FLOAT32.name if name == "float" else name


def _widened(path: str) -> bytes:
    """The same model with float32 for bfloat16."""
    import onnx
    from onnx import TensorProto, numpy_helper

    model = onnx.load(path)
    graph = model.graph
    for value in (*graph.input, *graph.output, *graph.value_info):
        if value.type.tensor_type.elem_type == TensorProto.BFLOAT16:
            value.type.tensor_type.elem_type = TensorProto.FLOAT
    tensors = [*graph.initializer]
    for node in (*graph.node, *(node for function in model.functions for node in function.node)):
        for attribute in node.attribute:
            tensors += [attribute.t] if attribute.HasField("t") else []
            if node.op_type == "Cast" and attribute.i == TensorProto.BFLOAT16:
                attribute.i = TensorProto.FLOAT
    for tensor in tensors:
        if tensor.data_type == TensorProto.BFLOAT16:
            wide = numpy_helper.to_array(tensor).astype(np.float32)
            tensor.CopyFrom(numpy_helper.from_array(wide, tensor.name))
    content: bytes = model.SerializeToString()
    return content
