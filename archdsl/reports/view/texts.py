"""Text in pictures: short numbers, shares, one-line descriptions of boxes."""

from __future__ import annotations

from archdsl.reports.view.boxes import Box

LEAST_SHARE = 0.03
"""Of the network's parameters or MACs, for an operation to have a bar."""


def short(number: int) -> str:
    """A number with three digits at most: `3.89 M`."""
    value, unit = float(number), ""
    for larger in ("k", "M", "G", "T"):
        if value < 999.5:
            break
        value, unit = value / 1000, larger
    digits = 0 if not unit or value >= 99.95 else 1 if value >= 9.995 else 2
    return f"{value:.{digits}f} {unit}".rstrip()


def costs_text(box: Box) -> str:
    """`7.72 k params, 9.09 M MACs`; MACs are of inference alone."""
    macs = "training only" if box.training else f"{short(box.macs)} MACs"
    return f"{short(box.params)} params, {macs}"


def repeats_text(box: Box) -> str:
    """`×3`; nothing for what is there once."""
    return f"×{box.repeats}" if box.repeats > 1 else ""


def heading(top: Box) -> list[str]:
    """Heading of a network: names, first documentation line, costs."""
    return [f"{top.text} ({top.name})", *top.docs[:1], costs_text(top)]


def label(box: Box) -> list[str]:
    """The lines of a box that is drawn by others."""
    name = f"{box.name} {repeats_text(box)}".rstrip()
    costs = [costs_text(box)] if box.params or box.macs else []
    return list(filter(None, [name, box.text, *costs]))


def share(part: int, whole: int) -> float:
    """A part of a whole, from 0 to 1."""
    return part / whole if whole else 0.0


def spoken(box: Box) -> str:
    """All that a box shows, for those who hear it."""
    pieces = [box.name, f"{box.text} {repeats_text(box)}".strip(), " and ".join(box.shapes)]
    if box.params or box.macs:
        pieces.append(costs_text(box))
    return ", ".join(filter(None, pieces))
