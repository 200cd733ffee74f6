"""Populations of Izhikevich's neurons: their synapses and constant currents learn, a, b, c and d stay."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import torch
from torch import Tensor

from lifline import neurons as kinds
from lifline.neurons.izhikevich import A_BITS, B_BITS, QUADRATIC

from ..surrogate import Surrogate, atan, step
from .cell import Cell, Elementwise, States, instead, integer_cell, largest_integer, winning
from .trainable import Trainable, exact, integers, straight_through, trainable


@dataclasses.dataclass(frozen=True, kw_only=True)
class IntegerCell(Cell):
    """The contract's equation in int64 tensors."""

    size: int
    neuron: kinds.Izhikevich
    bias: Tensor  # of the currents' type, in the contract's units
    winners: int | None = None

    @property
    def gain(self) -> float:  # type: ignore[override]
        """A weight counts 2^gain."""
        return 2.0**self.neuron.gain

    def start(self, like: Tensor) -> States:
        return {
            state.name: self.tensor(np.asarray(state.initial), like).expand(like.shape)
            for state in self.neuron.states
        }

    def tick(self, current: Tensor, state: States, spiked: Tensor) -> tuple[States, Tensor]:
        x, r = self.euler(current.to(torch.int64), state["membrane"], state["recovery"])
        margin = x - self.tensor(self.neuron.threshold, x)
        fired = margin > 0 if self.winners is None else winning(margin, self.winners)
        c, d = self.tensor(self.neuron.c, x), self.tensor(self.neuron.d, x)
        after = {
            "membrane": torch.where(fired, c, x),
            "recovery": torch.where(fired, self.saturated(r + d, "recovery"), r),
        }
        return after, fired.to(current.dtype)

    def euler(self, current: Tensor, v: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
        """x and r, before a spike is looked for; all int64."""
        n = self.neuron
        a, b = self.tensor(n.a, v), self.tensor(n.b, v)
        square = torch.bitwise_right_shift(v * v, n.fraction_bits)
        rise = torch.bitwise_right_shift(QUADRATIC * square, 16) + 5 * v - u + current
        rise = rise + (140 << n.fraction_bits)
        x = v + torch.bitwise_right_shift(rise, n.step_bits)
        pull = a * (torch.bitwise_right_shift(b * v, B_BITS) - u)
        r = u + torch.bitwise_right_shift(pull, A_BITS + n.step_bits)
        return self.saturated(x, "membrane"), self.saturated(r, "recovery")

    def saturated(self, values: Tensor, state: str) -> Tensor:
        """`values` within the range of a state."""
        (found,) = (s for s in self.neuron.states if s.name == state)
        return values.clamp(*found.range)

    @staticmethod
    def tensor(values: np.ndarray, like: Tensor) -> Tensor:
        """A parameter, int64."""
        return torch.tensor(values, dtype=torch.int64, device=like.device)


@dataclasses.dataclass(frozen=True, kw_only=True)
class LearningCell(Cell):
    """The same with gradients: Euler steps in floating point, which quantised training replaces by the integers'.

    With `integer` it is in the contract's units, without it in mV.
    """

    size: int
    neuron: kinds.Izhikevich
    bias: Tensor
    derivative: Elementwise  #: stands in for that of s by x − threshold
    integer: IntegerCell | None

    @property
    def gain(self) -> float:  # type: ignore[override]
        """A weight counts 2^gain in the contract's units."""
        return 1.0 if self.integer is None else self.integer.gain

    @property
    def one(self) -> float:
        """1 mV."""
        return 1.0 if self.integer is None else 2.0**self.neuron.fraction_bits

    def start(self, like: Tensor) -> States:
        return {
            state.name: self.fixed(np.asarray(state.initial), like).expand(like.shape)
            for state in self.neuron.states
        }

    def tick(self, current: Tensor, state: States, spiked: Tensor) -> tuple[States, Tensor]:
        n, v, u = self.neuron, state["membrane"], state["recovery"]
        a, b = v.new_tensor(n.a) / 2**A_BITS, v.new_tensor(n.b) / 2**B_BITS
        rise = 0.04 / self.one * v.square() + 5 * v + 140 * self.one - u + current
        x = v + rise / 2**n.step_bits
        r = u + a * (b * v - u) / 2**n.step_bits
        d = self.fixed(n.d, v)
        if self.integer is not None:
            whole = (tensor.detach().round().to(torch.int64) for tensor in (current, v, u))
            exact_x, exact_r = self.integer.euler(*whole)
            x = instead(exact_x.to(v.dtype), self.integer.saturated(x, "membrane"))
            r = instead(exact_r.to(v.dtype), self.integer.saturated(r, "recovery"))
        spikes = step(x - self.fixed(n.threshold, v), self.derivative)
        fired = spikes.detach() > 0
        raised = r + d if self.integer is None else self.integer.saturated(r + d, "recovery")
        after = {
            "membrane": torch.where(fired, self.fixed(n.c, v), x),
            "recovery": torch.where(fired, raised, r),
        }
        return after, spikes

    def fixed(self, values: np.ndarray, like: Tensor) -> Tensor:
        """A parameter of the contract, in these units."""
        tensor = like.new_tensor(values)
        return tensor if self.integer is not None else tensor / 2**self.neuron.fraction_bits


class Izhikevich(Trainable):
    """A population of Izhikevich's neurons, in mV and ms; the equations are :class:`lifline.neurons.Izhikevich`'s.

    Its scale follows from the neuron: an integer weight is 2^(gain − fraction_bits) mV/ms.

    Parameters
    ----------
    size : int or (height, width, channels)
    neuron : lifline.neurons.Izhikevich, optional
        By default ``lifline.neurons.Izhikevich.of()``, regular spiking.
    bias : float or Tensor (size,), optional
        A constant current, in mV/ms; by default the neuron's.
    learn_bias : bool
    spike_grad : Surrogate, optional
        Of the membrane's distance to its peak in mV; by default ``atan(0.2)``.
    batch_norm, dropout
        As :class:`lifline.train.LIF` has them.
    """

    def __init__(
        self,
        size: int | tuple[int, int, int],
        neuron: kinds.Izhikevich | None = None,
        *,
        bias: float | Tensor | None = None,
        learn_bias: bool = False,
        spike_grad: Surrogate | None = None,
        batch_norm: bool = False,
        dropout: float = 0.0,
    ) -> None:
        count = size if isinstance(size, int) else math.prod(size)
        self._kind = (neuron or kinds.Izhikevich.of()).sized(count, "Izhikevich")
        one = 2**self._kind.fraction_bits
        super().__init__(
            size,
            bias=exact(self._kind.bias, one) if bias is None else bias,
            learn_bias=learn_bias,
            spike_grad=spike_grad or atan(0.2),
            scale=2.0 ** (self._kind.fraction_bits - self._kind.gain),
            batch_norm=batch_norm,
            dropout=dropout,
        )
        if bias is None and not learn_bias:
            self.bias = exact(self._kind.bias, one)

    def in_units(self, scale: float | Tensor, around: Elementwise) -> dict[str, Tensor]:
        _, offset = self.gain_and_offset()
        return {
            "bias": around(
                (self.spread(self.bias) + self.spread(offset)) * 2**self._kind.fraction_bits
            ),
            "threshold": self.bias.new_tensor(self._kind.threshold),
        }

    def cell(self, scale: Tensor, *, quantised: bool) -> Cell:
        kind = self._kind
        bias = self.in_units(1.0, straight_through)["bias"] if quantised else self.spread(self.bias)
        integer = IntegerCell(size=self.size, neuron=kind, bias=bias) if quantised else None
        one = 2.0**kind.fraction_bits if quantised else 1.0
        grad = self.spike_grad
        return LearningCell(
            size=self.size,
            neuron=kind,
            bias=bias,
            derivative=lambda distance: grad.derivative(distance / one) / one,
            integer=integer,
        )

    @torch.no_grad()
    def neuron(self, scale: Tensor, low: np.ndarray, high: np.ndarray) -> kinds.Izhikevich:
        bias = integers(self.in_units(scale, torch.round)["bias"])
        return dataclasses.replace(self._kind, bias=bias)


@trainable.register
def _(neuron: kinds.Izhikevich, size: int | tuple[int, int, int]) -> Trainable:
    return Izhikevich(size, neuron)


@integer_cell.register
def _(neuron: kinds.Izhikevich, size: int, like: Tensor) -> Cell:
    return IntegerCell(size=size, neuron=neuron, bias=like.new_tensor(neuron.bias))


@largest_integer.register
def _(neuron: kinds.Izhikevich, drive: np.ndarray) -> int:
    """The current alone: the rest is int64."""
    return int(((drive << neuron.gain) + np.abs(neuron.bias)).max())
