"""`archdsl explain SPEC`: that its equations are right, and that everything can be explained."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import archdsl
from archdsl.api.network import Spec
from archdsl.ops import numbers
from archdsl.reports.explain import facts as explain
from archdsl.reports.explain.facts import Fact, Section
from tests.conftest import Command
from tests.shipped import SHIPPED

SPEC = """\
block unit(c, s=1, e=2, wide=false, act=relu) {
  default bn(eps=1e-3)
  let mid = floor(e * x.c) if wide else x.c
  inner = x -> conv(mid, k=3, s=s) -> bn -> act
  more  = inner -> conv(max(8, mid // 2)) -> bn   if mid > 16
  return more -> conv(c, groups=1)
}

arch net(width=1.5, classes=10, few=2 * 3) {
  variants {
    name   width
    thin   0.3
  }
  input image: 3, 4 * 8, 32
  require few > 1, "few is {few}"
  warn few > 100, "many"
  let most = ceil(width * 10)
  default unit(act=silu)
  stem = image -> conv(divisible(24 * width), k=3) -> bn
  body = stem -> stages(width=width, depth=width, depth_round=nearest, wide=true) {
    block      c    n      s  e
    a1: unit   20   2      2  1.5
    unit       2*most 1    1  -   divisor=4
    max_pool   -    -      2  -   k=2
    unit       64   0      1  -
  }
  once = body -> unit(32, e=few)
  repeat i in 0..3 {
    once = once -> conv(32 + 8 * i)
  }
  return once -> global_pool -> linear(classes)
}
"""


@pytest.mark.parametrize("variant", [None, "thin"])
def test_golden(variant: str | None, golden: Callable[[str, str], None], tmp_path: Path) -> None:
    network = Spec.of_text(SPEC, "net.arch").network(variant=variant)
    golden(f"explain/{network.name}.text", network.explain() + "\n")


def test_golden_published(golden: Callable[[str, str], None]) -> None:
    network = archdsl.load("efficientnet", variant="b3")
    golden("explain/efficientnet_b3.text", network.explain() + "\n")
    golden("explain/efficientnet_b3.stage3", network.explain("body.stage3") + "\n")


def facts(sections: list[Section]) -> Iterator[tuple[str, Fact]]:
    for section in sections:
        yield from ((section.title, fact) for fact in section.facts)
        yield from facts([*section.sections])


def found(network: archdsl.Network, **_: object) -> dict[tuple[str, str], Fact]:
    sections = explain.explain(network.graph, network._parameters)
    return {(title, fact.name): fact for title, fact in facts(sections)}


def told(network: archdsl.Network, title: str, name: str) -> tuple[str, str]:
    fact = found(network)[title, name]
    return str(fact.equation), fact.origin


def test_where_parameters_come_from() -> None:
    spec = Spec.of_text(SPEC, "net.arch")
    network = spec.network(None, "thin", {"classes": 3, "few": "1 + 1"})
    assert told(network, "parameters", "width") == ("0.3", "variant thin")
    assert told(network, "parameters", "classes") == ("3", "given")
    assert told(network, "parameters", "few") == ("1 + 1 = 2", "--set")
    assert told(archdsl.loads(SPEC), "parameters", "few") == ("2 * 3 = 6", "default")
    assert found(network)["parameters", "width"].place == "net.arch:12"


def test_scaling_and_rounding() -> None:
    """The example of the published networks: 24 * 1.1 and 2 * 1.2 of EfficientNet-B2."""
    network = archdsl.load("efficientnet", variant="b2")
    text, origin = told(network, "body.stage2", "c")
    assert (
        text == ("24 * width = 24 * 1.1 = 26.4 -> 24 (nearest multiple of 8, not under 90 %)")
        and origin == "cell; stages(width=width)"
    )
    text, _ = told(network, "body.stage2", "n")
    assert text == "2 * depth = 2 * 1.2 = 2.4 -> 3 (rounded up)"
    assert told(network, "defaults in effect", "bn eps")[0] == "eps = 1e-05"


@pytest.mark.parametrize(
    ("exact", "divisor", "text"),
    [
        (26.4, 8, "nearest multiple of 8, not under 90 %"),
        (24, 8, "a multiple of 8"),
        (17.9, 8, "16, the nearest multiple of 8, is under 90 %"),
        (1.5, 8, "at least 8"),
        (11.2, 8, "8, the nearest multiple of 8, is under 90 %"),
    ],
)
def test_why_divisible(exact: float, divisor: int, text: str) -> None:
    result = numbers.divisible(exact, divisor)
    assert numbers.rounding_text("divisible", exact, result, divisor) == text


def test_guards_and_defaults() -> None:
    network = archdsl.loads(SPEC)
    assert told(network, "body.a1", "act") == ("silu", "default unit(...)")
    assert told(network, "body.a1", "s") == ("2 (then 1)", "cell")
    assert told(network, "body.stage2", "e") == ("2", "default of unit")
    assert told(network, "once", "e") == ("few = 6", "argument")
    assert told(network, "once", "more") == ("if mid > 16: 44 > 16: true", "taken")
    assert found(network)["once", "default bn eps"].origin == "instead of 1e-05"
    assert [*found(network)][-1][0] == "once round 2"


def test_every_number_is_what_python_makes_of_it() -> None:
    """Steps without names are arithmetic, which Python computes to the same."""
    functions = {"floor": math.floor, "ceil": math.ceil, "divisible": numbers.divisible,
                 "max": max, "min": min, "abs": abs, "round": round, "sqrt": math.sqrt,
                 "true": True, "false": False}  # fmt: skip
    checked = 0
    for spec, arch, variant in SHIPPED:
        network = archdsl.load(spec, arch=arch, variant=variant)
        for _, fact in facts(explain.explain(network.graph, {})):
            *steps, last = fact.equation.steps
            for step in steps:
                if not re.fullmatch(
                    r"(if )?[0-9e. +*/%^()<>=!,-]*", re.sub(r"[a-z]{3,}", "", step)
                ):
                    continue
                try:
                    value = eval(step.removeprefix("if ").replace("^", "**"), {}, functions)
                    expected = eval(last, {}, functions)
                except (NameError, SyntaxError, TypeError):
                    continue
                assert value == pytest.approx(expected, rel=1e-4), fact
                checked += 1
    assert checked > 300


@pytest.mark.parametrize("network", SHIPPED, ids=lambda n: "-".join(filter(None, n)))
def test_everything_shipped(network: tuple[str, str, str | None]) -> None:
    spec, arch, variant = network
    made = archdsl.load(spec, arch=arch, variant=variant)
    text = made.explain()
    assert "None" not in text and "object at" not in text
    json.loads(made.explain(format="json"))
    for name in explain.names(made.graph)[:: 1 + len(made.nodes) // 8]:
        assert name in made.explain(name)


def test_a_part_adds_up() -> None:
    network = archdsl.load("mobilenet_v2")
    (row,) = (part for part in network.table() if part.name == "body.stage3")
    section = explain.explain_part(network.graph, "body.stage3")
    assert section is not None
    uses = [inner for inner in section.sections if inner.nodes]
    assert [use.title for use in uses] == ["body.stage3.0", "body.stage3.1 to body.stage3.2"]
    params = [sum(n.operation.parameter_count for n in use.nodes) for use in uses]
    assert params[0] + 2 * params[1] == row.params


def test_command(command: Command, tmp_path: Path) -> None:
    (tmp_path / "net.arch").write_text(SPEC)
    done = command("explain", "net.arch", "--set", "width=2")
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"^  width +2 +--set$", done.stdout, re.MULTILINE)
    done = command("explain", "net.arch", "once", "--format", "json")
    assert [s["title"] for s in json.loads(done.stdout)["sections"]] == ["once"]
    assert command("explain", "-", input=SPEC).returncode == 0
    done = command("explain", "net.arch", "boby")
    assert (done.returncode, done.stdout) == (2, "") and "A1040" in done.stderr
    late = command("explain", "net.arch", "--variant", "thin", "once", "--set", "few=3")
    assert (
        late.stdout
        == command("explain", "net.arch", "once", "--variant", "thin", "--set", "few=3").stdout
        and late.returncode == 0
    )
    assert command("explain", "net.arch", "--variant", "thin", "once", "more").returncode == 2
    assert command("explain", "net.arch", "once", "--arch", "net", "more").returncode == 2
    assert command("explain", "A9999").returncode == 2
    assert command("explain", "A3014").stdout.startswith("A3014")
    assert command("explain", "nothing").returncode == 1
