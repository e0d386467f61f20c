"""Stage tables as code: rows stay rows, repeats stay loops."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from archdsl.backends.pytorch.code import Alike, Code, Invoke, Plain, Repeated, Rows, names_in
from archdsl.backends.pytorch.lanes import agrees, as_whole
from archdsl.backends.pytorch.layers import LAYERS
from archdsl.backends.pytorch.sites import StepSite, flatten_before
from archdsl.backends.pytorch.symbols import NotExpressible, Symbol, binary, is_constant, literal
from archdsl.frontend import ast
from archdsl.ir.graph import Frame, Node, RowRepeat, Scope, Stage

if TYPE_CHECKING:
    from archdsl.backends.pytorch.flows import Flows


class Table:
    """A stage table as code: a `Sequential` with a child for each row."""

    def __init__(
        self, builder: Flows, table: ast.Stages, lanes: list[Frame], channels: Symbol | None
    ) -> None:
        self.builder = builder
        self.lanes = lanes
        self.channels = channels
        self.stages: list[list[Stage]] = [frame.loops[table] for frame in lanes]
        self.rows: list[list[Stage]] = []
        for stages in zip(*self.stages):
            empty = {not stage.repeats for stage in stages}
            if empty == {True}:
                continue
            if len(empty) > 1:
                raise NotExpressible
            self.rows.append(list(stages))
        self.names = [row[0].name for row in self.rows]

    def code(self) -> Code:
        """The code; the rows are lines of their own, added to the sequence by name."""
        rows = [(row[0].module, self._row(row), _shape_remark(row)) for row in self.rows]
        return Rows(tuple(rows), self.builder.writer.helper("Stages"))

    def _row(self, stages: list[Stage]) -> Code:
        repeats = [repeat for stage in stages for repeat in stage.repeats]
        if not stages[0].numbered:
            return self._layer(repeats)
        counts = {frame: len(stage.repeats) for frame, stage in zip(self.lanes, stages)}
        items: list[Code] = []
        if is_constant(counts):
            count = next(iter(counts.values()))
            items = self._items(stages, count)
        else:
            count_symbol = self._count(stages, counts)
            first = [repeat for repeat in repeats if repeat.rep == 0]
            rest = [repeat for repeat in repeats if repeat.rep > 0]
            items = [self._layer(first)]
            code = self._layer(rest, loop=True)
            less = binary("-", count_symbol, literal({f: 1 for f in counts}), counts)
            if "rep" in names_in(code):
                over = Plain(f"range(1, {count_symbol.text})", count_symbol.names)
                items.append(Repeated(code, "rep", over))
            else:
                items.append(Repeated(code, "_", Plain(f"range({less.text})", less.names)))
        return Invoke("nn.Sequential", tuple(("", item) for item in items), True)

    def _count(self, stages: list[Stage], counts: Mapping[Frame, int]) -> Symbol:
        cell = self.builder.writer.entry(stages[0], "n")
        if cell is not None:
            symbol = as_whole(self.builder.symbol(cell, self.lanes))
            if agrees(symbol, counts):
                return symbol
        return self.builder.find(counts)

    def _items(self, stages: list[Stage], count: int) -> list[Code]:
        """The layers of a row: one alone, then a loop for those that are alike."""

        def group(start: int, stop: int) -> list[RowRepeat]:
            return [r for stage in stages for r in stage.repeats[start:stop]]

        singles = tuple(self._layer(group(i, i + 1)) for i in range(count))
        loops: list[tuple[int, Repeated]] = []
        for start in (0, 1):
            if count - start < 3:
                continue
            try:
                code = self._layer(group(start, count), loop=True)
            except NotExpressible:
                continue
            used = names_in(code) & {"rep", "index"}
            if len(used) == 1:
                (name,) = used
                starts = {r.frame.names[name] for r in group(start, start + 1)}
                if len(starts) == 1:
                    low = starts.pop()
                    low_text = f"{low}, " if low else ""
                    over = Plain(f"range({low_text}{low + count - start})")
                    loops.append((start, Repeated(code, name, over)))
        return [Alike(singles, tuple(loops))]

    def _layer(self, repeats: list[RowRepeat], loop: bool = False) -> Code:
        """The layer of some repeats of a row, all by the same code."""
        builder = self.builder
        made = {repeat.frame: repeat.made for repeat in repeats}
        sizes = {repeat.frame: repeat.input.shape[0] for repeat in repeats}
        if loop and builder.plan.unrolled:
            raise NotExpressible
        kept = builder.rounds, builder.counting
        builder.counting = True
        if loop:
            builder.rounds = [*builder.rounds, "rep"]
        try:
            channels = builder.find(sizes, *([self.channels] if self.channels else []))
            written = builder.writer.entries(repeats[0].stage)
            if all(isinstance(item, Scope) for item in made.values()):
                scopes: dict[Frame, Scope] = dict(made)  # type: ignore[arg-type]
                return builder.new_block(scopes, written, [channels])
            if not all(isinstance(item, Node) for item in made.values()):
                raise NotExpressible
            nodes: dict[Frame, Node] = dict(made)  # type: ignore[arg-type]
            kinds = {type(node.operation) for node in nodes.values()}
            if len(kinds) > 1:
                raise NotExpressible
            site = StepSite(builder, nodes, None, channels, written=written)
            code = LAYERS[kinds.pop().name](site)
            flat = [flatten_before(node) for node in nodes.values()]
            if any(flat):
                return Invoke("nn.Sequential", (("", Plain("nn.Flatten()")), ("", code)))
            return code
        finally:
            builder.rounds, builder.counting = kept


def _shape_remark(stages: list[Stage]) -> str:
    shapes = {stage.output.shape for stage in stages}
    return " x ".join(map(str, shapes.pop())) if len(shapes) == 1 else ""
