"""`archdsl fmt`: format specs."""

from __future__ import annotations

import argparse
import sys

from archdsl.api.network import all_mistakes
from archdsl.cli.folders import found_specs
from archdsl.cli.options import FORMATS, add_format, read_standard_input
from archdsl.cli.output import FINE, WRONG_SPEC, counted, replace_file, report, say, write_out
from archdsl.cli.progress import progress
from archdsl.diagnostics.diagnostic import DiagnosticError
from archdsl.frontend.files import read
from archdsl.frontend.formatter import format_text
from archdsl.support.escaping import printable

EPILOG = """\
Rewrites files that are not formatted. Searches folders for *.arch files, skipping hidden folders.
`-` reads standard input and prints the result. Tokens, comments and breaks of long lines are kept,
so the meaning of a spec never changes.

exit status: 1 with --check or --diff if a file would change; 1 if a file is not a valid spec, which
is left unchanged

examples:
  archdsl fmt my_net.arch
  archdsl fmt specs other/net.arch
  archdsl fmt --check .
  archdsl fmt --diff my_net.arch
  archdsl fmt - < my_net.arch
"""


def arguments(command: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    command.add_argument("paths", metavar="PATH", nargs="+", help="files, folders, or -")
    command.add_argument(
        "--check", action="store_true", help="only list the files that would change"
    )
    command.add_argument("--diff", action="store_true", help="only show what would change")
    add_format(command)


def run(options: argparse.Namespace) -> int:
    """Format specs and return the exit status."""
    changed, same, wrong = 0, 0, 0
    options.checked = dict[str, bool]()
    dry = options.check or options.diff
    specs, status = found_specs(options.paths)
    with progress(options) as tell:
        for number, name in enumerate(specs):
            if len(specs) > 1:
                tell(name, number / len(specs))
            try:
                differs = _format(name, options)
            except DiagnosticError as problem:
                status = max(status, report(problem.diagnostics, name))
                options.checked[name] = False
                wrong += 1
                continue
            options.checked[name] = not (dry and differs)
            changed += differs
            same += not differs
    if not options.quiet and options.format not in FORMATS and options.paths != ["-"]:
        parts = [f"{counted(changed, 'spec')} {'would change' if dry else 'changed'}"]
        parts += [f"{same} unchanged"] * bool(same) + [f"{wrong} invalid"] * bool(wrong)
        say(", ".join(parts))
    return max(status, WRONG_SPEC if dry and changed else FINE)


def _format(name: str, options: argparse.Namespace) -> bool:
    """Format one spec; true if it changed."""
    with all_mistakes():
        source = read_standard_input() if name == "-" else read(name, name)
        text = format_text(source.text, source.name)
    differs = text != source.text
    if options.diff and differs:
        shown = _diff(source.text, text, source.name)
        # Escape control characters on a terminal; keep them for `patch`.
        write_out(printable(shown) if sys.stdout.isatty() else shown)
    elif name == "-" and not (options.diff or options.check):
        write_out(text)
    elif differs and not options.check:
        replace_file(name, text)
    if differs and not options.quiet and not options.diff and name != "-":
        write_out(printable(f"{name}: {'would change' if options.check else 'changed'}\n"))
    return differs


def _diff(before: str, after: str, name: str) -> str:
    from difflib import unified_diff

    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    lines = unified_diff(old, new, name, f"{name} (formatted)")
    return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)
