"""Edges between visible boxes, routed through open boxes.

For formats that have no ports.
"""

from __future__ import annotations

from collections.abc import Iterator

from archdsl.reports.view.boxes import Box, Edge


def flows(open_boxes: set[Box]) -> Iterator[tuple[Box, Edge]]:
    """The box that gives a tensor, and the last piece of its way, to a box that is not open."""
    for container in sorted(open_boxes, key=lambda box: box.number):
        for edge in container.edges:
            if edge.head.form != "port" and edge.head not in open_boxes:
                yield _source(edge, container, open_boxes), edge


def _source(edge: Edge, container: Box, open_boxes: set[Box]) -> Box:
    """The box from which a tensor comes: out of open ones, and from around the container."""
    tail = edge.tail
    while tail.form == "port" or tail in open_boxes:
        if tail.form == "port":
            inner, container = container, container.parent or container
            edge = next(
                e
                for e in container.edges
                if e.head is inner and inner.ports_in[e.value] is tail
            )
        else:
            port = tail.ports_out[edge.value]
            container = tail
            edge = next(e for e in container.edges if e.head is port)
        tail = edge.tail
    return tail
