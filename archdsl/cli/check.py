"""`archdsl check`: what is wrong with specs."""

from __future__ import annotations

import argparse

from archdsl import errors, limits
from archdsl.cli.options import add_selection, chosen_network, heeded, open_spec
from archdsl.cli.output import FINE, counted, report, write_out
from archdsl.diagnostics import Diagnostic, DiagnosticError, render
from archdsl.network import Network, Spec

EPILOG = """\
Checks each arch of each file as it stands and in each of its variants; with --arch, --variant
or --set, just what these select.

examples:
  archdsl check my_net.arch
  archdsl check specs/*.arch
  archdsl check my_net.arch --variant large --set resolution=256
"""


def arguments(command: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    command.add_argument("specs", metavar="SPEC", nargs="+", help="files or shipped specs, or -")
    add_selection(command)


def run(options: argparse.Namespace) -> int:
    """Say what is wrong with specs, and how much is fine."""
    status = FINE
    selected = options.arch or options.variant or options.set
    for name in options.specs:
        problems: list[Diagnostic] = []
        fine: list[str] = []
        try:
            spec = open_spec(name)
            if selected:
                fine.append(chosen_network(spec, options).name)
            else:
                warnings = _check_all(spec, fine, problems)
                if warnings and not problems:
                    report(each_once(heeded(warnings, options)), name)
        except DiagnosticError as problem:
            problems += problem.diagnostics
        if problems:
            status = max(status, report(each_once(problems), name))
        else:
            nothing = f"no arch; {counted(len(spec.blocks), 'block')}"
            write_out(f"{name}: {counted(len(fine), 'network') + ' fine' if fine else nothing}\n")
    return status


def _check_all(spec: Spec, fine: list[str], problems: list[Diagnostic]) -> list[Diagnostic]:
    """Check every arch as it stands and in its variants, and that the blocks can be resolved.

    The warnings, which are all found only where nothing is wrong.
    """
    networks: list[Network] = []
    for block in spec.blocks:
        try:
            spec.unit(block)
        except DiagnosticError as problem:
            problems += problem.diagnostics
    for arch in spec.archs:
        try:
            unit = spec.unit(arch)
            variants: list[str | None] = [*spec.variants(arch)]
        except DiagnosticError as problem:
            problems += problem.diagnostics
            continue
        complete = all(parameter.default is not None for parameter in unit.parameters)
        if complete or not variants:  # what the variants give must not be missed without them
            variants.insert(0, None)
        for variant in variants:
            if spec.program.spent > limits.WORK:
                raise DiagnosticError([errors.TooMuchWork(unit.span, limit=limits.WORK)])
            try:
                networks.append(spec.network(arch, variant))
            except DiagnosticError as problem:
                problems += problem.diagnostics
            else:
                fine.append(networks[-1].name)
    return [] if problems else spec.warnings(networks)


def each_once(problems: list[Diagnostic]) -> list[Diagnostic]:
    """A mistake in a block shows in each network that uses it; it is told once."""
    return list({render(problem): problem for problem in problems}.values())
