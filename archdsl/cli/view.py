"""`archdsl view`: draw a network."""

from __future__ import annotations

import argparse

from archdsl.cli.options import add_selection, add_spec, chosen_network, open_spec, option_place
from archdsl.cli.output import FINE, write_file, write_out
from archdsl.diagnostics import errors
from archdsl.diagnostics.diagnostic import Diagnostic, DiagnosticError
from archdsl.ir.parts import DEPTHS
from archdsl.reports.view.drawing import FORMATS, draw, format_of

EPILOG = """\
The web page can expand blocks, search, and show details. See docs/view.md.

examples:
  archdsl view mnasnet_a1                            to mnasnet_a1.svg
  archdsl view my_net.arch -o my_net.html            a web page in a single file
  archdsl view resnet50 --open body.c3.0             expand one block to its primitives
  archdsl view my_net.arch -o my_net.dot --depth blocks
  archdsl view my_net.arch -o - --format mmd         for Markdown
"""


def arguments(command: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    add_spec(command)
    command.add_argument(
        "-o", "--output", metavar="FILE",
        help="output file: .svg, .html, .dot or .mmd (default NAME.svg)",
    )  # fmt: skip
    add_selection(command, *FORMATS)
    command.add_argument(
        "--depth", choices=DEPTHS, default=DEPTHS[0],
        help="expand nothing, show blocks, or expand everything",
    )  # fmt: skip
    command.add_argument(
        "--open", metavar="PATH", action="append", default=[],
        help="row or block to expand, named as in the state_dict: body.c3.0; repeatable",
    )  # fmt: skip


def run(options: argparse.Namespace) -> int:
    """Draw a network."""
    path, form = options.output, options.format
    if form not in FORMATS:
        form = "svg"
        if path not in (None, "-"):
            try:
                form = format_of(path)
            except Diagnostic as problem:
                problem.span = option_place("--output", path)
                raise DiagnosticError([problem]) from None
    spec = open_spec(options.spec)
    network = chosen_network(spec, options)
    try:
        text = draw(network.graph, form, options.depth, options.open)
    except DiagnosticError as trouble:
        for mistake in trouble.diagnostics:
            if isinstance(mistake, errors.NoSuchPart):
                mistake.span = option_place("--open", mistake.values["path"])
        raise
    if path == "-":
        write_out(text)
        return FINE
    path = f"{network.name}.{form}" if path is None else path
    write_file(path, text, spec)
    if not options.quiet:
        write_out(f"{path}\n")
    return FINE
