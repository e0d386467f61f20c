"""Properties of all specs, tried on some that hypothesis makes; and that what it makes is rich."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, find, given, settings

from archdsl import testing
from archdsl.ops import OPERATIONS
from archdsl.testing.arguments import call, values
from archdsl.testing.graphs import _graph
from archdsl.testing.specs import _Writer
from tests.properties import PROPERTIES, network


@pytest.mark.parametrize("name", PROPERTIES)
def test_property(name: str) -> None:
    check, strategy, count = PROPERTIES[name]

    @settings(
        max_examples=count, deadline=None, derandomize=True, database=None,
        suppress_health_check=[*HealthCheck],
    )  # fmt: skip
    @given(strategy())
    def holds(example: Any) -> None:
        check(example)

    holds()


def test_specs_have_everything() -> None:
    """All primitives, 1 to 3 dimensions, guards, tables, scaling, children, variants, lists."""
    texts = [_Writer(Random(seed), 8).spec() for seed in range(400)]
    made = [network(text) for text in texts]
    assert {node.operation.name for net in made for node in net.graph.nodes} == set(OPERATIONS)
    assert {len(net.graph.inputs[0].shape) for net in made} == {2, 3, 4}
    for piece in (
        "stages(", "width=width", "depth=depth", "   if ", " else ", "repeat", "extends",
        "variants", "concat([", "split", "[0]", "set ", "input other",
        "block unit1", "flag=true", "matmul(",
    ):  # fmt: skip
        assert sum(piece in text for text in texts) >= 2, piece
    assert sum(len(net.outputs) > 1 for net in made) > 20


def test_graphs_have_everything() -> None:
    """All primitives, 1 to 3 dimensions and vectors, values read twice, several outputs."""
    made = [_graph(Random(seed), 8) for seed in range(400)]
    assert {node.operation.name for graph in made for node in graph.nodes} == set(OPERATIONS)
    assert {len(value.shape) for graph in made for value in graph.inputs} == {1, 2, 3, 4}
    reads = [Counter(id(v) for node in graph.nodes for v in node.inputs) for graph in made]
    assert sum(max(counts.values()) > 1 for counts in reads) > 100
    assert sum(len(graph.outputs) > 1 for graph in made) > 100


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_parameter_has_values(name: str) -> None:
    operation = OPERATIONS[name]
    assert all(values(operation, parameter) for parameter in operation.parameters.values())
    assert call(Random(0), operation, share=1.0).startswith(name)


def test_mutations_differ_and_break() -> None:
    text = "arch net {\n  input image: 3x8x8\n  return image -> conv(4)\n}\n"
    found = set[str]()

    @settings(max_examples=60, deadline=None, derandomize=True, database=None)
    @given(testing.mutations(text))
    def collect(changed: str) -> None:
        found.add(changed)

    collect()
    assert len(found) > 30


def test_shrinking_leaves_little() -> None:
    """What hypothesis finds is small enough to read."""
    text = find(
        testing.specs(), lambda text: network(text).params > 0,
        settings=settings(database=None, deadline=None, derandomize=True, max_examples=300,
                          suppress_health_check=[*HealthCheck]),
    )  # fmt: skip
    assert len(text.splitlines()) <= 15


def test_blocks_of_ones_own() -> None:
    block = "block mine(c, k=3) {\n  return x -> conv(c, k=k) -> bn -> relu\n}"
    strategy = testing.uses(block, "mine", ["mine(4)", "mine(8, k=5)"], ["3x8x8", "4x16"])

    @settings(max_examples=20, deadline=None, derandomize=True, database=None,
              suppress_health_check=[*HealthCheck])  # fmt: skip
    @given(strategy)
    def holds(text: str) -> None:
        assert "mine(" in text and network(text).params > 0

    holds()
