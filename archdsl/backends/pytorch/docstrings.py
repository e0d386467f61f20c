"""Texts of the spec as docstrings: wrapped first, then escaped line by line."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping

from archdsl.backends.pytorch.code import INDENT, WIDTH
from archdsl.support.escaping import QUOTES, docstring_line, one_line


class Docstring:
    """What a docstring says.

    Args:
        paragraphs: each as texts that begin a line of their own.
        arguments: what is said of each argument, for the section `Args:`.
    """

    def __init__(
        self, paragraphs: Iterable[Iterable[str]], arguments: Mapping[str, str] | None = None
    ) -> None:
        self.paragraphs = [list(texts) for texts in paragraphs]
        self.arguments = arguments or {}

    def lines(self, level: int) -> list[str]:
        """Its lines with the quotes; none where it says nothing."""
        if not self.content:
            return []
        margin = INDENT * level
        lines = list(self._body(margin, WIDTH))
        if len(lines) == 1 and len(lines[0]) + len(QUOTES) <= WIDTH:
            line = lines[0]
            return [f'{line[:-1]}\\"{QUOTES}' if line.endswith('"') else line + QUOTES]
        if len(lines) == 1:  # formatters put the closing quotes on this line, so they have to fit
            lines = list(self._body(margin, WIDTH - len(QUOTES)))
        return [*lines, margin + QUOTES]

    def _body(self, margin: str, width: int) -> Iterator[str]:
        opening = margin + QUOTES
        for i, texts in enumerate(self.paragraphs):
            if i:
                yield ""
            for text in texts:
                yield from _wrapped(text, opening, margin, width)
                opening = margin
        if self.arguments:
            yield ""
            yield f"{margin}Args:"
            inner = margin + INDENT
            for name, text in self.arguments.items():
                yield from _wrapped(f"{name}: {text}", inner, inner + INDENT, width)

    @property
    def content(self) -> str:
        """All that it says, without spaces, which depend on the layout."""
        texts = [text for paragraph in self.paragraphs for text in paragraph]
        if self.arguments:
            texts += ["Args:", *(f"{name}: {text}" for name, text in self.arguments.items())]
        return _without_spaces(one_line(" ".join(texts)))


def _wrapped(text: str, first: str, rest: str, width: int) -> Iterator[str]:
    """A text in lines of a width, each escaped; `first` and `rest` are how lines begin."""
    start, line = first, ""
    for word in one_line(text).split():
        for piece in _pieces(word, width - max(len(first), len(rest))):
            longer = f"{line} {piece}" if line else piece
            if line and len(start) + len(docstring_line(longer)) > width:
                yield start + docstring_line(line)
                start, longer = rest, piece
            line = longer
    yield (start + docstring_line(line)).rstrip()


def _pieces(word: str, room: int) -> Iterator[str]:
    """A word in pieces that fit on a line when they are escaped."""
    while len(docstring_line(word)) > room:
        at = room
        while len(docstring_line(word[:at])) > room:
            at -= 1
        yield word[:at]
        word = word[at:]
    yield word


def _without_spaces(text: str) -> str:
    return "".join(text.split())


def check_docstrings(module: str, head: Docstring, classes: Mapping[str, Docstring]) -> None:
    """Make sure that Python reads the texts of a spec as docstrings, all of them and nothing else.

    Raises:
        AssertionError: a text became code or was lost, which is a defect of the compiler.
    """
    tree = ast.parse(module)
    found: dict[str, ast.Module | ast.ClassDef] = {"": tree}
    found |= {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    for name, docstring in {"": head, **classes}.items():
        text = ast.get_docstring(found[name], clean=False) or ""
        if _without_spaces(text) != docstring.content:
            raise AssertionError(f"the docstring of {name or 'the module'} is not what was written")
