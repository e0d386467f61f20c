"""`archdsl list` and `archdsl show`."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from archdsl import cli
from archdsl.api.network import Spec, shipped_names
from archdsl.frontend import library
from archdsl.frontend.files import standard_names

SPECS = Path(__file__).parent.parent / "specs"


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert cli.main(arguments) == 0
    out, err = capsys.readouterr()
    assert not err
    return out


def test_every_spec_and_block_has_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "list")
    names = re.findall(r"^  (\w+)", text, re.M)
    assert names == [*shipped_names(), *sorted(standard_names())]
    assert all(len(line) <= 120 for line in text.splitlines())


def test_a_line_is_the_first_text(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "list")
    for name in shipped_names():
        spec = Spec.open(name)
        assert spec.unit(spec.archs[0]).docs[0] in text or name in ("mnasnet_tutorial", "nas_fpn")


def test_every_entry_says_what_it_is() -> None:
    for entry in library.entries():
        assert len(entry.summary) > 10 and entry.summary.endswith("."), entry


def test_further_networks_of_a_file_can_be_built(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "list")
    for entry in library.entries():
        for other in entry.others:
            assert f"other archs: {other}" in text
            assert "class " in said(capsys, "build", entry.name, "--arch", other)


def test_variants_can_be_built(capsys: pytest.CaptureFixture[str]) -> None:
    entries = json.loads(said(capsys, "list", "--format", "json"))
    by_name = {entry["name"]: entry for entry in entries}
    assert "resnext101_32x4d" in by_name["resnext50"]["variants"]
    for variant in by_name["resnext50"]["variants"]:
        assert "class " in said(capsys, "build", "resnext50", "--variant", variant)


@pytest.mark.parametrize("name", ["mnasnet_a1", "mbconv"])
def test_show(capsys: pytest.CaptureFixture[str], name: str) -> None:
    folder = SPECS if name in shipped_names() else SPECS / "std"
    assert said(capsys, "show", name) == (folder / f"{name}.arch").read_text()


def test_show_what_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["show", "resnet51"]) == 1
    assert "did you mean `resnet50`?" in capsys.readouterr().err
    assert cli.main(["show", "../secret"]) == 1
    assert "A0017" in capsys.readouterr().err
