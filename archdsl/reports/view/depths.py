"""Open boxes of a picture: by depth, and by name."""

from __future__ import annotations

from collections.abc import Collection

from archdsl.reports.view.boxes import GROUPS, Box


def opened(top: Box, depth: str, names: Collection[str] = ()) -> set[Box]:
    """The boxes that are open at a depth of `rows.DEPTHS`, and those on the way to one of `names`.

    At `stages` lines and rows are closed; at `blocks` the uses of blocks in them show; at
    `primitives` all boxes are open.
    """
    found = {top}
    waiting = [top]
    while waiting:
        for box in waiting.pop().children:
            if box.children and (_opens(box, depth) or _leads(box, names)):
                found.add(box)
                waiting.append(box)
    return found


def _leads(box: Box, names: Collection[str]) -> bool:
    """True if a box is one that is asked for, or holds one."""
    return any(inner.path in names for inner in box.walk() if inner.children) if names else False


def _opens(box: Box, depth: str) -> bool:
    if depth == "primitives":
        return True
    blocks = any(child.form == "block" for child in box.children)
    return depth == "blocks" and box.form in GROUPS and blocks
