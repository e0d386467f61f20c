"""Finding the specs of a command line."""

from __future__ import annotations

import os

from archdsl.cli.output import FINE, report
from archdsl.diagnostics import errors
from archdsl.diagnostics.diagnostic import DiagnosticError


def found_specs(paths: list[str]) -> tuple[list[str], int]:
    """The specs at some paths, each once, and the exit status. Reports errors."""
    found: dict[str, None] = {}
    status = FINE
    for path in paths:
        try:
            found.update(dict.fromkeys(specs_at(path)))
        except DiagnosticError as problem:
            status = max(status, report(problem.diagnostics))
    return [*found], status


def specs_at(path: str) -> list[str]:
    """A path itself, or the specs in a folder and its subfolders, sorted by path.

    Raises `DiagnosticError` if a folder cannot be read or has no specs.
    """
    if not os.path.isdir(path):
        return [path]
    found = []

    def refuse(problem: OSError) -> None:
        reason = problem.strerror or str(problem)
        raise DiagnosticError([errors.NoSuchFile(path=problem.filename, reason=reason)])

    for place, folders, files in os.walk(path, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [os.path.join(place, name) for name in files if name.endswith(".arch")]
    if not found:
        raise DiagnosticError([errors.NoSpecs(path=path)])
    return sorted(map(os.path.normpath, found), key=lambda path: path.split(os.sep))
