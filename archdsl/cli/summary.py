"""`archdsl summary`: show the parts of a network and their costs."""

from __future__ import annotations

import argparse
import os
import sys

from archdsl.cli.options import add_selection, add_spec, chosen_network, open_spec, positive
from archdsl.cli.output import FINE, write_out

DEPTHS = ("stages", "blocks", "primitives")
SORTS = ("params", "macs", "memory", "field", "name")
DTYPES = ("float32", "float16", "bfloat16", "int8")
FORMS = ("json", "csv", "markdown", "latex")

EPILOG = """\
Prints one row per line of the arch and per row of its tables, or per part of these. See
docs/costs.md for the meaning of each figure. --format sets the format of the table on standard
output; with json, diagnostics on standard error are JSON, too. The table is as wide as the
terminal, or 80 columns.

examples:
  archdsl summary mobilenet_v2
  archdsl summary mobilenet_v2 --depth blocks --sort params
  archdsl summary my_net.arch --variant large --set num_classes=10 --batch 32
  archdsl summary my_net.arch --format latex > table.tex
"""


def arguments(command: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    add_spec(command)
    command.add_argument(
        "--depth", metavar="DEPTH", choices=DEPTHS, default="stages",
        help=f"level of detail: {', '.join(DEPTHS)} (default stages)",
    )  # fmt: skip
    command.add_argument(
        "--sort", metavar="KEY", choices=SORTS,
        help=f"sort rows by {', '.join(SORTS)}, largest first",
    )  # fmt: skip
    command.add_argument(
        "--batch", metavar="N", type=positive, default=1, help="batch size for memory (default 1)"
    )
    command.add_argument(
        "--dtype", metavar="TYPE", choices=DTYPES, default="float32",
        help=f"type of activations: {', '.join(DTYPES)} (default float32)",
    )  # fmt: skip
    add_selection(command, *FORMS)


def run(options: argparse.Namespace) -> int:
    """Print a table of the parts of a network and their costs."""
    network = chosen_network(open_spec(options.spec), options)
    text = network.summary(
        options.depth, batch=options.batch, dtype=options.dtype, sort=options.sort,
        format="text" if options.format == "sarif" else options.format, width=_width(),
    )  # fmt: skip
    write_out(text + "\n")
    return FINE


def _width() -> int | None:
    """The width of the terminal, within bounds; None without a terminal."""
    if sys.stdout is None or not sys.stdout.isatty():
        return None
    try:
        return min(max(os.get_terminal_size(sys.stdout.fileno()).columns, 40), 140)
    except OSError:
        return None
