"""The specs that come with archdsl, as graphs."""

from __future__ import annotations

from pathlib import Path

from archdsl.elaborate import elaborate
from archdsl.graph import Graph
from archdsl.resolve import Program
from archdsl.source import Source

FOLDER = Path(__file__).parent.parent / "specs"


def graph_of(name: str, arch: str, variant: str | None = None) -> Graph:
    """The graph of an arch of a shipped spec."""
    path = FOLDER / f"{name}.arch"
    program = Program(Source(path.name, path.read_text(encoding="utf-8")), str(path))
    unit = program.find(arch, program.main.source)
    assert unit is not None
    return elaborate(program, unit, variant=variant)


def _every_network() -> list[tuple[str, str, str | None]]:
    found: list[tuple[str, str, str | None]] = []
    for path in sorted(FOLDER.glob("*.arch")):
        program = Program(Source(path.name, path.read_text(encoding="utf-8")), str(path))
        for arch in program.archs:
            unit = program.find(arch, program.main.source)
            if unit is not None and unit.definition_file_is_main:
                found.append((path.stem, arch, None))
    return found


SHIPPED: list[tuple[str, str, str | None]] = _every_network()
"""Spec, arch and variant (none: the arch as it stands) of each network."""
