"""The generated source of every shipped spec, to the letter. `--update-golden` writes it anew."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import archdsl

SPECS = sorted((Path(__file__).parent.parent / "specs").glob("*.arch"))

# The same class text with other numbers is no news; this one rounds channels.
VARIANTS = {"mobilenet_v2": ["mobilenet_v2_140"]}

CASES = [(path, variant) for path in SPECS for variant in (None, *VARIANTS.get(path.stem, []))]

# What two modules written by hand for the same networks take.
MOST_LINES = {"mnasnet_a1": 150, "resnext50": 90}


@pytest.mark.parametrize(
    ("path", "variant"), CASES, ids=[variant or path.stem for path, variant in CASES]
)
def test_source(path: Path, variant: str | None, golden: Callable[[str, str], None]) -> None:
    source = archdsl.load(path, variant=variant).source()
    golden(f"torch/{variant or path.stem}.py", source)
    assert source.count("\n") <= MOST_LINES.get(path.stem, 10_000)
    assert max(map(len, source.splitlines())) <= 100


def test_the_same_spec_gives_the_same_bytes() -> None:
    texts = {archdsl.load(SPECS[0]).source() for _ in range(3)}
    assert len(texts) == 1
