"""How far a spec may go. It comes from strangers and must not make the compiler eat the machine."""

from __future__ import annotations

SOURCE_BYTES = 500_000
"""Size of a file, and of a spec with all the files it uses."""

FILE_TOKENS = 60_000
"""Words and signs of one file, ends of lines included."""

NESTING = 60
"""Brackets in brackets."""

LINE_TOKENS = 5_000
"""Words and signs of one statement or table row."""

LINE_OPERATORS = 250
"""Operators of one statement or table row: so deep can an expression be without brackets."""

FILES = 200
"""Files that one spec uses, those they use included."""

EXTENSIONS = 20
"""A definition that extends one that extends one ..."""

EXPANSION = 50
"""Blocks within blocks."""

OPERATIONS = 250_000
"""Primitive operations of a network."""

REPEATS = 100_000
"""Rounds of one `repeat`, and `n` of one row."""

WORK = 4_000_000
"""Pieces of text evaluated for one network, each as often as it is."""

ITEMS = 10_000
"""Items of one list."""

MISTAKES = 50
"""Mistakes told in one run."""

DIGITS = 10**18
"""No number of a spec is larger; sizes are checked more tightly where they are used."""
