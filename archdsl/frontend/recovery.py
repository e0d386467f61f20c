"""Diagnostics for syntax errors, and recovery from them.

Imported only after an error. Messages name what users see: lines, cells, values, brackets.
"""

from __future__ import annotations

import re

import lark
from lark import Token

from archdsl.diagnostics import errors
from archdsl.diagnostics.source import Source, Span
from archdsl.diagnostics.spelling import did_you_mean, nearest
from archdsl.frontend import hints
from archdsl.frontend.layout import BODY, BRACKET, PAIRS, TABLE, Layout, never_closed

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
"""Tokens that together mean that a value may follow."""
STATEMENTS = {"RETURN", "LET", "NAME"}
OPERATORS = {"SIGN", "TIMES", "POWER", "COMPARE", "AND", "OR", "DOT", "LSQUARE"}
"""Tokens that may follow almost any value; not worth listing."""

KEYWORDS = "input let require warn expect default variants set return repeat stages".split()
"""Keywords that start a statement; `stages` starts a table."""

STATEMENT = re.compile(r"\w+(\s*,\s*\w+)*\s*=(?!=)|[}]|(" + "|".join(KEYWORDS) + r")\b")
"""Start of a line that does not continue the one above."""

CONTINUES = re.compile(r"[ \t]*(->|[-+*/%^<>]|[=!]=|(if|else|and|or)\b|#|$)")
"""Start of a continuation line."""

UNFINISHED = re.compile(r"(->|[-+*/,\\=(])\s*$")
"""End of an unfinished line."""

QUOTED = re.compile(r"(?P<quote>['`])(?P<word>[A-Za-z_]\w*)(?P=quote)")
"""A word in quotes that are no part of the language."""

OUTERMOST = re.compile(r"[^\s}#]|[ \t]+(block|arch)[ \t]+\w+[ \t]*[({]")
"""Start of a line that is not part of the definition above."""


def unreadable(source: Source, start: int, layout: Layout) -> errors.Diagnostic:
    """No word or sign of the language begins here."""
    text = source.text
    span = Span(source, start, start + 1)
    if span.text == '"':
        end = text.find("\n", start)
        return errors.TextNeverClosed(span._replace(end=end if end >= 0 else len(text)))
    if span.text.isdigit():
        while text[start - 1 : start].isalnum():
            start -= 1
        word = re.compile(r"[\w.]+").match(text, start)
        assert word is not None
        span = span._replace(start=start, end=word.end())
        sizes = re.fullmatch(r"((?:\d+x)+)([A-Za-z_]\w*)", word[0])
        if sizes is None:
            return errors.WrongNumber(span, text=word[0])
        apart = ", ".join([*sizes[1].split("x")[:-1], sizes[2]])
        hint = f"separate sizes with commas unless all are numbers: {apart}"
        return errors.WrongNumber(span, text=word[0], hint=hint).replace(span, apart)
    where = _where(layout)
    hint = hints.advice(text, start, where)
    problem = errors.UnknownCharacter(span, character=_shown(span.text), hint=hint, where=where)
    quoted = QUOTED.match(text, start)
    if quoted is not None:
        problem.replace(span._replace(end=quoted.end()), quoted["word"])
    return problem


def _shown(character: str) -> str:
    return character if character.isprintable() else f"U+{ord(character):04X}"


def _where(layout: Layout, token: Token | None = None) -> str:
    """Kind of text at the current position, before a token that may have opened a bracket."""
    holds = [holds for opener, holds in layout.stack if opener is not token]
    names = {BODY: hints.BODY, TABLE: hints.TABLE, BRACKET: hints.BRACKET}
    return names[holds[-1]] if holds else hints.OUTSIDE


def unexpected(problem: lark.UnexpectedToken, source: Source, layout: Layout) -> errors.Diagnostic:
    """A word or sign that cannot stand where it does."""
    token: Token = problem.token
    line = [item for item in layout.line if item is not token]
    before = line[-1] if line else None
    opener = _never_closed(token, line, layout)
    if opener is not None:
        span = Span(source, opener[0].start_pos or 0, opener[0].end_pos or 0)
        return never_closed(span, opener[1])
    accepted = set(problem.accepts or problem.expected or ())
    reserved = _reserved(token, line, accepted, source)
    if reserved is not None:
        span = Span(source, reserved.start_pos or 0, reserved.end_pos or 0)
        return errors.ReservedWord(span, word=str(reserved))
    if str(token).strip():
        found = f"found `{token}`"
        span = Span(source, token.start_pos or 0, token.end_pos or 0)
    else:
        ends = {"_NL": "the line ends", "_GAP": "a new cell begins"}
        found = ends.get(token.type, "the file ends")
        at = before.end_pos if before is not None else token.start_pos
        span = Span(source, at or 0, (at or 0) + 1)
    if _starts_line(source, span.start) and before is not None and token.type != "_GAP":
        if CONTINUES.match(source.text[span.start :]):  # read on from the line above
            line, before, accepted = [], None, set(STATEMENTS)
    where = _where(layout, token)
    expected = _expected(accepted, line, where)
    after = f" after `{_short(line, source)}`" if before is not None else ""
    hint = _hint(token, line, expected, accepted, source, where)
    return errors.UnexpectedText(
        span, expected=expected, after=after, found=found, hint=hint, where=where
    )


def _starts_line(source: Source, offset: int) -> bool:
    return not source.text[source.text.rfind("\n", 0, offset) + 1 : offset].strip()


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


def _never_closed(token: Token, line: list[Token], layout: Layout) -> tuple[Token, int] | None:
    """The bracket that must be missing its end, when the text goes on as if it were closed.

    And the offset where that shows: what stands there belongs to it no more.
    """
    if not layout.stack:
        return None
    opener, holds = layout.stack[-1]
    if token.type in ("RPAR", "RSQUARE", "RBRACE") and PAIRS[str(opener)] == str(token):
        return None
    text = layout.source.text
    if holds == BRACKET:
        ahead = text[opener.end_pos : token.start_pos]
        last = line[-1] if line and line[-1] is not opener else None
        starts_line = "\n" in text[(last or opener).end_pos : token.start_pos]
        if starts_line:
            return opener, token.start_pos or 0
        if token.type == "EQUAL" and len(line) > 1 and "\n" in ahead:
            return opener, line[-1].start_pos or 0
        return None
    if holds == TABLE and str(opener) == "{":
        row = [item for item in line if item.type not in ("_GAP",)]
        first = row[0] if row else token
        if _indentation(text, first) > _indentation(text, opener):
            return None
        if token.type == "EQUAL" and len(row) == 1 or token.type in ("RETURN", "LET", "INPUT"):
            return (opener, first.start_pos or 0) if not row or row[0].type == "NAME" else None
    return None


def _indentation(text: str, token: Token) -> int:
    start = text.rfind("\n", 0, token.start_pos or 0) + 1
    return _margin(text[start : token.start_pos] + ".")


def _expected(accepted: set[str], line: list[Token], where: str) -> str:
    if where == hints.TABLE and not line and "NAME" in accepted:
        return "a row, a header or `}`" if "KIND" in accepted else "a row or `}`"
    if accepted >= VALUES | {"LSQUARE"} or VALUES <= accepted and "LET" not in accepted:
        return "a value" if "RPAR" not in accepted else "a value or `)`"
    if STATEMENTS <= accepted:
        return "a statement"
    if "KIND" in accepted and "$END" in accepted:
        return "`block`, `arch` or `use`"
    if {"EXTENDS", "LBRACE"} <= accepted:
        return "`{`"
    if "STAGES" in accepted:
        return "an operation"
    if where == hints.BRACKET and "COMMA" in accepted:
        accepted = accepted & {"COMMA", "RPAR", "RSQUARE", "RBRACE"}
    elif "EQUAL" in accepted and len(line) == 1:
        return "`=`"
    names = sorted({_in_words(name) for name in accepted - OPERATORS})
    return " or ".join(filter(None, [", ".join(names[:-1]), names[-1] if names else ""]))


def _in_words(terminal: str) -> str:
    return WORDS.get(terminal, f"`{terminal.lower()}`")


def _short(line: list[Token], source: Source) -> str:
    """The end of what was read: `groups=`, not the `=` alone; a call, not its last bracket."""
    last = line[-1]
    if len(line) > 1 and last.type in ("EQUAL", "DOT", "COLON") and line[-2].type == "NAME":
        return f"{line[-2]}{last}"
    if last in (")", "]"):
        depth, first = 0, len(line)
        while first and (depth or first == len(line)):
            first -= 1
            depth += (line[first] in (")", "]")) - (line[first] in ("(", "["))
        first -= first > 0 and line[first - 1].type == "NAME"
        text = source.text[line[first].start_pos : last.end_pos]
        return text if len(text) < 40 and "\n" not in text else str(last)
    return str(last) if len(last) < 40 else f"{last[:36]}..."


def _hint(
    token: Token, line: list[Token], expected: str, accepted: set[str], source: Source, where: str
) -> str:
    start = token.start_pos or 0
    if not str(token).strip() and line:
        start = line[-1].end_pos or 0
    known = hints.advice(source.text, start, where)
    if known:
        return known
    if expected in ("a name", "a value", "a statement") and _is_word(token):
        return f"`{token}` is a reserved word; choose another name"
    if expected == "`block`, `arch` or `use`":
        return did_you_mean(nearest(str(token), ("block", "arch", "use")))
    if (
        expected == "`=`"
        and line[0].type == "NAME"
        and token.type in ("NAME", "NUMBER", "TEXT", "LBRACE", "LPAR")
    ):
        near = did_you_mean(nearest(str(line[0]), KEYWORDS))
        return near or "write a line as `name = value`, a comment after `#`"
    if where == hints.BRACKET and "COMMA" in accepted and token.type in (*VALUES, "TEXT"):
        return f"add a comma before `{token}`?"
    arrows = [item for item in line if item.type == "ARROW"]
    if arrows and "ARROW" in accepted and token.type in ("SIGN", "TIMES", "POWER"):
        return f"put the flow in parentheses: (... -> ...) {token} ..."
    return ""


# Reading on


def mended(text: str, problem: errors.Diagnostic) -> str | None:
    """A text without a mistake, so that the next one can be found; none to stop looking.

    It is as long, and what remains stands where it stood: a missing bracket goes in place of a
    space, a surplus one is taken away, and so is a statement or a definition that cannot be read.
    """
    span = problem.span
    if span is None or problem.fatal or isinstance(problem, errors.NotAColumn):
        return None
    if isinstance(problem, errors.NeverClosed):
        return _with_closer(text, problem.values["noticed"], problem.values["closer"])
    if isinstance(problem, errors.NothingToClose):
        instead: str = problem.values["instead"]
        return text[: span.start] + instead + text[span.end :]
    quoted = QUOTED.match(text, span.start)
    if isinstance(problem, errors.UnknownCharacter) and quoted is not None:
        return text[: span.start] + f" {quoted['word']} " + text[quoted.end() :]
    lines = text.split("\n")
    first = text.count("\n", 0, span.start)
    if isinstance(problem, errors.RowBeforeHeader):
        last = next((i for i in range(first, len(lines)) if "}" in lines[i]), first + 1) - 1
    elif problem.values.get("where") == hints.OUTSIDE:
        after = range(first + 1, len(lines))
        last = next((i for i in after if OUTERMOST.match(lines[i])), len(lines)) - 1
    else:
        in_table = problem.values.get("where") == hints.TABLE
        while first > 0 and CONTINUES.match(lines[first]) and not in_table:
            first -= 1
        last = _last_line(lines, first, in_table)
        if sum(_open(line, "{}") for line in lines[first : last + 1]):
            return None
    if last < first or not "".join(lines[first : last + 1]).strip():
        return None
    for i in range(first, last + 1):
        lines[i] = " " * len(lines[i])
    return "\n".join(lines)


def _last_line(lines: list[str], first: int, is_row: bool) -> int:
    """The last line of the statement or row that starts with a line.

    It goes on where a bracket is open, where it was meant to go on, and in lines further in.
    """
    last, margin = first, _margin(lines[first])
    braces = brackets = 0
    for i in range(first + 1, len(lines)):
        braces += _open(lines[last], "{}")
        brackets += _open(lines[last], "()", "[]")
        text = lines[i].strip()
        ended = is_row or lines[last].strip() == "}"
        if not (
            braces > 0
            or (brackets > 0 or UNFINISHED.search(_plain(lines[last])))
            and text and not is_row and not STATEMENT.match(text)
            or not ended and (CONTINUES.match(text) or _margin(lines[i]) > margin)
        ):  # fmt: skip
            break
        last = i
    return last


def _margin(line: str) -> int:
    return len(line) - len(line.lstrip())


def _plain(line: str) -> str:
    """A line without texts and comments."""
    return re.sub(r'"([^"\\]|\\.)*"|#.*', "", line)


def _open(line: str, *pairs: str) -> int:
    """Number of unclosed brackets of a line; negative if it closes more than it opens."""
    text = _plain(line)
    return sum(text.count(pair[0]) - text.count(pair[1]) for pair in pairs)


def _with_closer(text: str, noticed: int, closer: str) -> str | None:
    """The text with a closing bracket in place of a space before an offset, and a line's end."""
    start = len(text[:noticed].rstrip())
    gap = text[start:noticed]
    if len(gap) < 2 or noticed >= len(text):
        return None
    gap = gap[1:] if "\n" in gap[1:] or "\n" not in gap else "\n" + gap[2:]
    return text[:start] + closer + gap + text[noticed:]
