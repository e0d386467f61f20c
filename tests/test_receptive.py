"""Receptive fields: published ones, and what modules depend on when they are run.

A number that is no number spreads to whatever depends on it: convolutions, pools and sums keep it.
Put in one position of an input, it shows in which positions of the outputs that one has a part.
"""

from __future__ import annotations

from itertools import product
from random import Random

import pytest
import torch

import archdsl
from archdsl.api.network import PartInfo
from archdsl.ir import receptive
from archdsl.ir.receptive import Sight
from archdsl.ops import OPERATIONS
from archdsl.testing.arguments import call

# Araujo et al., Distill 2019, and the sum over the layers for the others.
KNOWN = {
    ("mobilenet_v1", "body"): (315, 32),
    ("mobilenet_v2", "body"): (491, 32),
    ("resnet50", "stem"): (11, 4),
    ("resnet50", "body"): (427, 32),
}


def at(network: archdsl.Network, stage: str) -> PartInfo:
    return [part for part in network.table() if part.stage.split(".")[0] == stage][-1]


@pytest.mark.parametrize(("spec", "stage"), KNOWN)
def test_known(spec: str, stage: str) -> None:
    part = at(archdsl.load(spec), stage)
    field, stride = KNOWN[spec, stage]
    assert (part.receptive_field, part.stride) == ((field,) * 2, (stride,) * 2)
    assert not part.sees_all


def test_a_global_pool_sees_everything() -> None:
    network = archdsl.load("mobilenet_v2")
    part = at(network, "logits")
    assert (part.receptive_field, part.stride, part.sees_all) == ((None,) * 2, (None,) * 2, True)
    gated = at(archdsl.load("efficientnet"), "body")
    assert gated.receptive_field == (851, 851) and gated.sees_all


SPEC = "arch a {{ input x: 2x24x24\n {} }}"

# First a case for each shape of the answer, then fields for each axis.
FIELDS = {
    "return x -> conv(2, k=(3, 5), s=(1, 2))": ((3, 5), (1, 2)),
    "return x -> conv(2, k=3, d=4) -> max_pool(2)": ((10, 10), (2, 2)),
    "y = x -> conv(2, k=3)\n return y + (y -> conv(2, k=7))": ((9, 9), (1, 1)),
    "return x -> max_pool(4) -> resize(scale=4) -> conv(2, k=3)": ((8, 8), (1, 1)),
    "return x -> conv_transpose(2, k=2, s=2)": ((1, 1), (0.5, 0.5)),
    "return x -> conv_transpose(2, k=2, s=2, d=3)": ((1, 1), (0.5, 0.5)),
    "return x -> global_pool": ((None, None), (None, None)),
    "return x -> softmax(axis=1)": ((None, 1), (None, 1)),
    "return x -> permute((0, 2, 1))": ((None, None), (None, None)),
}


@pytest.mark.parametrize("body", FIELDS)
def test_fields(body: str) -> None:
    part = archdsl.loads(SPEC.format(body)).table()[-1]
    assert (part.receptive_field, part.stride) == FIELDS[body]


def test_what_does_not_come_from_the_first_input_has_none() -> None:
    network = archdsl.loads(
        "arch a { input x: 2x8x8\n input y: 2x16x16\n"
        " z = y -> conv(2)\n return x -> relu, z, x + (z -> max_pool(2)) }"
    )
    fields = {part.name: part.receptive_field for part in network.table()}
    assert fields["z"] == () and fields["out"] == (1, 1)


# Against modules


def depends(network: archdsl.Network, positions: list[int], axis: int) -> list[torch.Tensor]:
    """For each output: whether each of its positions (second index) along an axis depends on these
    of the input (first index)."""
    shape = network.graph.inputs[0].shape
    image = torch.ones(len(positions), *shape)
    for i, position in enumerate(positions):
        image[i].select(axis + 1, position).fill_(torch.nan)
    with torch.no_grad():
        outputs = network.module().eval()(image)
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    return [
        out.isnan().flatten(1) if out.dim() == 2 else
        out.isnan().any(1).any(2 - axis)
        for out in outputs
    ]  # fmt: skip


# What mixes axes is taken to see all; a border that mirrors the map sees what is further in.
MIXES = {"concat", "flatten", "linear", "matmul", "permute", "reshape", "split", "slice", "pad"}


@pytest.mark.parametrize("name", sorted(set(OPERATIONS) - MIXES))
def test_every_primitive(name: str) -> None:
    """With random arguments, before a convolution, where that does not look over the border."""
    random = Random(name)
    operation = OPERATIONS[name]
    binary = len([tensor for tensor in operation.tensors if tensor != "like?"]) > 1
    tried = 0
    for _ in range(80):
        step = f"{name}(x, x)" if binary else f"x -> {call(random, operation, share=0.5)}"
        try:
            network = archdsl.loads(
                f"arch a {{ input x: 8x13x12\n z = {step}\n return z -> conv(4, k=3, bias=true) }}"
            )
        except archdsl.DiagnosticError:
            continue
        tried += 1
        for axis, size in enumerate((13, 12)):
            sight = receptive.sights(network.graph)[network.graph.outputs[0].value][axis]
            (table,) = depends(network, [*range(size)], axis)
            for i, row in list(enumerate(table.T))[1:-1]:
                seen = row.nonzero().flatten().tolist()
                assert sorted({*seen[:1], *seen[-1:]}) == ends(sight, i, size), (step, axis, i)
        if tried == 4:
            break
    assert tried == 4


STACKS = [
    "x -> {}",
    "x -> conv(2, k=3, bias=true) -> {}",
    "x -> {} -> conv(2, k=3, bias=true)",
    "x -> {} -> max_pool(2, s=3)",
    "x -> {} -> conv_transpose(2, k=2, s=2, d=3, bias=true)",
    "(x -> conv(2, bias=true) -> {}) + (x -> {})",
]


@pytest.mark.parametrize("s", [1, 2, 3, 4])
@pytest.mark.parametrize("stack", STACKS)
def test_transposed_convolutions(stack: str, s: int) -> None:
    """With strides over the kernel, which leave gaps, and dilations, which jump over positions."""
    for k, d, p in product((1, 2, 3), (1, 2, 3, 4), (0, 1)):
        layer = f"conv_transpose(2, k={k}, s={s}, d={d}, p={min(p, d * (k - 1))}, bias=true)"
        flow = stack.replace("{}", layer)
        network = archdsl.loads(f"arch a {{ input x: 2x31\n return {flow} }}")
        (output,) = network.graph.outputs
        sight = receptive.sights(network.graph)[output.value][0]
        table = line_depends(network)
        count = table.shape[1]
        fields = []
        for i in range(count // 3, 2 * count // 3):
            seen = table[:, i].nonzero().flatten().tolist()
            assert sorted({*seen[:1], *seen[-1:]}) == ends(sight, i, 31), (flow, i)
            fields.append(seen[-1] - seen[0] + 1 if seen else 0)
        assert sight.field == max(fields)


def line_depends(network: archdsl.Network) -> torch.Tensor:
    """Whether each position of the output (second index) depends on one of a line (first index)."""
    channels, size = network.graph.inputs[0].shape
    lines = torch.ones(size, channels, size)
    lines[range(size), :, range(size)] = torch.nan
    with torch.no_grad():
        out: torch.Tensor = network.module().eval()(lines)
    return out.isnan().any(1)


def ends(sight: Sight, position: int, size: int) -> list[int]:
    """The first and the last position of the input that one of the result sees; equal ones once."""
    first, last = 0, size - 1
    if not sight.everything:
        assert sight.near is not None
        first = max(first, sight.near[0].at(position))
        last = min(last, sight.near[1].at(position))
    return sorted({first, last}) if first <= last else []


@pytest.mark.parametrize("spec", ["mobilenet_v2", "resnet50", "squeezenet1_1", "xception"])
def test_networks(spec: str) -> None:
    """Just beyond and just inside of the fields of the middles of some stages."""
    network = archdsl.load(spec)
    rows = [part.stage for part in network.table() if "." in part.stage]
    chosen = rows[: len(rows) - 1 : max(1, len(rows) // 3)]
    network = archdsl.loads(
        f'use "{spec}.arch"\narch t extends {network.name} {{\n'
        f"  input image: 3x512x33\n  return {', '.join(chosen)}\n}}"
    )
    sights = receptive.sights(network.graph)
    middles = []
    for output in network.graph.outputs:
        sight = sights[output.value][0]
        middle = output.value.shape[1] // 2
        assert sight.near is not None and not sight.everything
        middles.append((middle, sight.near[0].at(middle), sight.near[1].at(middle)))
    positions = sorted({p for _, f, n in middles for p in (f - 1, f, n, n + 1) if 0 <= p < 512})
    tables = depends(network, positions, 0)
    for (middle, first, last), table in zip(middles, tables, strict=True):
        assert 0 < first < last < 511
        for position, row in zip(positions, table, strict=True):
            assert bool(row[middle]) == (first <= position <= last), (spec, middle, position)
