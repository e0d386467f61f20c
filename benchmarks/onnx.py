"""How long `archdsl onnx` takes and how good its graphs are, beside `torch.onnx.export`.

    python benchmarks/onnx.py [--rounds 5] [--networks mnasnet_a1 ...] [--large] [--no-latency]

Whole processes in turns, in one run: medians of wall time, and peak memory. torch builds the public
model and exports it, by the legacy exporter and by the one on dynamo. Then onnxruntime's latency on
one thread, of all three graphs with the same weights, in turns: time of the processor, which what
else the machine does hardly touches. `--large` writes 2.5 GB and takes as much disk.
"""

from __future__ import annotations

import argparse
import compileall
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent


class Case(NamedTuple):
    """A network: its public model, and what the issue asks for."""

    model: str
    nodes: int
    legacy: float
    """How many times faster than the legacy exporter."""
    dynamo: float
    memory: float
    """At most this part of the memory of either."""


CASES = {
    "mnasnet_a1": Case("timm.create_model('semnasnet_100')", 142, 12, 30, 1 / 5),
    "mobilenet_v2": Case("torchvision.models.mobilenet_v2()", 100, 12, 30, 1 / 5),
    "squeezenet1_1": Case("torchvision.models.squeezenet1_1()", 65, 12, 30, 1 / 5),
    "efficientnet": Case("torchvision.models.efficientnet_b0()", 239, 12, 30, 1 / 5),
    "resnext50": Case("torchvision.models.resnext50_32x4d()", 122, 6, 12, 1 / 3),
}

# As after training no bias is zero: the exporter on dynamo leaves out those that are.
MODEL = """
import warnings; warnings.simplefilter("ignore")
import torch, {package}; torch.manual_seed(0)
model = {model}.eval()
for tensor in model.state_dict().values():
    if tensor.dim() == 1:
        tensor += 0.1 * torch.rand_like(tensor)
"""
LEGACY = """
torch.onnx.export(model, (torch.randn(1, 3, 224, 224),), {path!r}, dynamo=False,
                  opset_version=20, dynamic_axes={{"x": {{0: "N"}}}}, input_names=["x"])
"""
DYNAMO = """
torch.onnx.export(model, (torch.randn(2, 3, 224, 224),), {path!r}, dynamo=True,
                  opset_version=20, dynamic_shapes=({{0: torch.export.Dim("N")}},),
                  external_data=False, verbose=False)
"""
STATE = """
torch.save(model.state_dict(), {path!r})
"""

LARGE = """
arch large {
  input x: 5000x1
  y = x
  repeat i in 0..25 { y = y -> conv(5000) -> bn -> relu }
  return y
}
"""


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="how often each is run")
    parser.add_argument("--networks", nargs="+", choices=[*CASES], default=[*CASES])
    parser.add_argument("--large", action="store_true", help="write 2.5 GB too")
    parser.add_argument("--no-latency", action="store_true", help="leave onnxruntime out")
    options = parser.parse_args()
    # As pip leaves an installed package; the variable would make every run compile it anew.
    compileall.compile_dir(ROOT / "archdsl", quiet=1)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPATH"] = str(ROOT)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for network in options.networks:
            report(network, CASES[network], folder, options.rounds)
            if not options.no_latency:
                report_latency(network, CASES[network], folder)
            print(flush=True)
        if options.large:
            report_large(folder)


def archdsl(*arguments: str) -> list[str]:
    """`archdsl ...`, as pip writes the command."""
    run = "import re, sys; from archdsl.cli import run; sys.exit(run())"
    return [sys.executable, "-c", run, *arguments]


def public(case: Case, what: str, path: str) -> list[str]:
    """Something done with the public model of a network."""
    text = MODEL + what
    code = text.format(package=case.model.split(".")[0], model=case.model, path=path)
    return [sys.executable, "-c", code]


def measure(command: list[str]) -> tuple[float, float]:
    """Seconds and megabytes of a process."""
    start = perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0, command
    return perf_counter() - start, usage.ru_maxrss / 1024


def verdict(good: bool) -> str:
    return "reached" if good else "MISSED"


def report(network: str, case: Case, folder: Path, rounds: int) -> None:
    """Time and memory of the three ways, and their nodes."""
    files = {kind: str(folder / f"{network}.{kind}.onnx") for kind in ("ours", "legacy", "dynamo")}
    commands = {
        "ours": archdsl("onnx", str(ROOT / "specs" / f"{network}.arch"), "-o", files["ours"]),
        "legacy": public(case, LEGACY, files["legacy"]),
        "dynamo": public(case, DYNAMO, files["dynamo"]),
    }
    times: dict[str, list[float]] = {kind: [] for kind in commands}
    memory: dict[str, float] = dict.fromkeys(commands, 0)
    for turn in range(rounds + 1):
        for kind, command in commands.items():
            seconds, megabytes = measure(command)
            memory[kind] = max(memory[kind], megabytes)
            if turn:  # the first warms the caches
                times[kind].append(seconds)
    ours = median(times["ours"])
    counts = {kind: node_count(path) for kind, path in files.items()}
    print(f"{network:16}{'median':>10}{'ratio':>8}{'memory':>10}{'ratio':>8}{'nodes':>8}")
    for kind, spent in times.items():
        print(
            f"  {kind:14}{median(spent):8.2f} s{median(spent) / ours:8.1f}"
            f"{memory[kind]:7.0f} MB{memory[kind] / memory['ours']:8.1f}{counts[kind]:8}"
        )
    least = min(memory["legacy"], memory["dynamo"])
    print(
        f"  {case.legacy:g} x legacy: {verdict(median(times['legacy']) >= case.legacy * ours)}, "
        f"{case.dynamo:g} x dynamo: {verdict(median(times['dynamo']) >= case.dynamo * ours)}, "
        f"memory: {verdict(memory['ours'] <= case.memory * least)}, "
        f"at most {case.nodes} nodes: {verdict(counts['ours'] <= case.nodes)}"
    )


def node_count(path: str) -> int:
    """In a process of its own: what this one takes would be counted for those it starts."""
    code = "import onnx, sys; print(len(onnx.load(sys.argv[1]).graph.node))"
    command = [sys.executable, "-c", code, path]
    return int(subprocess.run(command, check=True, capture_output=True).stdout)


LATENCY = """
import sys, json, random
from statistics import median
from time import thread_time
import numpy, onnxruntime
paths = json.loads(sys.argv[1])
def session(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path, options, ["CPUExecutionProvider"])
sessions = {kind: session(path) for kind, path in paths.items()}
image = numpy.random.default_rng(0).standard_normal((1, 3, 224, 224), numpy.float32)
feeds = {kind: {s.get_inputs()[0].name: image} for kind, s in sessions.items()}
(ours,), (legacy,) = (sessions[kind].run(None, feeds[kind]) for kind in ("ours", "legacy"))
assert numpy.abs(ours - legacy).max() <= 1e-3 * numpy.abs(legacy).max()
spent = {kind: [] for kind in paths}
order = list(paths)
for turn in range(int(sys.argv[2]) + 5):
    random.Random(turn).shuffle(order)
    for kind in order:
        start = thread_time()
        for _ in range(3):
            sessions[kind].run(None, feeds[kind])
        if turn >= 5:
            spent[kind].append((thread_time() - start) / 3)
def told(times):
    return median(times), median(a / b for a, b in zip(spent["ours"], times))
print(json.dumps({kind: told(times) for kind, times in spent.items()}))
"""


def report_latency(network: str, case: Case, folder: Path) -> None:
    """onnxruntime, one thread, batch 1, the three graphs in turns, and ours a second time."""
    files = {kind: str(folder / f"{network}.{kind}.onnx") for kind in ("ours", "legacy", "dynamo")}
    files["ours again"] = files["ours"]
    spec = str(ROOT / "specs" / f"{network}.arch")
    state, weights = str(folder / "public.pth"), str(folder / "weights.safetensors")
    measure(public(case, STATE, state))
    measure(archdsl("weights", "convert", spec, state, "-o", weights))
    measure(archdsl("onnx", spec, "--weights", weights, "-o", files["ours"]))
    turns = 60 if network == "resnext50" else 200
    command = [sys.executable, "-c", LATENCY, json.dumps(files), str(turns)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found = json.loads(done.stdout.splitlines()[-1])
    text = ", ".join(f"{kind} {middle * 1e3:.2f}" for kind, (middle, _) in found.items())
    print(f"  latency in ms, median: {text}")
    # Runs side by side see the same machine: the median of their ratios, not the ratio of medians.
    ratios = ", ".join(f"{found[k][1]:.3f} of {k}" for k in ("legacy", "dynamo", "ours again"))
    print(f"  ours, turn by turn (at most 1.00): {ratios}")


def report_large(folder: Path) -> None:
    """A network of 2.5 GB."""
    spec = folder / "large.arch"
    spec.write_text(LARGE)
    target = folder / "large.onnx"
    seconds, megabytes = measure(archdsl("onnx", str(spec), "-o", str(target)))
    weights = os.path.getsize(f"{target}.data") / 2**20
    good = verdict(megabytes <= 1.3 * weights)
    print(
        f"large: {weights:.0f} MB of weights, {seconds:.1f} s, peak {megabytes:.0f} MB, "
        f"{megabytes / weights:.2f} of the weights (at most 1.3: {good})"
    )


if __name__ == "__main__":
    main()
