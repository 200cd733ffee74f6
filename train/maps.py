"""Feature maps: where a convolution's weights lie between two shaped populations, and its product.

Everywhere else tensors are flat, (…, size), numbered channels last as the contract has it: index =
(y · width + x) · channels + c.  Only :meth:`Geometry.convolve` knows that torch calls these NCHW in the memory
format ``channels_last``, so that no number is moved on the way in or out.
"""

from __future__ import annotations

import dataclasses
import functools
import math

import torch
from torch import Tensor

from lifline.errors import InputError, NetworkError

Shape = tuple[int, int, int]  #: (height, width, channels)
Pair = int | tuple[int, int]


def pair(value: Pair, name: str, least: int) -> tuple[int, int]:
    """(y, x) of one number for both, or of two.

    Raises
    ------
    InputError
        If these are not integers of `least` or more.
    """
    both = tuple(value) if isinstance(value, tuple | list) else (value, value)
    if len(both) != 2 or any(not isinstance(v, int) or isinstance(v, bool) or v < least for v in both):
        raise InputError(f"{name} must be an integer ≥ {least}, or two of them (y, x), not {value!r}")
    return both


@dataclasses.dataclass(frozen=True)
class Geometry:
    """The sizes of a 2-D convolution; of a 1-D one, all heights are 1.

    A target's size is floor((source + 2 · padding − dilation · (kernel − 1) − 1) / stride) + 1 along each axis.

    Raises
    ------
    NetworkError
        If the kernel does not fit the padded source, or channels do not divide into the groups.
    """

    source: Shape
    channels: int  #: of the target
    kernel: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1

    def __post_init__(self) -> None:
        if self.source[2] % self.groups or self.channels % self.groups:
            raise NetworkError(
                f"convolution: {self.source[2]} channels in and {self.channels} out must both divide into "
                f"groups={self.groups}"
            )
        if min(self.target) < 1:
            raise NetworkError(
                f"convolution: a kernel of {self.kernel[0]}×{self.kernel[1]} does not fit on {self.source[0]}×"
                f"{self.source[1]} with padding={self.padding} and dilation={self.dilation}; give more padding"
            )

    @property
    def target(self) -> Shape:
        """(height, width, channels) of the target."""
        height, width = (
            (self.source[i] + 2 * self.padding[i] - self.dilation[i] * (self.kernel[i] - 1) - 1)
            // self.stride[i]
            + 1
            for i in (0, 1)
        )
        return height, width, self.channels

    @property
    def sizes(self) -> tuple[int, int]:
        """Neurons of source and target."""
        return math.prod(self.source), math.prod(self.target)

    @property
    def weights(self) -> tuple[int, int, int, int]:
        """Shape of the weights: (ky, kx, channels in / groups, channels out), as in the contract."""
        return (*self.kernel, self.source[2] // self.groups, self.channels)

    def convolve(self, spikes: Tensor, weights: Tensor) -> Tensor:
        """Currents (…, target size) of spikes (…, source size), both channels last."""
        height, width, channels = self.source
        maps = spikes.reshape(-1, height, width, channels).permute(0, 3, 1, 2)
        stride, padding = self.stride, self.padding
        if self.target[1] == 1 and stride[1] > 1:
            # Wrong in torch 2.13's oneDNN, of one channel; what one place sees needs no stride.
            extent = self.dilation[1] * (self.kernel[1] - 1) + 1
            maps = torch.nn.functional.pad(maps, (padding[1], extent - width - padding[1]))
            stride, padding = (stride[0], 1), (padding[0], 0)
        kernels = weights.permute(3, 2, 0, 1)
        if weights.shape[2] > 1:
            kernels = kernels.contiguous(memory_format=torch.channels_last)
        result = torch.nn.functional.conv2d(
            maps, kernels, None, stride, padding, self.dilation, self.groups
        )
        return result.permute(0, 2, 3, 1).reshape(*spikes.shape[:-1], self.sizes[1])

    @functools.lru_cache(maxsize=32)  # noqa: B019 -- a geometry is small, and few are made
    def reached(self) -> Tensor:
        """(source size,): on how many positions of the map the kernel lies over each source neuron."""
        height, width, channels = self.source
        one = dataclasses.replace(self, source=(height, width, 1), channels=1, groups=1)
        with torch.enable_grad():
            spikes = torch.zeros(one.sizes[0], dtype=torch.float64, requires_grad=True)
            total = one.convolve(spikes[None], torch.ones(one.weights, dtype=torch.float64)).sum()
            (count,) = torch.autograd.grad(total, spikes)
        return count.detach().repeat_interleave(channels)
