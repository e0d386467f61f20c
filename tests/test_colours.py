"""Diagnostics are coloured on a terminal, and nowhere else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from archdsl.diagnostics import diagnostic as diagnostics
from tests.conftest import Command
from tests.terminal import on_terminal

WRONG = "arch net {\n  input x: 4x8x8\n  return x -> conv(6, groups=4)\n}\n"


def told_on_terminal(folder: Path, *arguments: str, **variables: str) -> str:
    """What a command writes to standard error where that is a terminal."""
    return on_terminal(folder, *arguments, both=False, **variables)[0]


def test_colours_on_a_terminal(tmp_path: Path, command: Command) -> None:
    (tmp_path / "net.arch").write_text(WRONG)
    told = told_on_terminal(tmp_path, "check", "net.arch")
    assert told.startswith("\033[1;31merror[A3014]\033[0m\033[1m: groups=4")
    plain = command("check", "net.arch").stderr
    assert "\033" not in plain
    assert re.sub(r"\033\[[0-9;]*m", "", told) == plain
    for refused in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        assert told_on_terminal(tmp_path, "check", "net.arch", **refused) == plain
    # Empty means nothing.
    assert told_on_terminal(tmp_path, "check", "net.arch", NO_COLOR="") == told


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("\u5e45", 2),
        ("e\u0301", 1),
        ("\u00e9", 1),
        ("\uff21b", 3),
        ("\u2764\ufe0f", 2),
        ("\U0001f44d\U0001f3fd", 2),
        ("\U0001f469\u200d\U0001f467", 2 + len("\\u200d") + 2),
    ],
    ids=["wide", "combining", "accent", "fullwidth", "emoji", "skin", "joined"],
)
def test_carets_stand_under_what_is_wrong(
    text: str, columns: int, tmp_path: Path, command: Command
) -> None:
    """Whatever comes before it on the line takes as many columns as on a terminal."""
    spec = f'arch net {{\n  input x: 4x8x8\n  let a = max("{text}", nosuch)\n  return x\n}}\n'
    (tmp_path / "net.arch").write_text(spec, encoding="utf-8")
    lines = command("check", "net.arch").stderr.splitlines()
    caret = next(line for line in lines if line.endswith(" ^^^^^^"))
    assert caret.index("^") == len('3 |   let a = max("') + columns + len('", ')


WIDTHS = [
    *("abc", "d\u00e9j\u00e0", "\u5e45\u9ad8", "\uff21\uff22", "e\u0301\u0323", "\u0e01\u0e34"),
    *("\uac01", "\u1100\u1161\u11a8", "\u0928\u092e\u0938\u094d\u0924\u0947", "\u05d0\u05b8"),
    *("\U0001f600", "\U0001f44d\U0001f3fd", "\U0001f1e9\U0001f1ea", "1\ufe0f\u20e3"),
    *("\u2764\ufe0f", "\u2764", "\u263a\ufe0f!"),
]  # fmt: skip


@pytest.mark.parametrize("text", WIDTHS, ids=ascii)
def test_widths_are_those_of_terminals(text: str) -> None:
    """As the wcwidth package has them, from the tables of Unicode."""
    wcwidth = pytest.importorskip("wcwidth")
    assert diagnostics._width(text) == wcwidth.wcswidth(text)


def test_carets_after_tabs(tmp_path: Path, command: Command) -> None:
    (tmp_path / "net.arch").write_text("arch net {\n\tinput x:\t4x8\n\treturn x\t-> nosuch\n}\n")
    lines = command("check", "net.arch").stderr.splitlines()
    caret = next(line for line in lines if line.endswith("^^^^^^"))
    assert caret.index("^") == lines[lines.index(caret) - 1].index("nosuch")
