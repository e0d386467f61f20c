"""Specs of the second generator, tried by number; failures by their mechanism, each with a spec.

    python -m tests.campaign --from 0 --count 20000 --processes 2

tries these numbers and no others, and ends with one line: how many specs, checks and failures. Its
status is 1 where something failed.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from time import monotonic

from archdsl.cli.output import write_out
from archdsl.testing import Coverage, is_valid, reduced, written
from archdsl.testing.grammar.bodies import Tries
from tests.trial import Checks, failures

PART = 100
"""So many numbers a process tries before it tells what they gave."""


class Campaign:
    """What some numbers gave."""

    def __init__(self) -> None:
        self.tried = 0
        self.buckets: dict[str, list[int]] = {}
        self.coverage = Coverage()
        self.tries: Tries = Counter()
        self.checks: Checks = Counter()

    def run(self, number: int) -> list[str]:
        """Try the spec of a number; the mechanisms of failure that no spec had before."""
        text = written(number, tries=self.tries)
        self.coverage.add([text])
        self.tried += 1
        new = []
        for failure in failures(text, number, checks=self.checks):
            numbers = self.buckets.setdefault(failure.bucket, [])
            numbers.append(number)
            if len(numbers) == 1:
                new.append(f"spec {number}, {failure.bucket}\n{smallest(text, failure.bucket)}")
        return new

    def join(self, other: Campaign) -> None:
        """Add what other numbers gave."""
        self.tried += other.tried
        for bucket, numbers in other.buckets.items():
            self.buckets.setdefault(bucket, []).extend(numbers)
        self.coverage.inside |= other.coverage.inside
        self.coverage.after |= other.coverage.after
        self.tries += other.tries
        self.checks += other.checks

    @property
    def failed(self) -> int:
        """The number of specs with a failure."""
        return len({number for numbers in self.buckets.values() for number in numbers})

    def report(self) -> str:
        """Counts of specs, failures, pairs, and lines that the checker refused."""
        lines = [f"{self.tried} specs of the grammar, {self.failed} fail", str(self.coverage)]
        lines += [
            f"{len(numbers):6} {bucket} (spec {numbers[0]})"
            for bucket, numbers in sorted(self.buckets.items(), key=lambda item: -len(item[1]))
        ]
        for kind in sorted({kind for kind, _ in self.tries}):
            taken, refused = self.tries[kind, True], self.tries[kind, False]
            lines.append(f"{kind:20}{taken + refused:8} tried, {refused} refused by the checker")
        return "\n".join(lines)


def smallest(text: str, bucket: str, most: int = 300) -> str:
    """A small spec that fails in the same way."""
    stage = bucket.partition(":")[0]

    def fails(smaller: str) -> bool:
        return is_valid(smaller) and any(f.bucket == bucket for f in failures(smaller, only=stage))

    return reduced(text, fails, most) if fails(text) else text


def part(first: int, count: int) -> tuple[Campaign, list[str]]:
    """What some numbers in a row give, and the failures among them."""
    campaign = Campaign()
    return campaign, [
        text for number in range(first, first + count) for text in campaign.run(number)
    ]


def parts(first: int, count: int, processes: int) -> Iterator[tuple[Campaign, list[str]]]:
    """The same of many numbers, part by part, as they are done."""
    starts = range(first, first + count, PART)
    sizes = [min(PART, first + count - start) for start in starts]
    if processes == 1:
        yield from map(part, starts, sizes)
        return
    with ProcessPoolExecutor(processes, get_context("spawn"), max_tasks_per_child=20) as pool:
        jobs = [pool.submit(part, start, size) for start, size in zip(starts, sizes, strict=True)]
        for job in as_completed(jobs):
            yield job.result()


def main() -> int:
    """Try the numbers; 1 if something failed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--from", type=int, default=0, dest="first", help="the first number")
    parser.add_argument("--count", type=int, default=1000, help="so many numbers in a row")
    parser.add_argument("--processes", type=int, default=1)
    options = parser.parse_args()
    start, campaign = monotonic(), Campaign()
    for made, found in parts(options.first, options.count, options.processes):
        campaign.join(made)
        for text in found:
            write_out(f"{text}\n")
        speed = campaign.tried / (monotonic() - start)
        print(f"{campaign.tried} specs, {campaign.failed} fail, {speed:.1f} specs a second",
              file=sys.stderr, flush=True)  # fmt: skip
    write_out(f"{campaign.report()}\n")
    for name, times in sorted(campaign.checks.items()):
        write_out(f"{name:36}{times:8}\n")
    write_out(
        f"specs {options.first} to {options.first + options.count - 1}: {campaign.tried} tried,"
        f" {sum(campaign.checks.values())} checks, {campaign.failed} specs fail in"
        f" {len(campaign.buckets)} ways, {monotonic() - start:.0f} seconds\n"
    )
    return int(bool(campaign.buckets))


if __name__ == "__main__":
    sys.exit(main())
