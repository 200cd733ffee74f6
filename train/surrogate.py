"""Surrogate gradients: spikes are exact in the forward pass, and smooth in the backward pass.

Every function here returns a :class:`Surrogate`, called with ``x``, the membrane's distance to its
threshold: the result is ``1`` where ``x > 0`` and ``0`` elsewhere, and its derivative is taken to be a
function that is large near ``x = 0``.  `slope`, `alpha` and `width` are in units of the float model's
membrane (whose threshold is about 1).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


@dataclasses.dataclass(frozen=True)
class Surrogate:
    """A step function with a derivative of its own.

    Parameters
    ----------
    name : str
        How the surrogate and its parameters are written in records of training.
    derivative : callable
        From ``x`` to what stands in for the derivative of the step at ``x``, elementwise.
    """

    name: str
    derivative: Callable[[Tensor], Tensor]

    def __call__(self, x: Tensor) -> Tensor:
        """1 where `x` is greater than 0, else 0."""
        return step(x, self.derivative)


def step(x: Tensor, derivative: Callable[[Tensor], Tensor] | None) -> Tensor:
    """1 where `x` is greater than 0, else 0; `derivative` stands in for its own (None: it is not asked for)."""
    spikes: Tensor = _Step.apply(x, derivative)  # type: ignore[no-untyped-call]
    return spikes


class _Step(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, derivative: Callable[[Tensor], Tensor]) -> Tensor:
        ctx.save_for_backward(x)
        ctx.derivative = derivative
        return (x > 0).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        return gradient * ctx.derivative(x), None


def fast_sigmoid(slope: float = 25.0) -> Surrogate:
    """``1 / (1 + slope·|x|)²``.

    F. Zenke and S. Ganguli, "SuperSpike: Supervised Learning in Multilayer Spiking Neural Networks",
    Neural Computation 30(6), 2018.
    """
    return Surrogate(f"fast_sigmoid(slope={slope:g})", lambda x: 1 / (1 + slope * x.abs()).square())


def atan(alpha: float = 2.0) -> Surrogate:
    """``(alpha / 2) / (1 + (π/2 · alpha · x)²)``, the derivative of an arctangent.

    W. Fang, Z. Yu, Y. Chen, T. Masquelier, T. Huang and Y. Tian, "Incorporating Learnable Membrane Time
    Constant to Enhance Learning of Spiking Neural Networks", ICCV 2021.
    """
    return Surrogate(
        f"atan(alpha={alpha:g})", lambda x: alpha / 2 / (1 + (math.pi / 2 * alpha * x).square())
    )


def triangle(width: float = 1.0, height: float = 1.0) -> Surrogate:
    """``height · max(0, 1 − |x| / width)``.

    S. K. Esser et al., "Convolutional networks for fast, energy-efficient neuromorphic computing", PNAS
    113(41), 2016; damped (``height=0.3``) in G. Bellec, D. Salaj, A. Subramoney, R. Legenstein and
    W. Maass, "Long short-term memory and learning-to-learn in networks of spiking neurons", NeurIPS 2018.
    """
    return Surrogate(
        f"triangle(width={width:g}, height={height:g})",
        lambda x: height * (1 - x.abs() / width).clamp(min=0),
    )


def straight_through() -> Surrogate:
    """``1`` everywhere: the step is taken for the identity.

    Y. Bengio, N. Léonard and A. Courville, "Estimating or Propagating Gradients Through Stochastic Neurons
    for Conditional Computation", arXiv:1308.3432, 2013.
    """
    return Surrogate("straight_through()", torch.ones_like)


#: Those that have a sharpness, by name; it is their first parameter.
SURROGATES: dict[str, Callable[[float], Surrogate]] = {
    function.__name__: function for function in (fast_sigmoid, atan, triangle)
}
