"""Profiles of onnxruntime by the lines of the spec and their blocks.

The runtime calls what it runs after the nodes of the graph, which the exporter has made of the
operations of the network; so a kernel leads to its line. What the runtime puts in by itself, such
as reorderings of memory, belongs to none.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from archdsl.ir import costs
from archdsl.ir.graph import Graph, Node, Scope
from archdsl.tools.bench.report import Block, Profile
from archdsl.tools.bench.runtimes import OnnxModel, samples, session
from archdsl.tools.bench.turns import FEWEST, WARM_UP, timed

MOST = 100
"""Runs that are profiled; the profiler keeps each kernel of each."""

_ADDED = re.compile(r"[_/][^_/]*$")
"""Suffixes that the runtime adds to node names: `_nchwc`, `/QuickGeluFusion/`."""


def profile(
    name: str, model: OnnxModel, batch: int, threads: int, seconds: float, folder: str
) -> Profile:
    """Run a network under the profiler, for about so many seconds."""
    profiled = session(model.path, threads, os.path.join(folder, "profile"))
    inputs = samples(model.network, batch)
    try:
        warm = timed(lambda: profiled.run(None, inputs), WARM_UP * seconds, FEWEST, MOST)
        timed(lambda: profiled.run(None, inputs), seconds, FEWEST, MOST)
    finally:
        path = profiled.end_profiling()
    events = json.loads(Path(path).read_text(encoding="utf-8"))
    runs = _middle(_runs_of(events)[len(warm) :])
    lines = Lines(model.network.graph, model.nodes)
    return _profile(name, batch, threads, runs, lines)


class Kernel:
    """A kernel that ran: the name of its node, its operator, and its milliseconds."""

    __slots__ = ("name", "operator", "time")

    def __init__(self, event: Mapping[str, Any]) -> None:
        self.name: str = event["name"]
        self.operator: str = event["args"].get("op_name", "?")
        self.time: float = event["dur"] / 1000


class Lines:
    """The lines of a network, and which of them a kernel belongs to."""

    def __init__(self, graph: Graph, nodes: Mapping[str, Node]) -> None:
        """`nodes` are the operations by the names of the nodes that were made of them."""
        self.blocks: list[tuple[costs.Part, int]] = []
        """Each with its depth, in order."""
        self._nodes = nodes
        self._places: list[dict[Node | Scope, int]] = [{}, {}]
        for part in costs.parts(graph):
            self._add(part, 0)
            for inner in part.parts:
                self._add(inner, 1)

    def _add(self, part: costs.Part, depth: int) -> None:
        for item in part.items:
            self._places[depth][item] = len(self.blocks)
        self.blocks.append((part, depth))

    def of(self, kernel: str) -> list[int]:
        """The numbers of the lines that a kernel belongs to; none where it belongs to none."""
        kernel = kernel.removeprefix("fused ")
        while kernel not in self._nodes:
            shorter = _ADDED.sub("", kernel)
            if shorter == kernel:
                return []
            kernel = shorter
        node = self._nodes[kernel]
        items: list[Node | Scope] = [node]
        scope: Scope | None = node.scope
        while scope is not None:
            items.append(scope)
            scope = scope.parent
        return [places[x] for places in self._places for x in items if x in places]


def _runs_of(events: list[dict[str, Any]]) -> list[tuple[float, list[Kernel]]]:
    """The milliseconds and the kernels of each run."""
    runs: list[tuple[float, list[Kernel]]] = []
    kernels: list[Kernel] = []
    for event in events:
        if event.get("cat") == "Node":
            if event["name"].endswith("_kernel_time"):
                kernels.append(Kernel(event))
        elif event.get("name") == "model_run":  # is told after its kernels
            runs.append((event["dur"] / 1000, kernels))
            kernels = []
    return runs


def _middle(runs: list[tuple[float, list[Kernel]]]) -> list[tuple[float, list[Kernel]]]:
    """The half of the runs that is neither fast nor slow: their means add up, as medians do not."""
    runs = sorted(runs, key=lambda run: run[0])
    quarter = len(runs) // 4
    return runs[quarter : len(runs) - quarter]


def _profile(
    name: str, batch: int, threads: int, runs: list[tuple[float, list[Kernel]]], lines: Lines
) -> Profile:
    count = len(runs)
    times = [0.0] * len(lines.blocks)
    other = 0.0
    total = sum(time for time, _ in runs) / count
    kernels = [kernel for _, kernels in runs for kernel in kernels]
    for kernel in kernels:
        places = lines.of(kernel.name)
        other += 0 if places else kernel.time / count
        for place in places:
            times[place] += kernel.time / count
    added = Counter(k.operator for k in runs[0][1] if not lines.of(k.name))
    return Profile(
        network=name,
        batch=batch,
        threads=threads,
        runs=count,
        total=total,
        blocks=tuple(
            Block(part.name, depth, part.params, part.macs, time)
            for (part, depth), time in zip(lines.blocks, times)
        ),
        other=other,
        others=dict(sorted(added.items())),
        between=total - sum(kernel.time for kernel in kernels) / count,
    )
