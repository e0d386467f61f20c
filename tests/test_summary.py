"""`archdsl summary`: its forms, that they say the same, and that they can be read elsewhere."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pandas
import pytest

import archdsl
from archdsl.api.network import PartInfo
from archdsl.cli import summary as command_line
from archdsl.diagnostics.diagnostic import printable
from archdsl.ir import memory
from archdsl.ir import parts as rows
from archdsl.reports.summary import forms
from archdsl.reports.summary import text as summary
from tests.conftest import Command
from tests.shipped import SHIPPED

FORMS = ("text", "json", "csv", "markdown", "latex")
NAMES = 'arch a_b { "50 % & more_or_less <b>|{x}$^~#"\n input x_1: 2x6x6\n y = x_1 -> conv(3)\n'
NAMES += " z = y -> max_pool((2, 3)) -> relu\n return z, y -> relu if training }"


@pytest.mark.parametrize("form", FORMS)
def test_golden(form: str, golden: Callable[[str, str], None]) -> None:
    network = archdsl.load("mnasnet_a1")
    golden(f"summary/mnasnet_a1.{form}", network.summary(format=form) + "\n")


@pytest.mark.parametrize("depth", ["blocks", "primitives"])
def test_golden_depths(depth: str, golden: Callable[[str, str], None]) -> None:
    text = archdsl.load("efficientnet", variant="b1").summary(depth, batch=8, dtype="float16")
    golden(f"summary/efficientnet_b1.{depth}", text + "\n")


def test_golden_outputs_and_training(golden: Callable[[str, str], None]) -> None:
    golden("summary/names.text", archdsl.loads(NAMES).summary("primitives") + "\n")


def test_the_command_line_offers_what_there_is() -> None:
    assert command_line.DEPTHS == rows.DEPTHS
    assert command_line.SORTS == tuple(summary.SORTS)
    assert command_line.DTYPES == tuple(memory.SIZES)
    assert command_line.FORMS == tuple(forms.FORMS)
    assert forms.COLUMNS == PartInfo._fields


@pytest.mark.parametrize("depth", rows.DEPTHS)
def test_json_and_csv_are_the_table(depth: str) -> None:
    network = archdsl.load("densenet121")
    table = network.table(depth, batch=2, dtype="float16")
    content = json.loads(network.summary(depth, batch=2, dtype="float16", format="json"))
    for part, row in zip(table, content["rows"], strict=True):
        assert row == {**part._asdict(), "shape": [*part.shape[1:]], "stride": [*part.stride],
                       "receptive_field": [*part.receptive_field]}  # fmt: skip
    assert content["total"]["params"] == sum(row["params"] for row in content["rows"])
    assert content["total"]["macs"] == sum(row["macs"] for row in content["rows"])
    assert content["total"]["memory"] == sum(row["memory"] for row in content["rows"])
    lines = [*csv.DictReader(io.StringIO(network.summary(depth, format="csv")))]
    assert [int(line["params"]) for line in lines] == [part.params for part in table]
    assert [line["shape"] for line in lines] == ["x".join(map(str, p.shape[1:])) for p in table]


def test_pandas_takes_it() -> None:
    network = archdsl.load("mobilenet_v2")
    frame = pandas.DataFrame(network.table("primitives"))
    assert frame["params"].sum() == network.params
    assert frame.groupby("stage")["macs"].sum()["head"] == 20_070_400


@pytest.mark.parametrize("key", summary.SORTS)
def test_sorting(key: str) -> None:
    made = summary.Summary(*pair("mobilenet_v2"), depth="blocks", sort=key)
    found = [summary.SORTS[key](line) for line in made.lines]
    assert found == sorted(found) and len(found) == 20
    assert all(line.level == 0 for line in made.lines)


def pair(spec: str) -> tuple[object, object]:
    network = archdsl.load(spec)
    return network.graph, network._total


@pytest.mark.parametrize("width", [80, 90, 100, 118, 140])
def test_width(width: int) -> None:
    """No line is wider; what goes first is what follows from the numbers that stay."""
    network = archdsl.load("efficientnet")
    for depth in rows.DEPTHS:
        text = network.summary(depth, width=width)
        assert max(map(len, text.splitlines())) <= width
        for part in network.table(depth):
            assert f"{part.params:,}" in text and f"{part.macs:,}" in text
    assert ("%" in text and "█" in text) == (width >= 140) or 90 <= width <= 118
    assert ("%" in network.summary(width=width)) == (width >= 100)


@pytest.mark.parametrize("network", SHIPPED, ids=lambda network: network[2] or network[1])
def test_shipped_networks_fit_a_terminal(network: tuple[str, str, str | None]) -> None:
    spec, arch, variant = network
    made = archdsl.load(spec, arch, variant)
    for depth in rows.DEPTHS:
        text = made.summary(depth)
        assert max(map(len, text.splitlines())) <= 80
        for part in made.table(depth):
            assert f"{part.params:,}" in text and f"{part.macs:,}" in text or part.training
        assert "x".join(map(str, part.shape[1:])) in text
    assert all(word in text for word in printable(made.doc).split())


def test_a_table_of_latex_compiles(tmp_path: Path) -> None:
    compiler = shutil.which("pdflatex")
    if compiler is None:
        pytest.skip("there is no pdflatex")
    tables = [archdsl.loads(NAMES).summary("primitives", format="latex")]
    tables.append(archdsl.load("efficientnet").summary("blocks", format="latex"))
    text = "\\documentclass{article}\\usepackage{booktabs}\\begin{document}\n"
    (tmp_path / "t.tex").write_text(text + "\n\n".join(tables) + "\n\\end{document}\n")
    done = subprocess.run(
        [compiler, "-interaction=nonstopmode", "-halt-on-error", "t.tex"],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert (tmp_path / "t.pdf").exists()


def test_latex_and_markdown_escape() -> None:
    network = archdsl.loads(NAMES)
    assert r"x\_1 & input & $2 \times 6 \times 6$" in network.summary(format="latex")
    assert r"max\_pool" in network.summary(format="markdown")


def test_wrong_arguments() -> None:
    network = archdsl.load("mobilenet_v2")
    for arguments in ({"depth": "layers"}, {"dtype": "int4"}, {"sort": "s"}, {"format": "html"}):
        with pytest.raises(archdsl.DiagnosticError, match="expected one of"):
            network.summary(**arguments)  # type: ignore[arg-type]


def test_command(command: Command, tmp_path: Path) -> None:
    (tmp_path / "net.arch").write_text(NAMES)
    network = archdsl.loads(NAMES)
    done = command("summary", "net.arch", "--depth", "blocks", "--batch", "4", "--dtype", "int8")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == network.summary("blocks", batch=4, dtype="int8") + "\n"
    done = command("summary", "net.arch", "--format", "json", "--sort", "params")
    assert json.loads(done.stdout)["network"] == "a_b"
    assert json.loads(done.stderr)["specs"] == [{"name": "net.arch", "fine": True}]
    done = command("summary", "net.arch", "--format", "csv")
    assert (done.stdout, done.stderr) == (network.summary(format="csv") + "\n", "")
    for wrong in (["--depth", "x"], ["--sort", "x"], ["--batch", "0"], ["--format", "html"]):
        assert command("summary", "net.arch", *wrong).returncode == 2


def test_a_wrong_spec_has_no_table(command: Command, tmp_path: Path) -> None:
    (tmp_path / "net.arch").write_text(NAMES.replace("conv(3)", "conv(0)"))
    done = command("summary", "net.arch", "--format", "json")
    assert (done.returncode, done.stdout) == (1, "")
    assert json.loads(done.stderr)["errors"] == 1
