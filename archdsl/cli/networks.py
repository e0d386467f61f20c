"""Selecting the networks that a command compares."""

from __future__ import annotations

import argparse
from collections import Counter
from typing import TYPE_CHECKING

from archdsl.cli.options import add_selection, chosen_network, open_spec
from archdsl.diagnostics.diagnostic import DiagnosticError

if TYPE_CHECKING:
    from archdsl.api.network import Network


def add_networks(command: argparse.ArgumentParser, *contents: str) -> None:
    """Add several specs and the selection of networks; for `contents` see `add_format`."""
    command.add_argument(
        "specs", metavar="SPEC", nargs="+", help="files, names of shipped specs, or -"
    )
    add_selection(command, *contents)
    command.add_argument(
        "--variants", action="store_true", help="use all variants of each spec that has variants"
    )


def chosen_networks(options: argparse.Namespace) -> dict[str, Network]:
    """The networks that the options select, by unique names.

    A network goes by its own name; equal names are prefixed with the spec, and numbered if that
    does not distinguish them.
    """
    options.checked = dict.fromkeys(options.specs, True)
    found: list[tuple[str, Network]] = []
    for name in dict.fromkeys(options.specs):
        try:
            network = chosen_network(open_spec(name), options)
            names = network.variants if options.variants else []
            chosen = [network.variant(variant) for variant in names] or [network]
        except DiagnosticError:
            options.checked[name] = False
            raise
        found += [(network.spec.name.removesuffix(".arch"), one) for one in chosen]
    names = [network.name for _, network in found]
    labels = [
        name if names.count(name) == 1 else f"{spec}/{name}"
        for name, (spec, _) in zip(names, found)
    ]
    seen: Counter[str] = Counter()
    for i, label in enumerate(labels):
        seen[label] += 1
        if seen[label] > 1:
            labels[i] = f"{label}-{seen[label]}"
    return dict(zip(labels, (network for _, network in found)))
