"""Each construct of the language in ONNX: it takes the `state_dict` of the generated module, and
computes the same, flat and as functions, in all opsets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from archdsl.api.network import Spec
from archdsl.backends.onnx.opsets import NEWEST, OLDEST
from archdsl.diagnostics import errors
from archdsl.diagnostics.diagnostic import DiagnosticError
from archdsl.weights.sources import declared
from tests.onnx_tools import checked, close, inputs_of, run, weights_in
from tests.reference import randomise
from tests.test_torch_constructs import CONSTRUCTS, spec_of


def computed(module: torch.nn.Module, inputs: list[np.ndarray]) -> list[np.ndarray]:
    with torch.no_grad():
        results = module(*map(torch.from_numpy, inputs))
    return [x.numpy() for x in ([results] if isinstance(results, torch.Tensor) else results)]


@pytest.mark.parametrize("number", range(len(CONSTRUCTS)), ids=[p.stem for p in CONSTRUCTS])
def test_construct(number: int, tmp_path: Path) -> None:
    spec = Spec.of_text(spec_of(CONSTRUCTS[number]))
    net = spec.network(spec.program.archs[-1])
    module = net.module()
    module.eval()
    randomise(module.state_dict())
    state = module.state_dict()
    shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
    assert shapes == {name: tensor.shape for name, tensor in declared(net.graph).items()}
    inputs = inputs_of(net.graph)
    wanted = computed(module, inputs)
    path, opset = tmp_path / "net.onnx", OLDEST + number % (NEWEST - OLDEST + 1)
    net.onnx(path, weights=state, fold=False)
    close(run(path, inputs), wanted)
    for name, array in weights_in(checked(path)).items():
        if name in state:
            assert np.array_equal(array.ravel(), state[name].numpy().ravel()), name
        else:
            assert "/" in name, name  # a constant
    net.onnx(path, weights=state, opset=opset)
    checked(path)
    close(run(path, inputs), wanted)
    net.onnx(path, weights=state, opset=opset, functions=True)
    checked(path)
    close(run(path, inputs), wanted)
    try:
        net.onnx(path, weights=state, functions=True, dynamic="spatial", opset=max(opset, 21))
    except DiagnosticError as refused:
        assert all(isinstance(problem, errors.SizeIsFixed) for problem in refused.diagnostics)
    else:
        checked(path)
        close(run(path, inputs), wanted)
