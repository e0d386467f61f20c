"""Blocks that nothing uses are tried on samples, and only those that suit no input are wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings

from archdsl.api.network import Spec
from archdsl.cli import main
from archdsl.elaborate import samples
from archdsl.testing import specs
from tests.conftest import ROOT

FILES = sorted([*(ROOT / "specs").rglob("*.arch"), *(ROOT / "tests/constructs").glob("*.arch")])


def wrong(text: str) -> list[tuple[str, str]]:
    """The codes of what is wrong in the blocks of a text that no network uses, and the places."""
    return [(p.code, p.span.text if p.span else "") for p in Spec.of_text(text).unused_mistakes()]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_no_sound_block_is_blamed(path: Path) -> None:
    spec = Spec.open(str(path))
    for name in spec.blocks:
        assert samples.mistakes(spec.unit(name), spec.program) == []
        assert samples.own_places(spec.unit(name), spec.program) == set()


@settings(max_examples=150, deadline=None)
@given(specs())
def test_no_block_of_a_network_that_builds_is_blamed(text: str) -> None:
    spec = Spec.of_text(text)
    spec.network(spec.archs[-1])
    for name in spec.blocks:
        assert samples.own_places(spec.unit(name), spec.program) == set()


@pytest.mark.parametrize(
    "text",
    [
        "block f(c) { return x + (x -> conv(40)) }",
        "block f { return x + (x -> conv(64, k=3, s=2)) }",
        "block f { return x -> reshape((x.c, 49)) }",
        "block f { return x -> split([10, 20, 33]) -> concat }",
        "block f(c=8) { return x -> linear(c) }",
        "block f { require x.c == 77, \"77 channels\"\n return x -> conv(14, groups=7) }",
        "block f(a: tensor, b: tensor) { return a + b * 2 }",
        "block f(a: tensor, b: tensor) { return matmul(a, b) }",
        "block f(a: tensor, b: tensor) { return a + (b -> resize(scale=2)) }",
        "block f(a: tensor, b: tensor) { return a * (b -> reshape((b.c, 1, 1))) }",
        "block f(a: tensor, b: tensor = none) { return (a + b) -> conv(8) }",
        "block f(maps: tensor) { return maps[0] + maps[1] }",
        "block f(maps: tensor) { return concat(maps) -> conv(8) }",
        "block f(a: tensor, maps: tensor) { return a + maps[1] }",
        "block f { let n = x.w // 7\n return x -> avg_pool(n) -> reshape((49 * x.c,)) }",
        "block f { return x -> conv(8, k=9, p=valid) -> conv(8, k=9, p=valid) }",
        "block f(s=2) { return x -> pixel_shuffle(s) }",
        "block f { return x -> flatten -> reshape((4, x.c / 4, x.h, x.w)) }",
        "block f(d) { let k = 3 if d == 1 else none\n return x -> conv(8, k=k) }",
    ],
)
def test_what_some_input_suits_is_fine(text: str) -> None:
    assert wrong(text) == []


@pytest.mark.parametrize(
    ("text", "code", "place"),
    [
        ("block f { return x -> relu6 -> swisch }", "A1002", "swisch"),
        ("block f(c) { return x -> conv(c, kernel=3) }", "A1003", "kernel=3"),
        ("block f(c) { return x -> conv(c, p=smae) }", "A1002", "smae"),
        ("block f(c) { return x -> conv(c, k=0) }", "A2001", "k=0"),
        ("block f(c) { return x -> conv(c) -> relu if width > 2 else x }", "A1002", "width"),
        ("block f { return (x -> conv(8)) + (x -> conv(16)) }", "A3015",
         "(x -> conv(8)) + (x -> conv(16))"),
        ("block f { return x -> flatten -> conv(3) }", "A3001", "conv(3)"),
        ("block f(c=64) { return x -> conv(c, groups=7) }", "A3014", "groups=7"),
        ("block f { a, b = x -> conv(8)\n return a }", "A2015", "a, b"),
        ("block f { y = 3\n return x }", "A2014", "y = 3"),
        ("block f { return 3 }", "A3002", "3"),
        ("block f(c) { y = x -> conv(7)\n return y + (y -> conv(8)) -> conv(c) }", "A3015",
         "y + (y -> conv(8))"),
        ("block f(a: tensor, b: tensor) { return a -> resize }", "A2021", "resize"),
        ("block g(c) { return x -> conv(c) }\nblock f { return x -> g }", "A1001", "g"),
    ],
)  # fmt: skip
def test_what_no_input_suits_is_a_mistake(text: str, code: str, place: str) -> None:
    assert wrong(text) == [(code, place)]


def test_check_tries_blocks_and_only_those_that_nothing_uses(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.arch").write_text(
        "block used(c=64) { return x -> conv(c, groups=7) }\n"
        "block never(c=64) { return x -> conv(c, groups=7) }\n"
        "arch net { input x: 14x8x8\n return x -> used(c=7) }\n"
    )
    assert main(["check", "net.arch"]) == 1
    said = capsys.readouterr().err
    assert said.count("error[") == 1 and "net.arch:2:41" in said
    assert "unused block `never`: fails for x: 64x56x56 and all other sample inputs" in said


def test_what_is_wrong_in_every_use_stays_where_it_is_written() -> None:
    from archdsl.diagnostics.diagnostic import DiagnosticError

    text = """block f(c) {
  y = x -> conv(12) -> bn
  z = (y -> conv(8)) + (y -> conv(16))
  return z -> conv(c)
}
arch net {
  input x: 14x8x8
  return x -> f(8) -> f(c=9)
}
"""
    with pytest.raises(DiagnosticError) as caught:
        Spec.of_text(text).network()
    (problem,) = caught.value.diagnostics
    assert problem.span is not None
    assert problem.span.text == "(y -> conv(8)) + (y -> conv(16))"
