"""One network, drawn in any of the formats, open as far as is asked."""

from __future__ import annotations

from collections.abc import Collection
from importlib import import_module

from archdsl.diagnostics import errors
from archdsl.diagnostics.diagnostic import Diagnostic, DiagnosticError
from archdsl.diagnostics.spelling import nearest
from archdsl.ir.graph import Graph
from archdsl.ir.parts import DEPTHS
from archdsl.reports.view.boxes import boxes_of
from archdsl.reports.view.depths import opened
from archdsl.reports.view.folding import fold

FORMATS = {
    "svg": ("archdsl.reports.view.svg", "svg"),
    "html": ("archdsl.reports.view.html", "html"),
    "dot": ("archdsl.reports.view.dot", "dot"),
    "mmd": ("archdsl.reports.view.mermaid", "mermaid"),
}
"""The module and the function that write each."""

ENDINGS = {name: name for name in FORMATS} | {"htm": "html", "gv": "dot", "mermaid": "mmd"}
"""The endings of files, without the dot."""


def format_of(path: str) -> str:
    """The format that the ending of a file says. Raises `Diagnostic`."""
    _, dot, ending = path.rpartition(".")
    if not dot or ending.lower() not in ENDINGS:
        raise errors.NoPictureEnding(path=path, known=", ".join(f".{name}" for name in FORMATS))
    return ENDINGS[ending.lower()]


def draw(
    graph: Graph, form: str = "svg", depth: str = "stages", names: Collection[str] = ()
) -> str:
    """The picture of a network as text: open down to a depth, and where `names` are.

    Blocks that repeat as they are stand there once, but for what is named; in a page, which opens
    what one likes, each stands by itself. Raises `DiagnosticError` for what there is none of.
    """
    problems: list[Diagnostic] = []
    for option, value, known in (("format", form, [*FORMATS]), ("depth", depth, DEPTHS)):
        if value not in known:
            problem = errors.UnknownOption(option=option, value=value, known=", ".join(known))
            problems.append(problem)
    top = boxes_of(graph)
    paths = dict.fromkeys(box.path for box in top.walk() if box.children and box.path)
    for name in names:
        if name not in paths:
            near = nearest(name, paths)
            some = ", ".join([*paths][:5])
            hint = f"did you mean `{near}`?" if near else f"the network has {some}"
            problems.append(errors.NoSuchPart(network=graph.name, path=name, hint=hint))
    if problems:
        raise DiagnosticError(problems)
    if form != "html":
        fold(top, names)
    module, function = FORMATS[form]
    text: str = getattr(import_module(module), function)(top, opened(top, depth, names))
    return text
