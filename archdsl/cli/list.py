"""`archdsl list`: list the shipped specs and blocks."""

from __future__ import annotations

import argparse
import json

from archdsl.cli.output import FINE, write_out
from archdsl.frontend import library

EPILOG = """\
Use any of them by name: archdsl build NAME, archdsl show NAME.

examples:
  archdsl list
  archdsl list --format json
"""


def arguments(command: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    command.add_argument(
        "--format", choices=("text", "json"), default="text", help="output format (default text)"
    )


def run(options: argparse.Namespace) -> int:
    """Print a line for each spec and block."""
    entries = library.entries()
    if options.format == "json":
        write_out(json.dumps([entry._asdict() for entry in entries], indent=2) + "\n")
        return FINE
    width = max(len(entry.name) for entry in entries)
    lines = []
    for kind, title in (("arch", "networks"), ("block", "blocks")):
        lines.append(f"{title}:")
        for entry in entries:
            if entry.kind == kind:
                lines.append(f"  {entry.name:{width}}  {entry.summary}")
                more = {"variants": entry.variants, "other archs": entry.others}
                for what, names in more.items():
                    if names:
                        indent = " " * (width + 4)
                        lines += library.wrapped(f"{what}: {', '.join(names)}", indent)
        lines.append("")
    write_out("\n".join(lines[:-1]) + "\n")
    return FINE
