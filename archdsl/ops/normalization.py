"""Normalisation, and learnt scales."""

from __future__ import annotations

from math import prod

from archdsl.diagnostics import errors
from archdsl.ops.base import ANY_RANK, Operation, Shape, Weight, Word, parameter
from archdsl.ops.divisors import check_divides
from archdsl.ops.initialisation import ONES, VECTOR_INIT, ZEROS
from archdsl.ops.kinds import COUNT, FLAG, FRACTION, ODD, POSITIVE, describe, words
from archdsl.ops.reach import Reach


class _Normalization(Operation):
    """(x - mean) / sqrt(variance + eps), times `weight` plus `bias`, one for each channel."""

    affine: bool = parameter(FLAG, "learn a weight and a bias for each channel", True)
    init: Word = parameter(VECTOR_INIT, "how the weight begins", "ones")
    bias_init: Word = parameter(VECTOR_INIT, "how the bias begins", "zeros")

    def shapes(self, *inputs: Shape) -> tuple[Shape, ...]:
        return inputs

    def make_weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        c = inputs[0][:1]
        own = (Weight("weight", c, self.init), Weight("bias", c, self.bias_init))
        return own if self.affine else ()


class BatchNorm(_Normalization):
    """Batch normalisation: mean and variance of each channel over the batch and all positions.

    Running statistics follow as (1 - momentum) * old + momentum * new. Ioffe & Szegedy, ICML 2015.
    Keeps the shape. Parameters: 2 * channels. No MACs.
    """

    name = "bn"
    in_place = True
    ranks = (0, 1, 2, 3)
    eps: float = parameter(POSITIVE, "added to the variance", 1e-5)
    momentum: float = parameter(FRACTION, "weight of the newest batch", 0.1)

    def make_weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        c = inputs[0][:1]
        return (
            *super().make_weights(*inputs),
            Weight("running_mean", c, ZEROS, False),
            Weight("running_var", c, ONES, False),
            Weight("num_batches_tracked", (), ZEROS, False),
        )


class LayerNorm(_Normalization):
    """Layer normalisation: mean and variance over the channels, at each position of each sample.

    Ba et al., 2016. Keeps the shape. Parameters: 2 * channels. No MACs.
    """

    name = "layer_norm"
    ranks = ANY_RANK
    eps: float = parameter(POSITIVE, "added to the variance", 1e-5)


class GroupNorm(_Normalization):
    """Group normalisation: mean and variance over a group of channels and all positions.

    Wu & He, ECCV 2018. Keeps the shape. Parameters: 2 * channels. No MACs.
    """

    name = "group_norm"
    ranks = (0, 1, 2, 3)
    groups: int = parameter(COUNT, "groups of channels")
    eps: float = parameter(POSITIVE, "added to the variance", 1e-5)

    def shapes(self, *inputs: Shape) -> tuple[Shape, ...]:
        channels = inputs[0][0]
        check_divides("groups", self.groups, channels, f"the {channels} channels", {0: "channels"})
        if self.groups == prod(inputs[0]):
            expected = f"fewer groups than the {channels} numbers of a sample"
            raise errors.WrongValue(
                argument="groups", expected=expected, value=describe(self.groups)
            )
        return inputs

    def reach(self, axis: int, output: int) -> Reach | None:
        return None


class LocalResponseNorm(Operation):
    """Local response normalisation: x / (k + alpha * mean of the squares near by) ^ beta.

    The mean is over `size` neighbouring channels at one position, those outside being 0.
    Krizhevsky et al., NeurIPS 2012, who sum instead: their alpha is this one / size.
    Keeps the shape. No parameters, no MACs.
    """

    name = "lrn"
    size: int = parameter(ODD, "neighbouring channels, itself included", 5)
    alpha: float = parameter(POSITIVE, "factor of the mean", 1e-4)
    beta: float = parameter(POSITIVE, "exponent", 0.75)
    k: float = parameter(POSITIVE, "added to the mean", 1)

    def shapes(self, *inputs: Shape) -> tuple[Shape, ...]:
        return inputs


class Scale(Operation):
    """Multiply by a learnt vector, one number for each channel, or by one learnt number.

    Keeps the shape. Parameters: channels, or 1. No MACs.
    """

    name = "scale"
    in_place = True
    ranks = ANY_RANK
    init: Word = parameter(VECTOR_INIT, "how it begins", 1)
    per: str = parameter(words("channel", "number"), "a number for each channel, or one", "channel")

    def shapes(self, *inputs: Shape) -> tuple[Shape, ...]:
        return inputs

    def make_weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        return (Weight("weight", inputs[0][:1] if self.per == "channel" else (1,), self.init),)
