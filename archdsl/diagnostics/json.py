"""Diagnostics as JSON, for programs: `errors/report.schema.json` is its schema."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

from archdsl.diagnostics.diagnostic import Diagnostic
from archdsl.diagnostics.source import Span
from archdsl.support.version import __version__

VERSION = 1
"""Of the form. It grows where a program that reads it would have to change."""


def json_report(problems: Sequence[Diagnostic], specs: Mapping[str, bool]) -> str:
    """The document. `specs` says of what was checked whether it is fine."""
    severities = [problem.severity for problem in problems]
    document = {
        "version": VERSION,
        "tool": {"name": "archdsl", "version": __version__},
        "errors": severities.count("error"),
        "warnings": severities.count("warning"),
        "specs": [{"name": name, "fine": fine} for name, fine in specs.items()],
        "diagnostics": [_diagnostic(problem) for problem in problems],
    }
    return json.dumps(document, indent=2)


def _diagnostic(problem: Diagnostic) -> dict[str, Any]:
    edit = problem.edit
    return {
        "code": problem.code,
        "kind": type(problem).__name__,
        "severity": problem.severity,
        "message": problem.title,
        "help": problem.advice or None,
        "fix": None if edit is None else {"place": place(edit.span), "text": edit.text},
        "place": None if problem.span is None else place(problem.span),
        "notes": [{"message": note.text, "place": place(note.span)} for note in problem.notes],
    }


def place(span: Span) -> dict[str, Any]:
    """A place: lines, columns (in code points) from 1, offsets from 0; the end is behind it."""
    source = span.source
    start, end = source.position(span.start), source.position(span.end)
    return {
        "source": source.name,
        "path": None if source.path is None else shortest(source.path),
        "start": {"line": start[0], "column": start[1], "offset": span.start},
        "end": {"line": end[0], "column": end[1], "offset": span.end},
        "text": span.text,
    }


def shortest(path: str) -> str:
    """The path from here, of a file below the present folder; else the absolute one."""
    absolute = os.path.realpath(path)
    try:
        here = os.path.join(os.path.realpath(os.curdir), "")
    except FileNotFoundError:  # somebody removed the present folder
        return absolute
    return absolute[len(here) :] if absolute.startswith(here) else absolute
