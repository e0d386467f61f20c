"""The published networks: what their specs are, what they cost, and the implementation they are.

Numbers were counted on torchvision 0.29.1 and timm 1.0.31 (multiply-accumulates of convolutions and
matrices), for ShiftResNet and NAS-FPN by hand from the papers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import timm
import torchvision
from timm.models.efficientnet import _gen_mobilenet_v1
from timm.models.resnet import Bottleneck, ResNet
from torch import nn
from torchvision.models import resnet

from tests import references


class Published(NamedTuple):
    """A network: the spec, which of its archs and variants, and what it must agree with."""

    title: str
    spec: str
    variant: str | None
    params: int
    macs: int | None
    """For one sample of the spec's size; none where nobody published or counted them."""
    source: str
    """Where the implementation comes from that it is compared with."""
    make: Callable[[], nn.Module]
    sizes: tuple[int, ...] = (64,)
    """Height and width of each input in comparisons: any shows the same, a small one sooner."""
    arch: str | None = None
    settings: dict[str, str] = {}
    """Parameters, as the command line takes them."""

    def __str__(self) -> str:
        settings = "".join(f"-{name}={value}" for name, value in self.settings.items())
        return f"{self.spec}-{self.arch or self.variant or ''}".rstrip("-") + settings


def tv(name: str, **options: Any) -> dict[str, Any]:
    """A model of torchvision."""
    make = lambda: torchvision.models.get_model(name, weights=None, **options)  # noqa: E731
    told = "".join(f", `{option}={value}`" for option, value in options.items())
    return {"source": f"torchvision `{name}`{told}", "make": make}


def from_timm(name: str) -> dict[str, Any]:
    """A model of timm."""
    make = lambda: timm.create_model(name, pretrained=False)  # noqa: E731
    return {"source": f"timm `{name}`", "make": make}


OWN = "our own, after "
"""How the sources begin that nobody else wrote."""


def paper(text: str, make: Callable[[], nn.Module]) -> dict[str, Any]:
    """A model of `tests/references.py`, written from the paper."""
    return {"source": OWN + text, "make": make}


def _mobilenet_v1(width: float) -> dict[str, Any]:
    """timm has names for the wide ones alone."""
    make = lambda: _gen_mobilenet_v1("mobilenetv1_100", width)  # noqa: E731
    return {"source": f"timm `mobilenetv1_100`, `channel_multiplier={width}`", "make": make}


def _with_relu6() -> nn.Module:
    model = torchvision.models.mnasnet1_0(weights=None)
    for module in model.modules():
        for name, part in list(module.named_children()):
            if isinstance(part, nn.ReLU):
                setattr(module, name, nn.ReLU6())
    return model


def _resnext(n: tuple[int, int, int, int]) -> dict[str, Any]:
    """torchvision's network for small images: a 3x3 stem, and the first 1x1 convolution of each
    block in as many groups as its 3x3 one."""

    def make() -> nn.Module:
        model = resnet.ResNet(resnet.Bottleneck, [*n], 100, groups=32, width_per_group=4)
        model.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
        model.maxpool = nn.Identity()  # type: ignore[assignment]
        for block in model.modules():
            if isinstance(block, resnet.Bottleneck):
                old = block.conv1
                block.conv1 = nn.Conv2d(old.in_channels, old.out_channels, 1, groups=32, bias=False)
        return model

    return {
        "source": "torchvision `ResNet` with its `Bottleneck`, stem and groups changed",
        "make": make,
    }


_EFFICIENTNET = [
    ("b0", 5_288_548, 385_814_752), ("b1", 7_794_184, 686_802_832),
    ("b2", 9_109_994, 993_561_872), ("b3", 12_233_232, 1_827_141_392),
    ("b4", 19_341_616, 4_393_771_024), ("b5", 30_389_784, 10_266_384_752),
    ("b6", 43_040_704, 19_067_593_536), ("b7", 66_347_960, 37_745_884_192),
]  # fmt: skip

_SHIFT = {
    (20, 3): (34_906, 95_642, 186_746, 277_850),
    (56, 9): (102_106, 294_554, 583_226, 871_898),
    (110, 18): (202_906, 592_922, 1_177_946, 1_762_970),
}

NETWORKS = [
    *(
        Published(
            f"MnasNet-A1 x{width}", "mnasnet_a1", f"mnasnet_a1_{name}", params, macs,
            **from_timm(f"semnasnet_{name}"),
        )
        for width, name, params, macs in (
            (0.5, "050", 2_082_006, 103_162_992),
            (0.75, "075", 2_912_278, 223_448_480),
            (1.0, "100", 3_887_038, 311_579_072),
            (1.4, "140", 6_105_992, 586_317_952),
        )
    ),
    *(
        Published(
            f"MnasNet-B1 x{width}", "mnasnet_b1", f"mnasnet_b1_{name}", params, macs,
            **tv(f"mnasnet{str(width).replace('.', '_')}"),
        )
        for width, name, params, macs in (
            (0.5, "050", 2_218_512, 104_455_968),
            (0.75, "075", 3_170_208, 215_493_104),
            (1.0, "100", 4_383_312, 314_415_872),
            (1.3, "130", 6_282_256, 526_362_432),
        )
    ),
    Published(
        "MnasNet-B1 with ReLU6", "mnasnet_b1", None, 4_383_312, 314_415_872,
        "torchvision `mnasnet1_0` with `ReLU6`", _with_relu6, settings={"act": "relu6"},
    ),
    Published(
        "MnasNet-small", "mnasnet_small", None, 2_030_264, 68_339_184, **from_timm("mnasnet_small")
    ),
    Published(
        "MnasNet of tutorials", "mnasnet_tutorial", None, 8_555_002, None,
        **paper("its description", references.TutorialMnasNet), arch="mnasnet_tutorial",
    ),
    Published(
        "MnasNet of tutorials, 1-D", "mnasnet_tutorial", None, 8_079_130, None,
        **paper("its description", lambda: references.TutorialMnasNet(1, 1)),
        arch="mnasnet_tutorial_1d",
    ),
    *(
        Published(
            f"MobileNetV1 x{width}", "mobilenet_v1", f"mobilenet_v1_{name}", params, macs,
            **_mobilenet_v1(width),
        )
        for width, name, params, macs in (
            (0.25, "025", 470_072, 41_030_272),
            (0.5, "050", 1_331_592, 149_497_088),
            (0.75, "075", 2_585_560, 325_400_448),
            (1.0, "100", 4_231_976, 568_740_352),
        )
    ),
    Published(
        "MobileNetV1 x1.25", "mobilenet_v1", None, 6_270_840, 879_516_800,
        **from_timm("mobilenetv1_125"), settings={"width": "1.25"},
    ),
    Published(
        "MobileNetV2 x1.0", "mobilenet_v2", "mobilenet_v2_100", 3_504_872, 300_774_272,
        **tv("mobilenet_v2"),
    ),
    *(
        Published(
            f"MobileNetV2 x{width}", "mobilenet_v2", f"mobilenet_v2_{name}", params, macs,
            **from_timm(f"mobilenetv2_{name}"),
        )
        for width, name, params, macs in (
            (0.35, "035", 1_677_128, 59_285_808),
            (0.5, "050", 1_968_680, 97_131_840),
            (0.75, "075", 2_636_424, 209_069_792),
            (1.4, "140", 6_108_776, 582_195_824),
        )
    ),
    Published(
        "MobileNetV2 x1.3", "mobilenet_v2", None, 5_386_792, 509_374_560,
        **tv("mobilenet_v2", width_mult=1.3), settings={"width": "1.3"},
    ),
    *(
        Published(
            f"EfficientNet-{name.upper()}", "efficientnet", name, params, macs,
            **tv(f"efficientnet_{name}"),
        )
        for name, params, macs in _EFFICIENTNET
    ),
    Published(
        "SqueezeNet 1.0", "squeezenet1_0", None, 1_248_424, 818_924_576, **tv("squeezenet1_0")
    ),
    Published(
        "SqueezeNet 1.1", "squeezenet1_1", None, 1_235_496, 349_151_936, **tv("squeezenet1_1")
    ),
    Published("ResNet-50", "resnet50", "resnet50", 25_557_032, 4_089_184_256, **tv("resnet50")),
    Published("ResNet-101", "resnet50", "resnet101", 44_549_160, 7_801_405_440, **tv("resnet101")),
    Published("ResNet-152", "resnet50", "resnet152", 60_192_808, 11_513_626_624, **tv("resnet152")),
    Published(
        "ResNeXt-50 32x4d", "resnext50", "resnext50_32x4d", 25_028_904, 4_230_479_872,
        **tv("resnext50_32x4d"),
    ),
    Published(
        "ResNeXt-101 32x4d", "resnext50", "resnext101_32x4d", 44_177_704, 7_969_996_800,
        **from_timm("resnext101_32x4d"),
    ),
    Published(
        "ResNeXt-101 32x8d", "resnext50", "resnext101_32x8d", 88_791_336, 16_414_015_488,
        **tv("resnext101_32x8d"),
    ),
    Published(
        "ResNeXt-101 64x4d", "resnext50", "resnext101_64x4d", 83_455_272, 15_460_270_080,
        **tv("resnext101_64x4d"),
    ),
    Published(
        "ResNeXt-152 32x4d", "resnext50", "resnext152_32x4d", 59_951_400, 11_709_513_728,
        "timm `ResNet`",
        lambda: ResNet(Bottleneck, (3, 8, 36, 3), cardinality=32, base_width=4),
    ),
    Published(
        "SE-ResNeXt-50 32x4d", "resnext50", "seresnext50_32x4d", 27_559_896, 4_232_994_816,
        **from_timm("seresnext50_32x4d"),
    ),
    Published(
        "ResNeXt-50 for CIFAR", "resnext_cifar", "resnext50_32x4d", 14_788_772, None,
        **_resnext((3, 4, 6, 3)), sizes=(32,),
    ),
    Published(
        "ResNeXt-101 for CIFAR", "resnext_cifar", "resnext101_32x4d", 25_303_204, None,
        **_resnext((3, 4, 23, 3)), sizes=(32,),
    ),
    Published(
        "ResNeXt-152 for CIFAR", "resnext_cifar", "resnext152_32x4d", 33_343_652, None,
        **_resnext((3, 4, 36, 3)), sizes=(32,),
    ),
    Published(
        "ResNeXt block, form (c)", "resnext_forms", "c", 71_168, None,
        "torchvision `Bottleneck`, `groups=32`, `base_width=4`",
        lambda: resnet.Bottleneck(256, 64, groups=32, base_width=4), sizes=(14,),
    ),
    Published(
        "DenseNet-121", "densenet121", None, 7_978_856, 2_834_161_664, **tv("densenet121")
    ),
    Published(
        "Xception", "xception", None, 22_855_952, 8_357_403_496, **from_timm("legacy_xception"),
        sizes=(75,),
    ),
    *(
        Published(
            f"ShiftResNet-{depth}, expansion {e}", "shiftresnet", f"shiftresnet{depth}_e{e}",
            params, None, OWN + "Wu et al., CVPR 2018",
            lambda n=n, e=e: references.ShiftResNet(n, e),  # type: ignore[misc]
            sizes=(32,),
        )
        for (depth, n), counts in _SHIFT.items()
        for e, params in zip((1, 3, 6, 9), counts, strict=True)
    ),
    Published(
        "NAS-FPN neck", "nas_fpn", None, 29_977_600, None,
        **paper("Ghiasi et al., CVPR 2019, figure 6", references.NasFpn),
        sizes=(32, 16, 8), arch="nas_fpn",
    ),
    Published(
        "NAS-FPN over ResNet-50", "nas_fpn", None, 23_508_032 + 29_977_600, None,
        **paper("Ghiasi et al., figure 6, over torchvision `resnet50`", references.NasFpnResNet50),
        sizes=(256,), arch="nas_fpn_resnet50",
    ),
]  # fmt: skip
