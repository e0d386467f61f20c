"""The properties of all specs, for as long as one likes: `python -m tests.fuzz --minutes 30`.

Prints how many examples were tried of each and what was found; ends with status 1 for a defect,
shrunk to what hypothesis can make of it.
"""

from __future__ import annotations

import argparse
import sys
import traceback
import warnings
from time import monotonic
from typing import Any

from hypothesis import HealthCheck, Verbosity, given, seed, settings

from archdsl.cli.output import write_out
from archdsl.cli.progress import progress
from archdsl.ir.graph import Graph
from archdsl.testing import text_of
from tests.campaign import Campaign
from tests.properties import PROPERTIES

EXAMPLES = 40
"""In one round of a property."""

GRAMMAR = "grammar"
"""What specs of the second generator are tried with, by number: `tests/campaign.py`."""


def main() -> int:
    """Try until the time is over; the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30)
    names = [*PROPERTIES, GRAMMAR]
    parser.add_argument("--properties", nargs="+", choices=names, default=names)
    parser.add_argument("--seed", type=int, default=0, help="of the first round")
    parser.add_argument("-q", "--quiet", action="store_true", help="show no progress")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    start = monotonic()
    counts = dict.fromkeys(options.properties, 0)
    defects: dict[str, str] = {}
    tried: dict[str, str] = {}
    number = options.seed
    limit = 60 * options.minutes
    campaign = Campaign()
    with progress(options) as tell:
        while monotonic() - start < limit and len(defects) < len(counts):
            for name in counts:
                if name in defects or monotonic() - start >= limit:
                    continue
                done = f"{sum(counts.values())} examples, {len(defects)} defects: {name}"
                tell(done, (monotonic() - start) / limit)
                if name == GRAMMAR:
                    for spec in range(number * EXAMPLES, (number + 1) * EXAMPLES):
                        counts[name] += 1
                        for found in campaign.run(spec):
                            write_out(f"{found}\n")
                    continue
                try:
                    _round(name, number, counts, tried)
                except Exception:
                    defects[name] = traceback.format_exc()
                    write_out(f"{name}, seed {number}:\n{tried[name]}\n{defects[name]}\n")
            number += 1
    if GRAMMAR in counts:
        print(campaign.report())
        if campaign.buckets:
            defects[GRAMMAR] = f"{len(campaign.buckets)} mechanisms"
    for name, count in counts.items():
        print(f"{name:28}{count:8} examples  {'DEFECT' if name in defects else 'none found'}")
    minutes = (monotonic() - start) / 60
    print(f"{sum(counts.values())} examples in {minutes:.1f} minutes, {len(defects)} defects")
    return 1 if defects else 0


def _round(name: str, number: int, counts: dict[str, int], tried: dict[str, str]) -> None:
    """Some examples; the last one in `tried` is that which fails, shrunk, where one does."""
    check, strategy, _ = PROPERTIES[name]

    @seed(number)
    @settings(
        max_examples=EXAMPLES, deadline=None, database=None, verbosity=Verbosity.quiet,
        suppress_health_check=[*HealthCheck],
    )  # fmt: skip
    @given(strategy())
    def holds(example: Any) -> None:
        counts[name] += 1
        tried[name] = text_of(example) if isinstance(example, Graph) else example
        check(example)

    holds()


if __name__ == "__main__":
    sys.exit(main())
