"""Benchmarks: latency in onnxruntime and torch, measured in turns, and profiles.

`machine` says what was measured on, `runtimes` makes networks run, with the numbers of `weights`,
`turns` takes the times,
`blocks` maps the profile of onnxruntime to the lines of the spec, `report` is what was found.
Needs onnxruntime, or torch, or both.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from archdsl.diagnostics import errors
from archdsl.diagnostics.diagnostic import DiagnosticError
from archdsl.support.progress import Progress, untold
from archdsl.tools.bench.report import Block as Block
from archdsl.tools.bench.report import Measurement as Measurement
from archdsl.tools.bench.report import Profile as Profile
from archdsl.tools.bench.report import Report as Report
from archdsl.tools.running import check_run

if TYPE_CHECKING:
    from archdsl.api.network import Network

__all__ = ["Block", "Measurement", "Profile", "Report", "bench"]


def bench(
    networks: Network | Mapping[str, Network | str],
    *,
    batches: Sequence[int] = (1,),
    threads: int = 1,
    seconds: float = 2.0,
    runtimes: Sequence[str] = (),
    blocks: bool = False,
    size: Sequence[int] = (),
    progress: Progress = untold,
) -> Report:
    """Measure the latency of networks, given by the names that the report has for them.

    A text in place of a network is the path of an ONNX file, which runs in onnxruntime as it is;
    `size` is for the axes that it leaves open.

    Each of `runtimes` (`onnxruntime`, `torch`, `torch.compile`; without any the first, and the
    second where it is installed) runs each network with random inputs, and random weights that do
    not depend on its initialization, at each batch size, on `threads` threads, for about `seconds`
    seconds after a warm-up. They take turns, so that a machine that becomes slower does so for all.
    `blocks` says where the time goes, too, as onnxruntime's profiler has it. Raises
    `DiagnosticError` where a runtime is not installed.
    """
    from archdsl.tools.bench import machine, turns
    from archdsl.tools.bench import runtimes as kinds
    from archdsl.tools.bench.blocks import profile

    named = networks if isinstance(networks, Mapping) else {networks.name: networks}
    specs = {name: item for name, item in named.items() if not isinstance(item, str)}
    files = {name: item for name, item in named.items() if isinstance(item, str)}
    chosen = kinds.chosen(runtimes, blocks or bool(files))
    if files and (blocks or "onnxruntime" not in chosen):
        option = "--blocks" if blocks else f"--runtime {chosen[0]}"
        raise DiagnosticError([errors.NeedsASpec(path=next(iter(files.values())), option=option)])
    for network in specs.values():
        check_run(network.graph)
    machine.check_memory(specs, batches)
    steps = (len(specs) * len(chosen) + len(files)) * len(batches)
    with (
        tempfile.TemporaryDirectory(prefix="archdsl-bench-") as folder,
        kinds.torch_settings(threads, chosen),
    ):
        models: dict[tuple[str, str], kinds.Model] = {}
        cases = []
        for number, (name, item) in enumerate(named.items()):
            if isinstance(item, str):
                progress(f"{name}: onnxruntime", 0)
                file = kinds.OnnxFile(item, threads, size)
                cases += [turns.Case(name, "onnxruntime", n, file.runner(n)) for n in batches]
                continue
            for kind in dict.fromkeys([*chosen, *["onnxruntime"] * blocks]):
                progress(f"{name}: {kind}", 0)
                path = Path(folder, f"{number}.onnx")
                model = models[name, kind] = kinds.RUNTIMES[kind](item, path, threads)
                if kind in chosen:
                    cases += [turns.Case(name, kind, n, model.runner(n)) for n in batches]
        share = steps / (steps + blocks * len(named) * len(batches))
        times = turns.take(cases, seconds, lambda text, part: progress(text, part * share))
        profiles: list[Profile] = []
        wanted = [(name, batch) for name in named for batch in batches] if blocks else []
        for i, (name, batch) in enumerate(wanted):
            progress(f"{name}: where the time goes", share + (1 - share) * i / len(wanted))
            model = models[name, "onnxruntime"]
            assert isinstance(model, kinds.OnnxModel)
            profiles.append(profile(name, model, batch, threads, seconds, folder))
    return Report(
        machine=machine.facts(chosen),
        threads=threads,
        seconds=seconds,
        measurements=tuple(
            Measurement.of(case.network, case.runtime, case.batch, threads, taken)
            for case, taken in zip(cases, times)
        ),
        profiles=tuple(profiles),
    )
