"""What the convolutional tasks share: a stack of feature maps, written as text, with a readout behind it."""

from __future__ import annotations

import dataclasses
import re
from typing import Any, NamedTuple

import torch

from lifline.errors import InputError

from ..connection import Connection
from ..convolution import Conv2d, DelayedConv2d
from ..maps import Shape
from ..model import SpikingNetwork
from ..neurons import LIF
from ..settings import FRACTION, Range, setting
from .settings import MEMBRANE_BITS, TaskSettings

_LAYER = re.compile(r"(\d+)c(\d+)(?:s(\d+))?(?:p(\d+))?")


class Maps(NamedTuple):
    """A layer of feature maps."""

    channels: int
    kernel: int
    stride: int
    pool: int  #: of the source, in front of the kernel


@dataclasses.dataclass(frozen=True, kw_only=True)
class ConvolutionalSettings(TaskSettings):
    """What all tasks of feature maps depend on; a task sets its own defaults."""

    maps: str = setting(
        "16c5s2 32c3s2",
        "layers of feature maps: channels c kernel, s stride, p sum pool in front of it",
    )
    hidden: int = setting(
        0, "neurons of a fully connected population behind them; 0: none", Range(0, 1 << 14)
    )
    beta: float = setting(0.75, "of hidden neurons", FRACTION)
    readout_beta: float = setting(248 / 256, "of the output population", FRACTION)
    membrane_bits: int = setting(16, "of the hidden neurons", MEMBRANE_BITS)
    loss: str = "membrane"
    quantised: float = 0.3

    def __post_init__(self) -> None:
        super().__post_init__()
        self.layers  # noqa: B018 -- refuses what it cannot read

    @property
    def layers(self) -> list[Maps]:
        """What `maps` says.

        Raises
        ------
        InputError
            If it is not layers of feature maps.
        """
        found = []
        for text in self.maps.replace(",", " ").split():
            match = _LAYER.fullmatch(text)
            numbers = [int(n) if n else 1 for n in match.groups()] if match else [0]
            if min(numbers) < 1:
                raise InputError(
                    f"setting 'maps' must be layers such as '16c5s2 32c3' or '16c5 32c3p2', not {text!r}"
                )
            found.append(Maps(*numbers))
        if not found:
            raise InputError("setting 'maps' must name at least one layer, such as '16c5s2'")
        return found

    def stack(self, inputs: Shape, classes: int, input_bits: int = 1) -> SpikingNetwork:
        """An untrained chain of feature maps on inputs of this shape, with a readout; of height 1 it is 1-D."""
        names = [f"maps{i + 1}" for i in range(len(self.layers))]
        populations: dict[str, LIF] = {}
        projections: list[tuple[str, str, Connection]] = []
        source, shape = "input", inputs
        for name, layer in zip(names, self.layers, strict=True):
            synapses = self._convolution(shape, layer)
            projections.append((source, name, synapses))
            source, shape = name, synapses.target
            populations[name] = self._hidden(shape)
        size = shape[0] * shape[1] * shape[2]
        if self.hidden:
            populations["hidden"] = self._hidden(self.hidden)
            projections.append((source, "hidden", self.connect(size, self.hidden)))
            source, size = "hidden", self.hidden
        populations["output"] = self.readout(classes, self.readout_beta)
        projections.append((source, "output", self.connect(size, classes, delays="none")))
        return SpikingNetwork(inputs, populations, projections, input_bits=input_bits)

    def _hidden(self, size: int | Shape) -> LIF:
        return self.hidden_layer(size, self.beta, membrane_bits=self.membrane_bits)

    def _convolution(self, shape: Shape, layer: Maps) -> Conv2d:
        """A layer's synapses from a source of this shape; its padding halves what the kernel overhangs."""
        flat = shape[0] == 1

        def along(size: int) -> tuple[int, int]:
            return (1 if flat else size, size)

        edge = (layer.kernel - 1) // 2
        kernel = along(layer.kernel)
        sizes: dict[str, Any] = {
            "stride": along(layer.stride),
            "padding": (0 if flat else edge, edge),
            "pool": along(layer.pool),
            "weight_bits": self.weight_bits,
        }
        if self.delays == "learned":
            return DelayedConv2d(shape, layer.channels, kernel, max_delay=self.max_delay, **sizes)
        ticks = torch.randint(self.max_delay + 1, kernel) if self.delays == "random" else 0
        return Conv2d(shape, layer.channels, kernel, delays=ticks, **sizes)
