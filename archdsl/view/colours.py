"""Colours of boxes, which people who do not see all colours can tell apart; each in light and dark.

Families of operations have the colours of Okabe and Ito (2008), blocks those of Tol's scheme
"light" (2021) in the order in which they come. Text is never told by colour alone: names are there.
"""

from __future__ import annotations

from archdsl.records import Record
from archdsl.view.boxes import Box

FAMILIES = {
    "convolution": "#0072b2",
    "normalization": "#009e73",
    "activation": "#e69f00",
    "pooling": "#d55e00",
    "arithmetic": "#cc79a7",
    "layout": "#56b4e9",
    "regularization": "#f0e442",
}
"""By the module of `operations/` that an operation stands in."""

BLOCKS = ("#77aadd", "#ee8866", "#bbcc33", "#ffaabb", "#44bb99", "#eedd88", "#99ddff", "#aaaa00")

PLAIN = "#999999"
"""Inputs, outputs, and lines of several things."""


ALPHA = "33"
"""How opaque a box's colour is where others draw it."""


class Theme(Record):
    """Colours of what is no box: the ground, text, faint text, lines, bars' grounds."""

    ground: str
    text: str
    faint: str
    line: str
    bar: str
    fill: str
    """How opaque a box's colour lies over the ground."""
    params: str
    macs: str
    """Of bars; the same hues in dark are brighter."""


LIGHT = Theme("#ffffff", "#1a1a1a", "#595959", "#767676", "#dcdcdc", "0.18", "#117733", "#882255")
DARK = Theme("#16181c", "#f0f0f0", "#b4b4b4", "#8c8c8c", "#3a3e45", "0.28", "#44bb99", "#ee99aa")


def colours_of(top: Box) -> dict[str, str]:
    """The colour of each kind in a network: families by their own, blocks in their order."""
    found: dict[str, str] = {}
    blocks = 0
    for box in top.walk():
        if box.kind in found:
            continue
        if box.form in ("block", "stage") and box.kind != "line":
            found[box.kind] = BLOCKS[blocks % len(BLOCKS)]
            blocks += 1
        else:
            found[box.kind] = FAMILIES.get(box.kind, PLAIN)
    return found
