"""A command on a terminal of its own, for what it shows there and nowhere else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

pty = pytest.importorskip("pty")


def on_terminal(
    folder: Path, *arguments: str, both: bool = True, **variables: str
) -> tuple[str, int]:
    """What a command writes to standard error, and with `both` to standard output, where these are
    a terminal; and its exit status."""
    leader, follower = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm"}
    environment.pop("NO_COLOR", None)
    process = subprocess.Popen(
        [sys.executable, "-m", "archdsl", *arguments],
        cwd=folder,
        env={**environment, **variables},
        stdout=follower if both else subprocess.DEVNULL,
        stderr=follower,
    )
    os.close(follower)
    told = b""
    while True:
        try:
            piece = os.read(leader, 65536)
        except OSError:
            break
        if not piece:
            break
        told += piece
    status = process.wait()
    os.close(leader)
    return told.decode().replace("\r\n", "\n"), status
