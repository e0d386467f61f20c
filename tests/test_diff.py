"""`archdsl diff`: what it tells, that its numbers add up, and when two networks are the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import archdsl
from archdsl import Network
from archdsl.reports.diff.alignment import aligned
from archdsl.reports.diff.compare import Difference
from tests.conftest import Command
from tests.shipped import SHIPPED

SPEC = """\
block unit(c, s=1, act=relu) {
  let mid = 2 * c
  inner = x -> conv(mid, k=3, s=s) -> bn -> act
  return inner -> conv(c) -> bn
}
arch net(width=1) {
  variants {
    name  width
    wide  1.5
  }
  input image: 3x32x32
  stem = image -> conv(16, k=3, s=2) -> bn -> relu
  body = stem -> stages(width=width) {
    block  c   n  s
    unit   16  2  1
    unit   32  2  2
    unit   64  1  2
  }
  both = concat(body.stage2 -> avg_pool(2), body)
  return both -> global_pool -> linear(10)
}
"""


def changed(*changes: tuple[str, str]) -> Network:
    text = SPEC
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return archdsl.loads(text)


def told(*changes: tuple[str, str]) -> Difference:
    return archdsl.diff(archdsl.loads(SPEC), changed(*changes))


def stages(found: Difference) -> list[tuple[str, str, str, tuple[str, ...]]]:
    return [(s.kind, s.a, s.b, s.details) for s in found.stages if s.kind != "costs"]


ROW = "    unit   32  2  2\n"
SAME = {
    "comments": [("arch net", "# a comment\narch net")],
    "layout": [("    unit   16  2  1", "    unit 16 2 1")],
    "lets": [("let mid", "let m"), ("conv(mid", "conv(m")],
    "numbers": [("2 * c", "c + c")],
    "parameters": [("net(width=1)", "net(width=0.5 + 0.5, unused=3)")],
    "padding": [("conv(mid, k=3", "conv(mid, k=3, p=1")],
    "blocks": [("block unit", "block other"), ("    unit", "    other")],
    "named cells": [("    unit   64  1  2", "    unit   64  1  s=2")],
}


@pytest.mark.parametrize("kind", SAME)
def test_the_same_network(kind: str) -> None:
    found = told(*SAME[kind])
    assert found.same and not found.stages
    assert found.text() == "net and net are the same network"


DIFFERENT: dict[str, tuple[list[tuple[str, str]], list[tuple[str, str, str, tuple[str, ...]]]]] = {
    "cell": (
        [("    unit   32  2  2", "    unit   32  3  2  act=silu")],
        [("changed", "body.stage2", "body.stage2", ("n 2 -> 3", "act relu -> silu"))],
    ),
    "inserted": (
        [(ROW, "    unit 24 1 1\n" + ROW), ("body.stage2", "body.stage3")],
        [("added", "", "body.stage2", ())],
    ),
    "removed": (
        [("    unit   16  2  1\n", ""), ("body.stage2", "body.stage1")],
        [("removed", "body.stage1", "", ())],
    ),
    "line": (
        [("conv(16, k=3, s=2) -> bn", "conv(24, k=5, s=2) -> bn(eps=1e-3)")],
        [("changed", "stem", "stem",
          ("conv c 16 -> 24", "conv k 3 -> 5", "bn eps 1e-05 -> 0.001"))],
    ),
    "step": (
        [("-> global_pool -> linear", "-> global_pool -> dropout(0.5) -> linear")],
        [("changed", "out", "out", ("with dropout",))],
    ),
    "connections": (
        [("concat(body.stage2 -> avg_pool(2), body)", "concat(body.stage1 -> avg_pool(4), body)")],
        [("changed", "both", "both",
          ("takes body.stage2 -> body.stage1", "avg_pool k 2 -> 4", "avg_pool s 2 -> 4"))],
    ),
    "names": (
        [("stem", "trunk")],
        [("changed", "stem", "trunk", ("renamed",))],
    ),
    "names in a block": (
        [("inner", "core")],
        [("changed", f"body.stage{i}", f"body.stage{i}", ()) for i in (1, 2, 3)],
    ),
    "labels": (
        [("    unit   64", "    last: unit 64")],
        [("changed", "body.stage3", "body.last", ("renamed",))],
    ),
    "blocks": (
        [("return inner -> conv(c) -> bn", "return inner -> conv(c) -> bn -> act")],
        [("changed", f"body.stage{i}", f"body.stage{i}", ("with out.2 relu",)) for i in (1, 2, 3)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", DIFFERENT)
def test_differences(kind: str) -> None:
    changes, expected = DIFFERENT[kind]
    found = told(*changes)
    assert not found.same
    assert [s[:3] for s in stages(found)] == [s[:3] for s in expected]
    for actual, wanted in zip(stages(found), expected):
        assert not wanted[3] or set(map(str.strip, actual[3])) == set(map(str.strip, wanted[3]))


def test_what_differs_everywhere_is_told_once() -> None:
    found = told(("  input image", "  default bn(eps=1e-3)\n  input image"))
    assert found.everywhere == ("bn eps 1e-05 -> 0.001",)
    assert not found.same and not found.stages


def test_inputs_and_outputs() -> None:
    found = told(("image: 3x32x32", "image: 1x32x32"))
    assert found.inputs == ("image 3x32x32 -> 1x32x32",)
    assert told(("image", "photo")).inputs == ("image 3x32x32 -> photo 3x32x32",)
    found = told(("return both -> global_pool -> linear(10)", "return both"))
    assert found.outputs == ("out 10 -> both 96x4x4",)


def test_one_dimension_and_two() -> None:
    """Kernels of 3 and of (3, 3) are the same text."""
    found = told(("image: 3x32x32", "image: 3x64"))
    assert {s.kind for s in found.stages} == {"costs"}


def test_blocks_that_are_defined_otherwise() -> None:
    found = told(("return inner -> conv(c) -> bn", "return inner -> conv(c)"))
    assert found.blocks == ("unit is defined differently: <text>:1 -> <text>:1",)
    assert told(*SAME["lets"]).blocks == ()


def test_variants() -> None:
    network = archdsl.loads(SPEC)
    found = archdsl.diff(network, network.variant("wide"))
    assert found.parameters == ("width 1 -> 1.5",)
    assert stages(found)[0][3] == ("c 16 -> 24",)


PAIRS = [
    ("squeezenet1_0", "squeezenet1_1"),
    ("mnasnet_a1", "mnasnet_b1"),
    ("resnet50", "resnext50"),
    ("mobilenet_v2", "efficientnet"),
    ("mobilenet_v1", "xception"),
    ("densenet121", "resnet50"),
]


@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_numbers_add_up_and_turn_around(a: str, b: str) -> None:
    one, other = archdsl.load(a), archdsl.load(b)
    check_pair(one, other)


def check_pair(one: Network, other: Network) -> None:
    there, back = archdsl.diff(one, other), archdsl.diff(other, one)
    assert there.same == back.same
    assert there.total.params == (one.params, other.params)
    assert there.total.macs == (one.macs, other.macs)
    if not there.same:
        for name in ("params", "macs", "memory"):
            total = getattr(there.total, name)
            stage = [getattr(s.amounts, name) for s in there.stages]
            assert sum(new - old for old, new in stage) == total[1] - total[0]
            assert sorted((new, old) for old, new in stage) == sorted(
                getattr(s.amounts, name) for s in back.stages
            )
    turned = {"added": "removed", "removed": "added"}
    assert sorted((s.kind, s.a, s.b) for s in there.stages) == sorted(
        (turned.get(s.kind, s.kind), s.b, s.a) for s in back.stages
    )


@pytest.mark.parametrize("network", SHIPPED, ids=lambda n: "-".join(filter(None, n)))
def test_with_itself(network: tuple[str, str, str | None]) -> None:
    spec, arch, variant = network
    one, other = (archdsl.load(spec, arch=arch, variant=variant) for _ in range(2))
    found = archdsl.diff(one, other)
    assert found.same and not found.stages and not found.parameters


@pytest.mark.parametrize("form", ["text", "markdown", "json"])
def test_golden(form: str, golden: Callable[[str, str], None]) -> None:
    found = archdsl.diff(archdsl.load("mnasnet_a1"), archdsl.load("mobilenet_v2"), batch=8)
    golden(f"diff/mnasnet_a1_mobilenet_v2.{form}", found.text(form) + "\n")


def test_golden_variants(golden: Callable[[str, str], None]) -> None:
    b0, b5 = (archdsl.load("efficientnet", variant=v) for v in ("b0", "b5"))
    golden("diff/efficientnet_b0_b5.text", archdsl.diff(b0, b5).text() + "\n")


def test_alignment() -> None:
    def pairs(a: str, b: str) -> list[tuple[str | None, str | None]]:
        return aligned(a, b, lambda x, y: float(x == y))

    assert pairs("abcd", "abxcd") == [
        ("a", "a"), ("b", "b"), (None, "x"), ("c", "c"), ("d", "d"),
    ]  # fmt: skip
    assert pairs("abc", "") == [("a", None), ("b", None), ("c", None)]
    assert [p for p in pairs("axbycz", "abc") if None not in p] == [
        ("a", "a"), ("b", "b"), ("c", "c"),
    ]  # fmt: skip


def test_command(command: Command, tmp_path: Path) -> None:
    (tmp_path / "a.arch").write_text(SPEC)
    (tmp_path / "b.arch").write_text(SPEC.replace("64  1  2", "96  1  2"))
    done = command("diff", "a.arch", "b.arch")
    assert (done.returncode, done.stderr) == (1, "")
    assert "body.stage3  c 64 -> 96" in done.stdout
    done = command("diff", "a.arch", "a.arch")
    assert (done.returncode, done.stdout) == (0, "net and net are the same network\n")
    assert command("diff", "a.arch", "a.arch@wide").returncode == 1
    assert command("diff", "a.arch@net@wide", "a.arch@wide").returncode == 0
    assert command("diff", "a.arch@net", "-", input=SPEC).returncode == 0
    assert command("diff", "a.arch", "b.arch", "--set", "width=2").returncode == 1
    assert command("diff", "a.arch@wide", "a.arch", "--set-b", "width=1.5").returncode == 0
    done = command("diff", "a.arch", "b.arch", "--quiet")
    assert (done.returncode, done.stdout) == (1, "")
    done = command("diff", "a.arch", "b.arch", "--format", "json")
    content = json.loads(done.stdout)
    assert content["stages"][0]["details"] == ["c 64 -> 96"]
    change = content["total"]["params"]
    assert change["b"] - change["a"] == change["change"] > 0
    assert json.loads(done.stderr)["errors"] == 0


def test_trouble_is_2_as_of_diff(command: Command, tmp_path: Path) -> None:
    (tmp_path / "a.arch").write_text(SPEC)
    (tmp_path / "wrong.arch").write_text(SPEC.replace("conv(mid", "conv(0"))
    for arguments in (
        ["a.arch", "wrong.arch"],
        ["a.arch", "missing.arch"],
        ["a.arch", "a.arch@huge"],
        ["a.arch", "a.arch", "--set-a", "height=1"],
        ["-", "-"],
        ["a.arch"],
        ["a.arch", "a.arch", "--batch", "0"],
        ["a.arch", "a.arch", "--set-a", "width=1", "--set-a", "width=2"],
    ):
        done = command("diff", *arguments)
        assert (done.returncode, done.stdout) == (2, ""), arguments
        assert "Traceback" not in done.stderr and done.stderr
    done = command("diff", "a.arch", "a.arch@huge")
    assert "--> B:1:8" in done.stderr and "its variants are wide" in done.stderr
    done = command("diff", "wrong.arch", "a.arch", "--format", "json")
    assert done.returncode == 2 and json.loads(done.stderr)["errors"] == 1


def test_a_file_may_have_the_sign_in_its_name(command: Command, tmp_path: Path) -> None:
    (tmp_path / "a@wide").write_text(SPEC)
    assert command("diff", "a@wide", "a@wide").returncode == 0
