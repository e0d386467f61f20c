"""Text of a spec as data of each format it is written in: one function a format.

A spec may come from a stranger. Its texts and names must come out of every format as what they are:
they end no string, start no markup, formula or command, and steer no terminal. Escape last: what is
cut or wrapped after it may be cut inside an escape. `json.dumps` does so for JSON and SARIF, and
jinja2's `autoescape` for SVG and HTML.
"""

from __future__ import annotations

import json
import re
from typing import Any

QUOTES = '"""'


def printable(text: str) -> str:
    r"""For a terminal, and first of all for every other format: `\x1b` in place of the character.

    Control characters, the marks that turn the direction of writing, and what Unicode does not
    assign become visible; spaces and ends of lines stay.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in " \n" else ascii(c)[1:-1] for c in text)


def one_line(text: str) -> str:
    """The words of a text on one line, printable; white space of any kind parts them."""
    return printable(" ".join(text.split()))


def docstring_line(text: str) -> str:
    """A line of a Python docstring, without its end: three quotes and backslashes are escaped."""
    return text.replace("\\", r"\\").replace(QUOTES, r"\"\"\"")


def script_json(data: Any) -> str:
    """JSON for a `script` element of HTML, which it can neither end nor turn into a comment."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def dot(text: str) -> str:
    r"""Between the quotes of a label for Graphviz, which knows `\N` and entities of HTML there."""
    escaped = printable(text).replace("\\", r"\\").replace('"', r"\"").replace("&", "&amp;")
    return escaped.replace("\n", r"\n")


MERMAID = {letter: f"#{ord(letter)};" for letter in '#"&<>`\\%{}'}
"""Mermaid reads its own numeric entities; `%%{` would start a directive, even between quotes."""


def mermaid(text: str) -> str:
    """Between the quotes of a label for Mermaid."""
    escaped = "".join(MERMAID.get(letter, letter) for letter in printable(text))
    return escaped.replace("\n", "<br/>")


_MARKDOWN = re.compile(r"[\\`*_|<>\[\]&~$@]|(?<=[hH][tT][tT][pP]):|:(?=//)|(?<=[wW]{3})\.")
_BLOCK = re.compile(r"\A(?:[-+](?=[\s+=-]|\Z)|[#=]|\d{1,9}(?=[.)](?:\s|\Z)))")


def markdown(text: str) -> str:
    """One line of a paragraph or a table's cell, in CommonMark and GitHub's dialect.

    Beside marks of emphasis, links, tables and formulas, what GitHub would link by itself and what
    would begin a heading or a list at the start of a line is escaped. Runs of space become one.
    """
    line = one_line(text)
    escaped = _MARKDOWN.sub(r"\\\g<0>", line)
    if start := _BLOCK.match(line):
        at = start.end()
        digits = line[:at].isdigit()
        escaped = f"{line[:at]}\\{escaped[at:]}" if digits else f"\\{escaped}"
    return escaped


LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", "*": r"\textsuperscript{*}",
    "`": r"\textasciigrave{}",
}  # fmt: skip
"""The characters that LaTeX reads as something else, and how they are written."""


def latex(text: str) -> str:
    """Text within a line of LaTeX; two hyphens or quotes stay two, and make no dash."""
    line = one_line(text)
    escaped = "".join(LATEX.get(character, character) for character in line)
    return re.sub(r"([-'])(?=\1)", r"\1{}", escaped)


FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""Characters that make a spreadsheet treat a cell as a formula (OWASP, CSV Injection)."""


def csv_cell(text: str) -> str:
    """A text in a cell of CSV, which no spreadsheet runs; `csv_text` takes the quote off again."""
    line = printable(text)
    return f"'{line}" if line.startswith((*FORMULA, "'")) else line


def csv_text(cell: str) -> str:
    """The text of a cell that `csv_cell` wrote."""
    return cell[1:] if cell.startswith("'") and cell[1:].startswith((*FORMULA, "'")) else cell


def sarif(text: str) -> str:
    """A message of SARIF without placeholders and links (2.1.0, sections 3.11.5 and 3.11.6)."""
    return printable(text).replace("{", "{{").replace("}", "}}").replace("](", r"\](")


def matplotlib_text(text: str) -> str:
    """A text of a figure: a dollar sign would begin a formula."""
    return printable(text).replace("$", r"\$")
