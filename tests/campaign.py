"""Specs of the second generator, tried by number; failures by their mechanism, each with a spec."""

from __future__ import annotations

from collections import Counter

from archdsl.testing import Coverage, is_valid, reduced, written
from archdsl.testing.grammar.bodies import Tries
from tests.trial import failures


class Campaign:
    """What some numbers gave."""

    def __init__(self) -> None:
        self.tried = 0
        self.buckets: dict[str, list[int]] = {}
        self.coverage = Coverage()
        self.tries: Tries = Counter()

    def run(self, number: int) -> list[str]:
        """Try the spec of a number; the mechanisms of failure that no spec had before."""
        text = written(number, tries=self.tries)
        self.coverage.add([text])
        self.tried += 1
        new = []
        for failure in failures(text, number):
            numbers = self.buckets.setdefault(failure.bucket, [])
            numbers.append(number)
            if len(numbers) == 1:
                new.append(f"spec {number}, {failure.bucket}\n{smallest(text, failure.bucket)}")
        return new

    def report(self) -> str:
        """Counts of specs, failures, pairs, and lines that the checker refused."""
        bad = len({number for numbers in self.buckets.values() for number in numbers})
        lines = [f"{self.tried} specs of the grammar, {bad} fail", str(self.coverage)]
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
