"""`archdsl explain`: how a network's numbers came about, or what the code of a diagnostic means."""

from __future__ import annotations

import argparse
import re

from archdsl.cli.options import add_selection, chosen_network, open_spec
from archdsl.cli.output import FINE, WRONG_COMMAND, say, write_out
from archdsl.diagnostics import catalog as explanations

EPILOG = """\
Of a network: where each parameter and each number of its tables came from, how it was scaled and
rounded, the defaults in force, and which guards were taken. With a PART (a line, a row, a use of a
block, a primitive) just that, and the primitives that it is made of, with shapes and costs.
Of a code: the page of docs/errors.md. docs/explain.md shows more.

examples:
  archdsl explain efficientnet --variant b3
  archdsl explain efficientnet body.stage3 --variant b3
  archdsl explain my_net.arch body.stage3.0 --format json
  archdsl explain A3014                              why, a wrong and a right example
"""

CODE = re.compile(r"[Aa][0-9]{4}")


def arguments(command: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    command.add_argument(
        "spec", metavar="SPEC|CODE", help="a file, a shipped spec's name, -, or a code like A3014"
    )
    command.add_argument("part", metavar="PART", nargs="?", help="a part of the network, by name")
    command.set_defaults(late="part")
    add_selection(command, "json")


def run(options: argparse.Namespace) -> int:
    """Print how a network's numbers came about, or what a code means."""
    if CODE.fullmatch(options.spec):
        return _explain_code(options)
    network = chosen_network(open_spec(options.spec), options)
    form = "json" if options.format == "json" else "text"
    write_out(network.explain(options.part, format=form) + "\n")
    return FINE


def _explain_code(options: argparse.Namespace) -> int:
    kinds, code = explanations.kinds(), options.spec.upper()
    if code not in kinds:
        say(f"archdsl explain: no diagnostic has the code {options.spec!r}")
        return WRONG_COMMAND
    write_out(explanations.explanation(kinds[code]))
    return FINE
