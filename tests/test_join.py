"""Tensors whose sizes differ: all axes are told, and the fix that is given does work."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

import archdsl
from archdsl.diagnostics.diagnostic import Diagnostic, DiagnosticError

SIZE = st.sampled_from([1, 2, 3, 4, 5, 7, 8, 14, 16, 500, 1000])


@st.composite
def joins(draw: st.DrawFn) -> tuple[str, tuple[int, ...], tuple[int, ...]]:
    """How two tensors are joined, and the shapes of both."""
    rank = draw(st.integers(0, 3))
    shape = st.tuples(*[SIZE] * (rank + 1))
    how = draw(st.sampled_from(["{} + {}", "{} * {}", "{} - {}", "concat({}, {}, axis={})"]))
    axis = draw(st.integers(0, rank))
    return how.format("{}", "{}", axis), draw(shape), draw(shape)


def mistakes(
    how: str, a: tuple[int, ...], b: tuple[int, ...], one: str = "", two: str = ""
) -> list[Diagnostic]:
    sizes = [", ".join(map(str, shape)) for shape in (a, b)]
    line = how.format(f"(a {one})", f"(b {two})")
    try:
        archdsl.loads(
            f"arch net {{\n input a: {sizes[0]}\n input b: {sizes[1]}\n return {line}\n}}"
        )
    except DiagnosticError as problem:
        return problem.diagnostics
    return []


@settings(max_examples=300, deadline=None)
@given(joins())
def test_the_fix_works(join: tuple[str, tuple[int, ...], tuple[int, ...]]) -> None:
    how, a, b = join
    found = mistakes(how, a, b)
    if not found:
        return
    (problem,) = found
    advice = re.search(r"`(-> .*)` (?:gives|makes) the (first|second)", problem.advice)
    assert advice is not None, problem.advice
    one, two = (advice[1], "") if advice[2] == "first" else ("", advice[1])
    assert mistakes(how, a, b, one, two) == []
    differ = [f"{m} and {n}" for m, n in zip(a, b) if m != n and 1 not in (m, n)]
    assert "concat" in how or all(pair in problem.title for pair in differ)


def test_residuals_at_other_strides() -> None:
    (problem,) = mistakes("{} + {}", (32, 1000), (64, 500))
    assert problem.title.endswith(
        "32x1000 and 64x500 do not match: 32 and 64 channels, width 1000 and 500"
    )
    assert problem.advice == "`-> conv(64, s=2)` makes the first 64x500"
    (problem,) = mistakes("{} + {}", (64, 7, 28), (32, 14, 28))
    assert problem.advice == "`-> conv(64, s=(2, 1))` makes the second 64x7x28"


def test_products_of_matrices_name_all_axes() -> None:
    (problem,) = mistakes("matmul({}, {})", (8, 4, 6), (3, 5, 6))
    assert problem.title.endswith(": 8 and 3 channels, 6 columns and 5 rows")
    (problem,) = mistakes("matmul({}, {})", (8, 4, 6), (8, 5, 6))
    assert problem.advice == "`-> permute((0, 2, 1))` transposes the second"
    assert mistakes("matmul({}, {})", (8, 4, 6), (8, 5, 6), two="-> permute((0, 2, 1))") == []
