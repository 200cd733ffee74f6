"""Convolutions: an event takes the output positions whose kernels lie on it, and no others.

Along one axis, input i meets output o with the kernel's position k where o · stride + k · dilation − padding = i.
As k rises by stride / gcd(stride, dilation), o falls by dilation / gcd(stride, dilation): so a first pair, a number
and two steps name all of them (:class:`Axis`), and nothing has to be divided as the gateware runs.
"""

from __future__ import annotations

import dataclasses
import functools
import math

import numpy as np

from lifline.synapses import Convolution

from .rows import Content, Rows, rows


@dataclasses.dataclass(frozen=True)
class Axis:
    """Which outputs, and by which positions of the kernel, each input along an axis meets."""

    kernel: np.ndarray  #: of the first pair, int64 (inputs,); 0 where there is none
    position: np.ndarray  #: of its output
    count: np.ndarray  #: pairs
    kernel_step: int  #: from a pair to the next
    position_step: int  #: by which its output falls

    @classmethod
    def of(
        cls, inputs: int, outputs: int, kernel: int, stride: int, padding: int, dilation: int
    ) -> Axis:
        """The axis of a convolution."""
        weight = np.arange(kernel)
        from_start = np.arange(inputs)[:, None] + padding - weight * dilation
        meets = (from_start % stride == 0) & (from_start >= 0) & (from_start < outputs * stride)
        first = meets.argmax(axis=1)
        count = meets.sum(axis=1)
        position = np.take_along_axis(from_start // stride, first[:, None], axis=1)[:, 0]
        common = math.gcd(stride, dilation)
        return cls(
            kernel=first,
            position=np.where(count > 0, position, 0),
            count=count,
            kernel_step=stride // common,
            position_step=dilation // common,
        )


class ConvolutionRows(Rows):
    """A word for each kernel position, input channel of a group of channels, and group of lanes of a position.

    With several groups of channels a word holds the weights of all that lie in its lanes, and an event
    masks those that are not its own: each weight is stored once.
    """

    @staticmethod
    def block(synapses: Convolution) -> int:
        """The channels of a position."""
        return int(synapses.map_shape[2])

    @staticmethod
    def stored(synapses: Convolution) -> int:
        return int(synapses.weights.size)

    @functools.cached_property
    def axes(self) -> tuple[Axis, Axis]:
        """The axes y and x."""
        return axes(self.synapses)

    @property
    def map_width(self) -> int:
        """Positions in a line of the target's map."""
        return int(self.synapses.map_shape[1])

    @property
    def channels(self) -> int:
        """Channels of the source."""
        return int(self.synapses.source_shape[2])

    @property
    def masked(self) -> bool:
        """Whether the lanes of a group belong to several groups of channels."""
        own = self.synapses.weights.shape[3] // self.synapses.groups
        return self.synapses.groups > 1 and own % self.layout.lanes != 0

    @functools.cached_property
    def lanes_of_channel(self) -> np.ndarray:
        """Of each source channel the first and the last lane that it drives in a position: int64 (channels, 2)."""
        groups = self.synapses.groups
        own = self.synapses.weights.shape[3] // groups
        group = np.arange(self.channels) // (self.channels // groups)
        return np.stack([group * own, (group + 1) * own - 1], axis=1)

    @property
    def first_group(self) -> np.ndarray:
        """Of each source channel the first group that it drives in a position."""
        return self.lanes_of_channel[:, 0] // self.layout.lanes

    @property
    def groups_of_channel(self) -> np.ndarray:
        """Of each source channel the groups that it drives in a position."""
        return self.lanes_of_channel[:, 1] // self.layout.lanes - self.first_group + 1

    @property
    def word_steps(self) -> tuple[int, int, int]:
        """Words from a kernel's line, from its position, and from an input channel to the next."""
        _, width, channels, _ = self.synapses.weights.shape
        of_channel = self.layout.groups_per_block
        return width * channels * of_channel, channels * of_channel, of_channel

    @property
    def first_word(self) -> np.ndarray:
        """Of each source channel the word of its first group, at the kernel's first position."""
        inside = np.arange(self.channels) % self.synapses.weights.shape[2]
        return inside * self.layout.groups_per_block + self.first_group

    @functools.cached_property
    def taken(self) -> np.ndarray:
        y, x = self.axes
        counts = y.count[:, None, None] * x.count[:, None] * self.groups_of_channel
        return np.maximum(counts, 1).reshape(-1)

    @property
    def contents(self) -> dict[str, Content]:
        synapses, layout = self.synapses, self.layout
        depth = math.prod(synapses.weights.shape[:3]) * layout.groups_per_block
        word = "((kernel_y * kernel_width + kernel_x) * channels_in + channel_in) * groups_per_position + group"
        result = {
            "weights": Content(
                depth,
                layout.lanes,
                synapses.weight_bits,
                True,
                word,
                lambda: self._words(synapses.weights),
            )
        }
        if self.delay_bits:
            delays = synapses.delays - self.lag
            shared = bool((delays == delays[..., :1]).all())  # by the channels out
            result["delays"] = Content(
                depth,
                1 if shared else layout.lanes,
                self.delay_bits,
                False,
                word,
                lambda: self._words(delays)[:, : 1 if shared else layout.lanes],
            )
        return result

    def _words(self, values: np.ndarray) -> np.ndarray:
        """Values of the shape of the weights as words."""
        lanes = self.layout.lanes
        padded = np.zeros((*values.shape[:3], self.layout.groups_per_block * lanes), np.int64)
        padded[..., : values.shape[3]] = values
        return padded.reshape(-1, lanes)


def axes(synapses: Convolution) -> tuple[Axis, Axis]:
    """The axes y and x of a convolution."""
    parts = zip(
        synapses.source_shape[:2],
        synapses.map_shape[:2],
        synapses.weights.shape[:2],
        synapses.stride,
        synapses.padding,
        synapses.dilation,
        strict=True,
    )
    y, x = (Axis.of(*map(int, part)) for part in parts)
    return y, x


@rows.register
def _(synapses: Convolution) -> type[Rows]:
    return ConvolutionRows
