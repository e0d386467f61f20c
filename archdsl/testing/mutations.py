"""Specs that are damaged: what people and strangers feed to a compiler."""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random

from hypothesis import strategies as st

_WORD = re.compile(r"\w+|->|\.\.|[^\w\s]|\s+")

_NUMBERS = ("0", "-1", "1.5", "7", "33", "1e9", "10^12", "9^9^9", "9" * 30, "none", "true", "1/0")
_WORDS = (
    "conv", "stages", "block", "arch", "if", "else", "->", "{", "}", "(", ")", "[", "]", '"', ",",
    "=", "==", "-", "..", "#", "x", "x.c", "image", "return", "repeat i in 0..3 {", "use",
    "lambda", "__x__", "relu", "option", "\u00e9", "\u0000", "\t", "\n",
)  # fmt: skip


def mutations(text: str, most: int = 3) -> st.SearchStrategy[str]:
    """A text with up to `most` changes, each of a word, a cell, a line, or of any characters."""

    def write(random: Random) -> str:
        result = text
        for _ in range(random.randrange(1, most + 1)):
            result = random.choice(_CHANGES)(result, random)
        return result

    return st.randoms(use_true_random=False).map(write)


def _words(change: Callable[[list[str], int, Random], None]) -> Callable[[str, Random], str]:
    def changed(text: str, random: Random) -> str:
        words = _WORD.findall(text)
        places = [i for i, word in enumerate(words) if not word.isspace()]
        if places:
            change(words, random.choice(places), random)
        return "".join(words)

    return changed


def _lines(change: Callable[[list[str], int, Random], None]) -> Callable[[str, Random], str]:
    def changed(text: str, random: Random) -> str:
        lines = text.split("\n")
        change(lines, random.randrange(len(lines)), random)
        return "\n".join(lines)

    return changed


def _drop(items: list[str], i: int, random: Random) -> None:
    del items[i]


def _double(items: list[str], i: int, random: Random) -> None:
    items.insert(i, items[i])


def _swap(items: list[str], i: int, random: Random) -> None:
    j = random.randrange(len(items))
    items[i], items[j] = items[j], items[i]


def _other_number(items: list[str], i: int, random: Random) -> None:
    numbers = [j for j, item in enumerate(items) if item.isdigit()]
    if numbers:
        items[random.choice(numbers)] = random.choice(_NUMBERS)


def _other_word(items: list[str], i: int, random: Random) -> None:
    items[i] = random.choice((*_WORDS, *_NUMBERS))


def _other_name(items: list[str], i: int, random: Random) -> None:
    names = [j for j, item in enumerate(items) if item.isidentifier()]
    if names:
        items[random.choice(names)] = items[random.choice(names)]


def _cut(text: str, random: Random) -> str:
    return text[: random.randrange(len(text) + 1)]


def _other_character(text: str, random: Random) -> str:
    i = random.randrange(len(text) + 1)
    return (
        text[:i] + chr(random.choice((random.randrange(128), random.randrange(0xD800)))) + text[i:]
    )


_CHANGES: list[Callable[[str, Random], str]] = [
    *map(_words, (_drop, _double, _swap, _other_number, _other_number, _other_word, _other_name)),
    *map(_lines, (_drop, _double, _swap)),
    _cut,
    _other_character,
]
