"""What people bring along from other languages and from papers, and what to write instead.

Only a mistake of syntax needs this module. Each habit is told by the text around the place where
the reading stopped.
"""

from __future__ import annotations

import re
from typing import NamedTuple

ANYWHERE, OUTSIDE, BODY, TABLE, BRACKET = "anywhere", "outside", "body", "table", "bracket"
"""Where a habit shows: outside of all definitions, in a body, a table, a bracket."""


class Habit(NamedTuple):
    """`before` is matched up to the place on its line, `found` from it on."""

    where: str
    before: str
    found: str
    advice: str


HABITS = [
    Habit(*row)
    for row in [
        # Comments and texts
        (TABLE, r"^\s*$", r"[-=+|]{3,}", "a header needs no rule below it"),
        (TABLE, r"\s$", r"--+(\s|$)", "a lone `-` is the parameter's default"),
        (TABLE, r"\s--+$", r"", "a lone `-` is the parameter's default"),
        (ANYWHERE, r"(^|[\s)\]}\w])$", r"//|/\*|--(\s|$)|<!--|%%", "a comment starts with `#`"),
        (ANYWHERE, r"[=(,]\s*$", r"['`‘’“”]", "words such as same are written without quotes"),
        (ANYWHERE, r"", r"['`‘’“”]", 'a text stands in "double quotes"'),
        (ANYWHERE, r"", r"\w\"", "a text needs no letter before it; {name} in it is a value"),
        # Signs
        (TABLE, r"", r"\|", "cells are set apart by spaces alone"),
        (TABLE, r"", r"\?", "a lone `-` is the parameter's default"),
        (TABLE, r"\s$", r"[_?](\s|$)", "a lone `-` is the parameter's default"),
        (ANYWHERE, r"", r"\|\|", "write `or`"),
        (ANYWHERE, r"", r"&", "write `and`"),
        (ANYWHERE, r"", r"!", "write `not`"),
        (ANYWHERE, r"", r"[→⇒⟶|]", "write `->`"),
        (ANYWHERE, r"", r"=>", "write `->`"),
        (ANYWHERE, r"-\s+$", r">", "`->` is written without a space"),
        (ANYWHERE, r"", r"[×∗·]", "write `*`"),
        (ANYWHERE, r"", r"[−–—]", "write `-`"),
        (ANYWHERE, r"", r"÷", "write `/`"),
        (ANYWHERE, r"", r"≤", "write `<=`"),
        (ANYWHERE, r"", r"≥", "write `>=`"),
        (ANYWHERE, r"", r"≠", "write `!=`"),
        (ANYWHERE, r"", r"…", "write `..`"),
        (ANYWHERE, r"", r"[$%]\w", "a name has no sign before it"),
        (ANYWHERE, r"", r"\?", "write: value if condition else other"),
        (ANYWHERE, r"", r";", "each statement has its own line, and no sign at its end"),
        (ANYWHERE, r"", r"[^\S \t\n]|[\u200b\ufeff]", "write a plain space instead"),
        (ANYWHERE, r"", r"\\\s*(\n|$)",
         "a line goes on without a sign where the next one starts with `->` or an operator"),
        (ANYWHERE, r"\*$", r"\*", "a power is written with `^`: 10^9"),
        (ANYWHERE, r"^\s*\w+\s*$", r"[-+*/]=", "write the whole: y = y + ..."),
        (ANYWHERE, r"^\s*\w+\s*:$", r"=", "a name is given a value with `=`"),
        # Definitions
        (OUTSIDE, r"^\s*$", r"(def|class|function|func|fn|module|layer)\b",
         "a block is written: block name(parameters) { ... }"),
        (OUTSIDE, r"^\s*$", r"(network|net|model|graph)\b",
         "a network is written: arch name(parameters) { ... }"),
        (OUTSIDE, r"^\s*$", r"(import|from|include|require)\b",
         'another file is used so: use "name.arch"'),
        (OUTSIDE, r"^\s*use\s+$", r"", 'write the file in quotes: use "name.arch"'),
        (OUTSIDE, r"^\s*$", r"\w+\s*(=|->|:)|(return|let|input)\b",
         "lines stand inside of a `block` or an `arch`"),
        (OUTSIDE, r"^\s*(arch|block)\b.*$", r":", "a body stands in braces: { ... }"),
        (OUTSIDE, r"^\s*(arch|block)\s+\w+\s*$", r"[\[<]", "parameters stand in round brackets"),
        (OUTSIDE, r"^\s*(arch|block)\b.*$", r"\s*(\n|$)",
         "a body begins with `{` on the same line"),
        (BODY, r"^\s*$", r"use\b", "`use` stands at the start of the file"),
        # Statements
        (BODY, r"^\s*(for|while)\s+$", r"", "write: repeat i in 0..n { ... }"),
        (BODY, r"^\s*(def|class|fn)\s+$", r"\w+\s*\(", "a block stands beside others, not in one"),
        (BODY, r"^\s*(def|var|const|auto)\s+$", r"\w+\s*=", "a line is written: name = value"),
        (ANYWHERE, r"\brepeat\b[^.]*$", r"[\d{]", "write: repeat i in 0..n { ... }"),
        (BODY, r"^\s*$", r"if\b",
         "a condition stands at the end: name = source -> ... if condition"),
        (ANYWHERE, r"\bstages\s*$", r"\s*(\n|$)", "a table begins with `{` on the same line"),
        (BODY, r"^((?!\bif\b).)*$", r"else\b", "an `if` stands before: a if condition else b"),
        (ANYWHERE, r"", r"(elif|else\s+if)\b", "write: a if p else b if q else c"),
        (ANYWHERE, r"\blambda\s+$", r"", "a parameter may hold an operation: act=leaky_relu(0.1)"),
        (BODY, r"^\s*\w+\s*:\s*$", r"", "a name is given a value with `=`; a `:` labels a repeat"),
        (BODY, r"^\s*input\s+\w+\s*$", r"=", "write `:`"),
        (BODY, r"^\s*input\s+\w+\s*:\s*\d+\s+$", r"x\b", "write sizes without spaces: 3x224x224"),
        (BODY, r"^\s*(default|set)\s+[\w.]+\s*$", r"", "arguments stand in round brackets"),
        (BODY, r"^\s*\w+$", r"-\w", "a name has no `-` in it; `_` will do"),
        (BODY, r"^\s*$", r"\d\w*\s*=", "a name starts with a letter"),
        (BODY, r"^\s*$", r"=", "give the value a name: y = ..."),
        (BODY, r"^\s*\w+\s*$", r"->", "give the value a name: y = x -> ..."),
        (BODY, r"^\s*\w+\s*$", r"==", "a name is given a value with `=`"),
        (ANYWHERE, r"\b(if|require|warn|expect|and|or|not)\b.*$", r"=(?!=)", "compare with `==`"),
        (ANYWHERE, r"\b(require|warn)\b.*$", r"\s*(\n|$)", 'a message follows: require ..., "why"'),
        # Flows and calls
        (ANYWHERE, r"->\s*\w+\s*$", r"[\[{<]", "arguments stand in round brackets"),
        (ANYWHERE, r"->\s*\w+$", r"\.\w", "write the operation without a module: x -> conv(32)"),
        (ANYWHERE, r"\w\.\w+$", r"\(", "an operation follows an arrow: x -> conv(32)"),
        (ANYWHERE, r"\)$", r"\(", "the value comes first: x -> conv(32)"),
        (ANYWHERE, r"=\s*$", r"->", "a flow starts with a value: x -> ..."),
        (BRACKET, r"[(,]\s*\w+\s*$", r":", "an argument is given with `=`: k=3"),
        (ANYWHERE, r"(->|[-+*/])\s*$", r"\s*(\n|$)",
         "a line goes on where the next one starts with `->` or an operator"),
        # Numbers
        (ANYWHERE, r"", r"\.\d", "write the 0 before it: 0.5"),
        (ANYWHERE, r"\d\.\s*$", r"", "write 5 or 5.0"),
        (ANYWHERE, r"\d\s*%$", r"", "`%` is the remainder of a division; write 0.5"),
        (ANYWHERE, r"\d$", r",\d{3}\b", "a number has no commas"),
        (ANYWHERE, r"", r"\d+(x\d+)+", "write one number for all axes, or a tuple: (3, 3)"),
        # Tables
        (TABLE, r"^\s*$", r"(let|input|return|repeat|require|expect)\b", "a table has rows alone"),
        (TABLE, r"", r",", "cells are set apart by spaces, without commas"),
        (TABLE, r"^\s*(\w+:\s*)?\w+$", r"\(", "the arguments of a row are its cells: conv 32 3"),
        (TABLE, r"^\s*\w+\s*$", r"=", "a row has no `=`; a label ends with `:`"),
        (TABLE, r"^\s*\w+$", r"[-.]", "a name has letters, digits and `_` alone"),
        (TABLE, r"^\s*$", r"\d", "a row starts with a name"),
        (TABLE, r"\w\s+$", r"=", "a cell has no spaces outside brackets: k=3"),
        (TABLE, r"\s$", r"(->|if\b)", "a row is one operation with its cells; a block holds more"),
        (TABLE, r"", r"[-+*/%^<>=.]|and\b|or\b",
         "a cell has no spaces outside brackets: c*2, not c * 2"),
    ]
]  # fmt: skip


def advice(text: str, start: int, where: str) -> str:
    """What to write instead of what stands at an offset of a text; empty where nothing is known."""
    line = text.rfind("\n", 0, start) + 1
    before, found = text[line:start], text[start : start + 200]
    for habit in HABITS:
        if habit.where in (ANYWHERE, where):
            if re.match(habit.found, found) and re.search(habit.before, before):
                return habit.advice
    return ""
