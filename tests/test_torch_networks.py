"""What PyTorch's own compilers make of the shipped networks: the same outputs."""

from __future__ import annotations

import inspect
import warnings

import pytest
import torch
from torch import nn

from archdsl.backends.pytorch.source import generate
from tests.agreement import load
from tests.networks import NETWORKS as PUBLISHED
from tests.reference import randomise, weight_names
from tests.shipped import SHIPPED, graph_of

NETWORKS = sorted({(spec, arch) for spec, arch, variant in SHIPPED if variant is None})


def network(spec: str, arch: str) -> nn.Module:
    graph = graph_of(spec, arch)
    module = load(generate(graph, f"{spec}.arch"), graph.class_name)()
    randomise(module.state_dict())
    return module.eval()


def inputs(spec: str, arch: str, batch: int) -> tuple[torch.Tensor, ...]:
    """Inputs of the size at which the network is compared with the public one."""
    sizes = next((p.sizes for p in PUBLISHED if p.spec == spec and arch == (p.arch or spec)), (64,))
    values = graph_of(spec, arch).inputs
    generator = torch.Generator().manual_seed(batch)
    return tuple(
        torch.randn(batch, value.shape[0], *[size] * (len(value.shape) - 1), generator=generator)
        for value, size in zip(values, sizes * len(values) if len(sizes) == 1 else sizes)
    )


@pytest.mark.parametrize(("spec", "arch"), NETWORKS)
def test_arguments_of_the_class_are_parameters_of_the_spec(spec: str, arch: str) -> None:
    """Another number for one means the same in PyTorch as in the language."""
    graph = graph_of(spec, arch)
    made = load(generate(graph, f"{spec}.arch"), graph.class_name)
    for name in inspect.signature(made).parameters:
        value = graph.arguments[name]
        other = value / 2 if isinstance(value, float) else value + 8
        wanted = weight_names(graph_of(spec, arch, **{name: other}))
        state = made(**{name: other}).state_dict()
        assert {key: tuple(x.shape) for key, x in state.items()} == wanted, name


@pytest.mark.parametrize(("spec", "arch"), NETWORKS)
def test_torchscript(spec: str, arch: str) -> None:
    module, x = network(spec, arch), inputs(spec, arch, 2)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.testing.assert_close(torch.jit.script(module)(*x), module(*x))


@pytest.mark.parametrize(("spec", "arch"), NETWORKS)
def test_export_with_any_batch(spec: str, arch: str) -> None:
    module, x = network(spec, arch), inputs(spec, arch, 5)
    exported = torch.export.export(
        module, inputs(spec, arch, 2), dynamic_shapes=[{0: torch.export.Dim("batch")} for _ in x]
    )
    with torch.no_grad():
        torch.testing.assert_close(exported.module()(*x), module(*x))


@pytest.mark.parametrize(("spec", "arch"), NETWORKS)
def test_compile_in_one_graph(spec: str, arch: str) -> None:
    module, x = network(spec, arch), inputs(spec, arch, 2)
    torch._dynamo.reset()
    compiled = torch.compile(module, fullgraph=True, backend="eager")
    with torch.no_grad():
        torch.testing.assert_close(compiled(*x), module(*x))


@pytest.mark.slow
def test_compile_to_machine_code() -> None:
    module, x = (
        network("squeezenet1_1", "squeezenet1_1"),
        inputs("squeezenet1_1", "squeezenet1_1", 2),
    )
    torch._dynamo.reset()
    with torch.no_grad():
        compiled = torch.compile(module, fullgraph=True)
        torch.testing.assert_close(compiled(*x), module(*x), rtol=1e-3, atol=1e-3)
