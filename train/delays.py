"""Synaptic delays in training: currents of spikes that arrive over many ticks, and how delays learn.

The current of a projection is a convolution over time of the source's spikes with a kernel, one weight for
each delay d, source j and target i::

    I[t, i] = Σ_d Σ_j  kernel[d, j, i] · s[t − d, j]

With few distinct delays that is one matrix product for each; and of spikes that are given, without a gradient,
one sum over the rows of weights that have an event, where these are few.  With many delays it is done in the
frequency domain, where a delay is a phase: one complex product of matrices for each frequency, about a tenth of the
multiplications at 100 ticks and 25 delays.  The transforms are products with matrices of cosines and sines, too:
at these lengths faster than a fast Fourier transform over a strided axis.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import scipy.sparse
import torch
from torch import Tensor

from .maps import Geometry

#: So many delays are still faster one by one (measured; see ``benchmarks``).
_ONE_BY_ONE = 4

#: Up to this share of spikes, adding up rows of weights is faster than a product of matrices (likewise).
_SPARSE = 0.3


@dataclasses.dataclass(frozen=True)
class Kernel:
    """All synapses from one source to one target, one matrix of weights, or one convolution's, for each delay."""

    source: str
    target: str
    delays: tuple[int, ...]  #: in ticks
    weights: Tensor  #: (delays, source size, target size), or (delays, ky, kx, channels in / groups, channels out)
    quantised: bool = True  #: whether the weights are integers
    geometry: Geometry | None = None  #: of a convolution

    @property
    def target_size(self) -> int:
        """Neurons of the target."""
        return int(self.weights.shape[2]) if self.geometry is None else self.geometry.sizes[1]

    def product(self, spikes: Tensor, weights: Tensor) -> Tensor:
        """Currents (…, target size) of spikes (…, source size) through one delay's weights."""
        if self.geometry is None:
            return spikes @ weights
        current = self.geometry.convolve(spikes, weights)
        # A library may convolve by transforms that round.
        return current + (current.round() - current).detach() if self.quantised else current

    def parts(self, spikes: Tensor) -> Sequence[Tensor]:
        """For each delay, the currents (samples, target size) of spikes (samples, source size)."""
        if self.geometry is None:
            return (spikes @ self._wide).chunk(len(self.delays), dim=-1)
        return [self.product(spikes, weights) for weights in self.weights]

    @functools.cached_property
    def _wide(self) -> Tensor:
        """(source size, delays · target size): the matrices side by side."""
        return torch.cat(list(self.weights), dim=1)


def delayed_product(spikes: Tensor, kernel: Kernel) -> Tensor:
    """The currents, (ticks, samples, target size), of spikes (ticks, samples, source size).

    Spikes of the type uint8 are given: they have no gradient.  Exact for integers: delay by delay their
    sums are (below 2^24 in float32, 2^53 in float64), and the frequency domain's result, which errs by some
    parts in a million of the largest sum, is rounded.  A convolution goes delay by delay, all ticks at once.
    """
    ticks = len(spikes)
    near = [d for d, delay in enumerate(kernel.delays) if delay < ticks]
    given = kernel.geometry is not None or not _differentiable(spikes, kernel.weights)
    if len(near) <= _ONE_BY_ONE or given:
        times = _times(spikes, kernel)
        total = None
        for d in near:
            delay = kernel.delays[d]
            part = times(ticks - delay, kernel.weights[d])
            part = torch.nn.functional.pad(part, (0, 0, 0, 0, delay, 0)) if delay else part
            total = part if total is None else total + part
        shape = (*spikes.shape[:2], kernel.target_size)
        return kernel.weights.new_zeros(shape) if total is None else total
    current: Tensor = _Fourier.apply(  # type: ignore[no-untyped-call]
        spikes.to(kernel.weights.dtype), kernel.weights[near], tuple(kernel.delays[d] for d in near)
    )
    return current + (current.round() - current).detach() if kernel.quantised else current


def _times(spikes: Tensor, kernel: Kernel) -> Callable[[int, Tensor], Tensor]:
    """A function from a number of ticks and weights to the spikes in these first ticks times the weights."""
    _, samples, sources = spikes.shape
    given = spikes.dtype is torch.uint8 and spikes.device.type == "cpu" and spikes.numel()
    if given and kernel.geometry is None and spikes.amax() <= 1:
        rows = spikes.reshape(-1, sources).numpy()
        events = np.flatnonzero(rows.view(bool))
        if len(events) <= _SPARSE * spikes.numel():
            starts = np.concatenate([[0], np.cumsum(rows.sum(axis=1, dtype=np.int32), dtype=np.int32)])
            places = (np.ones(len(events), np.uint8), (events % sources).astype(np.int32), starts)
            matrix = scipy.sparse.csr_array(places, shape=rows.shape)

            def gathered(first: int, weights: Tensor) -> Tensor:
                part = matrix[: first * samples] if first < len(spikes) else matrix
                product: Tensor = _Gather.apply(part, weights)  # type: ignore[no-untyped-call]
                return product.view(first, samples, -1)

            return gathered
    values = spikes.to(kernel.weights.dtype)
    return lambda first, weights: kernel.product(values[:first], weights)


class _Gather(torch.autograd.Function):
    """A product of a sparse matrix of ones and a dense one: the sums of the rows that have an event."""

    @staticmethod
    def forward(ctx: Any, matrix: Any, weights: Tensor) -> Tensor:
        ctx.matrix = matrix
        return _sums(matrix, weights)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor]:
        return None, _sums(ctx.matrix.tocsc(), gradient.contiguous())


def _sums(matrix: Any, values: Tensor) -> Tensor:
    """For each row of a CSR matrix, or each column of a CSC matrix, the sum of its entries' rows of `values`."""
    return torch.nn.functional.embedding_bag(
        torch.from_numpy(matrix.indices), values, torch.from_numpy(matrix.indptr[:-1]), mode="sum"
    )


def _differentiable(*tensors: Tensor) -> bool:
    return torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)


class _Fourier(torch.autograd.Function):
    """`delayed_product` in the frequency domain, and its two gradients, which are products there, too."""

    @staticmethod
    def forward(ctx: Any, spikes: Tensor, kernel: Tensor, delays: tuple[int, ...]) -> Tensor:
        ticks, samples, sources = spikes.shape
        targets = kernel.shape[2]
        forth, taps, back = _transforms(ticks, delays, spikes.dtype, spikes.device)
        s = (forth @ spikes.reshape(ticks, -1)).view(2, -1, samples, sources)
        k = (taps @ kernel.reshape(len(delays), -1)).view(2, -1, sources, targets)
        out = torch.stack(
            [
                torch.bmm(s[0], k[0]).baddbmm_(s[1], k[1], alpha=-1),
                torch.bmm(s[0], k[1]).baddbmm_(s[1], k[0]),
            ]
        )
        ctx.save_for_backward(s, k, forth, taps, back)
        return (back @ out.view(len(back.T), -1)).view(ticks, samples, targets)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        s, k, forth, taps, back = ctx.saved_tensors
        ticks, samples, targets = gradient.shape
        g = (back.T @ gradient.reshape(ticks, -1)).view(2, -1, samples, targets)
        by_spikes = by_kernel = None
        if ctx.needs_input_grad[0]:
            k = k.transpose(2, 3)
            by_s = torch.stack(
                [
                    torch.bmm(g[0], k[0]).baddbmm_(g[1], k[1]),
                    torch.bmm(g[1], k[0]).baddbmm_(g[0], k[1], alpha=-1),
                ]
            )
            by_spikes = (forth.T @ by_s.view(len(forth), -1)).view(ticks, samples, -1)
        if ctx.needs_input_grad[1]:
            s = s.transpose(2, 3)
            by_k = torch.stack(
                [
                    torch.bmm(s[0], g[0]).baddbmm_(s[1], g[1]),
                    torch.bmm(s[0], g[1]).baddbmm_(s[1], g[0], alpha=-1),
                ]
            )
            by_kernel = (taps.T @ by_k.view(len(taps), -1)).view(-1, s.shape[2], targets)
        return by_spikes, by_kernel, None


@functools.lru_cache(maxsize=32)
def _transforms(
    ticks: int, delays: tuple[int, ...], dtype: torch.dtype, device: torch.device
) -> tuple[Tensor, Tensor, Tensor]:
    """Matrices into and out of the frequency domain: real parts, then imaginary ones.

    Long enough (ticks + the longest delay) that nothing wraps around.
    """
    length = ticks + max(delays)
    frequency = torch.arange(length // 2 + 1, dtype=torch.float64)[:, None]
    phase = 2 * math.pi * frequency / length
    time, delay = torch.arange(ticks, dtype=torch.float64), torch.tensor(delays, dtype=torch.float64)
    forth, taps = (torch.cat([torch.cos(phase * t), -torch.sin(phase * t)]) for t in (time, delay))
    # All frequencies but 0 and, of an even length, the highest stand for two.
    twice = torch.where((frequency == 0) | (2 * frequency == length), 1.0, 2.0) / length
    back = (forth * torch.cat([twice, twice])).T.contiguous()
    return forth.to(device, dtype), taps.to(device, dtype), back.to(device, dtype)


def gaussian(positions: Tensor, sigma: float, count: int) -> Tensor:
    """(count, *shape): how much of a synapse at `positions` lies on each of the delays 0 … count − 1.

    A Gaussian around the position with the standard deviation `sigma`, in ticks, made to sum to 1.  Source:
    I. Hammouamri, I. Khalfaoui-Hassani and T. Masquelier, "Learning Delays in Spiking Neural Networks using
    Dilated Convolutions with Learnable Spacings", ICLR 2024.
    """
    ticks = torch.arange(count, dtype=positions.dtype, device=positions.device)
    ticks = ticks.view(-1, *[1] * positions.ndim)
    return torch.softmax((ticks - positions).square() / (-2 * sigma**2), dim=0)
