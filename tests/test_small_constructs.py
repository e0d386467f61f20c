"""Repeated lists, logarithms, and how the biases of normalizations begin, in both backends."""

from __future__ import annotations

import math

import pytest

from archdsl.diagnostics.diagnostic import DiagnosticError
from tests.properties import network, onnx_agrees, torch_agrees

SPEC = """
block eca {
  let k = 2 * floor((log(x.c) / log(2) + 1) / 4) + 1
  weights = x -> global_pool -> reshape((1, x.c)) -> conv(1, k=k) -> sigmoid -> reshape((x.c, 1, 1))
  return x * weights
}
block reps(n, ws) {
  y = x
  let all = ws * n
  repeat i in 0..len(all) {
    y = y -> conv(all[i]) -> bn(bias_init=0.5)
  }
  return concat([y] * n) + concat(0.2 * 10 * [y] * (n / 2))
}
arch net {
  input x: 3x8x8
  y = x -> conv(16) -> eca -> conv(64) -> eca -> bn(bias_init=normal(0.2), init=zeros)
  z = y -> reps(4, [8, 4]) -> layer_norm(bias_init=ones)
  w = y -> reps(2, [8, 4, 2]) -> bn -> group_norm(2, bias_init=uniform(0.1))
  return z, w
}
"""


def test_both_backends() -> None:
    torch_agrees(SPEC)
    onnx_agrees(SPEC)


def value(expression: str) -> float:
    made = network(f"arch net {{\n  input x: 1x4\n  let a = {expression}\n  return x * a\n}}\n")
    return float(made.graph.nodes[0].operation.number)


@pytest.mark.parametrize("number", [0.001, 0.5, 2, 10, 1e17])
def test_log_is_the_natural_logarithm(number: float) -> None:
    assert value(f"log({number:.20g})") == math.log(number)


@pytest.mark.parametrize(
    ("expression", "code"),
    [
        ("log(0)", "A2005"), ("log(0 - 1)", "A2005"), ("log()", "A2007"), ("log(2, 2)", "A2007"),
        ("log([2])", "A2007"), ("len([1] * 1.5)", "A2002"), ("len([1] * (0 - 1))", "A2001"),
        ("len([1] * 10001)", "A5010"), ("len([[1] * 100] * 100)", "A5010"),
        ("len([1] * [2])", "A2006"), ("len((1, 2) * 2)", "A2006"), ("len([1] * true)", "A2006"),
    ],
)  # fmt: skip
def test_what_has_no_value_is_told(expression: str, code: str) -> None:
    with pytest.raises(DiagnosticError) as raised:
        value(expression)
    assert [problem.code for problem in raised.value.diagnostics] == [code]


@pytest.mark.parametrize(
    ("expression", "count"),
    [("[1, 2] * 3", 6), ("3 * [1, 2]", 6), ("[1] * 0", 0), ("[[1, 2]] * (0.07 * 100)", 7)],
)
def test_repeated_lists(expression: str, count: int) -> None:
    assert value(f"len({expression})") == count


def test_biases_of_normalizations_begin_as_written() -> None:
    """Also where most of a kind begin otherwise."""
    text = "arch net {\n  input x: 64x8x8\n  y = x -> bn(bias_init=0.5) -> bn -> bn(bias_init=0.5)"
    text += " -> layer_norm(bias_init=2) -> group_norm(4, bias_init=normal(0.3)) -> group_norm(4)"
    made = network(text + "\n  return y\n}\n")
    state = made.module().state_dict()
    means = [float(state[f"y.{i}.bias"].mean()) for i in (0, 1, 2, 3, 5)]
    assert means == [0.5, 0, 0.5, 2, 0]
    assert 0.1 < float(state["y.4.bias"].std()) < 0.5
    drawn = {name: bias for name, bias in _drawn(made).items() if name.endswith("bias")}
    assert [drawn[f"y.{i}.bias"].mean() for i in (0, 1, 2, 3, 5)] == [0.5, 0, 0.5, 2, 0]


def _drawn(made: object) -> dict:  # type: ignore[type-arg]
    from archdsl.weights.sources import Drawn, declared

    tensors = declared(made.graph)  # type: ignore[attr-defined]
    source = Drawn(tensors, 0)
    return {name: source.vector(name) for name, tensor in tensors.items() if tensor.shape}


@pytest.mark.parametrize(
    ("scheme", "mean", "std"),
    [
        ("normal(mean=0.5, std=0.1)", 0.5, 0.1),
        ("normal(0.1, mean=-3)", -3, 0.1),
        ("normal(0.1, 2)", 2, 0.1),
        ("truncated_normal(std=0.1, mean=1)", 1, 0.1),
        ("truncated_normal(100, mean=-2)", 0, 4 / math.sqrt(12)),
        ("uniform(bound=0.3)", 0, 0.6 / math.sqrt(12)),
        ("kaiming_normal(gain=1, fan=fan_out)", 0, 1 / math.sqrt(400)),
        ("kaiming_normal(gain=1)", 0, 1 / math.sqrt(100)),
    ],
)
def test_arguments_of_schemes_by_name(scheme: str, mean: float, std: float) -> None:
    """In the module and in the weights drawn for ONNX."""
    text = f"arch net {{\n  input x: 100x2\n  return x -> conv(400, init={scheme})\n}}\n"
    made = network(text)
    for weight in (made.module().state_dict()["conv.weight"], _drawn(made)["conv.weight"]):
        assert float(weight.mean()) == pytest.approx(mean, abs=0.02)
        assert float(weight.std()) == pytest.approx(std, rel=0.03)


@pytest.mark.parametrize(
    ("scheme", "code"),
    [
        ("normal(mean=1)", "A1001"), ("normal(sd=1)", "A1003"), ("normal(1, std=1)", "A1006"),
        ("truncated_normal(1, mean=3)", "A2001"), ("zeros(mean=1)", "A1003"),
        ("normal(1, 2, 3)", "A2001"),
    ],
)  # fmt: skip
def test_wrong_arguments_of_schemes_are_told(scheme: str, code: str) -> None:
    with pytest.raises(DiagnosticError) as raised:
        network(f"arch net {{\n  input x: 3x2\n  return x -> conv(4, init={scheme})\n}}\n")
    assert [problem.code for problem in raised.value.diagnostics] == [code]
