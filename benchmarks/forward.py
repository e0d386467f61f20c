"""How fast the generated modules run, beside the public implementations of the same networks.

    python benchmarks/forward.py [--rounds 30] [--networks resnet50 ...] [--batch 2] [--threads 1]
                                 [--no-compile]

One process, equal weights (through `archdsl weights convert`), both modules in turns: the median of
the processor time that each took, and of the ratios of the turns, ours over theirs. A copy of
theirs takes part, too: its ratio, the control, would be 1 on a quiet machine, and tells how far
another one errs. Eager and compiled (`torch.compile`), in the usual layout and channels-last; a
training step (forward, backward, SGD) likewise. At most 1.02 is asked for.
"""

from __future__ import annotations

import argparse
import copy
import gc
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import process_time

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

WARMING = 3
"""Rounds before those that count."""


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
    print(f"{'':47}{'ours':>9}{'theirs':>10}{'ratio':>8}{'control':>9}")
    for name in options.networks:
        theirs = PUBLIC[name]()
        network = archdsl.load(name)
        ours = network.module()
        tensors = convert(network, theirs.state_dict()).tensors
        ours.load_state_dict({key: torch.from_numpy(x) for key, x in tensors.items()})
        report(name, ours, theirs, options)


def report(name: str, ours: nn.Module, theirs: nn.Module, options: argparse.Namespace) -> None:
    """Compare two modules, and a copy of the second, in every way."""
    modules = (ours, theirs, copy.deepcopy(theirs))
    images = torch.randn(options.batch, 3, 224, 224)
    layouts = {"": torch.contiguous_format, ", channels-last": torch.channels_last}
    for compiled in (False,) if options.no_compile else (False, True):
        for label, layout in layouts.items():
            x = images.to(memory_format=layout)  # type: ignore[call-overload]
            ready = [m.to(memory_format=layout) for m in modules]  # type: ignore[call-overload]
            if compiled:
                torch._dynamo.reset()
                ready = [torch.compile(module) for module in ready]
            what = ("compiled" if compiled else "eager") + label
            line(f"{name:15}forward, {what}", [inference(m, x) for m in ready], options.rounds)
            line(f"{name:15}training, {what}", [training(m, x) for m in ready], options.rounds)
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


def line(title: str, ways: list[Callable[[], None]], rounds: int) -> None:
    """Time ours, theirs and theirs again in turns, and print what came out."""
    times: list[list[float]] = [[] for _ in ways]
    for i in range(-WARMING, rounds):
        for k in sorted(range(len(ways)), key=lambda k: (k + i) % len(ways)):
            start = process_time()
            ways[k]()
            if i >= 0:
                times[k].append(process_time() - start)
    ours, theirs, again = times
    ratio = median(x / y for x, y in zip(ours, theirs))
    control = median(x / y for x, y in zip(again, theirs))
    print(
        f"{title:47}{median(ours) * 1e3:7.1f}ms{median(theirs) * 1e3:8.1f}ms{ratio:8.3f}"
        f"{control:9.3f}  {verdict(ratio, control)}",
        flush=True,
    )


def verdict(ratio: float, control: float) -> str:
    """Whether what is wanted is reached; `noise` where the control is as far off."""
    if ratio <= WANTED:
        return "reached"
    return "noise" if ratio <= WANTED * control else "MISSED"


if __name__ == "__main__":
    main()
