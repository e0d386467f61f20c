"""The second generator: its specs are valid, reach the constructs, and nothing fails on them."""

from __future__ import annotations

from collections import Counter

import pytest
import torch

from archdsl.api.network import loads
from archdsl.ops import OPERATIONS
from archdsl.testing import Coverage, is_valid, reduced, written
from archdsl.testing.grammar.coverage import neighbours, pairs, possible
from tests.campaign import Campaign, parts
from tests.trial import LARGE, Measured, Trial, seldom

SPECS = 140
"""Of the numbers from 0, in every run of the tests."""

INSIDE = 0.55
AFTER = 0.2
"""The least parts of all pairs that these specs have."""


def test_specs_are_valid_and_reach_pairs_of_constructs() -> None:
    coverage = Coverage()
    names = set[str]()
    ranks = set[int]()
    for number in range(SPECS):
        text = written(number)
        assert is_valid(text)
        coverage.add([text])
        spec = loads(text, arch=_last(text))
        names |= {node.operation.name for node in spec.graph.nodes}
        ranks |= {len(value.shape) - 1 for value in spec.graph.values()}
    assert names == set(OPERATIONS), set(OPERATIONS) - names
    assert ranks >= {0, 1, 2, 3}
    assert len(coverage.inside) >= INSIDE * len(possible()), str(coverage)
    assert len(coverage.after) >= AFTER * len(neighbours()), str(coverage)


def _last(text: str) -> str:
    """The name of the last arch of a text."""
    lines = [line for line in text.splitlines() if line.startswith("arch ")]
    return lines[-1].split()[1].partition("(")[0]


@pytest.mark.parametrize("first", range(0, 100, 20))
def test_nothing_fails(first: int) -> None:
    campaign = Campaign()
    found = [text for number in range(first, first + 20) for text in campaign.run(number)]
    assert not found, "\n".join(found)


def test_a_number_is_one_spec() -> None:
    assert [written(n) for n in range(5)] == [written(n) for n in range(5)]
    assert len({written(n) for n in range(20)}) == 20


def test_pairs_are_read_from_the_text() -> None:
    text = (
        "block b {\n  return x -> relu\n}\n"
        "arch a(act=relu) {\n  input x: 4\n  l: repeat i in 0..2 {\n    y = x -> act -> b\n  }\n"
        "  return x -> stages {\n    block n\n    t: bn 2\n    b\n  }\n}\n"
    )
    inside, after = pairs(text)
    assert {
        ("labelled repeat", "line"), ("flow", "step value"), ("flow", "step block"),
        ("stages", "labelled row of primitive"), ("stages", "row of block"), ("block", "return"),
    } <= inside  # fmt: skip
    assert {("value", "block"), ("bn", "block")} <= after
    assert inside <= possible() and after <= neighbours()


def test_what_fails_is_made_small() -> None:
    text = written(3) + "arch last(k=3) {\n  input x: 4x5\n  y = x -> conv(6, k=k) -> elu -> relu\n"
    text += "  z = y -> tanh if true\n  return z, y\n}\n"
    assert is_valid(text)
    small = reduced(text, lambda less: is_valid(less) and "elu" in less)
    assert is_valid(small) and len(small.split("\n")) <= 6, small


def test_live_modules_can_be_scripted() -> None:
    """A layer with a buffer has an annotation of its own, which TorchScript looks at."""
    module = loads("arch a {\n  input x: 4x3\n  return x -> shift\n}\n").module()
    x = torch.randn(1, 4, 3)
    assert torch.equal(torch.jit.script(module)(x), module(x))


def test_numbers_on_the_way_are_measured() -> None:
    """What overflows inside a network is not compared, small though its output is."""
    graph = loads("arch a {\n  input x: 3\n  return (x * 1000000000) * 0.000000001\n}\n").graph
    measured = Measured(graph, {})
    (output,) = measured(torch.ones(1, 3, dtype=torch.float64))
    assert output.max() < 2 and measured.largest == 1e9 > LARGE


def test_each_check_is_done_often_enough() -> None:
    """Of 20,000 numbers in a row each stage is tried with at least 1,000."""
    names = {name for name, _ in Trial("arch a {\n  input x: 3\n  return x\n}\n").stages()}
    tried = Counter(name for number in range(20_000) for name in names - seldom(number))
    assert min(tried[name] for name in names) >= 1000, tried


def test_a_campaign_joins_its_parts() -> None:
    whole = Campaign()
    for made, found in parts(0, 6, 1):
        assert not found
        whole.join(made)
        whole.join(made)
    assert whole.tried == 12 and whole.checks["source"] == 12 and not whole.failed
