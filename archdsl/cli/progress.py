"""Progress line on the terminal, erased when the work is done."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

from archdsl.cli import output
from archdsl.support.escaping import printable
from archdsl.support.progress import Progress, untold

INTERVAL = 0.05
"""Seconds between updates."""
BAR = 20
"""Width of the bar in columns."""


@contextmanager
def progress(options: argparse.Namespace) -> Iterator[Progress]:
    """A callback that reports progress on standard error if it is a terminal."""
    if options.quiet or not _is_terminal():
        yield untold
        return
    line = _Line()
    output.before_text(line.erase)
    try:
        yield line.show
    finally:
        output.before_text(None)
        line.erase()


def _is_terminal() -> bool:
    """True if standard error is a terminal that can rewrite a line."""
    return os.environ.get("TERM") != "dumb" and sys.stderr is not None and sys.stderr.isatty()


class _Line:
    """The last line of a terminal, rewritten in place."""

    def __init__(self) -> None:
        self._next = monotonic()
        self._is_shown = False

    def show(self, text: str, part: float) -> None:
        """Show progress, at most once per interval."""
        now = monotonic()
        if now < self._next:
            return
        self._next = now + INTERVAL
        part = min(max(part, 0.0), 1.0)
        done = round(part * BAR)
        line = f"[{'#' * done}{'.' * (BAR - done)}] {part:4.0%} {printable(text)}"
        self._write(f"\r\x1b[K{line[: shutil.get_terminal_size().columns - 1]}")
        self._is_shown = True

    def erase(self) -> None:
        """Erase the line."""
        if self._is_shown:
            self._write("\r\x1b[K")
            self._is_shown = False

    def _write(self, text: str) -> None:
        try:
            sys.stderr.write(text)
            sys.stderr.flush()
        except OSError:
            pass  # nobody watches
