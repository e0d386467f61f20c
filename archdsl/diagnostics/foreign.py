"""Suggestions for unknown names: those of other frameworks, and typos.

Only a mistake needs this module. The names of others are data: `errors/names.txt`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Iterator
from functools import cache
from typing import NamedTuple

from archdsl.support import resources

_WHOLE = re.compile(r"\w+(\((\w+=[\w.-]*\w(, (?=\w))?)+\))?")
"""Operations without weights: `relu`, `global_pool(mode=max)`."""


class Answer(NamedTuple):
    """The replacement of a name; empty if there is none, which the note explains."""

    name: str
    ours: str
    note: str = ""
    guessed: bool = False
    """True if only the letters are alike."""

    @property
    def help(self) -> str:
        """The sentence that a diagnostic ends with."""
        if self.guessed:
            return f"did you mean `{self.ours}`?"
        if not self.ours:
            return self.note
        verb = "is" if self.ours.isidentifier() else "is written"
        return f"`{self.name}` {verb} `{self.ours}`" + (f"; {self.note}" if self.note else "")

    @property
    def replacement(self) -> str:
        """The certain replacement of the name; empty if there is none."""
        certain = not (self.guessed or self.note) and _WHOLE.fullmatch(self.ours)
        return self.ours if certain else ""


def operation(name: str, own: Collection[str], known: Iterable[str]) -> Answer | None:
    """The operation that a name of a call means. `own` are the names of the spec itself."""
    return (
        _respelt(name, own)
        or next(_listed("operations", name), None)
        or _respelt(name, known)
        or misspelt(name, {*own, *known})
    )


def column(name: str, known: Collection[str]) -> Answer | None:
    """The column of a table that the name of one means."""
    found = (a for a in _listed("columns", name) if a.ours in known or a.ours == "n")
    return next(found, None) or parameter("", name, known)


def parameter(callee: str, name: str, known: Collection[str]) -> Answer | None:
    """The parameter of an operation that the name of an argument means."""
    found = [*_listed("parameters", f"{callee}.{name}"), *_listed("parameters", name)]
    return (
        next((answer for answer in found if answer.ours in known or not answer.ours), None)
        or _respelt(name, known)
        or misspelt(name, known)
    )


def word(callee: str, parameter: str, name: str, words: Collection[str]) -> Answer | None:
    """The word that the name given to a parameter of an operation means."""
    for scope in (f"{callee}.", f"{parameter}.", ""):
        for answer in _listed("words", scope + name):
            if not answer.ours or answer.ours.partition("(")[0] in words:
                return answer
    return _respelt(name, words) or misspelt(name, words)


def value(
    name: str, own: Collection[str], known: Collection[str], operations: bool = True
) -> Answer | None:
    """The value that a name means; with `operations` also the operation."""
    found = _respelt(name, own) or next(_listed("values", name), None)
    if found or operations:
        return found or operation(name, own, known)
    return _respelt(name, known) or misspelt(name, {*own, *known})


def misspelt(name: str, known: Iterable[str]) -> Answer | None:
    """The one known name that becomes this one by a slip of the hand.

    Another start is none (`lrelu`, `deconv`) but for a key beside the right one, nor another number
    at the end (`relu7`), nor what could be a slip of two names (`telu`), nor a short name.
    """
    lower = name.lower()[:80]
    found: dict[int, list[str]] = {}
    for candidate in known:
        other = candidate.lower()
        slips = 1 if len(other) < 6 else 2
        if len(other) > 2 and abs(len(other) - len(lower)) <= slips:
            distance = _distance(lower, other)
            if distance <= slips and _digits(lower) == _digits(other):
                found.setdefault(distance, []).append(candidate)
    best = found[min(found)] if found else []
    if len(best) == 1 and _starts_alike(lower, best[0].lower()):
        return Answer(name, best[0], guessed=True)
    return None


_ROWS = "qwertyuiop", "asdfghjkl", "zxcvbnm", "ckc"
"""The keys of a keyboard, and letters that sound alike."""


def _starts_alike(one: str, two: str) -> bool:
    swapped = one[:2] == two[1::-1]
    beside = any(one[0] + two[0] in keys for row in _ROWS for keys in (row, row[::-1]))
    return one[0] == two[0] or swapped or (beside and len(one) == len(two))


def _digits(name: str) -> str:
    return re.sub(r"\D", "", name)


def _distance(one: str, two: str) -> int:
    """Edit distance: letters changed, added, removed or swapped with the next one."""
    before: list[int] = []
    last = list(range(len(two) + 1))
    for i, a in enumerate(one, 1):
        row = [i]
        for j, b in enumerate(two, 1):
            cost = min(last[j] + 1, row[-1] + 1, last[j - 1] + (a != b))
            if i > 1 and j > 1 and a == two[j - 2] and b == one[i - 2]:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        before, last = last, row
    return last[-1]


def _respelt(name: str, known: Iterable[str]) -> Answer | None:
    """The same name but for capitals, underscores and the number of dimensions at the end."""
    forms = _forms(name)
    for candidate in sorted(known):
        if _plain(candidate) in forms:
            return Answer(name, candidate)
    return None


# The names of others


def _listed(section: str, name: str) -> Iterator[Answer]:
    scope, dot, own = name.rpartition(".")
    for form in _forms(own):
        for ours, note in _table()[section].get(scope + dot + form, ()):
            yield Answer(own, ours, note)


def _plain(name: str) -> str:
    return name.lower().replace("_", "")


def _forms(name: str) -> list[str]:
    """The spellings to look for, the most exact one first."""
    plain = _plain(name)
    return list(dict.fromkeys([plain, re.sub(r"[123]d$", "", plain.removeprefix("lazy"))]))


@cache
def _table() -> dict[str, dict[str, list[tuple[str, str]]]]:
    """For each section and name, what the lines of the file say of it."""
    sections: dict[str, dict[str, list[tuple[str, str]]]] = {}
    for names, ours, note in lines():
        section, *theirs = names
        for name in theirs:
            scope, dot, own = name.rpartition(".")
            known = sections.setdefault(section, {}).setdefault(scope + dot + _plain(own), [])
            known.append((ours, note))
    return sections


def lines() -> Iterator[tuple[list[str], str, str]]:
    """The lines of the file: the section and the names of others, ours, and the note."""
    section = ""
    with open(os.path.join(resources.ERRORS, "names.txt"), encoding="utf-8") as file:
        for line in file:
            if line.startswith("["):
                section = line.strip("[]\n")
            elif line.strip() and not line.startswith("#"):
                names, _, rest = line.partition(" = ")
                ours, _, note = rest.partition("; ")
                yield [section, *names.split()], ours.strip(), note.strip()
