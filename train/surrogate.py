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

from lifline.errors import InputError


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


def of(function: Any) -> Surrogate:
    """`function` as a surrogate: one of ours, or another library's, such as ``snntorch.surrogate.atan()``.

    Parameters
    ----------
    function : Surrogate or callable
        From a tensor to 1 where it is greater than 0, else 0, with a gradient of its own.

    Raises
    ------
    InputError
        If it is nothing of the kind.
    """
    if isinstance(function, Surrogate):
        return function
    name = getattr(function, "__qualname__", type(function).__name__).removesuffix(".<locals>.inner")
    named = f"{getattr(function, '__module__', '')}.{name}".lstrip(".")
    hint = "give one of lifline.train.surrogate, such as atan(), or a step function such as snntorch.surrogate.atan()"
    if not callable(function) or isinstance(function, type):
        raise InputError(f"spike_grad must be a surrogate, not {function!r}: {hint}")

    def derivative(x: Tensor) -> Tensor:
        with torch.enable_grad():
            at = x.detach().requires_grad_()
            (gradient,) = torch.autograd.grad(function(at).sum(), at)
        return gradient

    x = torch.tensor([-1.0, -0.25, 0.0, 0.25, 1.0])
    try:
        steps, slope = function(x.clone().requires_grad_()), derivative(x)
    except Exception as error:  # whatever another library's function meets
        raise InputError(f"spike_grad: {named} is no surrogate: {error}; {hint}") from None
    if not torch.equal(torch.as_tensor(steps).detach(), (x > 0).float()) or not slope.isfinite().all():
        raise InputError(f"spike_grad: {named} does not give 1 above 0 and 0 elsewhere: {hint}")
    return Surrogate(f"{named}()", derivative)


#: Those that have a sharpness, by name; it is their first parameter.
SURROGATES: dict[str, Callable[[float], Surrogate]] = {
    function.__name__: function for function in (fast_sigmoid, atan, triangle)
}
