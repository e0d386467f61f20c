"""The line on a terminal that says how far long work is. It is gone when the work is done."""

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
"""Seconds between two pictures of it."""
BAR = 20
"""Columns of the bar."""


@contextmanager
def progress(options: argparse.Namespace) -> Iterator[Progress]:
    """How work can tell how far it is: on a terminal by a line on standard error, else not."""
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
    """Whether standard error is a terminal on which a line can be written anew."""
    return os.environ.get("TERM") != "dumb" and sys.stderr is not None and sys.stderr.isatty()


class _Line:
    """The last line of a terminal, written anew and anew."""

    def __init__(self) -> None:
        self._next = monotonic()
        self._is_shown = False

    def show(self, text: str, part: float) -> None:
        """Show how far the work is, unless that was done a moment ago."""
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
        """Leave the line as if nothing had been written on it."""
        if self._is_shown:
            self._write("\r\x1b[K")
            self._is_shown = False

    def _write(self, text: str) -> None:
        try:
            sys.stderr.write(text)
            sys.stderr.flush()
        except OSError:
            pass  # nobody watches
