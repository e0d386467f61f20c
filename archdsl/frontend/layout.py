"""Between lexer and parser: which line ends count, and where the cells of a table are apart.

The grammar's header says what is settled here. This module knows brackets and spaces, nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator

from lark import Token

from archdsl.diagnostics import errors
from archdsl.diagnostics.source import Source, Span
from archdsl.support import limits

# A line that starts with one of these continues the one above.
CONTINUES = {"ARROW", "SIGN", "TIMES", "COMPARE", "POWER", "IF", "ELSE", "AND", "OR"}
# Before a `{`, these mean that a value is expected: it opens a choice.
EXPECTS_VALUE = CONTINUES | {"EQUAL", "COMMA", "COLON", "NOT", "LPAR", "LSQUARE", "LBRACE", "IN"}

# What makes an expression deeper without a bracket.
OPERATORS = {*CONTINUES, "NOT", "DOT", "LSQUARE"} - {"ARROW"}

CLOSERS = {"LPAR": "RPAR", "LSQUARE": "RSQUARE", "LBRACE": "RBRACE"}
OPENERS = {closer: opener for opener, closer in CLOSERS.items()}
PAIRS = {"(": ")", "[": "]", "{": "}"}

BRACKET, BODY, TABLE = "bracket", "body", "table"


class Layout:
    """Lark's post-lexer. `source` is set before each parse.

    `stack` has the open brackets and what each holds, `line` the tokens of the statement or row so
    far: to say more of a mistake.
    """

    always_accept = ()
    source: Source
    stack: list[tuple[Token, str]]
    line: list[Token]

    def process(self, stream: Iterator[Token]) -> Iterator[Token]:
        """The tokens, with layout settled."""
        stack = self.stack = []
        line = self.line = []
        before: Token | None = None  # the last token passed on, if it was not a line's end
        newline: Token | None = None  # a line's end that may count
        table_next = False  # `stages` or `variants` has been read, its `{` not yet
        operators = 0  # in this line

        most, longest, most_operators = (
            limits.FILE_TOKENS, limits.LINE_TOKENS, limits.LINE_OPERATORS
        )  # fmt: skip
        for count, token in enumerate(stream):
            if count > most:
                raise errors.TooManyWords(self._span(token), limit=most)
            kind = token.type
            if kind == "_NL":
                newline = newline or token
                continue
            mode = stack[-1][1] if stack else BODY
            if newline is not None:
                opened = before is not None and before.type == "LBRACE" and mode != BRACKET
                goes_on = mode == BODY and kind in CONTINUES
                if mode != BRACKET and not opened and not goes_on:
                    if before is not None:
                        yield newline
                    before, operators = None, 0
                    line.clear()
                elif opened:
                    operators = 0
                    line.clear()
                newline = None
            line.append(token)
            operators += kind in OPERATORS
            if len(line) > longest:
                raise errors.LineTooLong(self._span(token), limit=longest)
            if operators > most_operators:
                raise errors.TooManyOperators(self._span(token), limit=most_operators)

            if kind in OPENERS:
                opener = self._close(stack, token)
                if opener[1] != BRACKET and before is not None and before.type != "LBRACE":
                    yield Token.new_borrow_pos("_NL", "", token)
                if mode == TABLE and opener[1] == TABLE:
                    before = None
            elif mode == TABLE and before is not None and before.type != "LBRACE":
                if before.end_pos != token.start_pos and kind != "COLON":
                    yield Token.new_borrow_pos("_GAP", "", token)
            if mode == TABLE and kind == "SIGN" and self._is_dash(token):
                token = Token.new_borrow_pos("DASH", "-", token)
            elif kind in CLOSERS:
                holds = BRACKET
                if kind == "LBRACE":
                    is_choice = mode != BODY or (
                        before is not None and before.type in EXPECTS_VALUE
                    )
                    holds = TABLE if table_next else BRACKET if is_choice else BODY
                    table_next = False
                if len(stack) >= limits.NESTING:
                    raise errors.NestedTooDeep(self._span(token), limit=limits.NESTING)
                stack.append((token, holds))
            elif kind == "KIND" and mode == BODY and stack and before is None:
                raise self._unclosed(stack, token)
            elif kind in ("STAGES", "VARIANTS"):
                table_next = True
            before = token
            yield token

        if stack:
            raise self._unclosed(stack)
        if before is not None:
            yield newline or Token.new_borrow_pos("_NL", "", before)

    def _close(self, stack: list[tuple[Token, str]], token: Token) -> tuple[Token, str]:
        if not stack:
            raise errors.NothingToClose(self._span(token), closer=str(token))
        opener, holds = stack[-1]
        if opener.type != OPENERS[token.type]:
            if any(opener.type == OPENERS[token.type] for opener, _ in stack):
                raise self._unclosed(stack, token)
            if holds != BRACKET:
                raise errors.NothingToClose(self._span(token), closer=str(token))
            right = PAIRS[str(opener)]
            problem = errors.NothingToClose(self._span(token), closer=str(token), instead=right)
            label = f"this bracket is closed with `{right}`"
            raise problem.labelled(self._span(opener), label)
        return stack.pop()

    def _unclosed(
        self, stack: list[tuple[Token, str]], noticed: Token | None = None
    ) -> errors.Diagnostic:
        at = None if noticed is None else noticed.start_pos
        return never_closed(self._span(stack[-1][0]), at)

    def _is_dash(self, token: Token) -> bool:
        start, end = self._span(token)[1:]
        before, after = self.source.text[start - 1], self.source.text[end : end + 1]
        return before.isspace() and (not after or after.isspace() or after in "#}")

    def _span(self, token: Token) -> Span:
        return Span(self.source, token.start_pos or 0, token.end_pos or 0)


def never_closed(span: Span, noticed: int | None = None) -> errors.Diagnostic:
    """A bracket without its end; `noticed` is where something stands that is not in it."""
    text = span.source.text
    closer = PAIRS[span.text]
    hint = f"add the missing `{closer}`"
    if text[: span.start].rstrip().endswith("stages") and span.text == "(":
        noticed, hint = None, "enclose the table in braces: stages { ... }"
    at = len(text) if noticed is None else noticed
    return errors.NeverClosed(span, opener=span.text, closer=closer, hint=hint, noticed=at)
