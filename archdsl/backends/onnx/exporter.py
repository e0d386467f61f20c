"""From a checked graph to an ONNX file: the steps, and the options that they depend on."""

from __future__ import annotations

import os
from collections.abc import Mapping
from math import prod
from typing import Any

from archdsl.backends.onnx import opsets
from archdsl.backends.onnx.builder import Builder
from archdsl.backends.onnx.dynamic import MODES, sizes_of
from archdsl.backends.onnx.fold import Plan
from archdsl.backends.onnx.functions import flat, outlined
from archdsl.backends.onnx.lowering import lower
from archdsl.backends.onnx.model import BFLOAT16, INT64, TYPES, Model, Value
from archdsl.backends.onnx.naming import name_all
from archdsl.backends.onnx.simplify import simplify
from archdsl.backends.onnx.write import EXTERNAL, Content, write
from archdsl.diagnostics import errors
from archdsl.diagnostics.diagnostic import Diagnostic, DiagnosticError
from archdsl.diagnostics.writing import writing
from archdsl.ir.graph import Graph, Output
from archdsl.ops.kinds import describe
from archdsl.support import limits
from archdsl.support.escaping import printable
from archdsl.support.progress import Progress, untold
from archdsl.support.records import Record
from archdsl.support.version import __version__
from archdsl.weights.conversion import fitting
from archdsl.weights.sources import Drawn, Source, declared


class Options(Record):
    """Options for writing a network.

    `weights` is a file, a `state_dict`, true for random ones drawn from `seed`, or false: they are
    inputs then. `fold` puts batch normalisation into the layers before; by default where there are
    weights.
    """

    opset: int | None = None
    weights: str | Mapping[str, Any] | bool = True
    seed: int = 0
    fold: bool | None = None
    dtype: str = "float32"
    dynamic: str = "batch"
    external_data: str = "auto"
    functions: bool = False

    def settled(self) -> Options:
        """The options with their defaults; `DiagnosticError` for what there is none of."""
        problems: list[Diagnostic] = []
        for option, known in (("dtype", [*TYPES]), ("dynamic", MODES), ("external_data", EXTERNAL)):
            if getattr(self, option) not in known:
                name = option.replace("_", "-")
                problems.append(
                    errors.UnknownOption(
                        option=name, value=getattr(self, option), known=", ".join(known)
                    )
                )
        if not isinstance(self.weights, str | Mapping | bool):
            known = "a path, a state_dict, True or False"
            problems.append(
                errors.UnknownOption(option="weights", value=repr(self.weights), known=known)
            )
        narrow = self.dtype == BFLOAT16.name
        opset = self.opset
        if opset is None:
            opset = opsets.DEFAULT_BFLOAT16 if narrow else opsets.DEFAULT
        elif not opsets.OLDEST <= opset <= opsets.NEWEST:
            problems.append(
                errors.UnknownOpset(opset=opset, oldest=opsets.OLDEST, newest=opsets.NEWEST)
            )
        elif narrow and opset < opsets.DEFAULT_BFLOAT16:
            problems.append(errors.TypeNeedsOpset(type=self.dtype, needed=opsets.DEFAULT_BFLOAT16))
        if problems:
            raise DiagnosticError(problems)
        fold = self.weights is not False if self.fold is None else self.fold
        settled: Options = self.replace(opset=opset, fold=fold)
        return settled

    def text(self) -> str:
        """The options as the command line has them."""
        weights = "--no-weights"
        if self.weights is True:
            weights = f"--seed {self.seed}"
        elif isinstance(self.weights, str):
            weights = f"--weights {printable(os.path.basename(self.weights))}"
        elif self.weights is not False:
            weights = "--weights STATE_DICT"
        told = [
            f"--opset {self.opset} {weights} {'--fold-bn' if self.fold else '--keep-bn'}",
            f"--dtype {self.dtype} --dynamic {self.dynamic}",
        ]
        if self.external_data != "auto":
            told.append(f"--external-data {self.external_data}")
        if self.functions:
            told.append("--functions")
        return " ".join(told)


def export(
    graph: Graph, path: str, *, spec: str = "", progress: Progress = untold, **options: Any
) -> Content:
    """Write a checked graph to an ONNX file; what was written.

    `spec` is the name of the spec that the file tells; the options are those of `Options`. Raises
    `DiagnosticError`, with every tensor that does not fit where weights do not, and writes nothing.
    """
    settled = Options(**options).settled()
    try:
        with writing(path):
            content = build(graph, settled, spec)
            write(path, content, settled.external_data, progress)
    except Diagnostic as problem:
        raise DiagnosticError([problem]) from None
    return content


def build(graph: Graph, options: Options, spec: str = "") -> Content:
    """The model of a graph, ready to be written. `options` are settled. Raises diagnostics."""
    assert options.opset is not None and options.fold is not None
    sizes = sizes_of(graph, options.dynamic)
    type_ = TYPES[options.dtype]
    model = Model(graph.name, options.opset)
    _describe(model, graph, options, spec)
    builder = Builder(model, type_, _source(graph, options), Plan(graph, options.fold), sizes)
    model.inputs = [Value(sizes[v], type_, name=v.name) for v in graph.inputs]
    values = dict(zip(graph.inputs, model.inputs))
    lower(builder, graph.inference_nodes(), values)
    outputs: list[Output] = [output for output in graph.outputs if not output.training]
    model.outputs = [values[output.value] for output in outputs]
    simplify(model, lambda *ints: builder.constant(ints, (len(ints),), INT64), options.functions)
    name_all(model, [output.name for output in outputs])
    tensors = model.tensors()
    if options.functions:
        nodes, inner, functions = outlined(model, graph.root)
    else:
        nodes, inner = flat(model)
        functions = []
    return Content(
        model,
        opsets.ir_version(options.opset, options.functions),
        nodes,
        inner,
        functions,
        [tensor for tensor in tensors if tensor.blocks is not None],
        [tensor for tensor in tensors if tensor.blocks is None],
    )


def _source(graph: Graph, options: Options) -> Source | None:
    if options.weights is False:
        return None
    tensors = declared(graph)
    if options.weights is True:
        count = sum(prod(tensor.shape) for tensor in tensors.values())
        if count > limits.PARAMETERS:
            raise errors.TooManyParameters(count=count, limit=limits.PARAMETERS)
        return Drawn(tensors, options.seed)
    return fitting(graph, options.weights)


def _describe(model: Model, graph: Graph, options: Options, spec: str) -> None:
    """Producer, source and options of the file."""
    model.producer = ("archdsl", __version__)
    model.doc = "\n".join(graph.unit.docs)
    parameters = ", ".join(f"{name}={describe(v)}" for name, v in graph.arguments.items())
    entries = {
        "archdsl.spec": printable(spec),
        "archdsl.arch": graph.unit.name,
        "archdsl.variant": graph.variant or "",
        "archdsl.parameters": parameters,
        "archdsl.options": options.text(),
        "archdsl.version": __version__,
    }
    model.metadata = {name: text for name, text in entries.items() if text}
