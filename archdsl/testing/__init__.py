"""Strategies for hypothesis: specs and graphs that are valid, and specs that are damaged.

    from hypothesis import given
    from archdsl.testing import specs

    @given(specs())
    def test_my_backend(text): ...

Needs the extra `testing`. docs/testing.md shows how to fuzz blocks of one's own.
"""

from archdsl.testing.arguments import arguments
from archdsl.testing.grammar.coverage import Coverage
from archdsl.testing.grammar.specs import grammar_specs, is_valid, written
from archdsl.testing.graphs import graphs, text_of
from archdsl.testing.layouts import layouts
from archdsl.testing.mutations import mutations
from archdsl.testing.reduce import reduced
from archdsl.testing.specs import networks, specs, uses

__all__ = [
    "Coverage", "arguments", "grammar_specs", "graphs", "is_valid", "layouts", "mutations",
    "networks", "reduced", "specs", "text_of", "uses", "written",
]  # fmt: skip
