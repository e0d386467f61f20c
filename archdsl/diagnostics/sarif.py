"""Diagnostics as SARIF 2.1.0, the form that code scanning takes.

OASIS, Static Analysis Results Interchange Format (SARIF) Version 2.1.0, 2020.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from archdsl.diagnostics.catalog import explanation, kinds, page, title
from archdsl.diagnostics.diagnostic import Diagnostic, Edit
from archdsl.diagnostics.json import shortest
from archdsl.diagnostics.source import Source, Span
from archdsl.support.escaping import sarif
from archdsl.support.version import __version__

SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)


def sarif_report(problems: Sequence[Diagnostic]) -> str:
    """The log of a run. Its rules are the kinds that occur, with their pages as help."""
    codes = sorted({problem.code for problem in problems})
    artifacts = _Artifacts()
    driver = {
        "name": "archdsl",
        "version": __version__,
        "rules": [_rule(kinds()[code]) for code in codes],
    }
    run: dict[str, Any] = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(p, codes.index(p.code), artifacts) for p in problems],
    }
    if artifacts.embedded:
        run["artifacts"] = artifacts.embedded
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2)


def _rule(kind: type[Diagnostic]) -> dict[str, Any]:
    prose = page(kind.code).split("\n\n", 1)[0].replace("\n", " ")
    return {
        "id": kind.code,
        "name": kind.__name__,
        "shortDescription": {"text": sarif(title(kind).capitalize())},
        "fullDescription": {"text": sarif(prose)},
        "help": {"text": explanation(kind), "markdown": page(kind.code)},
        "defaultConfiguration": {"level": kind.severity},
    }


def _result(problem: Diagnostic, rule: int, artifacts: _Artifacts) -> dict[str, Any]:
    text = "\n".join(filter(None, (problem.title, problem.advice)))
    result: dict[str, Any] = {
        "ruleId": problem.code,
        "ruleIndex": rule,
        "level": problem.severity,
        "message": {"text": sarif(text)},
        "locations": [],
    }
    if problem.span is not None:
        result["locations"] = [{"physicalLocation": artifacts.place(problem.span)}]
    if problem.edit is not None:
        result["fixes"] = [artifacts.fix(problem.edit, problem.advice)]
    if problem.notes:
        result["relatedLocations"] = [
            {
                "id": number,
                "message": {"text": sarif(note.text)},
                "physicalLocation": artifacts.place(note.span),
            }
            for number, note in enumerate(problem.notes, 1)
        ]
    return result


class _Artifacts:
    """Locations: files by URI; text that is not in a file is part of the log."""

    def __init__(self) -> None:
        self.embedded: list[dict[str, Any]] = []
        self._index: dict[Source, int] = {}

    def place(self, span: Span) -> dict[str, Any]:
        return {"artifactLocation": self._location(span.source), "region": _region(span)}

    def fix(self, edit: Edit, text: str) -> dict[str, Any]:
        replacement = {"deletedRegion": _region(edit.span), "insertedContent": {"text": edit.text}}
        location = self._location(edit.span.source)
        change = {"artifactLocation": location, "replacements": [replacement]}
        return {"description": {"text": sarif(text)}, "artifactChanges": [change]}

    def _location(self, source: Source) -> dict[str, Any]:
        if source.path is not None:
            return {"uri": uri(source.path)}
        index = self._index.setdefault(source, len(self.embedded))
        if index == len(self.embedded):
            self.embedded.append(
                {"description": {"text": sarif(source.name)}, "contents": {"text": source.text}}
            )
        return {"index": index}


def _region(span: Span) -> dict[str, int]:
    start, end = span.source.position(span.start), span.source.position(span.end)
    region = {"startLine": start[0], "startColumn": start[1]}
    return region | {"endLine": end[0], "endColumn": end[1]}


def uri(path: str) -> str:
    """The URI of a file: relative for one below the present folder, as code scanning wants it."""
    short = shortest(path)
    if os.path.isabs(short):
        return PurePath(short).as_uri()
    return quote(os.fsencode(PurePath(short).as_posix()))
