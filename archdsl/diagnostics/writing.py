"""Files that are written whole or not at all, with a diagnostic where that is not possible."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from archdsl.diagnostics import errors
from archdsl.diagnostics.diagnostic import DiagnosticError
from archdsl.support import atomic


@contextmanager
def writing(path: str) -> Iterator[None]:
    """Raise `DiagnosticError` in place of the `OSError` of a file that cannot be written."""
    try:
        yield
    except OSError as problem:
        reason = problem.strerror or str(problem)
        raise DiagnosticError([errors.CannotWrite(path=path, reason=reason)]) from None


def write(path: str, content: bytes) -> None:
    """Write a file whole or not at all."""
    with writing(path):
        atomic.write(path, content)
