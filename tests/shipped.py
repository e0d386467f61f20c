"""The specs that come with archdsl, as graphs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from archdsl.diagnostics.source import Source
from archdsl.elaborate.network import elaborate
from archdsl.frontend.program import Program
from archdsl.ir.graph import Graph

FOLDER = Path(__file__).parent.parent / "specs"

Network = tuple[str, str, "str | None"]
"""Spec, arch and variant (none: the arch as it stands)."""


def _program(spec: str) -> Program:
    path = FOLDER / f"{spec}.arch"
    return Program(Source(path.name, path.read_text(encoding="utf-8")), str(path))


def graph_of(spec: str, arch: str, variant: str | None = None, **settings: Any) -> Graph:
    """The graph of an arch of a shipped spec."""
    program = _program(spec)
    unit = program.find(arch, program.main.source)
    assert unit is not None
    arguments = {name: (value, None) for name, value in settings.items()}
    return elaborate(program, unit, arguments, variant=variant)


def _every_network() -> list[Network]:
    found: list[Network] = []
    for path in sorted(FOLDER.glob("*.arch")):
        program = _program(path.stem)
        for arch in program.archs:
            unit = program.find(arch, program.main.source)
            assert unit is not None
            found.append((path.stem, arch, None))
            rows = unit.variants.rows if unit.variants else ()
            found += [(path.stem, arch, row.name) for row in rows]
    return found


SHIPPED = _every_network()
