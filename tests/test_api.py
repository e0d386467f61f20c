"""The Python interface: loading, overriding, reading, generating, and mistakes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import archdsl
from archdsl import DiagnosticError, Network
from archdsl.elaborate import expectations as check
from tests.conftest import ROOT

SPEC = """
block unit(c, act=relu) {
  "A unit."
  return x -> conv(c, k=3) -> bn -> act
}
arch small(width=8, act=relu, classes=10) as SmallNet {
  "A small net."
  variants {
    name   width  params
    thin   4      166
    wide   16     634
  }
  input image: 3x16x16
  expect params == 322, macs <= 60000, depth == 2
  body   = image -> unit(width, act=act)
  logits = body -> global_pool -> linear(classes)
  return logits, body
}
arch other { input x: 3x8x8
  return x -> relu }
"""


def small(**parameters: object) -> Network:
    return archdsl.loads(SPEC, arch="small", **parameters)  # type: ignore[arg-type]


def codes(caught: pytest.ExceptionInfo[DiagnosticError]) -> list[str]:
    return [problem.code for problem in caught.value.diagnostics]


def test_what_a_network_says() -> None:
    network = small()
    assert (network.name, network.class_name, network.doc) == ("small", "SmallNet", "A small net.")
    assert network.archs == ["small", "other"]
    assert network.variants == ["thin", "wide"]
    assert network.parameters == {"width": 8, "act": "relu", "classes": 10}
    assert network.inputs == {"image": ("N", 3, 16, 16)}
    assert network.outputs == {"logits": ("N", 10), "body": ("N", 8, 16, 16)}
    assert network.training_outputs == {}
    assert (network.params, network.macs, network.depth) == (322, 216 * 256 + 80, 2)


def test_values_and_nodes_are_plain() -> None:
    network = small()
    assert network.values[0] == ("image", ("N", 3, 16, 16))
    names = [value.name for value in network.values]
    assert len(names) == len(set(names)) == len(network.nodes) + 1
    first = network.nodes[0]
    assert first._asdict() == {
        "name": "body.out.0",
        "block": "unit",
        "operation": "conv",
        "shape": ("N", 8, 16, 16),
        "params": 216,
        "macs": 216 * 256,
    }
    assert sum(node.params for node in network.nodes) == network.params
    assert sum(node.macs for node in network.nodes) == network.macs
    assert [block[:3] for block in network.blocks] == [("body", "unit", ("N", 8, 16, 16))]


def test_override_makes_another() -> None:
    network = small()
    other = network.override(classes=3, act="leaky_relu(0.1)")
    assert other.outputs["logits"] == ("N", 3) and network.outputs["logits"] == ("N", 10)
    assert other.parameters["act"].startswith("leaky_relu")
    again = other.override(width="4 * 4")
    assert again.parameters["classes"] == 3 and again.outputs["body"] == ("N", 16, 16, 16)
    assert network.override().parameters == network.parameters


def test_variant_makes_another() -> None:
    thin = small().variant("thin")
    assert (thin.name, thin.parameters["width"]) == ("thin", 4)
    assert thin.override(width=5).parameters["width"] == 5
    assert thin.variant("wide").parameters["width"] == 16
    assert thin.variant(None).name == "small"


def test_numbers_of_other_libraries() -> None:
    numpy = pytest.importorskip("numpy")
    assert small(width=numpy.int64(4)).outputs["body"] == ("N", 4, 16, 16)


def test_shipped_files_and_paths(tmp_path: Path) -> None:
    assert archdsl.load("mnasnet_a1").params == 3_887_038
    file = tmp_path / "other.arch"
    file.write_text(SPEC)
    assert archdsl.load(file).name == "other"  # of several, the one called like the file
    assert archdsl.load(file, "small", "thin").name == "thin"


def test_summary() -> None:
    text = small().summary()
    assert text.startswith("SmallNet (small)\nA small net.\n")
    assert "unit c=8 act=relu" in text
    assert not any(line != line.rstrip() for line in text.splitlines())


def test_a_summary_does_not_steer_the_terminal() -> None:
    text = archdsl.loads(SPEC.replace("A small net.", "\x1b[31mred"), arch="small").summary()
    assert "\x1b" not in text and "\\x1b[31mred" in text


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"nothing": 1}, "A1003"),
        ({"width": "1 +"}, "A0001"),
        ({"width": "heigth"}, "A1002"),
        ({"width": object()}, "A2001"),
        ({"width": 0}, "A2001"),
        ({"width": 1.5}, "A2002"),
        ({"variant": "huge"}, "A1015"),
    ],
)
def test_mistakes(parameters: dict[str, object], code: str) -> None:
    with pytest.raises(DiagnosticError) as caught:
        small(**parameters)
    assert codes(caught) == [code]


@pytest.mark.parametrize(
    ("text", "arch", "code"),
    [
        (SPEC, "smal", "A1016"),
        (SPEC, None, "A1037"),
        ("block b { return x -> relu }", None, "A1050"),
        ("", None, "A1016"),
        ("arch a {", None, "A0003"),
        ("a + " * 900, None, "A0001"),
    ],
)
def test_mistakes_of_a_spec(text: str, arch: str | None, code: str) -> None:
    with pytest.raises(DiagnosticError) as caught:
        archdsl.loads(text, arch=arch)
    assert codes(caught) == [code]


def test_missing_file() -> None:
    with pytest.raises(DiagnosticError, match="mnasnet_a1") as caught:
        archdsl.load("mnasnet_a2")
    assert codes(caught) == ["A0017"]


# Promises


def with_line(line: str) -> str:
    return SPEC.replace("expect params == 322, macs <= 60000, depth == 2", line)


def test_expectations_hold_for_the_defaults_alone() -> None:
    wrong = with_line("expect params == 7")
    assert archdsl.loads(wrong, arch="small", classes=3).params
    assert archdsl.loads(wrong, arch="small", variant="thin").params
    child = wrong + "arch child extends small { }"
    assert archdsl.loads(child, arch="child").params


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("expect params == 7", [("A4002", "params == 7")]),
        ("expect params == 7, 8 < depth", [("A4002", "params == 7"), ("A4002", "8 < depth")]),
        ("expect depth <= 1 * 1", [("A4002", "depth <= 1 * 1")]),
        ("expect 1 < depth < 2", [("A4002", "1 < depth < 2")]),
        ("expect params", [("A1032", "params")]),
        ("expect params == macs", [("A1032", "params == macs")]),
        ("expect params == act", [("A1032", "params == act")]),
        ("expect width == 8", [("A1032", "width == 8")]),
        ("expect params == nothing", [("A1002", "nothing")]),
    ],
)
def test_promises_not_kept(line: str, found: list[tuple[str, str]]) -> None:
    with pytest.raises(DiagnosticError) as caught:
        archdsl.loads(with_line(line), arch="small")
    problems = caught.value.diagnostics
    assert [(p.code, p.span.text if p.span else "") for p in problems] == found


def test_how_much_a_promise_is_missed() -> None:
    with pytest.raises(DiagnosticError, match=r"but depth is 2 \(-1\)"):
        archdsl.loads(with_line("expect depth == 3"), arch="small")


def test_promises_of_variants() -> None:
    spec = SPEC.replace("166", "167")
    with pytest.raises(DiagnosticError) as caught:
        archdsl.loads(spec, arch="small", variant="thin")
    (problem,) = caught.value.diagnostics
    assert problem.span is not None and problem.span.text == "167"
    assert archdsl.loads(spec, arch="small", variant="thin", classes=3).params


def test_a_variant_twice() -> None:
    with pytest.raises(DiagnosticError) as caught:
        archdsl.loads(SPEC.replace("wide", "thin"), arch="small")
    assert codes(caught) == ["A1005"]


@pytest.mark.parametrize("name", ["int", "class", "nn", "Tensor", "2nd", "a b", "", "Größe"])
def test_class_names(name: str) -> None:
    with pytest.raises(DiagnosticError) as caught:
        small().source(name)
    assert codes(caught) == ["A1036"]


# What is made


def test_source_is_deterministic_and_python() -> None:
    text = small().source()
    assert text == small().source()
    compile(text, "small.py", "exec")
    assert "class SmallNet(" in text and "class Mine(" in small().source("Mine")


def test_module() -> None:
    torch = pytest.importorskip("torch")
    network = small()
    module = network.module().eval()
    assert sum(p.numel() for p in module.parameters()) == network.params
    assert type(network.module()) is type(module)
    scripted = torch.jit.script(module)
    x = torch.randn(2, 3, 16, 16)
    outputs = module(x)
    assert [tuple(y.shape[1:]) for y in outputs] == [s[1:] for s in network.outputs.values()]
    for mine, theirs in zip(outputs, scripted(x)):
        assert torch.equal(mine, theirs)


def test_importing_is_cheap() -> None:
    code = "import sys, archdsl as a; print(a.__version__, 'lark' in sys.modules, len(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-S", "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    version, lark, count = done.stdout.split()
    assert (version, lark) == (archdsl.__version__, "False") and int(count) < 60


def test_public_names() -> None:
    assert all(hasattr(archdsl, name) for name in archdsl.__all__)
    with pytest.raises(AttributeError):
        archdsl.nothing  # noqa: B018


def test_unsound_graphs_are_defects() -> None:
    graph = small().graph
    check.check(graph, settled=True)
    graph.nodes.reverse()
    with pytest.raises(check.UnsoundGraph, match="not there"):
        check.check(graph, settled=True)
    graph.nodes.reverse()
    graph.nodes.append(graph.nodes[0])
    with pytest.raises(check.UnsoundGraph, match=r"body\.out\.0"):
        check.check(graph, settled=True)
