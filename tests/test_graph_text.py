"""The printed graph: the same for ever, and complete, so that it can be read back."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

import archdsl
from archdsl.diagnostics.source import Source
from archdsl.frontend import ast
from archdsl.frontend.parser import parse_expression
from archdsl.ir.graph import Graph
from archdsl.ops import OPERATIONS, Operation, Word, shape_text
from archdsl.testing import graphs

CONSTRUCTS = sorted((Path(__file__).parent / "constructs").glob("*.arch"))
SPECS = sorted(path.stem for path in (Path(__file__).parent.parent / "specs").glob("*.arch"))
SHIPPED = ("mnasnet_a1", "resnext50", "shiftresnet", "nas_fpn", "squeezenet1_0")
NODE = re.compile(r"(.+) = (\w+) (%[\d, %]+?)(?: \((.*)\))? : (.+)  # (\S+)")


@pytest.mark.parametrize("name", SHIPPED)
def test_of_shipped_networks(name: str, golden: Callable[[str, str], None]) -> None:
    golden(f"graph/{name}.txt", archdsl.load(name).graph.text())


@pytest.mark.parametrize("path", CONSTRUCTS, ids=lambda path: path.stem)
def test_of_constructs(path: Path, golden: Callable[[str, str], None]) -> None:
    golden(f"graph/constructs/{path.stem}.txt", graph(path).text())


def graph(path: Path) -> Graph:
    """The graph of a file's last arch."""
    spec = archdsl.Spec.open(str(path))
    return spec.network(spec.archs[-1]).graph


def value(node: ast.Node) -> Any:
    """The value of an argument as the text has it."""
    match node:
        case ast.Number() | ast.Truth():
            return node.value
        case ast.Absent():
            return None
        case ast.Minus():
            return -value(node.operand)
        case ast.Tuple():
            return tuple(map(value, node.items))
        case ast.Name():
            return Word(node.name)
        case ast.Call():
            return Word(node.name, tuple(value(argument.value) for argument in node.arguments))
    raise AssertionError(node)


def read(text: str) -> list[Operation]:
    """The operations of a printed graph, made anew; their shapes are those of the text."""
    shapes: dict[str, tuple[int, ...]] = {}
    made = []
    for line in text.splitlines():
        if found := re.fullmatch(r"(%\d+) = input (\w+) : ([\dx]+)", line):
            shapes[found[1]] = tuple(map(int, found[3].split("x")))
        elif found := NODE.fullmatch(line):
            results, name, given, arguments, outputs, _ = found.groups()
            call = parse_expression(Source("text", f"{name}({arguments or ''})"))
            assert isinstance(call, ast.Call)
            values = {str(item.name): value(item.value) for item in call.arguments}
            operation = OPERATIONS[name](tuple(shapes[x] for x in given.split(", ")), values)
            assert outputs == ", ".join(map(shape_text, operation.outputs))
            shapes |= zip(results.split(", "), operation.outputs)
            made.append(operation)
        elif found := re.fullmatch(r"(?:training )?output \w+ = (%\d+) : ([\dx]+)", line):
            assert found[2] == shape_text(shapes[found[1]])
        else:
            assert re.fullmatch(r"graph \w+", line), line
    return made


def content(operation: Operation) -> dict[str, Any]:
    """All that an operation is, but for the initializers of weights that it has not."""
    kept = {name for name in vars(operation) if name not in ("init", "bias_init")}
    return {name: getattr(operation, name) for name in kept}


def check(graph: Graph) -> None:
    found = read(graph.text())
    assert list(map(content, found)) == [content(node.operation) for node in graph.nodes]


@pytest.mark.parametrize("name", SPECS)
def test_shipped_networks_are_read_back(name: str) -> None:
    check(archdsl.load(name).graph)


def test_constructs_are_read_back() -> None:
    for path in CONSTRUCTS:
        check(graph(path))


@given(graphs())
def test_random_graphs_are_read_back(graph: Graph) -> None:
    check(graph)


def test_results_training_and_digits() -> None:
    network = archdsl.loads("""arch net {
      input a: 8x6x6
      input b: 4x6
      left, right = a -> split(2) if b.c == 4
      let rate = 1 / 3
      aux = left * rate -> conv(2, k=(1, 3), bias=true, bias_init=0.5)
      sum = left + right
      c = b -> pad((1, 0)) -> flatten
      return sum, aux if training, c
    }""")
    assert network.graph.text() == """graph net
%0 = input a : 8x6x6
%1 = input b : 4x6
%2, %3 = split %0 (sizes=(4, 4)) : 4x6x6, 4x6x6  # split
%4 = mul %2 (number=0.3333333333333333) : 4x6x6  # mul
%5 = conv %4 (c=2, k=(1, 3), bias=true, bias_init=constant(0.5)) : 2x6x6  # aux
%6 = add %2, %3 : 4x6x6  # add
%7 = pad %1 (p=((1, 0),)) : 4x7  # c.0
%8 = flatten %7 : 28  # c.1
output sum = %6 : 4x6x6
training output aux = %5 : 2x6x6
output c = %8 : 28
"""
