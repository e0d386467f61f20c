"""The compiler stopped after each phase: what it prints is complete, and so can be read again."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings

import archdsl
from archdsl.diagnostics import errors
from archdsl.diagnostics.diagnostic import DiagnosticError
from archdsl.diagnostics.source import Source
from archdsl.frontend.dump import dump
from archdsl.frontend.formatter import format_text
from archdsl.frontend.parser import parse
from archdsl.frontend.resolved import resolved_text
from archdsl.frontend.writer import write
from archdsl.testing import grammar_specs
from tests.conftest import ROOT, Command

SPECS = sorted((ROOT / "specs").rglob("*.arch"))
NETWORKS = sorted([*(ROOT / "specs").glob("*.arch"), *(ROOT / "tests/constructs").glob("*.arch")])

NET = """\
arch net(c=6) {
  variants {
    name  c
    big   8
  }
  input x: 4x8x8
  y = x -> conv(c, k=3) -> relu   if c > 4
  return y
}
"""


def tree(text: str) -> str:
    return dump(parse(Source("text", text)), places=False)


def written(text: str) -> str:
    return write(parse(Source("text", text)))


# Parse


def test_the_tree_of_a_spec() -> None:
    assert dump(parse(Source("net.arch", NET))) == """\
File  1:1
  definitions: Definition kind="arch" name="net"  1:6
    parameters: Parameter name="c"  1:10
      default: Number value=6  1:12
    body: Variants  3:5
      columns: Name name="c"  3:11
      rows: Variant name="big"  4:5
        cells: Cell  4:11
          value: Number value=8  4:11
    body: Input name="x"  6:9
      sizes: Number value=4  6:12
      sizes: Number value=8  6:12
      sizes: Number value=8  6:12
    body: Assign  7:3
      targets: Name name="y"  7:3
      value: Guard  7:7
        value: Flow  7:7
          source: Name name="x"  7:7
          steps: Call name="conv"  7:12
            arguments: Argument  7:17
              value: Name name="c"  7:17
            arguments: Argument name="k"  7:20
              value: Number value=3  7:22
          steps: Call name="relu" written=false  7:28
        condition: Comparison operators=[">"]  7:38
          operands: Name name="c"  7:38
          operands: Number value=4  7:42
    body: Return  8:10
      values: Name name="y"  8:10
"""


@pytest.mark.parametrize("path", [*SPECS, *NETWORKS], ids=lambda path: path.stem)
def test_a_tree_is_written_as_text_that_parses_to_it(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert tree(written(text)) == tree(text)
    assert tree(format_text(written(text))) == tree(text)


@settings(max_examples=40)
@given(grammar_specs())
def test_trees_of_random_specs_are_written(text: str) -> None:
    assert tree(written(text)) == tree(text)


@pytest.mark.parametrize(
    "text",
    [
        "(a + b) * c",
        "a - (b - c)",
        "-(-a) ^ (-b)",
        "(a ^ b) ^ c",
        "(a < b) == c",
        "not (a and b) or (c or d) and e",
        "(x -> f if a else y) -> g",
        "((x -> f) if a) if b",
        "(a if b else c) if d else (e if f else g)",
        "(x -> f)[0].c",
        "-(a.c // 2)",
        "f((1,), [2, (3, 4)], {5, 6}, k=none)",
    ],
)
def test_brackets_stay_where_they_matter(text: str) -> None:
    spec = f"arch net {{\n  y = {text}\n}}\n"
    assert tree(written(spec)) == tree(spec)


# Resolve


def agree(spec: archdsl.Spec, arch: str) -> str:
    """The resolved text of an arch, whose networks are those of the spec."""
    text = resolved_text(spec.unit(arch))
    for variant in (None, *spec.variants(arch)):
        network = spec.network(arch, variant)
        assert archdsl.loads(text, arch, variant).graph.text() == network.graph.text()
    return text


@pytest.mark.parametrize("path", NETWORKS, ids=lambda path: path.stem)
def test_a_resolved_spec_is_the_same_network(path: Path) -> None:
    spec = archdsl.Spec.open(str(path))
    agree(spec, spec.archs[-1])


@settings(max_examples=40)
@given(grammar_specs())
def test_random_resolved_specs_are_the_same_networks(text: str) -> None:
    spec = archdsl.Spec.of_text(text)
    agree(spec, spec.archs[-1])


def test_what_set_changes_is_in_the_text(tmp_path: Path) -> None:
    (tmp_path / "base.arch").write_text(
        "block b(c, k=1) {\n  return x -> conv(c, k=k)\n}\n"
        "arch base {\n  input x: 4x8x8\n  one = x -> conv(4, 1)\n  two = one -> b(5)\n"
        "  body = two -> stages {\n    block c k\n    b 6 -\n    last: b 7\n  }\n"
        "  return body\n}\n"
    )
    (tmp_path / "net.arch").write_text(
        'use "base.arch"\narch net extends base {\n  input image: 3x9x9\n'
        "  set one(c=8, k=3)\n  set two(k=5)\n  set body.stage1(k=3)\n"
        "  set body.last(c=9, k=5)\n}\n"
    )
    text = agree(archdsl.Spec.open(str(tmp_path / "net.arch")), "net")
    assert text == """\
block b(x: tensor, c, k=1) as B {
  return x -> conv(c, k=k)
}

arch net as Net {
  input image: 3x9x9
  one  = image -> conv(8, 3)
  two  = one -> b(5, k=5)
  body = two -> stages {
    block    c  k
    b        6  3
    last: b  9  k=5
  }
  return body
}
"""


def test_blocks_of_one_name_get_several(tmp_path: Path) -> None:
    (tmp_path / "one.arch").write_text(
        "block unit {\n  return x -> relu\n}\nblock one {\n  return x -> unit -> split_up\n}\n"
        "block split_up {\n  return x -> bn\n}\n"
    )
    (tmp_path / "net.arch").write_text(
        'use "one.arch"\nblock relu {\n  return x -> conv(3)\n}\n'
        "arch net {\n  input x: 4x8x8\n  return x -> one -> relu\n}\n"
    )
    text = agree(archdsl.Spec.open(str(tmp_path / "net.arch")), "net")
    assert "return x -> relu\n" in text and "return x -> one -> relu_2\n" in text


def test_what_cannot_be_merged_is_told() -> None:
    spec = archdsl.Spec.of_text(
        "arch a {\n  input x: 4x8x8\n  return x -> relu\n}\narch b extends a {\n  set y(c=1)\n}\n"
    )
    with pytest.raises(DiagnosticError) as caught:
        resolved_text(spec.unit("b"))
    assert [type(problem) for problem in caught.value.diagnostics] == [errors.NothingToSet]


# The command


def test_each_phase(command: Command, tmp_path: Path) -> None:
    (tmp_path / "net.arch").write_text(NET)
    network = archdsl.load(tmp_path / "net.arch")
    graph = command("graph", "net.arch")
    assert graph.stdout == network.graph.text()
    assert command("graph", "net.arch", "--stop-after", "elaborate").stdout == graph.stdout
    resolved = command("graph", "-", "--stop-after", "resolve", input=NET)
    assert resolved.stdout == NET.replace("arch net(c=6)", "arch net(c=6) as Net")
    parsed = command("graph", "-", "--stop-after", "parse", input=NET)
    assert parsed.stdout == dump(parse(Source("net.arch", NET)))
    assert graph.stderr == resolved.stderr == parsed.stderr == ""


def test_selected_networks(command: Command, tmp_path: Path) -> None:
    (tmp_path / "net.arch").write_text(NET)
    assert "conv %0 (c=8, k=3)" in command("graph", "net.arch", "--variant", "big").stdout
    assert "conv %0 (c=7, k=3)" in command("graph", "net.arch", "--set", "c=7").stdout
    assert "%1 = conv" not in command("graph", "net.arch", "--set", "c=4").stdout
    block = command("graph", "sepconv", "--input", "4x8x8", "--set", "c=6")
    assert block.stdout.startswith("graph sepconv\n%0 = input x : 4x8x8\n")


def test_its_file(command: Command, tmp_path: Path) -> None:
    (tmp_path / "net.arch").write_text(NET)
    for phase in ("parse", "resolve", "elaborate"):
        printed = command("graph", "net.arch", "--stop-after", phase).stdout
        done = command("graph", "net.arch", "--stop-after", phase, "-o", "out.txt")
        assert (done.stdout, done.stderr) == ("", "")
        assert (tmp_path / "out.txt").read_text() == printed
        refused = command("graph", "net.arch", "--stop-after", phase, "-o", "net.arch")
        assert refused.returncode == 1 and "error[A0016]" in refused.stderr
    assert (tmp_path / "net.arch").read_text() == NET


def test_a_phase_finds_its_own_mistakes(command: Command, tmp_path: Path) -> None:
    """Phases after the one that it stops at do not run."""
    (tmp_path / "net.arch").write_text(
        'use "none.arch"\narch net {\n  input x: 4x8x8\n  return x -> conv(0)\n}\n'
    )
    assert command("graph", "net.arch", "--stop-after", "parse").returncode == 0
    resolved = command("graph", "net.arch", "--stop-after", "resolve")
    assert resolved.returncode == 1 and "no such file" in resolved.stderr
    (tmp_path / "net.arch").write_text("arch net {\n  input x: 4x8x8\n  return x -> conv(0)\n}\n")
    assert command("graph", "net.arch", "--stop-after", "resolve").returncode == 0
    assert command("graph", "net.arch").returncode == 1
    (tmp_path / "net.arch").write_text("arch net {\n  input x: 4x8x8\n  return x ->\n}\n")
    parsed = command("graph", "net.arch", "--stop-after", "parse")
    assert parsed.returncode == 1 and parsed.stdout == "" and "net.arch:3" in parsed.stderr
