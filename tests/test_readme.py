"""The commands and examples of README.md and docs/ print what these say they print.

On a page, `console` blocks are run in one folder, in order; an `arch NAME` block is a file there.
"""

from __future__ import annotations

import doctest
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

BLOCK = re.compile(r"^```(console|arch) ?(\S*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def has(language: str) -> list[Path]:
    """The pages with a block of a language."""
    return [path for path in PAGES if f"\n```{language}\n" in path.read_text(encoding="utf-8")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the shipped specs, and a command `archdsl`."""
    shutil.copytree(ROOT / "specs", tmp_path / "specs")
    (tmp_path / "bin").mkdir()
    for name, call in (("archdsl", "-m archdsl"), ("python", "")):
        script = tmp_path / "bin" / name
        script.write_text(f'#!/bin/sh\nexec "{sys.executable}" {call} "$@"\n')
        script.chmod(0o755)
    return tmp_path


@pytest.mark.parametrize("page", has("console"), ids=lambda path: path.stem)
def test_commands(page: Path, folder: Path, update_golden: bool) -> None:
    def block(match: re.Match[str]) -> str:
        language, name, text = match.groups()
        if language == "console":
            return f"```console\n{_run(text, folder)}```"
        if name:
            (folder / name).write_text(text, encoding="utf-8")
        return match[0]

    actual = BLOCK.sub(block, page.read_text(encoding="utf-8"))
    if update_golden:
        page.write_text(actual, encoding="utf-8")
    assert actual == page.read_text(encoding="utf-8")


def _run(block: str, folder: Path) -> str:
    """The block with the outputs that its commands have."""
    path = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)}
    lines = []
    for line in block.splitlines():
        if line.startswith("$ "):
            done = subprocess.run(
                ["sh", "-c", line[2:]],
                cwd=folder,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                encoding="utf-8",
                timeout=60,
            )
            lines += [line, *done.stdout.splitlines()]
    return "".join(line + "\n" for line in lines)


@pytest.mark.parametrize("page", has("pycon"), ids=lambda path: path.stem)
def test_python(page: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    for language, name, text in BLOCK.findall(page.read_text(encoding="utf-8")):
        if language == "arch" and name:
            (folder / name).write_text(text, encoding="utf-8")
    results = doctest.testfile(str(page), module_relative=False)
    assert results.attempted and not results.failed
