"""The shipped networks against public implementations: the same numbers, and with the same weights
the same outputs.

The numbers are those that torchvision 0.29.1 and timm 1.0.31 give for their models, MACs (of
convolutions and matrices) counted by fvcore.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import timm
import torch
import torchvision
from fvcore.nn import FlopCountAnalysis

import archdsl

SPECS = Path(__file__).parent.parent / "specs"


class Public(NamedTuple):
    """A network of ours, its numbers, and the public model that it is."""

    spec: str
    variant: str | None
    params: int
    macs: int
    make: Callable[[], torch.nn.Module]


def tv(name: str) -> Callable[[], torch.nn.Module]:
    return lambda: torchvision.models.get_model(name, weights=None)


def from_timm(name: str) -> Callable[[], torch.nn.Module]:
    return lambda: timm.create_model(name, pretrained=False)


NETWORKS = [
    Public("mnasnet_a1", None, 3_887_038, 311_579_072, from_timm("semnasnet_100")),
    Public("mobilenet_v2", None, 3_504_872, 300_774_272, tv("mobilenet_v2")),
    Public(
        "mobilenet_v2", "mobilenet_v2_140", 6_108_776, 582_195_824, from_timm("mobilenetv2_140")
    ),
    Public("resnext50", None, 25_028_904, 4_230_479_872, tv("resnext50_32x4d")),
    Public("resnet50", None, 25_557_032, 4_089_184_256, tv("resnet50")),
    Public("squeezenet1_0", None, 1_248_424, 818_924_576, tv("squeezenet1_0")),
    Public("squeezenet1_1", None, 1_235_496, 349_151_936, tv("squeezenet1_1")),
]

public = pytest.mark.parametrize("network", NETWORKS, ids=lambda n: n.variant or n.spec)


def ours(network: Public) -> archdsl.Network:
    return archdsl.load(SPECS / f"{network.spec}.arch", variant=network.variant)


def randomise(model: torch.nn.Module, seed: int) -> None:
    """Draw every tensor, running statistics too, so that no two are alike by chance."""
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in model.state_dict().items():
        if name.endswith("running_var"):
            tensor.copy_(torch.rand(tensor.shape, generator=generator, dtype=tensor.dtype) + 0.5)
        elif tensor.dim() > 1:
            noise = torch.randn(tensor.shape, generator=generator, dtype=tensor.dtype)
            tensor.copy_(noise * (2 / tensor[0].numel()) ** 0.5)
        elif tensor.is_floating_point():
            noise = torch.randn(tensor.shape, generator=generator, dtype=tensor.dtype)
            is_scale = name.endswith("weight")
            tensor.copy_(noise * 0.1 + 1 if is_scale else noise * 0.1)


def same_weights(network: Public, dtype: torch.dtype) -> tuple[Any, Any]:
    """Our module and the public one, its weights copied in the order they stand in both."""
    torch.manual_seed(0)
    theirs = network.make().to(dtype)
    randomise(theirs, 1)
    module = ours(network).module().to(dtype)
    source, target = theirs.state_dict(), module.state_dict()
    assert [t.shape for t in source.values()] == [t.shape for t in target.values()]
    for mine, other in zip(target.values(), source.values(), strict=True):
        mine.copy_(other)
    return module, theirs


@public
def test_numbers(network: Public) -> None:
    counted = ours(network)
    assert (counted.params, counted.macs) == (network.params, network.macs)
    module = counted.module().eval()
    assert sum(p.numel() for p in module.parameters()) == network.params
    flops = FlopCountAnalysis(module, torch.zeros(1, 3, 224, 224))
    flops.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    by_operator = flops.by_operator()
    assert by_operator["conv"] + by_operator["linear"] == network.macs


@public
@pytest.mark.parametrize("dtype, tolerance", [(torch.float32, 1e-4), (torch.float64, 1e-9)])
def test_outputs(network: Public, dtype: torch.dtype, tolerance: float) -> None:
    module, theirs = same_weights(network, dtype)
    x = torch.randn(2, 3, 224, 224, dtype=dtype, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        mine, other = module.eval()(x), theirs.eval()(x)
    assert mine.shape == other.shape == (2, 1000)
    assert (mine - other).abs().max() <= tolerance * other.abs().max()


@public
def test_running_statistics(network: Public) -> None:
    module, theirs = same_weights(network, torch.float64)
    x = torch.randn(4, 3, 96, 96, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    for model in (module, theirs):
        torch.manual_seed(4)
        with torch.no_grad():
            model.train()(x)
    for (name, mine), other in zip(
        module.state_dict().items(), theirs.state_dict().values(), strict=True
    ):
        difference = (mine - other).abs().max()
        assert difference <= 1e-9 * other.abs().max().clamp(min=1), name


@public
def test_training_lowers_the_loss(network: Public) -> None:
    torch.manual_seed(5)
    module = ours(network).module()
    x, y = torch.randn(4, 3, 64, 64), torch.arange(4)
    optimiser = torch.optim.SGD(module.parameters(), lr=0.01)
    losses = []
    for _ in range(4):
        torch.manual_seed(6)  # the same units are dropped each time
        loss = torch.nn.functional.cross_entropy(module(x), y)
        losses.append(float(loss))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert min(losses[1:]) < losses[0]
