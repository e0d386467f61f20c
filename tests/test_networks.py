"""Each published network is what its public implementation is, with its weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

import archdsl
from archdsl.api.network import shipped_names
from archdsl.diagnostics.source import Source
from archdsl.weights import convert
from tests import networks_page, onnx_tools
from tests.conftest import Command
from tests.networks import NETWORKS, OWN, Published
from tests.reference import randomise

each = pytest.mark.parametrize("published", NETWORKS, ids=str)


def network_of(published: Published) -> archdsl.Network:
    spec = archdsl.Spec.open(published.spec)
    settings = {
        name: spec.expression(Source(f"--set {name}", text))
        for name, text in published.settings.items()
    }
    return spec.network(spec.choose(published.arch), published.variant, settings)


def inputs_of(published: Published, network: archdsl.Network, batch: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(batch)
    sizes = published.sizes * len(network.inputs) if len(published.sizes) == 1 else published.sizes
    return [
        torch.randn(
            batch, shape[1], *[size] * (len(shape) - 2), generator=generator, dtype=torch.float64
        )
        for shape, size in zip(network.inputs.values(), sizes, strict=True)
    ]


def outputs_of(module: nn.Module, inputs: list[Tensor]) -> list[Tensor]:
    result = module(*inputs)
    return [result] if isinstance(result, Tensor) else list(result)


def worst(mine: list[Tensor], other: list[Tensor]) -> float:
    """The largest difference, as a share of the largest number."""
    assert [x.shape for x in mine] == [x.shape for x in other]
    return max(float((a - b).abs().max() / b.abs().max()) for a, b in zip(mine, other))


@each
def test_network(published: Published, tmp_path: Path, update_golden: bool) -> None:
    network = network_of(published)
    assert network.params == published.params
    assert published.macs in (None, network.macs)

    torch.manual_seed(0)
    public = published.make().eval()
    params, macs = costs_of_public(published, network)
    assert (params, macs) == (published.params, network.macs)
    state = public.state_dict()
    randomise(state)
    converted = tmp_path / "w.safetensors"
    convert(network, state).save(converted)

    module = network.module().eval()
    module.load_state_dict(load_file(converted), strict=True)
    inputs = inputs_of(published, network, 2)
    narrow = [x.float() for x in inputs]
    with torch.no_grad():
        in_float32 = worst(outputs_of(module, narrow), outputs_of(public, narrow))
        wanted = outputs_of(public.double(), inputs)
        outputs = outputs_of(module.double(), inputs)
    assert all(torch.isfinite(x).all() for x in outputs)
    in_float64 = worst(outputs, wanted)
    in_onnx = worst(outputs_in_onnx(network, converted, narrow, tmp_path / "net.onnx"), wanted)
    assert in_float32 <= 1e-4 and in_float64 <= 1e-9 and in_onnx <= 1e-4
    _learns(module, inputs)
    row = networks_page.Row(network, params, macs, (in_float32, in_float64, in_onnx))
    _told(published, row, update_golden)


def costs_of_public(published: Published, network: archdsl.Network) -> tuple[int, int]:
    """Parameters and multiply-accumulates of the public implementation at the size of the spec,
    as PyTorch's own counter counts them on shapes alone."""
    with torch.device("meta"):
        public = published.make().eval()
        inputs = [torch.empty(1, *shape[1:]) for shape in network.inputs.values()]
    with FlopCounterMode(display=False) as counter:
        public(*inputs)
    macs, odd = divmod(counter.get_total_flops(), 2)  # it counts multiplications and additions
    assert not odd
    return sum(p.numel() for p in public.parameters()), macs


def outputs_in_onnx(
    network: archdsl.Network, weights: Path, inputs: list[Tensor], path: Path
) -> list[Tensor]:
    """Those of our graph in onnxruntime."""
    network.onnx(path, weights=weights, dynamic="spatial")
    results = onnx_tools.run(path, [x.numpy() for x in inputs])
    path.unlink()
    return [torch.from_numpy(x).double() for x in results]


def _learns(module: nn.Module, inputs: list[Tensor]) -> None:
    """One step down the gradient lowers the loss on a fixed batch; nothing is dropped by chance."""
    module.train()
    for part in module.modules():
        if isinstance(part, nn.Dropout):
            part.p = 0.0
        elif hasattr(part, "rate"):
            part.rate = 0.0
    targets = [torch.ones_like(x) for x in outputs_of(module, inputs)]

    def loss() -> Tensor:
        outputs = outputs_of(module, inputs)
        return torch.stack([(x - y).square().mean() for x, y in zip(outputs, targets)]).sum()

    before = loss()
    before.backward()
    gradients = [p.grad for p in module.parameters() if p.grad is not None]
    assert len(gradients) == len(list(module.parameters()))
    assert all(torch.isfinite(g).all() for g in gradients) and torch.isfinite(before)
    length = sum(float(g.square().sum()) for g in gradients)
    assert length > 0
    with torch.no_grad():
        for p in module.parameters():
            p -= p.grad * (1e-5 * float(before) / length)  # type: ignore[operator]
        assert loss() < before


def _told(published: Published, row: networks_page.Row, update_golden: bool) -> None:
    """`docs/networks.md` has the network's row; its differences are those of every machine."""
    text = networks_page.text_of(published, row)
    if update_golden:
        networks_page.keep(published, text)
    told = networks_page.known()[networks_page.command(published)].rstrip(" |\n").split(" | ")
    assert told[:-3] == text.split(" | ")[:-3]
    for shown, found, least in zip(told[-3:], row.differences, networks_page.LEAST, strict=True):
        assert found <= 10 * max(float(shown), least)


def test_the_page_has_no_other_rows() -> None:
    assert [*networks_page.known()] == [networks_page.command(p) for p in NETWORKS]


def test_the_readme_says_how_many_are_compared_with_our_own() -> None:
    own = sum(published.source.startswith(OWN) for published in NETWORKS)
    told = " ".join((networks_page.ROOT / "README.md").read_text(encoding="utf-8").split())
    public = f"For {len(NETWORKS) - own} of {len(NETWORKS)}, this is torchvision's or timm's."
    assert f"{public} For the {own} that no package" in told


def test_every_shipped_network_is_published_here() -> None:
    """Variants and archs of the shipped specs, with or without a public implementation."""
    covered = {(p.spec, p.arch or p.spec, p.variant) for p in NETWORKS}
    for name in shipped_names():
        spec = archdsl.Spec.open(name)
        for arch in spec.archs:
            variants = spec.variants(arch)
            for variant in variants or [None]:
                known = (name, arch, variant) in covered or (name, arch, None) in covered
                assert known or name == "resnext_forms" or len(variants) == 1, (arch, variant)


# The forms of the ResNeXt block


def test_the_forms_of_the_resnext_block_are_equal() -> None:
    """Under one set of weights: those of form (c), cut into paths for (a) and (b)."""
    a, b, c = (archdsl.load("resnext_forms", variant=form) for form in "abc")
    assert a.params == b.params == c.params and a.macs == b.macs == c.macs
    grouped = c.module().double().eval()
    randomise(grouped.state_dict())
    weight = grouped.state_dict()
    x = torch.randn(2, 256, 9, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        wanted = grouped(x)
    for form in (a, b):
        module = form.module().double().eval()
        state = module.state_dict()
        for name in state:
            if name.startswith("out.paths."):
                *_, number, _, step, role = name.split(".")
                whole = weight[f"out.main.{step}.{role}"]
                part = slice(4 * int(number), 4 * int(number) + 4)
                is_last = step == "6"
                if whole.dim() == 0:
                    state[name].copy_(whole)
                else:
                    state[name].copy_(whole[:, part] if is_last else whole[part])
            else:
                layer, _, role = name.rpartition(".")
                step = "6" if f"{layer}.running_var" not in state else "7"
                state[name].copy_(weight[f"out.main.{step}.{role}"])
        with torch.no_grad():
            assert worst([module(x)], [wanted]) <= 1e-12


@pytest.mark.parametrize("phi", [0, 1, 2.5])
def test_efficientnet_scales_by_phi(phi: float) -> None:
    """Tan & Le, ICML 2019, equation 3."""
    network = archdsl.load("efficientnet", phi=phi)
    assert network.parameters["depth"] == pytest.approx(1.2**phi)
    assert np.array_equal(network.inputs["image"][1:], (3, *[int(224 * 1.15**phi)] * 2))
    outputs = network.module().eval()(torch.zeros(1, 3, 32, 32))
    assert outputs.shape == (1, 1000)


@pytest.mark.parametrize("coefficients, growth", [("alpha=1.4", "2.24031"), ("gamma=1", "1.452")])
def test_efficientnet_warns_of_other_growth(
    coefficients: str, growth: str, command: Command
) -> None:
    """alpha * beta^2 * gamma^2 is to be about 2: a step of phi doubles the multiply-accumulates."""
    done = command("check", "efficientnet", "--set", "phi=1", "--set", coefficients)
    assert done.returncode == 0
    assert f"alpha * beta^2 * gamma^2 is {growth}, far from the 2" in done.stderr
    done = command("check", "efficientnet", "--set", "phi=1")
    assert "alpha" not in done.stderr
