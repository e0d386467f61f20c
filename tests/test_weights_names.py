"""Checkpoints of one network under other names: exactly right, or asked about; never wrong."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import timm
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from timm.models._efficientnet_builder import decode_arch_def
from timm.models._manipulate import adapt_input_conv
from timm.models.efficientnet import EfficientNet
from torch import nn

import archdsl
from archdsl.diagnostics import errors
from archdsl.diagnostics.diagnostic import DiagnosticError
from archdsl.weights import convert
from tests.conftest import ROOT

# Consistent renamings

NETWORKS = [
    # a decoder of one width, a U-Net, branches in blocks in blocks, residual blocks
    """
    arch net {
      input x: 8x4x4
      d4 = x -> conv(8, k=3) -> bn -> relu
      d3 = d4 -> conv(8, k=3) -> bn -> relu
      d2 = d3 -> conv(8, k=3) -> bn -> relu
      d1 = d2 -> conv(8, k=3) -> bn -> relu
      return d1
    }
    """,
    """
    block double(c) { return x -> conv(c, k=3) -> bn -> relu -> conv(c, k=3) -> bn -> relu }
    arch net {
      input x: 3x16x16
      enc1 = x -> double(8)
      enc2 = enc1 -> max_pool(2) -> double(8)
      enc3 = enc2 -> max_pool(2) -> double(8)
      up2  = enc3 -> resize(scale=2) -> conv(8)
      dec2 = concat(up2, enc2) -> double(8)
      up1  = dec2 -> resize(scale=2) -> conv(8)
      dec1 = concat(up1, enc1) -> double(8)
      return dec1 -> conv(2)
    }
    """,
    """
    block unit(c, k) { return x -> conv(c, k=k) -> bn -> relu }
    block mixed(a, b) {
      one = x -> unit(a, k=1)
      two = x -> unit(8, k=1) -> unit(b, k=3)
      six = x -> unit(8, k=1) -> unit(8, k=3)
      return concat(one, two, six)
    }
    arch net {
      input x: 8x8x8
      i3a = x -> mixed(8, 8)
      i3b = i3a -> mixed(8, 16)
      i4a = i3b -> mixed(16, 8)
      return i4a
    }
    """,
    """
    block res(c, s=1) {
      main = x -> conv(c, k=3, s=s) -> bn -> relu -> conv(c, k=3) -> bn
      skip = x -> conv(c, s=s) -> bn  if s != 1 or x.c != c
      return main + skip -> relu
    }
    arch net {
      input x: 3x8x8
      stem = x -> conv(8, k=3) -> bn -> relu
      body = stem -> stages {
        block  c   n  s
        res    8   3  1
        res    16  2  2
      }
      return body
    }
    """,
]
LOADED = [archdsl.loads(text) for text in NETWORKS]
SPEC = ROOT / "specs" / "resnet50.arch"
WORDS = [a + b for a in "ka lo mi ne pu ra so".split() for b in "dem fir gus hon".split()]
STYLES = ["up", "down", "offset", "letters", "words", "same"]


def renamed(names: list[str], choose: random.Random) -> dict[str, str]:
    """Other names, level by level: members of one family and of one parent by one rule. Numbers
    that are names by themselves keep their order, as lists do."""
    words = list(WORDS)
    choose.shuffle(words)
    rules: dict[tuple[str, str], tuple[str, str]] = {}
    children: dict[str, list[str]] = {}
    for name in names:
        path = name.split(".")[:-1]
        for depth, piece in enumerate(path):
            parent = ".".join(path[:depth])
            if piece not in children.setdefault(parent, []):
                children[parent].append(piece)
    found = {}
    for name in names:
        *path, role = name.split(".")
        other = []
        for depth, piece in enumerate(path):
            parent = ".".join(path[:depth])
            place = re.sub(r"\d+[a-z]?", "#", parent)
            word = re.sub(r"\d+[a-z]?$", "", piece)
            family = [p for p in children[parent] if re.sub(r"\d+[a-z]?$", "", p) == word]
            key = (place, word)
            if key not in rules:
                rules[key] = (choose.choice(STYLES), words.pop())
            style, new = rules[key]
            at = family.index(piece)
            if not word:
                other.append(str(at + (3 if style == "offset" else 0)))
            elif style == "same":
                other.append(piece)
            elif len(family) == 1 or style == "words":
                other.append(new + "xyzuvw"[at] * (len(family) > 1))
            elif style == "letters":
                other.append(f"{new}{at // 2 + 1}{'ab'[at % 2]}")
            else:
                number = (
                    len(family) - at if style == "down" else at + (4 if style == "offset" else 1)
                )
                other.append(f"{new}{number}")
        found[name] = ".".join([*other, role])
    return found


@given(st.integers(0, len(NETWORKS) - 1), st.integers(0, 2**32))
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
def test_renamed_consistently(which: int, seed: int) -> None:
    choose = random.Random(seed)
    network = LOADED[which]
    shapes = convert(network, network.module().state_dict()).shapes
    truth = renamed(list(shapes), choose)
    if len(set(truth.values())) < len(truth):
        return
    wrapper = choose.choice(["", "module.", "net.body."])
    order = list(shapes)
    shuffle = choose.choice(["defined", "sorted", "shuffled"])
    if shuffle == "sorted":
        order.sort(key=truth.__getitem__)
    elif shuffle == "shuffled":
        choose.shuffle(order)
    numbers = np.random.default_rng(seed)
    given = {name: numbers.integers(1, 2**20, shapes[name]).astype(np.float32) for name in shapes}
    state = {wrapper + truth[name]: given[name] for name in order}
    expected = {wrapper + theirs: ours for ours, theirs in truth.items()}
    layers = {theirs.rpartition(".")[0]: o.rpartition(".")[0] for theirs, o in expected.items()}
    for options in ({}, {"map": layers}):
        try:
            found = convert(network, state, **options)
        except DiagnosticError as problem:
            kinds = {type(p) for p in problem.diagnostics}
            assert not options and kinds <= {
                errors.Ambiguous, errors.OrderDiffers, errors.TooManyReadings
            }  # fmt: skip
        else:
            assert found.mapping == expected, (NETWORKS[which], shuffle)
            assert all(np.array_equal(found.tensors[name], given[name]) for name in given)


# Networks whose blocks have parts of equal shapes

GOOGLENET = """
block unit(c, k=1, s=1) { return x -> conv(c, k=k, s=s) -> bn(eps=0.001) -> relu }
block inception(c1, r3, c3, r5, c5, pooled) {
  b1 = x -> unit(c1)
  b2 = x -> unit(r3) -> unit(c3, k=3)
  b3 = x -> unit(r5) -> unit(c5, k=3)
  b4 = x -> max_pool(3, s=1, p=1) -> unit(pooled)
  return concat(b1, b2, b3, b4)
}
arch googlenet {
  input x: 3x64x64
  stem = x -> unit(64, k=7, s=2) -> max_pool(3, s=2, ceil=true, p=0)
    -> unit(64) -> unit(192, k=3) -> max_pool(3, s=2, ceil=true, p=0)
  i3a = stem -> inception(64, 96, 128, 16, 32, 32)
  i3b = i3a -> inception(128, 128, 192, 32, 96, 64) -> max_pool(3, s=2, ceil=true, p=0)
  i4a = i3b -> inception(192, 96, 208, 16, 48, 64)
  i4b = i4a -> inception(160, 112, 224, 24, 64, 64)
  i4c = i4b -> inception(128, 128, 256, 24, 64, 64)
  i4d = i4c -> inception(112, 144, 288, 32, 64, 64)
  i4e = i4d -> inception(256, 160, 320, 32, 128, 128) -> max_pool(2, s=2, ceil=true)
  i5a = i4e -> inception(256, 160, 320, 32, 128, 128)
  i5b = i5a -> inception(384, 192, 384, 48, 128, 128)
  return i5b -> global_pool -> linear(1000)
}
"""


RES2NET = """
block first(w, c, s=1) {
  parts = x -> conv(4 * w) -> bn -> relu -> split(4)
  mixed = []
  repeat i in 0..3 {
    y     = parts[i] -> conv(w, k=3, s=s) -> bn -> relu
    mixed = mixed + [y]
  }
  rest = parts[3] -> avg_pool(3, s=s, p=1, count_include_pad=true)
  main = concat(mixed + [rest]) -> conv(c) -> bn
  skip = x -> conv(c, s=s) -> bn
  return main + skip -> relu
}
block later(w, c) {
  parts = x -> conv(4 * w) -> bn -> relu -> split(4)
  y0 = parts[0] -> conv(w, k=3) -> bn -> relu
  y1 = y0 + parts[1] -> conv(w, k=3) -> bn -> relu
  y2 = y1 + parts[2] -> conv(w, k=3) -> bn -> relu
  main = concat(y0, y1, y2, parts[3]) -> conv(c) -> bn
  return main + x -> relu
}
arch res2net50 {
  input x: 3x64x64
  stem = x -> conv(64, k=7, s=2) -> bn -> relu -> max_pool(3, s=2, p=1)
  c2 = stem -> first(26, 256) -> later(26, 256) -> later(26, 256)
  c3 = c2 -> first(52, 512, s=2) -> later(52, 512) -> later(52, 512) -> later(52, 512)
  c4 = c3 -> first(104, 1024, s=2) -> later(104, 1024) -> later(104, 1024)
    -> later(104, 1024) -> later(104, 1024) -> later(104, 1024)
  c5 = c4 -> first(208, 2048, s=2) -> later(208, 2048) -> later(208, 2048)
  return c5 -> global_pool -> linear(1000)
}
"""

MIXNET = """
block pointwise(c) {
  halves = x -> split(2)
  joined = []
  repeat i in 0..2 {
    part   = halves[i] -> conv(c / 2)
    joined = joined + [part]
  }
  return concat(joined)
}
block depthwise(kernels, s=1) {
  parts = x -> split(len(kernels))
  mixed = []
  repeat i in 0..len(kernels) {
    part  = parts[i] -> conv(parts[i].c, k=kernels[i], s=s, groups=parts[i].c)
    mixed = mixed + [part]
  }
  return concat(mixed)
}
block inverted(c, e, kernels, s=1) {
  return x -> pointwise(x.c * e) -> bn -> relu -> depthwise(kernels, s=s) -> bn -> relu
    -> pointwise(c) -> bn
}
block kept(e, kernels) {
  main = x -> inverted(x.c, e, kernels)
  return main + x
}
arch mixnet {
  input x: 3x64x64
  stem = x -> conv(16, k=3, s=2) -> bn -> relu
  b0 = stem -> conv(16, k=3, groups=16) -> bn -> relu -> conv(24) -> bn
  b1 = b0 -> inverted(24, 2, [3, 5], s=2) -> kept(2, [3, 5]) -> kept(2, [3, 5])
  b2 = b1 -> inverted(24, 2, [3, 5, 7], s=2) -> kept(4, [3, 5])
  head = b2 -> conv(64) -> bn -> relu
  return head -> global_pool -> linear(10)
}
"""


def res2net() -> nn.Module:
    model: nn.Module = timm.create_model("res2net50_26w_4s", pretrained=False)
    return model


def mixnet() -> nn.Module:
    """timm's own blocks of its MixNets, fewer and narrower."""
    rows = [
        ["ds_r1_k3_s1_e1_c24_noskip"],
        ["ir_r1_k3.5_a1.1_p1.1_s2_e2_c24", "ir_r2_k3.5_a1.1_p1.1_s1_e2_c24"],
        ["ir_r1_k3.5.7_a1.1_p1.1_s2_e2_c24", "ir_r1_k3.5_a1.1_p1.1_s1_e4_c24"],
    ]
    model: nn.Module = EfficientNet(
        decode_arch_def(rows), num_classes=10, num_features=64, stem_size=16, fix_stem=True
    )
    return model


def drawn(model: nn.Module) -> nn.Module:
    torch.manual_seed(1)
    for name, tensor in model.state_dict().items():
        if tensor.is_floating_point():
            tensor.uniform_(0.5, 1.5) if name.endswith("var") else tensor.normal_(0, 0.05)
    return model.eval()


def asked_once(network: archdsl.Network, state: dict[str, Any]) -> Any:
    """What is found, after one question at most, whose proposals are taken as they are."""
    try:
        return convert(network, state)
    except DiagnosticError as problem:
        (found,) = problem.diagnostics
        assert isinstance(found, errors.Ambiguous), str(found)
        lines = re.findall(r"^ *(\S+) -> (\S+)", found.values["lines"], re.M)
        assert len(lines) == found.values["count"]
        return convert(network, state, map=dict(lines))


def agrees(network: archdsl.Network, found: Any, model: nn.Module, size: int) -> None:
    module = network.module()
    module.load_state_dict({k: torch.from_numpy(v) for k, v in found.tensors.items()}, strict=True)
    x = torch.randn(2, 3, size, size, dtype=torch.float64)
    with torch.no_grad():
        mine, other = module.eval().double()(x), model.double()(x)
    assert torch.allclose(mine, other, rtol=1e-8, atol=1e-9 * float(other.abs().max()))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("order", ["defined", "sorted"])
def test_googlenet(order: str) -> None:
    import torchvision

    model = drawn(
        torchvision.models.googlenet(
            weights=None, aux_logits=False, init_weights=False, transform_input=False
        )
    )
    state = dict(model.state_dict())
    if order == "sorted":
        state = dict(sorted(state.items()))
    network = archdsl.loads(GOOGLENET)
    agrees(network, asked_once(network, state), model, 64)


@pytest.mark.parametrize("order", ["defined", "sorted", "shuffled"])
@pytest.mark.parametrize("text, make", [(RES2NET, res2net), (MIXNET, mixnet)])
def test_lists_of_equal_layers(text: str, make: Callable[[], nn.Module], order: str) -> None:
    """`convs.0` to `convs.2` and `conv_pw.0`, `conv_pw.1`, in branches side by side."""
    model = drawn(make())
    names = list(model.state_dict())
    if order == "sorted":
        names.sort()
    elif order == "shuffled":
        random.Random(1).shuffle(names)
    state = {name: model.state_dict()[name] for name in names}
    network = archdsl.loads(text)
    agrees(network, asked_once(network, state), model, 64)


# First layers for other channels


@pytest.mark.parametrize("stem", ["conv_stem", "features.0", "patch.proj.conv"])
@pytest.mark.parametrize("count", [1, 4, 5, 7])
@pytest.mark.parametrize("way", ["sum", "repeat", "mean"])
def test_channels(way: str, count: int, stem: str) -> None:
    network = archdsl.loads(
        f"arch net {{\n  input x: {count}x8x8\n  return x -> conv(6, k=3, bias=true) -> bn\n}}"
    )
    weight = torch.randn(6, 3, 3, 3)
    state = {
        f"{stem}.weight": weight, f"{stem}.bias": torch.randn(6), "norm.weight": torch.ones(6),
        "norm.bias": torch.ones(6), "norm.running_mean": torch.ones(6),
        "norm.running_var": torch.ones(6),
    }  # fmt: skip
    with pytest.raises(DiagnosticError):
        convert(network, state)
    tensors = convert(network, state, input_channels=way).tensors
    (found,) = (torch.from_numpy(x) for x in tensors.values() if x.ndim == 4)
    expected = {
        "sum": weight.sum(1, keepdim=True).expand(-1, count, -1, -1) / count,
        "repeat": torch.stack([weight[:, i % 3] for i in range(count)], 1) * 3 / count,
        "mean": torch.cat([weight, *[weight.mean(1, keepdim=True)] * (count - 3)], 1)
        if count > 3 else weight.mean(1, keepdim=True).expand(-1, count, -1, -1),
    }[way]  # fmt: skip
    assert torch.allclose(found, expected, atol=1e-6)
    if way == ("sum" if count == 1 else "repeat"):
        assert torch.allclose(found, adapt_input_conv(count, weight), atol=1e-6)


@pytest.mark.parametrize("count", [1, 5])
def test_channels_of_a_public_network(count: int) -> None:
    """As timm adapts its own weights; all else stays as it is."""
    model = drawn(timm.create_model("resnet50", pretrained=False, num_classes=10))
    state = model.state_dict()
    text = SPEC.read_text().replace("3x224x224", f"{count}x224x224")
    network = archdsl.loads(text, num_classes=10)
    way = "sum" if count == 1 else "repeat"
    found = convert(network, state, input_channels=way)
    assert not found.fresh and not found.unused
    module = network.module()
    module.load_state_dict({k: torch.from_numpy(v) for k, v in found.tensors.items()})
    other = timm.create_model("resnet50", pretrained=False, num_classes=10, in_chans=count)
    other.load_state_dict({**state, "conv1.weight": adapt_input_conv(count, state["conv1.weight"])})
    x = torch.randn(1, count, 32, 32)
    with torch.no_grad():
        assert torch.allclose(module.eval()(x), other.eval()(x), rtol=1e-3, atol=1e-4)
    same = convert(archdsl.load("resnet50", num_classes=10), state, input_channels=way)
    assert np.array_equal(same.tensors["stem.0.weight"], state["conv1.weight"].numpy())
