"""Colours of boxes, which people who do not see all colours can tell apart; each in light and dark.

Families of operations have the colours of Okabe and Ito (2008), blocks those of Tol's scheme
"light" (2021) in the order in which they come. Text is never told by colour alone: names are there.
"""

from __future__ import annotations

from archdsl.reports.view.boxes import Box
from archdsl.support.records import Record

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
    """Colours of what is no box."""

    ground: str
    raised: str
    """The ground of what is beside the picture."""
    text: str
    faint: str
    line: str
    bar: str
    """The ground of bars."""
    params: str
    macs: str
    focus: str
    fill: str
    """Opacity of a box's color."""
    inside: str
    """The same of an open box."""


LIGHT = Theme(
    ground="#ffffff",
    raised="#f6f7f9",
    text="#1a1a1a",
    faint="#595959",
    line="#767676",
    bar="#dcdcdc",
    params="#117733",
    macs="#882255",
    focus="#0b57d0",
    fill="0.18",
    inside="0.05",
)
DARK = Theme(
    ground="#16181c",
    raised="#1f2228",
    text="#f0f0f0",
    faint="#c4c4c4",
    line="#8c8c8c",
    bar="#4a4f58",
    params="#44bb99",
    macs="#ee99aa",
    focus="#8ab4f8",
    fill="0.24",
    inside="0.08",
)


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
