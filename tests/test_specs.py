"""The specs that come with archdsl cost what the public implementations cost."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import archdsl
from archdsl.diagnostics.source import Source
from archdsl.elaborate.expectations import check
from archdsl.elaborate.network import elaborate
from archdsl.frontend.files import standard_names
from archdsl.frontend.program import Program
from archdsl.ir.costs import Total
from archdsl.ir.graph import Graph

SPECS = Path(__file__).parent.parent / "specs"

def load(name: str) -> Program:
    path = SPECS / f"{name}.arch"
    return Program(Source(path.name, path.read_text(encoding="utf-8")), str(path))


def build(program: Program, name: str, variant: str | None = None) -> Graph:
    unit = program.find(name, program.main.source)
    assert unit is not None
    return elaborate(program, unit, variant=variant)


@pytest.mark.parametrize(("name", "depth"), [("resnet50", 50), ("resnext50", 50)])
def test_depth_is_as_the_name_says(name: str, depth: int) -> None:
    assert check(build(load(name), name), settled=True).depth == depth


# The standard library: one instance of each block, counted on the public implementation. Where
# there is none, by hand.


class Public(NamedTuple):
    """What makes a public implementation; a path is imported when it is made."""

    maker: str | Callable[..., Any]
    arguments: tuple[Any, ...]
    named: dict[str, Any]

    def make(self) -> Any:
        maker = self.maker
        if isinstance(maker, str):
            module, name = maker.rsplit(".", 1)
            maker = getattr(importlib.import_module(module), name)
        arguments = [item.make() if isinstance(item, Public) else item for item in self.arguments]
        return maker(*arguments, **self.named)


def tv(path: str, *arguments: Any, **named: Any) -> Public:
    return Public(f"torchvision.{path}", arguments, named)


def timm(path: str, *arguments: Any, **named: Any) -> Public:
    return Public(f"timm.models.{path}", arguments, named)


def own(maker: Callable[..., Any], *arguments: Any) -> Public:
    return Public(maker, arguments, {})


def _projection(channels: int, c: int, s: int) -> Any:
    from torch import nn

    return nn.Sequential(nn.Conv2d(channels, c, 1, s, bias=False), nn.BatchNorm2d(c))


def _mbconv(fused: str, e: int, k: int, s: int, channels: int, c: int) -> Any:
    from torch import nn
    from torchvision.models import efficientnet  # type: ignore[import-untyped]

    config = getattr(efficientnet, f"{fused}MBConvConfig")(e, k, s, channels, c, 1)
    return getattr(efficientnet, f"{fused}MBConv")(config, 0.0, nn.BatchNorm2d)


def _dense(channels: int, growth: int) -> Any:
    from torch import Tensor, cat, nn
    from torchvision.models.densenet import _DenseLayer  # type: ignore[import-untyped]

    class Layer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = _DenseLayer(channels, growth, 4, 0.0)

        def forward(self, x: Tensor) -> Tensor:
            return cat([x, self.layer(x)], 1)

    return Layer()


def _shift_block(channels: int, c: int, s: int, e: int) -> Any:
    """From the text of Wu et al., CVPR 2018, section 3 and figure 3; kernel 3."""
    from torch import Tensor, nn, stack

    def shift(x: Tensor) -> Tensor:
        wide = nn.functional.pad(x, (1, 1, 1, 1))
        height, width = x.shape[2:]
        moved = x.shape[1] // 9 * 9
        shifted = []
        for i in range(x.shape[1]):
            dy, dx = (i // 3 % 3, i % 3) if i < moved else (1, 1)
            shifted.append(wide[:, i, dy : dy + height, dx : dx + width])
        return stack(shifted, 1)

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.expand = nn.Sequential(
                nn.Conv2d(channels, e * c, 1, bias=False), nn.BatchNorm2d(e * c), nn.ReLU()
            )
            self.project = _projection(e * c, c, s)
            self.skip = _projection(channels, c, s)

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.project(shift(self.expand(x))) + self.skip(x)
            return out.relu()

    return Block()


class Instance(NamedTuple):
    """A use of a block on a map of `channels` x 28 x 28."""

    name: str
    channels: int
    arguments: str
    params: int
    macs: int
    public: Public

    def __str__(self) -> str:
        return self.name + self.arguments


INSTANCES = [
    Instance("conv_bn_act", 16, "(32)", 4672, 3612672, tv("ops.Conv2dNormActivation", 16, 32)),
    Instance(
        "conv_bn_act", 16, "(32, k=5, s=2, groups=4)", 3264, 627200,
        tv("ops.Conv2dNormActivation", 16, 32, 5, 2, groups=4),
    ),
    Instance("squeeze_excite", 16, "(4)", 148, 128, tv("ops.SqueezeExcitation", 16, 4)),
    Instance(
        "sepconv", 32, "(16)", 896, 627200,
        timm("_efficientnet_blocks.DepthwiseSeparableConv", 32, 16),
    ),
    Instance(
        "mbconv", 16, "(24, s=2, se=0.25, act=silu)", 6004, 1825920,
        own(_mbconv, "", 6, 3, 2, 16, 24),
    ),
    Instance(
        "mbconv", 32, "(16, e=1, se=0.25, act=silu)", 1448, 627712,
        own(_mbconv, "", 1, 3, 1, 32, 16),
    ),
    Instance(
        "mbconv", 24, "(40, k=5, s=2, e=3)", 6776, 2272032,
        timm("_efficientnet_blocks.InvertedResidual", 24, 40, 5, 2, exp_ratio=3),
    ),
    Instance(
        "fused_mbconv", 24, "(24, e=1, act=silu)", 5232, 4064256,
        own(_mbconv, "Fused", 1, 3, 1, 24, 24),
    ),
    Instance(
        "fused_mbconv", 24, "(24, act=silu)", 23280, 18063360,
        own(_mbconv, "Fused", 4, 3, 1, 24, 24),
    ),
    Instance(
        "fused_mbconv", 24, "(40, s=2)", 24848, 4816896,
        timm("_efficientnet_blocks.EdgeResidual", 24, 40, 3, 2, exp_ratio=4),
    ),
    Instance("basic_block", 64, "(64)", 73984, 57802752, tv("models.resnet.BasicBlock", 64, 64)),
    Instance(
        "basic_block", 64, "(128, s=2)", 230144, 44957696,
        tv("models.resnet.BasicBlock", 64, 128, 2, own(_projection, 64, 128, 2)),
    ),
    Instance(
        "bottleneck", 64, "(64)", 75008, 57802752,
        tv("models.resnet.Bottleneck", 64, 64, 1, own(_projection, 64, 256, 1)),
    ),
    Instance(
        "bottleneck", 256, "(128, s=2, groups=32, width=4)", 349184, 106373120,
        tv("models.resnet.Bottleneck", 256, 128, 2, own(_projection, 256, 512, 2), 32, 4),
    ),
    Instance("fire", 96, "(16, 64)", 11920, 9232384, tv("models.squeezenet.Fire", 96, 16, 64, 64)),
    Instance(
        "conv_shift_conv", 16, "(32, s=2, e=3)", 5440, 1906688, own(_shift_block, 16, 32, 2, 3)
    ),
    Instance("dense_layer", 64, "", 45440, 35323904, own(_dense, 64, 32)),
    Instance("ghost", 16, "(40)", 580, 392000, timm("ghostnet.GhostModule", 16, 40)),
    Instance("ghost", 16, "(25)", 377, 254800, timm("ghostnet.GhostModule", 16, 25)),
    Instance(
        "ghost_bottleneck", 16, "(24, 48, s=2)", 2564, 792624,
        timm("ghostnet.GhostBottleneck", 16, 48, 24, 3, 2),
    ),
    Instance(
        "ghost_bottleneck", 24, "(40, 72, k=5, s=2, se=0.25)", 9636, 1910352,
        timm("ghostnet.GhostBottleneck", 24, 72, 40, 5, 2, se_ratio=0.25),
    ),
    Instance(
        "ghost_bottleneck", 40, "(40, 120, k=5, se=0.25)", 13672, 4335360,
        timm("ghostnet.GhostBottleneck", 40, 120, 40, 5, 1, se_ratio=0.25),
    ),
]  # fmt: skip


def spec(flow: str, sizes: str) -> str:
    return f"arch small {{\n  input x: {sizes}\n  y = x -> {flow}\n  return y\n}}\n"


def small(flow: str, sizes: str) -> tuple[Graph, Total]:
    graph = build(Program(Source("small.arch", spec(flow, sizes))), "small")
    return graph, check(graph, settled=True)


def test_every_standard_block_is_counted() -> None:
    assert {instance.name for instance in INSTANCES} == set(standard_names())


@pytest.mark.parametrize("instance", INSTANCES, ids=str)
def test_a_block_costs_what_the_public_one_costs(instance: Instance) -> None:
    graph, total = small(str(instance), f"{instance.channels}x28x28")
    assert graph.nodes[-1].scope.unit.name == instance.name
    assert (total.params, total.macs) == (instance.params, instance.macs)


@pytest.mark.parametrize("instance", INSTANCES, ids=str)
def test_the_public_one_costs_that(instance: Instance) -> None:
    """The numbers above, counted again where the public implementations are installed."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("torchvision")
    pytest.importorskip("timm")
    module = instance.public.make().eval()
    counted = 0

    def count(layer: Any, inputs: Any, output: Any) -> None:
        nonlocal counted
        taken = layer.in_channels // layer.groups
        counted += output.numel() * taken * layer.weight.shape[2:].numel()

    for layer in module.modules():
        if isinstance(layer, torch.nn.Conv2d):
            layer.register_forward_hook(count)
    with torch.no_grad():
        output = module(torch.zeros(1, instance.channels, 28, 28))
    graph, _ = small(str(instance), f"{instance.channels}x28x28")
    assert tuple(output.shape[1:]) == graph.outputs[0].value.shape
    assert sum(p.numel() for p in module.parameters()) == instance.params
    assert counted == instance.macs


@pytest.mark.parametrize("instance", INSTANCES, ids=str)
def test_a_block_computes_what_the_public_one_computes(instance: Instance) -> None:
    """Equal outputs under the public one's weights, which come in the same order."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("torchvision")
    pytest.importorskip("timm")
    torch.manual_seed(0)
    public = instance.public.make()
    for module in public.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            for tensor in (module.weight.data, module.bias.data, module.running_mean):
                tensor.normal_()
            module.running_var.uniform_(0.5, 2.0)
    ours = archdsl.loads(spec(str(instance), f"{instance.channels}x28x28")).module()
    names, weights = list(ours.state_dict()), list(public.state_dict().values())
    ours.load_state_dict(dict(zip(names, weights, strict=True)))
    x = torch.randn(2, instance.channels, 28, 28, dtype=torch.float64)
    with torch.no_grad():
        expected = public.double().eval()(x)
        torch.testing.assert_close(ours.double().eval()(x), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("sizes", ["32x64", "32x16x16", "32x8x8x8"])
@pytest.mark.parametrize("name", sorted(standard_names()))
def test_a_block_works_in_every_dimension(name: str, sizes: str) -> None:
    arguments = {
        "squeeze_excite": "(8)",
        "fire": "(8, 16)",
        "dense_layer": "",
        "ghost_bottleneck": "(32, 64)",
    }
    graph, _ = small(name + arguments.get(name, "(32)"), sizes)
    assert len(graph.outputs[0].value.shape) == sizes.count("x") + 1


@pytest.mark.parametrize(
    ("units", "e", "params"),
    [
        (3, 1, 34906), (3, 3, 95642), (3, 6, 186746), (3, 9, 277850),
        (9, 1, 102106), (9, 3, 294554), (9, 6, 583226), (9, 9, 871898),
        (18, 1, 202906), (18, 3, 592922), (18, 6, 1177946), (18, 9, 1762970),
    ],
)  # fmt: skip
def test_shift_resnets_have_the_published_sizes(units: int, e: int, params: int) -> None:
    """ShiftResNet-20, 56 and 110 for CIFAR-10. Wu et al., CVPR 2018: 0.03 M to 1.76 M."""
    text = f"""
        arch shift_resnet {{
          input image: 3x32x32
          stem = image -> conv(16, k=3) -> bn -> relu
          body = stem -> stages(e={e}) {{
            block            c   s  n
            conv_shift_conv  16  1  {units}
            conv_shift_conv  32  2  {units}
            conv_shift_conv  64  2  {units}
          }}
          return body -> global_pool -> linear(10)
        }}
    """
    graph = build(Program(Source("shift_resnet.arch", text)), "shift_resnet")
    assert check(graph, settled=True).params == params
