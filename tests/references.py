"""Networks that no package has, in plain PyTorch: written from the papers, not from the specs."""

from __future__ import annotations

from collections import OrderedDict

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn


def _conv_bn(inputs: int, outputs: int, k: int = 1, s: int = 1, groups: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, k, s, k // 2, groups=groups, bias=False)
    return nn.Sequential(OrderedDict(conv=conv, bn=nn.BatchNorm2d(outputs)))


class TutorialMnasNet(nn.Module):
    """The rows of MnasNet-A1 as tutorials build them, on images or on signals.

    All convolutions have a bias; the k x k ones of MBConv as many groups as the block has inputs;
    squeeze-excite is two square linear layers.
    """

    ROWS = (
        (3, 24, 2, 2, False, 6), (5, 40, 3, 2, True, 3), (3, 80, 4, 2, False, 6),
        (3, 112, 2, 1, True, 6), (5, 160, 3, 2, True, 6), (3, 320, 1, 1, False, 6),
    )  # fmt: skip

    def __init__(self, channels: int = 3, rank: int = 2, num_classes: int = 10) -> None:
        super().__init__()
        conv = (nn.Conv1d, nn.Conv2d)[rank - 1]
        bn = (nn.BatchNorm1d, nn.BatchNorm2d)[rank - 1]
        self.axes = tuple(range(2, 2 + rank))

        def unit(inputs: int, outputs: int, k: int, s: int = 1, groups: int = 1) -> nn.Sequential:
            return nn.Sequential(conv(inputs, outputs, k, s, k // 2, groups=groups), bn(outputs))

        class MBConv(nn.Module):
            def __init__(self, inputs: int, k: int, c: int, s: int, se: bool, e: int) -> None:
                super().__init__()
                self.residual = s == 1 and inputs == c
                self.expand = unit(inputs, e * inputs, 1)
                self.conv = unit(e * inputs, e * inputs, k, s, inputs)
                width = e * inputs
                if se:
                    self.squeeze = nn.Linear(width, width)
                    self.excite = nn.Linear(width, width)
                self.project = unit(width, c, 1)

            def forward(self, x: Tensor) -> Tensor:
                y = F.relu(self.conv(F.relu(self.expand(x))))
                if hasattr(self, "squeeze"):
                    gate = self.excite(F.relu(self.squeeze(y.flatten(2).mean(2))))
                    y = y * F.hardsigmoid(gate).view(*gate.shape, *[1] * rank)
                y = self.project(y)
                return x + y if self.residual else y

        self.stem = unit(channels, 32, 3, 2)
        self.depthwise = unit(32, 32, 3, 1, 32)
        self.pointwise = unit(32, 16, 1)
        inputs, blocks = 16, []
        for k, c, n, s, se, e in self.ROWS:
            for i in range(n):
                blocks.append(MBConv(inputs, k, c, s if not i else 1, se, e))
                inputs = c
        self.blocks = nn.Sequential(*blocks)
        self.fc1 = nn.Linear(320, 160)
        self.fc2 = nn.Linear(160, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pointwise(F.relu(self.depthwise(self.stem(x))))
        return self.fc2(F.relu(self.fc1(self.blocks(x).mean(self.axes))))


def shifted(x: Tensor, k: int = 3) -> Tensor:
    """Channel i reads from (i mod k - k//2, i//k mod k - k//2) away; the last C mod k^2 stay.

    Wu et al., CVPR 2018, section 2.
    """
    r = k // 2
    height, width = x.shape[2:]
    wide = F.pad(x, (r, r, r, r))
    planes = []
    for i in range(x.shape[1]):
        dx, dy = (i % k - r, i // k % k - r) if i < x.shape[1] // k**2 * k**2 else (0, 0)
        planes.append(wide[:, i, r + dy : r + dy + height, r + dx : r + dx + width])
    return torch.stack(planes, 1)


class ShiftResNet(nn.Module):
    """ShiftResNet for CIFAR-10. Wu et al., CVPR 2018."""

    class Block(nn.Module):
        def __init__(self, inputs: int, c: int, s: int, e: int) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(inputs, e * c, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(e * c)
            self.conv2 = nn.Conv2d(e * c, c, 1, s, bias=False)
            self.bn2 = nn.BatchNorm2d(c)
            self.shortcut = _conv_bn(inputs, c, 1, s) if s != 1 or inputs != c else nn.Identity()

        def forward(self, x: Tensor) -> Tensor:
            y = shifted(F.relu(self.bn1(self.conv1(x))))
            return F.relu(self.bn2(self.conv2(y)) + self.shortcut(x))

    def __init__(self, n: int, e: int, num_classes: int = 10) -> None:
        super().__init__()
        self.stem = _conv_bn(3, 16, 3)
        blocks, inputs = [], 16
        for i, c in enumerate((16, 32, 64)):
            for j in range(n):
                blocks.append(self.Block(inputs, c, 2 if i and not j else 1, e))
                inputs = c
        self.blocks = nn.Sequential(*blocks)
        self.fc = nn.Linear(64, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.blocks(F.relu(self.stem(x))).mean((2, 3)))


class NasFpn(nn.Module):
    """The merging cells of NAS-FPN. Ghiasi et al., CVPR 2019, figure 6."""

    class Stack(nn.Module):
        def __init__(self, channels: int) -> None:
            super().__init__()
            self.convs = nn.ModuleList([_conv_bn(channels, channels, 3) for _ in range(7)])

        def forward(self, levels: list[Tensor]) -> list[Tensor]:
            p3, p4, p5, p6, p7 = levels
            convs = iter(self.convs)

            def end(x: Tensor) -> Tensor:
                return next(convs)(F.relu(x))

            t4 = end(_gp(p6, p4, p4))
            t4 = end(_sum(t4, p4, p4))
            p3 = end(_sum(t4, p3, p3))
            p4 = end(_sum(p3, t4, p4))
            p5 = end(_sum(p5, _gp(p4, p3, p5), p5))
            p7 = end(_sum(p7, _gp(p5, t4, p7), p7))
            p6 = end(_gp(p7, p5, p6))
            return [p3, p4, p5, p6, p7]

    def __init__(self, inputs: tuple[int, ...] = (512, 1024, 2048), channels: int = 256) -> None:
        super().__init__()
        self.laterals = nn.ModuleList([_conv_bn(c, channels) for c in inputs])
        self.down6 = _conv_bn(channels, channels)
        self.down7 = _conv_bn(channels, channels)
        self.stacks = nn.ModuleList([self.Stack(channels) for _ in range(7)])

    def forward(self, *maps: Tensor) -> list[Tensor]:
        levels = [lateral(x) for lateral, x in zip(self.laterals, maps, strict=True)]
        levels.append(F.max_pool2d(self.down6(levels[-1]), 2))
        levels.append(F.max_pool2d(self.down7(levels[-1]), 2))
        for stack in self.stacks:
            levels = stack(levels)
        return levels


def _at(x: Tensor, like: Tensor) -> Tensor:
    ratio = x.shape[2] // like.shape[2]
    return F.max_pool2d(x, ratio) if ratio > 1 else F.interpolate(x, like.shape[2:])


def _sum(a: Tensor, b: Tensor, like: Tensor) -> Tensor:
    return _at(a, like) + _at(b, like)


def _gp(a: Tensor, b: Tensor, like: Tensor) -> Tensor:
    a, b = _at(a, like), _at(b, like)
    return b + torch.sigmoid(b.mean((2, 3), keepdim=True)) * a


class NasFpnResNet50(nn.Module):
    """NAS-FPN over torchvision's ResNet-50."""

    def __init__(self) -> None:
        super().__init__()
        from torchvision.models import resnet50

        body = resnet50()
        del body.fc
        self.body = body
        self.neck = NasFpn()

    def forward(self, x: Tensor) -> list[Tensor]:
        body = self.body
        c2 = body.layer1(body.maxpool(F.relu(body.bn1(body.conv1(x)))))
        c3 = body.layer2(c2)
        c4 = body.layer3(c3)
        return self.neck(c3, c4, body.layer4(c4))
