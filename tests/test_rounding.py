"""Numbers that are whole but for the rounding of floating-point arithmetic."""

from __future__ import annotations

import re
from math import ceil, gcd

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archdsl.diagnostics.diagnostic import DiagnosticError
from archdsl.ops.kinds import describe, nearest_whole
from tests.properties import network, onnx_agrees, torch_agrees

QUICK = settings(
    max_examples=60, deadline=None, derandomize=True, database=None,
    suppress_health_check=[*HealthCheck],
)  # fmt: skip


def products(most: int) -> list[tuple[str, int]]:
    """Products that would be whole and are off as doubles, and what they would be, up to `most`."""
    found = []
    for digits in (10, 100, 1000):
        for part in range(1, 4 * digits):
            least = digits // gcd(part, digits)
            for total in range(least, most * digits // part + 1, least):
                count = part * total // digits
                if part / digits * total != count:
                    found.append((f"{part / digits} * {total}", count))
    return found


OFF = products(64)
SMALL = [product for product in OFF if product[1] <= 40]


def test_products_are_off() -> None:
    """What the others try: many, above and below what they would be."""
    exact = [(eval(text), count) for text, count in OFF]
    assert len(OFF) > 20
    assert {value > count for value, count in exact} == {True, False}


SPECS = """\
arch net {
  input x: 3x8x8
  return x -> conv(A) -> bn -> relu
}
---
arch net(c=A) {
  input x: 3x8x8
  return x -> conv(c) -> conv(B, bias=true)
}
---
arch net {
  input x: 3x9x9
  let c = A
  let k = 0.07 * 100 // 1
  y = x -> conv(c, k=(0.03 * 100, k), p=valid) -> conv(floor(c) + 1) -> conv(ceil(c))
  return y
}
---
block unit(c, k=1) {
  let mid = c * 0.5 * 2
  return x -> conv(mid, k=k) -> relu -> conv(floor(c) + 1, k=k)
}
arch net {
  input x: 3x8x8
  y = x -> unit(A) -> unit(B, k=0.03 * 100) -> unit(4)
  return y
}
---
block unit(f) {
  let c = f * 100
  return x -> conv(c) -> bn -> conv(x.c)
}
arch net {
  input x: 3x8x8
  return x -> unit(0.07) -> unit(0.29) -> unit(0.57) -> unit(0.58)
}
---
arch net {
  input x: 3x8x8
  body = x -> stages {
    block c n k
    conv (A) 0.03*100 0.29*100-28
    conv_bn_act 0.07*100*(rep+1) 3 -
    sepconv (B) 1 0.03*100
  }
  return body
}
---
block rounds(n, f) {
  let widths = [4, A, 0.07 * 100]
  y = x
  repeat i in 0..n * f {
    y = y -> conv(widths[i * f * 10 % 3]) -> bn
  }
  return y
}
arch net {
  input x: 3x8x8
  return x -> rounds(30, 0.1) -> rounds(20, 0.1) -> rounds(10, 0.1)
}
---
block parts(f) {
  a, b = x -> split([f * 100, x.c - f * 100])
  c = x -> slice(f * 100, axis=0.1 * 10)
  d = x -> split(0.01 * 200)
  return concat(b, a), c, d[0.1 * 10]
}
arch net {
  input x: 60x60
  a, b, c = x -> parts(0.07)
  d, e, f = x -> parts(0.29)
  return a, b, c, d, e, f, x -> conv(A)
}
---
block shaped(f) {
  y = x -> reshape((f * 10, -1)) -> conv(A, groups=1) -> conv(divisible(f * 10, f * 10))
  return y -> channel_shuffle(f * 10) -> pad(0.07 * 100) -> avg_pool(out=f * 10)
}
arch net {
  input x: 42x3
  return x -> shaped(0.7), x -> shaped(0.3), x -> shaped(0.6)
}
---
arch net {
  input x: 0.07 * 100, 0.29 * 100
  return x -> conv(x.c) -> pad_channels(A + 10, before=0.03 * 100)
}
---
arch net(width=0.29) {
  input x: 3x8
  return x -> conv(width * 100) -> global_pool -> linear(width * 100)
}
""".split("---\n")
"""Whole numbers in every place that asks for one."""


@pytest.mark.parametrize("number", range(len(SPECS)))
def test_module_and_graph_agree(number: int) -> None:
    @settings(QUICK, max_examples=12)
    @given(st.sampled_from(SMALL), st.sampled_from(SMALL))
    def agree(a: tuple[str, int], b: tuple[str, int]) -> None:
        text = re.sub(r"\b[AB]\b", lambda name: {"A": a, "B": b}[name[0]][0], SPECS[number])
        torch_agrees(text)
        onnx_agrees(text)

    agree()


@QUICK
@given(st.sampled_from(OFF))
def test_a_product_is_the_channels_it_would_be(product: tuple[str, int]) -> None:
    text, count = product
    made = network(f"arch net {{\n  input x: 3x8\n  return x -> conv({text})\n}}\n")
    assert made.outputs["out"][1] == count
    floor = network(f"arch net {{\n  input x: 3x8\n  return x -> conv(floor({text}) + 1)\n}}\n")
    assert floor.outputs["out"][1] == int(eval(text)) + 1  # IEEE doubles, as in Python


@pytest.mark.parametrize(
    ("value", "whole"),
    [
        (7.000000000000001, 7), (459.99999999999994, 460), (7.0, 7), (-6.9999999999999, -7),
        (7.00000001, None), (6.5, None), (1e-10, 0), (2**31 * 0.3 / 0.3, 2**31),
        (2.0**31 + 2**-20, 2**31), (2.0**31 + 2**-10, None), (1e9 + 0.1, None),
        (float("inf"), None), (float("nan"), None),
    ],
)  # fmt: skip
def test_near_enough(value: float, whole: int | None) -> None:
    """A few last digits are off, at every size; what somebody wrote is not."""
    assert nearest_whole(value) == whole


@QUICK
@given(st.floats(-(2.0**31), 2.0**31))
def test_what_is_shown_as_whole_is_whole(value: float) -> None:
    shown = float(describe(value))
    assert shown.is_integer() == value.is_integer()
    assert shown == pytest.approx(value, rel=1e-5)
    if value.is_integer():
        assert shown == value


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("y = x -> conv(0.29 * 101)", "0.29 * 101 = 29.29 is not an integer"),
        ("y = x -> conv(1e6 / 3)", "1000000 / 3 = 333333.3 is not an integer"),
        ('let a = 2.3 * 200\n  require a == 460, "a is {a}"', "a is 459.99999999999994"),
        ('let a = 0.1 + 0.2\n  require a == 0.3, "a is {a}"', "a is 0.30000000000000004"),
        ('let a = 0.1 + 0.2\n  require a > 0.4, "a is {a}"', "a is 0.3\n"),
        ('let a = 0.1 + 0.2\n  require a == 0.3, "no"', "0.30000000000000004 == 0.3"),
        ("y = x -> conv(6, groups=4)", "6 / 4 = 1.5"),
    ],
)
def test_the_digits_that_matter_are_told(line: str, told: str) -> None:
    with pytest.raises(DiagnosticError) as raised:
        network(f"arch net {{\n  input x: 4x8\n  {line}\n  return x -> relu\n}}\n")
    assert told in str(raised.value)


def test_round_is_advised_first() -> None:
    with pytest.raises(DiagnosticError, match=r"help: round it: round\("):
        network("arch net {\n  input x: 3x8\n  return x -> conv(0.295 * 100)\n}\n")


SCALES = [(size, part) for part in range(1, 130) for size in (part, 2 * part, 7 * part)]


@pytest.mark.parametrize("mode", ["nearest", "area"])
def test_scales_that_are_fractions(mode: str) -> None:
    """`resize(scale=1/n)` of n positions, of any size: in the shape, the module and the graph."""
    for size, part in SCALES[:: 1 if mode == "nearest" else 5]:
        text = (
            f"arch net {{\n  input x: 1x{size}\n"
            f"  return x -> resize(scale=1/{part}, mode={mode})\n}}\n"
        )
        made = network(text)
        assert made.outputs["out"][2] == size // part
        assert made.module()(torch.zeros(1, 1, size)).shape[2] == size // part
        assert made.module()(torch.zeros(1, 1, part)).shape[2] == 1  # where others call it


def test_scales_by_products() -> None:
    for part in range(1, 100):
        text = f"arch net {{\n  input x: 1x100\n  return x -> resize(scale={part / 100})\n}}\n"
        assert network(text).outputs["out"][2] == part


@pytest.mark.parametrize("rounding", ["up", "nearest"])
@pytest.mark.parametrize("depth", [0.1, 0.33, 0.5, 0.7, 1, 1.5, 2])
def test_depth_keeps_every_row(rounding: str, depth: float) -> None:
    """As public rules do: max(1, round(n * depth)); 0 repeats are left out all the same."""
    text = f"""arch net {{
  input x: 3x32
  body = x -> stages(depth={depth}, depth_round={rounding}) {{
    block        c  n  s
    conv_bn_act  4  1  2
    conv_bn_act  8  3  2
    conv_bn_act  8  0  2
    conv_bn_act  8  2  2
  }}
  return body
}}
"""
    made = network(text)
    rule = ceil if rounding == "up" else round
    counts = [max(1, rule(n * depth)) for n in (1, 3, 2)]
    assert made.outputs["body"][2] == 4
    assert sum(node.operation.name == "conv" for node in made.graph.nodes) == sum(counts)
    told = made.explain()
    assert ("at least 1" in told) is any(rule(n * depth) < 1 for n in (1, 3, 2))
    torch_agrees(text)
