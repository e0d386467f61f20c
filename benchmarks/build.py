"""How long `archdsl build` takes, beside what people do without it. All in one run, in turns.

    python benchmarks/build.py [--rounds 15]

Whole processes: medians of wall time, and how many times longer than `archdsl build` each takes.
In one process: the median of elaborating and costing an EfficientNet that is parsed already.
"""

from __future__ import annotations

import argparse
import compileall
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter

ROOT = Path(__file__).resolve().parent.parent

EFFICIENTNET = """
arch efficientnet(width=1.0, depth=1.0, num_classes=1000) {
  input image: 3x224x224
  default bn(eps=1e-3, momentum=0.01)
  stem = image -> conv(divisible(32 * width, 8), k=3, s=2) -> bn -> silu
  body = stem -> stages(width=width, depth=depth, act=silu, se=0.25, drop=0.2 * index / total) {
    block   e  k  c    n  s
    mbconv  1  3  16   1  1
    mbconv  6  3  24   2  2
    mbconv  6  5  40   2  2
    mbconv  6  3  80   3  2
    mbconv  6  5  112  3  1
    mbconv  6  5  192  4  2
    mbconv  6  3  320  1  1
  }
  head   = body -> conv(divisible(1280 * width, 8), k=1) -> bn -> silu -> global_pool
  logits = head -> dropout(0.2) -> linear(num_classes)
  return logits
}
"""


def main() -> None:
    """Print the two tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15, help="how often each is run")
    rounds = parser.parse_args().rounds
    # As pip leaves an installed package; the variable would make every run compile it anew.
    compileall.compile_dir(ROOT / "archdsl", quiet=1)
    os.environ["PYTHONPATH"] = str(ROOT)
    with tempfile.TemporaryDirectory() as folder:
        report_processes(processes(os.path.join(folder, "mnas.py")), rounds)
    print()
    report_elaboration(50 * rounds)


def processes(output: str) -> dict[str, list[str]]:
    """What is compared, as command lines."""
    spec = str(ROOT / "specs" / "mnasnet_a1.arch")
    # What pip writes as the command `archdsl`.
    archdsl = "import re, sys; from archdsl.cli import run; sys.exit(run())"
    timm = "import timm; timm.create_model('semnasnet_100')"
    return {
        "archdsl build": [sys.executable, "-c", archdsl, "build", spec, "-o", output],
        "python -c pass": [sys.executable, "-c", "pass"],
        "import torch": [sys.executable, "-c", "import torch"],
        "timm's model": [sys.executable, "-c", timm],
    }


def report_processes(commands: dict[str, list[str]], rounds: int) -> None:
    """Run each in turn, once to warm the caches, and print medians and ratios."""
    times: dict[str, list[float]] = {name: [] for name in commands}
    for turn in range(rounds + 1):
        for name, command in commands.items():
            start = perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            if turn:
                times[name].append(perf_counter() - start)
    ours = median(times["archdsl build"])
    print(f"{'whole process':16}{'median':>10}{'least':>10}{'ratio':>9}   ({rounds} rounds)")
    for name, spent in times.items():
        middle = median(spent)
        print(f"{name:16}{middle * 1e3:7.0f} ms{min(spent) * 1e3:7.0f} ms{middle / ours:9.2f}")


def report_elaboration(rounds: int) -> None:
    """Elaborate, check and cost again and again, from one tree."""
    sys.path.insert(0, str(ROOT))
    from archdsl.api.network import Spec
    from archdsl.elaborate.network import elaborate
    from archdsl.ir import costs

    spec = Spec.of_text(EFFICIENTNET)
    unit = spec.unit("efficientnet")
    graph = elaborate(spec.program, unit)
    print(f"in one process, EfficientNet-B0 ({len(graph.nodes)} operations)")

    def both() -> None:
        costs.total(elaborate(spec.program, unit))

    steps: dict[str, Callable[[], object]] = {
        "elaborate": lambda: elaborate(spec.program, unit),
        "cost": lambda: costs.total(graph),
        "both": both,
    }
    for name, step in steps.items():
        spent = []
        for _ in range(rounds):
            start = perf_counter()
            step()
            spent.append(perf_counter() - start)
        print(f"{name:16}{median(spent) * 1e3:7.2f} ms{min(spent) * 1e3:7.2f} ms")


if __name__ == "__main__":
    main()
