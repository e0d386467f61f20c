"""Which boxes of a still picture are open: by depth, and those asked for by name."""

from __future__ import annotations

from collections.abc import Collection

from archdsl.view.boxes import GROUPS, Box

DEPTHS = ("stages", "blocks", "primitives")
"""Lines and rows closed; the uses of blocks in them; everything down to the primitives."""


def opened(top: Box, depth: str, names: Collection[str] = ()) -> set[Box]:
    """The boxes that are open. Those on the way to one with a name of `names` are, too."""
    found = {top}
    for box in top.walk():
        if box.children and (_opens(box, depth) or box.path in names):
            found.add(box)
        outer = box.parent if box.path in names else None
        while outer is not None:
            found.add(outer)
            outer = outer.parent
    return found


def visible(box: Box, open_boxes: set[Box]) -> Box:
    """The box that shows for this one: itself, or the outermost closed one around it."""
    shown = box
    while box.parent is not None:
        box = box.parent
        if box not in open_boxes:
            shown = box
    return shown


def _opens(box: Box, depth: str) -> bool:
    if depth == "primitives":
        return True
    blocks = any(child.form == "block" for child in box.children)
    return depth == "blocks" and box.form in GROUPS and blocks
