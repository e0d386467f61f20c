"""`archdsl check`: check specs for errors."""

from __future__ import annotations

import argparse

from archdsl.api.network import Network, Spec
from archdsl.cli.folders import found_specs
from archdsl.cli.options import FORMATS, add_selection, chosen_network, heeded, open_spec
from archdsl.cli.output import WRONG_SPEC, counted, identity, report, say, write_out
from archdsl.cli.progress import progress
from archdsl.diagnostics import errors
from archdsl.diagnostics.diagnostic import Diagnostic, DiagnosticError
from archdsl.support import limits
from archdsl.support.escaping import printable

EPILOG = """\
Checks each arch of each file with its defaults and in each of its variants; with --arch, --variant
or --set, only the selected network. Checks blocks that no arch uses on sample inputs. Searches
folders for *.arch files, skipping hidden folders. With --format json or sarif, diagnostics go to
standard output.

examples:
  archdsl check my_net.arch
  archdsl check specs other/net.arch resnet50
  archdsl check . --quiet --deny warnings
  archdsl check specs --format sarif > archdsl.sarif
  archdsl check my_net.arch --variant large --set resolution=256
"""


def arguments(command: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    command.add_argument(
        "specs", metavar="SPEC", nargs="+", help="files, folders, names of shipped specs, or -"
    )
    add_selection(command)
    command.set_defaults(told_on="stdout")


def run(options: argparse.Namespace) -> int:
    """Report the errors of specs, and count the valid ones."""
    options.checked = checked = dict[str, bool]()
    as_text = options.format not in FORMATS
    quiet = options.quiet or not as_text
    told: set[tuple[str, str | None]] = set()
    specs, status = found_specs(options.specs)
    with progress(options) as tell:
        for number, spec in enumerate(specs):
            if len(specs) > 1:
                tell(spec, number / len(specs))
            found, fine = _check(spec, options)
            new = {identity(problem): problem for problem in found}
            for old in told & new.keys():
                del new[old]
            told |= new.keys()
            if new:
                status = max(status, report([*new.values()], spec))
            checked[spec] = not any(problem.severity == "error" for problem in found)
            if not checked[spec]:
                status = max(status, WRONG_SPEC)
                if not new and as_text:
                    say(printable(f"{spec}: has the errors shown above"))
            elif not quiet:
                write_out(printable(f"{spec}: {fine}\n"))
    if len(checked) > 1 and not quiet:
        wrong = list(checked.values()).count(False)
        total = counted(len(checked) - wrong, "spec") + " OK"
        write_out(f"{total}, {wrong} with errors\n" if wrong else f"{total}\n")
    return status


def _check(name: str, options: argparse.Namespace) -> tuple[list[Diagnostic], str]:
    """The diagnostics of a spec, and a summary of what is valid."""
    problems: list[Diagnostic] = []
    fine: list[str] = []
    try:
        spec = open_spec(name)
        if options.arch or options.variant or options.set:
            network = chosen_network(spec, options)
            fine.append(network.name)
        else:
            warnings = _check_all(spec, fine, problems)
            problems += heeded(warnings, options)
    except DiagnosticError as problem:
        return problems + problem.diagnostics, ""
    nothing = f"no arch; {counted(len(spec.blocks), 'block')}"
    return problems, counted(len(fine), "network") + " OK" if fine else nothing


def _check_all(spec: Spec, fine: list[str], problems: list[Diagnostic]) -> list[Diagnostic]:
    """Check every arch with its defaults and in its variants, and the blocks that none uses.

    Returns the warnings, which are only complete if there are no errors.
    """
    networks: list[Network] = []
    for arch in spec.archs:
        try:
            unit = spec.unit(arch)
            variants: list[str | None] = [*spec.variants(arch)]
        except DiagnosticError as problem:
            problems += problem.diagnostics
            continue
        complete = all(parameter.default is not None for parameter in unit.parameters)
        if complete or not variants:  # parameters that only variants set are not missing
            variants.insert(0, None)
        for variant in variants:
            if spec.program.spent > limits.WORK:
                raise DiagnosticError([errors.TooMuchWork(unit.span, limit=limits.WORK)])
            try:
                networks.append(spec.network(arch, variant))
            except DiagnosticError as problem:
                # The same mistake with the numbers of another variant is not reported again.
                told = {(known.code, known.span) for known in problems}
                problems += [p for p in problem.diagnostics if (p.code, p.span) not in told]
            else:
                fine.append(networks[-1].name)
    told = {(known.code, known.span) for known in problems}
    problems += [p for p in spec.unused_mistakes() if (p.code, p.span) not in told]
    return [] if problems else spec.warnings(networks)
