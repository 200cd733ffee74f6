"""Populations of LIF neurons that learn, with any of their parts; and their integer form."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from torch import Tensor

from lifline import neurons as kinds
from lifline.errors import InputError
from lifline.neurons import BETA_BITS, Adaptation, Noise, Reset

from ..surrogate import Surrogate
from .cell import Cell, Elementwise, integer_cell, largest_integer
from .lif_cell import LIFCell
from .noise import Drawn, Generated, RandomThreshold
from .trainable import (
    Scale,
    Trainable,
    exact,
    greatest,
    integers,
    straight_through,
    trainable,
    width,
)

_ONE = 2**BETA_BITS


class LIF(Trainable):
    """A population of leaky integrate-and-fire neurons, with the arguments of snnTorch's ``Leaky`` and ``Synaptic``.

    The equations are those of :class:`lifline.neurons.LIF`, in the model's units.

    Parameters
    ----------
    size : int or (height, width, channels)
        Number of neurons, or the shape of a map.  Where (size,) stands below, a map may have (channels,): the neurons
        of a channel share the parameter.
    beta : float or Tensor (size,)
        The fraction of the membrane that is kept each tick, 0 … 1; quantised to 1/256.
    threshold : float or Tensor (size,)
        A neuron spikes where its membrane is greater.
    bias : float or Tensor (size,)
        A constant input current.
    alpha : float or Tensor (size,), optional
        The fraction of the synaptic current that is kept each tick, 0 … 1; quantised to 1/256.  By default there is
        no synaptic current (CUBA).
    rho, jump : float or Tensor (size,), optional
        An adaptive threshold (ALIF): the fraction of it that is kept each tick, 0 … 1, and what a spike adds.
    noise_scale : float, optional
        Escape noise: a neuron spikes with probability σ((x − threshold) / noise_scale).  Training draws it anew from
        torch's generator; the exported network has a generator for each neuron.
    noise_seed : int
        Of these generators.
    noise : lifline.neurons.Noise, optional
        Instead of `noise_scale`, noise that is exported as it is, in the contract's units; training runs it, too.
    spike_grad : Surrogate, optional
        By default :func:`~lifline.train.surrogate.atan`.
    learn_beta, learn_threshold, learn_bias, learn_alpha, learn_rho, learn_jump : bool
        Whether that parameter is trained; per neuron, if it was given so.
    reset_mechanism : "subtract", "zero" or "none"
    reset_delay : bool
        Whether a spike resets its membrane one tick later.
    membrane_bits, current_bits, adaptation_bits : int, optional
        Widths of the states, at which they saturate.  By default as wide as the network can ever drive them, 24 at
        most.
    scale : "free", "power_of_two", "per_neuron" or float
        "free" gives the population's largest weight the largest integer; "power_of_two" rounds that scale
        down to a power of two; "per_neuron" gives each neuron a free scale of its own, with its own
        threshold (of a map each channel, whose neurons share their weights); a number fixes the scale,
        and weights that are too large for it are clipped.
    batch_norm : bool
        Whether the current that comes from outside of the population's loop (all of it, where there is
        none) is brought to mean 0 and variance 1 while training, times a learned gain plus a learned
        offset, which then stands for the bias (S. Ioffe and C. Szegedy, "Batch Normalization", ICML 2015).
        :meth:`SpikingNetwork.fold` and export multiply it into weights and bias.
    dropout : float
        The fraction of neurons whose spikes are held back, other ones for each sample, while training.

    Raises
    ------
    InputError
        If `scale` or `reset_mechanism` is something else, a parameter is out of range, a tensor has another shape, or
        parameters do not go together.
    """

    beta: Tensor
    threshold: Tensor
    alpha: Tensor | None
    rho: Tensor | None
    jump: Tensor | None

    def __init__(
        self,
        size: int | tuple[int, int, int],
        beta: float | Tensor,
        threshold: float | Tensor = 1.0,
        *,
        bias: float | Tensor = 0.0,
        alpha: float | Tensor | None = None,
        rho: float | Tensor | None = None,
        jump: float | Tensor | None = None,
        noise_scale: float | None = None,
        noise_seed: int = 0,
        noise: Noise | None = None,
        spike_grad: Surrogate | None = None,
        learn_beta: bool = False,
        learn_threshold: bool = False,
        learn_bias: bool = False,
        learn_alpha: bool = False,
        learn_rho: bool = False,
        learn_jump: bool = False,
        reset_mechanism: str = "subtract",
        reset_delay: bool = True,
        membrane_bits: int | None = None,
        current_bits: int | None = None,
        adaptation_bits: int | None = None,
        scale: Scale = "free",
        batch_norm: bool = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__(
            size,
            bias=bias,
            learn_bias=learn_bias,
            spike_grad=spike_grad,
            scale=scale,
            batch_norm=batch_norm,
            dropout=dropout,
        )
        try:
            self.reset = Reset(reset_mechanism)
        except ValueError:
            choices = ", ".join(f"'{reset.value}'" for reset in Reset)
            raise InputError(
                f"reset_mechanism must be one of {choices}, not {reset_mechanism!r}"
            ) from None
        self.reset_delay = reset_delay
        self.membrane_bits = membrane_bits
        self.current_bits = current_bits
        self.adaptation_bits = adaptation_bits
        self.noise_scale = noise_scale
        self.noise_seed = noise_seed
        self.noise = noise
        #: of a network that has learned: where the adaptation starts, in the contract's units, and whether it is kept
        self.adapted: Adaptation | None = None
        self.add("beta", beta, learn=learn_beta, low=0, high=1)
        self.add("threshold", threshold, learn=learn_threshold, low=0)
        self.add("alpha", alpha, learn=learn_alpha, low=0, high=1)
        self.add("rho", rho, learn=learn_rho, low=0, high=1)
        self.add("jump", jump, learn=learn_jump)
        self._check(learn_alpha, learn_rho or learn_jump)

    def _check(self, learn_alpha: bool, learn_adaptation: bool) -> None:
        """Refuse parameters that do not go together."""
        if learn_alpha and self.alpha is None:
            raise InputError("learn_alpha needs alpha, where it starts, such as alpha=0.5")
        if learn_adaptation and self.rho is None:
            raise InputError("learn_rho and learn_jump need rho and jump, where they start")
        if (self.rho is None) != (self.jump is None):
            raise InputError("rho and jump make an adaptive threshold together: give both, or neither")
        if self.noise_scale is not None and self.noise is not None:
            raise InputError("noise_scale and noise are two ways to give the noise: leave one out")
        if self.noise_scale is not None and not 0 < self.noise_scale < np.inf:
            raise InputError(f"noise_scale must be a number above 0, not {self.noise_scale}")
        if self.noise_scale is not None and self.scale == "per_neuron":
            raise InputError(
                "noise_scale needs one scale for all neurons, since they share a table: give scale='free'"
            )
        if self.noise is not None and isinstance(self.scale, str):
            raise InputError(
                f"noise is in the contract's units, so that scale must be a number, not {self.scale!r}; "
                "noise_scale is in the model's"
            )

    @property
    def readout(self) -> bool:
        return self.reset is Reset.NONE

    @property
    def widths(self) -> dict[str, int]:
        given = {
            "membrane": self.membrane_bits,
            "current": None if self.alpha is None else self.current_bits,
            "adaptation": None if self.rho is None else self.adaptation_bits,
        }
        return {state: bits for state, bits in given.items() if bits is not None}

    def in_units(self, scale: float | Tensor, around: Elementwise) -> dict[str, Tensor]:
        values = self._in_model_units()
        _, offset = self.gain_and_offset()
        values["bias"] = values["bias"] + self.spread(offset)
        values["threshold"] = values["threshold"].clamp(min=0)
        fractions = {"beta", "alpha", "rho"}
        return {
            name: around(value * (_ONE if name in fractions else scale))
            for name, value in values.items()
        }

    def _in_model_units(self) -> dict[str, Tensor]:
        """The parameters that there are, each () or (size,)."""
        values = {"beta": self.beta.clamp(0, 1), "threshold": self.threshold, "bias": self.bias}
        if self.alpha is not None:
            values["alpha"] = self.alpha.clamp(0, 1)
        if self.rho is not None and self.jump is not None:
            values |= {"rho": self.rho.clamp(0, 1), "jump": self.jump}
        return {name: self.spread(value) for name, value in values.items()}

    def least_unit(self) -> Tensor:
        least = self.spread(self.threshold / greatest(self.membrane_bits))
        if self.jump is not None:
            least = torch.maximum(least, self.spread(self.jump.abs() / greatest(self.adaptation_bits)))
        return least.expand(self.size)

    def cell(self, scale: Tensor, *, quantised: bool) -> Cell:
        if quantised:
            values = self.in_units(scale, straight_through)
            for fraction in {"beta", "alpha", "rho"} & values.keys():
                values[fraction] = values[fraction] * 2.0**-BETA_BITS
        else:
            values = self._in_model_units()
        grad = self.spike_grad
        return LIFCell(
            size=self.size,
            reset=self.reset,
            reset_delay=self.reset_delay,
            high=greatest(self.membrane_bits) if quantised else torch.inf,
            current_high=greatest(self.current_bits) if quantised else torch.inf,
            adaptation_high=greatest(self.adaptation_bits) if quantised else torch.inf,
            adaptation=self._start(scale, quantised),
            floor=quantised,
            derivative=lambda distance: grad.derivative(distance / scale) / scale,
            noise=self._noise(scale, quantised),
            winners=None,
            **values,
        )

    def _start(self, scale: Tensor, quantised: bool) -> Tensor | None:
        """The adaptation before the first tick, where it is not 0."""
        if self.adapted is None or not self.adapted.initial.any():
            return None
        return scale.new_tensor(self.adapted.initial) / (1.0 if quantised else float(self.scale))

    def _noise(self, scale: Tensor, quantised: bool) -> RandomThreshold | None:
        """The noise as it is trained with."""
        if self.noise is not None:
            units = 1.0 if quantised else float(self.scale)
            table = scale.new_tensor(self.noise.table) / units
            seed = torch.tensor(self.noise.seed, dtype=torch.int32, device=scale.device)
            return Generated(table, seed)
        if self.noise_scale is None:
            return None
        if quantised:
            table = Noise.logistic(self.noise_scale * float(scale), 1).table
            return Drawn(scale.new_tensor(table))
        p = (torch.arange(2**10, dtype=scale.dtype, device=scale.device) + 0.5) / 2**10
        return Drawn(self.noise_scale * torch.logit(p))

    @torch.no_grad()
    def neuron(self, scale: Tensor, low: np.ndarray, high: np.ndarray) -> kinds.LIF:
        values = {name: integers(v) for name, v in self.in_units(scale, torch.round).items()}
        low = low + np.minimum(values["bias"], 0) - 1  # the rounding of a leak takes up to 1 off
        high = high + np.maximum(values["bias"], 0)
        current_bits, adaptation, noise = self.current_bits or 16, None, self.noise
        if "alpha" in values:
            low, high = _steady(low, values["alpha"]), _steady(high, values["alpha"])
            current_bits = self.current_bits or width(np.maximum(high, -low).max())
            top = greatest(current_bits)
            low, high = low.clip(min=-top - 1) - 1, high.clip(max=top)
        if "rho" in values:
            rho, jump = values["rho"], values["jump"]
            bound = _steady(np.abs(jump) + (jump < 0), rho).max()
            adaptation = Adaptation(rho, jump, self.adaptation_bits or width(bound, 2))
            if self.adapted is not None:
                start, keep = self.adapted.initial, self.adapted.keep
                adaptation = dataclasses.replace(adaptation, initial=start, keep=keep)
        if self.noise_scale is not None:
            noise = Noise.logistic(self.noise_scale * float(scale), self.size, seed=self.noise_seed)
        early = adaptation is not None or noise is not None  # it may spike below its bare threshold
        if self.reset is Reset.SUBTRACT and (self.reset_delay or early):
            low = low - values["threshold"]
        bound = _steady(np.maximum(high, -low), values["beta"])
        bits = self.membrane_bits or width(np.maximum(bound, values["threshold"]).max())
        return kinds.LIF(
            values["beta"],
            values["threshold"],
            reset=self.reset,
            reset_delay=self.reset_delay,
            bias=values["bias"],
            membrane_bits=bits,
            alpha=values.get("alpha"),
            current_bits=current_bits,
            adaptation=adaptation,
            noise=noise,
        )


def _steady(most: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Where a state settles that gains `most` each tick and keeps `kept` / 256 of itself; very far without a leak."""
    return most * _ONE / np.maximum(_ONE - kept, 2.0**-32)


@trainable.register
def _(neuron: kinds.LIF, size: int | tuple[int, int, int]) -> Trainable:
    scale = 2.0 ** int(neuron.threshold.max()).bit_length()  # a threshold is about 1, and exact
    adaptation = neuron.adaptation
    module = LIF(
        size,
        beta=exact(neuron.beta, _ONE),
        threshold=exact(neuron.threshold, scale),
        alpha=None if neuron.alpha is None else exact(neuron.alpha, _ONE),
        rho=None if adaptation is None else exact(adaptation.rho, _ONE),
        jump=None if adaptation is None else exact(adaptation.jump, scale),
        noise=neuron.noise,
        reset_mechanism=neuron.reset.value,
        reset_delay=neuron.reset_delay,
        membrane_bits=neuron.membrane_bits,
        current_bits=neuron.current_bits,
        adaptation_bits=None if adaptation is None else adaptation.bits,
        scale=scale,
    )
    module.bias = exact(neuron.bias, scale)
    module.adapted = adaptation
    return module


@integer_cell.register
def _(neuron: kinds.LIF, size: int, like: Tensor) -> Cell:
    def tensor(values: np.ndarray) -> Tensor:
        return like.new_tensor(values)

    def fraction(values: np.ndarray | None) -> Tensor | None:
        return None if values is None else tensor(values) * 2.0**-BETA_BITS

    adaptation, noise = neuron.adaptation, neuron.noise
    return LIFCell(
        size=size,
        beta=tensor(neuron.beta) * 2.0**-BETA_BITS,
        threshold=tensor(neuron.threshold),
        bias=tensor(neuron.bias),
        reset=neuron.reset,
        reset_delay=neuron.reset_delay,
        high=greatest(neuron.membrane_bits),
        floor=True,
        alpha=fraction(neuron.alpha),
        current_high=greatest(neuron.current_bits),
        rho=None if adaptation is None else fraction(adaptation.rho),
        jump=None if adaptation is None else tensor(adaptation.jump),
        adaptation_high=0 if adaptation is None else greatest(adaptation.bits),
        adaptation=None
        if adaptation is None or not adaptation.initial.any()
        else tensor(adaptation.initial),
        noise=None
        if noise is None
        else Generated(
            tensor(noise.table), torch.tensor(noise.seed, dtype=torch.int32, device=like.device)
        ),
    )


@largest_integer.register
def _(neuron: kinds.LIF, drive: np.ndarray) -> int:
    """Before each saturation, what is added up; and each product of a state and a fraction, before it is divided."""
    top = 2 ** (neuron.membrane_bits - 1)
    current = drive + np.abs(neuron.bias)
    limit = neuron.threshold
    candidates = [top * int(neuron.beta.max())]
    if neuron.alpha is not None:
        high = 2 ** (neuron.current_bits - 1)
        candidates += [high * int(neuron.alpha.max()), high + int(current.max())]
        current = np.minimum(high + current, high)
    if neuron.adaptation is not None:
        high = 2 ** (neuron.adaptation.bits - 1)
        jump = np.abs(neuron.adaptation.jump)
        candidates += [high * int(neuron.adaptation.rho.max()), high + int(jump.max())]
        limit = limit + high
    if neuron.noise is not None:
        limit = limit + int(np.abs(neuron.noise.table).max())
    return max(*candidates, top + int((current + limit).max()))
