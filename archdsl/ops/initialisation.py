"""Initializers of weights: schemes, arguments and resulting distributions.

Nothing is drawn here. A scheme is a `Word` with concrete arguments; backends write it in their own
terms, or draw from what `distribution` makes of it.
"""

from __future__ import annotations

from math import prod, sqrt
from typing import Any, NamedTuple

from archdsl.diagnostics import errors
from archdsl.ops.base import REQUIRED, Kind, Parameter, Shape, Word
from archdsl.ops.kinds import NUMBER, POSITIVE, describe, number, words


class Scheme(NamedTuple):
    """Parameters and description of a scheme."""

    doc: str
    parameters: tuple[Parameter, ...] = ()


_FANS = words("fan_in", "fan_out", "fan_out_per_group")
"""The inputs of one output, the outputs of one input, and the latter without other groups."""

_FAN = Parameter("fan", _FANS, "which connections to count", Word("fan_in"))
_KAIMING = (_FAN, Parameter("gain", POSITIVE, "sqrt(2) suits relu, 1 no activation", sqrt(2)))
_XAVIER = (Parameter("gain", POSITIVE, "1 suits no activation, 5/3 tanh", 1.0),)
_STD = Parameter("std", POSITIVE, "standard deviation")
_MEAN = Parameter("mean", NUMBER, "mean", 0)
_WITHIN = Parameter("mean", number("a number between -2 and 2", -2, 2), "mean", 0)

SCHEMES: dict[str, Scheme] = {
    "default": Scheme("as PyTorch's own layer does: fan_uniform(fan_in), biases too"),
    "zeros": Scheme("0"),
    "ones": Scheme("1"),
    "constant": Scheme("one number", (Parameter("value", NUMBER, "the number"),)),
    "normal": Scheme("normal", (_STD, _MEAN)),
    "truncated_normal": Scheme("normal, drawn again outside of -2 and 2", (_STD, _WITHIN)),
    "uniform": Scheme(
        "uniform in -bound to bound", (Parameter("bound", POSITIVE, "largest value"),)
    ),
    "fan_uniform": Scheme(
        "uniform with bound 1 / sqrt(fan); fan_out is EfficientNet's classifier", (_FAN,)
    ),
    "kaiming_normal": Scheme(
        "normal with std gain / sqrt(fan) (He et al., ICCV 2015); "
        "fan_out_per_group is TensorFlow's and timm's EfficientNet",
        _KAIMING,
    ),
    "kaiming_uniform": Scheme(
        "uniform with bound gain sqrt(3 / fan) (He et al., ICCV 2015)", _KAIMING
    ),
    "xavier_normal": Scheme(
        "normal with std gain sqrt(2 / (fan_in + fan_out)) (Glorot & Bengio, AISTATS 2010)",
        _XAVIER,
    ),
    "xavier_uniform": Scheme(
        "uniform with bound gain sqrt(6 / (fan_in + fan_out)) (Glorot & Bengio, AISTATS 2010)",
        _XAVIER,
    ),
}

_VECTOR = ("zeros", "ones", "constant", "normal", "truncated_normal", "uniform")
"""The schemes that ask for no fan, and so suit any tensor."""


def _kind(title: str, names: tuple[str, ...]) -> Kind:
    expected = f"{title}: a number or one of {', '.join(names)}"
    inner = tuple(
        word
        for word in _FANS.words
        if any(p.kind is _FANS for name in names for p in SCHEMES[name].parameters)
    )

    def read(value: Any, rank: int) -> Word:
        if not isinstance(value, Word):
            constant: float = NUMBER.read(value, rank)
            return _constant(constant)
        if value.name not in names:
            raise errors.WrongValue(expected=expected, value=describe(value))
        return _read(value, rank)

    return Kind(expected, read, names + inner)


def _read(value: Word, rank: int) -> Word:
    """The same scheme with all of its arguments, concrete."""
    parameters = SCHEMES[value.name].parameters
    if len(value.arguments) > len(parameters):
        takes = ", ".join(p.name for p in parameters)
        raise errors.WrongValue(
            expected=f"`{value.name}({takes})`", value=f"`{describe(value)}`"
        )
    concrete: list[Any] = []
    for index, (name, kind, doc, default) in enumerate(parameters):
        given = value.arguments[index] if index < len(value.arguments) else default
        if given is REQUIRED:
            hint = f"write {value.name}({name})"
            raise errors.MissingArgument(callee=value.name, parameter=name, doc=doc, hint=hint)
        try:
            concrete.append(kind.read(given, rank))
        except errors.WrongValue as problem:
            problem.values["subject"] = f" for `{name}` of `{value.name}`"
            raise
    if value.name == "constant":
        return _constant(concrete[0])
    if parameters[-1:] in ((_MEAN,), (_WITHIN,)) and concrete[-1] == 0:
        concrete.pop()  # one spelling for what is around 0
    return Word(value.name, tuple(concrete))


def shortest(scheme: Word) -> Word:
    """A scheme without the arguments at its end that equal the defaults."""
    parameters = SCHEMES[scheme.name].parameters
    arguments = scheme.arguments
    while arguments:
        _, kind, _, default = parameters[len(arguments) - 1]
        if default is REQUIRED or arguments[-1] != kind.read(default, 0):
            break
        arguments = arguments[:-1]
    return Word(scheme.name, arguments)


def _constant(value: float) -> Word:
    """One spelling for each constant."""
    if value in (0, 1):
        return ONES if value else ZEROS
    return Word("constant", (value,))


ZEROS = Word("zeros")
ONES = Word("ones")

INIT = _kind("an initializer", tuple(SCHEMES))
"""For the weights of convolutions and linear layers; read as a `Word` with all its arguments."""
BIAS_INIT = _kind("a bias initializer", ("default", *_VECTOR, "fan_uniform"))
"""For their biases; the fans are those of the weight."""
VECTOR_INIT = _kind("a vector initializer", _VECTOR)
"""For scales and the like, which have no fans."""


def distribution(scheme: Word, weight: Shape, groups: int = 1) -> Word:
    """What to draw from: constant(v), normal(std, mean), truncated_normal(std, mean) or
    uniform(bound); a mean of 0 is left out.

    `weight` is the shape of the layer's weight (also for its bias), counted as PyTorch counts:
    fan_in is the second size times the kernel's, fan_out the first times the kernel's.
    """
    if scheme in (ZEROS, ONES):
        return Word("constant", (1.0 if scheme == ONES else 0.0,))
    if scheme.name in _VECTOR:
        return scheme
    window = prod(weight[2:])
    fans = {"fan_in": weight[1] * window, "fan_out": weight[0] * window}
    fans["fan_out_per_group"] = fans["fan_out"] // groups
    arguments: tuple[Any, ...] = scheme.arguments
    match scheme.name:
        case "default":
            return Word("uniform", (1 / sqrt(fans["fan_in"]),))
        case "fan_uniform":
            return Word("uniform", (1 / sqrt(fans[arguments[0]]),))
        case "kaiming_normal":
            return Word("normal", (arguments[1] / sqrt(fans[arguments[0]]),))
        case "kaiming_uniform":
            return Word("uniform", (arguments[1] * sqrt(3 / fans[arguments[0]]),))
        case "xavier_normal":
            return Word("normal", (arguments[0] * sqrt(2 / (fans["fan_in"] + fans["fan_out"])),))
        case "xavier_uniform":
            return Word("uniform", (arguments[0] * sqrt(6 / (fans["fan_in"] + fans["fan_out"])),))
    raise AssertionError(scheme)
