"""A still picture as SVG: light or dark as the reader's system is, no outside resource."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from archdsl.diagnostics import printable
from archdsl.graph import Graph
from archdsl.records import Record
from archdsl.view import colours
from archdsl.view.boxes import Box, boxes_of
from archdsl.view.depths import opened
from archdsl.view.geometry import LABEL, TEXT, TITLE, Geometry, Spot, fitted, text_width
from archdsl.view.pages import render
from archdsl.view.texts import costs_text, share, short, spoken

MARGIN, TOP, NARROW = 20, 74, 420.0

LINE = 18
"""Between the lines of the legend."""


class Drawn(Record):
    """A box as the template needs it."""

    box: Box
    spot: Spot
    colour: str
    style: str
    """closed, open, small (one line), end (input or output) or port."""
    name: str
    text: str
    spoken: str
    bars: tuple[tuple[str, float, float, float, str], ...]
    """Class, x, y, length and text of each bar."""


def picture(graph: Graph, depth: str = "stages", names: Collection[str] = ()) -> str:
    """The picture of a network: open down to a depth of `DEPTHS`, and where `names` are."""
    top = boxes_of(graph)
    return svg(top, opened(top, depth, names))


def svg(top: Box, open_boxes: set[Box]) -> str:
    """The picture of a network with some boxes open."""
    geometry = Geometry(top, open_boxes)
    kinds = colours.colours_of(top)
    drawn = [_drawn(top, box, spot, kinds, box in open_boxes) for box, spot in geometry.spots.items() if box is not top]  # fmt: skip  # noqa: E501
    shown = [item.box for item in drawn if item.box.form != "port"]
    width = max(geometry.size.width, NARROW)
    legend, lines = _legend(shown, kinds, width)
    doc = top.docs[0] if top.docs else ""
    return render(
        "picture.svg.jinja",
        top=top,
        title=printable(f"{top.text} ({top.name})"),
        doc=fitted(printable(doc), TEXT, width),
        whole_doc=printable(doc),
        totals=costs_text(top),
        width=width + 2 * MARGIN,
        height=geometry.size.height + TOP + lines * LINE + 2 * MARGIN,
        left=MARGIN + (width - geometry.size.width) / 2,
        above=TOP,
        below=geometry.size.height + TOP + MARGIN,
        margin=MARGIN,
        drawn=drawn,
        paths=geometry.paths,
        labels=geometry.labels,
        legend=legend,
        sizes={"title": TITLE, "text": TEXT, "label": LABEL},
        light=colours.LIGHT,
        dark=colours.DARK,
        bars={
            "light": (colours.PARAMS, colours.MACS),
            "dark": (colours.PARAMS_DARK, colours.MACS_DARK),
        },
    )


def _drawn(top: Box, box: Box, spot: Spot, kinds: dict[str, str], is_open: bool) -> Drawn:
    style = "open" if is_open else "closed"
    if box.form == "port":
        style = "port"
    elif box.form in ("input", "output"):
        style = "end"
    elif box.form == "operation":
        style = "small"
    name, text, bars = box.name, box.text, _bars(top, box, spot, style)
    room = spot.width - 22
    if style in ("small", "end"):
        name = fitted(box.name, TITLE, room)
        text = fitted(box.text, TEXT, room - text_width(box.name + " ", TITLE))
        if name != box.name or not box.text:
            text = ""
    elif style != "port":
        name, text = fitted(name, TITLE, room), fitted(text, TEXT, room)
    colour = kinds.get(box.kind, colours.PLAIN)
    return Drawn(
        box, spot, colour, style, printable(name), printable(text), printable(spoken(box)), bars
    )


def _bars(top: Box, box: Box, spot: Spot, style: str) -> Any:
    """The shares of the network's parameters and MACs that lie in a box."""
    if not (box.params or box.macs) or box.form == "port":
        return ()
    rows = (
        ("params", share(box.params, top.params), f"{short(box.params)} params"),
        ("macs", share(box.macs, top.macs), f"{short(box.macs)} MACs"),
    )
    if style == "closed":
        room = max(spot.width - 22 - 80, 30)
        return tuple(
            (kind, spot.x + 11, spot.y + 41 + 12 * i, (room, room * part), text)
            for i, (kind, part, text) in enumerate(rows)
        )
    y = spot.y + (24 if style == "small" else 38)
    room = spot.width - 22
    return tuple(
        (kind, spot.x + 11, y + 3 * i, (room, room * part), "")
        for i, (kind, part, _) in enumerate(rows)
    )


def _legend(shown: list[Box], kinds: dict[str, str], width: float) -> tuple[list[Any], int]:
    """What the colours mean, in lines; blocks first, then families of operations."""
    blocks = {b.kind for b in shown if b.form == "block" or (b.form == "stage")}
    families = {b.kind for b in shown if b.form == "operation"}
    named = [kind for kind in kinds if kind in blocks]
    named += [kind for kind in kinds if kind in families]
    entries: list[tuple[str, str]] = [(kind, kinds[kind]) for kind in named]
    entries += [("params", "bar"), ("MACs", "bar")]
    placed, x, line = [], 0.0, 0
    for text, colour in entries:
        note = f"{text}, share of all" if colour == "bar" else printable(text)
        wide = text_width(note, TEXT) + 34
        if x and x + wide > width:
            x, line = 0.0, line + 1
        placed.append((x, line * LINE, note, colour, text.lower()))
        x += wide
    return placed, line + 1
