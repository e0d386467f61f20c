"""Arguments of primitives: texts of values for each kind of parameter."""

from __future__ import annotations

from random import Random

from hypothesis import strategies as st

from archdsl.ops import OPERATIONS, Operation
from archdsl.ops.base import REQUIRED, Parameter
from archdsl.ops.initialisation import BIAS_INIT, INIT, VECTOR_INIT
from archdsl.ops.kinds import (  # fmt: skip
    AXES,
    AXIS,
    COUNT,
    FLAG,
    INTEGER,
    NATURAL,
    NUMBER,
    ODD,
    POSITIVE,
)
from archdsl.ops.padding import MARGIN, PADDING

_SCHEMES = (
    "zeros", "ones", "normal(0.1)", "normal(mean=0.1, std=0.2)", "truncated_normal(0.2)",
    "truncated_normal(0.2, mean=-0.5)", "uniform(0.3)", "0.5",
)  # fmt: skip
_WEIGHTS = ("kaiming_normal(fan_out)", "kaiming_uniform", "xavier_normal", "xavier_uniform")

VALUES = {
    COUNT.title: ("1", "2", "3", "4", "6", "8", "2 * 3", "max(2, 4)", "divisible(5, 2)"),
    NATURAL.title: ("0", "1", "2"),
    INTEGER.title: ("0", "1", "2", "-1", "-2"),
    ODD.title: ("1", "3", "5"),
    AXES.title: ("1", "2", "3", "5"),
    AXIS.title: ("0", "1", "-1"),
    FLAG.title: ("true", "false"),
    NUMBER.title: ("0.25", "1", "-0.5", "2"),
    POSITIVE.title: ("0.5", "1", "1e-3", "2"),
    MARGIN.title: ("0", "1", "2"),
    PADDING.title: ("keep", "same", "valid", "0", "1"),
    INIT.title: (*_SCHEMES, "fan_uniform(fan_in)", *_WEIGHTS),
    BIAS_INIT.title: (*_SCHEMES, "fan_uniform(fan_in)"),
    VECTOR_INIT.title: _SCHEMES,
}
"""Texts of values by the title of a kind."""

OWN = {
    ("split", "sizes"): ("2", "3", "[1, 2]", "[2, 2]"),
    ("pad", "p"): ("1", "(1, 2)", "((0, 1), (2, 0))", "((1, 0), 1)"),
    ("permute", "axes"): ("(1, 0)", "(0, 2, 1)", "(2, 0, 1)", "(1, 0, 2)", "(3, 1, 2, 0)"),
    ("reshape", "shape"): ("(2, -1)", "(-1, 4)", "(2, 2, -1)", "(4, -1, 3)", "(1, -1)"),
    ("slice", "start"): ("0", "1", "2", "-1", "-2", "(0, 1)", "(1, -3)"),
    ("slice", "stop"): ("1", "2", "-1", "-2", "3", "(none, -1)", "(4, 3)"),
    ("slice", "axis"): ("0", "1", "-1", "(1, 0)", "(0, -1)", "(2, 1)", "(-1, -2)"),
    ("slice", "step"): ("1", "2", "3", "(1, 2)", "(2, 3)"),
    ("resize", "scale"): ("2", "0.5", "1.5", "(2, 1)"),
    ("dropout", "rate"): ("0", "0.2", "0.5", "1"),
    ("drop_path", "rate"): ("0", "0.1", "0.5"),
    ("bn", "momentum"): ("0.01", "0.1", "1"),
    ("lrn", "k"): ("0.5", "1", "2"),  # nearer to 0 rounding shows, no defect
    ("leaky_relu", "slope"): ("0.01", "0.2", "0"),
}
"""Texts for parameters whose kind does not tell enough."""


def values(operation: type[Operation], parameter: Parameter) -> tuple[str, ...]:
    """Texts of values that a parameter may take; shapes may still forbid one."""
    own = OWN.get((operation.name, parameter.name))
    if own is None:
        own = parameter.kind.words or VALUES[parameter.kind.title]
        if parameter.kind.title in VALUES:
            own = VALUES[parameter.kind.title]
    return own


def call(random: Random, operation: type[Operation], share: float = 0.3) -> str:
    """A use of a primitive: what is required, and this share of the rest."""
    parts = []
    named = False
    for parameter in operation.parameters.values():
        if parameter.default is REQUIRED or random.random() < share:
            value = random.choice(values(operation, parameter))
            if named or parameter.default is not REQUIRED or random.random() < 0.5:
                value, named = f"{parameter.name}={value}", True
            parts.append(value)
    text = f"({', '.join(parts)})" if parts or random.random() < 0.1 else ""
    return operation.name + text


def arguments(name: str) -> st.SearchStrategy[str]:
    """Uses of a primitive with other arguments each, such as `conv(4, k=3)`."""
    operation = OPERATIONS[name]
    return st.randoms(use_true_random=False).map(lambda random: call(random, operation))
