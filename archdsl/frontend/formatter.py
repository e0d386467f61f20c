"""One layout for specs: what `archdsl fmt` writes.

Words, their order, comments and the breaks of long lines stay; spaces, indentation and blank lines
are set. So the tree stays, and a second pass finds nothing to do.

- Two spaces of indentation for each body or table; never two blank lines, one between definitions.
- The cells of a table stand in columns, two spaces apart. So do the `=` of lines that follow one
  another, and comments at the ends of such lines.
- A line that goes on stands under what its bracket holds, a `->` under the first one of its flow.
- A condition of a whole line has three spaces before its `if`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, zip_longest

from lark import Token

from archdsl.diagnostics.source import Source
from archdsl.frontend.layout import BODY, BRACKET, CLOSERS, EXPECTS_VALUE, OPENERS, TABLE
from archdsl.frontend.parser import lex, parse

STEP = "  "
BETWEEN_COLUMNS = "  "
BEFORE_GUARD = "   "

VALUE_ENDS = {
    "NAME", "NUMBER", "SIZES", "TEXT", "TRUE", "FALSE", "NONE", "RPAR", "RSQUARE", "RBRACE",
}  # fmt: skip
"""After one of these a sign stands between two values; elsewhere it is the sign of one."""

CLOSE_AFTER = {"LPAR", "LSQUARE", "DOT", "POWER", "RANGE"}
CLOSE_BEFORE = {"RPAR", "RSQUARE", "COMMA", "COLON", "DOT", "POWER", "RANGE"}


def format_text(text: str, name: str = "<text>") -> str:
    """A spec in the layout that all have. `DiagnosticError` for mistakes of its syntax.

    Where all lines end with CR and LF, they still do.
    """
    source = Source(name, text)
    parse(source)
    lines = list(_lines(_words(source)))
    _align_assignments(lines)
    _align_rows(lines)
    end = "\r\n" if 0 < text.count("\n") == text.count("\r\n") else "\n"
    return "".join(line + end for line in _with_comments(_written(lines)))


class Word:
    """A token, with what stands between the one before and it."""

    def __init__(self, token: Token, space: str, is_first: bool) -> None:
        self.token = token
        self.kind: str = token.type
        parts = [part.strip() for part in space.split("\n")]
        if is_first:
            parts.insert(0, "")
        above = parts[1:] if self.kind == "$END" else parts[1:-1]
        self.comment = parts[0]
        """The end of the line of the previous token."""
        self.above = [part for part, before in zip(above, ["#", *above]) if part or before]
        """Comments on lines of their own; an empty text is a blank line."""
        self.starts = len(parts) > 1
        """It begins a line of the text."""
        self.gap = False
        """It begins a cell."""
        self.ends = False
        """It ends a statement or a row."""
        self.holds = ""
        """Of a bracket: what is in it."""
        self.inline = False
        """Of a body's brackets: the body is on their line."""

    @property
    def opens(self) -> bool:
        """True if lines of a body or table follow."""
        return self.kind in CLOSERS and self.holds != BRACKET and not self.inline

    @property
    def closes(self) -> bool:
        return self.kind in OPENERS and self.holds != BRACKET and not self.inline


class Line:
    """A statement, a row, or what there is of it before or after the lines of a body."""

    def __init__(self, words: list[Word], depth: int, mode: str) -> None:
        self.words = words
        self.depth = depth
        self.is_row = mode == TABLE and not words[0].closes
        self.equals = 0 if mode == TABLE else _equals(words)
        """Index of the `=` of an assignment; 0 for other lines."""
        self.before_equals = 0
        """Space available before it."""
        self.columns: Sequence[int] = ()
        """Space available for each cell."""

    @property
    def first(self) -> Word:
        return self.words[0]

    @property
    def is_plain_row(self) -> bool:
        """True if it is a row on one line, which is all that columns are for."""
        return self.is_row and not any(word.starts or word.opens for word in self.words[1:])

    def cells(self) -> list[str]:
        """The texts of a row's cells; a label goes with the name behind it."""
        labelled = len(self.words) > 1 and self.words[1].kind == "COLON"
        starts = [i for i, word in enumerate(self.words) if word.gap and not (labelled and i == 2)]
        return [
            _text(self.words[start:stop], tight=True)
            for start, stop in zip_longest([0, *starts], starts)
        ]


def _equals(words: list[Word]) -> int:
    for place, word in enumerate(words):
        if word.kind != ("COMMA" if place % 2 else "NAME"):
            return place if word.kind == "EQUAL" else 0
    return 0


# From the text to lines


def _words(source: Source) -> list[Word]:
    """The words of a text; the last one is its end."""
    words: list[Word] = []
    gap, end = False, 0
    for token in lex(source):
        if token.type == "_NL":
            if words:
                words[-1].ends = True
        elif token.type == "_GAP":
            gap = True
        else:
            word = Word(token, source.text[end : token.start_pos], not words)
            word.gap, gap = gap, False
            words.append(word)
            end = token.end_pos or 0
    _match_brackets(words)
    return [*words, Word(Token("$END", ""), source.text[end:], not words)]


def _match_brackets(words: list[Word]) -> None:
    """Say of each bracket what it holds."""
    stack: list[Word] = []
    table_next = False
    before = ""
    for word in words:
        kind = word.kind
        if kind in CLOSERS:
            mode = stack[-1].holds if stack else BODY
            is_value = mode != BODY or before in EXPECTS_VALUE
            if kind != "LBRACE":
                word.holds = BRACKET
            else:
                word.holds = TABLE if table_next else BRACKET if is_value else BODY
                table_next = False
            if word.holds == TABLE:
                for opener in stack:
                    opener.inline = False
            word.inline = word.holds == BODY
            stack.append(word)
        elif kind in OPENERS:
            opener = stack.pop()
            opener.inline = word.inline = opener.inline and opener.token.line == word.token.line
            word.holds = opener.holds
        elif kind in ("STAGES", "VARIANTS"):
            table_next = True
        before = kind


def _lines(words: list[Word]) -> Iterator[Line]:
    modes = [BODY]
    line: list[Word] = []
    inline = 0
    for word in words:
        line.append(word)
        if word.inline:
            inline += 1 if word.kind in CLOSERS else -1
        if word.closes:
            modes.pop()
        if word.opens or word.kind == "$END" or word.ends and not inline:
            yield Line(line, len(modes) - 1, modes[-1])
            line = []
        if word.opens:
            modes.append(word.holds)


# Columns


def _align_assignments(lines: list[Line]) -> None:
    """Make room before the `=` of lines that follow one another."""
    group: list[Line] = []
    for before, line in zip([None, *lines], lines):
        goes_on = before is not None and not before.words[-1].opens and not line.first.above
        if not (line.equals and goes_on and before in group):
            group = []
        if line.equals:
            group.append(line)
            room = max(len(_text(one.words[: one.equals])) for one in group)
            for one in group:
                one.before_equals = room


def _align_rows(lines: list[Line]) -> None:
    """Make room for the cells of the rows under one header."""
    section = 0
    sections = []
    for line in lines:
        section += not line.is_row or line.first.kind == "KIND"
        sections.append(section)
    for _, numbered in groupby(zip(sections, lines), key=lambda pair: pair[0]):
        rows = [line for _, line in numbered if line.is_plain_row]
        cells = [row.cells()[:-1] for row in rows]
        widths = [max(map(len, column)) for column in zip_longest(*cells, fillvalue="")]
        for row in rows:
            row.columns = widths


# From lines to text


class Written:
    """A line of the new text."""

    def __init__(self, text: str, is_remark: bool = False) -> None:
        self.text = text
        self.is_remark = is_remark
        self.comment = ""


def _written(lines: list[Line]) -> list[Written]:
    done: list[Written] = []
    for before, line in zip([None, *lines], lines):
        indent = STEP * (line.depth + line.first.closes)
        above = line.first.above
        if line.depth == 0 and line.first.kind == "KIND" and above[:1] != [""]:
            above = ["", *above]
        if before is None or before.words[-1].opens:
            above = above[1:] if above[:1] == [""] else above
        if line.first.closes or line.first.kind == "$END":
            above = above[:-1] if above[-1:] == [""] else above
        if line.first.comment:
            done[-1].comment = line.first.comment
        done += [Written(indent + text if text else "", True) for text in above]
        if line.first.kind == "$END":
            return done
        if line.is_plain_row:
            cells = zip_longest(line.cells(), line.columns[: len(line.cells()) - 1], fillvalue=0)
            padded = BETWEEN_COLUMNS.join(str(cell).ljust(width) for cell, width in cells)
            done.append(Written(STEP * line.depth + padded))
        else:
            done += _Writer(line).written()
    return done


class _Writer:
    """Writes a line that may go on over several."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.base = STEP * line.depth
        self.brackets: list[tuple[int, int]] = []
        """Of each that is open: where its line begins, and where lines inside it do."""
        self.arrows: list[int | None] = [None]
        """Column of the first arrow of the current flow, for the line and each bracket."""

    def written(self) -> list[Written]:
        words, line = self.line.words, self.line
        done = [Written(self.base)]
        guard = _guard(line)
        for place, (word, before) in enumerate(zip(words, [None, *words])):
            now = done[-1]
            if before is not None and word.starts:
                now.comment = word.comment
                column = self._column(word)
                done += [Written(" " * column + text, True) for text in word.above if text]
                now = Written(" " * column)
                done.append(now)
            elif before is not None and place == line.equals:
                now.text = now.text.ljust(len(self.base) + line.before_equals) + " "
            elif before is not None:
                before_before = words[place - 2] if place > 1 else None
                space = _space(before_before, before, word, len(self.brackets), line.is_row)
                now.text += BEFORE_GUARD if word is guard else space
            following = words[place + 1] if place + 1 < len(words) else None
            self._note(word, following, now.text)
            now.text += word.token
        return done

    def _column(self, word: Word) -> int:
        """Start of the line that begins with a token."""
        if word.kind == "ARROW" and self.arrows[-1] is not None:
            return self.arrows[-1]
        if self.brackets:
            outer, inner = self.brackets[-1]
            return outer if word.kind in OPENERS else inner
        return len(self.base) + len(STEP)

    def _note(self, word: Word, following: Word | None, text: str) -> None:
        """Take in what a word opens or closes."""
        if word.kind in CLOSERS:
            outer = len(text) - len(text.lstrip())
            breaks = following is not None and following.starts
            self.brackets.append((outer, outer + len(STEP) if breaks else len(text) + 1))
            self.arrows.append(None)
        elif word.kind in OPENERS and self.brackets:
            self.brackets.pop()
            self.arrows.pop()
        elif word.kind == "COMMA":
            self.arrows[-1] = None
        elif word.kind == "ARROW" and self.arrows[-1] is None:
            self.arrows[-1] = len(text)


def _guard(line: Line) -> Word | None:
    """The `if` that is for the whole of a line."""
    found, depth = None, 0
    for word in line.words[line.equals :]:
        depth += (word.kind in CLOSERS) - (word.kind in OPENERS)
        if depth == 0 and word.kind in ("COMMA", "ELSE"):
            return None
        if depth == 0 and word.kind == "IF":
            found = word
    return None if line.is_row else found


def _text(words: Iterable[Word], tight: bool = False) -> str:
    """Words on one line."""
    text, depth = "", 0
    before_before: Word | None = None
    before: Word | None = None
    for word in words:
        if before is not None:
            text += _space(before_before, before, word, depth, tight)
        text += word.token
        depth += (word.kind in CLOSERS) - (word.kind in OPENERS)
        before_before, before = before, word
    return text


def _space(before_before: Word | None, before: Word, word: Word, depth: int, tight: bool) -> str:
    """Separator of two tokens of a line; `tight` if cells end with a space."""
    one, two = before.kind, word.kind
    if tight and depth == 0:
        if one == "COLON":
            return " "
        return BETWEEN_COLUMNS if word.gap else " " if word.opens else ""
    if two in CLOSE_BEFORE or one in CLOSE_AFTER:
        return ""
    if "EQUAL" in (one, two):
        return "" if depth else " "
    if before.holds == BRACKET and one == "LBRACE" or word.holds == BRACKET and two == "RBRACE":
        return ""
    if two == "LPAR" and one in ("NAME", "STAGES"):
        return ""
    if two == "LSQUARE" and one in ("NAME", "RPAR", "RSQUARE"):
        return ""
    if one == "SIGN" and (before_before is None or before_before.kind not in VALUE_ENDS):
        return ""
    return " "


def _with_comments(written: Sequence[Written]) -> Iterator[str]:
    """The lines with the comments at their ends, in a column where several follow one another."""
    for has_comment, group in groupby(written, key=lambda line: bool(line.comment)):
        lines = list(group)
        room = max(len(line.text) for line in lines)
        for line in lines:
            tail = " " * (room - len(line.text)) + BETWEEN_COLUMNS + line.comment
            yield (line.text + tail if has_comment else line.text).rstrip()
