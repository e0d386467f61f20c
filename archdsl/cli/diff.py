"""`archdsl diff`: compare two networks."""

from __future__ import annotations

import argparse
import os

from archdsl.api.network import Network, diff
from archdsl.cli.options import (
    add_deny,
    add_format,
    add_input,
    add_settings,
    chosen_network,
    open_spec,
    positive,
)
from archdsl.cli.output import FINE, WRONG_COMMAND, report, write_out
from archdsl.diagnostics import errors
from archdsl.diagnostics.diagnostic import DiagnosticError
from archdsl.diagnostics.source import Source, Span

EPILOG = """\
Compares networks, not text: by stage and block, with the effect on costs. A and B are specs,
followed by @VARIANT, @ARCH or @ARCH@VARIANT if a spec has several networks. Comments, formatting
and the names of `let` values do not count as differences. See docs/diff.md.

exit status: 0 same network, 1 different networks, 2 error in a spec or in the command line

examples:
  archdsl diff mnasnet_a1 my_net.arch
  archdsl diff efficientnet@b0 efficientnet@b1
  archdsl diff net.arch net.arch --set-b width=0.5
  git show HEAD:net.arch | archdsl diff - net.arch --quiet
"""

DIFFERENT = 1


def arguments(command: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    command.add_argument("a", metavar="A", help="file, name of a shipped spec, or -; see below")
    command.add_argument("b", metavar="B", help="same as A")
    add_settings(command, "--set", "set a parameter of both archs; repeatable")
    add_settings(command, "--set-a", "set a parameter of A only, overriding --set")
    add_settings(command, "--set-b", "set a parameter of B only, overriding --set")
    command.add_argument(
        "--batch", metavar="N", type=positive, default=1, help="batch size for memory (default 1)"
    )
    add_input(command)
    add_deny(command)
    add_format(command, "markdown")


def run(options: argparse.Namespace) -> int:
    """Print the differences; the exit status says if there are any."""
    options.checked = {}
    networks = []
    if options.a == options.b == "-":
        problem = errors.StandardInputTwice(Span(Source("A", options.a), 0, 1))
        return _trouble(DiagnosticError([problem]))
    for side in ("a", "b"):
        text = getattr(options, side)
        try:
            networks.append(_network(text, side, options))
            options.checked[text] = True
        except DiagnosticError as problem:
            options.checked[text] = False
            return _trouble(problem)
    found = diff(*networks, batch=options.batch)
    if not options.quiet:
        form = options.format if options.format in ("json", "markdown") else "text"
        write_out(found.text(form) + "\n")
    return FINE if found.same else DIFFERENT


def _trouble(problem: DiagnosticError) -> int:
    """Report an error with status 2: as for diff(1), 1 only means a difference."""
    report(problem.diagnostics)
    return WRONG_COMMAND


def _network(text: str, side: str, options: argparse.Namespace) -> Network:
    name, *chosen = [text] if os.path.exists(text) else text.split("@")
    spec = open_spec(name)
    arch = variant = None
    place = Span(Source(side.upper(), text), len(name) + 1, len(text))
    if len(chosen) > 1:
        arch, variant = chosen[0], "@".join(chosen[1:])
    elif chosen and chosen[0] in (spec.archs or spec.blocks):
        arch = chosen[0]
    elif chosen:
        variant = chosen[0]
    arch = spec.choose(arch, place if arch else None)
    if variant is not None and variant not in spec.variants(arch):
        known = spec.variants(arch)
        hint = f"its variants are {', '.join(known)}" if known else "it has no `variants`"
        raise DiagnosticError([errors.NoVariant(place, name=arch, variant=variant, hint=hint)])
    own = dict(getattr(options, f"set_{side}"))
    settings = [*{**dict(options.set), **own}.items()]
    selected = argparse.Namespace(
        arch=arch, variant=variant, set=settings, input=options.input, deny=options.deny, spec=name
    )
    return chosen_network(spec, selected)
