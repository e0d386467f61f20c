"""`archdsl fmt`: one layout, the same tree, every comment; a second run changes nothing."""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import Any

import pytest

from archdsl.diagnostics.diagnostic import DiagnosticError
from archdsl.diagnostics.source import Source, Span
from archdsl.frontend import ast
from archdsl.frontend.formatter import format_text
from archdsl.frontend.parser import parse
from archdsl.testing.layouts import respaced, untidy
from tests.conftest import ROOT, Command

SPECS = sorted((ROOT / "specs").rglob("*.arch"))
OTHERS = sorted((ROOT / "tests" / "constructs").glob("*.arch"))
EXAMPLES = re.findall(
    r"^```arch\n(.*?)^```$", (ROOT / "docs" / "language.md").read_text("utf-8"), re.M | re.S
)


def texts() -> list[str]:
    """Every spec that there is and can be read."""
    found = [path.read_text(encoding="utf-8") for path in (*SPECS, *OTHERS)]
    for example in EXAMPLES:
        try:
            parse(Source("example", example))
        except DiagnosticError:
            continue
        found.append(example)
    return found


TEXTS = texts()


def bare(node: Any) -> Any:
    """A tree without places."""
    if isinstance(node, ast.Node):
        content = {name: bare(value) for name, value in vars(node).items()}
        return (type(node).__name__, {k: v for k, v in content.items() if v is not Span})
    if isinstance(node, Span):
        return Span
    if isinstance(node, tuple | list):
        return [bare(item) for item in node]
    return node


def meaning(text: str) -> Any:
    return bare(parse(Source("text", text)))


def comments(text: str) -> list[str]:
    return [c.rstrip() for c in re.findall(r"#.*", re.sub(r'"([^"\\\n]|\\.)*"', '""', text))]


def check(text: str) -> str:
    """What the layout of a text is; all that has to hold of any."""
    done = format_text(text)
    assert meaning(done) == meaning(text)
    assert comments(done) == comments(text)
    assert format_text(done) == done
    lines = done.split("\n")
    assert lines[-1] == "" and all(line == line.rstrip() for line in lines)
    assert not re.search(r"\n\n\n|\{\n\n|^\n|\n\n *\}", done)
    return done


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_shipped_specs_are_formatted(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert format_text(text) == text


@pytest.mark.parametrize("number", range(len(TEXTS)))
def test_every_spec_keeps_its_meaning(number: int) -> None:
    check(TEXTS[number])


@pytest.mark.parametrize("number", range(len(TEXTS)))
def test_other_space_does_not_matter(number: int) -> None:
    text = TEXTS[number]
    for seed in range(3):
        other = respaced(text, random.Random(seed), breaks=False)
        assert format_text(other) == format_text(text)


@pytest.mark.parametrize("number", range(len(TEXTS)))
def test_other_lines_keep_their_meaning(number: int) -> None:
    for seed in range(5):
        check(untidy(TEXTS[number], random.Random(seed)))


LAYOUTS = {
    "spaces": (
        "block b(c,k = 3){return x->conv( c,k= k )}",
        "block b(c, k=3) { return x -> conv(c, k=k) }",
    ),
    "signs": (
        "block b(a= - 1) {\n let c=a*-a+(-2)-1//2 % 3\n return x->conv(2 ^ -c)\n}",
        "block b(a=-1) {\n  let c = a * -a + (-2) - 1 // 2 % 3\n  return x -> conv(2^-c)\n}",
    ),
    "no": ("block b(a) {\n require not(a),\"no\"\n return x\n}",
           "block b(a) {\n  require not (a), \"no\"\n  return x\n}"),
    "guards": (
        "block b(a) {\n y=x->relu if a\n z=x if a else y\n return y,z if a\n}",
        "block b(a) {\n  y = x -> relu   if a\n  z = x if a else y\n  return y, z if a\n}",
    ),
    "flows": (
        "block b {\n longer = x\n -> relu -> relu\n -> relu\n"
        " y = x -> relu\n   -> relu\n return y\n}",
        "block b {\n  longer = x\n    -> relu -> relu\n    -> relu\n  y      = x -> relu\n"
        "             -> relu\n  return y\n}",
    ),
    "brackets": (
        "block b {\n return concat(x,\n x -> relu\n-> relu,\n[\n1,\n2\n])\n}",
        "block b {\n  return concat(x,\n                x -> relu\n                  -> relu,\n"
        "                [\n                  1,\n                  2\n                ])\n}",
    ),
    "comments": (
        "# top\n\n\n\n# about\nblock b {# one\n\n # own\n y = x # short\n"
        " long = y # longer\n\n # last\n\n}# end\n# foot",
        "# top\n\n# about\nblock b {  # one\n  # own\n  y    = x  # short\n  long = y  # longer\n\n"
        "  # last\n}  # end\n# foot",
    ),
    "tables": (
        "block b {\n return x -> stages(n=2){\n block c k\n conv 4 3\n lab:conv 128 -\n\n # own\n"
        " block c\n conv c*2 s=2\n}->relu\n}",
        "block b {\n  return x -> stages(n=2) {\n    block      c    k\n    conv       4    3\n"
        "    lab: conv  128  -\n\n    # own\n    block  c\n    conv   c*2  s=2\n  } -> relu\n}",
    ),
    "definitions": (
        'use "a.arch"\nuse "b.arch"\nblock a { return x }\nblock b(k=3) extends a as C {\n\n}\n',
        'use "a.arch"\nuse "b.arch"\n\nblock a { return x }\n\nblock b(k=3) extends a as C {\n}',
    ),
    "repeat": (
        "block b(n) {\n l:repeat i in 0 .. n{\n x=x->relu\n}\n return x\n}",
        "block b(n) {\n  l: repeat i in 0..n {\n    x = x -> relu\n  }\n  return x\n}",
    ),
    "choices": ("block b(k= { 3,5 }) { return x }", "block b(k={3, 5}) { return x }"),
    "nothing": ("", ""),
    "a remark": ("  # alone", "# alone"),
}  # fmt: skip


@pytest.mark.parametrize("name", LAYOUTS)
def test_layout(name: str) -> None:
    text, expected = LAYOUTS[name]
    assert check(text) == (f"{expected}\n" if expected else "")


def test_mistakes_are_told() -> None:
    with pytest.raises(DiagnosticError):
        format_text("block b {")


# The command

UNTIDY, TIDY = "block b {return x}\n", "block b { return x }\n"


def test_the_command(command: Command, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    for name, text in (("a.arch", UNTIDY), ("sub/b.arch", TIDY), ("sub/no.arch", "block b {")):
        (tmp_path / name).write_text(text)
    checked = command("fmt", "--check", ".")
    assert (checked.returncode, checked.stdout) == (1, "a.arch: would change\n")
    assert "error[A1" in checked.stderr or "error[A0" in checked.stderr
    assert checked.stderr.endswith("1 spec would change, 1 unchanged, 1 invalid\n")
    shown = command("fmt", "--diff", "a.arch")
    assert shown.returncode == 1 and "-block b {return x}\n+block b { return x }\n" in shown.stdout
    assert (tmp_path / "a.arch").read_text() == UNTIDY
    done = command("fmt", "a.arch", "sub", "a.arch")
    assert (done.returncode, done.stdout) == (1, "a.arch: changed\n")
    assert (tmp_path / "a.arch").read_text() == TIDY
    assert (tmp_path / "sub" / "no.arch").read_text() == "block b {"
    again = command("fmt", "a.arch")
    assert (again.returncode, again.stdout) == (0, "")
    assert again.stderr == "0 specs changed, 1 unchanged\n"
    assert command("fmt", "--quiet", "a.arch").stderr == ""


def test_standard_input(command: Command) -> None:
    done = command("fmt", "-", input=UNTIDY)
    assert (done.returncode, done.stdout, done.stderr) == (0, TIDY, "")
    assert command("fmt", "--check", "-", input=UNTIDY).returncode == 1
    assert command("fmt", "--check", "-", input=TIDY).returncode == 0


def test_what_cannot_be_written(command: Command, tmp_path: Path) -> None:
    done = command("fmt", "none.arch")
    assert done.returncode == 1 and "A0011" in done.stderr


def test_the_rights_of_a_file_stay(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "a.arch"
    path.write_text(UNTIDY)
    path.chmod(0o640)
    (tmp_path / "link.arch").symlink_to(path)
    assert command("fmt", "link.arch").returncode == 0
    assert path.read_text() == TIDY and path.stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "link.arch").is_symlink()


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_the_ends_of_lines_stay(end: str) -> None:
    lines = ["arch net {", "  input x: 3x64  # one", "  y   = x -> relu", "  return y", "}", ""]
    text = end.join(lines)
    assert format_text(text) == text.replace("y   =", "y =")
