"""Parameters that stay arguments of the network's class: all that follows them follows, or they are
no arguments."""

from __future__ import annotations

import inspect
import re

import pytest
import torch

from archdsl.backends.pytorch.source import generate
from tests.agreement import build, load, same_network

LINES = """
y = x -> conv(c) ; a, b = y -> split([1, y.c - 1]) ; return b, a
y = x -> conv(c) ; a, b = y -> split([c // 2, c - c // 2]) ; return b, a
y = x -> conv(c) ; parts = y -> split(c) ; return concat(parts)
y = x -> conv(c) -> reshape((c * 16,)) ; return y
y = x -> conv(c) -> reshape((2, c, 8)) ; return y
y = x -> conv(c) -> reshape((2, -1)) ; return y -> conv(4)
y = x -> conv(c) -> pad_channels(2 * c, before=c) ; return y
y = x -> conv(c) -> pad_channels(16) ; return y
y = x -> conv(c) -> pad_channels(16) -> conv(c) ; return y
y = x -> conv(c) -> slice(0, c - 1) ; return y
y = x -> conv(c) ; z = y -> slice(0, -1) ; return z -> conv(4)
y = x -> conv(c) -> slice(0, c - 1, step=c - 3) ; return y
y = x -> conv(c) ; z = y -> slice(0, c - 1, axis=1) ; return z -> conv(4)
y = x -> conv(c) ; z = y -> slice((1, 0), (none, c - 1), axis=(1, 0), step=2) ; return z
y = x -> conv(c) ; z = y -> slice(c - 3, axis=(0, 1)) ; return z -> conv(4)
y = x -> conv(c, k=3, bias=c > 5) ; return y
y = x -> conv(c, init=c / 8) ; return y
y = x -> conv(c) -> scale(init=1 / c) ; return y
y = x -> conv(c) -> channel_shuffle(c / 2) ; return y
y = x -> conv(c) -> group_norm(c / 2) ; return y
y = x -> conv(c) -> leaky_relu(1 / c) ; return y
y = x -> conv(c) -> resize(scale=c / 2) ; return y
y = x -> conv(c) -> resize(size=c) ; return y
y = x -> conv(c) -> pad(c) ; return y
y = x -> conv(c) ; z = y -> pad((c, 1)) ; return z
y = x -> conv(c) -> avg_pool(out=c) ; return y
y = (x -> conv(c)) * c + 1 / c ; return y
y = (x -> conv(c)) / c ; return y
y = x -> conv(c) ; z = y * y.c ; return z
y = x -> conv(c) ; z = add(y, number=c) ; return z
y = x -> conv(c) ; z = -y * c + 1 ; return z
y = x -> conv(c) -> bn(eps=1 / c, momentum=1 / c) ; return y
y = x -> conv(c) -> lrn(size=c - 1, alpha=1 / c) ; return y
y = x -> conv(c, k=c - 1, s=c - 2, d=c - 3, p=c) ; return y
y = x -> conv(c) -> conv(3, k=3, p=c - 3) ; return y
y = x -> conv(c) -> max_pool(k=3, p=min(1, c - 4)) ; return y
y = x -> conv(c) -> avg_pool(k=3, p=min(1, c - 4)) ; return y
y = x -> conv_transpose(c, k=c, s=c - 2, out_pad=c - 3) ; return y
y = x -> conv(c) -> max_pool(c - 2, s=c - 3) ; return y
y = x -> conv(c) -> shift(c - 1) ; return y
y = x -> conv(0.29 * c * 25) ; return y
y = x -> conv(floor(10 * log(c))) -> conv(c) ; return y
y = x -> conv(c) -> elu(1 / c) ; return y
y = x -> conv(c) -> elu(c) ; return y
y = x -> elu(c) -> bn(eps=c) ; return y
y = concat(x, x -> conv(c)) ; z = y -> conv(c) ; return z
y = x -> conv(c) ; z = concat(x, y) -> bn ; return z -> conv(3)
y = x -> conv(c) ; z = concat(x, y) ; return z
y = x -> conv(c) ; z = concat([x, y, y]) -> conv(3) ; return z
"""


@pytest.mark.parametrize("lines", LINES.strip().splitlines())
@pytest.mark.parametrize("other", [4, 6, 8])
def test_what_follows_a_parameter(lines: str, other: int) -> None:
    body = "\n".join(line.strip() for line in lines.split(" ; "))
    spec = f"arch net(c=4) {{\ninput x: 2x16\n{body}\n}}\n"
    network = load(generate(build(spec), "spec.arch"), "Net")
    argument = inspect.signature(network).parameters.get("c")
    given = {}
    if argument is not None:  # a float for a rate, as its annotation says: TorchScript wants one
        given["c"] = float(other) if argument.annotation is float else other
    torch.manual_seed(0)
    same_network(build(spec, **(given or {})), network(**given))
    module = network(**given)
    values = {float(module.state_dict()[name].flatten()[0]) for name in module.state_dict()}
    if match := re.search(r"init=(.*?)[,)]", lines):
        assert eval(match[1], {"c": given.get("c", 4)}) in values


def test_channels_of_a_concatenation_are_no_reason_to_settle() -> None:
    spec = "arch net(c=4) {\ninput x: 2x16\ny = x -> conv(c)\nreturn concat(x, y)\n}\n"
    assert "c" in inspect.signature(load(generate(build(spec), "spec.arch"), "Net")).parameters
