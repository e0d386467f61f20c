"""Costs: their totals, that the parts add up to them, and that they take linear time."""

from __future__ import annotations

import time

import pytest

import archdsl
from archdsl.ir import costs, memory
from archdsl.ir.graph import Graph, Scope

# design/NETWORKS.md: parameters and MACs of the public implementations; depths as the papers say.
KNOWN = [
    ("mnasnet_a1", None, 3_887_038, 311_579_072, None),
    ("mobilenet_v2", None, 3_504_872, 300_774_272, 53),
    ("resnet50", None, 25_557_032, 4_089_184_256, 50),
    ("resnext50", None, 25_028_904, 4_230_479_872, 50),
]

SPEC = """
block unit(c, s=1) {
  main = x -> conv(c, k=3, s=s) -> bn -> relu -> conv(c, k=3) -> bn
  skip = x -> conv(c, k=1, s=s) -> bn    if s != 1 or x.c != c
  return main + skip -> relu
}
arch net(classes=10) {
  input image: 3x32x32
  stem = image -> conv(16, k=3) -> bn -> relu
  body = stem -> stages {
    block     c   n  s
    c1: unit  16  2  1
    unit      32  3  2
  }
  both = body.c1 -> avg_pool(2) -> conv(32, k=1)
  sum  = body + both
  aux  = body -> global_pool -> linear(classes)
  head = sum -> global_pool -> linear(classes)
  return head, aux if training
}
"""


def graph(text: str = SPEC) -> Graph:
    return archdsl.loads(text).graph


@pytest.mark.parametrize(("spec", "variant", "params", "macs", "depth"), KNOWN)
def test_known(spec: str, variant: str | None, params: int, macs: int, depth: int | None) -> None:
    network = archdsl.load(spec, variant=variant)
    assert (network.params, network.macs) == (params, macs)
    assert depth in (None, network.depth)


def test_total() -> None:
    total = costs.total(graph())
    stem = (3 * 16 * 9, 16 * 2)
    same = (2 * 16 * 16 * 9, 2 * 16 * 2)
    down = (16 * 32 * 9 + 32 * 32 * 9 + 16 * 32, 3 * 32 * 2)
    wide = (2 * 32 * 32 * 9, 2 * 32 * 2)
    last = 16 * 32, 2 * (32 * 10 + 10)
    parts = (stem, same, same, down, wide, wide, last)
    assert total.params == sum(map(sum, parts))
    assert total.macs == (
        (stem[0] + 2 * same[0]) * 32 * 32 + (down[0] + 2 * wide[0]) * 16 * 16 + 16 * 32 * 256 + 320
    )
    assert total.depth == 1 + 5 * 2 + 1


def test_training_outputs_have_parameters_and_no_macs() -> None:
    (aux,) = (part for part in costs.parts(graph()) if part.name == "aux")
    assert aux.training and aux.macs == 0 and aux.params == 330


def test_a_product_of_activations_has_macs_and_no_depth() -> None:
    network = archdsl.loads(
        "arch a { input x: 4x6x8\n input y: 4x8x5\n z = matmul(x, y)\n return z }"
    )
    assert (network.params, network.macs, network.depth) == (0, 4 * 6 * 8 * 5, 0)


@pytest.mark.parametrize("spec", [spec for spec, *_ in KNOWN])
def test_parts_add_up(spec: str) -> None:
    made = archdsl.load(spec).graph
    total, parts = costs.total(made), costs.parts(made)
    assert sum(part.params for part in parts) == total.params
    assert sum(part.macs for part in parts) == total.macs
    root = costs.by_scope(made)[made.root]
    assert (root.params, root.macs) == (total.params, total.macs)


def test_parts_are_lines_and_rows() -> None:
    parts = {part.name: part for part in costs.parts(graph())}
    assert list(parts) == ["stem", "body.c1", "body.stage2", "both", "sum", "aux", "head"]
    assert parts["body.stage2"].shapes == ((32, 16, 16),)
    inner = parts["body.stage2"].parts
    assert [part.name for part in inner] == [f"body.stage2.{i}" for i in range(3)]
    assert sum(part.params for part in inner) == parts["body.stage2"].params
    assert all(isinstance(item, Scope) for part in inner for item in part.items)


def test_linear_time() -> None:
    # Twice as long for twice as many, with room for a noisy machine.
    def seconds(repeats: int) -> float:
        made = graph(SPEC.replace("32  3  2", f"32  {repeats}  2"))
        best = 1e9
        for _ in range(3):
            start = time.perf_counter()
            costs.total(made)
            costs.parts(made)
            best = min(best, time.perf_counter() - start)
        return best

    assert seconds(2000) < 5 * 2 * seconds(1000)


# The network as a table


DEPTHS = ("stages", "blocks", "primitives")


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("spec", [spec for spec, *_ in KNOWN])
def test_tables_add_up(spec: str, depth: str) -> None:
    network = archdsl.load(spec)
    table = network.table(depth)
    assert sum(part.params for part in table) == network.params
    assert sum(part.macs for part in table) == network.macs
    assert sum(part.memory for part in table) == sum(part.memory for part in network.table())
    assert len({part.name for part in table}) == len(table)


def test_a_table_is_cut_at_its_depth() -> None:
    network = archdsl.loads(SPEC)
    stages, blocks, primitives = (network.table(depth) for depth in DEPTHS)
    assert [part.name for part in stages] == [part.name for part in costs.parts(network.graph)]
    assert [(part.kind, part.shape) for part in stages][1] == ("unit x2", ("N", 16, 32, 32))
    assert [part.block for part in blocks if part.stage == "body.c1"] == ["body.c1.0", "body.c1.1"]
    assert [part.name for part in primitives] == [node.name for node in network.nodes]
    assert {part.stage for part in primitives} == {part.name for part in stages}


def test_memory_is_what_operations_make() -> None:
    network = archdsl.loads(
        "arch a { input x: 4x8x8\n y = x -> conv(6, k=3) -> bn -> relu -> dropout\n"
        " z = y -> flatten -> linear(5)\n return z, y -> relu if training }"
    )
    made = {part.name: part.memory for part in network.table()}
    assert made == {"y": 3 * 6 * 64 * 4, "z": 5 * 4, "out": 0}
    halves = network.table("stages", batch=3, dtype="float16")
    assert [part.memory for part in halves] == [3 * 6 * 64 * 2 * 3, 5 * 2 * 3, 0]


# The convolution's input and result; the sum needs both branches and overwrites one; a flattened
# map and a slice are the tensor itself; an output is held to the end.
PEAKS = {
    "return x -> conv(8, k=3)": 4 * 64 + 8 * 64,
    "return x -> conv(8) -> bn -> relu -> conv(2)": (4 + 8) * 64,
    "y = x -> conv(4)\n return y + (y -> conv(8) -> conv(4))": (4 + 8 + 4) * 64,
    "y = x -> conv(8) -> relu\n z = y -> conv(4)\n return y -> global_pool, z": (8 + 4) * 64 + 8,
    "return x -> conv(8) -> slice(0, 2) -> flatten -> linear(3)": (4 + 8) * 64,
    "return x -> sigmoid": 4 * 64,
    "return x, x -> relu": 2 * 4 * 64,
}


@pytest.mark.parametrize("body", PEAKS)
def test_peak(body: str) -> None:
    made = graph(f"arch a {{ input x: 4x8x8\n {body} }}")
    assert memory.peak(made) == PEAKS[body]


# By hand: the depthwise convolution that halves the map; the shortcut's convolution of the first
# bottleneck, when its input and the other branch are there.
KNOWN_PEAKS = {
    "mobilenet_v2": 96 * 112 * 112 + 96 * 56 * 56,
    "resnet50": (64 + 256 + 256) * 56 * 56,
}


@pytest.mark.parametrize("spec", KNOWN_PEAKS)
def test_known_peaks(spec: str) -> None:
    assert memory.peak(archdsl.load(spec).graph) == KNOWN_PEAKS[spec]
