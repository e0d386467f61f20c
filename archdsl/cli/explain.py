"""`archdsl explain`: what the code of a diagnostic means."""

from __future__ import annotations

import argparse
import re

from archdsl import explanations
from archdsl.cli.output import FINE, write_out

EPILOG = """\
The same pages are in docs/errors.md.

examples:
  archdsl explain A3014                              why, a wrong and a right example
"""

CODE = re.compile(r"A[0-9]{4}")


def arguments(command: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    command.add_argument(
        "subject", metavar="CODE", type=_subject, help="the code of a diagnostic, such as A3014"
    )


def run(options: argparse.Namespace) -> int:
    """Print what a code means, with examples."""
    write_out(explanations.explanation(explanations.kinds()[options.subject]))
    return FINE


def _subject(text: str) -> str:
    if not CODE.fullmatch(text) or text not in explanations.kinds():
        raise argparse.ArgumentTypeError(f"no diagnostic has the code {text!r}")
    return text
