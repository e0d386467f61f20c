"""Python expressions as trees, and their layout: what fits on a line is one, the rest is opened.

The layout is the one that common formatters leave alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from archdsl.backends.pytorch.symbols import Symbol
from archdsl.support.records import Record

WIDTH = 100
INDENT = " " * 4


class Code(Record):
    """A piece of an expression."""

    def parts(self) -> Iterable[Code]:
        """The pieces of a kind that is settled, or laid out, elsewhere."""
        return ()


class Plain(Code):
    """Text that stays on one line; `names` are the local names in it."""

    text: str
    names: frozenset[str] = frozenset()


class Invoke(Code):
    """`function(a, b, c=d)`.

    With `opened` it has a line for each argument as soon as one line is too long.
    """

    function: str
    arguments: tuple[tuple[str, Code], ...]
    opened: bool = False

    def parts(self) -> Iterable[Code]:
        return [value for _, value in self.arguments]


class Either(Code):
    """`value if condition else otherwise`."""

    value: Code
    condition: Plain
    otherwise: Code


class Repeated(Code):
    """`*(item for variable in range(...))`; inside a list without the star and the brackets."""

    item: Code
    variable: str
    range: Plain
    starred: bool = True


class Listed(Code):
    """`[a, b, c]`."""

    items: tuple[Code, ...]

    def parts(self) -> Iterable[Code]:
        return self.items


IDENTITY = Plain("nn.Identity()")


class NewBlock(Code):
    """A use of another class; its arguments are chosen when that class is complete."""

    plan: Any
    arguments: tuple[tuple[str, Symbol], ...]

    def parts(self) -> Iterable[Code]:
        return [plain(symbol) for _, symbol in self.arguments]


class Alike(Code):
    """Layers in a row, written as a loop where they turn out alike.

    `loops` are ways to write those from some place on by a formula.
    """

    singles: tuple[Code, ...]
    loops: tuple[tuple[int, Repeated], ...]

    def parts(self) -> Iterable[Code]:
        return self.singles


class Rows(Code):
    """The rows of a table: name, code and a remark (the shape that comes out).

    As an attribute, or an item of one, its rows are lines; anywhere else it is `function(...)`.
    """

    rows: tuple[tuple[str, Code, str], ...]
    function: str

    def parts(self) -> Iterable[Code]:
        return [code for _, code, _ in self.rows]

    def invoked(self) -> Invoke:
        """The table as an expression."""
        items = tuple((f"{name}=", code) for name, code, _ in self.rows)
        return Invoke(self.function, items, True)


def plain(symbol: Symbol) -> Plain:
    return Plain(symbol.text, symbol.names)


def names_in(code: Code) -> frozenset[str]:
    """The local names that an expression mentions."""
    if isinstance(code, Plain):
        return code.names
    if isinstance(code, Invoke):
        return frozenset().union(*(names_in(value) for _, value in code.arguments))
    if isinstance(code, Either):
        return names_in(code.value) | names_in(code.condition) | names_in(code.otherwise)
    if isinstance(code, Repeated):
        return (names_in(code.item) - {code.variable}) | names_in(code.range)
    return frozenset().union(*(names_in(part) for part in code.parts()))


def flat(code: Code) -> str:
    """The expression on one line."""
    if isinstance(code, Rows):
        code = code.invoked()
    if isinstance(code, Plain):
        return code.text
    if isinstance(code, Invoke):
        inside = ", ".join(name + flat(value) for name, value in code.arguments)
        return f"{code.function}({inside})"
    if isinstance(code, Either):
        return f"{flat(code.value)} if {code.condition.text} else {flat(code.otherwise)}"
    if isinstance(code, Listed):
        return f"[{', '.join(map(flat, code.items))}]"
    assert isinstance(code, Repeated)
    inner = f"{flat(code.item)} for {code.variable} in {code.range.text}"
    return f"*({inner})" if code.starred else inner


def lay_out(before: str, code: Code, after: str, indent: int) -> list[str]:
    """The lines of `before code after`, indented by so many levels."""
    if isinstance(code, Rows):
        code = code.invoked()
    margin = INDENT * indent
    line = f"{margin}{before}{flat(code)}{after}"
    if len(line) <= WIDTH:
        return [line]
    if isinstance(code, Invoke) and code.arguments:
        head, tail = f"{margin}{before}{code.function}(", f"{margin}){after}"
        inside = ", ".join(name + flat(value) for name, value in code.arguments)
        if not code.opened and len(f"{margin}{INDENT}{inside}") <= WIDTH:
            if not any(isinstance(value, Repeated) for _, value in code.arguments):
                return [head, f"{margin}{INDENT}{inside}", tail]
        lines = [head]
        for name, value in code.arguments:
            comma = "" if isinstance(value, Repeated) and not value.starred else ","
            lines += lay_out(name, value, comma, indent + 1)
        return [*lines, tail]
    if isinstance(code, Either):
        inside = f"{margin}{INDENT}{flat(code)}"
        if len(inside) <= WIDTH:
            return [f"{margin}{before}(", inside, f"{margin}){after}"]
        lines = [f"{margin}{before}("]
        word = ""
        while isinstance(code, Either):
            lines += lay_out(word, code.value, "", indent + 1)
            lines += lay_out("if ", code.condition, "", indent + 1)
            code, word = code.otherwise, "else "
        return [*lines, *lay_out(word, code, "", indent + 1), f"{margin}){after}"]
    if isinstance(code, Listed):
        lines = [f"{margin}{before}["]
        for item in code.items:
            lines += lay_out("", item, ",", indent + 1)
        return [*lines, f"{margin}]{after}"]
    if isinstance(code, Repeated):
        opening, closing = ("*(", ")") if code.starred else ("", "")
        if not code.starred:
            return [
                *lay_out(before, code.item, "", indent),
                f"{margin}for {code.variable} in {code.range.text}{after}",
            ]
        return [
            f"{margin}{before}{opening}",
            *lay_out("", code.item, "", indent + 1),
            f"{margin}{INDENT}for {code.variable} in {code.range.text}",
            f"{margin}{closing}{after}",
        ]
    return [line]
