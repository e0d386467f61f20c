"""`python -m archdsl`."""

from __future__ import annotations

from archdsl.cli import run

run()
