"""`--quiet` of every command, and the line that long work shows on a terminal, nowhere else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from archdsl.cli import COMMANDS
from tests.conftest import Command
from tests.terminal import on_terminal

NET = "arch net {\n  input x: 4x8x8\n  return x -> conv(6)\n}\n"
WARNED = "arch net(unused=1) {\n  input x: 4x8x8\n  return x -> conv(6)\n}\n"
LINE = re.compile(r"\r\x1b\[K\[[#.]{20}\] +\d+% [^\r]+")
ERASED = "\r\x1b[K"

TOLD = {
    "check": ["check", "net.arch"],
    "fmt": ["fmt", "net.arch"],
    "onnx": ["onnx", "net.arch"],
    "weights": ["weights", "convert", "net.arch", "theirs.safetensors"],
    "verify": ["verify", "net.arch"],
    "build": ["build", "net.arch", "-o", "net.py"],
    "view": ["view", "net.arch", "-o", "net.svg"],
    "plot": ["plot", "net.arch", "-o", "net.svg"],
}
"""What commands say of what went well, and with --quiet no more."""

RESULTS = {
    "build": ["build", "net.arch"],
    "explain": ["explain", "A3014"],
    "summary": ["summary", "net.arch"],
    "list": ["list"],
    "show": ["show", "mnasnet_a1"],
    "graph": ["graph", "net.arch"],
    "view": ["view", "net.arch", "-o", "-"],
}
"""What was asked for is printed with --quiet, too."""

MEASURED = {"bench": ["bench", "net.arch", "--seconds", "0.01", "--runtime", "onnxruntime"]}
"""Results that differ from time to time."""

DIFFERS = {"diff": ["diff", "mnasnet_a1", "mnasnet_b1"]}
"""Where the exit status is the result, as that of diff(1)."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a network, its weights under other names, and a spec with a warning."""
    import numpy as np
    from safetensors.numpy import save_file

    (tmp_path / "net.arch").write_text(NET)
    (tmp_path / "warned.arch").write_text(WARNED)
    save_file(
        {"theirs.weight": np.zeros((6, 4, 1, 1), np.float32)}, tmp_path / "theirs.safetensors"
    )
    return tmp_path


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_takes_it(command: Command, name: str) -> None:
    assert "-q, --quiet" in command(name, "--help").stdout


def test_every_command_is_tried() -> None:
    assert {*TOLD, *RESULTS, *MEASURED, *DIFFERS} == set(COMMANDS)


def test_what_the_exit_status_tells_is_not_printed(command: Command, folder: Path) -> None:
    loud, quiet = command(*DIFFERS["diff"]), command(*DIFFERS["diff"], "-q")
    assert loud.returncode == quiet.returncode == 1 and loud.stdout
    assert (quiet.stdout, quiet.stderr, loud.stderr) == ("", "", "")


@pytest.mark.parametrize("name", MEASURED)
def test_measurements_are_printed_all_the_same(command: Command, folder: Path, name: str) -> None:
    loud, quiet = command(*MEASURED[name]), command(*MEASURED[name], "-q")
    assert loud.returncode == quiet.returncode == 0 and loud.stderr == quiet.stderr == ""
    assert len(loud.stdout.splitlines()) == len(quiet.stdout.splitlines()) > 5


@pytest.mark.parametrize("name", TOLD)
def test_nothing_is_said_of_what_is_fine(command: Command, folder: Path, name: str) -> None:
    loud, quiet = command(*TOLD[name]), command(*TOLD[name], "--quiet")
    assert (loud.returncode, quiet.returncode) == (0, 0)
    assert name == "build" or loud.stdout + loud.stderr
    assert (quiet.stdout, quiet.stderr) == ("", "")


@pytest.mark.parametrize("name", RESULTS)
def test_results_are_printed_all_the_same(command: Command, folder: Path, name: str) -> None:
    loud, quiet = command(*RESULTS[name]), command(*RESULTS[name], "-q")
    assert loud.returncode == quiet.returncode == 0
    assert loud.stdout and loud.stdout == quiet.stdout and loud.stderr == quiet.stderr == ""


@pytest.mark.parametrize("name", ["build", "check", "summary", "onnx"])
def test_diagnostics_are_told_all_the_same(command: Command, folder: Path, name: str) -> None:
    quiet = command(name, "warned.arch", "--quiet")
    assert quiet.returncode == 0 and "warning[A7001]" in quiet.stderr
    (folder / "net.arch").write_text(NET.replace("conv", "cnv"))
    quiet = command(name, "net.arch", "--quiet")
    assert quiet.returncode == 1 and "error[A1002]" in quiet.stderr


def told_on_terminal(folder: Path, *arguments: str, **variables: str) -> str:
    told, status = on_terminal(folder, *arguments, **variables)
    assert status == 0
    return told


LONG = {
    "check": ["check", "net.arch", "warned.arch"],
    "fmt": ["fmt", "net.arch", "warned.arch"],
    "onnx": ["onnx", "net.arch"],
    "weights": ["weights", "convert", "net.arch", "theirs.safetensors"],
    "verify": ["verify", "net.arch", "--seeds", "1"],
}


@pytest.mark.parametrize("name", LONG)
def test_progress_on_a_terminal_is_erased(command: Command, folder: Path, name: str) -> None:
    told = told_on_terminal(folder, *LONG[name], NO_COLOR="1")
    assert LINE.search(told), told
    # What is left on the screen is what a pipe gets: each line of progress was written over.
    shown = re.sub(LINE, "", told).replace(ERASED, "")
    piped = command(*LONG[name])
    assert "\x1b" not in piped.stdout + piped.stderr
    assert sorted(shown.splitlines()) == sorted((piped.stdout + piped.stderr).splitlines())
    for number, line in enumerate(LINE.findall(told)):
        following = told.split(line, 1)[1]
        assert following.startswith(ERASED), (number, line)


@pytest.mark.parametrize("refused", [["--quiet"], []])
def test_progress_can_be_refused(folder: Path, refused: list[str]) -> None:
    told = told_on_terminal(folder, *LONG["onnx"], *refused, TERM="xterm" if refused else "dumb")
    assert "\x1b" not in told
