"""`archdsl weights convert`: public checkpoints give equal outputs, and nothing is ever guessed."""

from __future__ import annotations

import os
import random
import re
from collections import OrderedDict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import timm
import torch
import torchvision
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

import archdsl
from archdsl.diagnostics import errors
from archdsl.diagnostics.diagnostic import Diagnostic, DiagnosticError
from archdsl.weights import convert
from tests.conftest import Command
from tests.reference import randomise
from tests.test_onnx_weights import LIES

State = dict[str, Tensor]
Make = Callable[[], nn.Module]


def tv(name: str, **options: Any) -> Make:
    return lambda: torchvision.models.get_model(name, weights=None, **options)


def from_timm(name: str, **options: Any) -> Make:
    return lambda: timm.create_model(name, pretrained=False, **options)


def drawn(make: Make, seed: int = 1) -> nn.Module:
    """A public model, all of its tensors random, running statistics too."""
    torch.manual_seed(seed)
    model = make().eval()
    randomise(model.state_dict())
    return model


def refused(action: Callable[[], object]) -> list[Diagnostic]:
    with pytest.raises(DiagnosticError) as caught:
        action()
    for problem in caught.value.diagnostics:
        assert str(problem)
    return caught.value.diagnostics


def in_order(state: State, names: Iterable[str]) -> State:
    return {name: state[name] for name in names}


def shuffled(state: State, seed: int) -> State:
    names = list(state)
    random.Random(seed).shuffle(names)
    return in_order(state, names)


def loaded(network: archdsl.Network, tensors: dict[str, np.ndarray[Any, Any]]) -> nn.Module:
    module = network.module()
    module.load_state_dict({k: torch.from_numpy(v) for k, v in tensors.items()}, strict=True)
    return module.eval()


def same_outputs(mine: nn.Module, other: nn.Module, size: int, channels: int = 3) -> None:
    x = torch.randn(1, channels, size, size, dtype=torch.float64)
    with torch.no_grad():
        a, b = mine.double()(x), other.double()(x)
    assert a.shape == b.shape and float(b.abs().max()) > 0
    assert float((a - b).abs().max()) <= 1e-9 * float(b.abs().max())


# Public networks, under the names of torchvision and of timm

PUBLIC: list[tuple[str, str | None, Make, int]] = [
    ("mnasnet_a1", None, from_timm("semnasnet_100"), 32),
    ("mnasnet_b1", None, tv("mnasnet1_0"), 32),
    ("mnasnet_b1", None, from_timm("mnasnet_100"), 32),
    ("mnasnet_small", None, from_timm("mnasnet_small"), 32),
    ("mobilenet_v1", None, from_timm("mobilenetv1_100"), 32),
    ("mobilenet_v2", None, tv("mobilenet_v2"), 32),
    ("mobilenet_v2", None, from_timm("mobilenetv2_100"), 32),
    ("mobilenet_v2", "mobilenet_v2_140", from_timm("mobilenetv2_140"), 32),
    ("efficientnet", None, tv("efficientnet_b0"), 32),
    ("efficientnet", None, from_timm("efficientnet_b0"), 32),
    ("squeezenet1_0", None, tv("squeezenet1_0"), 64),
    ("squeezenet1_1", None, tv("squeezenet1_1"), 64),
    ("resnet50", None, tv("resnet50"), 32),
    ("resnet50", None, from_timm("resnet50"), 32),
    ("resnext50", None, tv("resnext50_32x4d"), 32),
    ("resnext50", None, from_timm("resnext50_32x4d"), 32),
    ("resnext50", "seresnext50_32x4d", from_timm("seresnext50_32x4d"), 32),
    ("densenet121", None, tv("densenet121"), 32),
    ("densenet121", None, from_timm("densenet121"), 32),
    ("xception", None, from_timm("legacy_xception"), 75),
]


def _titled(value: object) -> str | None:
    return value if isinstance(value, str) else "" if callable(value) else str(value)


@pytest.mark.parametrize("spec, variant, make, size", PUBLIC, ids=_titled)
def test_public(spec: str, variant: str | None, make: Make, size: int) -> None:
    """Equal outputs; and the same weights from a file without an order, sorted or shuffled."""
    network = archdsl.load(spec, variant=variant)
    model = drawn(make)
    state = model.state_dict()
    found = convert(network, state)
    assert not found.fresh and not found.unused and not found.begun
    tensors = found.tensors
    assert found.mapping.keys() == state.keys()
    for name in (sorted(state), [*shuffled(state, 1)], [*shuffled(state, 2)]):
        assert convert(network, in_order(state, name)).mapping == found.mapping
    same_outputs(loaded(network, tensors), model, size)


TF = """
use "efficientnet.arch"

arch tf_efficientnet(eps=1e-3, momentum=0.01) extends efficientnet {
  default conv(p=same)
}
"""


def test_the_same_weights_with_another_padding() -> None:
    """A checkpoint does not tell how an implementation pads; a spec of two lines does."""
    network = archdsl.loads(TF, variant="b0")
    model = drawn(from_timm("tf_efficientnet_b0"))
    same_outputs(loaded(network, convert(network, model.state_dict()).tensors), model, 33)


# Files

ENDINGS = ["pth", "safetensors", "wrapped.pth", "parallel.pt"]


@pytest.mark.parametrize("ending", ENDINGS)
def test_files(ending: str, tmp_path: Path, command: Command) -> None:
    """From the command line: the mapping is told, torch and ONNX take the result."""
    model = drawn(tv("squeezenet1_1", num_classes=10))
    state: Any = model.state_dict()
    path = tmp_path / f"public.{ending}"
    if ending == "safetensors":
        save_file(state, path)
    elif ending == "wrapped.pth":
        moments = {0: {"momentum_buffer": torch.zeros(3)}}
        torch.save({"epoch": 3, "state_dict": state, "optimizer": {"state": moments}}, path)
    else:
        prefix = "module." if ending == "parallel.pt" else ""
        torch.save(OrderedDict((prefix + k, v) for k, v in state.items()), path)
    chosen = ("squeezenet1_1", "--set", "num_classes=10")
    done = command("weights", "convert", *chosen, path.name, "-o", "mine.safetensors")
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 27
    assert "features.12.expand3x3 -> body.stage6.1.expand3x3.0  # 256x64x3x3 and a bias" in (
        done.stdout.replace("module.", "")
    )
    assert done.stdout.splitlines()[-1] == "# mine.safetensors: 52 tensors"
    network = archdsl.load("squeezenet1_1", num_classes=10)
    mine = network.module().eval()
    mine.load_state_dict(load_file(tmp_path / "mine.safetensors"), strict=True)
    same_outputs(mine, model, 64)
    # The mapping that was printed is a map that says the same.
    (tmp_path / "which.map").write_text(done.stdout)
    again = command(
        "weights", "convert", *chosen, path.name, "--map", "which.map", "-o", "again.safetensors"
    )
    assert again.stdout == done.stdout.replace("mine", "again")
    first, second = ((tmp_path / f"{n}.safetensors").read_bytes() for n in ("mine", "again"))
    assert first == second
    done = command("onnx", *chosen, "--weights", "mine.safetensors", "-o", "mine.onnx")
    assert done.returncode == 0, done.stderr
    x = torch.randn(1, 3, 224, 224)
    session = onnxruntime.InferenceSession(str(tmp_path / "mine.onnx"))
    (result,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    with torch.no_grad():
        expected = model.float()(x)
    assert np.abs(result - expected.numpy()).max() <= 1e-4 * float(expected.abs().max())


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_numbers_stay_as_they_are(dtype: torch.dtype, tmp_path: Path) -> None:
    network = archdsl.loads(CHAIN)
    state = {
        k: v.to(dtype) if v.is_floating_point() else v for k, v in chain().state_dict().items()
    }
    for name, source in (("w.pth", None), ("w.safetensors", None), ("", state)):
        path = tmp_path / name
        if name.endswith("pth"):
            torch.save(state, path)
        elif name:
            save_file(state, path)
        found = convert(network, source or path)
        found.save(tmp_path / "out.safetensors")
        written = load_file(tmp_path / "out.safetensors")
        kept = torch.float32 if dtype is torch.bfloat16 else dtype
        assert written["first.0.weight"].dtype is kept
        assert written["first.1.num_batches_tracked"].dtype is torch.int64
        assert torch.equal(written["first.0.weight"], state["conv1.weight"].to(kept))
        network.module().load_state_dict(written, strict=True)


def test_a_large_network_takes_seconds(tmp_path: Path, command: Command) -> None:
    torch.save(tv("resnext101_64x4d")().state_dict(), tmp_path / "w.pth")
    program = (
        "import re, sys, time; from archdsl import cli; start = time.time()\n"
        "status = cli.main(['weights', 'convert', 'resnext50', '--variant', 'resnext101_64x4d',"
        " 'w.pth', '-o', 'out.safetensors'])\n"
        # Of this process alone; `getrusage` would count what the tests had when they began it.
        "peak = int(re.search(r'VmHWM:\\s*(\\d+)', open('/proc/self/status').read())[1])\n"
        "print(status, time.time() - start, peak * 1024, file=sys.stderr)\n"
    )
    import subprocess
    import sys

    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
    )
    status, seconds, peak = map(float, done.stderr.split())
    assert status == 0 and seconds < 30
    size = os.path.getsize(tmp_path / "w.pth")
    assert peak < 600e6 + 1.1 * size  # torch itself, and the file as it is mapped


# Small networks of our own

CHAIN = """
arch net {
  input x: 3x8x8
  first  = x -> conv(8, k=3) -> bn -> relu
  second = first -> conv(8, k=3) -> bn -> relu
  third  = second -> conv(8, k=3) -> bn -> relu
  pooled = third -> global_pool
  logits = pooled -> linear(4)
  return logits
}
"""


def chain(names: str = "conv1 bn1 conv2 bn2 conv3 bn3 fc", channels: int = 8) -> nn.Module:
    c = channels
    layers = [
        nn.Conv2d(3, c, 3, padding=1, bias=False), nn.BatchNorm2d(c),
        nn.Conv2d(c, c, 3, padding=1, bias=False), nn.BatchNorm2d(c),
        nn.Conv2d(c, c, 3, padding=1, bias=False), nn.BatchNorm2d(c), nn.Linear(c, 4),
    ]  # fmt: skip
    module = nn.Module()
    for name, layer in zip(names.split(), layers, strict=True):
        holder: nn.Module = module
        *path, own = name.split(".")
        for step in path:
            if not hasattr(holder, step):
                holder.add_module(step, nn.Module())
            holder = getattr(holder, step)
        holder.add_module(own, layer)
    torch.manual_seed(3)
    randomise(module.state_dict())
    return module


EXPECTED = "first.0 first.1 second.0 second.1 third.0 third.1 logits".split()

NAMINGS = [
    "conv1 bn1 conv2 bn2 conv3 bn3 fc",
    "0 1 3 4 6 7 10",
    "conv1_1 norm1_1 conv1_2 norm1_2 conv2_1 norm2_1 classifier",
    "convs.0 norms.0 convs.1 norms.1 convs.2 norms.2 fc",
    "net.module.convs.2 net.module.norms.2 net.module.convs.9 net.module.norms.9"
    " net.module.convs.10 net.module.norms.10 net.module.head",
    "layer1.conv layer1.bn layer2.conv layer2.bn layer3.conv layer3.bn fc",
    "conv1.conv conv1.bn blocks.0.conv blocks.0.bn blocks.1.conv blocks.1.bn fc",
]  # fmt: skip


@pytest.mark.parametrize("names", NAMINGS)
@pytest.mark.parametrize("order", ["defined", "sorted", "shuffled"])
def test_names(names: str, order: str) -> None:
    state = chain(names).state_dict()
    mapping = convert(archdsl.loads(CHAIN), arranged(state, order)).mapping
    expected = dict(zip(names.split(), EXPECTED))
    assert mapping == {
        name: f"{expected[name.rpartition('.')[0]]}.{name.rpartition('.')[2]}" for name in state
    }


def arranged(state: State, order: str) -> State:
    if order == "defined":
        return state
    return shuffled(state, 5) if order == "shuffled" else in_order(state, sorted(state))


def test_kinds_apart_from_one_another() -> None:
    """All convolutions are defined before all norms: numbers tell, the order does not."""
    names = "conv1 conv2 conv3 bn1 bn2 bn3 fc"
    model = chain("conv1 bn1 conv2 bn2 conv3 bn3 fc")
    state = model.state_dict()
    torn = {k: v for n in names.split() for k, v in state.items() if k.startswith(n + ".")}
    network = archdsl.loads(CHAIN)
    assert convert(network, torn).mapping == convert(network, state).mapping


def test_words_alone_need_an_order_that_can_be_believed() -> None:
    """`alpha`, `beta`, `gamma` of equal shapes: their order in the file says which is which, but
    not where a sorted, shuffled or very short file might have it by chance."""
    names = "stem.zeta stem.norm body.mu body.norm tail.alpha tail.norm fc"
    network, state = archdsl.loads(CHAIN), chain(names).state_dict()
    mapping = convert(network, state).mapping
    assert mapping["body.mu.weight"] == "second.0.weight"
    assert mapping["tail.alpha.weight"] == "third.0.weight"
    for order in ("sorted", "shuffled"):
        (problem,) = refused(lambda o=order: convert(network, arranged(state, o)))  # type: ignore[misc]
        assert isinstance(problem, errors.Ambiguous)
        assert "body.mu -> " in problem.advice and "# or " in problem.advice
    plain = """
    arch net {
      input x: 8x8x8
      a = x -> conv(8, k=3) -> relu -> conv(8, k=3) -> relu -> conv(8, k=3)
      return a
    }
    """
    short = {name: torch.randn(8, 8, 3, 3) for name in ("one.weight", "two.weight", "aaa.weight")}
    (problem,) = refused(lambda: convert(archdsl.loads(plain), short))
    assert isinstance(problem, errors.Ambiguous)
    numbered = {f"conv{n}.weight": x for n, x in zip((3, 1, 2), short.values())}
    (problem,) = refused(lambda: convert(archdsl.loads(plain), numbered))
    assert "conv1 -> a.0  # or a.4" in problem.advice and "`--numbers up`" in problem.advice
    for numbers, places in (("up", (0, 2, 4)), ("down", (4, 2, 0))):
        mapping = convert(archdsl.loads(plain), numbered, numbers=numbers).mapping
        assert mapping == {f"conv{n}.weight": f"a.{i}.weight" for n, i in zip((1, 2, 3), places)}


# Branches of equal shapes

BRANCHES = """
arch net {
  input x: 3x8x8
  stem = x -> conv(8, k=3) -> bn -> relu
  a = stem -> conv(8, k=3) -> bn -> relu
  b = stem -> conv(8, k=3) -> bn
  both = concat(a, b) -> conv(8) -> bn
  return both
}
"""


def branches(one: str, two: str) -> State:
    names = ["stem.conv", "stem.bn", *(f"{n}.{k}" for n in (one, two) for k in ("conv", "bn"))]
    module = nn.Module()
    made: dict[str, nn.Module] = {}
    for name in [*names, "fuse.conv", "fuse.bn"]:
        part, _, own = name.rpartition(".")
        kernel, before = (1, 16) if part == "fuse" else (3, 3 if part == "stem" else 8)
        layer = nn.Conv2d(before, 8, kernel, bias=False) if own == "conv" else nn.BatchNorm2d(8)
        made.setdefault(part, nn.Module()).add_module(own, layer)
    for part, inner in made.items():
        module.add_module(part.replace(".", "_"), inner)
    torch.manual_seed(4)
    randomise(module.state_dict())
    return module.state_dict()


@pytest.mark.parametrize("order", ["defined", "sorted", "shuffled"])
@pytest.mark.parametrize(
    "one, two", [("left", "right"), ("right", "left"), ("branch1", "branch2"), ("path0", "path1")]
)
def test_equal_branches_are_not_guessed(one: str, two: str, order: str, tmp_path: Path) -> None:
    """Neither words nor numbers nor the order say which branch is which; a map does."""
    network, state = archdsl.loads(BRANCHES), arranged(branches(one, two), order)
    (problem,) = refused(lambda: convert(network, state))
    assert isinstance(problem, errors.Ambiguous)
    assert problem.values["count"] == 4
    # A part of a map is enough, and a module is as good as its layers.
    for given in ({f"{one}.conv": "b.0"}, {two: "a"}, {f"{one}.bn.weight": "b.1.weight"}):
        mapping = convert(network, state, map=given).mapping
        assert mapping[f"{one}.conv.weight"] == "b.0.weight"
        assert mapping[f"{one}.bn.running_var"] == "b.1.running_var"
        assert mapping[f"{two}.conv.weight"] == "a.0.weight"
    # What is suggested is a map, of one of the ways.
    (tmp_path / "which.map").write_text(problem.values["lines"])
    assert len(convert(network, state, map=tmp_path / "which.map").pairs) == 8


def test_equal_names_speak() -> None:
    """Where nothing else tells equal branches apart, the names that the network has too do."""
    state = branches("b", "a")
    told = {
        n.replace("conv", "0").replace("bn", "1") if n[1] == "." else n: state[n] for n in state
    }
    mapping = convert(archdsl.loads(BRANCHES), shuffled(told, 1)).mapping
    assert all(mapping[name] == name for name in told if name[1] == ".")
    assert mapping["stem.conv.weight"] == "stem.0.weight"


# Numbers that count downwards


def plain_chain(lines: str, widths: str = "8 8 8 8 8") -> archdsl.Network:
    first, *rest = widths.split()
    last, text = "x", f"arch net {{\n  input x: {first}x8x8\n"
    for line, width in zip(lines.split(), rest):
        text += f"  {line} = {last} -> conv({width}, k=3) -> relu\n"
        last = line
    return archdsl.loads(f"{text}  return {last}\n}}")


def kernels(names: str, widths: str = "8 8 8 8 8") -> State:
    sizes = [int(n) for n in widths.split()]
    pairs = zip(names.split(), sizes, sizes[1:])
    return {f"{name}.weight": torch.randn(out, c, 3, 3) for name, c, out in pairs}


def lines_of(found: Any) -> dict[str, str]:
    return {pair.theirs: pair.ours.partition(".")[0] for pair in found.pairs}


@pytest.mark.parametrize("order", ["defined", "sorted", "shuffled"])
@pytest.mark.parametrize("wrapper", ["", "module."])
@pytest.mark.parametrize("inner", ["", ".conv"])
def test_equal_names_of_lines_come_before_numbers(order: str, wrapper: str, inner: str) -> None:
    names = "up4 up3 up2 up1"
    state = {
        f"{wrapper}{n}{inner}.weight": torch.randn(8, 8, 3, 3) for n in names.split()
    }  # fmt: skip
    found = convert(plain_chain(names), arranged(state, order))
    assert lines_of(found) == {f"{wrapper}{n}{inner}": n for n in names.split()}


@pytest.mark.parametrize("order", ["defined", "sorted", "shuffled"])
def test_equal_names_need_the_same_family(order: str) -> None:
    """`up2` of `up2` to `up5` is not the second of `up1` to `up4`."""
    network = plain_chain("up1 up2 up3 up4")
    assert refused(lambda: convert(network, arranged(kernels("up2 up3 up4 up5"), order)))
    found = convert(network, arranged(kernels("up2 up3 up4 up5"), order), numbers="up")
    assert lines_of(found) == {"up2": "up1", "up3": "up2", "up4": "up3", "up5": "up4"}


@pytest.mark.parametrize("order", ["defined", "sorted", "shuffled"])
@pytest.mark.parametrize("names", ["dec4 dec3 dec2 dec1", "d.up4a d.up3b d.up3a d.up2a"])
def test_numbers_may_count_downwards(names: str, order: str) -> None:
    """Falling widths settle it; where all are equal it is asked."""
    expected = dict(zip(names.split(), "abcd"))
    for widths in ("16 16 8 8 4", "24 16 8 4 2"):
        network, state = plain_chain("a b c d", widths), kernels(names, widths)
        assert lines_of(convert(network, arranged(state, order))) == expected
    network, state = plain_chain("a b c d"), arranged(kernels(names), order)
    (problem,) = refused(lambda: convert(network, state))
    assert isinstance(problem, errors.Ambiguous) and problem.values["count"] == 4
    assert lines_of(convert(network, state, numbers="down")) == expected


def test_a_list_counts_downwards_only_where_its_shapes_do() -> None:
    names = "dec.3 dec.2 dec.1 dec.0"
    falling = convert(plain_chain("a b c d", "24 16 8 4 2"), kernels(names, "24 16 8 4 2"))
    assert lines_of(falling) == dict(zip(names.split(), "abcd"))
    equal = convert(plain_chain("a b c d"), kernels(names))
    assert lines_of(equal) == dict(zip(reversed(names.split()), "abcd"))


RESIDUAL = """
block unit(c, s=1) {
  main = x -> conv(c) -> bn -> relu -> conv(c, k=3, s=s) -> bn -> relu -> conv(c) -> bn
  skip = x -> conv(c, s=s) -> bn   if s != 1 or x.c != c
  return main + skip -> relu
}
arch net {
  input x: 8x8x8
  body = x -> stages {
    block  c  n  s
    unit   8  3  2
    unit   8  2  2
  }
  return body
}
"""


def residual(names: str, skip_first: bool) -> State:
    """Two stages of blocks; all 1x1 convolutions of the first blocks have equal shapes."""
    a, an, b, bn, c, cn, s, sn = names.split()
    module = nn.Module()
    for stage, count in (("s1", 3), ("s2", 2)):
        for i in range(count):
            main = [(a, 1), (an, 0), (b, 3), (bn, 0), (c, 1), (cn, 0)]
            skip = [(s, 1), (sn, 0)] if i == 0 else []
            for name, k in [*skip, *main] if skip_first else [*main, *skip]:
                layer = nn.Conv2d(8, 8, k, bias=False) if k else nn.BatchNorm2d(8)
                holder: nn.Module = module
                *path, own = f"{stage}.{i}.{name}".split(".")
                for step in path:
                    if not hasattr(holder, step):
                        holder.add_module(step, nn.Module())
                    holder = getattr(holder, step)
                holder.add_module(own, layer)
    torch.manual_seed(6)
    randomise(module.state_dict())
    return module.state_dict()


@pytest.mark.parametrize("order", ["defined", "sorted", "shuffled"])
@pytest.mark.parametrize("skip_first", [False, True])
@pytest.mark.parametrize(
    "names",
    [
        "conv1 bn1 conv2 bn2 conv3 bn3 downsample.0 downsample.1",
        "f.a f.a_bn f.b f.b_bn f.c f.c_bn proj bn",
        "a a_bn b b_bn c c_bn proj proj_bn",
        "conv1 bn1 conv2 bn2 conv3 bn3 conv4 bn4",
        "0 1 2 3 4 5 6 7",
    ],
)
def test_equal_shapes_in_a_block(names: str, skip_first: bool, order: str) -> None:
    """The right way or none; never another."""
    state = arranged(residual(names, skip_first), order)
    own = "main.0 main.1 main.3 main.4 main.6 main.7 skip.0 skip.1".split()
    network = archdsl.loads(RESIDUAL)
    try:
        mapping = convert(network, state).mapping
    except DiagnosticError as problem:
        kinds = {type(p) for p in problem.diagnostics}
        assert kinds <= {errors.Ambiguous, errors.OrderDiffers}
        if names.startswith(("f.a", "a ", "0")) or "conv4" in names:
            return
        # Where the numbers are in series and the skip has a word, only their direction is open.
        assert order != "defined"
        mapping = convert(network, state, numbers="up").mapping
    for theirs, ours in mapping.items():
        stage, i, *rest = theirs.split(".")
        place = own[names.split().index(".".join(rest[:-1]))]
        assert ours == f"body.stage{stage[1]}.{i}.{place}.{rest[-1]}", (names, order)


# Whatever the network and the names: right, or refused

WORDS = "conv norm proj left right up down gate mix unit cell tail body head core".split()


def random_spec(choose: random.Random) -> str:
    """A network of branches, residuals and chains in which most shapes are equal."""
    lines, tops = [], ["x0"]
    lines.append("x0 = x -> conv(8, k=3) -> bn -> relu")
    for i in range(1, choose.randint(3, 7)):
        last = tops[-1]
        kind = choose.choice(["chain", "sum", "fork", "skip", "dense"])
        conv = f"conv(8, k={choose.choice([1, 3, 3])}) -> bn -> relu"
        if kind == "chain":
            lines.append(f"x{i} = {last} -> {conv}")
        elif kind == "skip":
            lines.append(f"x{i} = {choose.choice(tops)} + ({last} -> {conv} -> {conv})")
        elif kind == "sum":
            lines += [f"l{i} = {last} -> {conv}", f"r{i} = {last} -> {conv} -> {conv}"]
            lines.append(f"x{i} = l{i} + r{i} -> relu")
        elif kind == "fork":
            lines += [f"l{i} = {last} -> {conv}", f"r{i} = {choose.choice(tops)} -> {conv}"]
            lines.append(f"x{i} = concat(l{i}, r{i}) -> conv(8) -> bn")
        else:
            lines.append(f"x{i} = concat({last}, {last} -> {conv}) -> conv(8) -> bn")
        tops.append(f"x{i}")
    body = "\n  ".join(lines)
    return f"arch net {{\n  input x: 3x8x8\n  {body}\n  return {tops[-1]}\n}}"


def defined_otherwise(text: str, choose: random.Random) -> list[str]:
    """The lines of a network in an order in which somebody else might compute them."""
    needs = {
        line: set(re.findall(r"\b[xlr]\d+\b", value))
        for line, value in re.findall(r"^ +([xlr]\d+) = (.*)$", text, re.M)
    }
    found: list[str] = []
    while len(found) < len(needs):
        ready = [line for line, n in needs.items() if line not in found and n <= {*found, line}]
        found.append(choose.choice(ready))
    return found


def renamed(names: list[str], lines: list[str], choose: random.Random) -> dict[str, str]:
    """Other names for layers: words, or numbers in the order of lines, in modules or not."""
    words = [f"{word}{letter}" for word in WORDS for letter in "xyz"]
    choose.shuffle(words)
    style = choose.choice(["words", "numbers", "modules", "flat"])
    found = {}
    for name in names:
        line, *rest = name.split(".")
        i = lines.index(line.partition("_")[0])
        inner = [*line.partition("_")[2], *rest]
        if style == "numbers":
            found[name] = f"layer{i}.{'.'.join(inner) or '0'}"
        elif style == "words":
            found[name] = "_".join([words[i], *inner])
        elif style == "modules":
            found[name] = f"{words[i]}.{'.'.join(inner) or 'only'}"
        else:
            found[name] = words[-1 - len(found)]
    return found


@pytest.mark.parametrize("seed", range(12))
def test_never_wrong(seed: int) -> None:
    choose = random.Random(seed)
    text = random_spec(choose)
    network = archdsl.loads(text)
    shapes = convert(network, network.module().state_dict()).shapes
    layers = list(dict.fromkeys(name.rpartition(".")[0] for name in shapes))
    lines = defined_otherwise(text, choose)
    layers.sort(key=lambda name: lines.index(name.split(".")[0].partition("_")[0]))
    names = renamed(layers, lines, choose)
    assert len(set(names.values())) == len(names)
    by_layer = [n for layer in layers for n in shapes if n.rpartition(".")[0] == layer]
    truth = {f"{names[n.rpartition('.')[0]]}.{n.rpartition('.')[2]}": n for n in by_layer}
    state = {theirs: np.zeros(shapes[ours]) for theirs, ours in truth.items()}
    orders = [list(state), sorted(state)]
    orders += [choose.sample(list(state), len(state)) for _ in range(3)]
    for order in orders:
        try:
            assert convert(network, {name: state[name] for name in order}).mapping == truth, text
        except DiagnosticError as problem:
            assert {type(p) for p in problem.diagnostics} <= {
                errors.Ambiguous, errors.OrderDiffers, errors.TooManyReadings
            }  # fmt: skip


# Other heads and inputs

HEADS = [
    # what the checkpoint is, what of it is skipped, what is left over
    ("squeezenet1_1", tv("squeezenet1_1", num_classes=7), {"skip_head": True}, ["classifier.1"]),
    ("resnet50", tv("resnet50", num_classes=7), {"skip_head": True}, ["fc"]),
    ("resnet50", tv("resnet50"), {"skip_head": True}, ["fc"]),
    ("resnet50", from_timm("resnet50", num_classes=0), {"skip_head": True}, []),
    ("resnet50", from_timm("resnet50", in_chans=1), {"skip_input": True}, ["conv1"]),
    (
        "resnet50", from_timm("resnet50", in_chans=4, num_classes=2),
        {"skip_input": True, "skip_head": True}, ["conv1", "fc"],
    ),
    ("resnet50", tv("resnet50", num_classes=7), {"skip": ["logits"]}, ["fc"]),
    ("resnet50", tv("resnet50"), {"skip": ["stem", "logits"]}, ["conv1", "bn1", "fc"]),
    ("densenet121", from_timm("densenet121", num_classes=5), {"skip_head": True}, ["classifier"]),
]  # fmt: skip


@pytest.mark.parametrize("order", ["defined", "sorted"])
@pytest.mark.parametrize("spec, make, options, unused", HEADS, ids=_titled)
def test_skipped(
    spec: str, make: Make, options: dict[str, Any], unused: list[str], order: str
) -> None:
    network = archdsl.load(spec)
    state = arranged(make().state_dict(), order)
    found = convert(network, state, **options)
    assert sorted(found.unused) == sorted(unused)
    again = convert(network, state, **options, seed=0).tensors
    other = convert(network, state, **options, seed=1).tensors
    fresh = {name for name in other if not np.array_equal(other[name], again[name])}
    drawn = {n for n in found.fresh if n.endswith("weight") and found.tensors[n].ndim > 1}
    assert drawn <= fresh <= set(found.fresh) and drawn
    assert {n.rpartition(".")[0] for n in found.fresh} == set(found.begun)
    loaded(network, found.tensors)
    for theirs, ours in found.mapping.items():
        assert np.array_equal(found.tensors[ours].ravel(), state[theirs].numpy().ravel())


def test_what_is_skipped_begins_as_the_spec_says() -> None:
    state = tv("mobilenet_v2", num_classes=3)().state_dict()
    tensors = convert(archdsl.load("mobilenet_v2"), state, skip_head=True).tensors
    (weight,) = (x for name, x in tensors.items() if x.shape == (1000, 1280))
    assert abs(weight.std() / 0.01 - 1) < 0.05  # normal(0.01)


# What does not fit


def told(network: archdsl.Network, state: Any, **options: Any) -> str:
    return "\n".join(map(str, refused(lambda: convert(network, state, **options))))


def test_a_missing_tensor() -> None:
    network, state = archdsl.load("resnet50"), tv("resnet50")().state_dict()
    for lost, expected in [
        ("fc.bias", "`fc` is 1000x2048, but `logits` is 1000x2048 and a bias"),
        ("conv1.weight", "has no counterpart for `stem.0`, 64x3x7x7"),
        ("layer1.0.bn1.weight", "is a batch norm of 64 without weight, but `body.c2.0.main.1` is"),
        ("layer3.1.conv2.weight", "1 of 6 layers that are 256x256x3x3"),
    ]:
        state_without = {name: x for name, x in state.items() if name != lost}
        for order in ("defined", "shuffled"):
            assert expected in told(network, arranged(state_without, order)), lost
    counted = {n: x for n, x in state.items() if not n.endswith("num_batches_tracked")}
    found = convert(network, counted)
    assert len(found.fresh) == 53 and not found.begun
    assert all(found.tensors[name] == 0 for name in found.fresh)


def test_a_surplus_tensor() -> None:
    network, state = archdsl.load("resnet50"), tv("resnet50")().state_dict()
    for name, x in {
        "aux.weight": torch.zeros(10, 1024),
        "layer2.1.gamma": torch.zeros(512),
        "aux.conv2.weight": torch.zeros(256, 256, 3, 3),  # as some that the network has
    }.items():
        more = {**state, name: x}
        layer = name.removesuffix(".weight")
        shape = "x".join(map(str, x.shape))
        assert f"has `{layer}`, {shape}, which the network does not use" in told(network, more)
        assert "--allow-unused" in told(network, more)
        found = convert(network, more, allow_unused=True)
        assert found.unused == [layer]
        assert found.mapping == convert(network, state).mapping
        assert convert(network, more, map={layer: None}).mapping == found.mapping


def test_auxiliary_heads_are_left_out() -> None:
    """A second head in the middle, with layers of shapes that the network has as well."""
    module = tv("resnet50")()
    module.aux = nn.Sequential(nn.Conv2d(1024, 256, 1, bias=False), nn.BatchNorm2d(256))
    state = drawn(lambda: module).state_dict()
    network = archdsl.load("resnet50")
    for order in ("defined", "sorted"):
        given = arranged(state, order)
        assert "`aux.0`, 256x1024x1x1" in told(network, given)
        found = convert(network, given, allow_unused=True)
        assert found.unused == ["aux.0", "aux.1"]


def test_a_wrong_shape() -> None:
    network, state = archdsl.load("resnet50"), tv("resnet50")().state_dict()
    for name, shape, expected in [
        ("layer3.2.conv2.weight", (256, 256, 5, 5), "body.c4.2.main.3` is 256x256x3x3"),
        ("layer1.0.downsample.0.weight", (256, 64, 3, 3), "body.c2.0.skip.0` is 256x64x1x1"),
        ("fc.weight", (1000, 2048, 2, 2), "logits` is 1000x2048 and a bias"),
    ]:
        text = told(network, {**state, name: torch.zeros(shape)})
        layer = name.removesuffix(".weight")
        given = "x".join(map(str, shape))
        assert f"`{layer}` is {given}" in text and expected in text and "1 error" not in text
    whole = {**state, "fc.weight": state["fc.weight"].int()}
    assert "`fc.weight` is int32; expected floating-point numbers" in told(network, whole)


def test_another_network() -> None:
    state = tv("squeezenet1_1")().state_dict()
    assert "the checkpoint may be of another network" in told(archdsl.load("resnet50"), state)
    assert "has no counterpart for" in told(archdsl.load("resnet50"), {})
    text = told(archdsl.load("squeezenet1_0"), state)
    assert "`features.0` is 64x3x3x3 and a bias, but `stem.0` is 96x3x7x7 and a bias" in text


def test_the_same_layers_in_another_order() -> None:
    """Norm before convolution is another network, though every tensor fits."""
    swapped = CHAIN.replace(
        "second -> conv(8, k=3) -> bn -> relu", "second -> bn -> relu -> conv(8, k=3)"
    )
    state = chain("stem.conv stem.bn a.0 a.1 b.0 b.1 fc").state_dict()
    assert "but not in its order" in told(archdsl.loads(swapped), state)
    mapping = convert(archdsl.loads(swapped), state, map={"b.0": "third.2", "b.1": "third.0"})
    assert mapping.mapping["b.0.weight"] == "third.2.weight"


def test_a_matrix_may_be_stored_as_a_kernel() -> None:
    network, model = archdsl.loads(CHAIN), chain()
    state = dict(model.state_dict())
    state["fc.weight"] = state["fc.weight"][:, :, None, None]
    found = convert(network, state)
    assert "fc -> logits  # 4x8x1x1 and a bias, stored as 4x8 and a bias" in [*found.lines()]
    assert found.tensors["logits.weight"].shape == (4, 8)


# Maps


def test_maps_are_checked(tmp_path: Path) -> None:
    network, state = archdsl.loads(CHAIN), chain().state_dict()
    path = tmp_path / "which.map"
    for text, expected in [
        ("conv1 = first.0", "A6026"),
        ("conv1 ->", "A6026"),
        ("# nothing\n\nconv1 -> fisrt.0", "which.map:3:10"),
        ("conv9 -> first.0", "has no layer or module `conv9`"),
        ("conv1 -> second.0", "`conv1` (8x3x3x3) cannot be mapped to `second.0` (8x8x3x3)"),
        ("conv2 -> second.0\nconv2 -> third.0", "`conv2` is mapped twice"),
        ("conv2 -> second.0\nconv3 -> second.0", "`second.0` is mapped twice"),
    ]:
        path.write_text(text)
        assert expected in told(network, state, map=path), text
    path.write_bytes(b"\xff")
    assert "invalid UTF-8" in told(network, state, map=path)
    assert "cannot read" in told(network, state, map=tmp_path / "none.map")
    swapped = "conv3 -> second.0  # against the order\nconv2 -> third.0\n"
    path.write_text(swapped)  # the norms follow the convolutions of their numbers
    norms = "bn1 -> first.1\nbn2 -> third.1\nbn3 -> second.1\n"
    mapping = convert(network, state, map=path).mapping
    path.write_text(f"{swapped}{norms}")
    assert convert(network, state, map=path).mapping == mapping
    assert mapping["conv3.weight"] == "second.0.weight" and mapping["fc.bias"] == "logits.bias"
    path.write_text("- -> logits\nfc -> -\n")
    found = convert(network, state, map=path)
    assert (found.begun, found.unused) == (["logits"], ["fc"])
    assert "no layer or block `logit`" in told(network, state, skip=["logit"])


# Files that lie


class Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, ("evil",))


def test_code_in_a_checkpoint_does_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for content in (Evil(), {"state_dict": Evil()}, {"conv.weight": Evil()}):
        torch.save(content, "evil.pth")
        (problem,) = refused(lambda: convert(archdsl.loads(CHAIN), "evil.pth"))
        assert isinstance(problem, errors.NotACheckpoint)
    assert os.listdir() == ["evil.pth"]


@pytest.mark.parametrize("lie", LIES)
def test_lying_headers(lie: str, tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes(LIES[lie])
    (problem,) = refused(lambda: convert(archdsl.loads(CHAIN), path))
    assert isinstance(problem, errors.NotSafetensors)


@pytest.mark.parametrize("ending", ["pth", "safetensors"])
def test_truncated_files(ending: str, tmp_path: Path, command: Command) -> None:
    path = tmp_path / f"w.{ending}"
    state = chain().state_dict()
    torch.save(state, path) if ending == "pth" else save_file(state, path)
    path.write_bytes(path.read_bytes()[:-1000])
    (tmp_path / "net.arch").write_text(CHAIN)
    done = command("weights", "convert", "net.arch", path.name)
    assert done.returncode == 1
    assert "A6003" in done.stderr or "A6002" in done.stderr
    assert sorted(os.listdir(tmp_path)) == sorted(["net.arch", path.name])


def test_several_states_in_a_file(tmp_path: Path, command: Command) -> None:
    one, two = chain().state_dict(), chain().state_dict()
    path = tmp_path / "w.pth"
    torch.save({"model": one, "ema": {"state": two}, "epoch": 1}, path)
    (tmp_path / "net.arch").write_text(CHAIN)
    done = command("weights", "convert", "net.arch", "w.pth")
    assert done.returncode == 1 and "several state_dicts: model, ema.state" in done.stderr
    done = command("weights", "convert", "net.arch", "w.pth", "--entry", "ema.state")
    assert done.returncode == 0, done.stderr
    written = load_file(tmp_path / "net.safetensors")
    assert torch.equal(written["first.0.weight"], two["conv1.weight"])
    for entry in ("eam", ""):
        done = command("weights", "convert", "net.arch", "w.pth", "--entry", entry)
        assert done.returncode == 1, entry


def test_nothing_that_is_read_is_written_over(tmp_path: Path, command: Command) -> None:
    (tmp_path / "net.arch").write_text(CHAIN)
    save_file(chain().state_dict(), tmp_path / "w.safetensors")
    before = (tmp_path / "w.safetensors").read_bytes()
    for output in ("w.safetensors", "net.arch", "out.pth", "-", "none/out.safetensors"):
        done = command("weights", "convert", "net.arch", "w.safetensors", "-o", output)
        assert done.returncode == 1 and "A0016" in done.stderr, output
    assert (tmp_path / "w.safetensors").read_bytes() == before
    done = command("weights", "change", "net.arch", "w.safetensors")
    assert done.returncode == 2
