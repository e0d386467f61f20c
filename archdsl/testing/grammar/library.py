"""Uses of the blocks of the standard library, from their files: Python names none of them."""

from __future__ import annotations

import os
from functools import cache
from random import Random

from archdsl.diagnostics.source import Source
from archdsl.frontend.parser import parse
from archdsl.support import resources
from archdsl.testing.grammar import values
from archdsl.testing.grammar.scope import Scope


@cache
def signatures() -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The blocks, each with the parameters that it needs."""
    folder = os.path.join(resources.SPECS, "std")
    found = []
    for file in sorted(os.listdir(folder)):
        with open(os.path.join(folder, file), encoding="utf-8") as text:
            tree = parse(Source(file, text.read()))
        for definition in tree.definitions:
            parameters = definition.parameters or ()
            needed = tuple(p.name for p in parameters if p.default is None)
            found.append((definition.name, needed))
    return tuple(found)


def use(random: Random, scope: Scope) -> tuple[str, dict[str, str]]:
    """A block and numbers for what it needs; the shape of a tensor may forbid them."""
    name, needed = random.choice(signatures())
    return name, {p: values.number(random, scope, random.choice((2, 4, 6))) for p in needed}
