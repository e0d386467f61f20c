"""Texts that grow: what they have in common with earlier ones is parsed once."""

from __future__ import annotations

import re
from functools import lru_cache

from archdsl.api.network import all_mistakes
from archdsl.diagnostics.source import Source
from archdsl.elaborate.expectations import check
from archdsl.elaborate.network import elaborate
from archdsl.frontend import ast
from archdsl.frontend.parser import parse
from archdsl.frontend.program import Program
from archdsl.ir.graph import Graph

HEADS = re.compile(r"^(?=(?:block|arch) .*\{$)", re.MULTILINE)
"""Before each definition, as the writer lays them out."""


class Draft(Program):
    """A program whose definitions, and files of the library, are remembered by their texts."""

    def _tree(self, source: Source) -> ast.File:
        trees = [_parsed(text) for text in HEADS.split(source.text) if text]
        for tree in trees:
            for item in (*tree.definitions, *tree.uses):
                self._by_source[item.span.source] = self._by_source[source]
        return ast.File(
            span=trees[0].span,
            uses=tuple(use for tree in trees for use in tree.uses),
            definitions=tuple(item for tree in trees for item in tree.definitions),
        )


@lru_cache(4096)
def _parsed(text: str) -> ast.File:
    return parse(Source("<text>", text))


def drafted(text: str) -> Graph:
    """The graph of the last arch of a text."""
    with all_mistakes():
        program = Draft(Source("<text>", text))
        unit = program.find(program.archs[-1], program.main.source)
        assert unit is not None
        graph = elaborate(program, unit)
        check(graph, settled=True)
    return graph
