"""The README's commands print what it says they print."""

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

README = ROOT / "README.md"
BLOCK = re.compile(r"(?<=```console\n).*?(?=```)", re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the shipped specs, and a command `archdsl`."""
    shutil.copytree(ROOT / "specs", tmp_path / "specs")
    (tmp_path / "bin").mkdir()
    script = tmp_path / "bin" / "archdsl"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m archdsl "$@"\n')
    script.chmod(0o755)
    return tmp_path


def test_commands(folder: Path, update_golden: bool) -> None:
    text = README.read_text(encoding="utf-8")
    actual = BLOCK.sub(lambda match: _run(match[0], folder), text)
    if update_golden:
        README.write_text(actual, encoding="utf-8")
    assert actual == README.read_text(encoding="utf-8")


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


def test_python() -> None:
    results = doctest.testfile(str(README), module_relative=False)
    assert results.attempted and not results.failed
