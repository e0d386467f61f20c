"""Operations that act only in training, and the identity. They preserve the shape."""

from __future__ import annotations

from archdsl.ops.base import ANY_RANK, Operation, Shape, parameter
from archdsl.ops.kinds import FRACTION, RATE


class _Unchanged(Operation):
    ranks = ANY_RANK
    view = True

    def shapes(self, *inputs: Shape) -> tuple[Shape, ...]:
        return inputs


class Dropout(_Unchanged):
    """In training, each number is 0 with probability `rate`, and divided by 1 - rate otherwise.

    Srivastava et al., JMLR 2014.
    """

    name = "dropout"
    elementwise = True
    rate: float = parameter(FRACTION, "probability of 0", 0.5)


class DropPath(_Unchanged):
    """In training, each sample is 0 with probability `rate`, and divided by 1 - rate otherwise.

    Stochastic depth. Huang et al., ECCV 2016.
    """

    name = "drop_path"
    elementwise = True
    rate: float = parameter(RATE, "probability of 0", 0)


class Identity(_Unchanged):
    """The tensor as it is."""

    name = "identity"
    elementwise = True
