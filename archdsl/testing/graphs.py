"""Graphs that are valid, made of operations without the elaborator: what backends read.

Each value may be read by any number of operations after it; what none reads is an output. A graph
also is a spec, a line for each operation (`text_of`): what the elaborator makes of that must be
the same graph.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from math import prod
from random import Random
from typing import Any, NamedTuple

from hypothesis import strategies as st

from archdsl.diagnostics.diagnostic import Diagnostic
from archdsl.diagnostics.source import Source, Span
from archdsl.elaborate.calls import words_of
from archdsl.elaborate.elaborator import Elaborator
from archdsl.frontend.parser import parse_expression
from archdsl.frontend.program import Program
from archdsl.ir.graph import Frame, Graph, Node, Output, Scope, Value
from archdsl.ops import OPERATIONS, Operation, Shape
from archdsl.ops.base import REQUIRED, shape_text
from archdsl.testing.arguments import values

MOST_NUMBERS = 6_000
"""Of a tensor of one sample."""

MOST_WEIGHTS = 6_000
"""Of one operation."""


def graphs(operations: int = 8) -> st.SearchStrategy[Graph]:
    """Graphs of up to so many operations: all primitives, one to three dimensions, flat vectors."""
    return st.randoms(use_true_random=False).map(lambda random: _graph(random, operations))


def text_of(graph: Graph) -> str:
    """The spec that says what a graph of `graphs` is."""
    return graph.program.main.source.text


class _Step(NamedTuple):
    """An operation of a graph to be: which values it takes, and its call in the spec."""

    operation: Operation
    inputs: list[int]
    call: str


def _graph(random: Random, count: int) -> Graph:
    rank = random.randrange(1, 4)
    ranks = [rank, *random.choice(((), (), (rank,), (0,)))]
    inputs = [
        (random.choice((1, 2, 3, 4, 6, 8)), *random.choices(range(4, 9), k=axes)) for axes in ranks
    ]
    shapes: list[Shape] = [*inputs]
    names = [f"x{i}" for i in range(len(inputs))]
    steps: list[_Step] = []
    for _ in range(random.randrange(1, count + 1)):
        for _ in range(12):
            step = _step(random, names, shapes)
            if step is not None:
                steps.append(step)
                shapes += step.operation.outputs
                names += _names(f"v{len(steps) - 1}", step.operation)
                break
    if not steps:
        steps.append(_relu(inputs[0]))
        names.append("v0")
    return _built(inputs, steps, names)


def _names(name: str, operation: Operation) -> list[str]:
    """What the outputs of an operation are called."""
    if not operation.gives_list:
        return [name]
    return [f"{name}[{i}]" for i in range(len(operation.outputs))]


def _step(random: Random, names: list[str], shapes: list[Shape]) -> _Step | None:
    """An operation on values that there are, if it can be applied to them."""
    kind = random.choice([*OPERATIONS.values()])
    count = len(kind.tensors)
    if kind.tensors[-1].startswith("*"):
        count = random.randrange(1, 4)
    elif kind.tensors[-1].endswith("?"):
        count -= random.randrange(2)
    taken = [_index(random, shapes) for _ in range(count)]
    if len(taken) > 1 and kind.name != "matmul" and random.random() < 0.7:
        like = [i for i, shape in enumerate(shapes) if shape == shapes[taken[0]]]
        taken[1:] = random.choices(like, k=len(taken) - 1)
    given: dict[str, Any] = {}
    texts = [names[i] for i in taken]
    for parameter in kind.parameters.values():
        if parameter.default is REQUIRED or random.random() < 0.3:
            text = random.choice(values(kind, parameter))
            given[parameter.name] = _read(kind.name, parameter.name, text)
            texts.append(f"{parameter.name}={text}")
    try:
        operation = kind(tuple(shapes[i] for i in taken), given)
    except Diagnostic:
        return None
    weights = sum(prod(weight.shape) for weight in operation.weights)
    if weights > MOST_WEIGHTS or max(map(prod, operation.outputs)) > MOST_NUMBERS:
        return None
    return _Step(operation, taken, f"{kind.name}({', '.join(texts)})")


def _index(random: Random, shapes: list[Shape]) -> int:
    """A value: often the last, so that graphs are deep, too."""
    return len(shapes) - 1 if random.random() < 0.4 else random.randrange(len(shapes))


@cache
def _read(operation: str, parameter: str, text: str) -> Any:
    """What an argument comes to."""
    elaborator, scope = _bare()
    expression = parse_expression(Source("<argument>", text))
    elaborator.program.adopt(expression.span.source)
    words = words_of(OPERATIONS[operation], parameter)
    return elaborator.argument(expression, Frame({}, scope), words)


@cache
def _bare() -> tuple[Elaborator, Scope]:
    """Where an expression without names is evaluated."""
    graph = _built([(1,)], [_relu((1,))], ["x0", "v0"])
    return Elaborator(graph.program), graph.root


def _relu(shape: Shape) -> _Step:
    """The least that a graph can be."""
    return _Step(OPERATIONS["relu"]((shape,), {}), [0], "relu(x0)")


def _built(inputs: Sequence[Shape], steps: list[_Step], names: list[str]) -> Graph:
    """The graph; what nothing reads is an output."""
    read = {i for step in steps for i in step.inputs}
    head = ["arch net {", *(f"  input x{i}: {shape_text(s)}" for i, s in enumerate(inputs))]
    returned = [i for i in range(len(head) - 1, len(names)) if i not in read]
    result = f"  return {', '.join(names[i] for i in returned)}"
    lines = [*head, *(f"  v{i} = {step.call}" for i, step in enumerate(steps)), result, "}", ""]
    source = Source("graph.arch", "\n".join(lines))
    program = Program(source)
    unit = program.find("net", source)
    assert unit is not None
    root = Scope(unit, None, (), unit.span)
    known = [Value(shape, None, 0, f"x{i}") for i, shape in enumerate(inputs)]
    root.inputs, nodes = tuple(known), list[Node]()
    for number, step in enumerate(steps):
        start = source.starts[len(head) + number] + len(f"  v{number} = ")
        span = Span(source, start, start + len(step.call))
        taken = tuple(known[i] for i in step.inputs)
        nodes.append(Node(step.operation, taken, root, (f"v{number}",), span))
        known += nodes[-1].outputs
    outputs = tuple(Output(f"out_{i}", known[place], False) for i, place in enumerate(returned))
    return Graph(program, unit, unit.class_name, None, root.inputs, outputs, nodes, root)
