"""Synapses: weights, and delays that are given or learned."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from lifline.errors import InputError, NetworkError
from lifline.synapses import MAX_DELAY

from .delays import Kernel, delayed_product, gaussian


class Synapses(nn.Module):
    """All synapses from one source to one target, with delays that stay as they are.

    Parameters
    ----------
    source_size, target_size : int
    delays : int or array of int (source size, target size)
        In ticks, 0 … 255.
    weight_bits : int
        2 … 16.
    weights : Tensor (source size, target size), optional
        Their start; by default uniform with the variance ``1 / source size``.

    Raises
    ------
    NetworkError
        If `weights` or `delays` have another shape, or a delay is not in 0 … 255.
    """

    def __init__(
        self,
        source_size: int,
        target_size: int,
        *,
        delays: int | np.ndarray | Tensor = 0,
        weight_bits: int = 8,
        weights: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.shape = (source_size, target_size)
        if weights is None:
            bound = (3 / source_size) ** 0.5
            weights = torch.empty(self.shape).uniform_(-bound, bound)
        ticks = torch.tensor(np.array(delays), dtype=torch.int64)
        if weights.shape != self.shape or ticks.shape not in ((), self.shape):
            raise NetworkError(
                f"synapses: weights {tuple(weights.shape)} and delays {tuple(ticks.shape)} must have the "
                f"shape (source size, target size) = {self.shape}"
            )
        if ticks.min() < 0 or ticks.max() > MAX_DELAY:
            raise NetworkError(
                f"synapses: delays must be in 0 … {MAX_DELAY}, not {int(ticks.min())} … {int(ticks.max())}"
            )
        self.weight_bits = weight_bits
        self.weights = nn.Parameter(weights.detach().clone())
        self._set_delays(ticks.expand(self.shape).clone())

    def _set_delays(self, ticks: Tensor) -> None:
        self.register_buffer("delays", ticks)

    @property
    def high(self) -> int:
        """The greatest integer weight."""
        return int(2 ** (self.weight_bits - 1)) - 1

    def rounded_delays(self) -> Tensor:
        """int64 (source size, target size): the delays of the integer network, in ticks."""
        delays: Tensor = self.get_buffer("delays")
        return delays

    @property
    def least_delay(self) -> int:
        """The shortest delay that a synapse has, or may learn."""
        return int(self.rounded_delays().min())

    def in_units(self, scale: float | Tensor) -> Tensor:
        """Weights · `scale` as integers of `weight_bits`; gradients pass through the rounding."""
        scaled = self.weights * scale
        return (scaled + (scaled.round() - scaled).detach()).clamp(-self.high - 1, self.high)

    def kernel(self, weights: Tensor, source: str, target: str, *, quantised: bool) -> Kernel:
        """`weights` (source size, target size), each at its delay."""
        delays = self.rounded_delays()
        if delays.min() == delays.max():
            return Kernel(source, target, (int(delays.min()),), weights[None], quantised)
        distinct = torch.unique(delays)
        slices = weights * (delays == distinct.view(-1, 1, 1))
        return Kernel(source, target, tuple(distinct.tolist()), slices, quantised)


class DelayedLinear(Synapses):
    """A linear layer in which every synapse learns its delay, besides its weight.

    While it learns, a synapse's weight is spread over time by a Gaussian around its `positions`, whose
    width `sigma` the training reduces step by step; the gradient by the position is that of the Gaussian.  With
    ``sigma = 0``, and always in evaluation and export, all of the weight lies on :meth:`rounded_delays`.

    Parameters
    ----------
    source_size, target_size : int
    max_delay : int
        The longest delay, in ticks; `min_delay` … 255.
    min_delay : int
        The shortest; 1 or more for a projection that closes a loop.
    axonal : bool
        Whether all synapses from one source share one delay.
    sigma : float, optional
        Standard deviation of the Gaussian, in ticks.  By default half of the range of delays.
    weight_bits : int
        2 … 16.
    weights : Tensor (source size, target size), optional
        Their start; by default as :class:`Synapses` has it.
    positions : Tensor (source size, target size), or (source size, 1) if axonal; optional
        The delays' start, in ticks; by default uniform over the range.

    Raises
    ------
    InputError
        If the range of delays or `sigma` cannot be used.
    NetworkError
        If `weights` or `positions` have another shape.

    Notes
    -----
    Source: I. Hammouamri, I. Khalfaoui-Hassani and T. Masquelier, "Learning Delays in Spiking Neural Networks
    using Dilated Convolutions with Learnable Spacings", ICLR 2024.  There a current is a dilated convolution;
    here it is computed in the frequency domain, see :mod:`lifline.train.delays`.

    Examples
    --------
    >>> layer = DelayedLinear(140, 256, max_delay=25)
    >>> layer(torch.zeros(8, 100, 140)).shape  # (samples, ticks, source size) to (…, target size)
    torch.Size([8, 100, 256])
    """

    #: Below this width the Gaussian is no wider than a tick, and its gradient is lost.
    LEAST_SIGMA: ClassVar = 0.5

    start: Tensor  #: int64 (source size, target size): the rounded delays before learning
    _sigma: Tensor

    def __init__(
        self,
        source_size: int,
        target_size: int,
        *,
        max_delay: int,
        min_delay: int = 0,
        axonal: bool = False,
        sigma: float | None = None,
        weight_bits: int = 8,
        weights: Tensor | None = None,
        positions: Tensor | None = None,
    ) -> None:
        if not 0 <= min_delay <= max_delay <= MAX_DELAY:
            raise InputError(
                f"delays must have 0 ≤ min_delay ≤ max_delay ≤ {MAX_DELAY}, not {min_delay} … {max_delay}"
            )
        self._range = (min_delay, max_delay)
        super().__init__(source_size, target_size, weight_bits=weight_bits, weights=weights)
        shape = (source_size, 1 if axonal else target_size)
        if positions is None:
            positions = torch.empty(shape).uniform_(min_delay, max_delay)
        if positions.shape != shape:
            raise NetworkError(f"positions: shape is {tuple(positions.shape)}, must be {shape}")
        self.positions = nn.Parameter(positions.detach().clone().to(self.weights.dtype))
        widest = max((max_delay - min_delay) / 2, self.LEAST_SIGMA)
        self.register_buffer("_sigma", torch.tensor(widest, dtype=torch.float64))
        self.register_buffer("start", self.rounded_delays())
        if sigma is not None:
            self.sigma = sigma

    def _set_delays(self, ticks: Tensor) -> None:
        """The delays are those of `positions`."""

    @property
    def sigma(self) -> float:
        """Standard deviation of the Gaussian, in ticks; 0: each synapse lies on its rounded delay."""
        return float(self._sigma)

    @sigma.setter
    def sigma(self, value: float) -> None:
        if not 0 <= value < np.inf:
            raise InputError(f"sigma must be 0 or more ticks, not {value}")
        self._sigma.fill_(value)

    @property
    def least_delay(self) -> int:
        """The shortest delay that a synapse may learn."""
        return self._range[0]

    @property
    def delay_range(self) -> tuple[int, int]:
        """The shortest and the longest delay that a synapse may learn."""
        return self._range

    def anneal(self, progress: float) -> None:
        """Set `sigma` for a fraction of the annealing, 0 … 1: exponentially, from half the range to ½ tick."""
        low, high = self._range
        widest = max((high - low) / 2, self.LEAST_SIGMA)
        self.sigma = widest * (self.LEAST_SIGMA / widest) ** min(max(progress, 0.0), 1.0)

    @torch.no_grad()
    def rounded_delays(self) -> Tensor:
        """int64 (source size, target size): the positions, rounded and within the range."""
        rounded = self.positions.round().clamp(*self._range).to(torch.int64)
        return rounded.expand(self.shape).clone()

    def kernel(self, weights: Tensor, source: str, target: str, *, quantised: bool) -> Kernel:
        """`weights` (source size, target size), each spread around its position."""
        if not (self.training and self.sigma):
            return super().kernel(weights, source, target, quantised=quantised)
        low, high = self._range
        self.positions.data.clamp_(low, high)
        spread = gaussian(self.positions - low, self.sigma, high - low + 1)
        return Kernel(source, target, tuple(range(low, high + 1)), weights * spread, quantised=False)

    def forward(self, spikes: Tensor) -> Tensor:
        """Currents (samples, ticks, target size) of spikes (samples, ticks, source size), both floating."""
        kernel = self.kernel(self.weights, "", "", quantised=False)
        return delayed_product(spikes.transpose(0, 1).contiguous(), kernel).transpose(0, 1)
