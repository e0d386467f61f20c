"""Takes times in turns.

A machine becomes slower and faster while it measures: it grows warm, others use it. So no case is
measured from its first run to its last: each runs for a moment, then the next, in an order that is
drawn anew for each round. The first run of a turn, with the caches full of another network, is not
counted.
"""

from __future__ import annotations

import gc
import random
import sys
from collections.abc import Sequence
from time import perf_counter

from archdsl.support.progress import Progress
from archdsl.support.records import Record
from archdsl.tools.bench.runtimes import Run

TURN = 0.05
"""Seconds of a turn, if the network takes no longer."""
WARM_UP = 0.2
"""Part of the time that a case is to be measured for by which it runs before."""
FEWEST = 3
"""Runs that are measured of each, whatever the time."""


class Case(Record):
    """A measured case: a network in a runtime at a batch size."""

    network: str
    runtime: str
    batch: int
    run: Run


def take(cases: Sequence[Case], seconds: float, progress: Progress) -> list[list[float]]:
    """The seconds that each run of each case took."""
    times: list[list[float]] = [[] for _ in cases]
    spent = [0.0] * len(cases)
    collecting = gc.isenabled()
    gc.disable()
    try:
        for case in cases:
            progress(_text(case, "warm-up"), 0)
            timed(case.run, WARM_UP * seconds, FEWEST)
        order = random.Random(0)
        while waiting := [
            i for i in range(len(cases)) if spent[i] < seconds or len(times[i]) < FEWEST
        ]:
            order.shuffle(waiting)
            for i in waiting:
                done = sum(min(time, seconds) for time in spent)
                progress(_text(cases[i], f"run {len(times[i]) + 1}"), done / (seconds * len(cases)))
                if len(cases) > 1:
                    cases[i].run()
                taken = timed(cases[i].run, min(TURN, seconds - spent[i]), 1)
                times[i] += taken
                spent[i] += sum(taken)
    finally:
        if collecting:
            gc.enable()
    return times


def _text(case: Case, stage: str) -> str:
    return f"{case.network} in {case.runtime}, batch {case.batch}: {stage}"


def timed(run: Run, seconds: float, fewest: int, most: int = sys.maxsize) -> list[float]:
    """Run something for some seconds, and some times at least; how long each run took."""
    taken: list[float] = []
    total = 0.0
    while len(taken) < most and (total < seconds or len(taken) < fewest):
        start = perf_counter()
        run()
        taken.append(perf_counter() - start)
        total += taken[-1]
    return taken
