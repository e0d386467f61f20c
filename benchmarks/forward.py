"""How fast the generated modules run, beside the public implementations of the same networks.

    python benchmarks/forward.py [--rounds 30] [--networks resnet50 ...] [--batch 2] [--threads 1]
                                 [--no-compile]

One process, equal weights (through `archdsl weights convert`), both modules in turns: the median
times and their ratio, ours over theirs. Eager and compiled (`torch.compile`), in the usual layout
and channels-last; a training step (forward, backward, SGD) likewise. At most 1.02 is asked for.
"""

from __future__ import annotations

import argparse
import gc
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter

import timm
import torch
import torchvision
from torch import Tensor, nn

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import archdsl  # noqa: E402
from archdsl.weights import convert  # noqa: E402

PUBLIC: dict[str, Callable[[], nn.Module]] = {
    "mnasnet_a1": lambda: timm.create_model("semnasnet_100"),
    "mobilenet_v2": torchvision.models.mobilenet_v2,
    "efficientnet": torchvision.models.efficientnet_b0,
    "squeezenet1_1": torchvision.models.squeezenet1_1,
    "resnet50": torchvision.models.resnet50,
    "resnext50": torchvision.models.resnext50_32x4d,
    "densenet121": torchvision.models.densenet121,
}

WANTED = 1.02


def main() -> None:
    """Print a line for each network and way to run it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=30, help="how often each is run")
    parser.add_argument("--networks", nargs="+", choices=[*PUBLIC], default=[*PUBLIC])
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--no-compile", action="store_true", help="leave torch.compile out")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(options.threads)
    print(f"torch {torch.__version__}, {options.threads} thread(s), batch {options.batch}, 224x224")
    print(f"{'':15}{'':32}{'ours':>9}{'theirs':>10}{'ratio':>8}{'quartiles':>16}")
    for name in options.networks:
        theirs = PUBLIC[name]()
        network = archdsl.load(name)
        ours = network.module()
        tensors = convert(network, theirs.state_dict()).tensors
        ours.load_state_dict({key: torch.from_numpy(x) for key, x in tensors.items()})
        report(name, ours, theirs, options)


def report(name: str, ours: nn.Module, theirs: nn.Module, options: argparse.Namespace) -> None:
    """Compare two modules in every way."""
    images = torch.randn(options.batch, 3, 224, 224)
    layouts = {"": torch.contiguous_format, ", channels-last": torch.channels_last}
    for compiled in (False,) if options.no_compile else (False, True):
        for label, layout in layouts.items():
            x = images.to(memory_format=layout)  # type: ignore[call-overload]
            pair = [m.to(memory_format=layout) for m in (ours, theirs)]  # type: ignore[call-overload]
            if compiled:
                torch._dynamo.reset()
                pair = [torch.compile(module) for module in pair]
            what = ("compiled" if compiled else "eager") + label
            line(f"{name:15}forward, {what}", *(inference(m.eval(), x) for m in pair), options)
            line(f"{name:15}training, {what}", *(training(m.train(), x) for m in pair), options)
            gc.collect()


def inference(module: nn.Module, x: Tensor) -> Callable[[], None]:
    """A forward pass; the module is in its mode for it whenever it runs."""

    def run() -> None:
        module.eval()
        with torch.inference_mode():
            module(x)

    return run


def training(module: nn.Module, x: Tensor) -> Callable[[], None]:
    """A step of stochastic gradient descent."""
    optimiser = torch.optim.SGD(module.parameters(), lr=1e-6)
    target = torch.arange(len(x))

    def run() -> None:
        module.train()
        optimiser.zero_grad()
        nn.functional.cross_entropy(module(x), target).backward()
        optimiser.step()

    return run


def line(
    title: str, ours: Callable[[], None], theirs: Callable[[], None], options: argparse.Namespace
) -> None:
    """Time two ways in turns, and print what came out."""
    times: tuple[list[float], list[float]] = ([], [])
    for i in range(options.rounds + 3):
        for k in (0, 1) if i % 2 else (1, 0):
            start = perf_counter()
            (ours, theirs)[k]()
            if i >= 3:  # the first are for warming up
                times[k].append(perf_counter() - start)
    a, b = map(median, times)
    low, _, high = quantiles([x / y for x, y in zip(*times)], n=4)
    print(
        f"{title:47}{a * 1e3:7.1f}ms{b * 1e3:8.1f}ms{a / b:8.3f}{low:8.3f} -{high:6.3f}"
        f"  {'reached' if a / b <= WANTED else 'MISSED'}",
        flush=True,
    )


if __name__ == "__main__":
    main()
