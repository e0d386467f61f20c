"""What the command says of bad specs: each of `tests/bad` has its text beside it.

A case is a file, or one that names its command in its first line: `# check --variant b9`.
"""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from archdsl import errors, limits
from archdsl.cli import main
from archdsl.diagnostics import Diagnostic

BAD = Path(__file__).parent / "bad"
CASES = sorted(path.stem for path in BAD.glob("*.arch"))
KINDS = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, Diagnostic) and kind is not Diagnostic
]


@pytest.mark.parametrize("name", CASES)
def test_bad_spec(
    name: str,
    update_golden: bool,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(BAD)
    text = Path(f"{name}.arch").read_bytes().decode(errors="replace")
    arguments = ["check", f"{name}.arch"]
    if text.startswith("# check "):
        arguments += text.split("\n", 1)[0].removeprefix("# check ").split()
    status = main(arguments)
    said = capsys.readouterr()
    golden = BAD / f"{name}.txt"
    if update_golden:
        golden.write_text(said.err, encoding="utf-8")
    assert said.err == golden.read_text(encoding="utf-8")
    assert status == (2 if "\n --> --" in said.err else 1) and not said.out


def test_codes_are_unique() -> None:
    codes = [kind.code for kind in KINDS]
    assert sorted(set(codes)) == sorted(codes)


def test_a_file_that_is_too_large(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SOURCE_BYTES", 10)
    (tmp_path / "net.arch").write_text("# a comment\n")
    assert main(["check", str(tmp_path / "net.arch")]) == 1
    assert f"error[{errors.FileTooLarge.code}]" in capsys.readouterr().err


def test_too_many_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "FILES", 3)
    for i in range(5):
        (tmp_path / f"{i}.arch").write_text(f'use "{i + 1}.arch"\n')
    assert main(["check", str(tmp_path / "0.arch")]) == 1
    assert f"error[{errors.TooManyFiles.code}]" in capsys.readouterr().err


def test_too_many_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "FILE_TOKENS", 10)
    (tmp_path / "net.arch").write_text("arch net {\n  input x: 3x8x8\n  return x -> relu\n}\n")
    assert main(["check", str(tmp_path / "net.arch")]) == 1
    assert f"error[{errors.TooManyWords.code}]" in capsys.readouterr().err


def test_every_kind_is_told_somewhere() -> None:
    told = "".join(path.read_text(encoding="utf-8") for path in BAD.glob("*.txt"))
    others = "".join(
        path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py")
    )
    missing = [
        kind.__name__
        for kind in KINDS
        if not kind.code.startswith("A6")  # weights and backends have their own tests
        and f"error[{kind.code}]" not in told
        and kind.code not in others
        and f".{kind.__name__}" not in others
    ]
    assert missing == []
