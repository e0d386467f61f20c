"""Small specs do not make much work: counted in numbers, letters and rows, not in seconds."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archdsl.diagnostics.diagnostic import DiagnosticError
from archdsl.frontend import tables
from archdsl.ir.receptive import MOST, sights
from archdsl.ops.base import Word
from archdsl.ops.reach import LONGEST
from archdsl.reports.view import geometry, tracks
from archdsl.support import limits
from archdsl.tools.running import check_run
from archdsl.weights.sources import Declared, Drawn
from tests.properties import network


def net(*lines: str, size: str = "1x64") -> str:
    return "\n".join([f"arch net {{\n  input x: {size}", *lines, "}"]) + "\n"


def codes(text: str, path: Path | None = None) -> set[str]:
    try:
        made = network(text)
        if path is not None:
            made.onnx(path)
    except DiagnosticError as problem:
        return {found.code for found in problem.diagnostics}
    return set()


REACHES = [
    net("return x -> resize(size=2147483647)", size="1x2"),
    net("return x -> resize(size=2147483647, mode=bilinear)", size="1x1999993"),
    net("return x -> resize(size=1999993, mode=area)", size="1x2147483647"),
    net("return x -> avg_pool(out=1999993)", size="1x2147483647"),
    net("return x -> conv_transpose(1, k=1, s=2000000000)", size="1x1"),
    net("return x -> pixel_shuffle(1048576) -> conv(1)", size="1099511627776x1x1"),
    net("a = x -> conv_transpose(1, k=3, s=65521)", "return a -> resize(size=65519)"),
    net("a = x -> resize(size=65521)", "b = x -> resize(size=65519)", "c = b -> resize(a)",
        "return a + c"),
    net("y = x", "repeat i in 0..2000 {", "y = y -> resize(size=32749 - 6 * i)", "}", "return y"),
    net("y = x -> conv_transpose(1, k=1, s=32749)", "repeat i in 0..5000 {",
        "y = y -> conv(1, k=3)", "}", "return y"),
    net("a = x -> resize(size=32749)", "repeat i in 0..3000 {", "a = a + (a -> conv(1, k=3))", "}",
        "return a"),
]  # fmt: skip


@pytest.mark.parametrize("text", REACHES)
def test_patterns_of_receptive_fields_are_bounded(text: str) -> None:
    try:
        made = network(text)
    except DiagnosticError:
        return
    found = sights(made.graph)
    distinct = {id(steps): steps for all_ in found.values() for sight in all_ if sight.near
                for steps in sight.near}  # fmt: skip
    assert all(len(steps.values) <= LONGEST for steps in distinct.values())
    assert sum(len(steps.values) for steps in distinct.values()) <= 3 * MOST
    assert made.summary() and made.table()


def test_what_is_not_followed_is_a_question_mark() -> None:
    assert "?" in network(REACHES[0]).summary().split("out ")[1].splitlines()[0]
    assert network(REACHES[0]).table()[0].receptive_field == (None,)


@pytest.mark.parametrize("std", [0.01, 1.0, 2.0, 2.5, 100.0, 1e30])
def test_truncated_normals_are_drawn_a_few_times(std: float, monkeypatch: Any) -> None:
    drawn: Counter[str] = Counter()
    generator = np.random.Generator

    class Counting:
        def __init__(self, bits: Any) -> None:
            self.inner = generator(bits)

        def __getattr__(self, name: str) -> Any:
            def draw(*arguments: Any) -> Any:
                numbers = getattr(self.inner, name)(*arguments)
                drawn["numbers"] += np.size(numbers)
                return numbers

            return draw

    monkeypatch.setattr(np.random, "Generator", Counting)
    shape = (64, 64, 3, 3)
    tensors = {"w": Declared(shape, Word("truncated_normal", (std,)), True)}
    values = np.concatenate([*Drawn(tensors, 0).pieces("w")])
    assert values.shape == shape and np.abs(values).max() <= 2
    assert drawn["numbers"] < 4 * values.size
    # The variance of a normal within -2 and 2, by the formula.
    t = np.linspace(-2, 2, 100_001)
    density = np.exp(-0.5 * (t / std) ** 2)
    assert values.var() == pytest.approx((t**2 * density).sum() / density.sum(), rel=0.05)


@pytest.mark.parametrize("text", ["a" * 20_000, "a " * 10_000, "wide " * 4_000, "日本" * 5_000])
def test_letters_of_a_text_are_measured_a_few_times(text: str, monkeypatch: Any) -> None:
    measured = Counter[str]()
    letter = geometry._letter

    def count(one: str) -> float:
        measured["letters"] += 1
        return letter(one)

    expected = [geometry.fitted(text[:40], 10, 100), *geometry.wrapped(text[:60], 10, 100)]
    for line in expected:
        assert geometry.text_width(line, 10) <= 100
    monkeypatch.setattr(geometry, "_letter", count)
    geometry.fitted(text, 10, 100)
    geometry.wrapped(text, 10, 100)
    assert measured["letters"] <= 5 * len(text)


def test_rows_are_read_a_few_times(monkeypatch: Any) -> None:
    rows = "\n".join(f"    conv_bn_act  8  {1 + i % 2}" for i in range(400))
    made = network(net(f"  y = x -> stages {{\n    block c n\n{rows}\n  }}\n  return y"))
    read = Counter[str]()
    entries = tables._entries

    def count(*arguments: Any) -> Any:
        read["rows"] += 1
        return entries(*arguments)

    monkeypatch.setattr(tables, "_entries", count)
    assert made.explain()
    assert read["rows"] <= 4 * 400


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (net("return x -> shift(301)", size="90601x1x1"), {"A2004"}),
        (net("return x -> shift(999)", size="1000x1x1"), {"A2004"}),
        (net("return x -> shift(2147483647)", size="4x8"), {"A2004"}),
        (net("return x -> shift(1)", size="2000000000x1"), set()),
        (net("a = x -> split(65536)", "return a[0]", size="65536x1"), {"A5010"}),
        (net("y = x", "repeat i in 0..20000 {", "a = x -> split(10000)", "y = y + a[0]", "}",
             "return y", size="10000x1"), {"A5006"}),
        (net("a = x -> split(10000)", "y = x", "repeat i in 0..20000 {", "y = concat(a) -> conv(1)",
             "}", "return y", size="10000x1"), {"A5006"}),
    ],
)  # fmt: skip
def test_windows_and_parts_are_bounded(text: str, expected: set[str]) -> None:
    assert codes(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        net("return x -> resize(size=2147483647)", size="1x2147483646"),
        net("return x -> resize(size=4000, mode=area)", size="1x3000"),
        net("return x -> avg_pool(out=2999)", size="1x3000"),
        net("return x -> channel_shuffle(2)", size="1000000000x1"),
        net("return x -> layer_norm(affine=false)", size="1000000000x1"),
        net("return x -> group_norm(500000000, affine=false)", size="1000000000x1"),
        net("y = x", "repeat i in 0..30 {", "y = y -> shift(19) ", "}", "return y",
            size="400x9x9"),
    ],
)  # fmt: skip
def test_constants_of_a_file_are_bounded(text: str, tmp_path: Path) -> None:
    assert codes(text, tmp_path / "net.onnx") == {"A5015"}


def test_buffers_count_as_what_is_written(tmp_path: Path) -> None:
    text = net("return x -> bn(affine=false)", size="1000000000x1")
    assert codes(text, tmp_path / "net.onnx") == {"A5013"}


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        (net("y = x", "repeat i in 0..2000 {", "y = y -> conv(3, k=3) -> bn -> relu", "}",
             "return y", size="3x8x8"), "run-operations"),
        (net("return x -> conv(100000) -> conv(2)", size="2000x1024"), "run-macs"),
        (net("return x -> conv_transpose(1, k=1, s=2000000000)", size="1x1"), "run-numbers"),
        (net("return x -> conv(1, k=2, d=1000000000, p=1000000000)", size="1x3"), "run-numbers"),
        (net("return x -> pad(100000) -> global_pool", size="1x1x1"), "run-numbers"),
        (net("return x -> linear(400000)", size="1000"), "run-numbers"),
    ],
)  # fmt: skip
def test_what_runs_is_bounded(text: str, limit: str) -> None:
    graph = network(text).graph
    with pytest.raises(DiagnosticError) as refused:
        check_run(graph)
    assert [problem.code for problem in refused.value.diagnostics] == ["A5016"]
    with limits.adjusted({limit: 10**12}):
        check_run(graph)


def test_a_name_of_many_letters_is_looked_through_once() -> None:
    """Looking for what a module calls, from each of its letters on, would take minutes."""
    name = "a" * 100_000
    assert name in network(net(f"{name} = x -> conv(1)", f"return {name}")).source()


def test_tracks_of_many_edges(monkeypatch: pytest.MonkeyPatch) -> None:
    """Edges that all pass each other: each meets the lowest track, and no other is looked at."""
    looked = 0
    meets = tracks._meets

    def count(*arguments: Any) -> bool:
        nonlocal looked
        looked += 1
        return meets(*arguments)

    monkeypatch.setattr(tracks, "_meets", count)
    gap = tracks.Gap()
    for i in range(5_000):
        gap.add(-10.0 * i, 100.0 + 10 * i, i)
    assert gap.assign() == 5_000
    assert looked < 6_000


@given(st.lists(st.tuples(*[st.integers(0, 12)] * 3), max_size=24))
def test_tracks_are_those_of_the_plain_rule(pieces: list[tuple[int, int, int]]) -> None:
    gap = tracks.Gap()
    for start, stop, key in pieces:
        gap.add(gap.pieces.get(key, [5.0 * start])[0], 5.0 * stop, key)
    plain: dict[Any, int] = {}
    waiting = sorted(gap.pieces, key=gap._place)
    while waiting:
        key = next(
            (
                one
                for one in waiting
                if not any(
                    other != one and abs(gap.pieces[other][0] - end) < 0.1
                    for other in waiting
                    for end in gap.pieces[one][1:]
                )
            ),
            waiting[0],
        )
        waiting.remove(key)
        low, high = min(gap.pieces[key]), max(gap.pieces[key])
        met = [
            number
            for other, number in plain.items()
            if low <= max(gap.pieces[other]) + tracks.APART
            and min(gap.pieces[other]) - tracks.APART <= high
        ]
        plain[key] = max(met, default=-1) + 1
    gap.assign()
    assert gap.tracks == plain
