"""A page in one file: the boxes as data, and what draws, opens and searches them in a browser.

The script places boxes as `geometry.py` does, from the same slots and sizes; a test compares them.
"""

from __future__ import annotations

import base64
import hashlib
import os
from typing import Any

from markupsafe import Markup

from archdsl.ir.graph import Value
from archdsl.reports.view import colours, geometry, tracks
from archdsl.reports.view.boxes import Box
from archdsl.reports.view.geometry import (
    SIGNS,
    bar_length,
    closed_size,
    common_width,
    is_sign,
    labelled,
)
from archdsl.reports.view.pages import render
from archdsl.reports.view.slots import slots_of
from archdsl.reports.view.texts import LEAST_SHARE, heading, short, spoken
from archdsl.support import resources
from archdsl.support.escaping import printable, script_json

SIZES = {
    "arrow": geometry.ARROW,
    "labelled": geometry.LABELLED,
    "track": geometry.TRACK,
    "apart": geometry.APART,
    "lane": geometry.LANE,
    "padding": geometry.PADDING,
    "header": geometry.HEADER,
    "place": geometry.PLACE,
    "port": geometry.PORT,
    "cards": geometry.CARDS,
    "round": geometry.ROUND,
    "trackApart": tracks.APART,
}
"""Constants shared by the script and `geometry.py`."""

SCRIPT = ("data", "layout", "drawing", "opening", "details", "search", "listening")
"""The files of `templates/view/page`, in order."""

LEGEND = ("stage", "block", "operation")
"""The forms of boxes whose colours are told."""


def html(top: Box, open_boxes: set[Box]) -> str:
    """The page of a network; some boxes are open at first."""
    kinds, wide = colours.colours_of(top), common_width(top)
    seen = {box.kind: box.form for box in reversed(list(top.walk()))}
    title, *docs, totals = map(printable, heading(top))
    data = {
        "sizes": SIZES,
        "colours": kinds,
        "plain": colours.PLAIN,
        "least": LEAST_SHARE,
        "params": top.params,
        "macs": top.macs,
        "wide": wide,
        "bar": bar_length(wide),
        "network": _Writer(open_boxes, wide).box(top),
    }
    style = render("page.css.jinja", light=colours.LIGHT, dark=colours.DARK)
    script = _script()
    return render(
        "page.html.jinja",
        title=title,
        docs=docs,
        totals=totals,
        legend=[(printable(k), kinds[k]) for k in kinds if seen[k] in LEGEND],
        style=Markup(style),
        script=Markup(script),
        style_hash=_hash(style),
        script_hash=_hash(script),
        data=Markup(script_json(data)),
    )


def _script() -> str:
    """The pieces of the script, which share their names with each other and with nothing else."""
    pieces = []
    for name in SCRIPT:
        path = os.path.join(resources.TEMPLATES, "view", "page", f"{name}.js")
        with open(path, encoding="utf-8") as file:
            pieces.append(file.read())
    return "\n".join(['"use strict";\n(() => {', *pieces, "})();\n"])


def _hash(text: str) -> str:
    """How a Content-Security-Policy calls a piece of the page. https://www.w3.org/TR/CSP3/"""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


class _Writer:
    """Boxes as data; what is empty or as usual is left out."""

    def __init__(self, open_boxes: set[Box], wide: float) -> None:
        self.open = open_boxes
        self.wide = wide
        self.values: dict[Value, int] = {}

    def box(self, box: Box) -> dict[str, Any]:
        """A box with all in it."""
        size = closed_size(box, self.wide)
        found: dict[str, Any] = {
            "form": box.form,
            "kind": box.kind,
            "name": printable(box.name),
            "text": printable(box.text),
            "what": printable(box.what),
            "path": printable(box.path),
            "size": [size.left * 2, size.height],
            "params": box.params,
            "macs": box.macs,
            "shortParams": short(box.params) if box.params or box.macs else "",
            "shortMacs": short(box.macs) if box.params or box.macs else "",
            "training": box.training,
            "repeats": box.repeats if box.repeats > 1 else 0,
            "sign": SIGNS[box.what] if is_sign(box) else "",
            "shapes": box.shapes,
            "arguments": [[name, printable(value)] for name, value in box.arguments],
            "weights": [list(weight) for weight in box.weights],
            "docs": list(map(printable, box.docs)),
            "place": printable(box.place),
            "line": printable(box.line),
            "spoken": printable(spoken(box)),
            "open": bool(box.children) and box in self.open,
        }
        found = {name: value for name, value in found.items() if value}
        if box.children:
            found.update(self._inside(box))
        return found

    def _inside(self, box: Box) -> dict[str, Any]:
        slots = slots_of(box)
        items = box.items
        index = {item: i for i, item in enumerate(items)}
        shown = set(labelled(box))
        edges = []
        for edge, way in zip(box.edges, slots.ways):
            edges.append(
                [
                    index[edge.tail],
                    index[edge.head],
                    self.values.setdefault(edge.value, len(self.values)),
                    [*edge.leaves, _port(edge.tail, edge.tail.ports_out, edge.value)],
                    [*edge.enters, _port(edge.head, edge.head.ports_in, edge.value)],
                    way.lane,
                    way.side,
                    edge.shape,
                    edge in shown,
                ]
            )
        return {
            "items": [self.box(item) for item in items],
            "outs": len(box.ports_out),
            "rows": slots.rows,
            "columns": slots.columns,
            "axis": slots.axis,
            "cells": slots.cells,
            "edges": edges,
        }


def _port(box: Box, ports: dict[Value, Box], value: Any) -> int:
    """The place of a port among the items of its box; -1 where there is none."""
    port = ports.get(value)
    return -1 if port is None else list(box.items).index(port)
