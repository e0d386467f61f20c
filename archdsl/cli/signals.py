"""Stopping on signals: unfinished work is undone silently."""

from __future__ import annotations

import signal
from types import FrameType

SIGNALLED = 128
"""Shells report a process ended by a signal as this plus the signal's number."""

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")  # the last does not exist everywhere
_HEEDED = [getattr(signal, name) for name in _NAMES if hasattr(signal, name)]


class Stopped(BaseException):
    """Raised at the current point of execution when a signal stops the process."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def install_signal_handlers() -> None:
    """Make signals raise `Stopped`; ignored signals stay ignored (`nohup`)."""
    for number in _HEEDED:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _stop)


_stopping = False
"""True after the first signal: a second one must not interrupt the cleanup."""


def _stop(number: int, frame: FrameType | None) -> None:
    global _stopping
    if not _stopping:
        _stopping = True
        raise Stopped(number)
