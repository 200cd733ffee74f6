"""What every population that learns has, whatever its kind: scale, batch normalisation, dropout, parameters."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from lifline.errors import InputError, NetworkError
from lifline.neurons import Neuron
from lifline.population import Population

from ..surrogate import Surrogate, atan
from ..surrogate import of as surrogate
from .cell import Cell, Elementwise

Scale = float | Literal["free", "power_of_two", "per_neuron"]

MAX_BITS = 24  #: of any state

SCALES = ("free", "power_of_two", "per_neuron")


class Trainable(nn.Module):
    """A population that learns, in the model's units.

    Parameters
    ----------
    size : int or (height, width, channels)
        Number of neurons, or the shape of a map.  The neurons of a map that are of one channel share what batch
        normalisation does, and a scale "per_neuron"; a parameter that is given for the channels they share, too.
    bias : float or Tensor (size,) or (channels,)
        A constant input current.
    learn_bias : bool
    spike_grad : Surrogate or callable, optional
        By default :func:`~lifline.train.surrogate.atan`; of another library, see :func:`~lifline.train.surrogate.of`.
    scale : "free", "power_of_two", "per_neuron" or float
        The contract's units to one of the model's.
    batch_norm : bool
    dropout : float
        Of a map whole channels are left out.

    Raises
    ------
    InputError
        If one of these cannot be used.
    """

    bias: Tensor

    def __init__(
        self,
        size: int | tuple[int, int, int],
        *,
        bias: float | Tensor = 0.0,
        learn_bias: bool = False,
        spike_grad: Surrogate | Callable[[Tensor], Tensor] | None = None,
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
        self.shape = (size,) if isinstance(size, int) else tuple(size)
        self.size = math.prod(self.shape)
        self.channels = self.shape[-1]
        self.spike_grad = atan() if spike_grad is None else surrogate(spike_grad)
        self.scale: Scale = scale
        self.dropout = dropout
        self.norm = nn.BatchNorm1d(self.channels) if batch_norm else None
        self.add("bias", bias, learn=learn_bias)

    def add(
        self,
        name: str,
        value: float | Tensor | None,
        *,
        learn: bool = False,
        low: float = -torch.inf,
        high: float = torch.inf,
    ) -> None:
        """A parameter for all neurons, each channel of a map or each neuron, learned or not; None: it is absent.

        Raises
        ------
        InputError
            If it is out of low … high, or has another shape.
        """
        if value is None:
            self.register_buffer(name, None)
            return
        tensor = torch.as_tensor(value, dtype=torch.get_default_dtype()).detach().clone()
        if tensor.shape not in ((), (self.channels,), (self.size,)):
            shapes = " or ".join(f"({n},)" for n in dict.fromkeys((self.size, self.channels)))
            raise InputError(
                f"{name} must be a number or have the shape {shapes}, not {tuple(tensor.shape)}"
            )
        if not ((tensor >= low) & (tensor <= high)).all():
            raise InputError(f"{name} must be in {low} … {high}, not {value}")
        if learn:
            self.register_parameter(name, nn.Parameter(tensor))
        else:
            self.register_buffer(name, tensor)

    def spread(self, values: Tensor) -> Tensor:
        """() or (size,), of values for all, each channel or each neuron."""
        if values.ndim == 0 or len(values) == self.size:
            return values
        return values.repeat(self.size // self.channels)

    def by_channel(self, values: Tensor) -> Tensor:
        """(channels,): the largest of each channel, of values (size,) or (channels,)."""
        return values.view(-1, self.channels).amax(dim=0)

    @property
    def readout(self) -> bool:
        """Whether its neurons never reset, and so answer by their membranes."""
        return False

    @property
    def widths(self) -> dict[str, int]:
        """The bits of each state that was given a width, and so may saturate."""
        return {}

    def cell(self, scale: Tensor, *, quantised: bool) -> Cell:
        """The population as it is trained: in the contract's units, or in floating point and in the model's.

        Parameters
        ----------
        scale : Tensor () or (size,)
            The contract's units to one of the membrane's; 1 in floating point.
        quantised : bool
        """
        raise NotImplementedError

    def neuron(self, scale: Tensor, low: np.ndarray, high: np.ndarray) -> Neuron:
        """The contract's neuron, each state without a given width so wide that no spikes whatever can saturate it.

        Parameters
        ----------
        scale : Tensor () or (size,)
        low, high : int64 (size,)
            The least and the greatest sum of the weights of a tick.
        """
        raise NotImplementedError

    def in_units(self, scale: float | Tensor, around: Elementwise) -> dict[str, Tensor]:
        """The parameters in the contract's units, rounded by `around`."""
        raise NotImplementedError

    def least_unit(self) -> Tensor:
        """The smallest unit, in the model's, with which each neuron's parameters fit their fields: (size,)."""
        return torch.zeros(self.size, dtype=self.bias.dtype, device=self.bias.device)

    def gain_and_offset(self) -> tuple[Tensor, Tensor]:
        """What batch normalisation, by its running statistics, does to currents: () or (channels,)."""
        norm = self.norm
        if norm is None:
            return self.bias.new_ones(()), self.bias.new_zeros(())
        assert norm.running_mean is not None
        assert norm.running_var is not None
        gain = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
        return gain, norm.bias - gain * norm.running_mean

    def normalise(self, currents: Tensor) -> Tensor:
        """Batch normalisation of currents (ticks, samples, size), over ticks, samples and the places of a map."""
        assert self.norm is not None
        normal: Tensor = self.norm(currents.reshape(-1, self.channels))
        return normal.view_as(currents)

    def kept(self, samples: int) -> Tensor | None:
        """(samples, size): 0 for neurons that are left out, a factor above 1 for the others; None: all stay."""
        if not self.dropout:
            return None
        ones = torch.ones(samples, self.channels, dtype=self.bias.dtype, device=self.bias.device)
        return nn.functional.dropout(ones, self.dropout).repeat(1, self.size // self.channels)

    @torch.no_grad()
    def fold(self) -> None:
        """Put batch normalisation's offset into the bias, which is learned from then on; its gain is lost."""
        _, offset = self.gain_and_offset()
        if self.bias.ndim and len(self.bias) == self.size:
            offset = self.spread(offset)
        bias = (self.bias + offset).clone()
        del self.bias
        self.bias = nn.Parameter(bias)
        self.norm = None


@functools.singledispatch
def trainable(neuron: Neuron, size: int | tuple[int, int, int]) -> Trainable:
    """A population that exports `neuron` again, and can be trained further from there."""
    name = type(neuron).__name__
    raise NetworkError(
        f"{name} neurons cannot be trained: register a module for them with lifline.train.neurons.trainable"
    )


def trainable_of(population: Population) -> Trainable:
    """The module of a population, as :func:`trainable`."""
    if population.winners is not None:
        raise NetworkError(f"population '{population.name}': training has no winners; leave them out")
    shape = population.shape
    return trainable(population.neuron, shape[0] if len(shape) == 1 else shape)


def greatest(bits: int | None) -> int:
    """The greatest value of a state of so many bits; None: of the most that there can be."""
    return int(2 ** ((bits or MAX_BITS) - 1)) - 1


def width(bound: float, least: int = 8) -> int:
    """The bits that hold −bound … bound in two's complement, `least` … 24."""
    return min(max(int(np.ceil(bound)).bit_length() + 1, least), MAX_BITS)


def exact(values: np.ndarray, scale: float) -> Tensor:
    """`values` / `scale`, in the default type if that holds it, else in float64.

    One value for all neurons stays one.
    """
    quotient = torch.tensor(values / scale, dtype=torch.float64)
    rounded = quotient.to(torch.get_default_dtype())
    return rounded if torch.equal(rounded.to(torch.float64), quotient) else quotient


def integers(values: Tensor) -> np.ndarray:
    """`values`, which are integers, as int64.

    Raises
    ------
    NetworkError
        If one is not finite.
    """
    if not torch.isfinite(values).all():
        raise NetworkError("a parameter is not a finite number; training has diverged")
    array: np.ndarray = values.detach().to(torch.int64).cpu().numpy()
    return array


def straight_through(values: Tensor) -> Tensor:
    """`values` rounded; the gradient passes straight through."""
    return values + (values.round() - values).detach()
