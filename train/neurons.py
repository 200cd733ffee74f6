"""Populations of LIF neurons that learn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

from lifline.errors import InputError
from lifline.neurons import BETA_BITS, Reset

from .surrogate import Surrogate, atan

Elementwise = Callable[[Tensor], Tensor]
Scale = float | Literal["free", "power_of_two", "per_neuron"]

MAX_MEMBRANE_BITS = 24

SCALES = ("free", "power_of_two", "per_neuron")


class LIF(nn.Module):
    """A population of leaky integrate-and-fire neurons, with the arguments of snnTorch's ``Leaky``.

    The equations are those of :mod:`lifline.network`, in the model's units.

    Parameters
    ----------
    size : int
        Number of neurons.
    beta : float or Tensor (size,)
        The fraction of the membrane that is kept each tick, 0 … 1; quantised to 1/256.
    threshold : float or Tensor (size,)
        A neuron spikes where its membrane is greater.
    bias : float or Tensor (size,)
        A constant input current.
    spike_grad : Surrogate, optional
        By default :func:`~lifline.train.surrogate.atan`.
    learn_beta, learn_threshold, learn_bias : bool
        Whether that parameter is trained; per neuron, if it was given so.
    reset_mechanism : "subtract", "zero" or "none"
    reset_delay : bool
        Whether a spike resets its membrane one tick later.
    membrane_bits : int, optional
        Width of the membrane, 8 … 24, at which it saturates.  By default as wide as the network can
        ever drive it, 24 at most.
    scale : "free", "power_of_two", "per_neuron" or float
        "free" gives the population's largest weight the largest integer; "power_of_two" rounds that scale
        down to a power of two; "per_neuron" gives each neuron a free scale of its own, with its own
        threshold; a number fixes the scale, and weights that are too large for it are clipped.
    batch_norm : bool
        Whether the current that comes from outside of the population's loop (all of it, where there is
        none) is brought to mean 0 and variance 1 while training, times a learned gain plus a learned
        offset, which then stands for the bias (S. Ioffe and C. Szegedy, "Batch Normalization", ICML 2015).
        :meth:`SpikingNetwork.fold` and export multiply it into weights and bias.
    dropout : float
        The fraction of neurons whose spikes are held back, other ones for each sample, while training.

    Raises
    ------
    InputError
        If `scale` or `reset_mechanism` is something else, a parameter is out of range, or a tensor has
        another shape.
    """

    beta: Tensor
    threshold: Tensor
    bias: Tensor

    def __init__(
        self,
        size: int,
        beta: float | Tensor,
        threshold: float | Tensor = 1.0,
        *,
        bias: float | Tensor = 0.0,
        spike_grad: Surrogate | None = None,
        learn_beta: bool = False,
        learn_threshold: bool = False,
        learn_bias: bool = False,
        reset_mechanism: str = "subtract",
        reset_delay: bool = True,
        membrane_bits: int | None = None,
        scale: Scale = "free",
        batch_norm: bool = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if not (scale in SCALES if isinstance(scale, str) else float(scale) > 0):
            choices = ", ".join(map(repr, SCALES))
            raise InputError(f"scale must be {choices} or a number above 0, not {scale!r}")
        if not 0 <= dropout < 1:
            raise InputError(f"dropout must be in 0 … 1, and less than 1, not {dropout}")
        self.size = size
        self.spike_grad = spike_grad or atan()
        try:
            self.reset = Reset(reset_mechanism)
        except ValueError:
            choices = ", ".join(f"'{reset.value}'" for reset in Reset)
            raise InputError(
                f"reset_mechanism must be one of {choices}, not {reset_mechanism!r}"
            ) from None
        self.reset_delay = reset_delay
        self.membrane_bits = membrane_bits
        self.scale: Scale = scale
        self.dropout = dropout
        self.norm = nn.BatchNorm1d(size) if batch_norm else None
        for name, value, learn in (
            ("beta", beta, learn_beta),
            ("threshold", threshold, learn_threshold),
            ("bias", bias, learn_bias),
        ):
            tensor = torch.as_tensor(value, dtype=torch.get_default_dtype()).detach().clone()
            if tensor.shape not in ((), (size,)):
                raise InputError(
                    f"{name} must be a number or have the shape ({size},), not {tuple(tensor.shape)}"
                )
            low, high = {"beta": (0, 1), "threshold": (0, torch.inf)}.get(name, (-torch.inf, torch.inf))
            if not ((tensor >= low) & (tensor <= high)).all():
                raise InputError(f"{name} must be in {low} … {high}, not {value}")
            if learn:
                self.register_parameter(name, nn.Parameter(tensor))
            else:
                self.register_buffer(name, tensor)

    @property
    def high(self) -> int:
        """The membrane's greatest value in the contract's units."""
        bits = MAX_MEMBRANE_BITS if self.membrane_bits is None else self.membrane_bits
        return int(2 ** (bits - 1)) - 1

    def in_units(self, scale: float | Tensor, around: Elementwise) -> tuple[Tensor, Tensor, Tensor]:
        """beta, threshold and bias in the contract's units, rounded by `around`."""
        _, offset = self.gain_and_offset()
        beta = around(self.beta.clamp(0, 1) * 2**BETA_BITS)
        bias = self.bias + offset
        return beta, around(self.threshold.clamp(min=0) * scale), around(bias * scale)

    def gain_and_offset(self) -> tuple[Tensor, Tensor]:
        """What batch normalisation, by its running statistics, does to currents: () or (size,)."""
        norm = self.norm
        if norm is None:
            return torch.ones_like(self.bias), torch.zeros_like(self.bias)
        assert norm.running_mean is not None
        assert norm.running_var is not None
        gain = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
        return gain, norm.bias - gain * norm.running_mean

    def normalise(self, currents: Tensor) -> Tensor:
        """Batch normalisation of currents (ticks, samples, size), over ticks and samples."""
        assert self.norm is not None
        normal: Tensor = self.norm(currents.flatten(0, 1))
        return normal.view_as(currents)

    def kept(self, samples: int) -> Tensor | None:
        """(samples, size): 0 for neurons that are left out, a factor above 1 for the others; None: all stay."""
        if not self.dropout:
            return None
        ones = torch.ones(samples, self.size, dtype=self.beta.dtype, device=self.beta.device)
        return nn.functional.dropout(ones, self.dropout)

    @torch.no_grad()
    def fold(self) -> None:
        """Put batch normalisation's offset into the bias, which is learned from then on; its gain is lost."""
        _, offset = self.gain_and_offset()
        bias = (self.bias + offset).expand(self.size).clone()
        del self.bias
        self.bias = nn.Parameter(bias)
        self.norm = None
