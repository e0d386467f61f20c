"""What a user is told: the base of every diagnostic, and its text form.

The kinds are in `errors.py`.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

from archdsl.source import Span

NOTES = 3
"""Notes that are shown from each end of a long chain."""

LONGEST = 120
"""Characters of a line that are shown."""


class Note(NamedTuple):
    """A second place that helps to understand a diagnostic."""

    span: Span
    text: str


class Diagnostic(Exception):
    """One mistake. A subclass is a kind: its code, its sentence and its help are class data.

    The fields of a kind are its annotations; `message` and `help` are format strings over them.
    `span` is where the mistake is; for one inside a block where the block is used, and `notes`
    lead from there inwards. Who raises one without a span leaves it to whoever knows the place;
    `argument` then says which argument is at fault, if it is one.
    """

    code: ClassVar[str]
    severity: str = "error"
    """`error`, or `warning` for what is legal and likely wrong. Denied, a warning is an error."""
    message: ClassVar[str]
    help: ClassVar[str] = ""
    fatal: ClassVar[bool] = False
    """Whether there is no use in looking for more mistakes."""

    def __init__(
        self, span: Span | None = None, *, argument: str | None = None, **values: Any
    ) -> None:
        expected = {k for k in type(self).__annotations__ if k not in Diagnostic.__annotations__}
        if expected != set(values):
            raise TypeError(f"{type(self).__name__} takes {sorted(expected)}, not {sorted(values)}")
        super().__init__()
        self.values = values
        self.span = span
        self.argument = argument
        self.notes: list[Note] = []

    @property
    def title(self) -> str:
        """The sentence that says what is wrong."""
        return self.message.format(**self.values)

    @property
    def advice(self) -> str:
        """What to do about it; empty where there is nothing certain to say."""
        return self.help.format(**self.values)

    def __str__(self) -> str:
        return render(self)


class DiagnosticError(Exception):
    """Raised by the Python interface: all the mistakes of one run."""

    def __init__(self, diagnostics: list[Diagnostic]) -> None:
        super().__init__(diagnostics)
        self.diagnostics = diagnostics

    def __str__(self) -> str:
        return "\n\n".join(map(render, self.diagnostics))


Paint = Callable[[str, str], str]
"""Gives a piece of text (its part in the diagnostic, the text) the looks that it should have."""

COLOURS = {"error": "1;31", "warning": "1;33", "note": "1;32", "help": "1;36", "frame": "1;34"}
"""The graphic rendition (ECMA-48) of each part; `title` is bold."""


def plain(part: str, text: str) -> str:
    """No colours."""
    return text


def coloured(part: str, text: str) -> str:
    """For a terminal."""
    return f"\033[{COLOURS.get(part, '1')}m{text}\033[0m"


def render(diagnostic: Diagnostic, paint: Paint = plain) -> str:
    """The text of a diagnostic: sentence, place, the line with carets, notes, help."""
    severity = diagnostic.severity
    head = paint(severity, f"{severity}[{diagnostic.code}]")
    lines = [head + paint("title", f": {printable(diagnostic.title)}")]
    if diagnostic.span is not None:
        lines += _excerpt(diagnostic.span, "^", severity, paint)
    notes = diagnostic.notes
    left_out = len(notes) - 2 * NOTES if len(notes) > 2 * NOTES + 1 else 0
    for i, note in enumerate(notes):
        if left_out and NOTES <= i < NOTES + left_out:
            if i == NOTES:
                lines.append(f"{paint('note', 'note')}: and {left_out} more between these")
            continue
        lines.append(f"{paint('note', 'note')}: {printable(note.text)}")
        lines += _excerpt(note.span, "-", "frame", paint)
    if diagnostic.advice:
        lines.append(f"{paint('help', 'help')}: {printable(diagnostic.advice)}")
    return "\n".join(lines)


def printable(text: str) -> str:
    """The text with control characters made visible: a spec must not steer a terminal."""
    return "".join(c if c.isprintable() or c in " \n" else ascii(c)[1:-1] for c in text)


def _excerpt(span: Span, mark: str, part: str, paint: Paint) -> list[str]:
    """The line of a place, the place marked; of a long line, what is around it."""
    source = span.source
    number, column = source.position(span.start)
    line = source.line(number)
    start = max(0, column - 1 - LONGEST // 2) if len(line) > LONGEST else 0
    lead = line[start : column - 1]
    marked = line[column - 1 : column - 1 + span.end - span.start][:LONGEST]
    margin = " " * len(str(number))
    shown = printable(_tabs(line[start : start + LONGEST]))
    marks = paint(part, mark * max(1, _width(marked)))
    return [
        f"{paint('frame', f'{margin}-->')} {printable(source.name)}:{number}:{column}",
        paint("frame", f"{margin} |"),
        f"{paint('frame', f'{number} |')} {shown}".rstrip(),
        f"{paint('frame', f'{margin} |')} {' ' * _width(lead)}{marks}",
    ]


def _tabs(text: str) -> str:
    return text.replace("\t", "    ")


def _width(text: str) -> int:
    """Columns that a text takes on a terminal."""
    return sum(map(_columns, printable(_tabs(text))))


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
