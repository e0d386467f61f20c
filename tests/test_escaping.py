"""Texts and names of a spec stay data in every format that they are written to.

Each test parses the output with a reader that nobody here wrote and finds the text again.
"""

from __future__ import annotations

import ast
import csv
import io
import json
import re
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from pylatexenc.latex2text import LatexNodes2Text

import archdsl
from archdsl.backends.pytorch.docstrings import Docstring, check_docstrings
from archdsl.support import escaping

PIECES = (
    '"', "'", '"""', "'''", "\\", "\\\\", "\\N", "\\N{DASH}", "\\u", "\\x", "\\n", "\n", "\r\n",
    "\t", "\x1b[31m", "\x07", "\x00", "\x85", "\u2028", "\u202e", "\u2066", "\ufeff", "\u00a0",
    "</script>", "<script>", "<!--", "-->", "]]>", "</title>", "<b>", "&amp;", "&#34;", "&", "<",
    ">", "{{ x }}", "{% x %}", "${x}", "%s", "{0}", "{", "}", "](http://a.b)", "[a](b)", "![a](b)",
    "`", "``", "|", "*a*", "**", "_a_", "~~a~~", "$x^2$", "http://a.b", "www.a.b", "@you", "# a",
    "- a", "+ a", "1. a", "1) a", "---", "===", "=1+1", "+1", "-1", "@SUM(A1)", "'=1", "%", "--",
    "\\input{x}", "^", "%%{init: {}}%%", "#35;", "end", "click a", "noqa", "# type: ignore",
    "import os", "ä", "漢", "🙂",
)  # fmt: skip

TEXTS = st.lists(
    st.sampled_from(PIECES) | st.text(max_size=4) | st.text("a \"'\\", max_size=12), max_size=8
).map("".join)
"""Adversarial texts: what means something somewhere, with parts of it and anything else between."""


def shown(text: str) -> str:
    """A text as pictures show it, with one space between words."""
    return " ".join(escaping.printable(text).split())


def spec(text: str) -> str:
    quoted = '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
    return (
        f"block unit(c, k=1) {{\n  {quoted}\n  {quoted}\n  {quoted}\n"
        "  return x -> conv(c, k=k, p=same)\n}\n"
        f"arch net {{\n  {quoted}\n  {quoted}\n  input x: 3x4x4\n"
        "  return x -> unit(4) -> unit(4, k=3)\n}\n"
    )


def writable(text: str) -> bool:
    """Whether a text can stand in a spec: those of control characters cannot all."""
    try:
        archdsl.loads(spec(text))
    except archdsl.DiagnosticError:
        return False
    return True


# Python


def code_without_docstrings(module: str) -> str:
    tree = ast.parse(module)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                del node.body[0]
    return ast.dump(tree)


PLAIN = code_without_docstrings(archdsl.loads(spec("Plain.")).source())


@given(TEXTS)
@example('"""; print(1) #')
@example('a"')
@example("\\")
@example("")
@example(" ")
def test_text_of_a_spec_is_not_code(text: str) -> None:
    if not writable(text):
        return
    module = archdsl.loads(spec(text)).source()
    assert code_without_docstrings(module) == PLAIN
    unit = next(n for n in ast.parse(module).body if isinstance(n, ast.ClassDef))
    found = "".join((ast.get_docstring(unit) or "").split())
    assert found == "".join(escaping.one_line(text).split()) * 3
    assert all(len(line) <= 100 for line in module.splitlines())


@pytest.mark.parametrize("text", [*PIECES, '"' * 7, "\\" * 9, 'ab"""', '\\"""', '"""\\', 'x""'])
def test_docstrings_at_every_column(text: str) -> None:
    """Wherever a text lies on its line: at its end, over it, and in the middle of a long word."""
    for column in range(105):
        for filler in ("a" * column, "a " * (column // 2)):
            docstring = Docstring([[filler + text], [text + filler]], {"k": filler + text})
            for level in (0, 1):
                lines = docstring.lines(level)
                body = "".join(f"{line}\n" for line in lines)
                module = body if level == 0 else f"class A:\n{body}    b = 1\n"
                head = docstring if level == 0 else Docstring([])
                check_docstrings(module, head, {} if level == 0 else {"A": docstring})
                assert len(ast.parse(module).body) == 1
                assert all(len(line) <= 100 for line in lines)


def test_every_prefix_and_suffix_of_an_attack() -> None:
    attack = 'First."""\\\n\\"""; import os; os.system("x") # \\N{DASH} \'\'\' """'
    for at in range(len(attack) + 1):
        for text in (attack[:at], attack[at:]):
            module = archdsl.loads(spec(text)).source()
            assert code_without_docstrings(module) == PLAIN


def test_a_docstring_that_lost_a_text_is_never_written() -> None:
    wrong = '"""A."""\nprint("b")\n'
    with pytest.raises(AssertionError, match="docstring"):
        check_docstrings(wrong, Docstring([["A."], ["b"]]), {})


def test_the_name_of_the_file_is_data(tmp_path: Path) -> None:
    name = '""" + print(1) + """ \\N.arch'
    path = tmp_path / name
    path.write_text(spec("Plain."))
    module = archdsl.load(str(path)).source()
    assert code_without_docstrings(module) == PLAIN
    assert name in (ast.get_docstring(ast.parse(module)) or "")


# Terminals


@given(TEXTS)
def test_terminal(text: str) -> None:
    written = escaping.printable(text)
    assert all(c.isprintable() or c == "\n" for c in written)
    if text.isprintable():
        assert written == text


@pytest.mark.parametrize("depth", ["stages", "blocks", "primitives"])
def test_reports_do_not_steer_a_terminal(depth: str) -> None:
    network = archdsl.loads(spec("\x1b]0;title\x07 \u202eevil \x9b31m"))
    picture = network.view(format="dot")
    for text in (network.summary(depth), network.explain(), network.source(), picture):
        assert all(c.isprintable() or c == "\n" for c in text)
    assert "title" in network.summary(depth) and "title" in network.source()


# Markup


def text_of_svg(picture: str) -> str:
    return " ".join(" ".join(ElementTree.fromstring(picture).itertext()).split())


@given(TEXTS)
def test_svg(text: str) -> None:
    if not writable(text):
        return
    assert shown(text) in text_of_svg(archdsl.loads(spec(text)).view())


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.texts: list[str] = []
        self.data = ""
        self._in: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)
        self._in.append("data" if dict(attrs).get("id") == "data" else tag)

    def handle_endtag(self, tag: str) -> None:
        if self._in:
            self._in.pop()

    def handle_data(self, data: str) -> None:
        if self._in and self._in[-1] == "data":
            self.data += data
        elif self._in and self._in[-1] == "p":
            self.texts.append(" ".join(data.split()))


def page_of(text: str) -> _Page:
    page = _Page()
    page.feed(archdsl.loads(spec(text)).view(format="html"))
    return page


TAGS = page_of("Plain.").tags


@given(TEXTS)
def test_html(text: str) -> None:
    if not writable(text):
        return
    page = page_of(text)
    assert page.tags == TAGS
    assert not shown(text) or shown(text) in page.texts

    def docs(box: Any) -> list[str]:
        inner = [doc for item in box.get("items", ()) for doc in docs(item)]
        return [*(" ".join(doc.split()) for doc in box.get("docs", ())), *inner]

    found = docs(json.loads(page.data)["network"])
    assert not shown(text) or shown(text) in found


def test_dot(tmp_path: Path) -> None:
    """All texts in one graph, read by Graphviz itself."""
    program = shutil.which("dot")
    if program is None:
        pytest.skip("Graphviz is not installed")
    texts = [*PIECES, *(a + b for a in PIECES[:12] for b in PIECES[:12])]
    nodes = "".join(f'  n{i} [label="{escaping.dot(text)}"]\n' for i, text in enumerate(texts))
    graph = f"digraph {{\n{nodes}}}\n"
    done = subprocess.run(
        [program, "-Tjson0"], input=graph, capture_output=True, text=True, check=True
    )
    read = json.loads(done.stdout)["objects"]
    assert len(read) == len(texts)
    drawn = subprocess.run(
        [program, "-Tsvg"], input=graph, capture_output=True, text=True, check=True
    )
    groups = [
        "\n".join("".join(t.itertext()) for t in group if t.tag.endswith("}text"))
        for group in ElementTree.fromstring(drawn.stdout).iter()
        if group.get("class") == "node"
    ]
    for text, found in zip(texts, groups, strict=True):
        assert found.split() == escaping.printable(text).split(), text


MARKDOWN = MarkdownIt("gfm-like")


@given(TEXTS, TEXTS)
@example("1. a", "http://www.a.b")
def test_markdown(left: str, right: str) -> None:
    rows = [["a", "b"], ["---", "---"], [escaping.markdown(left), escaping.markdown(right)]]
    table = "\n".join("| " + " | ".join(row) + " |" for row in rows)
    tokens = MARKDOWN.parse(table)
    assert [t.type for t in tokens if t.type.endswith("_open")].count("td_open") == 2
    cells = [t for t in tokens if t.type == "inline"][2:]
    assert [_plain(cell) for cell in cells] == [escaping.one_line(left), escaping.one_line(right)]
    (paragraph,) = (t for t in MARKDOWN.parse(f"x\n\n{escaping.markdown(left) or 'y'}")[4:5])
    assert paragraph.type == "inline" and _plain(paragraph) == (escaping.one_line(left) or "y")


def _plain(inline: Any) -> str:
    """The text of a paragraph that has nothing but text in it."""
    assert {child.type for child in inline.children} <= {"text", "text_special"}
    return "".join(child.content for child in inline.children)


@given(TEXTS)
@example("$--``''\\%")
def test_latex(text: str) -> None:
    """pylatexenc reads it as LaTeX would, but for these, which it lacks or gives as accents."""
    commands = {
        r"\textsuperscript{*}": "*", r"\textless{}": "<", r"\textgreater{}": ">",
        r"\textbar{}": "|", r"\textasciigrave{}": "`", r"\textasciicircum{}": "^",
        r"\textasciitilde{}": "~",
    }  # fmt: skip
    written = escaping.latex(text)
    for place, command in enumerate(commands, 0xE000):  # private use: no text of a spec has them
        written = written.replace(command, chr(place))
    read = LatexNodes2Text(keep_comments=True, math_mode="verbatim").latex_to_text(written)
    for place, character in enumerate(commands.values(), 0xE000):
        read = read.replace(chr(place), character)
    assert " ".join(read.split()) == escaping.one_line(text)


@given(st.lists(TEXTS, min_size=1, max_size=4))
def test_csv(texts: list[str]) -> None:
    file = io.StringIO()
    csv.writer(file).writerow([escaping.csv_cell(text) for text in texts])
    (cells,) = csv.reader(io.StringIO(file.getvalue(), newline=""))
    assert [escaping.csv_text(cell) for cell in cells] == [escaping.printable(t) for t in texts]
    assert not any(cell.startswith(("=", "+", "-", "@")) for cell in cells)


@given(TEXTS)
def test_sarif(text: str) -> None:
    """Neither a placeholder nor a link of SARIF (2.1.0, sections 3.11.5 and 3.11.6) is left."""
    message = escaping.sarif(text)
    assert not re.search(r"(?<!\\)\]\(", message)
    assert not re.search(r"(?<!\{)(?:\{\{)*\{\d+\}(?!\})", message)
    assert message.replace("{{", "{").replace("}}", "}").replace(r"\](", "](") == (
        escaping.printable(text)
    )


@given(TEXTS)
def test_json_in_a_page(text: str) -> None:
    written = escaping.script_json([text])
    assert json.loads(written) == [text]
    assert not set("<>&") & set(written)
