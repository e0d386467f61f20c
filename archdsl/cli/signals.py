"""Being told to stop: whatever is half done is undone, and nothing is said."""

from __future__ import annotations

import signal
from types import FrameType

SIGNALLED = 128
"""Shells call a process that a signal ended by this and the signal's number."""

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")  # the last is not everywhere
_HEEDED = [getattr(signal, name) for name in _NAMES if hasattr(signal, name)]


class Stopped(BaseException):
    """Raised wherever the process is when a signal asks it to stop."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def heed_signals() -> None:
    """From now on, let signals raise `Stopped`; those that are ignored stay so (`nohup`)."""
    for number in _HEEDED:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _stop)


_stopping = False
"""Whether a signal came before: what is undone since must not be left half undone by another."""


def _stop(number: int, frame: FrameType | None) -> None:
    global _stopping
    if not _stopping:
        _stopping = True
        raise Stopped(number)
