"""Strategies for hypothesis: specs and graphs that are valid, and specs that are damaged.

    from hypothesis import given
    from archdsl.testing import specs

    @given(specs())
    def test_my_backend(text): ...

Needs the extra `testing`. docs/testing.md shows how to fuzz blocks of one's own.
"""

from archdsl.testing.arguments import arguments
from archdsl.testing.graphs import graphs, text_of
from archdsl.testing.layouts import layouts
from archdsl.testing.mutations import mutations
from archdsl.testing.specs import networks, specs, uses

__all__ = [
    "arguments", "graphs", "layouts", "mutations", "networks", "specs", "text_of", "uses",
]  # fmt: skip
