"""Costs against those that torchinfo and fvcore count, where the definitions are the same."""

from __future__ import annotations

import warnings
from math import prod

import pytest
import torch
import torchinfo
from fvcore.nn import ActivationCountAnalysis, FlopCountAnalysis
from torch import nn

import archdsl

SPECS = ["mobilenet_v2", "resnet50", "efficientnet", "squeezenet1_0"]


@pytest.fixture(scope="module", params=SPECS)
def pair(request: pytest.FixtureRequest) -> tuple[archdsl.Network, nn.Module, tuple[int, ...]]:
    """A network, its module, and the shape of its input for a batch of one."""
    network = archdsl.load(request.param)
    (shape,) = network.inputs.values()
    return network, network.module().eval(), (1, *shape[1:])  # type: ignore[return-value]


Pair = tuple[archdsl.Network, nn.Module, tuple[int, ...]]


def test_fvcore(pair: Pair) -> None:
    """FLOPs of fvcore are MACs; it counts normalisation and pooling, too. Its activations are the
    outputs of convolutions and matrix products."""
    network, module, shape = pair
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        flops = FlopCountAnalysis(module, torch.zeros(shape)).unsupported_ops_warnings(False)
        made = ActivationCountAnalysis(module, torch.zeros(shape)).unsupported_ops_warnings(False)
        counted, activations = flops.by_operator(), made.total()
    assert counted["conv"] + counted["linear"] == network.macs
    rows = zip(network.table("primitives"), network.graph.nodes, strict=True)
    assert activations == sum(row.memory // 4 for row, node in rows if node.operation.macs)


def test_torchinfo(pair: Pair) -> None:
    """torchinfo multiplies and adds biases at each position and once for each number of a
    normalisation; its forward/backward pass is twice what layers with parameters give."""
    network, module, shape = pair
    told = torchinfo.summary(module, input_size=shape, verbose=0)
    assert told.total_params == network.params
    layers = [
        layer for layer in told.summary_list if isinstance(layer.module, nn.Conv2d | nn.Linear)
    ]
    biases = sum(
        layer.module.bias.numel() * prod(layer.output_size[2:])
        for layer in layers
        if layer.module.bias is not None
    )
    assert sum(layer.macs for layer in layers) - biases == network.macs
    rows = network.table("primitives")
    assert told.total_output_bytes == 2 * sum(row.memory for row in rows if row.params)
    assert told.total_param_bytes == 4 * network.params
