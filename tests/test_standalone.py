"""A block as a network by itself: the layers, names and numbers that it has in use."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

import archdsl
from archdsl import DiagnosticError
from archdsl.api.network import Network
from archdsl.frontend.library import entries
from archdsl.tools.verify import verify
from tests.conftest import Command

TWO = """
block join(a: tensor, b: tensor, extra: tensor = none, c=a.c + b.c) as Join {
  "Joins two maps."
  left  = a -> relu -> conv(c, k=3)
  right = b -> resize(like=a) -> conv(c)
  y = left + right
  z = y + (extra -> conv(c)) if extra != none else y
  return z, right
}

block other(c) {
  return x -> conv(c)
}
"""

STANDARD = [entry.name for entry in entries() if entry.kind == "block"]


def parameters_of(block: str) -> dict[str, Any]:
    """Values for the parameters of a standard block that have no default."""
    text = archdsl.Spec.open(block).unit(block)
    values = {"c": 16, "mid": 48, "s1": 4, "e1": 8, "reduced": 4}
    return {p.name: values[p.name] for p in text.numbers if p.default is None}


def in_use(block: str, shape: str, parameters: dict[str, Any]) -> Network:
    """An arch that does nothing but use a block."""
    arguments = ", ".join(f"{name}={value}" for name, value in parameters.items())
    return archdsl.loads(
        f"arch net {{\n  input x: {shape}\n  y = x -> {block}({arguments})\n  return y\n}}\n"
    )


@pytest.mark.parametrize("block", STANDARD)
@pytest.mark.parametrize("shape", ["16x9x8", "16x12", "16x4x5x4"])
def test_a_block_is_what_it_is_in_use(block: str, shape: str) -> None:
    parameters = parameters_of(block)
    alone = archdsl.load(block, input=shape, **parameters)
    used = in_use(block, shape, parameters)
    assert (alone.params, alone.macs) == (used.params, used.macs)
    mine, theirs = alone.module().eval(), used.module().eval()
    state = {name.removeprefix("y."): tensor for name, tensor in theirs.state_dict().items()}
    mine.load_state_dict(state)  # strictly: the same names and shapes
    assert type(mine).__name__ == alone.class_name == type(theirs.y).__name__
    x = torch.randn(2, *map(int, shape.split("x")))
    kept = x.clone()
    assert torch.equal(mine(x), theirs(x)) and torch.equal(x, kept)


@pytest.mark.parametrize("block", STANDARD)
def test_onnx_has_the_names_of_the_block(block: str) -> None:
    network = archdsl.load(block, input=(16, 9, 8), **parameters_of(block))
    report = verify(network, 1)
    assert report.agrees, report.text()


def test_several_tensors(tmp_path: Path) -> None:
    path = tmp_path / "two.arch"
    path.write_text(TWO)
    shapes = {"a": "4x8x8", "b": (6, 4, 4)}
    network = archdsl.load(path, "join", input=shapes)
    assert network.inputs == {"a": ("N", 4, 8, 8), "b": ("N", 6, 4, 4)}
    assert [*network.outputs.values()] == [("N", 10, 8, 8), ("N", 10, 8, 8)]
    assert network.parameters["c"] == 10
    assert verify(network, 1).agrees
    wider = network.override(c=3)
    assert [shape[1] for shape in wider.outputs.values()] == [3, 3]
    more = archdsl.load(path, "join", input={**shapes, "extra": (2, 8, 8)})
    assert more.params == network.params + 2 * 10 and verify(more, 1).agrees


@pytest.mark.parametrize(
    ("arguments", "options", "code"),
    [
        (("join",), {}, "A1050"),
        (("join",), {"input": "4x8x8"}, "A1050"),
        (("join",), {"input": {"a": "4x8x8"}}, "A1050"),
        (("join",), {"input": {"a": "4x8x8", "b": "4x8x8", "d": "4x8"}}, "A1051"),
        (("other",), {"input": "4x8x8"}, "A1014"),
        (("other",), {"input": "4x8x8", "d": 3}, "A1003"),
        (("other",), {"input": "4x8xa", "c": 3}, "A1052"),
        (("other",), {"input": "", "c": 3}, "A1052"),
        (("other",), {"input": "4x0x2", "c": 3}, "A1052"),
        (("other",), {"input": "4x1x2x3x4x5", "c": 3}, None),
        ((), {}, "A1016"),
    ],
)
def test_mistakes(arguments: Any, options: dict[str, Any], code: str | None) -> None:
    with pytest.raises(DiagnosticError) as caught:
        archdsl.loads(TWO, *arguments, **options)
    for problem in caught.value.diagnostics:
        assert str(problem)
    assert code is None or caught.value.diagnostics[0].code == code


def test_an_arch_has_its_own_shapes() -> None:
    with pytest.raises(DiagnosticError) as caught:
        archdsl.load("mobilenet_v2", input="3x64x64")
    assert caught.value.diagnostics[0].code == "A1053"


def test_all_that_is_missing_is_told() -> None:
    text = "block b(c, d) {\n  return x -> conv(c) -> conv(d)\n}\n"
    with pytest.raises(DiagnosticError) as caught:
        archdsl.loads(text, input="3x4x4")
    told = " ".join(map(str, caught.value.diagnostics))
    assert "`c`" in told and "`d`" in told


COMMANDS: list[list[str]] = [
    ["build"], ["summary"], ["explain"], ["onnx", "-o", "x.onnx"], ["view", "-o", "x.svg"],
    ["verify", "--seeds", "1"], ["bench", "--seconds", "0.01", "--runtime", "onnxruntime"],
    ["plot", "-o", "x.svg"], ["check"],
]  # fmt: skip


@pytest.mark.parametrize("arguments", COMMANDS, ids=lambda a: a[0])
def test_every_command_takes_a_block(
    command: Command, tmp_path: Path, arguments: list[str]
) -> None:
    (tmp_path / "two.arch").write_text(TWO)
    name, *more = arguments
    of_file = ["--arch", "join", "--input", "a=4x8x8", "--input", "b=4x8x8"]
    done = command(name, "two.arch", *more, *of_file, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    if name != "check":
        shipped = STANDARD[0]
        sets = [f"--set={k}={v}" for k, v in parameters_of(shipped).items()]
        done = command(name, shipped, *more, "--input", "16x8x8", *sets, cwd=tmp_path)
        assert done.returncode == 0, done.stderr


def test_diff_of_blocks(command: Command, tmp_path: Path) -> None:
    (tmp_path / "two.arch").write_text(TWO)
    done = command(
        "diff", "two.arch@other", "two.arch@other", "--input", "4x8x8", "--set-a", "c=4",
        "--set-b", "c=8", "--format", "json", cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert json.loads(done.stdout)
