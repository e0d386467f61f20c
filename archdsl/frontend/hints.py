"""Hints for syntax from other languages and from papers.

Imported only after a syntax error. The text around the place where parsing stopped identifies the
habit.
"""

from __future__ import annotations

import re
from typing import NamedTuple

ANYWHERE, OUTSIDE, BODY, TABLE, BRACKET = "anywhere", "outside", "body", "table", "bracket"
"""Where a habit occurs: outside all definitions, in a body, in a table, in brackets."""


class Habit(NamedTuple):
    """`before` matches the line up to the error, `found` the text from there on."""

    where: str
    before: str
    found: str
    advice: str


HABITS = [
    Habit(*row)
    for row in [
        # Comments and texts
        (TABLE, r"^\s*$", r"[-=+|]{3,}", "a header needs no rule below it"),
        (TABLE, r"\s$", r"--+(\s|$)", "`-` stands for the parameter's default"),
        (TABLE, r"\s--+$", r"", "`-` stands for the parameter's default"),
        (ANYWHERE, r"(^|[\s)\]}\w])$", r"//|/\*|--(\s|$)|<!--|%%", "comments start with `#`"),
        (ANYWHERE, r"[=(,]\s*$", r"['`‘’“”]", "write words such as same without quotes"),
        (ANYWHERE, r"", r"['`‘’“”]", 'write text in "double quotes"'),
        (ANYWHERE, r"", r"\w\"", "text takes no prefix; {name} in it is a value"),
        # Signs
        (TABLE, r"", r"\|", "separate cells with spaces only"),
        (TABLE, r"", r"\?", "`-` stands for the parameter's default"),
        (TABLE, r"\s$", r"[_?](\s|$)", "`-` stands for the parameter's default"),
        (ANYWHERE, r"", r"\|\|", "write `or`"),
        (ANYWHERE, r"", r"&", "write `and`"),
        (ANYWHERE, r"", r"!", "write `not`"),
        (ANYWHERE, r"", r"[→⇒⟶|]", "write `->`"),
        (ANYWHERE, r"", r"=>", "write `->`"),
        (ANYWHERE, r"-\s+$", r">", "write `->` without a space"),
        (ANYWHERE, r"", r"[×∗·]", "write `*`"),
        (ANYWHERE, r"", r"[−–—]", "write `-`"),
        (ANYWHERE, r"", r"÷", "write `/`"),
        (ANYWHERE, r"", r"@", "write matrix products as: matmul(a, b)"),
        (ANYWHERE, r"", r"≤", "write `<=`"),
        (ANYWHERE, r"", r"≥", "write `>=`"),
        (ANYWHERE, r"", r"≠", "write `!=`"),
        (ANYWHERE, r"", r"…", "write `..`"),
        (ANYWHERE, r"", r"[$%]\w", "names take no prefix"),
        (ANYWHERE, r"", r"\?", "write: value if condition else other"),
        (ANYWHERE, r"", r";", "put each statement on its own line, without a terminator"),
        (ANYWHERE, r"", r"[^\S \t\n]|[\u200b\ufeff]", "write a plain space instead"),
        (ANYWHERE, r"", r"\\\s*(\n|$)",
         "no continuation sign is needed: start the next line with `->` or an operator"),
        (ANYWHERE, r"\*$", r"\*", "write powers with `^`: 10^9"),
        (ANYWHERE, r"^\s*\w+\s*$", r"[-+*/]=", "write it out: y = y + ..."),
        (ANYWHERE, r"^\s*\w+\s*:$", r"=", "assign with `=`"),
        # Definitions
        (OUTSIDE, r"^\s*$", r"(def|class|function|func|fn|module|layer)\b",
         "define blocks with: block name(parameters) { ... }"),
        (OUTSIDE, r"^\s*$", r"(network|net|model|graph)\b",
         "define networks with: arch name(parameters) { ... }"),
        (OUTSIDE, r"^\s*$", r"(import|from|include|require)\b",
         'use another file with: use "name.arch"'),
        (OUTSIDE, r"^\s*use\s+$", r"", 'quote the file name: use "name.arch"'),
        (OUTSIDE, r"^\s*$", r"\w+\s*(=|->|:)|(return|let|input)\b",
         "move the line into a `block` or an `arch`"),
        (OUTSIDE, r"^\s*(arch|block)\b.*$", r":", "enclose the body in braces: { ... }"),
        (OUTSIDE, r"^\s*(arch|block)\s+\w+\s*$", r"[\[<]", "enclose parameters in parentheses"),
        (OUTSIDE, r"^\s*(arch|block)\b.*$", r"\s*(\n|$)",
         "open the body with `{` on the same line"),
        (BODY, r"^\s*$", r"use\b", "move `use` to the start of the file"),
        # Statements
        (BODY, r"^\s*(for|while)\s+$", r"", "write: repeat i in 0..n { ... }"),
        (BODY, r"^\s*(def|class|fn)\s+$", r"\w+\s*\(", "define blocks outside of other blocks"),
        (BODY, r"^\s*(def|var|const|auto)\s+$", r"\w+\s*=", "write a line as: name = value"),
        (ANYWHERE, r"\brepeat\b[^.]*$", r"[\d{]", "write: repeat i in 0..n { ... }"),
        (BODY, r"^\s*$", r"if\b",
         "put the condition at the end: name = source -> ... if condition"),
        (ANYWHERE, r"\bstages\s*$", r"\s*(\n|$)", "open the table with `{` on the same line"),
        (BODY, r"^((?!\bif\b).)*$", r"else\b", "`else` needs `if`: a if condition else b"),
        (ANYWHERE, r"", r"(elif|else\s+if)\b", "write: a if p else b if q else c"),
        (ANYWHERE, r"\blambda\s+$", r"", "pass an operation as an argument: act=leaky_relu(0.1)"),
        (BODY, r"^\s*\w+\s*:\s*$", r"", "assign with `=`; `:` labels a repeat"),
        (BODY, r"^\s*input\s+\w+\s*$", r"=", "write `:`"),
        (BODY, r"^\s*input\s+\w+\s*:\s*\d+\s+$", r"x\b", "write sizes without spaces: 3x224x224"),
        (BODY, r"^\s*(default|set)\s+[\w.]+\s*$", r"", "enclose arguments in parentheses"),
        (BODY, r"^\s*\w+$", r"-\w", "names cannot contain `-`; use `_`"),
        (BODY, r"^\s*$", r"\d\w*\s*=", "names start with a letter"),
        (BODY, r"^\s*$", r"=", "give the value a name: y = ..."),
        (BODY, r"^\s*\w+\s*$", r"->", "give the value a name: y = x -> ..."),
        (BODY, r"^\s*\w+\s*$", r"==", "assign with `=`"),
        (ANYWHERE, r"\b(if|require|warn|expect|and|or|not)\b.*$", r"=(?!=)", "compare with `==`"),
        (ANYWHERE, r"\b(require|warn)\b.*$", r"\s*(\n|$)", 'add a message: require ..., "why"'),
        # Flows and calls
        (ANYWHERE, r"->\s*\w+\s*$", r"[\[{<]", "enclose arguments in parentheses"),
        (ANYWHERE, r"->\s*\w+$", r"\.\w", "write the operation without a module: x -> conv(32)"),
        (ANYWHERE, r"\b(torch|nn|F|functional|tf|keras|layers|np|jnp|timm)(\.\w+)+$", r"\(",
         "write the operation without a module: relu(x), or x -> relu"),
        (ANYWHERE, r"\w\.\w+$", r"\(", "apply operations with an arrow: x -> conv(32)"),
        (ANYWHERE, r"->\s*$", r"\[", "write steps one after another: x -> conv(32) -> bn -> relu"),
        (ANYWHERE, r"->\s*$", r"[-+*/]", "put the flow in parentheses: (x -> conv(32)) + x"),
        (ANYWHERE, r"\)$", r"\(", "the value comes first: x -> conv(32)"),
        (ANYWHERE, r"=\s*$", r"->", "start the flow with a value: x -> ..."),
        (BRACKET, r"[(,]\s*\w+\s*$", r":", "pass arguments with `=`: k=3"),
        (BRACKET, r"\w\[[^\]]*$", r"[:,]|\.\.",
         "an index is one number: parts[0]; use `slice` for a part of a tensor: x -> slice(0, 8)"),
        (ANYWHERE, r"(->|[-+*/])\s*$", r"\s*(\n|$)",
         "to continue a line, start the next one with `->` or an operator"),
        # Numbers
        (ANYWHERE, r"", r"\.\d", "write the 0 before it: 0.5"),
        (ANYWHERE, r"\d\.\s*$", r"", "write 5 or 5.0"),
        (ANYWHERE, r"\d\s*%$", r"", "`%` is the remainder operator; write 0.5"),
        (ANYWHERE, r"\d$", r",\d{3}\b", "write numbers without commas"),
        (ANYWHERE, r"", r"\d+(x\d+)+", "write one number for all axes, or a tuple: (3, 3)"),
        # Tables
        (TABLE, r"^\s*$", r"(let|input|return|repeat|require|expect)\b", "a table has only rows"),
        (TABLE, r"", r",", "separate cells with spaces, not commas"),
        (TABLE, r"^\s*(\w+:\s*)?\w+$", r"\(", "write the arguments of a row as cells: conv 32 3"),
        (TABLE, r"^\s*\w+\s*$", r"=", "rows take no `=`; a label ends with `:`"),
        (TABLE, r"^\s*\w+$", r"[-.]", "names contain only letters, digits and `_`"),
        (TABLE, r"^\s*$", r"\d", "start the row with a name"),
        (TABLE, r"\w\s+$", r"=", "no spaces in a cell outside brackets: k=3"),
        (TABLE, r"\s$", r"(->|if\b)", "a row is one operation; define a block for more"),
        (TABLE, r"", r"[-+*/%^<>=.]|and\b|or\b",
         "no spaces in a cell outside brackets: c*2, not c * 2"),
    ]
]  # fmt: skip


def advice(text: str, start: int, where: str) -> str:
    """The hint for the text at an offset; empty if there is none."""
    line = text.rfind("\n", 0, start) + 1
    before, found = text[line:start], text[start : start + 200]
    for habit in HABITS:
        if habit.where in (ANYWHERE, where):
            if re.match(habit.found, found) and re.search(habit.before, before):
                return habit.advice
    return ""
