"""The Python interface: specs, and the networks made from them, checked.

`load` and `loads` make a `Network`, which is never changed; `override` and `variant` make others.
Every mistake of a spec, or of what is asked of it, is a `DiagnosticError`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from archdsl.diagnostics import errors
from archdsl.diagnostics.diagnostic import Diagnostic, DiagnosticError
from archdsl.diagnostics.source import Source, Span
from archdsl.diagnostics.spelling import nearest
from archdsl.diagnostics.writing import write
from archdsl.elaborate.expectations import check, check_class_name, check_variants
from archdsl.elaborate.network import elaborate
from archdsl.frontend import ast
from archdsl.frontend.files import read, standard_names
from archdsl.frontend.parser import parse_expression
from archdsl.frontend.program import Program
from archdsl.frontend.units import Unit
from archdsl.ir.graph import Graph, Value, tensors
from archdsl.support import limits, resources
from archdsl.support.progress import Progress, untold

if TYPE_CHECKING:
    from torch import nn

    from archdsl.frontend.standalone import Shapes
    from archdsl.reports.diff.compare import Difference

Shape = tuple[int | str, ...]
"""The batch, which is the letter "N", the channels, then the sizes of the spatial axes."""


class TensorInfo(NamedTuple):
    """A tensor of a network."""

    name: str
    shape: Shape


class NodeInfo(NamedTuple):
    """An operation of a network. `block` is the name of the block in whose text it stands."""

    name: str
    block: str
    operation: str
    shape: Shape
    params: int
    macs: int


class PartInfo(NamedTuple):
    """A part of a network: a stage, a use of a block, or a primitive. docs/costs.md defines all."""

    name: str
    stage: str
    """The line of the arch, or the row of one of its tables, that it is or belongs to."""
    block: str
    """The use of a block by the network that it is or belongs to; empty where there is none."""
    kind: str
    """Of which blocks and primitives it is made."""
    shape: Shape
    """The output, or the first of several."""
    params: int
    macs: int
    memory: int
    """Bytes of the tensors that its operations make."""
    training: bool
    """True if it is used only in training; it has no MACs and no memory then."""
    stride: tuple[float | None, ...]
    """Positions of the network's input, along each axis, between neighbouring ones of what comes
    out; none where it is no map of the input."""
    receptive_field: tuple[int | None, ...]
    """How many positions of the input, along each axis, one of what comes out sees through
    windows; none where it sees all of it by other ways alone."""
    sees_all: bool
    """True if it sees the whole input, by a global pool or the like."""


class BlockInfo(NamedTuple):
    """A use of a block, with the costs of all that is in it."""

    name: str
    block: str
    shape: Shape
    params: int
    macs: int


def load(
    spec: str | os.PathLike[str],
    /,
    arch: str | None = None,
    variant: str | None = None,
    *,
    input: Shapes | None = None,
    **parameters: Any,
) -> Network:
    """The network of a file, or of a shipped spec or block given by its name alone.

    Of several archs in a file it is the one chosen, or the one called like the file. `parameters`
    are those of the arch, as numbers, truth values, tuples, lists, or expressions of the language
    as text: `act="leaky_relu(0.1)"`. A block, which `arch` can name, too, becomes a network by the
    shapes of its inputs: `input="64x56x56"`, or by name `input={"x": (64, 56, 56)}`.
    """
    return Spec.open(os.fspath(spec)).network(arch, variant, parameters, input)


def loads(
    text: str,
    /,
    arch: str | None = None,
    variant: str | None = None,
    *,
    input: Shapes | None = None,
    **parameters: Any,
) -> Network:
    """The network of a text, as `load`. It can use the shipped specs, and no other file."""
    return Spec.of_text(text).network(arch, variant, parameters, input)


class Spec:
    """A file with archs and blocks, and the files it uses."""

    def __init__(self, source: Source, path: str | None = None) -> None:
        """Read a spec; `path` says where its `use` lines lead from."""
        self.source = source
        self.path = path
        with all_mistakes():
            self.program = Program(source, path)

    def __repr__(self) -> str:
        return f"<Spec {self.name}: {', '.join([*self.archs, *self.blocks]) or 'empty'}>"

    def _repr_html_(self) -> str:
        from archdsl.api.notebook import spec_html

        return spec_html(self.name, {arch: self.variants(arch) for arch in self.archs}, self.blocks)

    @classmethod
    def open(cls, name: str) -> Spec:
        """The spec of a file, or the shipped one of this name."""
        source = source_of(name)
        return cls(source, source.path)

    @classmethod
    def of_text(cls, text: str, name: str = "<text>") -> Spec:
        """The spec that a text is."""
        return cls(Source(name, text))

    @property
    def name(self) -> str:
        """Name of the spec: the file name without folders."""
        return os.path.basename(self.source.name)

    @property
    def archs(self) -> list[str]:
        """Names of the archs, in order."""
        return self.program.archs

    @property
    def blocks(self) -> list[str]:
        """Names of the blocks that the spec defines itself, in order."""
        own = self.program.main.own
        return [name for name, definition in own.items() if definition.kind == "block"]

    def unit(self, name: str) -> Unit:
        """The arch or block that the spec defines by this name."""
        with all_mistakes():
            unit = self.program.find(name, self.source)
        assert unit is not None
        return unit

    def unused_mistakes(self) -> list[Diagnostic]:
        """What is wrong in the blocks that no network made so far uses: in the text of each, and on
        sample inputs, as far as its parameters have defaults."""
        from archdsl.elaborate import samples, static

        found: list[Diagnostic] = []
        for name in self.blocks:
            try:
                unit = self.unit(name)
                if unit not in self.program.evaluated:
                    wrong = static.mistakes(unit, self.program)
                    found += wrong or samples.mistakes(unit, self.program)
            except (Diagnostic, DiagnosticError) as problem:
                found += getattr(problem, "diagnostics", [problem])
        return found

    def variants(self, arch: str) -> list[str]:
        """Names of the variants of an arch."""
        with all_mistakes():
            return check_variants(self.unit(arch))

    def warnings(self, networks: Sequence[Network]) -> list[Diagnostic]:
        """Warnings for the text and these networks of the spec.

        Some of it shows only in all networks that the spec can become: where these are given,
        each arch as it stands and in its variants.
        """
        from archdsl.reports.lint import lint

        made = {(n._arch, n._variant) for n in networks if not n._parameters}
        complete = all(
            (arch, variant) in made
            for arch in self.archs
            for variant in self.variants(arch) or (None,)
        )
        # What the spec states of a network holds for it with other parameters as far as they agree.
        others = []
        for network in networks:
            if network._parameters:
                try:
                    made_as = (network._arch, network._variant)
                    others.append(self.network(*made_as, input=network._input).graph)
                except DiagnosticError:
                    pass  # not asked for
        return lint(self.program, [network.graph for network in networks], others, complete)

    def choose(self, arch: str | None = None, place: Span | None = None) -> str:
        """The name of the arch, or block, that is meant. `place` is where it was asked for.

        Where none was, it is the only arch, or the one called like the file; in a file of blocks
        likewise the block.
        """
        archs = self.archs
        if arch is not None and (arch in archs or arch in self.blocks):
            return arch
        default = self.name.removesuffix(".arch")
        offered = archs or self.blocks
        if arch is None and (len(offered) == 1 or default in offered):
            return offered[0] if len(offered) == 1 else default
        path = self.source.name
        if archs and arch is None:
            names = ", ".join(archs)
            raise DiagnosticError([errors.SeveralArchs(path=path, archs=names, first=archs[0])])
        hint = f"choose one of {', '.join(archs)}"
        if not archs:
            hint = "it is empty"
            if self.blocks:
                hint = f"it has the blocks {', '.join(self.blocks)}; `--arch` chooses one"
        elif arch is not None and (near := nearest(arch, archs)):
            hint = f"did you mean `{near}`?"
        wanted = "" if arch is None else f" `{arch}`"
        raise DiagnosticError([errors.NoArch(place, path=path, wanted=wanted, hint=hint)])

    def network(
        self,
        arch: str | None = None,
        variant: str | None = None,
        parameters: Mapping[str, Any] = MappingProxyType({}),
        input: Shapes | None = None,
    ) -> Network:
        """A network of this spec; `parameters` and `input` as for `load`, and expressions read
        already."""
        return Network(self, self.choose(arch), variant, self._values(parameters), input)

    def expression(self, source: Source) -> ast.Expression:
        """A value written in the language; names mean what they mean in the spec."""
        with all_mistakes():
            expression = parse_expression(source)
        self.program.adopt(source)
        return expression

    def _values(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Values of Python as those of the language; texts as the expressions they are."""
        values = {}
        for name, value in parameters.items():
            if isinstance(value, str):
                value = self.expression(Source(f"<{name}>", value))
            with all_mistakes():
                values[name] = value if isinstance(value, ast.Expression) else _plain(value)
        return values


class Network:
    """A network, elaborated and checked. Shapes and costs are plain data: tuples, lists, dicts."""

    def __init__(
        self,
        spec: Spec,
        arch: str,
        variant: str | None,
        parameters: dict[str, Any],
        input: Shapes | None = None,
    ) -> None:
        """The network of an arch; use `load`, `loads`, `override`, `variant` or `Spec.network`."""
        self.spec = spec
        self._arch = arch
        self._variant = variant
        self._parameters = parameters
        self._input = input
        settings: dict[str, ast.Expression] = {}
        arguments: dict[str, tuple[Any, None]] = {}
        for name, value in parameters.items():
            if isinstance(value, ast.Expression):
                settings[name] = value
            else:
                arguments[name] = (value, None)
        spec.variants(arch)
        with all_mistakes():
            self.graph: Graph = elaborate(
                spec.program,
                _standing(spec.unit(arch), input),
                dict(arguments),
                settings.items(),
                variant,
            )
            self._total = check(self.graph, settled=not parameters)

    def __repr__(self) -> str:
        return f"<Network {self.name}: {self.params:,} parameters, {self.macs:,} MACs>"

    def _repr_html_(self) -> str:
        from archdsl.api.notebook import Stage, network_html

        def shapes(tensors: dict[str, Shape]) -> str:
            return ", ".join(f"{name} {'x'.join(map(str, s))}" for name, s in tensors.items())

        summary = (
            f"{self.params:,} parameters, {self.macs:,} MACs, depth {self.depth};"
            f" {shapes(self.inputs)} \N{RIGHTWARDS ARROW} {shapes(self.outputs)}"
        )
        stages = [
            Stage(
                part.name, part.kind, "x".join(map(str, part.shape[1:])), part.params,
                None if part.training else part.macs,
            )
            for part in self.table()
        ]  # fmt: skip
        return network_html(self.graph, summary, self.params, self.macs, stages)

    # Others like it

    def override(self, /, **parameters: Any) -> Network:
        """The same network with other parameters; those set before stay."""
        values = {**self._parameters, **self.spec._values(parameters)}
        return Network(self.spec, self._arch, self._variant, values, self._input)

    def variant(self, name: str | None) -> Network:
        """Another row of the arch's `variants`, or with none the arch itself; overrides stay."""
        return Network(self.spec, self._arch, name, self._parameters, self._input)

    @property
    def variants(self) -> list[str]:
        """Names of the variants that the arch offers."""
        return self.spec.variants(self._arch)

    @property
    def archs(self) -> list[str]:
        """Names of the archs in the same spec."""
        return self.spec.archs

    # What it is

    @property
    def name(self) -> str:
        """Name of the variant, or of the arch."""
        return self.graph.name

    @property
    def class_name(self) -> str:
        """Class name of the network in generated source."""
        return self.graph.class_name

    @property
    def doc(self) -> str:
        """Its documentation in the spec."""
        return "\n".join(self.graph.unit.docs)

    @property
    def parameters(self) -> dict[str, Any]:
        """The values of the arch's parameters; operations and words as text."""
        return {name: _shown(value) for name, value in self.graph.arguments.items()}

    @property
    def inputs(self) -> dict[str, Shape]:
        """The shapes of the inputs by name."""
        return {value.name: _shape(value) for value in self.graph.inputs}

    @property
    def outputs(self) -> dict[str, Shape]:
        """The shapes of the outputs by name."""
        return {o.name: _shape(o.value) for o in self.graph.outputs if not o.training}

    @property
    def training_outputs(self) -> dict[str, Shape]:
        """The shapes of the further outputs that the network has in training."""
        return {o.name: _shape(o.value) for o in self.graph.outputs if o.training}

    @property
    def values(self) -> list[TensorInfo]:
        """Every tensor, inputs first, in the order of computation. Names are paths, each unique."""
        return [TensorInfo(name, _shape(value)) for name, value in self.graph.named_values()]

    @property
    def nodes(self) -> list[NodeInfo]:
        """Every operation, in the order of computation."""
        found = []
        names = self.graph.node_names()
        for node in self.graph.nodes:
            operation = node.operation
            name = names[node]
            shape = _shape(node.outputs[0])
            count = operation.parameter_count
            block = node.scope.unit.name
            found.append(NodeInfo(name, block, operation.name, shape, count, operation.macs))
        return found

    @property
    def blocks(self) -> list[BlockInfo]:
        """Every use of a block, outer ones before inner ones."""
        from archdsl.ir.costs import by_scope

        return [
            BlockInfo(
                ".".join(scope.path),
                scope.unit.name,
                _shape(tensors(scope.outputs)[0]),
                cost.params,
                cost.macs,
            )
            for scope, cost in by_scope(self.graph).items()
            if scope.parent is not None
        ]

    @cached_property
    def warnings(self) -> list[Diagnostic]:
        """Warnings with their spans; `str` of one is its text."""
        return self.spec.warnings([self])

    # What it costs

    @property
    def params(self) -> int:
        """Number of trainable parameters."""
        return self._total.params

    @property
    def macs(self) -> int:
        """Multiply-accumulates for one sample in inference, by convolutions and matrix products."""
        return self._total.macs

    @property
    def depth(self) -> int:
        """Layers with a trainable matrix on the longest way from an input to an output."""
        return self._total.depth

    def table(
        self, depth: str = "stages", batch: int = 1, dtype: str = "float32"
    ) -> list[PartInfo]:
        """The network part by part; `depth` is stages, blocks or primitives.

        Each operation is in one row, so that every column of costs adds up to the network's. The
        memory is that of activations of `dtype` for `batch` samples. pandas takes the list as it
        is: `DataFrame(network.table())`.
        """
        from archdsl.ir import memory, receptive
        from archdsl.ir import parts as rows

        with all_mistakes():
            _one_of(depth, rows.DEPTHS)
            bytes_ = memory.SIZES[_one_of(dtype, memory.SIZES)] * batch
        seen = receptive.sights(self.graph)
        found = []
        for row in rows.rows(self.graph, depth):
            sights = seen.get(row.outputs[0], ())
            found.append(
                PartInfo(
                    row.name, row.stage, row.block, row.kind, _shape(row.outputs[0]), row.params,
                    row.macs, row.activations * bytes_, row.training,
                    tuple(None if s.stride is None else receptive.plain(s.stride) for s in sights),
                    tuple(sight.field for sight in sights),
                    any(sight.everything for sight in sights),
                )
            )  # fmt: skip
        return found

    def explain(self, part: str | None = None, *, format: str = "text") -> str:
        """The origin of its numbers, as `archdsl explain` prints it; `format` is text or json.

        With a `part` just that: a line, a row (`body.stage3`), a use of a block, a primitive, with
        the primitives it is made of.
        """
        from archdsl.reports.explain import facts, text

        with all_mistakes():
            _one_of(format, ("text", "json"))
        if part is None:
            sections = facts.explain(self.graph, self._parameters)
        else:
            found = facts.explain_part(self.graph, part)
            if found is None:
                raise DiagnosticError([self._no_part(part)])
            sections = [found]
        write = text.as_json if format == "json" else text.as_text
        return write(self.graph, sections)

    def _no_part(self, name: str) -> Diagnostic:
        from archdsl.reports.explain.facts import names

        known = names(self.graph)
        near = nearest(name, known)
        lines = ", ".join(dict.fromkeys(part.stage for part in self.table()))
        hint = f"did you mean `{near}`?" if near else f"its parts are {lines} and parts of these"
        return errors.UnknownPart(Span(Source("PART", name), 0, len(name)), network=self.name,
                                 name=name, hint=hint)  # fmt: skip

    # What is made of it

    def summary(
        self,
        depth: str = "stages",
        *,
        batch: int = 1,
        dtype: str = "float32",
        sort: str | None = None,
        format: str = "text",
        width: int | None = None,
    ) -> str:
        """A table with shapes and costs, and the totals, as `archdsl summary` prints it.

        `depth`, `batch` and `dtype` are as for `table`. `sort` is params, macs, memory, field or
        name; `format` text, json, csv, markdown or latex; `width` the columns of a text.
        """
        from archdsl.ir import memory
        from archdsl.ir import parts as rows
        from archdsl.reports.summary.forms import FORMS
        from archdsl.reports.summary.text import SORTS, WIDTH, Summary

        with all_mistakes():
            _one_of(depth, rows.DEPTHS)
            _one_of(dtype, memory.SIZES)
            _one_of(sort or "name", SORTS)
            _one_of(format, ("text", *FORMS))
        summary = Summary(self.graph, self._total, depth, batch, dtype, sort)
        return summary.text(width or WIDTH) if format == "text" else FORMS[format](summary)

    def view(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        format: str | None = None,
        depth: str = "stages",
        open: Collection[str] = (),
    ) -> str:
        """A picture; its text, and with a path a file, whose ending is the format if none is given.

        `format` is svg (also where nothing says), html, dot or mmd; `depth` is stages, blocks or
        primitives; `open` are names of rows and blocks that are open besides.
        """
        from archdsl.reports.view.drawing import draw, format_of

        if path is None:
            return draw(self.graph, format or "svg", depth, open)
        with all_mistakes():
            form = format or format_of(os.fspath(path))
        text = draw(self.graph, form, depth, open)
        write(os.fspath(path), text.encode())
        return text

    def source(self, class_name: str | None = None) -> str:
        """The text of a standalone PyTorch module. Does not need torch."""
        from archdsl.backends.pytorch.source import generate

        if class_name is not None:
            with all_mistakes():
                check_class_name(class_name, None)
        make: Callable[..., str] = generate
        return make(self.graph, spec=self.spec.name, class_name=class_name)

    def onnx(
        self,
        path: str | os.PathLike[str],
        *,
        opset: int | None = None,
        seed: int = 0,
        weights: str | os.PathLike[str] | Mapping[str, Any] | bool = True,
        fold: bool | None = None,
        dtype: str = "float32",
        dynamic: str = "batch",
        external_data: str = "auto",
        functions: bool = False,
        progress: Progress = untold,
    ) -> int:
        """Write the ONNX graph to a file; the number of its nodes. Does not need torch.

        `weights` is true for random ones, drawn from `seed`; a checkpoint file, or a
        `state_dict`; or false, and they are inputs of the graph. `fold` puts batch
        normalisation into the layer before, by default where there are weights. `progress` is
        called with what is being done and the part of it that is done. The rest is as on the
        command line (docs/onnx.md).
        """
        from archdsl.backends.onnx import export

        content = export(
            self.graph,
            os.fspath(path),
            spec=self.spec.name,
            opset=opset,
            seed=seed,
            weights=os.fspath(weights) if isinstance(weights, os.PathLike) else weights,
            fold=fold,
            dtype=dtype,
            dynamic=dynamic,
            external_data=external_data,
            functions=functions,
            progress=progress,
        )
        return len(content.nodes)

    def module(self) -> nn.Module:
        """A live module: the class that `source` writes, with fresh weights. Needs torch."""
        from archdsl.api.load_source import import_class

        try:
            import torch  # noqa: F401
        except ImportError:
            raise ImportError("a live module needs torch: pip install 'archdsl[torch]'") from None
        network: nn.Module = import_class(self.source(), self.name, self.class_name)()
        return network


@contextmanager
def all_mistakes() -> Iterator[None]:
    """Gives a single diagnostic the form in which users get them."""
    try:
        yield
    except Diagnostic as problem:
        raise DiagnosticError([problem]) from None
    except RecursionError:
        raise DiagnosticError([errors.NestedTooDeep(limit=limits.NESTING)]) from None


def diff(a: Network, b: Network, *, batch: int = 1, dtype: str = "float32") -> Difference:
    """Differences between two networks by stage; `same` if there are none.

    `batch` and `dtype` are those of the activations whose memory is compared.
    """
    from archdsl.ir import memory
    from archdsl.reports.diff.compare import difference

    with all_mistakes():
        _one_of(dtype, memory.SIZES)
    return difference(a.graph, b.graph, batch, dtype)


def source_of(name: str) -> Source:
    """The text of a file, or of the shipped spec of this name."""
    with all_mistakes():
        if os.path.exists(name):
            return read(name, name)
        path = _shipped(name)
        return read(path, os.path.basename(path))


def shipped_names() -> list[str]:
    """Names of the shipped specs."""
    files = os.listdir(resources.SPECS)
    return sorted(name.removesuffix(".arch") for name in files if name.endswith(".arch"))


def _standing(unit: Unit, input: Shapes | None) -> Unit:
    """An arch as it is, a block with the shapes of its inputs. Raises a diagnostic."""
    if unit.kind == "block":
        from archdsl.frontend.standalone import standing

        return standing(unit, input)
    if input is not None:
        raise errors.ShapesOfArch(arch=unit.name)
    return unit


def _shipped(name: str) -> str:
    """The path of a shipped spec, or standard block."""
    plain = name.removesuffix(".arch")
    known = shipped_names()
    if plain in known:
        return os.path.join(resources.SPECS, plain + ".arch")
    if plain in standard_names():
        return os.path.join(resources.STANDARD, plain + ".arch")
    near = nearest(os.path.basename(plain), [*known, *standard_names()])
    hint = f"did you mean the shipped spec `{near}`?" if near else ""
    raise errors.NoSuchSpec(name=name, hint=hint)


def _shape(value: Value) -> Shape:
    return ("N", *value.shape)


def _one_of(value: str, known: Iterable[str]) -> str:
    if value not in known:
        raise errors.WrongValue(expected=f"one of {', '.join(known)}", value=repr(value))
    return value


def _plain(value: Any) -> Any:
    """A value of Python as one of the language."""
    if value is None or type(value) in (bool, int, float):
        return value
    if isinstance(value, tuple | list):
        return type(value)([_plain(item) for item in value])
    if hasattr(value, "item"):  # a number of numpy or torch
        return _plain(value.item())
    expected = "a number, true, false, none, a tuple or list of these, or an expression as text"
    raise errors.WrongValue(expected=expected, value=repr(value))


def _shown(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, tuple | list):
        return type(value)([_shown(item) for item in value])
    return str(value)
