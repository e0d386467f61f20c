"""Base class of diagnostics, and their text format.

The kinds are in `errors.py`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from archdsl.diagnostics.source import Span
from archdsl.support.escaping import printable

if TYPE_CHECKING:
    from typing_extensions import Self

NOTES = 3
"""Notes that are shown from each end of a long chain."""

LONGEST = 120
"""Characters of a line that are shown."""


class Note(NamedTuple):
    """A second place that helps to understand a diagnostic.

    A `label` says what stands there (`this value is 24x56x56`) and is shown beside the mark.
    """

    span: Span
    text: str
    label: bool = False


class Edit(NamedTuple):
    """A text to put in a place, after which what was wrong there is right without a doubt."""

    span: Span
    text: str


class Chapter(Enum):
    """What kinds of mistakes are about. The value begins their codes."""

    FILES = "A0"
    NAMES = "A1"
    VALUES = "A2"
    SHAPES = "A3"
    REQUIREMENTS = "A4"
    LIMITS = "A5"
    BACKENDS = "A6"
    WARNINGS = "A7"
    MEASUREMENTS = "A8"


class Diagnostic(Exception):
    """One mistake. A subclass is a kind: its code, message and help are class data.

    `message` and `help` are format strings, and the fields of a kind are their placeholders. A kind
    annotates only what these do not show: a further field, for code that handles the diagnostic,
    or the default of an optional one.

    `span` locates the mistake. For one inside a block, it locates the use of the block, and `notes`
    lead inwards from there. Code that does not know the place raises without a span, and a caller
    adds it: `argument` names the argument at fault, if any; `about` labels arguments (by name) and
    input tensors (by position, from 0).
    """

    code: ClassVar[str]
    chapter: ClassVar[Chapter]
    severity: str = "error"
    """`error`, or `warning` for what is legal and likely wrong. Denied, a warning is an error."""
    message: ClassVar[str]
    help: ClassVar[str] = ""
    fatal: ClassVar[bool] = False
    """Stops the search for more mistakes."""
    fields: ClassVar[frozenset[str]] = frozenset()
    """The values that a kind takes by keyword."""

    def __init_subclass__(cls) -> None:
        shown = _placeholders(cls.message) | _placeholders(cls.help)
        further = cls.__annotations__.keys()
        for name in shown:
            if not name.isidentifier() or name in ("span", "argument", "about"):
                raise TypeError(f"{cls.__name__}: {{{name}}} cannot be a field")
            if name in further and name not in cls.__dict__:
                raise TypeError(f"{cls.__name__}: the annotation of {name} repeats a placeholder")
        cls.fields = frozenset(shown | further)
        if "code" in vars(cls):
            cls.chapter = Chapter(cls.code[:2])

    def __init__(
        self,
        span: Span | None = None,
        *,
        argument: str | None = None,
        about: Mapping[int | str, str] | None = None,
        **values: Any,
    ) -> None:
        kind = type(self)
        values = {**{name: vars(kind)[name] for name in kind.fields & vars(kind).keys()}, **values}
        if kind.fields != values.keys():
            raise TypeError(f"{kind.__name__} takes {sorted(kind.fields)}, not {sorted(values)}")
        super().__init__()
        self.values = values
        self.span = span
        self.argument = argument
        self.about = about or {}
        self.notes: list[Note] = []
        self.edit: Edit | None = None
        """A fix that a program can apply."""
        self.others: list[Diagnostic] = []
        """Further errors in the arguments of the same operation."""

    def labelled(self, span: Span | None, text: str) -> Self:
        """Itself, with something said of a second place, if there is one."""
        if span is not None:
            self.notes.append(Note(span, text, label=True))
        return self

    def replace(self, span: Span, text: str) -> Self:
        """Itself, with a text to put in a place, if there is one."""
        if text:
            self.edit = Edit(span, text)
        return self

    @property
    def title(self) -> str:
        """The sentence that says what is wrong."""
        return self.message.format(**self.values)

    @property
    def advice(self) -> str:
        """How to fix it; empty if no fix is certain."""
        return self.help.format(**self.values)

    def __str__(self) -> str:
        return render(self)


_PLACEHOLDER = re.compile(r"\{\{|\{([^{}:!]*)[^{}]*\}")


def _placeholders(template: str) -> set[str]:
    """The names in a format string; `string.Formatter` finds them ten times slower."""
    return {match[1] for match in _PLACEHOLDER.finditer(template) if match[1] is not None}


class DiagnosticError(Exception):
    """Raised by the Python interface: all the mistakes of one run."""

    def __init__(self, diagnostics: list[Diagnostic]) -> None:
        super().__init__(diagnostics)
        self.diagnostics = diagnostics

    def __str__(self) -> str:
        return "\n\n".join(map(render, self.diagnostics))

    def _render_traceback_(self) -> list[str]:
        """In a notebook the mistakes alone, without the way through archdsl that led to them."""
        return str(self).splitlines()


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
    excerpts = list(_excerpts(diagnostic))
    if excerpts and not excerpts[0].text:
        lines += excerpts.pop(0).lines("^", severity, paint)
    left_out = len(excerpts) - 2 * NOTES if len(excerpts) > 2 * NOTES + 1 else 0
    for i, excerpt in enumerate(excerpts):
        if left_out and NOTES <= i < NOTES + left_out:
            if i == NOTES:
                lines.append(f"{paint('note', 'note')}: and {left_out} more between these")
            continue
        lines.append(f"{paint('note', 'note')}: {printable(excerpt.text)}")
        lines += excerpt.lines("-", "frame", paint)
    if diagnostic.advice:
        lines.append(f"{paint('help', 'help')}: {printable(diagnostic.advice)}")
    return "\n".join(lines)


def _excerpts(diagnostic: Diagnostic) -> Iterator[_Excerpt]:
    """The places to show: that of the mistake, if it has one, and the notes; labels join them."""
    last = None if diagnostic.span is None else _Excerpt(diagnostic.span, "")
    for note in diagnostic.notes:
        if note.label and last is not None and last.has_room_for(note):
            last.labels.append(note)
            continue
        if last is not None:
            yield last
        last = _Excerpt(note.span, note.text)
    if last is not None:
        yield last


class _Excerpt:
    """A place with what is said of it, and the labels on its line and other lines of its text."""

    def __init__(self, span: Span, text: str) -> None:
        self.span = span
        self.text = text
        self.labels: list[Note] = []

    def has_room_for(self, label: Note) -> bool:
        """True if a label can be shown with it: in the same text, on a line that is shown whole."""
        source = self.span.source
        if label.span.source is not source:
            return False
        return len(source.line(source.position(label.span.start)[0])) <= LONGEST

    def lines(self, mark: str, part: str, paint: Paint) -> list[str]:
        """The place, then each line that has marks with these below it."""
        source = self.span.source
        rows: dict[int, list[str]] = {}
        own = ", ".join(label.text for label in self.labels if label.span == self.span)
        marks = [(self.span, mark, part, own)]
        marks += [(n.span, "-", "frame", n.text) for n in self.labels if n.span != self.span]
        for span, sign, look, said in marks:
            number, column = source.position(span.start)
            line = source.line(number)
            start = max(0, column - 1 - LONGEST // 2) if len(line) > LONGEST else 0
            lead = line[start : column - 1]
            marked = line[column - 1 : column - 1 + span.end - span.start][:LONGEST]
            shown = printable(_tabs(line[start : start + LONGEST]))
            text = f" {printable(said)}" if said else ""
            drawn = paint(look, sign * max(1, _width(marked)) + text)
            rows.setdefault(number, [shown]).append(" " * _width(lead) + drawn)
        margin = " " * len(str(max(rows)))
        number, column = source.position(self.span.start)
        lines = [f"{paint('frame', f'{margin}-->')} {printable(source.name)}:{number}:{column}"]
        lines.append(paint("frame", f"{margin} |"))
        before = min(rows)
        for number, (shown, *below) in sorted(rows.items()):
            if number > before + 1:
                lines.append(paint("frame", "..."))
            before = number
            gutter = paint("frame", f"{number:>{len(margin)}} |")
            lines.append(f"{gutter} {shown}".rstrip())
            lines += [f"{paint('frame', f'{margin} |')} {row}" for row in below]
        return lines


def _tabs(text: str) -> str:
    return text.replace("\t", "    ")


def _width(text: str) -> int:
    """Columns that a text takes on a terminal."""
    total = last = 0
    before = ""
    for character in printable(_tabs(text)):
        width = _columns(character)
        if character == _AS_EMOJI and last == 1 and not before.isalpha():
            width = 1  # the character before is drawn two columns wide
        elif character in _SKIN and last == 2:
            width = 0  # drawn as one with the character before
        total += width
        last, before = width, character
    return total


_AS_EMOJI = "\N{VARIATION SELECTOR-16}"
_SKIN = tuple(map(chr, range(0x1F3FB, 0x1F400)))


def _columns(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Mc", "Me", "Cf"):
        return 0
    if "\u1160" <= character <= "\u11ff":
        return 0  # vowels and ends of syllables of Hangul, drawn with what they follow
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
