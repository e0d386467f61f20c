"""What the command says of bad specs: each of `tests/bad` has its text beside it.

Every code has a bad spec and its text in `errors/`, which tests/test_errors.py runs.

A case is a file, or one that names its command in its first line: `# check --variant b9`.
"""

from __future__ import annotations

import os
import random
import re
from pathlib import Path

import pytest

from archdsl.cli import main
from archdsl.diagnostics import errors
from archdsl.diagnostics.diagnostic import Diagnostic, DiagnosticError, render
from archdsl.diagnostics.source import Source
from archdsl.elaborate.expectations import check
from archdsl.elaborate.network import elaborate
from archdsl.frontend.program import Program
from archdsl.support import limits, resources

BAD = Path(__file__).parent / "bad"
CASES = sorted(path.stem for path in BAD.glob("*.arch"))


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


TERMINALS = set(re.findall(r"^_?[A-Z]+(?=[.:])", resources.grammar(), re.MULTILINE))


@pytest.mark.parametrize("name", CASES)
def test_nobody_is_told_of_terminals(name: str) -> None:
    """Sentences have words that people use, not the names of the grammar."""
    text = (BAD / f"{name}.txt").read_text(encoding="utf-8")
    for line in re.findall(r"^(?:error|warning|note|help)\b.*", text, re.MULTILINE):
        assert not TERMINALS & set(re.findall(r"\w+", line)), line


def test_a_file_that_is_too_large(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "net.arch").write_text("# a comment\n")
    with limits.adjusted({"source-bytes": 10}):
        assert main(["check", str(tmp_path / "net.arch")]) == 1
    assert f"error[{errors.FileTooLarge.code}]" in capsys.readouterr().err


def test_too_many_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for i in range(5):
        (tmp_path / f"{i}.arch").write_text(f'use "{i + 1}.arch"\n')
    with limits.adjusted({"files": 3}):
        assert main(["check", str(tmp_path / "0.arch")]) == 1
    assert f"error[{errors.TooManyFiles.code}]" in capsys.readouterr().err


def test_too_many_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "net.arch").write_text("arch net {\n  input x: 3x8x8\n  return x -> relu\n}\n")
    with limits.adjusted({"file-tokens": 10}):
        assert main(["check", str(tmp_path / "net.arch")]) == 1
    assert f"error[{errors.TooManyWords.code}]" in capsys.readouterr().err


# Mutations of good specs end in mistakes or networks, and in nothing else

SPECS = [
    *sorted((Path(__file__).parent.parent / "specs").rglob("*.arch")),
    *sorted(path for path in BAD.glob("*.arch") if path.stat().st_size < 2_000),
]
WORDS = """0 -1 10^9 1000000000 9^9^9^9 none (1,2) [] x 1e30 0.5 training true "" { } x.c 2^62 index
as if else stages repeat let return -> = - ( ) [ , : . .. block arch extends set default {3,5}
conv linear concat split mbconv relu k=4 c= n # " \\ \t \x00 é 幅""".split(" ")


def mutated(text: str, chance: random.Random) -> str:
    words = re.findall(r'"[^"\n]*"|\w+|->|\.\.|[<>=!]=|//|[^\w\s]|[ \t]+|\n', text)
    kind = chance.choice("truncate delete double swap replace replace bytes".split())
    if kind == "truncate" or not words:
        return text[: chance.randrange(len(text) + 1)]
    if kind == "bytes":
        content = bytearray(text.encode())
        content[chance.randrange(len(content))] = chance.randrange(256)
        return content.decode(errors="replace")
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        i, j = chance.randrange(len(words)), chance.randrange(len(words))
        if kind == "delete":
            words[i] = " "
        elif kind == "double":
            words.insert(i, words[j])
        elif kind == "swap":
            words[i], words[j] = words[j], words[i]
        else:
            words[i] = chance.choice(WORDS)
    return "".join(words)


def outcome(text: str) -> list[Diagnostic]:
    """The mistakes of a text."""
    source = Source("mutated", text)
    try:
        program = Program(source)
        for name in program.archs:
            unit = program.find(name, source)
            assert unit is not None
            check(elaborate(program, unit), settled=False)
    except DiagnosticError as problem:
        return problem.diagnostics
    except Diagnostic as problem:
        return [problem]
    return []


@pytest.mark.parametrize("seed", range(int(os.environ.get("ARCHDSL_FUZZ", "8"))))
def test_mutations(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(100):
        text = mutated(chance.choice(SPECS).read_bytes().decode(errors="replace"), chance)
        for problem in outcome(text):
            span = problem.span
            assert span is not None, problem
            assert 0 <= span.start <= span.end <= len(span.source.text) + 1, problem
            assert "Token(" not in render(problem) and "__" not in problem.title


@pytest.mark.parametrize("path", SPECS[::9], ids=lambda path: path.stem)
def test_truncations(path: Path) -> None:
    text = path.read_bytes().decode(errors="replace")
    for end in range(0, len(text), max(1, len(text) // 60)):
        for problem in outcome(text[:end]):
            render(problem)
