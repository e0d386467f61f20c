"""Latency: what is measured, that it adds up, that each kernel is accounted for. No time is right
or wrong here."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import archdsl
from archdsl import DiagnosticError, Network, cli
from archdsl.tools.bench import Measurement, bench, blocks, runtimes, turns
from archdsl.tools.bench.weights import steady
from tests.conftest import ROOT, Command
from tests.test_quiet import ERASED, LINE, told_on_terminal

SPEC = """
block unit(c, s=1) {
  y = x -> conv(c, k=3, s=s) -> bn -> silu
  return x + y if s == 1 and x.c == c else y
}
arch small(width=8) {
  variants {
    name   width
    thin   4
    wide   16
  }
  input image: 3x16x16
  body = image -> stages {
    block c      n s
    unit  width  2 2
    unit  16     1 1
  }
  return body -> global_pool -> linear(10)
}
"""
QUICK = {"seconds": 0.01}


def small(**parameters: Any) -> Network:
    return archdsl.loads(SPEC, **parameters)


def test_measurements() -> None:
    networks = {"one": small(), "two": small(width=4)}
    report = bench(networks, batches=(1, 3), threads=1, runtimes=["onnxruntime", "torch"], **QUICK)
    assert [(m.network, m.runtime, m.batch, m.threads) for m in report.measurements] == [
        (name, runtime, batch, 1)
        for name in networks
        for runtime in ("onnxruntime", "torch")
        for batch in (1, 3)
    ]
    for m in report.measurements:
        assert 0 < m.min <= m.p25 <= m.latency <= m.p75
        assert m.runs >= turns.FEWEST and m.throughput == pytest.approx(1000 * m.batch / m.latency)
    assert set(report.machine) >= {"cpu", "system", "versions"}
    assert "onnxruntime 1." in report.machine["versions"]


def test_figures_of_runs() -> None:
    m = Measurement.of("net", "torch", 2, 1, [0.004, 0.001, 0.002, 0.003, 0.100])
    assert (m.min, m.p25, m.latency, m.p75, m.runs) == (1, 2, 3, 4, 5)
    assert m.throughput == pytest.approx(2000 / 3)


def test_what_runs_by_default() -> None:
    report = bench(small(), **QUICK)
    assert [m.runtime for m in report.measurements] == ["onnxruntime", "torch"]
    assert {m.network for m in report.measurements} == {"small"}


@pytest.mark.slow
def test_compiled() -> None:
    (m,) = bench(small(), runtimes=["torch.compile"], **QUICK).measurements
    assert m.runtime == "torch.compile" and m.runs >= turns.FEWEST


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_are_honoured(threads: int, tmp_path: Path, monkeypatch: Any) -> None:
    import torch

    model = runtimes.OnnxModel(small(), tmp_path / "net.onnx", threads)
    options = model.session.get_session_options()
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (threads, 1)

    seen = []
    runner = runtimes.TorchModel.runner

    def watched(self: runtimes.TorchModel, batch: int) -> runtimes.Run:
        run = runner(self, batch)
        return lambda: (seen.append(torch.get_num_threads()), run())

    monkeypatch.setattr(runtimes.TorchModel, "runner", watched)
    before = torch.get_num_threads()
    report = bench(small(), threads=threads, runtimes=["torch"], **QUICK)
    assert set(seen) == {threads} and torch.get_num_threads() == before
    assert report.threads == threads and f"threads   {threads}" in report.text()


def test_networks_take_turns() -> None:
    """Between the first and the last measured run of one, the others run, too."""
    ran: list[str] = []

    def case(name: str) -> turns.Case:
        def run() -> None:
            ran.append(name)
            turns.perf_counter.now += 0.02  # type: ignore[attr-defined]

        return turns.Case(name, "clock", 1, run)

    class Clock:
        now = 0.0

        def __call__(self) -> float:
            return self.now

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(turns, "perf_counter", Clock())
        times = turns.take([case("a"), case("b"), case("c")], 1.0, lambda text, part: None)
    assert all(1 <= sum(taken) < 1.1 for taken in times)
    changes = sum(one != other for one, other in pairwise(ran))
    assert changes > 30  # 17 turns each, in an order drawn anew
    rounds = [tuple(dict.fromkeys(ran[i : i + 12])) for i in range(30, 150, 12)]
    assert len(set(rounds)) > 1


# Where the time goes


DEEP = """
arch deep {
  input x: 4x6x6
  default conv(init=INIT)
  y = x
  repeat i in 0..240 { y = y -> conv(4, k=3) -> bn -> relu }
  return y
}
"""


@pytest.mark.parametrize("init", ["default", "kaiming_normal", "normal(0.00001)", "zeros"])
def test_no_number_depends_on_the_initialization(init: str, tmp_path: Path) -> None:
    """Nor does any time, then; and 240 layers leave no denormal number behind."""
    network = archdsl.loads(DEEP.replace("INIT", init))
    state = steady(network.graph)
    first = steady(archdsl.loads(DEEP.replace("INIT", "xavier_normal")).graph)
    assert (
        all((state[name] == first[name]).all() for name in first) and state.keys() == first.keys()
    )
    found = runtimes.OnnxModel(network, tmp_path / "net.onnx", 1).runner(2)()[0]  # type: ignore[index]
    assert 1e-30 < np.abs(found).max() < 1e30
    module = runtimes.TorchModel(network, tmp_path, 1)._module
    assert all(np.array_equal(x, state[name]) for name, x in module.state_dict().items())


def test_denormal_numbers_are_zero_in_torch_while_measuring() -> None:
    tiny = torch.tensor([1e-38])
    with runtimes.torch_settings(1, ["torch"]):
        assert (tiny * 0.001).item() == 0
    assert (tiny * 0.001).item() > 0


@pytest.mark.parametrize("threads", [1, 2])
def test_denormal_numbers_are_zero_in_onnxruntime(tmp_path: Path, threads: int) -> None:
    """In a process of its own: onnxruntime heeds the first session that a process makes."""
    program = (
        "import numpy, pathlib, archdsl\n"
        "from archdsl.tools.bench import runtimes\n"
        "network = archdsl.loads('arch net {\\n  input x: 70000\\n  return x * 0.001\\n}\\n')\n"
        "network.onnx('net.onnx')\n"
        f"session = runtimes.session(pathlib.Path('net.onnx'), {threads})\n"
        "(y,) = session.run(None, {'x': numpy.full((1, 70000), 1e-38, numpy.float32)})\n"
        "assert (y.view(numpy.uint32) == 0).all(), y\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", program], check=True, env=environment, cwd=tmp_path)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_an_onnx_file_is_measured_as_it_is(tmp_path: Path, dtype: str) -> None:
    path = str(tmp_path / "net.onnx")
    small().onnx(path, dtype=dtype, dynamic="spatial", weights=True)
    report = bench({"file": path, "spec": small()}, batches=(1, 2), size=(20, 12), **QUICK)  # type: ignore[arg-type]
    assert [(m.network, m.runtime, m.batch) for m in report.measurements] == [
        ("file", "onnxruntime", 1), ("file", "onnxruntime", 2), *(
            ("spec", runtime, batch) for runtime in ("onnxruntime", "torch") for batch in (1, 2)
        )
    ]  # fmt: skip


def test_onnx_files_that_cannot_be_measured(tmp_path: Path) -> None:
    path = str(tmp_path / "net.onnx")
    for options, made, code in (
        ({}, {"dynamic": "spatial"}, "A8010"),
        ({"batches": (2,)}, {"dynamic": "none"}, "A8010"),
        ({"blocks": True}, {}, "A8011"),
        ({"runtimes": ["torch"]}, {}, "A8011"),
    ):
        small().onnx(path, **made)  # type: ignore[arg-type]
        with pytest.raises(DiagnosticError) as caught:
            bench({"file": path}, **QUICK, **options)  # type: ignore[arg-type]
        assert caught.value.diagnostics[0].code == code
    Path(path).write_bytes(b"no model")
    for name, code in ((path, "A6040"), (path + "x", "A0011")):
        with pytest.raises(DiagnosticError) as caught:
            bench({"file": name}, **QUICK)  # type: ignore[arg-type]
        assert caught.value.diagnostics[0].code == code


def test_the_command_takes_onnx_files(command: Command, folder: Path) -> None:
    small().onnx(folder / "net.onnx", dynamic="spatial")
    done = command(
        "bench", "net.onnx", "--size", "9x9", "--seconds", "0.01", "--format", "csv", cwd=folder
    )
    assert done.stdout.splitlines()[1].startswith("net.onnx,onnxruntime,1,1,"), done.stderr


def test_profiles_add_up() -> None:
    report = bench(small(), batches=(1, 2), blocks=True, runtimes=["onnxruntime"], **QUICK)
    network = small()
    for profile, batch in zip(report.profiles, (1, 2), strict=True):
        assert (profile.network, profile.batch, profile.threads) == ("small", batch, 1)
        rows = [block for block in profile.blocks if block.depth == 0]
        assert [row.name for row in rows] == ["body.stage1", "body.stage2", "out"]
        total = sum(row.time for row in rows) + profile.other + profile.between
        assert total == pytest.approx(profile.total) and profile.between >= 0
        assert sum(row.macs for row in rows) == network.macs
        assert sum(row.params for row in rows) == network.params
        assert all(row.time > 0 for row in rows)
        inner = [block for block in profile.blocks if block.depth == 1]
        assert [block.name for block in inner] == ["body.stage1.0", "body.stage1.1"]
        assert sum(block.time for block in inner) == pytest.approx(rows[0].time)


KERNELS = {
    "body/stage1/0/y/conv_kernel_time": "body.stage1",
    "body/stage1/0/y/silu_nchwc_kernel_time": "body.stage1",
    "body/stage1/1/y/silu/QuickGeluFusion/_kernel_time": "body.stage1",
    "body/stage2/0/y/conv_token_12_kernel_time": "body.stage2",
    "fused out/linear_kernel_time": "out",
    "out/global_pool_bn_nchwc_kernel_time": "out",
    "ReorderInput_token_3_kernel_time": None,
    "body/stage1/0_kernel_time": None,
    "_kernel_time": None,
}


@pytest.mark.parametrize("kernel", KERNELS)
def test_names_of_kernels(kernel: str, tmp_path: Path) -> None:
    model = runtimes.OnnxModel(small(), tmp_path / "net.onnx", 1)
    lines = blocks.Lines(model.network.graph, model.nodes)
    found = lines.of(kernel)
    assert (lines.blocks[found[0]][0].name if found else None) == KERNELS[kernel]


@pytest.mark.parametrize("spec", ["mnasnet_a1", "densenet121", "efficientnet", "resnext50"])
def test_every_kernel_is_accounted_for(spec: str, tmp_path: Path) -> None:
    """In networks with all kinds of fusions, only what the runtime adds belongs to no line."""
    network = archdsl.load(spec)
    model = runtimes.OnnxModel(network, tmp_path / "net.onnx", 1)
    session = runtimes.session(model.path, 1, str(tmp_path / "profile"))
    session.run(None, runtimes.samples(network, 1))
    events = json.loads(Path(session.end_profiling()).read_text())
    ((total, kernels),) = blocks._runs_of(events)
    nodes = [event for event in events if event.get("cat") == "Node"]
    assert len(kernels) == len(nodes) > 30 and sum(k.time for k in kernels) <= total
    lines = blocks.Lines(network.graph, model.nodes)
    homeless = {kernel.operator for kernel in kernels if not lines.of(kernel.name)}
    assert homeless <= {"ReorderInput", "ReorderOutput"}
    hit = {place for kernel in kernels for place in lines.of(kernel.name)}
    costly = {i for i, (part, _) in enumerate(lines.blocks) if part.macs}
    assert costly <= hit


# What is wrong


def codes(caught: pytest.ExceptionInfo[DiagnosticError]) -> list[str]:
    return [problem.code for problem in caught.value.diagnostics]


@pytest.mark.parametrize(
    ("package", "options"),
    [
        ("onnxruntime", {}),
        ("onnxruntime", {"runtimes": ["torch"], "blocks": True}),
        ("torch", {"runtimes": ["torch.compile"]}),
    ],
)
def test_what_is_not_installed(package: str, options: Any, monkeypatch: Any) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(DiagnosticError, match=f"needs {package}") as caught:
        bench(small(), **options)
    assert codes(caught) == ["A6007"]


def test_torch_is_left_out_where_it_is_not_installed(monkeypatch: Any) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    assert [m.runtime for m in bench(small(), **QUICK).measurements] == ["onnxruntime"]


def test_unknown_runtime() -> None:
    with pytest.raises(
        DiagnosticError, match=r"unknown runtime `tensorflow`\n.*onnxruntime"
    ) as caught:
        bench(small(), runtimes=["tensorflow"])
    assert codes(caught) == ["A6014"]


def test_what_does_not_fit_into_memory() -> None:
    with pytest.raises(DiagnosticError, match="`one` with batch size 1000000000 needs") as caught:
        bench({"one": small(), "two": small()}, batches=[1, 10**9])
    assert codes(caught) == ["A8009", "A8009"]


# The command


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "small.arch").write_text(SPEC)
    (tmp_path / "other.arch").write_text(SPEC.replace("16     1", "24     1"))
    return tmp_path


RUN = ("--seconds", "0.01", "--runtime", "onnxruntime")


def test_command_as_text(command: Command, folder: Path) -> None:
    done = command("bench", "small.arch", "--batch", "1,2", "--blocks", *RUN)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines[:6] if line][:3] == ["cpu", "system", "versions"]
    assert any(line.startswith("threads   1") for line in lines)
    assert any(line.startswith("  body.stage1.1") for line in lines)
    assert sum(line.startswith("total") for line in lines) == 2


def test_command_as_csv(command: Command, folder: Path) -> None:
    done = command("bench", "small.arch", "other.arch", "--format", "csv", *RUN)
    rows = [*csv.DictReader(io.StringIO(done.stdout))]
    assert [row["network"] for row in rows] == ["small/small", "other/small"]
    assert [*rows[0]] == [
        "network", "runtime", "batch", "threads", "latency", "p25", "p75", "min", "runs",
    ]  # fmt: skip
    variants = command("bench", "small.arch", "--variants", "--blocks", "--format", "csv", *RUN)
    rows = [*csv.DictReader(io.StringIO(variants.stdout))]
    assert {row["network"] for row in rows} == {"thin", "wide"}
    assert {row["name"] for row in rows} >= {"body.stage1", "(other)", "(between)"}


def test_command_as_json(command: Command, folder: Path) -> None:
    done = command("bench", "small.arch", "--blocks", "--format", "json", *RUN)
    document = json.loads(done.stdout)
    assert document["threads"] == 1 and document["machine"]["cpu"]
    (profile,) = document["profiles"]
    assert profile["blocks"][0]["name"] == "body.stage1"
    assert json.loads(done.stderr)["specs"] == [{"name": "small.arch", "fine": True}]


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (["nosuch"], 1, "A0017"),
        (["small.arch", "--runtime", "tf"], 1, "A6014"),
        (["small.arch", "--batch", "0"], 2, "0 is not positive"),
        (["small.arch", "--batch", "1,,2"], 2, "invalid"),
        (["small.arch", "--seconds", "0"], 2, "invalid number of seconds: 0"),
        (["small.arch", "--seconds", "nan"], 2, "invalid number of seconds: nan"),
        (["small.arch", "--threads", "0"], 2, "0 is not positive"),
        (["small.arch", "--variant", "huge"], 2, "A1015"),
    ],
)
def test_mistakes(
    command: Command, folder: Path, arguments: list[str], status: int, told: str
) -> None:
    done = command("bench", *arguments)
    assert done.returncode == status and told in done.stderr and done.stdout == ""
    assert "Traceback" not in done.stderr


def test_nothing_is_left_behind(command: Command, folder: Path) -> None:
    before = sorted(folder.iterdir())
    assert command("bench", "small.arch", "--blocks", *RUN).returncode == 0
    assert sorted(folder.iterdir()) == before


def test_progress_on_a_terminal(folder: Path) -> None:
    told = told_on_terminal(folder, "bench", "small.arch", "--runtime", "torch", "--seconds", "0.3")
    assert "small in torch, batch 1: run" in told
    assert "\x1b" not in re.sub(LINE, "", told).replace(ERASED, "")
    assert "\x1b" not in told_on_terminal(folder, "bench", "small.arch", "--quiet", *RUN)


def test_interruption(folder: Path) -> None:
    (folder / "temporary").mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "archdsl", "bench", "small.arch", "--seconds", "600"],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(folder / "temporary")},
        # A run in the background may have been told to ignore it, which processes inherit.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    patience = time.monotonic() + 60
    while not [*(folder / "temporary").rglob("*.onnx")] and time.monotonic() < patience:
        time.sleep(0.05)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    out, told = process.communicate(timeout=60)
    assert (process.returncode, out, told) == (cli.INTERRUPTED, b"", b"")
    assert not [*(folder / "temporary").rglob("*.onnx")]
