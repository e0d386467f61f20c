"""Counts that have to divide others, and what to say when they do not."""

from __future__ import annotations

from collections.abc import Mapping
from math import isqrt

from archdsl.diagnostics import errors
from archdsl.ops.kinds import describe


def check_divides(
    parameter: str,
    value: int,
    total: int,
    what: str,
    about: Mapping[int | str, str],
    *,
    common: int | None = None,
) -> None:
    """Refuse a `value` that does not divide `total`, and suggest divisors of `common`, or of it."""
    if total % value:
        fits = nearest_divisors(value, common or total)
        raise errors.DoesNotDivide(
            argument=parameter,
            about=about,
            divisor=f"{parameter}={value}",
            what=what,
            total=total,
            by=value,
            quotient=describe(total / value),
            fix="use " + " or ".join(f"{parameter}={fit}" for fit in fits),
        )


def nearest_divisors(value: int, total: int) -> list[int]:
    """The divisors of `total` next to `value`: the largest below it and the smallest above it."""
    small = [n for n in range(1, isqrt(total) + 1) if total % n == 0]
    every = sorted({*small, *(total // n for n in small)})
    return [n for n in every if n < value][-1:] + [n for n in every if n > value][:1]
