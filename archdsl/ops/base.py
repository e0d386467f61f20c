"""Base class of operations: parameters, shape rule, weights and multiply-accumulates.

Operations know shapes and numbers. They know no spans, no backends and no blocks: a mistake is
raised as a diagnostic without a place, with the name of the argument at fault.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any, ClassVar, NamedTuple

from archdsl.diagnostics import errors
from archdsl.ops.reach import SAME, Reach
from archdsl.support.records import Record

Shape = tuple[int, ...]
"""Channels, then the sizes of the spatial axes; the batch is left out. A flat vector is `(C,)`."""

LARGEST_TENSOR = 2**40
"""No tensor of one sample has more numbers."""

REQUIRED: Any = object()

ANY_RANK = (0, 1, 2, 3, 4, 5)
"""For operations that do not look at what the axes mean; `reshape` can make up to five."""


class Word(Record):
    """A word of the language as a value: `same`, `bilinear`, `kaiming_normal(fan_out)`."""

    name: str
    arguments: tuple[object, ...] = ()

    def __str__(self) -> str:
        return self.name + (f"({', '.join(map(str, self.arguments))})" if self.arguments else "")


class Weight(NamedTuple):
    """A tensor that an operation owns, named as in a PyTorch `state_dict`.

    `init` is a scheme (see `initialisation.py`). Buffers (running statistics) are not trainable.
    """

    name: str
    shape: Shape
    init: Word
    trainable: bool = True


class Kind(NamedTuple):
    """A type of argument: what it is called, the words it knows, and how a value is read.

    `read(value, rank)` gives the concrete value for maps with `rank` spatial axes, or raises
    `errors.WrongValue`, or one of its kin, without a place.
    """

    title: str
    read: Callable[[Any, int], Any]
    words: tuple[str, ...] = ()
    per_axis: bool = False
    """One value for all axes, or a tuple with one for each."""

    def merged(self, value: Any) -> Any:
        """A value that was read as people write it: one number where all axes have the same."""
        return _merged(value) if self.per_axis else value


class Parameter(NamedTuple):
    """A parameter of an operation."""

    name: str
    kind: Kind
    doc: str
    default: Any = REQUIRED


def parameter(kind: Kind, doc: str, default: Any = REQUIRED) -> Any:
    """Declare a parameter in the body of an operation; words are given as text."""
    return Parameter("", kind, doc, Word(default) if isinstance(default, str) else default)


class Operation:
    """A primitive applied to inputs of known shapes. Immutable; the attributes are concrete.

    Attributes named as the parameters hold the concrete values (per-axis ones as tuples). A
    subclass gives `shapes`, and where they are not empty `make_weights` and `count_macs`.
    """

    name: ClassVar[str]
    tensors: ClassVar[tuple[str, ...]] = ("x",)
    """The names of the tensors it takes. `*xs` is one or more of them, `like?` may be left out."""
    parameters: ClassVar[dict[str, Parameter]] = {}
    """In positional order: a class's own ones, then those of its bases."""
    operator: ClassVar[bool] = False
    """True if it only joins, parts or rearranges tensors: an expression rather than a layer."""
    elementwise: ClassVar[bool] = False
    """True if it treats every number alike: flattening may come before it or after."""
    gives_list: ClassVar[bool] = False
    """True if what comes out is a list also where it is one tensor."""
    view: ClassVar[bool] = False
    """Whether, in inference, it only hands on numbers that are there: what it gives is no copy."""
    in_place: ClassVar[bool] = False
    """True if a number of the result can be written over the one that it is made of."""
    flattens: ClassVar[bool] = False
    """True if it takes a flat vector and a 1x1 map may stand for one."""
    ranks: ClassVar[tuple[int, ...]] = (1, 2, 3)
    """The numbers of spatial axes it takes; 0 is a flat vector."""

    required: ClassVar[tuple[Parameter, ...]] = ()
    _needed: ClassVar[tuple[str, ...]] = ("x",)
    _defaults: ClassVar[dict[int, dict[str, Any]]] = {}

    inputs: tuple[Shape, ...]
    outputs: tuple[Shape, ...]
    weights: tuple[Weight, ...]
    macs: int

    def __init_subclass__(cls) -> None:
        own = {k: v._replace(name=k) for k, v in vars(cls).items() if isinstance(v, Parameter)}
        cls.parameters = {**own, **{k: v for k, v in cls.parameters.items() if k not in own}}
        cls.required = tuple(p for p in cls.parameters.values() if p.default is REQUIRED)
        cls._needed = tuple(name for name in cls.tensors if not name.endswith("?"))
        cls._defaults = {}

    def __init__(self, inputs: tuple[Shape, ...], arguments: dict[str, Any]) -> None:
        """Apply to inputs of these shapes. `arguments` has known names alone."""
        if len(inputs) < len(self._needed):
            missing = self._needed[len(inputs)].lstrip("*")
            raise errors.MissingTensor(callee=self.name, tensor=missing)
        rank = len(inputs[0]) - 1
        defaults = self._defaults.get(rank)
        content = self.__dict__
        content.update(self._read_defaults(inputs[0]) if defaults is None else defaults)
        problems: list[errors.Diagnostic] = []
        for name, value in arguments.items():
            try:
                content[name] = self.read(name, value, rank)
            except errors.Diagnostic as problem:
                problems.append(problem)
        if problems:
            problems[0].others = problems[1:]
            raise problems[0]
        for parameter in self.required:
            if parameter.name not in arguments:
                raise errors.MissingArgument(
                    callee=self.name, parameter=parameter.name, doc=parameter.doc, hint=""
                )
        content["inputs"] = inputs
        content["outputs"] = outputs = self.shapes(*inputs)
        for shape in outputs:
            if prod(shape) > LARGEST_TENSOR:
                raise errors.TooLarge(value=shape_text(shape), limit=LARGEST_TENSOR)
        content["weights"] = self.make_weights(*inputs)
        content["macs"] = self.count_macs(*inputs)

    @classmethod
    def read(cls, name: str, value: Any, rank: int) -> Any:
        """The concrete value for a parameter, for maps with `rank` spatial axes."""
        parameter = cls.parameters[name]
        if value is None and parameter.default is None:
            return None
        try:
            return parameter.kind.read(value, rank)
        except errors.Diagnostic as problem:
            problem.argument = problem.argument or name
            if problem.values.get("subject") == "":
                problem.values["subject"] = f" for `{name}` of `{cls.name}`"
            raise

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("operations are immutable")

    def shapes(self, *inputs: Shape) -> tuple[Shape, ...]:
        """The shapes of the outputs; raises a diagnostic where the inputs do not fit.

        Runs once, while the operation is made, and may `_settle` what follows from the shapes.
        """
        raise NotImplementedError

    def make_weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        """The tensors it owns."""
        return ()

    def count_macs(self, *inputs: Shape) -> int:
        """Multiply-accumulates for one sample; convolutions and matrix products count."""
        return 0

    def reach(self, axis: int, output: int) -> Reach | None:
        """Which positions of an input one of an output depends on, along a spatial axis from 0.

        None where it is on all, or where the axes of the output are not those of the input.
        """
        return SAME

    @property
    def rank(self) -> int:
        """Number of spatial axes of the first input."""
        return len(self.inputs[0]) - 1

    @property
    def parameter_count(self) -> int:
        """Number of trainable parameters."""
        return sum(prod(w.shape) for w in self.weights if w.trainable)

    def argument(self, name: str) -> Any:
        """An argument as people write it: one number where all axes have the same."""
        return self.parameters[name].kind.merged(getattr(self, name))

    def given(self, name: str) -> Any:
        """An argument for maps of any size, where `shapes` has settled what it is for this one."""
        return getattr(self, name)

    def changed(self) -> dict[str, Any]:
        """The arguments that differ from the defaults, as people write them."""
        defaults = self._defaults[self.rank]
        found = {}
        for name, parameter in self.parameters.items():
            value = parameter.kind.merged(self.given(name))
            if name not in defaults or value != parameter.kind.merged(defaults[name]):
                found[name] = value
        return found

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={getattr(self, name)}" for name in self.parameters)
        return f"{self.name}({values})"

    def _settle(self, **values: Any) -> None:
        """Set attributes that take the shapes to know."""
        self.__dict__.update(values)

    @classmethod
    def _read_defaults(cls, shape: Shape) -> dict[str, Any]:
        """The concrete defaults for the rank of this shape, from now on kept for it."""
        rank = len(shape) - 1
        if rank not in cls.ranks:
            raise cls.refusal(shape)
        cls._defaults[rank] = {
            name: None if default is None else kind.read(default, rank)
            for name, kind, _, default in cls.parameters.values()
            if default is not REQUIRED
        }
        return cls._defaults[rank]

    @classmethod
    def refusal(cls, shape: Shape) -> errors.Diagnostic:
        """The error for a first input of unsupported rank."""
        names = [form_text(rank) for rank in cls.ranks]
        text = " or ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
        return errors.WrongRank(
            about={0: "shape"},
            operation=cls.name,
            ranks=text,
            shape=tensor_text(shape),
            fix=_other_rank(cls, shape),
        )


def _merged(value: Any) -> Any:
    """One number in place of a tuple of equal ones; pairs in a tuple first."""
    if not isinstance(value, tuple):
        return value
    items = tuple(map(_merged, value))
    same = len(set(items)) == 1 and not isinstance(items[0], tuple)
    return items[0] if same else items


def _other_rank(kind: type[Operation], shape: Shape) -> str:
    """The conversion of a tensor of this shape to a supported rank."""
    if len(shape) > 1 and 0 in kind.ranks:
        return "`-> flatten` turns a map into a vector"
    if len(shape) == 1 and kind.ranks:
        ones = ", 1" * max(1, min(kind.ranks))
        return f"`-> reshape(({shape[0]}{ones}))` turns a vector into a map"
    return ""


def shape_text(shape: Shape) -> str:
    """A shape as people write it: `24x56x56`."""
    return "x".join(map(str, shape))


def tensor_text(shape: Shape, noun: str = "tensor") -> str:
    """A tensor of this shape, with its article."""
    if len(shape) == 1:
        return f"a vector of {shape[0]}"
    article = "an" if shape_text(shape)[:1] == "8" or shape[0] in (11, 18) else "a"
    return f"{article} {shape_text(shape)} {noun}"


def form_text(rank: int) -> str:
    """Description of a tensor with this number of spatial axes."""
    return f"a {rank}-D map" if rank else "a flat vector"


def axis_text(axis: int, rank: int) -> str:
    """Name of an axis, where 0 is the channels."""
    if axis == 0:
        return "channels"
    return ("depth", "height", "width")[axis - rank - 1] if rank <= 3 else f"axis {axis}"


def extent_text(shape: Shape, axis: int) -> str:
    """The size of one axis in words: `24 channels`, `height 7`."""
    name = axis_text(axis, len(shape) - 1)
    return f"{shape[axis]} channels" if axis == 0 else f"{name} {shape[axis]}"
