"""Results of `verify`, as records and as text."""

from __future__ import annotations

from archdsl.support.records import Record


class OutputReport(Record):
    """One output: its shapes, and the largest difference, absolute and relative to its size.

    The shapes are the spec's where they agree at every size, else those of the first size where
    they do not.
    """

    name: str
    torch_shape: str
    onnx_shape: str
    difference: float
    relative: float
    tolerance: float
    """How large `relative` may be."""

    @property
    def agrees(self) -> bool:
        """True if the shapes are equal and the numbers close."""
        return self.torch_shape == self.onnx_shape and self.relative <= self.tolerance


class Report(Record):
    """Findings over all seeds, batches and sizes."""

    torch_params: int
    onnx_params: int
    """Those that inference needs, before folding."""
    folded_params: int
    training_params: int
    """Parameters of the module that no output of inference needs, and the graph lacks."""
    outputs: tuple[OutputReport, ...]
    seeds: int
    batches: tuple[int, ...]
    sizes: tuple[str, ...]
    """The sizes of the inputs that both ran at."""
    tensors: int
    """Number of tensors in the module's `state_dict`."""
    compared: str
    """Which weights of an ONNX file of one's own were compared; empty without one."""
    problems: tuple[str, ...]
    """Differences other than output values."""
    notes: tuple[str, ...]

    @property
    def agrees(self) -> bool:
        """True if nothing differs."""
        return not self.problems and all(output.agrees for output in self.outputs)

    def text(self) -> str:
        """A table for people."""
        rows = [("output", "PyTorch", "ONNX", "difference", "relative", "")]
        for o in self.outputs:
            rows.append(
                (o.name, o.torch_shape, o.onnx_shape, f"{o.difference:.2e}", f"{o.relative:.2e}",
                 "agrees" if o.agrees else "DIFFERS")
            )  # fmt: skip
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
        lines = ["  ".join(t.ljust(w) for t, w in zip(row, widths)).rstrip() for row in rows]
        counted = f"parameters: PyTorch {self.torch_params:,}, ONNX {self.onnx_params:,}"
        if self.training_params:
            counted += f" ({self.training_params:,} that inference does not need)"
        if not self.compared:
            counted += f"; after folding {self.folded_params:,}"
        lines.append(counted)
        lines.append(f"state_dict: {self.tensors} tensors")
        if self.compared:
            lines.append(f"weights: {self.compared}")
        lines += [f"DIFFERS: {problem}" for problem in self.problems]
        lines += [f"note: {note}" for note in self.notes]
        batches = ", ".join(map(str, self.batches))
        sizes = "; sizes: " + ", ".join(self.sizes) if len(self.sizes) > 1 else ""
        return "\n".join([*lines, f"seeds: {self.seeds}; batches: {batches}{sizes}"])
