"""Text to tree. Knows the grammar's rules and no names."""

from __future__ import annotations

import os
import re
import threading
from functools import cache
from typing import Any

import lark
from lark import Lark, Token

from archdsl.diagnostics import errors
from archdsl.diagnostics.diagnostic import DiagnosticError
from archdsl.diagnostics.source import Source, Span
from archdsl.frontend import ast
from archdsl.frontend.layout import Layout
from archdsl.support import limits, resources


def parse(source: Source) -> ast.File:
    """The tree of a file. Raises `DiagnosticError` with the mistakes of its syntax."""
    problems: list[errors.Diagnostic] = []
    text: str | None = source.text
    # Reading on takes as long as reading: less often where it is much.
    most = min(limits.MISTAKES, 300_000 // (len(source.text) + 1) + 1)
    while text is not None and len(problems) < most:
        try:
            file: ast.File = _parse(source, "start", text)
        except errors.Diagnostic as problem:
            from archdsl.frontend.recovery import mended  # only a mistake needs it

            problems.append(problem)
            text = mended(text, problem)
        else:
            if not problems:
                return file
            break
    raise DiagnosticError(problems)


def parse_expression(source: Source) -> ast.Expression:
    """The tree of an expression by itself: what an option of the command line says."""
    expression: ast.Expression = _parse(source, "alone", source.text)
    return expression


def lex(source: Source) -> list[Token]:
    """The words of a file, its layout settled; the file must be one that `parse` takes."""
    parser, _, layout = _parser()
    with _lock:
        layout.source = source
        return list(parser.lex(source.text))


def _parse(source: Source, start: str, text: str) -> Any:
    """The tree of a text; its places are those of the source."""
    parser, builder, layout = _parser()
    with _lock:
        builder.source = layout.source = source
        try:
            return parser.parse(text, start=start)
        except lark.exceptions.VisitError as problem:
            raise problem.orig_exc from None
        except lark.UnexpectedCharacters as problem:
            from archdsl.frontend.recovery import unreadable

            raise unreadable(source, problem.pos_in_stream or 0, layout) from None
        except lark.UnexpectedToken as problem:
            from archdsl.frontend.recovery import unexpected

            raise unexpected(problem, source, layout) from None


_lock = threading.Lock()


@cache
def _parser() -> tuple[Lark, Builder, Layout]:
    builder, layout = Builder(), Layout()
    # The tables depend on the grammar and lark alone; to build them takes longer than to compile.
    folder = resources.cache_folder()
    cache = os.path.join(folder, "grammar") if folder else ""
    parser = Lark(
        resources.grammar(),
        parser="lalr",
        start=["start", "alone"],
        lexer="basic",
        maybe_placeholders=False,
        transformer=builder,
        postlex=layout,
        cache=cache if cache and resources.is_cache_file(cache) else False,
    )
    return parser, builder, layout


def _number(span: Span, text: str) -> int | float:
    value = int(text) if text.isdigit() and len(text) <= 19 else float(text)
    if value > limits.NUMBER:
        raise errors.NumberTooLarge(span, limit=limits.NUMBER)
    return value


def _unquoted(token: Token) -> str:
    """The text between quotes; a backslash keeps the next character, and `\\n` is a line's end."""
    return re.sub(r"\\(.)", lambda m: {"n": "\n", "t": "\t"}.get(m[1], m[1]), token[1:-1])


Children = list[Any]


class Builder(lark.Transformer[Any, Any]):
    """Builds a node for each rule, as the parser reduces it."""

    source: Source

    def _at(self, first: Any, last: Any = None) -> Span:
        """From the start of a token or node to the end of another, or its own."""
        last = first if last is None else last
        start = first.start_pos if isinstance(first, Token) else first.span.start
        end = last.end_pos if isinstance(last, Token) else last.span.end
        return Span(self.source, start or 0, end or 0)

    # Files and definitions

    def start(self, children: Children) -> ast.File:
        uses = tuple(child for child in children if isinstance(child, ast.Use))
        definitions = tuple(child for child in children if isinstance(child, ast.Definition))
        return ast.File(Span(self.source, 0, 0), uses, definitions)

    def alone(self, children: Children) -> ast.Expression:
        expression: ast.Expression = children[0]
        return expression

    def use(self, children: Children) -> ast.Use:
        return ast.Use(self._at(children[0]), _unquoted(children[0]))

    def definition(self, children: Children) -> ast.Definition:
        kind, name, *parts = children
        body = parts.pop()
        parameters = extends = class_name = None
        for part in parts:
            if isinstance(part, ast.Name):
                extends = part
            elif isinstance(part, Token):
                class_name = str(part)
            else:
                parameters = part
        return ast.Definition(
            self._at(name), str(kind), str(name), parameters, extends, class_name, body
        )

    def extends(self, children: Children) -> ast.Name:
        return self.name(children)

    def class_name(self, children: Children) -> Token:
        name: Token = children[0]
        return name

    def parameters(self, children: Children) -> tuple[ast.Parameter, ...]:
        return tuple(children[:-1])

    def parameter(self, children: Children) -> ast.Parameter:
        name, kind, default = children[0], None, None
        for child in children[1:]:
            if isinstance(child, Token):
                kind = str(child)
                if kind != "tensor":
                    raise errors.UnknownKind(self._at(child), kind=kind)
            else:
                default = child
        return ast.Parameter(self._at(name), str(name), kind, default)

    def body(self, children: Children) -> tuple[ast.Statement, ...]:
        return tuple(children[:-1])

    # Statements

    def doc(self, children: Children) -> ast.Doc:
        return ast.Doc(self._at(children[0]), _unquoted(children[0]))

    def input_(self, children: Children) -> ast.Input:
        name, *sizes = children
        if len(sizes) == 1 and isinstance(sizes[0], Token):
            at, sizes = self._at(sizes[0]), str(sizes[0]).split("x")
            sizes = [ast.Number(at, _number(at, size)) for size in sizes]
        return ast.Input(self._at(name), str(name), tuple(sizes))

    def let(self, children: Children) -> ast.Let:
        return ast.Let(self._at(children[0]), str(children[0]), children[1])

    def require(self, children: Children) -> ast.Require:
        condition, message = children
        return ast.Require(condition.span, condition, _unquoted(message), self._at(message))

    def warn(self, children: Children) -> ast.Warn:
        condition, message = children
        return ast.Warn(condition.span, condition, _unquoted(message), self._at(message))

    def expect(self, children: Children) -> ast.Expect:
        return ast.Expect(self._at(children[0], children[-1]), tuple(children))

    def default(self, children: Children) -> ast.Default:
        return ast.Default(children[0].span, children[0])

    def variants(self, children: Children) -> ast.Variants:
        columns: tuple[ast.Name, ...] = ()
        rows: list[ast.Variant] = []
        header: Span | None = None
        for name, *cells in children:
            at = self._at(name, (cells or [name])[-1])
            if name != "name":
                if header is None:
                    raise errors.RowBeforeHeader(at)
                rows.append(self._variant(at, str(name), cells))
            elif header is not None:
                raise errors.SecondHeader(at).labelled(header, "the header")
            else:
                columns, header = tuple(map(self._column, cells)), at
        if not children:
            return ast.Variants(Span(self.source, 0, 0), (), ())
        first, last = children[0][0], children[-1][-1]
        return ast.Variants(self._at(first, last), columns, tuple(rows))

    def variant(self, children: Children) -> Children:
        return children

    def _variant(self, span: Span, name: str, cells: Children) -> ast.Variant:
        for cell in cells:
            if isinstance(cell, Token):
                raise errors.ReservedWord(self._at(cell), word=str(cell))
        return ast.Variant(span, name, tuple(cells))

    def _column(self, cell: ast.Cell | Token) -> ast.Name:
        if isinstance(cell, Token):
            return self.name([cell])
        if cell.name is None and isinstance(cell.value, ast.Name):
            return cell.value
        raise errors.NotAColumn(cell.span, text=cell.span.text)

    def set_(self, children: Children) -> ast.Set:
        path, (arguments, end) = children
        span = self._at(path[0], end)
        return ast.Set(span, tuple(map(str, path)), self._at(path[0], path[-1]), arguments)

    def path(self, children: Children) -> Children:
        return children

    def assign(self, children: Children) -> ast.Assign:
        *names, value = children
        targets = tuple(self.name([name]) for name in names)
        return ast.Assign(self._at(names[0], value), targets, value)

    def return_(self, children: Children) -> ast.Return:
        return ast.Return(self._at(children[0], children[-1]), tuple(children))

    def repeat(self, children: Children) -> ast.Repeat:
        *names, start, stop, body = children
        label, variable = names if len(names) == 2 else (None, names[0])
        label = None if label is None else str(label)
        return ast.Repeat(self._at(names[0], stop), label, str(variable), start, stop, body)

    # Expressions

    def guard(self, children: Children) -> ast.Guard:
        return ast.Guard(self._at(children[0], children[1]), *children)

    def conditional(self, children: Children) -> ast.Conditional:
        return ast.Conditional(self._at(children[0], children[2]), *children)

    def flow(self, children: Children) -> ast.Flow:
        source, step = children
        span = self._at(source, step)
        if isinstance(source, ast.Flow):
            return ast.Flow(span, source.source, (*source.steps, step))
        return ast.Flow(span, source, (step,))

    def step_name(self, children: Children) -> ast.Call:
        return ast.Call(self._at(children[0]), str(children[0]), (), False)

    def call(self, children: Children) -> ast.Call:
        name, (arguments, end) = children
        return ast.Call(self._at(name, end), str(name), arguments)

    def arguments(self, children: Children) -> tuple[tuple[ast.Argument, ...], Token]:
        *arguments, end = children
        return tuple(arguments), end

    def argument(self, children: Children) -> ast.Argument:
        *name, value = children
        span = self._at((name or [value])[0], value)
        return ast.Argument(span, str(name[0]) if name else None, value)

    def _binary(self, operator: str, children: Children) -> ast.Binary:
        left, right = children[0], children[-1]
        return ast.Binary(self._at(left, right), operator, left, right)

    def or_(self, children: Children) -> ast.Binary:
        return self._binary("or", children)

    def and_(self, children: Children) -> ast.Binary:
        return self._binary("and", children)

    def power(self, children: Children) -> ast.Binary:
        return self._binary("^", children)

    def sum(self, children: Children) -> ast.Binary:
        return self._binary(str(children[1]), children)

    product = sum

    def not_(self, children: Children) -> ast.Negation:
        sign, operand = children
        return ast.Negation(self._at(sign, operand), operand)

    def comparison(self, children: Children) -> ast.Comparison:
        operators = tuple(map(str, children[1::2]))
        return ast.Comparison(self._at(children[0], children[-1]), operators, tuple(children[::2]))

    def negative(self, children: Children) -> ast.Expression:
        sign, operand = children
        if sign == "+":
            expression: ast.Expression = operand
            return expression
        return ast.Minus(self._at(sign, operand), operand)

    def field(self, children: Children) -> ast.Field:
        of, name = children
        return ast.Field(self._at(of, name), of, str(name))

    def item_of(self, children: Children) -> ast.Item:
        of, index, end = children
        return ast.Item(self._at(of, end), of, index)

    def number(self, children: Children) -> ast.Number:
        span = self._at(children[0])
        return ast.Number(span, _number(span, str(children[0])))

    def text(self, children: Children) -> ast.Text:
        return ast.Text(self._at(children[0]), _unquoted(children[0]))

    def truth(self, children: Children) -> ast.Truth:
        return ast.Truth(self._at(children[0]), children[0] == "true")

    def absent(self, children: Children) -> ast.Absent:
        return ast.Absent(self._at(children[0]))

    def name(self, children: Children) -> ast.Name:
        return ast.Name(self._at(children[0]), str(children[0]))

    def group(self, children: Children) -> ast.Expression:
        first, expression, last = children
        whole: ast.Expression = expression.replace(span=self._at(first, last))
        return whole

    def tuple_(self, children: Children) -> ast.Tuple:
        return ast.Tuple(self._at(children[0], children[-1]), tuple(children[1:-1]))

    def list_(self, children: Children) -> ast.List:
        return ast.List(self._at(children[0], children[-1]), tuple(children[1:-1]))

    def choice(self, children: Children) -> ast.Choice:
        return ast.Choice(self._at(children[0], children[-1]), tuple(children[1:-1]))

    # Tables

    def stages(self, children: Children) -> ast.Stages:
        first, *table = children
        arguments: tuple[ast.Argument, ...] = ()
        if table and isinstance(table[0], tuple) and isinstance(table[0][0], tuple):
            arguments = table.pop(0)[0]
        end = table.pop()
        return ast.Stages(self._at(first, end), arguments, tuple(table))

    def header(self, children: Children) -> ast.Header:
        return ast.Header(self._at(children[0], children[-1]), tuple(children[1:]))

    def column(self, children: Children) -> ast.Name:
        return self.name(children)

    def row(self, children: Children) -> ast.Row:
        names = [child for child in children if isinstance(child, Token)]
        cells = tuple(child for child in children if isinstance(child, ast.Cell))
        label = str(names[0]) if len(names) == 2 else None
        span = self._at(names[0], (cells or names)[-1])
        return ast.Row(span, label, str(names[-1]), self._at(names[-1]), cells)

    def cell(self, children: Children) -> ast.Cell:
        *name, value = children
        if isinstance(value, Token):
            return ast.Cell(self._at(value), None, None)
        span = self._at((name or [value])[0], value)
        return ast.Cell(span, str(name[0]) if name else None, value)
