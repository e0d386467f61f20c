"""A still picture as SVG: light or dark as the reader's system is, no outside resource."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from archdsl.ir.graph import Graph
from archdsl.reports.view import colours
from archdsl.reports.view.boxes import Box, boxes_of
from archdsl.reports.view.depths import opened
from archdsl.reports.view.folding import fold
from archdsl.reports.view.geometry import (
    CARDS,
    INSIDE,
    LABEL,
    SIGNS,
    TEXT,
    TITLE,
    Geometry,
    Spot,
    bar_length,
    fitted,
    is_sign,
    text_width,
    wrapped,
)
from archdsl.reports.view.pages import render
from archdsl.reports.view.texts import LEAST_SHARE, heading, repeats_text, share, short, spoken
from archdsl.support.escaping import printable
from archdsl.support.records import Record

MARGIN, HEAD, LEAST, MOST = 20.0, 18.0, 380.0, 640.0
"""Around all; a line of the title; the widths that title and legend may have."""

HEADING = 16


class Drawn(Record):
    """A box as the template needs it; places are from its own corner."""

    box: Box
    spot: Spot
    style: str
    """closed, open, small (one line), sign, end (input or output), port or named port."""
    colour: str
    stripe: tuple[tuple[str, float, float], ...]
    """Colour, y and height of the pieces of its left edge."""
    name: str
    text: str
    count: str
    bars: tuple[tuple[str, float, float, float, float, str], ...]
    """Class, y, height, length for all, length and text of each bar."""
    spoken: str


def picture(graph: Graph, depth: str = "stages", names: Collection[str] = ()) -> str:
    """The picture of a network: open down to a depth of `rows.DEPTHS`, and where `names` are.

    Blocks that repeat as they are stand there once.
    """
    top = boxes_of(graph)
    fold(top, names)
    return svg(top, opened(top, depth, names))


def svg(top: Box, open_boxes: set[Box]) -> str:
    """The picture of a network with some boxes open."""
    geometry = Geometry(top, open_boxes)
    kinds = colours.colours_of(top)
    drawn = [
        _drawn(top, box, spot, kinds, geometry.wide, box in open_boxes)
        for box, spot in geometry.spots.items()
        if box is not top
    ]
    width = max(geometry.size.width, LEAST)
    legend, lines = _legend([item.box for item in drawn], kinds, min(width, MOST))
    title, *docs, totals = map(printable, heading(top))
    shown = [line for doc in docs for line in wrapped(doc, TEXT, width)]
    above = MARGIN + 28 + HEAD * len(shown) + 24
    return render(
        "picture.svg.jinja",
        title=fitted(title, HEADING, width),
        docs=[(line, 53 + HEAD * i) for i, line in enumerate([*shown, totals])],
        told=" ".join([*docs, totals]),
        width=width + 2 * MARGIN,
        height=above + geometry.size.height + lines * HEAD + 2 * MARGIN,
        left=MARGIN + (width - geometry.size.width) / 2,
        above=above,
        below=above + geometry.size.height + MARGIN,
        margin=MARGIN,
        inside=INSIDE,
        cards=CARDS,
        drawn=drawn,
        paths=geometry.paths,
        labels=geometry.labels,
        legend=legend,
        sizes={"heading": HEADING, "title": TITLE, "text": TEXT, "label": LABEL},
        themes=(colours.LIGHT, colours.DARK),
    )


def _drawn(
    top: Box, box: Box, spot: Spot, kinds: dict[str, str], wide: float, is_open: bool
) -> Drawn:
    style = _style(box, is_open)
    count = repeats_text(box)
    name, text = printable(box.name), printable(box.text)
    room = spot.width - 2 * INSIDE
    if style == "sign":
        name = SIGNS[box.what]
    elif style in ("small", "end"):
        name = fitted(name, TITLE, room)
        text = fitted(text, TEXT, room - text_width(name + " ", TITLE))
    elif style in ("closed", "open"):
        name = fitted(name, TITLE, room - text_width(count, TITLE))
        text = fitted(text, TEXT, room)
    colour = kinds.get(box.kind, colours.PLAIN)
    pieces = list(dict.fromkeys(kinds.get(b.kind, colours.PLAIN) for b in box.children))
    if box.form != "line" or not pieces:
        pieces = [colour]
    high = spot.height / len(pieces)
    stripe = tuple((piece, i * high, high) for i, piece in enumerate(pieces))
    bars = _bars(top, box, style, bar_length(wide) if style == "closed" else room)
    return Drawn(box, spot, style, colour, stripe, name, text, count, bars, printable(spoken(box)))


def _style(box: Box, is_open: bool) -> str:
    if box.form == "port":
        return "named port" if box.name else "port"
    if box.form in ("input", "output"):
        return "end"
    if box.form == "operation":
        return "sign" if is_sign(box) else "small"
    return "open" if is_open else "closed"


def _bars(top: Box, box: Box, style: str, bar: float) -> Any:
    """The shares of the network's parameters and MACs that lie in a box."""
    if not (box.params or box.macs) or style not in ("closed", "small", "open"):
        return ()
    macs = "training only" if box.training else f"{short(box.macs)} MACs"
    rows = (
        ("params", share(box.params, top.params), f"{short(box.params)} params"),
        ("macs", share(box.macs, top.macs), macs),
    )
    if style == "closed":
        return tuple(
            (kind, 38.0 + 11 * i, 6.0, bar, bar * part, text)
            for i, (kind, part, text) in enumerate(rows)
        )
    start = 20.5 if style == "small" else 37.0
    return tuple(
        (kind, start + 2.5 * i, 2.0, bar, bar * part, "")
        for i, (kind, part, _) in enumerate(rows)
        if style == "open" or part >= LEAST_SHARE
    )


def _legend(shown: list[Box], kinds: dict[str, str], width: float) -> tuple[list[Any], int]:
    """Legend of the colors: blocks first, then families of operations."""
    blocks = {box.kind for box in shown if box.form in ("block", "stage")}
    families = {box.kind for box in shown if box.form == "operation"}
    families |= {child.kind for box in shown if box.form == "line" for child in box.children}
    entries = [(printable(kind), kinds[kind], "") for kind in kinds if kind in blocks]
    entries += [(k, kinds[k], "") for k in kinds if k in families - blocks]
    entries += [("share of parameters", "", "params"), ("share of MACs", "", "macs")]
    placed, x, line = [], 0.0, 0
    for text, colour, kind in entries:
        text = fitted(text, TEXT, width - 34)
        wide = text_width(text, TEXT) + 34
        if x and x + wide > width:
            x, line = 0.0, line + 1
        placed.append((x, line * HEAD, text, colour, kind))
        x += wide
    return placed, line + 1
