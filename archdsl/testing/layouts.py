"""The same spec in other layouts: spaces, blank lines, comments, line ends and broken lines."""

from __future__ import annotations

from random import Random

from hypothesis import strategies as st

from archdsl.diagnostics.diagnostic import DiagnosticError
from archdsl.diagnostics.source import Source
from archdsl.frontend.parser import lex, parse

_COMMENTS = (
    " # more\n", "\n\n\n", "\n  # own ) -> \n", "\r\n", "\n\t# \u00e9\u5e45 \"x\t\n", " #\n",
)  # fmt: skip
_BREAKS = ("\n", "\n\n   ", " # inside\n", "\n# own inside\n\n\t# again\n", "\r\n")
_ENDS = ("", "  ", "\n", "\n\n\n", "\r\n", "\n# end", "\n\t")
_STARTS = ("", "\n\n", "# start\n", "\t", " # start\n\n")


def layouts(text: str) -> st.SearchStrategy[str]:
    """A spec as somebody untidy would write it: it means what it meant, comments are added."""
    return st.randoms(use_true_random=False).map(lambda random: untidy(text, random))


def untidy(text: str, random: Random) -> str:
    """Another layout of a spec; where it comes to mean something else, only other spaces."""
    result = respaced(text, random, breaks=True)
    try:
        parse(Source("text", result))
    except DiagnosticError:
        return respaced(text, random, breaks=False)
    return result


def respaced(text: str, random: Random, breaks: bool) -> str:
    """Other space between the words of a text: with `breaks`, other lines and more comments."""
    tokens = [t for t in lex(Source("text", text)) if t.type not in ("_NL", "_GAP")]
    result, end, depth = "", 0, 0
    for token in tokens:
        space = text[end : token.start_pos]
        starts = "\n" in space or not result
        if "\n" in space:
            if breaks and random.random() < 0.3:
                space = space.replace("\n", random.choice(_COMMENTS), 1)
            space += random.choice(("", " ", "\t", "     "))
        elif space and not starts:
            space = random.choice((" ", "  ", "\t", "   "))
        if breaks and not starts:
            if depth and random.random() < 0.15 or token.type == "ARROW" and random.random() < 0.2:
                space += random.choice(_BREAKS)
        depth += (token.type in ("LPAR", "LSQUARE")) - (token.type in ("RPAR", "RSQUARE"))
        result += space + token
        end = token.end_pos or 0
    result += text[end:]
    if breaks:
        result = random.choice(_STARTS) + result.rstrip("\n") + random.choice(_ENDS)
    return result
