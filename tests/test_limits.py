"""The documented limits are those of the code."""

from __future__ import annotations

import ast
from itertools import pairwise
from pathlib import Path

from archdsl.support import limits

PAGE = Path(__file__).parent.parent / "docs" / "limits.md"
BEGIN, END = "<!-- limits -->\n", "<!-- /limits -->"


def table() -> str:
    body = ast.parse(Path(limits.__file__).read_text()).body
    told = {
        assign.targets[0].id: text.value.value
        for assign, text in pairwise(body)
        if isinstance(assign, ast.Assign)
        and isinstance(assign.targets[0], ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
    }
    rows = []
    for name, number in limits.names().items():
        text = " ".join(str(told[name.upper().replace("-", "_")]).split())
        rows.append(f"| `{name}` | {number:,} | {text} |\n")
    return "".join(rows)


def test_documented(update_golden: bool) -> None:
    page = PAGE.read_text()
    start, end = page.index(BEGIN) + len(BEGIN), page.index(END)
    if update_golden:
        PAGE.write_text(page[:start] + table() + page[end:])
    assert page[start:end] == table()


def test_every_limit_is_named_in_help_that_can_be_typed() -> None:
    from archdsl.diagnostics import errors

    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    named = {
        part.split("=")[0]
        for kind in kinds
        for part in getattr(kind, "help", "").split("`--limit ")[1:]
    }
    assert named == set(limits.names()) - {"mistakes"}
