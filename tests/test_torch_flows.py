"""Tables, loops, guards, lists and taps in every position: both backends are the graph."""

from __future__ import annotations

import pytest

from archdsl.backends.pytorch.source import generate
from tests.agreement import assert_imports_only_torch, build, load, same_network
from tests.flows import Writer
from tests.properties import _same_in_onnx
from tests.reference import Reference


@pytest.mark.parametrize("seed", range(24))
def test_random_flows(seed: int) -> None:
    text = Writer(seed).spec()
    graph = build(text)
    source = generate(graph, "spec.arch")
    module = load(source, graph.class_name)()
    assert_imports_only_torch(source)
    needed = {*Reference(graph, {}, training=True)._needed()}
    # The module also runs what a loop makes and nobody needs, which moves its statistics.
    norms = [node for node in graph.nodes if node.operation.name == "bn"]
    same_network(graph, module, training=needed.issuperset(norms))
    if seed % 3 == 0:
        _same_in_onnx(graph)
