"""Activations: functions of each number by itself, and softmax. They keep the shape."""

from __future__ import annotations

from archdsl.ops.base import ANY_RANK, Operation, Shape, Weight, Word, parameter
from archdsl.ops.initialisation import VECTOR_INIT
from archdsl.ops.kinds import AXIS, FLAG, NUMBER
from archdsl.ops.reach import SAME, Reach


class _Activation(Operation):
    """A function that keeps the shape and counts no MACs."""

    ranks = ANY_RANK
    elementwise = True
    in_place = True

    def shapes(self, *inputs: Shape) -> tuple[Shape, ...]:
        return inputs


class Relu(_Activation):
    """max(x, 0)."""

    name = "relu"


class Relu6(_Activation):
    """min(max(x, 0), 6)."""

    name = "relu6"


class Silu(_Activation):
    """x * sigmoid(x), also known as swish. Ramachandran et al., 2017."""

    name = "silu"


class Gelu(_Activation):
    """x * P(X <= x) of a normal X. Hendrycks & Gimpel, 2016."""

    name = "gelu"
    approximate: bool = parameter(FLAG, "the formula with tanh, as in the paper's section 2", False)


class Sigmoid(_Activation):
    """1 / (1 + e^-x)."""

    name = "sigmoid"


class Tanh(_Activation):
    """The hyperbolic tangent."""

    name = "tanh"


class HardSwish(_Activation):
    """x * min(max(x + 3, 0), 6) / 6. Howard et al., ICCV 2019."""

    name = "hard_swish"


class HardSigmoid(_Activation):
    """min(max(x + 3, 0), 6) / 6. Howard et al., ICCV 2019."""

    name = "hard_sigmoid"


class LeakyRelu(_Activation):
    """x above 0, slope * x below."""

    name = "leaky_relu"
    slope: float = parameter(NUMBER, "factor below 0", 0.01)


class Prelu(_Activation):
    """x above 0, weight * x below. He et al., ICCV 2015. Parameters: channels, or 1 if shared."""

    name = "prelu"
    elementwise = False
    shared: bool = parameter(FLAG, "one weight for all channels", False)
    init: Word = parameter(VECTOR_INIT, "how the weight begins", 0.25)

    def make_weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        return (Weight("weight", (1,) if self.shared else inputs[0][:1], self.init),)


class Elu(_Activation):
    """x above 0, alpha * (e^x - 1) below. Clevert et al., ICLR 2016."""

    name = "elu"
    alpha: float = parameter(NUMBER, "minus the limit far below 0", 1)


class Mish(_Activation):
    """x * tanh(log(1 + e^x)). Misra, BMVC 2020."""

    name = "mish"


class Softmax(_Activation):
    """e^x divided by the sum of e^x along an axis."""

    name = "softmax"
    elementwise = False
    in_place = False
    axis: int = parameter(AXIS, "the axis that adds up to 1; 0 is the channels", 0)

    def reach(self, axis: int, output: int) -> Reach | None:
        return None if axis + 1 == self.axis else SAME
