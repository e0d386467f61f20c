"""Differences between two networks, as data."""

from __future__ import annotations

from typing import NamedTuple


class Amounts(NamedTuple):
    """Costs in the first and second network; memory in bytes."""

    params: tuple[int, int]
    macs: tuple[int, int]
    memory: tuple[int, int]


class Change(NamedTuple):
    """A stage that differs, or that only one of the networks has.

    `kind` is changed, added or removed, or costs: the stage itself is the same, and what it costs
    is not, since other shapes reach it.
    """

    kind: str
    a: str
    """Its name in the first network; empty where it is added."""
    b: str
    text: str
    """Description of an added or removed stage."""
    details: tuple[str, ...]
    amounts: Amounts


class Comparison(NamedTuple):
    """Differences between two networks; `same` if there are none."""

    same: bool
    names: tuple[str, str]
    parameters: tuple[str, ...]
    """Parameters that differ; by themselves they are no difference."""
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    everywhere: tuple[str, ...]
    """Differences in all primitives of a kind, such as those of a `default` line."""
    blocks: tuple[str, ...]
    """Blocks that are defined in other ways and act so."""
    stages: tuple[Change, ...]
    unchanged: tuple[str, ...]
    """Stages that are the same in all, by their names in the second network."""
    total: Amounts
    batch: int
    dtype: str
