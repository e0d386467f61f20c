"""Every kind of diagnostic has a page whose examples do what it says.

A page (`errors/CODE.md`) is prose, then `Wrong:` and `Right:` with fenced blocks: a spec (`arch`,
`net.arch` unless it is named), another file (`text NAME`), Python that prepares something, and
commands with what they print (`console`). `--update-golden` writes what they print anew.
"""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from archdsl.cli import main
from archdsl.diagnostics import catalog as explanations
from archdsl.diagnostics.diagnostic import Diagnostic
from tests.conftest import ROOT

PAGES = ROOT / "errors"
KINDS = explanations.kinds()
BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """A fenced block of a page."""

    language: str
    name: str
    text: str


class Outcome(NamedTuple):
    """What commands printed, each under its own line, and their exit statuses."""

    text: str
    statuses: list[int]


def blocks(text: str) -> list[Block]:
    return [Block(m[1], m[2] or "", m[3]) for m in BLOCK.finditer(text)]


def halves(code: str) -> tuple[str, str, str]:
    """The prose of a page, its wrong and its right half."""
    text = explanations.page(code)
    assert text.count("\nWrong:\n") == text.count("\nRight:\n") == 1
    prose, rest = text.split("\nWrong:\n")
    wrong, right = rest.split("\nRight:\n")
    return prose, wrong, right


def run(found: list[Block]) -> Outcome:
    """Write the files of a half into the present folder, and run its commands."""
    printed, statuses = [], []
    for block in found:
        if block.language in ("arch", "text") or block.name:
            path = Path(block.name or "net.arch")
            path.parent.mkdir(exist_ok=True)
            path.write_text(block.text, encoding="utf-8")
        elif block.language == "python":
            exec(block.text, {})
        else:
            assert block.language == "console"
            for line in re.findall(r"^\$ .*$", block.text, re.MULTILINE):
                text, status = output(*shlex.split(line[2:]))
                printed.append(f"{line}\n{text}")
                statuses.append(status)
    return Outcome("".join(printed), statuses)


def output(program: str, *arguments: str) -> tuple[str, int]:
    """All that a command prints, and its exit status."""
    text = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
    with contextlib.redirect_stdout(text), contextlib.redirect_stderr(text):
        if program == "archdsl":
            status = main(arguments)
        else:
            assert program == "python" and len(arguments) == 1
            exec(Path(arguments[0]).read_text(encoding="utf-8"), {})
            status = 0
    return text.buffer.getvalue().decode(), status  # type: ignore[attr-defined]


def told(text: str) -> set[str]:
    """The codes of the diagnostics in a text."""
    return set(re.findall(r"^(?:error|warning)\[(A\d{4})\]: ", text, re.MULTILINE))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to be in; modules that an example hides come back."""
    monkeypatch.chdir(tmp_path)
    for name in ("torch", "onnxruntime"):
        monkeypatch.setitem(sys.modules, name, __import__(name))
    return tmp_path


@pytest.mark.parametrize("code", KINDS)
def test_the_wrong_example_gives_exactly_the_code(
    code: str, folder: Path, update_golden: bool
) -> None:
    _, wrong, _ = halves(code)
    found = blocks(wrong)
    done = run(found)
    if update_golden:
        path = PAGES / f"{code}.md"
        (shown,) = (block.text for block in found if block.language == "console")
        path.write_text(path.read_text(encoding="utf-8").replace(shown, done.text, 1))
        _, wrong, _ = halves(code)
    expected = [block.text for block in blocks(wrong) if block.language == "console"]
    assert done.text == "".join(expected)
    assert told(done.text) == {code}


@pytest.mark.parametrize("code", KINDS)
def test_the_right_example_is_fine(code: str, folder: Path) -> None:
    _, wrong, right = halves(code)
    found = blocks(right)
    assert found
    prepared = any(block.language == "python" for block in found)
    shared = [b for b in blocks(wrong) if b.name or b.language == "python" and not prepared]
    run(shared)  # what both halves have
    done = run(found)
    if not done.statuses:
        done = run([Block("console", "", "$ archdsl check net.arch\n")])
    assert told(done.text) == set(), done.text
    assert set(done.statuses) == {0}, done.text


def test_no_page_is_about_nothing() -> None:
    assert {path.stem for path in PAGES.glob("*.md")} == set(KINDS)


@pytest.mark.parametrize("code", KINDS)
def test_pages_say_why(code: str) -> None:
    prose, _, _ = halves(code)
    assert len(prose.split()) >= 8 and "```" not in prose
    assert all(len(line) <= 120 for line in prose.splitlines())
    assert KINDS[code].chapter in explanations.CHAPTERS


def test_codes_are_unique() -> None:
    classes = [
        kind
        for kind in Diagnostic.__subclasses__()
        if kind.__module__ == "archdsl.diagnostics.errors"
    ]
    assert sorted(kind.code for kind in classes) == list(KINDS)


def test_explain_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "--all"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("# Every diagnostic\n")
    for code, kind in KINDS.items():
        (anchor,) = re.findall(rf"^\| \[{code}\]\(#(.*?)\) \|", text, re.MULTILINE)
        heading = f"### {code}: {explanations.title(kind)}"
        assert re.sub(r"[^a-z0-9 -]", "", heading[4:].lower()).replace(" ", "-") == anchor
        assert f"\n{heading}\n\n{explanations.page(code).strip()}\n" in text


def test_explain(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "A3014"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("A3014: does not divide\n\n") and "```" not in text
    assert "\nWrong:\n\n    arch net {\n" in text and "    error[A3014]: groups=32 does" in text


def test_explain_of_what_is_no_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "A9999"]) == 2
    assert "no diagnostic has the code 'A9999'" in capsys.readouterr().err


def test_the_fields_of_a_kind_are_its_placeholders() -> None:
    class Odd(Diagnostic):
        code = "A1999"
        message = "{count:+d} odd {what}"
        help = "{hint}"
        hint: str = "drop one"
        place: int

    assert Odd.fields == {"count", "what", "hint", "place"}
    odd = Odd(count=3, what="socks", place=7)
    assert (odd.title, odd.advice, odd.values["place"]) == ("+3 odd socks", "drop one", 7)
    for values in ({"count": 3, "what": "socks"}, {"count": 3, "what": "x", "place": 7, "more": 1}):
        with pytest.raises(TypeError, match=r"^Odd takes \['count', 'hint', 'place', 'what'\]"):
            Odd(**values)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"message": "{0}"}, "{0} cannot be a field"),
        ({"message": "{a.b}"}, "{a.b} cannot be a field"),
        ({"message": "", "help": "{span}"}, "{span} cannot be a field"),
        ({"message": "{a}", "__annotations__": {"a": int}}, "the annotation of a repeats"),
    ],
)
def test_fields_are_checked_when_a_kind_is_made(body: dict[str, object], said: str) -> None:
    with pytest.raises(TypeError, match=re.escape(said)):
        type("Bad", (Diagnostic,), body)
