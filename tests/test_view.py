"""Pictures: boxes lie where they should, edges lead from box to box, every format is valid."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from itertools import combinations, pairwise
from pathlib import Path

import pytest

import archdsl
from archdsl.diagnostics import errors
from archdsl.diagnostics.diagnostic import DiagnosticError
from archdsl.ir.graph import Graph
from archdsl.ir.parts import DEPTHS
from archdsl.reports.view import colours
from archdsl.reports.view.boxes import boxes_of
from archdsl.reports.view.depths import opened
from archdsl.reports.view.drawing import FORMATS, draw
from archdsl.reports.view.folding import fold
from archdsl.reports.view.geometry import Geometry
from tests.conftest import ROOT, Command
from tests.pictures import ALL, Way, graph, lies_well, placed, title, ways

HOSTILE = """\
arch net {
  "</script><script>alert(1)</script> <!-- \\"quotes\\" & 'more' ]]> ` # \\\\N"
  input x: 3x8x8
  stem = x -> conv(8) -> relu
  return stem
}
"""

needs_dot = pytest.mark.skipif(
    shutil.which("dot") is None and not os.environ.get("CI"), reason="Graphviz is not installed"
)


def drawn(which: object, depth: str) -> Geometry:
    """Where the boxes of a network are."""
    return placed(graph(which), depth)  # type: ignore[arg-type]


# All networks: one case for each, which is built once


@pytest.mark.parametrize("which", ALL, ids=title)
def test_every_network_in_every_form(which: tuple[str, str] | Path) -> None:
    network = graph(which)
    costs_of_boxes_add_up(network)
    for depth in DEPTHS:
        lies_well(placed(network, depth))
    for depth in ("stages", "primitives"):
        svg_is_well_formed_and_asks_for_nothing(draw(network, "svg", depth))
    for form in ("dot", "mmd"):
        edges_lead_to_boxes_that_show(draw(network, form, "primitives"))
    page = draw(network, "html", "blocks")
    assert page.startswith("<!DOCTYPE html>") and page.endswith("</html>\n")


def costs_of_boxes_add_up(network: Graph) -> None:
    top = boxes_of(network)
    for box in top.walk():
        if box.children:
            assert box.params == sum(child.params for child in box.children), box
            assert box.macs == sum(child.macs for child in box.children), box
    leaves = [box for box in top.walk() if box.form == "operation"]
    assert len(leaves) == len(network.nodes)
    folded = boxes_of(network)
    fold(folded)
    assert (folded.params, folded.macs) == (top.params, top.macs)
    assert sum(child.params for child in folded.children) == top.params


def svg_is_well_formed_and_asks_for_nothing(text: str) -> None:
    root = ET.fromstring(text)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert text.count("http") == 1 and "@import" not in text and "<script" not in text
    assert not re.search(r"(href|src)=|url\((?!#tip\))", text)
    assert "nan" not in text and "inf" not in re.sub(r">[^<]*<", "><", text)


def edges_lead_to_boxes_that_show(text: str) -> None:
    nodes = set(re.findall(r"^ *(n\d+)(?= \[label|\[|\(\[)", text, re.MULTILINE))
    arrow = r"^  (n\d+) (?:-->|-\.->|->)(?:\|\"[^\"]*\"\|)? (n\d+)"
    edges = re.findall(arrow, text, re.MULTILINE)
    used = {name for edge in edges for name in edge}
    assert edges and used <= nodes
    opened_ = text.count("subgraph ")
    assert opened_ == len(re.findall(r"^ +(end|\})$", text, re.MULTILINE))


# Geometry


def test_skips_are_straight_columns_beside_what_they_skip() -> None:
    """A residual sum is entered from above by its own chain and from the side by the skip."""
    geometry = drawn(("resnet50", "resnet50"), "primitives")
    sums = [way for way in ways(geometry) if way.head.what == "add"]
    assert len(sums) == 2 * 8  # of 16 blocks 8 are different
    for one, other in zip(sums[::2], sums[1::2]):
        straight, skip = sorted((one, other), key=lambda way: len(way.corners))
        assert len(straight.corners) == 2 and len(skip.corners) in (3, 4, 5)
        assert abs(skip.corners[-1][1] - skip.corners[-2][1]) < 0.1


def test_taps_of_a_pyramid_do_not_cross() -> None:
    geometry = drawn(("nas_fpn", "nas_fpn_resnet50"), "stages")
    assert crossings(ways(geometry)) == 0


def crossings(found: list[Way]) -> int:
    pieces = [(n, *a, *b) for n, way in enumerate(found) for a, b in pairwise(way.corners)]
    count = 0
    for (one, ax, ay, bx, by), (other, cx, cy, dx, dy) in combinations(pieces, 2):
        if one == other or (abs(ax - bx) < 0.2) == (abs(cx - dx) < 0.2):
            continue
        if abs(ax - bx) > 0.2:
            (ax, ay, bx, by), (cx, cy, dx, dy) = (cx, cy, dx, dy), (ax, ay, bx, by)
        count += min(cx, dx) + 1 < ax < max(cx, dx) - 1 and min(ay, by) + 1 < cy < max(ay, by) - 1
    return count


# What is drawn


def test_weights_are_named_as_in_the_state_dict() -> None:
    network = archdsl.load("mnasnet_a1")
    shapes = {
        name: "x".join(map(str, tensor.shape)) or "scalar"
        for name, tensor in network.module().state_dict().items()
    }
    boxes = boxes_of(network.graph)
    assert dict(weight for box in boxes.walk() for weight in box.weights) == shapes


def test_equal_blocks_stand_there_once() -> None:
    top = boxes_of(graph(("xception", "xception")))
    fold(top)
    (run,) = next(box for box in top.children if box.name == "middle").children
    assert (run.name, run.repeats) == ("middle_flow.0–7", 8)
    # Dense layers have ever more input channels: none is like another.
    dense = boxes_of(graph(("densenet121", "densenet121")))
    fold(dense)
    stage = next(box for box in dense.children if box.repeats == 24)
    assert len(stage.children) == 24


def test_what_is_named_is_not_folded_away() -> None:
    top = boxes_of(graph(("xception", "xception")))
    names = ["middle.0.middle_flow.3"]
    paths = [box.path for box in top.walk() if box.kind == "middle_flow" and box.form == "block"]
    names = [paths[3]]
    fold(top, names)
    middle = next(box for box in top.children if box.name == "middle")
    assert [child.repeats for child in middle.children] == [3, 1, 4]
    (named,) = [box for box in opened(top, "stages", names) if box.path == names[0]]
    assert named is middle.children[1]


def test_depths_open_more_and_more() -> None:
    top = boxes_of(graph(("mnasnet_a1", "mnasnet_a1")))
    stages, blocks, primitives = (opened(top, depth) for depth in DEPTHS)
    assert stages == {top} and stages < blocks < primitives
    assert {box for box in top.walk() if box.children} == primitives


def test_colours_are_told_apart_without_seeing_all() -> None:
    """Colours of what stands side by side differ also for those who see no red or no green.

    Machado et al., IEEE TVCG 2009: what protan- and deuteranopes see of linear RGB.
    """
    matrices = {
        "normal": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
        "protan": ((0.152, 1.053, -0.205), (0.115, 0.786, 0.099), (-0.004, -0.048, 1.052)),
        "deutan": ((0.367, 0.861, -0.228), (0.280, 0.673, 0.047), (-0.012, 0.043, 0.969)),
    }
    for matrix in matrices.values():
        for some in (colours.FAMILIES.values(), colours.BLOCKS):
            seen = [see(linear(colour), matrix) for colour in some]
            for one, other in combinations(seen, 2):
                assert sum((a - b) ** 2 for a, b in zip(one, other)) ** 0.5 > 0.1


def linear(colour: str) -> list[float]:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    return [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]


def see(colour: list[float], matrix: object) -> list[float]:
    return [sum(m * c for m, c in zip(row, colour)) for row in matrix]  # type: ignore[attr-defined]


@pytest.mark.parametrize("theme", [colours.LIGHT, colours.DARK], ids=["light", "dark"])
def test_text_has_contrast_on_every_ground(theme: colours.Theme) -> None:
    """At least 4.5 to 1, as WCAG 2.2, 1.4.3 wants."""
    grounds = [theme.ground, theme.raised]
    for colour in {*colours.FAMILIES.values(), *colours.BLOCKS, colours.PLAIN}:
        grounds += [mixed(colour, theme.ground, float(o)) for o in (theme.fill, theme.inside)]
    for ground in grounds:
        for text in (theme.text, theme.faint):
            one, other = sorted((luminance(text), luminance(ground)))
            assert (other + 0.05) / (one + 0.05) >= 4.5, (text, ground)


def mixed(colour: str, ground: str, part: float) -> str:
    pairs = [(int(colour[i : i + 2], 16), int(ground[i : i + 2], 16)) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(c * part + g * (1 - part)):02x}" for c, g in pairs)


def luminance(colour: str) -> float:
    return sum(w * part for w, part in zip((0.2126, 0.7152, 0.0722), linear(colour)))


# Formats


@needs_dot
@pytest.mark.parametrize("depth", ["stages", "primitives"])
def test_graphviz_takes_every_network(depth: str) -> None:
    tops = [graph(which) for which in ALL if depth == "stages" or which in ALL[::4]]
    text = "".join(draw(network, "dot", depth) for network in tops)
    # `canon` parses all graphs without the time to lay them out.
    done = subprocess.run(["dot", "-Tcanon"], input=text, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(re.findall(r"^digraph ", done.stdout, re.MULTILINE)) == len(tops)


@needs_dot
def test_graphviz_draws_a_pyramid() -> None:
    text = draw(graph(("nas_fpn", "nas_fpn")), "dot", "blocks")
    done = subprocess.run(["dot", "-Tsvg"], input=text, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    picture = ET.fromstring(done.stdout)
    kinds = [node.get("class") for node in picture.iter("{http://www.w3.org/2000/svg}g")]
    assert kinds.count("cluster") == text.count("subgraph") == 1
    assert kinds.count("edge") == text.count("->")


@pytest.mark.parametrize("form", FORMATS)
def test_what_a_spec_says_stays_text(form: str, tmp_path: Path) -> None:
    text = draw(archdsl.loads(HOSTILE).graph, form, "primitives")
    if form == "svg":
        said = ET.fromstring(text)[1].text or ""
        assert said.startswith("</script><script>alert(1)</script> <!--")
    if form == "html":
        assert text.count("<script") == 2 and text.count("</script") == 2
        assert "<!--" not in text
    if form == "mmd":
        assert "<script" not in text


def test_pictures_are_the_same_every_time(tmp_path: Path) -> None:
    program = (
        "import archdsl, hashlib, sys\n"
        "networks = [archdsl.load('nas_fpn'), archdsl.load('mnasnet_a1')]\n"
        "for form in ('svg', 'html', 'dot', 'mmd'):\n"
        "    for network in networks:\n"
        "        text = network.view(format=form, depth='primitives')\n"
        "        print(form, hashlib.sha256(text.encode()).hexdigest())\n"
    )
    runs = set()
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": seed}
        done = subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        runs.add(done.stdout)
    assert len(runs) == 1


def test_the_picture_of_the_readme_is_current(update_golden: bool) -> None:
    path = ROOT / "docs" / "images" / "mnasnet_a1.svg"
    text = archdsl.load("mnasnet_a1").view()
    if update_golden:
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text


# The command and Python


@pytest.mark.parametrize(
    ("arguments", "file", "start"),
    [
        ([], "resnet50.svg", "<svg "),
        (["-o", "a.SVG"], "a.SVG", "<svg "),
        (["-o", "a.html"], "a.html", "<!DOCTYPE html>"),
        (["-o", "a.htm"], "a.htm", "<!DOCTYPE html>"),
        (["-o", "a.dot"], "a.dot", 'digraph "resnet50" {'),
        (["-o", "a.gv", "--depth", "blocks"], "a.gv", "digraph"),
        (["-o", "a.mmd"], "a.mmd", "---\ntitle: ResNet50 (resnet50)\n---\nflowchart TD\n"),
        (["-o", "a.txt", "--format", "mmd"], "a.txt", "---"),
        (["--format", "html"], "resnet50.html", "<!DOCTYPE html>"),
        (["--variant", "resnet101"], "resnet101.svg", "<svg "),
    ],
)
def test_the_format_is_that_of_the_ending(
    command: Command, tmp_path: Path, arguments: list[str], file: str, start: str
) -> None:
    done = command("view", "resnet50", *arguments)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{file}\n", "")
    assert (tmp_path / file).read_text(encoding="utf-8").startswith(start)
    assert [path.name for path in tmp_path.iterdir()] == [file]


def test_standard_output_and_quiet(command: Command, tmp_path: Path) -> None:
    done = command("view", "resnet50", "-o", "-", "--format", "dot")
    assert done.returncode == 0 and done.stdout.startswith("digraph")
    assert command("view", "resnet50", "-o", "-").stdout.startswith("<svg ")
    assert command("view", "resnet50", "--quiet").stdout == ""
    assert [path.name for path in tmp_path.iterdir()] == ["resnet50.svg"]


@pytest.mark.parametrize(
    ("arguments", "status", "code", "said"),
    [
        (["-o", "net.png"], 2, "A6050", ".svg, .html, .dot, .mmd"),
        (["-o", "net"], 2, "A6050", "--format"),
        (["-o", "html"], 2, "A6050", "--format"),
        (["--open", "body.c33"], 2, "A6051", "did you mean `body.c3"),
        (["--open", "zzz"], 2, "A6051", "the network has stem, body.c2"),
        (["-o", "no/where.svg"], 1, "A0016", "No such file"),
        (["--variant", "no"], 2, "A1015", ""),
    ],
)
def test_what_is_wrong_is_told_and_nothing_written(
    command: Command, tmp_path: Path, arguments: list[str], status: int, code: str, said: str
) -> None:
    done = command("view", "resnet50", *arguments)
    assert (done.returncode, done.stdout) == (status, "")
    assert f"error[{code}]" in done.stderr and said in done.stderr
    assert not list(tmp_path.iterdir())


def test_the_spec_itself_is_not_written_over(command: Command, tmp_path: Path) -> None:
    spec = tmp_path / "net.arch"
    spec.write_text(HOSTILE)
    done = command("view", "net.arch", "-o", "net.arch", "--format", "svg")
    assert done.returncode == 1 and "it is the spec itself" in done.stderr
    assert spec.read_text() == HOSTILE


def test_python(tmp_path: Path) -> None:
    network = archdsl.load("mnasnet_a1")
    path = tmp_path / "net.html"
    assert network.view(path) == path.read_text(encoding="utf-8") == network.view(format="html")
    assert "squeeze_excite" in network.view(open=["body.stage3.0"])
    for options in ({"format": "png"}, {"depth": "layers"}, {"open": ["stern"]}):
        with pytest.raises(DiagnosticError):
            network.view(**options)  # type: ignore[arg-type]
    with pytest.raises(DiagnosticError) as told:
        network.view(tmp_path / "net.jpg")
    assert isinstance(told.value.diagnostics[0], errors.NoPictureEnding)
    assert not (tmp_path / "net.jpg").exists()


def test_a_picture_needs_no_torch_and_little_time(command: Command) -> None:
    program = "import archdsl, sys; archdsl.load('mnasnet_a1').view(); print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True,
    )  # fmt: skip
    modules = done.stdout.split()
    assert "archdsl.reports.view.svg" in modules and not {"torch", "onnx", "numpy"} & set(modules)


def test_rounds_whose_several_results_nobody_needs() -> None:
    text = """arch net {
      input x: 12
      tail = x -> stages {
        relu
        relu
      }
      all = []
      repeat i in 0..1 {
        a = none
        b = none
        late: repeat j in 0..3 {
          a = a + tail.stage2
          b = b + tail.stage2
        }
        all = all + [a]
      }
      return tail -> relu
    }
    """
    for form in FORMATS:
        for depth in DEPTHS:
            assert archdsl.loads(text).view(format=form, depth=depth)
