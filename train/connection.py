"""What every projection that learns has, whatever its structure: weights, a quantisation, delays given or learned."""

from __future__ import annotations

import functools
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from lifline import synapses as kinds
from lifline.errors import InputError, NetworkError
from lifline.synapses import MAX_DELAY

from .delays import Kernel, delayed_product, gaussian
from .maps import Geometry


class Connection(nn.Module):
    """Synapses from one source to one target, in the model's units.  A structure derives from it.

    Parameters
    ----------
    shape : (source size, target size)
    weights : Tensor
        Their start, in the structure's own shape, the target (or its channels) last.
    delays : int, or array of int that broadcasts to the shape of `weights`
        In ticks, 0 … 255.
    weight_bits : int
        2 … 16.

    Raises
    ------
    NetworkError
        If `delays` have another shape, or a delay is not in 0 … 255.
    """

    geometry: Geometry | None = None  #: of a convolution

    def __init__(
        self,
        shape: tuple[int, int],
        weights: Tensor,
        *,
        delays: int | np.ndarray | Tensor = 0,
        weight_bits: int = 8,
    ) -> None:
        super().__init__()
        self.shape = shape
        self.weight_bits = weight_bits
        self.weights = nn.Parameter(weights.detach().clone())
        ticks = torch.as_tensor(np.array(delays), dtype=torch.int64)
        try:
            ticks = ticks.expand(weights.shape)
        except RuntimeError:
            raise NetworkError(
                f"synapses: delays have the shape {tuple(ticks.shape)}, must be one number or fit the weights' "
                f"{tuple(weights.shape)}"
            ) from None
        if ticks.min() < 0 or ticks.max() > MAX_DELAY:
            raise NetworkError(
                f"synapses: delays must be in 0 … {MAX_DELAY}, not {int(ticks.min())} … {int(ticks.max())}"
            )
        self._set_delays(ticks.clone())

    def _set_delays(self, ticks: Tensor) -> None:
        self.register_buffer("delays", ticks)

    @property
    def high(self) -> int:
        """The greatest integer weight."""
        return int(2 ** (self.weight_bits - 1)) - 1

    def rounded_delays(self) -> Tensor:
        """int64, of the shape of the weights: the delays of the integer network, in ticks."""
        delays: Tensor = self.get_buffer("delays")
        return delays

    @property
    def least_delay(self) -> int:
        """The shortest delay that a synapse has, or may learn."""
        return int(self.rounded_delays().min())

    @property
    def fits(self) -> tuple[tuple[int, ...] | None, tuple[int, ...] | None]:
        """The shapes that source and target must have; None: any."""
        return None, None

    def per_target(self, values: Tensor) -> Tensor:
        """`values`, () or (channels of the target,), so that they multiply the weights."""
        return values if values.ndim == 0 else values.repeat(self.shape[1] // len(values))

    def largest(self, gain: Tensor) -> Tensor:
        """The largest magnitude of the weights · `gain` of each target, or of each of its channels."""
        weights = self.weights * self.per_target(gain)
        return weights.abs().flatten(0, -2).amax(dim=0)

    def in_units(self, scale: Tensor) -> Tensor:
        """Weights · `scale` as integers of `weight_bits`; gradients pass through the rounding."""
        scaled = self.weights * self.per_target(scale)
        return (scaled + (scaled.round() - scaled).detach()).clamp(-self.high - 1, self.high)

    def kernel(self, weights: Tensor, source: str, target: str, *, quantised: bool) -> Kernel:
        """`weights`, in the shape of this structure's, each at its delay."""
        delays = self.rounded_delays()
        distinct = torch.unique(delays)
        slices = weights[None]
        if len(distinct) > 1:
            slices = weights * (delays == distinct.view(-1, *[1] * delays.ndim))
        return Kernel(
            source, target, tuple(distinct.tolist()), self.laid_out(slices), quantised, self.geometry
        )

    def laid_out(self, weights: Tensor) -> Tensor:
        """The weights (or delays) that the product takes, of those that are learned: (…, shape of the structure)."""
        return weights

    def structure(self, weights: np.ndarray) -> kinds.Synapses:
        """The contract's synapses with these integer weights, and the rounded delays."""
        raise NotImplementedError

    @torch.no_grad()
    def rows(self) -> Tensor:
        """(source size,): the rows of synapses that a source's spike reaches, were a row all channels wide."""
        return torch.ones(self.shape[0], dtype=self.weights.dtype)

    def forward(self, spikes: Tensor) -> Tensor:
        """Currents (samples, ticks, target size) of spikes (samples, ticks, source size), both floating."""
        kernel = self.kernel(self.weights, "", "", quantised=False)
        return delayed_product(spikes.transpose(0, 1).contiguous(), kernel).transpose(0, 1)


class Delayed(Connection):
    """Synapses that learn their delays: each weight is spread over time by a Gaussian around its position.

    Parameters
    ----------
    positions : Tensor, broadcasts to the shape of the weights; or a shape
        The delays' start, in ticks; of a shape they are drawn uniformly over the range.
    max_delay, min_delay : int
        0 … 255.
    sigma : float, optional
        Standard deviation of the Gaussian, in ticks.  By default half of the range of delays.
    """

    #: Below this width the Gaussian is no wider than a tick, and its gradient is lost.
    LEAST_SIGMA: ClassVar = 0.5

    start: Tensor  #: int64, of the shape of the weights: the rounded delays before learning
    _sigma: Tensor

    def __init__(
        self,
        shape: tuple[int, int],
        weights: Tensor,
        *,
        positions: Tensor | None,
        positions_shape: tuple[int, ...],
        max_delay: int,
        min_delay: int = 0,
        sigma: float | None = None,
        weight_bits: int = 8,
    ) -> None:
        if not 0 <= min_delay <= max_delay <= MAX_DELAY:
            raise InputError(
                f"delays must have 0 ≤ min_delay ≤ max_delay ≤ {MAX_DELAY}, not {min_delay} … {max_delay}"
            )
        self._range = (min_delay, max_delay)
        Connection.__init__(self, shape, weights, weight_bits=weight_bits)  # past the structure's own
        if positions is None:
            positions = torch.empty(positions_shape).uniform_(min_delay, max_delay)
        if positions.shape != positions_shape:
            raise NetworkError(
                f"positions: shape is {tuple(positions.shape)}, must be {positions_shape}"
            )
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
        """int64, of the shape of the weights: the positions, rounded and within the range."""
        rounded = self.positions.round().clamp(*self._range).to(torch.int64)
        return rounded.expand(self.weights.shape).clone()

    def kernel(self, weights: Tensor, source: str, target: str, *, quantised: bool) -> Kernel:
        """`weights`, each spread around its position."""
        if not (self.training and self.sigma):
            return super().kernel(weights, source, target, quantised=quantised)
        low, high = self._range
        self.positions.data.clamp_(low, high)
        spread = gaussian(self.positions - low, self.sigma, high - low + 1)
        slices = self.laid_out(weights * spread)
        return Kernel(source, target, tuple(range(low, high + 1)), slices, False, self.geometry)


@functools.singledispatch
def connection(synapses: kinds.Synapses, scale: float) -> Connection:
    """Synapses that learn, and export the contract's `synapses` again.

    Parameters
    ----------
    synapses : lifline.synapses.Synapses
        Of a network, so that they know their source and target.
    scale : float
        So many of the contract's units to one of the model's.
    """
    name = type(synapses).__name__
    raise NetworkError(
        f"{name} synapses cannot be trained: register a module for them with lifline.train.connection.connection"
    )


@functools.singledispatch
def integer_kernel(synapses: kinds.Synapses, source: str, target: str, like: Tensor) -> Kernel:
    """The contract's synapses, ready for the integer forward; by ``dense()`` where a structure registers nothing else.

    Parameters
    ----------
    like : Tensor
        Of the type (float64 or float32) and on the device of the currents.
    """
    weights, ticks = synapses.dense()
    delays = np.unique(ticks)
    slices = np.stack([np.where(ticks == d, weights, 0) for d in delays])
    return Kernel(source, target, tuple(delays.tolist()), like.new_tensor(slices))
