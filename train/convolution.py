"""Convolutions between shaped populations: shared weights, with delays that are given or learned; and pools.

Weights have the contract's shape, (ky, kx, channels in / groups, channels out): that of ``torch.nn.Conv2d`` is
(channels out, channels in / groups, ky, kx), so that ``layer.weight.permute(2, 3, 1, 0)`` goes from there to here.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from lifline import synapses as kinds
from lifline.errors import NetworkError

from .connection import Connection, Delayed, connection, integer_kernel
from .delays import Kernel
from .maps import Geometry, Pair, Shape, pair
from .neurons.trainable import exact
from .synapses import uniform


class Conv2d(Connection):
    """A convolution from a population of shape (height, width, channels) to another.

    Parameters
    ----------
    source : (height, width, channels)
        Of the source; of a 1-D convolution the height is 1, and so is that of the kernel.
    channels : int
        Of the target, whose shape is ``layer.target``.
    kernel_size, stride, padding, dilation : int or (y, x)
    groups : int
    pool : int or (y, x)
        The source is first added up in squares of this size, each channel by itself: a sum pool without neurons of
        its own.  It is part of the convolution, whose kernel and stride grow by it: exactly the same sums.
    delays : int, or array of int (ky, kx), or of the weights' shape
        In ticks, 0 … 255.
    weight_bits : int
        2 … 16.
    weights : Tensor (ky, kx, channels in / groups, channels out), optional
        Their start; by default uniform with the variance 1 / (synapses of a target neuron).

    Raises
    ------
    InputError
        If a size is no integer, or too small.
    NetworkError
        If sizes do not fit each other, or `weights` or `delays` have another shape.

    Examples
    --------
    >>> layer = Conv2d((28, 28, 1), 16, 5, stride=2, padding=2)
    >>> layer.target, tuple(layer.weights.shape)
    ((14, 14, 16), (5, 5, 1, 16))
    """

    geometry: Geometry  #: of the convolution as it runs, pool included

    def __init__(
        self,
        source: Shape,
        channels: int,
        kernel_size: Pair,
        *,
        stride: Pair = 1,
        padding: Pair = 0,
        dilation: Pair = 1,
        groups: int = 1,
        pool: Pair = 1,
        delays: int | np.ndarray | Tensor = 0,
        weight_bits: int = 8,
        weights: Tensor | None = None,
    ) -> None:
        size, geometry = _sizes(source, channels, kernel_size, stride, padding, dilation, groups, pool)
        start = _start(size, geometry, weights)
        Connection.__init__(
            self,
            geometry.sizes,
            start,
            delays=_over_positions(delays, size),
            weight_bits=weight_bits,
        )
        self._place(geometry)

    def _place(self, geometry: Geometry) -> None:
        self.geometry = geometry
        ky, kx = self.weights.shape[:2]
        self._pool = geometry.kernel[0] // ky, geometry.kernel[1] // kx

    @property
    def target(self) -> Shape:
        """(height, width, channels) of the target."""
        return self.geometry.target

    @property
    def fits(self) -> tuple[tuple[int, ...] | None, tuple[int, ...] | None]:
        return self.geometry.source, self.geometry.target

    def per_target(self, values: Tensor) -> Tensor:
        return values

    def laid_out(self, weights: Tensor) -> Tensor:
        """The kernel with every position repeated over the pool."""
        for axis, count in enumerate(self._pool):
            if count > 1:
                weights = weights.repeat_interleave(count, dim=axis - 4)
        return weights

    def structure(self, weights: np.ndarray) -> kinds.Synapses:
        delays: np.ndarray = self.rounded_delays().cpu().numpy()
        if (delays == delays[:, :, :1, :1]).all():
            delays = delays[:, :, 0, 0]
        laid = [a.repeat(self._pool[0], 0).repeat(self._pool[1], 1) for a in (weights, delays)]
        g = self.geometry
        return kinds.Convolution(
            laid[0],
            stride=g.stride,
            padding=g.padding,
            dilation=g.dilation,
            groups=g.groups,
            delays=int(delays.flat[0]) if (delays == delays.flat[0]).all() else laid[1],
            weight_bits=self.weight_bits,
        )

    @torch.no_grad()
    def rows(self) -> Tensor:
        return self.geometry.reached().to(self.weights.dtype)


class DelayedConv2d(Delayed, Conv2d):
    """A convolution in which every position of the kernel learns its delay, besides the weights.

    The delays learn as those of :class:`DelayedLinear`: a Gaussian around each position in time, which narrows, and
    in evaluation and export the rounded delay.

    Parameters
    ----------
    source, channels, kernel_size, stride, padding, dilation, groups, pool, weight_bits, weights
        As :class:`Conv2d` has them.
    max_delay, min_delay : int
        The longest and the shortest delay, in ticks; 1 or more for a projection that closes a loop.
    each : bool
        Whether every weight has a delay of its own, not only every position of the kernel.
    sigma : float, optional
        Standard deviation of the Gaussian, in ticks.  By default half of the range of delays.
    positions : Tensor (ky, kx, 1, 1), or of the weights' shape with `each`; optional
        The delays' start, in ticks; by default uniform over the range.

    Raises
    ------
    InputError
        If the range of delays, `sigma` or a size cannot be used.
    NetworkError
        If sizes do not fit each other, or `weights` or `positions` have another shape.

    Notes
    -----
    Source: I. Hammouamri, I. Khalfaoui-Hassani and T. Masquelier, "Learning Delays in Spiking Neural Networks
    using Dilated Convolutions with Learnable Spacings", ICLR 2024.
    """

    def __init__(
        self,
        source: Shape,
        channels: int,
        kernel_size: Pair,
        *,
        max_delay: int,
        min_delay: int = 0,
        each: bool = False,
        stride: Pair = 1,
        padding: Pair = 0,
        dilation: Pair = 1,
        groups: int = 1,
        pool: Pair = 1,
        sigma: float | None = None,
        weight_bits: int = 8,
        weights: Tensor | None = None,
        positions: Tensor | None = None,
    ) -> None:
        size, geometry = _sizes(source, channels, kernel_size, stride, padding, dilation, groups, pool)
        start = _start(size, geometry, weights)
        Delayed.__init__(
            self,
            geometry.sizes,
            start,
            positions=positions,
            positions_shape=tuple(start.shape) if each else (*size, 1, 1),
            max_delay=max_delay,
            min_delay=min_delay,
            sigma=sigma,
            weight_bits=weight_bits,
        )
        self._place(geometry)


class Pool2d(Conv2d):
    """A pool as linear synapses: each channel's squares are added up, with one weight that does not learn.

    Parameters
    ----------
    source : (height, width, channels)
    size, stride : int or (y, x)
        By default the squares lie side by side.
    average : bool
        Whether a square's mean counts, not its sum.
    weight_bits : int
        2 … 16.  A pool alone in front of a population whose scale is "free" has one integer for all squares.
    """

    def __init__(
        self,
        source: Shape,
        size: Pair,
        *,
        stride: Pair | None = None,
        average: bool = False,
        weight_bits: int = 8,
    ) -> None:
        ky, kx = pair(size, "size", 1)
        weights = torch.full((ky, kx, 1, source[2]), 1 / (ky * kx) if average else 1.0)
        super().__init__(
            source,
            source[2],
            (ky, kx),
            stride=(ky, kx) if stride is None else stride,
            groups=source[2],
            weight_bits=weight_bits,
            weights=weights,
        )
        self.weights.requires_grad_(False)


def _sizes(
    source: Shape,
    channels: int,
    kernel_size: Pair,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    groups: int,
    pool: Pair,
) -> tuple[tuple[int, int], Geometry]:
    """(ky, kx) of the weights that learn, and the geometry with the pool in it."""
    size, pooled = pair(kernel_size, "kernel_size", 1), pair(pool, "pool", 1)
    step, edge = pair(stride, "stride", 1), pair(padding, "padding", 0)
    apart = pair(dilation, "dilation", 1)
    if pooled != (1, 1):
        if apart != (1, 1):
            raise NetworkError(f"convolution: dilation must be 1 with a pool, not {dilation!r}")
        if any(e and n % p for e, n, p in zip(edge, source, pooled, strict=False)):
            raise NetworkError(
                f"convolution: a pool of {pooled[0]}×{pooled[1]} must divide the source's {source[0]}×{source[1]} "
                "where there is padding behind it"
            )
    both = zip(size, step, edge, pooled, strict=True)
    kernel, steps, edges = zip(*((k * p, s * p, e * p) for k, s, e, p in both), strict=True)
    return size, Geometry(source, channels, kernel, steps, edges, apart, groups)


def _start(size: tuple[int, int], geometry: Geometry, weights: Tensor | None) -> Tensor:
    shape = (*size, *geometry.weights[2:])
    if weights is not None and weights.shape != shape:
        raise NetworkError(
            f"convolution: weights have the shape {tuple(weights.shape)}, must have (ky, kx, channels in / groups, "
            f"channels out) = {shape}"
        )
    return uniform(shape, math.prod(geometry.weights[:3]), weights)


def _over_positions(delays: int | np.ndarray | Tensor, size: tuple[int, int]) -> np.ndarray:
    """Delays of kernel positions, (ky, kx), so that they fit the weights; others as they are."""
    array = delays.numpy() if isinstance(delays, Tensor) else np.array(delays)
    return array[:, :, None, None] if array.shape == size else array


@connection.register
def _(synapses: kinds.Convolution, scale: float) -> Connection:
    g = _geometry(synapses)
    return Conv2d(
        g.source,
        g.channels,
        g.kernel,
        stride=g.stride,
        padding=g.padding,
        dilation=g.dilation,
        groups=g.groups,
        delays=synapses.delays,
        weight_bits=synapses.weight_bits,
        weights=exact(synapses.weights, scale),
    )


@integer_kernel.register
def _(synapses: kinds.Convolution, source: str, target: str, like: Tensor) -> Kernel:
    delays = np.unique(synapses.delays)
    slices = np.stack([np.where(synapses.delays == d, synapses.weights, 0) for d in delays])
    geometry = _geometry(synapses)
    return Kernel(source, target, tuple(delays.tolist()), like.new_tensor(slices), geometry=geometry)


def _geometry(synapses: kinds.Convolution) -> Geometry:
    """Of synapses that know their source."""
    return Geometry(
        synapses.source_shape,
        synapses.weights.shape[3],
        synapses.weights.shape[:2],
        synapses.stride,
        synapses.padding,
        synapses.dilation,
        synapses.groups,
    )
