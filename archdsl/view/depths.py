"""Which boxes of a still picture are open: by depth, and those asked for by name."""

from __future__ import annotations

from collections.abc import Collection

from archdsl.view.boxes import GROUPS, Box


def opened(top: Box, depth: str, names: Collection[str] = ()) -> set[Box]:
    """The boxes that are open at a depth of `rows.DEPTHS`, and those on the way to one of `names`.

    At `stages` lines and rows are closed; at `blocks` the uses of blocks in them show; at
    `primitives` all boxes are open.
    """
    found = {top}
    for box in top.walk():
        if box.children and (_opens(box, depth) or box.path in names):
            found.add(box)
        outer = box.parent if box.path in names else None
        while outer is not None:
            found.add(outer)
            outer = outer.parent
    return found


def _opens(box: Box, depth: str) -> bool:
    if depth == "primitives":
        return True
    blocks = any(child.form == "block" for child in box.children)
    return depth == "blocks" and box.form in GROUPS and blocks
