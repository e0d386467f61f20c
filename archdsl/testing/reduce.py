"""The smallest spec that still does something: whatever can be missing is taken away."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator


def reduced(text: str, holds: Callable[[str], bool], most: int = 600) -> str:
    """A text, as small as it gets, for which `holds` is true, as it is for the one given."""
    tried = {text}
    left = most
    progress = True
    while progress and left > 0:
        progress = False
        for smaller in _smaller(text):
            if smaller in tried:
                continue
            tried.add(smaller)
            left -= 1
            if holds(smaller):
                text, progress = smaller, True
                break
            if left <= 0:
                break
    return text


def _smaller(text: str) -> Iterator[str]:
    """Texts with something less, the largest pieces first."""
    lines = text.split("\n")
    for start, line in enumerate(lines):
        if line.rstrip().endswith("{"):
            end = _closing(lines, start)
            yield "\n".join(lines[:start] + lines[end + 1 :])
            if end > start + 1:
                yield "\n".join(lines[:start] + lines[start + 1 : end] + lines[end + 1 :])
    for start in range(len(lines)):
        yield "\n".join(lines[:start] + lines[start + 1 :])
    yield from _without_pieces(text)


def _closing(lines: list[str], start: int) -> int:
    depth = 0
    for number in range(start, len(lines)):
        depth += lines[number].count("{") - lines[number].count("}")
        if depth <= 0 and number > start or depth == 0 and lines[number].count("{"):
            return number
    return len(lines) - 1


PIECES = (
    r" ?-> \w+(?=[ ,)\]\n])",
    r" -> \w+\((?:[^()]|\([^()]*\))*\)",
    r" -> stages(?:\([^()]*\))? \{[^{}]*\}",
    r", (?:[^(),\n]|\((?:[^()]|\([^()]*\))*\))+",
    r"(?<=\()(?:[^(),]|\([^()]*\))+, ",
    r" if [^,\n{}]+",
    r" \+ (?:\w|\.|\[|\])+",
    r"\((?:[^()]|\([^()]*\))*\)",
    r" \w+=\S+",
    r"(?<=return )[^,\n]+, ",
    r" [*+-] \w+",
    r"\w+: (?=repeat)",
    r"\w+: (?=\w)",
    r" as \w+",
    r"(?<=\w)x\d+",
    r" -$",
    r" \w+$",
)
REPLACED = (
    *((r"(?<![\w)\]])(?:\w+)?\((?:[^(){}\n]|\([^(){}\n]*\))*\)", str(n)) for n in (1, 2, 3)),
    (r"(?:max|min|sqrt|log|floor|ceil|round|abs|divisible)\((?:[^()]|\([^()]*\))*\)", "1"),
    (r"\[[^\[\]{}]*\]\[[^\[\]]*\]", "1"),
    (r"\b\w+\.[chwd]\b", "1"),
    (r"\b\w+\.[chwd]\b", "2"),
    (r"^( *\w+) = .* -> (\w+)$", r"\1 = x -> \2"),
    (r"\(([^()]*)\)", r"\1"),
    (r"\[([^\[\],]*), [^\[\]]*\]\[\d\]", r"\1"),
    (r" \w+ if \w+ else", ""),
    (r" if .* else (\w+)", r" if true else \1"),
    (r" if [^,\n]+", " if true"),
    (r" if [^,\n]+", " if false"),
    (r"max\((\w+), [^()]*\)", r"\1"),
    (r"\b\w+ -> (?=\w+ ->)", ""),
    (r"\w+\.\w+", "x"),
    (r"\b\d\b", "1"),
    (r"\b\d\b", "2"),
    (r"concat\((\w+)[^()]*\)", r"\1"),
    (r"= [\w.]+ -> (\w+)", r"= x -> \1"),
    (r"-> [^\n{}]*$", "-> relu"),
)


def _without_pieces(text: str) -> Iterator[str]:
    for pattern in PIECES:
        for match in re.finditer(pattern, text, re.MULTILINE):
            yield text[: match.start()] + text[match.end() :]
    for pattern, other in REPLACED:
        for match in re.finditer(pattern, text, re.MULTILINE):
            smaller = text[: match.start()] + match.expand(other) + text[match.end() :]
            if len(smaller) < len(text) or (len(smaller) == len(text) and smaller < text):
                yield smaller
