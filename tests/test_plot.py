"""Figures: the same bytes each time, names that do not overlap, and the measurements they show."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg

import archdsl
from archdsl import DiagnosticError, Network
from archdsl.tools import plot
from archdsl.tools.plot import figures
from archdsl.tools.plot.data import Data
from archdsl.tools.plot.measures import costly, front
from tests.conftest import ROOT, Command

SPEC = """
arch net(width=8) {
  variants {
    name    width
    small   4
    medium  8
    large   200
  }
  input x: 3x32x32
  body = x -> conv(width, k=3) -> bn -> relu
  return body -> global_pool -> linear(10)
}
"""
RESULTS = "network,accuracy,latency,top5\nsmall,61.2,0.2,80\nmedium,68,0.4,90\nlarge,67,,85\n"


@pytest.fixture
def networks() -> dict[str, Network]:
    return {name: archdsl.loads(SPEC, variant=name) for name in ("small", "medium", "large")}


@pytest.fixture
def results(tmp_path: Path) -> Path:
    path = tmp_path / "results.csv"
    path.write_text(RESULTS)
    return path


def codes(caught: pytest.ExceptionInfo[DiagnosticError]) -> list[str]:
    return [problem.code for problem in caught.value.diagnostics]


# Files


@pytest.mark.parametrize("kind", ["svg", "png", "pdf"])
def test_bytes_are_the_same_each_time(
    kind: str, networks: dict[str, Network], tmp_path: Path
) -> None:
    """In another process, too, whatever settings of matplotlib a user has."""
    (tmp_path / "matplotlibrc").write_text("font.size: 30\naxes.facecolor: red\n")
    code = (
        "import archdsl, sys; from archdsl.tools import plot\n"
        f"nets = {{name: archdsl.loads({SPEC!r}, variant=name) for name in {[*networks]}}}\n"
        f"plot.scatter(plot.points(nets), 'other.{kind}')\n"
        f"plot.stages(nets['small'], 'stages2.{kind}')\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    environment = {"PYTHONPATH": str(ROOT), "PATH": "", "PYTHONHASHSEED": "7", "HOME": "/"}
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, check=True)
    plot.scatter(plot.points(networks), tmp_path / f"one.{kind}")
    plot.stages(networks["small"], tmp_path / f"stages.{kind}")
    for one, other in (("one", "other"), ("stages", "stages2")):
        content = (tmp_path / f"{one}.{kind}").read_bytes()
        assert content == (tmp_path / f"{other}.{kind}").read_bytes() and len(content) > 4000


def test_svg_is_a_file_of_its_own(networks: dict[str, Network], tmp_path: Path) -> None:
    plot.stages(networks["small"], tmp_path / "net.svg")
    root = ElementTree.parse(tmp_path / "net.svg").getroot()
    inches = [float(root.attrib[side].removesuffix("pt")) / 72 for side in ("width", "height")]
    assert inches == pytest.approx([6.5, 1.3])
    for element in root.iter():
        for name, value in element.attrib.items():
            if name.endswith("href"):
                assert value.startswith("#")


@pytest.mark.parametrize("name", ["net.jpg", "net", "no/where.svg", "."])
def test_files_that_cannot_be_written(
    name: str, networks: dict[str, Network], tmp_path: Path
) -> None:
    with pytest.raises(DiagnosticError) as caught:
        plot.stages(networks["small"], tmp_path / name)
    assert codes(caught) == ["A0016"] and not [*tmp_path.iterdir()]


@pytest.mark.parametrize("package", ["matplotlib", "textalloc"])
def test_what_is_not_installed(
    package: str, networks: dict[str, Network], tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(DiagnosticError, match=f"`archdsl plot` needs {package}") as caught:
        plot.scatter(plot.points(networks), tmp_path / "net.svg")
    assert codes(caught) == ["A6007"] and not [*tmp_path.iterdir()]


# What is drawn


SHIPPED = ["mnasnet_a1", "mnasnet_b1", "mobilenet_v2", "efficientnet", "resnet50"]


def test_names_do_not_overlap() -> None:
    networks = {
        name: archdsl.load(spec, variant=name)
        for spec in SHIPPED
        for name in archdsl.load(spec).variants
    }
    assert len(networks) > 20
    with figures._settings():
        figure = figures.scatter(plot.points(networks), linear=False, width=6.5)
        (axes,) = figure.axes
        renderer = FigureCanvasAgg(figure).get_renderer()
        boxes = {text.get_text(): text.get_window_extent(renderer) for text in axes.texts}
        assert set(boxes) == set(networks)
        names = [*boxes]
        for i, one in enumerate(names):
            for other in names[i + 1 :]:
                assert not boxes[one].overlaps(boxes[other]), (one, other)
        found = plot.points(networks).points
        for place in axes.transData.transform([(point.x, point.y) for point in found]):
            assert not any(box.contains(*place) for box in boxes.values())
        whole = figure.bbox
        for box in boxes.values():
            assert whole.x0 <= box.x0 and box.x1 <= whole.x1
            assert whole.y0 <= box.y0 and box.y1 <= whole.y1


def test_bars_are_the_costs() -> None:
    network = archdsl.load("mobilenet_v2")
    with figures._settings():
        figure = figures.stages(network, 6.5)
        left, right = figure.axes
        parts = [part for part in network.table() if part.params or part.macs]
        assert [bar.get_width() for bar in left.patches] == [part.params for part in parts]  # type: ignore[attr-defined]
        assert [bar.get_width() for bar in right.patches] == [part.macs for part in parts]  # type: ignore[attr-defined]
        assert left.get_title() == "Parameters: 3.50 M" and right.get_title() == "MACs: 301 M"
        labels = [label.get_text() for label in left.get_yticklabels()]
        assert labels[0] == "stem: conv bn relu6" and len(labels) == len(parts)


def test_of_very_many_stages_the_cheapest_are_one_bar() -> None:
    lines = "\n".join(f"  x{i + 1} = x{i} -> conv({i % 7 + 1})" for i in range(100))
    network = archdsl.loads(f"arch net {{ input x0: 3x8x8\n{lines}\n  return x100\n}}")
    with figures._settings():
        left, right = figures.stages(network, 6.5).axes
        assert len(left.patches) == figures.MOST
        assert sum(bar.get_width() for bar in left.patches) == network.params  # type: ignore[attr-defined]
        assert sum(bar.get_width() for bar in right.patches) == network.macs  # type: ignore[attr-defined]


@pytest.mark.parametrize("text", ["x -> relu", "x -> conv(1)", "x -> identity"])
def test_networks_with_little_in_them(text: str, tmp_path: Path) -> None:
    network = archdsl.loads(f"arch net {{ input x: 1x4x4\n return {text} }}")
    plot.stages(network, tmp_path / "net.png")
    plot.scatter(plot.points([network]), tmp_path / "net2.png")
    assert len([*tmp_path.iterdir()]) == 2


def test_texts_are_no_formulas(tmp_path: Path) -> None:
    plot.scatter(
        plot.points({"a$b$_{": archdsl.loads(SPEC), "c\x1b": archdsl.load("mnasnet_small")}),
        tmp_path / "net.svg",
    )


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("width", [3, 3.3, 5, 12])
def test_widths(width: float, tmp_path: Path) -> None:
    """Nothing that is drawn reaches beyond the figure, be it for one column of a page."""
    networks = {name: archdsl.load(name) for name in ("xception", "mobilenet_v2", "nas_fpn")}
    with figures._settings():
        drawn = [figures.stages(network, width) for network in networks.values()]
        drawn.append(figures.scatter(plot.points(networks), False, width))
        for figure in drawn:
            renderer = FigureCanvasAgg(figure).get_renderer()
            figure.draw(renderer)
            inside = figure.get_tightbbox(renderer)
            least = min(inside.x0, inside.y0, width - inside.x1, figure.get_figheight() - inside.y1)
            assert least > -0.01  # a blurred edge


# Points


def test_points(networks: dict[str, Network], results: Path) -> None:
    found = plot.points(networks)
    assert (found.x.name, found.y.name, found.warnings) == ("macs", "params", [])
    assert [(p.name, p.family, p.x, p.y) for p in found.points] == [
        (name, "net", network.macs, network.params) for name, network in networks.items()
    ]
    assert [p.best for p in found.points] == [True, False, False]
    measured = plot.points(networks, data=results)
    assert (measured.x.name, measured.y.name) == ("macs", "accuracy")
    assert [(p.y, p.best) for p in measured.points] == [(61.2, True), (68, True), (67, False)]
    other = plot.points([*networks.values()], x="latency", y="top5", data=[results])
    assert [(p.name, p.x, p.y) for p in other.points] == [("small", 0.2, 80), ("medium", 0.4, 90)]
    assert [problem.code for problem in other.warnings] == ["A8008"]
    assert "`large` is left out" in str(other.warnings[0])


def test_several_files(networks: dict[str, Network], results: Path, tmp_path: Path) -> None:
    times = tmp_path / "times.csv"
    times.write_text(
        "network,batch,latency\nsmall,1,1\nsmall,8,7\nmedium,1,2\nmedium,8,9\nlarge,1,9\n"
    )
    results.write_text("network,accuracy\nsmall,61\nmedium,62\nlarge,63\n")
    with pytest.raises(DiagnosticError, match="--where batch=1") as caught:
        plot.points(networks, x="latency", y="accuracy", data=[results, times])
    assert codes(caught) == ["A8005", "A8005"]
    found = plot.points(
        networks, x="latency", y="accuracy", data=[results, times], where={"batch": "1"}
    )
    assert [(p.x, p.y) for p in found.points] == [(1, 61), (2, 62), (9, 63)]


def test_measures_of_networks(networks: dict[str, Network]) -> None:
    found = plot.points(networks, x="depth", y="memory")
    assert [p.x for p in found.points] == [2, 2, 2]
    memory = sum(part.memory for part in networks["small"].table())
    assert found.points[0].y == pytest.approx(memory / 1e6)


numbers = st.integers(0, 6).map(float)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(numbers, numbers), min_size=1, max_size=12), st.booleans(), st.booleans())
def test_the_front_is_what_a_sweep_finds(
    places: list[tuple[float, float]], x_higher: bool, y_higher: bool
) -> None:
    """Along x from its better end, what betters the best y so far, with all its equals."""
    values = {str(i): place for i, place in enumerate(places)}
    sign = (-1 if x_higher else 1, -1 if y_higher else 1)
    signed = sorted((x * sign[0], y * sign[1]) for x, y in places)
    best, kept = float("inf"), set()
    for x, y in signed:
        if y < best:
            best = y
            kept.add((x, y))
    expected = {n for n, (x, y) in values.items() if (x * sign[0], y * sign[1]) in kept}
    assert front(values, x_higher, y_higher) == expected


# Measurements


cells = st.text(st.characters(codec="utf-8", exclude_characters="\r\0", exclude_categories=["Cs"]))


@settings(max_examples=100, deadline=None)
@given(rows=st.lists(st.tuples(cells, cells), max_size=4), end=st.sampled_from(["\n", "\r\n"]))
def test_cells_are_those_that_csv_reads(
    rows: list[tuple[str, str]], end: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator=end, quoting=csv.QUOTE_ALL)
    writer.writerows([("network", "value"), *rows])
    path = tmp_path_factory.mktemp("csv") / "data.csv"
    path.write_bytes(out.getvalue().encode())
    found = Data.read([str(path)])
    assert [(row["network"].text, row["value"].text) for row in found.rows] == rows
    for row in found.rows:
        for cell in row.values():
            assert cell.span.text.replace('""', '"') == cell.text


@pytest.mark.parametrize(
    ("text", "code", "place"),
    [
        ("", "A8001", (1, 1)),
        ("\n\n", "A8001", (1, 1)),
        ("name,accuracy\nsmall,1\n", "A8001", (1, 1)),
        ('network,accuracy\n"small,1\n', "A8001", (2, 1)),
        ('network,accuracy\n"small"s,1\n', "A8001", (2, 8)),
        ("network,accuracy,accuracy\n", "A1007", (1, 18)),
        ("network,accuracy\nsmall\n", "A8002", (2, 1)),
        ("network,accuracy\nsmall,1\nlarge,1,2\n", "A8002", (3, 1)),
        ("network,accuracy\nsmall, 61%\n", "A8003", (2, 8)),
        ("network,accuracy\nsmall,nan\n", "A8003", (2, 7)),
        ("network,accuracy\nsmall,inf\n", "A8003", (2, 7)),
        ("network,acuracy\nsmall,1\n", "A8004", (1, 1)),
        ("network,accuracy\nsmall,1\nsmall,2\n", "A8005", (3, 7)),
    ],
)
def test_mistakes_in_measurements(
    text: str, code: str, place: tuple[int, int], networks: dict[str, Network], results: Path
) -> None:
    results.write_text(text)
    with pytest.raises(DiagnosticError) as caught:
        plot.points(networks, y="accuracy", data=results)
    (problem,) = caught.value.diagnostics
    assert problem.code == code and problem.span is not None
    assert problem.span.source.position(problem.span.start) == place
    assert problem.span.source.name == str(results)


def test_all_mistakes_are_told(networks: dict[str, Network], results: Path) -> None:
    results.write_text("network,accuracy\nsmall,a\nmedium,b\nlarge,1\n")
    with pytest.raises(DiagnosticError) as caught:
        plot.points(networks, data=results)
    assert codes(caught) == ["A8003", "A8003"]
    results.write_text("network,accuracy\nsmall\nmedium,b,c\nlarge,1\n")
    with pytest.raises(DiagnosticError) as caught:
        plot.points(networks, data=[results, "nowhere.csv"])
    assert codes(caught) == ["A8002", "A8002", "A0011"]


def test_rows_of_nobody_are_told_once(networks: dict[str, Network], results: Path) -> None:
    results.write_text("network,accuracy\nsmal,1\nsmal,2\nsmall,3\nmedium,4\nlarge,5\nother,6\n")
    warnings = plot.points(networks, data=results).warnings
    assert [(w.code, w.values["name"]) for w in warnings] == [("A8007", "smal"), ("A8007", "other")]
    assert "did you mean `small`?" in str(warnings[0]) and "results.csv:2:1" in str(warnings[0])


def test_nothing_to_draw(networks: dict[str, Network], results: Path) -> None:
    results.write_text("network,accuracy\nsmall,\n")
    with pytest.raises(DiagnosticError, match="both `macs` and `accuracy`"):
        plot.points(networks, data=results)


@pytest.mark.parametrize("name", ["x", "y"])
def test_measures_that_are_none(name: str, networks: dict[str, Network]) -> None:
    with pytest.raises(DiagnosticError, match=r"did you mean `macs`\?.*--data"):
        plot.points(networks, **{name: "mac"})  # type: ignore[arg-type]


# The command


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    (tmp_path / "net.arch").write_text(SPEC)
    (tmp_path / "other.arch").write_text(SPEC)
    (tmp_path / "results.csv").write_text(RESULTS)
    return tmp_path


def test_command(command: Command, spec: Path) -> None:
    done = command("plot", "net.arch", "-o", "one.svg")
    assert (done.stdout, done.stderr, done.returncode) == ("one.svg: 2 stages\n", "", 0)
    done = command("plot", "net.arch", "other.arch", "-o", "two.png", "--quiet")
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)
    done = command(
        "plot", "net.arch", "--variants", "--data", "results.csv", "--x", "latency", "-o", "3.svg"
    )
    assert done.stdout == "3.svg: 2 networks, 2 on the front\n"
    assert done.stderr.startswith(
        "warning[A8008]: `large` is left out: it has no `latency`"
    )
    done = command("plot", "net.arch", "--y", "depth", "-o", "4.svg")
    assert done.stdout == "4.svg: 1 network, 1 on the front\n"


def test_what_bench_measures_can_be_drawn(command: Command, spec: Path) -> None:
    measured = command(
        "bench", "net.arch", "other.arch", "--variants", "--batch", "1,2", "--format", "csv",
        "--seconds", "0.01", "--runtime", "onnxruntime",
    )  # fmt: skip
    (spec / "times.csv").write_text(measured.stdout)
    arguments = ("plot", "net.arch", "other.arch", "--variants", "--data", "times.csv")
    done = command(*arguments, "-o", "net.svg")
    assert done.returncode == 1 and "help: choose one: --where batch=1" in done.stderr
    done = command(*arguments, "--where", "batch=2", "-o", "net.svg")
    assert (done.returncode, done.stderr) == (0, "") and "6 networks" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (["net.arch"], 2, "-o"),
        (["net.arch", "-o", "net.gif"], 1, "A0016"),
        (["net.arch", "-o", "net.arch"], 1, "A0016"),
        (["net.arch", "-o", "-"], 1, "A0016"),
        (["net.arch", "--data", "results.csv", "-o", "results.csv"], 1, "A0016"),
        (["net.arch", "--data", "nowhere.csv", "-o", "net.svg"], 1, "A0011"),
        (["net.arch", "--where", "batch", "-o", "net.svg"], 2, "column=text"),
        (["net.arch", "--where", "batch=1", "-o", "net.svg"], 1, "A8004"),
        (["net.arch", "--width", "0", "-o", "net.svg"], 2, "between"),
        (["nowhere.arch", "-o", "net.svg"], 1, "A0017"),
        (
            ["net.arch", "--variants", "--data", "results.csv", "--x", "latency", "--deny",
             "warnings", "-o", "net.svg"], 1, "error[A8008]",
        ),
    ],
)  # fmt: skip
def test_mistakes(
    command: Command, spec: Path, arguments: list[str], status: int, told: str
) -> None:
    before = {path: path.read_bytes() for path in spec.iterdir()}
    done = command("plot", *arguments)
    assert done.returncode == status and told in done.stderr and done.stdout == ""
    assert {path: path.read_bytes() for path in spec.iterdir()} == before


def test_nothing_else_imports_it() -> None:
    """A command that draws nothing does not pay for what draws."""
    code = (
        "import sys, archdsl.cli\n"
        "for name in archdsl.cli.COMMANDS:\n"
        "    try:\n"
        "        archdsl.cli.main([name, '--help'])\n"
        "    except SystemExit:\n"
        "        pass\n"
        "archdsl.cli.main(['summary', 'mnasnet_a1'])\n"
        "heavy = {'matplotlib', 'pandas', 'onnxruntime', 'torch'} & set(sys.modules)\n"
        "sys.exit(','.join(heavy) or None)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_stages_without_costs_are_neither_drawn_nor_counted(tmp_path: Path) -> None:
    (tmp_path / "net.arch").write_text(
        "arch net {\n  input x: 3x8x8\n  y = x -> conv(4)\n  z = y -> global_pool\n"
        "  return z -> linear(2)\n}\n"
    )
    network = archdsl.load(tmp_path / "net.arch")
    assert len(network.table()) == 3 and len(costly(network)) == 2
    figure = figures.stages(network, 6.5)
    assert [len(axes.patches) for axes in figure.axes] == [2, 2]
