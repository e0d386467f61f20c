"""What to say of text that is not in the language, and how to read on after it.

Only a mistake needs this module. It speaks of what people see: lines, cells, values, brackets.
"""

from __future__ import annotations

import re

import lark
from lark import Token

from archdsl import errors
from archdsl.layout import BRACKET, TABLE, Layout
from archdsl.source import Source, Span

# What a person calls the terminals. Those not here are called by their text.
WORDS = {
    "NAME": "a name",
    "NUMBER": "a number",
    "TEXT": 'a "text"',
    "SIZES": "sizes such as 3x224x224",
    "KIND": "`block` or `arch`",
    "_NL": "the end of the line",
    "_GAP": "another cell",
    "DASH": "`-`",
    "COMPARE": "a comparison",
    "SIGN": "`+` or `-`",
    "TIMES": "`*` or `/`",
    "POWER": "`^`",
    "COMMA": "`,`",
    "COLON": "`:`",
    "DOT": "`.`",
    "EQUAL": "`=`",
    "LPAR": "`(`",
    "RPAR": "`)`",
    "LSQUARE": "`[`",
    "RSQUARE": "`]`",
    "LBRACE": "`{`",
    "RBRACE": "`}`",
    "ARROW": "`->`",
    "RANGE": "`..`",
    "$END": "the end of the file",
}
VALUES = {"NUMBER", "NAME", "LPAR"}
"""Where all of these may follow, a value may."""
STATEMENTS = {"RETURN", "LET", "NAME"}
OPERATORS = {"SIGN", "TIMES", "POWER", "COMPARE", "AND", "OR", "DOT", "LSQUARE"}
"""What may follow nearly every value: not worth listing."""
CLOSERS = {"(": ")", "[": "]", "{": "}"}

LAST = (errors.NeverClosed, errors.NothingToClose, errors.NotAColumn)
"""Mistakes after which what follows would be misread."""

CONTINUES = re.compile(r"[ \t]*(->|[-+*/%^<>]|[=!]=|(if|else|and|or)\b|#|$)")


def unreadable(source: Source, start: int) -> errors.Diagnostic:
    """No word or sign of the language begins here."""
    text = source.text
    span = Span(source, start, start + 1)
    if span.text == '"':
        end = text.find("\n", start)
        return errors.TextNeverClosed(span._replace(end=end if end >= 0 else len(text)))
    if span.text.isdigit():
        word = re.compile(r"[\w.]+").match(text, start)
        assert word is not None
        return errors.WrongNumber(span._replace(end=word.end()), text=word[0])
    return errors.UnknownCharacter(span, character=span.text)


def unexpected(problem: lark.UnexpectedToken, source: Source, layout: Layout) -> errors.Diagnostic:
    """A word or sign that cannot stand where it does."""
    token: Token = problem.token
    line = [item for item in layout.line if item is not token]
    before = line[-1] if line else None
    opener = _never_closed(token, line, layout)
    if opener is not None:
        span = Span(source, opener.start_pos or 0, opener.end_pos or 0)
        return errors.NeverClosed(span, opener=str(opener), closer=CLOSERS[str(opener)])
    accepted = set(problem.accepts or problem.expected or ())
    reserved = _reserved(token, line, accepted, source)
    if reserved is not None:
        span = Span(source, reserved.start_pos or 0, reserved.end_pos or 0)
        return errors.ReservedWord(span, word=str(reserved))
    expected = _expected(accepted, token)
    if str(token).strip():
        found = f"found `{token}`"
        span = Span(source, token.start_pos or 0, token.end_pos or 0)
    else:
        ends = {"_NL": "the line ends", "_GAP": "a new cell begins"}
        found = ends.get(token.type, "the text ends")
        at = before.end_pos if before is not None else token.start_pos
        span = Span(source, at or 0, (at or 0) + 1)
    after = f" after `{_short(line)}`" if before is not None else ""
    hint = _hint(token, line, expected, accepted)
    if not hint and layout.stack and layout.stack[-1][1] == TABLE and token.type in OPERATORS:
        hint = "a cell has no spaces outside brackets: c*2, not c * 2"
    return errors.UnexpectedText(span, expected=expected, after=after, found=found, hint=hint)


def _reserved(token: Token, line: list[Token], accepted: set[str], source: Source) -> Token | None:
    """A word of the language that was taken for a name, if it is that."""
    if token.type == "EQUAL":
        word = line[0] if len(line) == 1 else line[-1] if line and line[-2] == "," else None
        return word if word is not None and _is_word(word) else None
    if not _is_word(token) or "NAME" not in accepted:
        return None
    named = re.compile(r"[ \t]*(=(?!=)|:|,)").match(source.text, token.end_pos or 0)
    return token if named or accepted <= {"NAME", "RBRACE"} else None


def _is_word(token: Token) -> bool:
    return token.isidentifier() and token.type not in ("NAME", "LET")


def _never_closed(token: Token, line: list[Token], layout: Layout) -> Token | None:
    """The bracket that must be missing its end, when the text goes on as if it were closed."""
    if not layout.stack:
        return None
    opener, holds = layout.stack[-1]
    if token.type in ("RPAR", "RSQUARE", "RBRACE") and CLOSERS[str(opener)] == str(token):
        return None
    if holds == BRACKET:
        ahead = layout.source.text[opener.end_pos : token.start_pos]
        last = line[-1] if line and line[-1] is not opener else None
        starts_line = "\n" in layout.source.text[(last or opener).end_pos : token.start_pos]
        assigned = token.type == "EQUAL" and len(line) > 1 and "\n" in ahead
        return opener if starts_line or assigned else None
    if holds == TABLE and str(opener) == "{":
        row = [item for item in line if item.type not in ("_GAP",)]
        if token.type == "EQUAL" and len(row) == 1 or token.type in ("RETURN", "LET", "INPUT"):
            return opener if not row or row[0].type in ("NAME",) else None
    return None


def _expected(accepted: set[str], token: Token) -> str:
    if accepted >= VALUES | {"LSQUARE"} or VALUES <= accepted and "LET" not in accepted:
        return "a value" if "RPAR" not in accepted else "a value or `)`"
    if STATEMENTS <= accepted:
        return "a statement"
    if "KIND" in accepted and "$END" in accepted:
        return "`block`, `arch` or `use`"
    names = sorted({_in_words(name) for name in accepted - OPERATORS})
    return " or ".join(filter(None, [", ".join(names[:-1]), names[-1] if names else ""]))


def _in_words(terminal: str) -> str:
    return WORDS.get(terminal, f"`{terminal.lower()}`")


def _short(line: list[Token]) -> str:
    """The end of what was read: `groups=`, not the `=` alone."""
    last = line[-1]
    if len(line) > 1 and last.type in ("EQUAL", "DOT", "COLON") and line[-2].type == "NAME":
        return f"{line[-2]}{last}"
    return str(last) if len(last) < 40 else f"{last[:36]}..."


def _hint(token: Token, line: list[Token], expected: str, accepted: set[str]) -> str:
    before = line[-1] if line else None
    if before is not None and before == "*" and str(token) == "*":
        return "a power is written with `^`: 10^9"
    if token.type == "EQUAL":
        return "compare with `==`" if any(item.type == "IF" for item in line) else ""
    if expected in ("a name", "a value", "a statement") and token.isidentifier():
        if _is_word(token):
            return f"`{token}` is a word of the language; choose another name"
    arrows = [item for item in line if item.type == "ARROW"]
    if arrows and "ARROW" in accepted and token.type in ("SIGN", "TIMES", "POWER"):
        return f"put the flow in brackets: (... -> ...) {token} ..."
    if token.type == "_NL" and "`{`" in expected:
        return "a body begins with `{` on the same line"
    return ""


def without_line(text: str, problem: errors.Diagnostic) -> str | None:
    """The text with blanks in place of the statement with a mistake; none to stop looking.

    Where brackets open or close in it, whatever comes next would be misread.
    """
    span = problem.span
    if span is None or isinstance(problem, LAST):
        return None
    lines = text.split("\n")
    first = last = text.count("\n", 0, span.start)
    while first > 0 and CONTINUES.match(lines[first]):
        first -= 1
    while last + 1 < len(lines) and CONTINUES.match(lines[last + 1]):
        last += 1
    plain = re.sub(r'"([^"\\]|\\.)*"|#.*', "", "\n".join(lines[first : last + 1]))
    if not plain.strip() or any(plain.count(a) != plain.count(b) for a, b in CLOSERS.items()):
        return None
    if last + 1 < len(lines) and lines[last + 1].lstrip().startswith("{"):
        return None
    for i in range(first, last + 1):
        lines[i] = " " * len(lines[i])
    return "\n".join(lines)
