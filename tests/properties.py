"""What holds of every spec and every graph: each function takes one that `archdsl.testing` made.

`test_properties.py` tries some in every run of the tests; `python -m tests.fuzz` many more.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import torch
from hypothesis import strategies as st

import archdsl
from archdsl import testing
from archdsl.api.network import Network, Spec
from archdsl.backends.onnx import export
from archdsl.backends.pytorch.source import generate
from archdsl.diagnostics import errors
from archdsl.diagnostics.diagnostic import Diagnostic, DiagnosticError, render
from archdsl.diagnostics.json import json_report
from archdsl.frontend.formatter import format_text
from archdsl.ir import costs, memory
from archdsl.ir import parts as rows
from archdsl.ir.graph import Graph
from archdsl.reports.explain.facts import names
from archdsl.reports.view.drawing import FORMATS
from tests import agreement, any_size, onnx_tools, pictures, test_format
from tests.test_diff import check_pair
from tests.test_torch_style import PYPROJECT


def network(text: str) -> Network:
    spec = Spec.of_text(text)
    return spec.network(spec.archs[-1])


def formatting_keeps_the_tree(text: str) -> None:
    """Printing and parsing is the identity, comments stay, printing again changes nothing."""
    done = test_format.check(text)
    assert network(done).params == network(text).params


def torch_agrees(text: str) -> None:
    """The module has the graph's weights, shapes and costs, and computes what the graph says: in
    use, in training with its gradients, and scripted."""
    _same_in_torch(network(text).graph, network(text).graph)


ONNX: list[dict[str, Any]] = [
    {"fold": True},
    {"fold": False, "functions": True, "opset": 17},
    {"dynamic": "spatial", "functions": True, "opset": 22},
]


def onnx_agrees(text: str) -> None:
    """The file is sound, its shapes are those that onnx infers at every value, and onnxruntime
    computes what the graph says: folded and unfolded, with a free batch and with free sizes, flat
    and with functions."""
    _same_in_onnx(network(text).graph)


def graphs_agree(graph: Graph) -> None:
    """A graph, and the one that is elaborated from its spec, are the same; so is what is made of
    them by both backends."""
    made = network(testing.text_of(graph)).graph
    assert _content(made) == _content(graph)
    assert costs.total(made) == costs.total(graph)
    _same_in_torch(graph, made)
    files = _same_in_onnx(graph), _same_in_onnx(made)
    assert files[0] == files[1]


def _content(graph: Graph) -> list[tuple[object, ...]]:
    """All of a graph but names that nobody sees."""
    order = {id(value): number for number, value in enumerate(graph.values())}
    nodes: list[tuple[object, ...]] = [
        (
            repr(node.operation), [order[id(value)] for value in node.inputs],
            [(order[id(value)], value.shape) for value in node.outputs],
            [(node.path, weight) for weight in node.operation.weights], node.span.text,
        )
        for node in graph.nodes
    ]  # fmt: skip
    inputs = [(value.name, value.shape) for value in graph.inputs]
    return [*nodes, *inputs, *[(order[id(o.value)], o.training) for o in graph.outputs]]


def _same_in_torch(graph: Graph, written: Graph) -> None:
    """What is written for one graph is the network of another."""
    source = generate(written, "spec.arch")
    agreement.assert_imports_only_torch(source)
    agreement.same_network(graph, agreement.load(source, graph.class_name)())


def _same_in_onnx(graph: Graph) -> list[list[str]]:
    """What is written for a graph computes what it says; the operators of the flat file."""
    state = onnx_tools.state_of(graph)
    weights = {name: tensor.numpy() for name, tensor in state.items()}
    inputs = onnx_tools.inputs_of(graph, 3)
    expected = onnx_tools.expected(graph, state, inputs)
    usual = all(np.isfinite(x).all() and np.abs(x).max() < 1e6 for x in expected)
    # A narrow normalisation magnifies rounding: the reference says how much, in float32 itself.
    rounded = onnx_tools.expected(graph, state, inputs, torch.float32)
    spread = [np.abs(a - b).max() / max(1e-3, np.abs(b).max()) for a, b in zip(rounded, expected)]
    tolerance = max(1e-3, 4 * float(max(spread))) if usual else 1e-3
    operators: list[list[str]] = []
    with tempfile.TemporaryDirectory() as folder:
        for number, options in enumerate(ONNX):
            path = Path(folder) / f"{number}.onnx"
            try:
                export(graph, str(path), spec="spec.arch", weights=weights, **options)
            except DiagnosticError as refused:
                assert "dynamic" in options
                kinds = (errors.SizeIsFixed, errors.NoLowering)
                assert all(isinstance(problem, kinds) for problem in refused.diagnostics)
                continue
            model = onnx_tools.checked(path)
            told = {v.name: v for v in model.graph.output}
            shown = [output for output in graph.outputs if not output.training]
            for output, value in zip(shown, model.graph.output, strict=True):
                dims = told[value.name].type.tensor_type.shape.dim[1:]
                if "dynamic" not in options:
                    assert tuple(d.dim_value for d in dims) == output.value.shape
            if usual:
                onnx_tools.close(onnx_tools.run(path, inputs), expected, tolerance)
            if "functions" not in options:
                operators.append([node.op_type for node in model.graph.node])
    return operators


def source_is_clean(text: str) -> None:
    """ruff finds nothing in the module, its layout included, and Python compiles it."""
    source = network(text).source()
    compile(source, "net.py", "exec")
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "pyproject.toml").write_text(PYPROJECT)
        (Path(folder) / "net.py").write_text(source, encoding="utf-8")
        for command in (["check"], ["format", "--diff"]):
            done = subprocess.run(
                [sys.executable, "-m", "ruff", *command, "--no-cache", "net.py"],
                cwd=folder, capture_output=True, text=True,
            )  # fmt: skip
            assert done.returncode == 0, f"{source}\n{done.stdout}{done.stderr}"


def pictures_lie_well(text: str) -> None:
    """Boxes, edges and shapes lie apart, and every format draws the network."""
    made = network(text)
    for depth in rows.DEPTHS:
        pictures.lies_well(pictures.placed(made.graph, depth))
        for form in FORMATS:
            drawn = made.view(format=form, depth=depth)
            if form == "svg":
                ElementTree.fromstring(drawn)


def same_bytes(text: str) -> None:
    """The same input gives the same bytes."""
    assert network(text).source() == network(text).source()
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / "a.onnx", Path(folder) / "b.onnx"]
        for path in paths:
            network(text).onnx(path, seed=3)
        assert paths[0].read_bytes() == paths[1].read_bytes()


def figures_agree(text: str) -> None:
    """The rows of a table add up to the network's costs at every depth, everything can be
    explained, a network does not differ from itself, and a difference turns round."""
    made, again = network(text), network(text)
    for depth in rows.DEPTHS:
        table = made.table(depth)
        assert sum(part.params for part in table) == made.params
        assert sum(part.macs for part in table) == made.macs
        assert sum(part.memory for part in table) == sum(part.memory for part in made.table())
        assert len({part.name for part in table}) == len(table)
        for form in ("text", "json", "csv", "markdown", "latex"):
            assert made.summary(depth, format=form)
    assert 0 < 4 * memory.peak(made.graph)
    assert made.explain() and made.explain(format="json")
    for name in names(made.graph)[:20]:
        assert name in made.explain(name)
    assert archdsl.diff(made, again).same and made.source() == again.source()
    spec = made.spec
    for arch in spec.archs:
        for variant in (None, *spec.variants(arch)):
            try:
                other = spec.network(arch, variant)
            except DiagnosticError:
                continue  # what is made is right as it stands, not in every variant
            check_pair(made, other)


def mistakes_are_told(text: str) -> None:
    """Whatever a text is, it compiles or there are diagnostics, which point into it."""
    try:
        spec = Spec.of_text(text)
        for arch in spec.archs:
            made = spec.network(arch)
            made.source()
            if sum(np.prod(w.shape) for n in made.graph.nodes for w in n.operation.weights) < 1e6:
                with tempfile.TemporaryDirectory() as folder:
                    made.onnx(Path(folder) / "net.onnx")
            _sound(made.warnings)
    except DiagnosticError as problem:
        assert problem.diagnostics
        _sound(problem.diagnostics)
    try:
        format_text(text)
    except DiagnosticError as problem:
        _sound(problem.diagnostics)


def _sound(problems: list[Diagnostic]) -> None:
    for problem in problems:
        told = render(problem)
        assert re.match(r"(error|warning)\[A\d{4}\]: \S", told)
        for span in (problem.span, *(note.span for note in problem.notes)):
            if span is not None:
                assert 0 <= span.start <= span.end <= len(span.source.text) + 1
                line, _ = span.source.position(span.start)
                assert 1 <= line <= span.source.text.count("\n") + 1
    json_report(problems, {})


PROPERTIES: dict[str, tuple[Callable[[Any], None], Callable[[], st.SearchStrategy[Any]], int]] = {
    "formatting_keeps_the_tree": (
        formatting_keeps_the_tree,
        lambda: testing.specs().flatmap(testing.layouts),
        60,
    ),
    "graphs_agree": (graphs_agree, testing.graphs, 25),
    "every_size_agrees": (any_size.check, any_size.cases, 60),
    "torch_agrees": (torch_agrees, testing.specs, 25),
    "onnx_agrees": (onnx_agrees, testing.specs, 25),
    "source_is_clean": (source_is_clean, testing.specs, 25),
    "figures_agree": (figures_agree, testing.specs, 40),
    "pictures_lie_well": (pictures_lie_well, testing.specs, 60),
    "same_bytes": (same_bytes, testing.specs, 15),
    "mistakes_are_told": (
        mistakes_are_told,
        lambda: testing.specs(4).flatmap(testing.mutations),
        150,
    ),
}
"""Each with what it is tried on, and how often in a run of the tests."""

torch.set_num_threads(1)
