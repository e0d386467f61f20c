"""`archdsl explain`: trace a network's numbers, or explain the code of a diagnostic."""

from __future__ import annotations

import argparse
import re
from typing import Any

from archdsl.cli.options import add_selection, chosen_network, open_spec
from archdsl.cli.output import FINE, WRONG_COMMAND, say, write_out
from archdsl.diagnostics import catalog as explanations

EPILOG = """\
For a network: the origin of each parameter and of each number in its tables, how it was scaled and
rounded, the defaults in effect, and the guards taken. With PART (a line, a row, a use of a block, a
primitive): only that part, with its primitives, their shapes and costs. See docs/explain.md.
For a code: why it is a mistake, a wrong example and a right one.

examples:
  archdsl explain efficientnet --variant b3
  archdsl explain efficientnet body.stage3 --variant b3
  archdsl explain my_net.arch body.stage3.0 --format json
  archdsl explain A3014
  archdsl explain --all > errors.md
"""

CODE = re.compile(r"[Aa][0-9]{4}")


def arguments(command: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    command.add_argument(
        "spec", metavar="SPEC|CODE", help="file, name of a shipped spec, -, or a code such as A3014"
    )
    command.add_argument("part", metavar="PART", nargs="?", help="name of a part of the network")
    command.add_argument(
        "--all", action=_All, nargs=0, help="print the pages of all codes as one Markdown document"
    )
    command.set_defaults(late="part")
    add_selection(command, "json")


def run(options: argparse.Namespace) -> int:
    """Print where a network's numbers come from, or the page of a code."""
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


class _All(argparse.Action):
    """Prints every page and ends the command, as `--version` does."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        write_out(explanations.document())
        parser.exit()
