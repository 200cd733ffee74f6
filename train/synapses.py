"""Synapses from every neuron of a source to every neuron of a target, with delays that are given or learned."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from lifline import synapses as kinds
from lifline.errors import NetworkError

from .connection import Connection, Delayed, connection
from .neurons.trainable import exact


class Synapses(Connection):
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
    listed : bool Tensor (source size, target size), optional
        Which synapses there are: the others stay at 0, and it is exported as :class:`lifline.Sparse`.  By default all.

    Raises
    ------
    NetworkError
        If `weights` or `delays` have another shape, or a delay is not in 0 … 255.
    """

    listed: Tensor | None
    #: Whether weights were pruned, so that it is exported as `Sparse` where that takes fewer bits.
    pruned: bool = False

    def __init__(
        self,
        source_size: int,
        target_size: int,
        *,
        delays: int | np.ndarray | Tensor = 0,
        weight_bits: int = 8,
        weights: Tensor | None = None,
        listed: Tensor | None = None,
    ) -> None:
        shape = (source_size, target_size)
        ticks = delays.numpy() if isinstance(delays, Tensor) else np.array(delays)
        if (weights is not None and weights.shape != shape) or ticks.shape not in ((), shape):
            found = shape if weights is None else tuple(weights.shape)
            raise NetworkError(
                f"synapses: weights {found} and delays {ticks.shape} must have the shape (source size, target "
                f"size) = {shape}"
            )
        super().__init__(
            shape, uniform(shape, source_size, weights), delays=ticks, weight_bits=weight_bits
        )
        self._list(listed)

    def _list(self, listed: Tensor | None) -> None:
        self.register_buffer("listed", listed)
        if listed is not None:
            if listed.shape != self.shape or listed.dtype is not torch.bool:
                raise NetworkError(
                    f"synapses: listed must be bool with the shape {self.shape}, not {listed.dtype} "
                    f"{tuple(listed.shape)}"
                )
            self.weights.data.mul_(listed)
            self.weights.register_hook(self._of_listed)  # type: ignore[no-untyped-call]

    def _of_listed(self, gradient: Tensor) -> Tensor:
        assert self.listed is not None
        return gradient * self.listed

    def structure(self, weights: np.ndarray) -> kinds.Synapses:
        delays: np.ndarray = self.rounded_delays().cpu().numpy()
        dense = kinds.Dense(weights, delays, self.weight_bits)
        if self.listed is None and not (self.pruned and weights.any()):
            return dense
        there = weights != 0 if self.listed is None else self.listed.cpu().numpy()
        sources, targets = np.nonzero(there)
        sparse = kinds.Sparse(
            sources, targets, weights[there], delays[there], weight_bits=self.weight_bits
        )
        if self.listed is None:
            bits = sparse.bound(weights.shape[:1], weights.shape[1:]).memory_bits
            return sparse if bits < dense.memory_bits else dense
        return sparse


def uniform(shape: tuple[int, ...], fan_in: int, weights: Tensor | None = None) -> Tensor:
    """`weights`, or such as have the variance 1 / `fan_in`."""
    if weights is not None:
        return weights
    bound = (3 / fan_in) ** 0.5
    return torch.empty(shape).uniform_(-bound, bound)


@connection.register
def _(synapses: kinds.Dense, scale: float) -> Connection:
    return _matrix(synapses, scale, None)


@connection.register
def _(synapses: kinds.Sparse, scale: float) -> Connection:
    listed = np.zeros(synapses.shape, bool)
    listed[synapses.sources, synapses.targets] = True
    return _matrix(synapses, scale, torch.from_numpy(listed))


def _matrix(synapses: kinds.Synapses, scale: float, listed: Tensor | None) -> Synapses:
    weights, delays = synapses.dense()
    return Synapses(
        *weights.shape,
        delays=delays,
        weight_bits=synapses.weight_bits,
        weights=exact(weights, scale),
        listed=listed,
    )


class DelayedLinear(Delayed, Synapses):
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
        shape = (source_size, target_size)
        if weights is not None and weights.shape != shape:
            raise NetworkError(
                f"synapses: weights {tuple(weights.shape)} must have the shape (source size, target size) = {shape}"
            )
        Delayed.__init__(
            self,
            shape,
            uniform(shape, source_size, weights),
            positions=positions,
            positions_shape=(source_size, 1 if axonal else target_size),
            max_delay=max_delay,
            min_delay=min_delay,
            sigma=sigma,
            weight_bits=weight_bits,
        )
        self._list(None)
