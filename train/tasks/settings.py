"""What the tasks' networks are built from, besides what training needs to know."""

from __future__ import annotations

import dataclasses
from typing import Any, cast

import torch
from torch import Tensor

from lifline.errors import InputError
from lifline.synapses import MAX_DELAY

from ..maps import Shape
from ..neurons import LIF, SCALES, Scale
from ..neurons.trainable import MAX_BITS
from ..settings import BELOW_ONE, FRACTION, NOT_NEGATIVE, POSITIVE, Range, Settings, setting
from ..surrogate import SURROGATES, Surrogate
from ..synapses import DelayedLinear, Synapses

#: Of a population that sets a width of its own.
MEMBRANE_BITS = Range(8, MAX_BITS)

#: Of the threshold of a neuron that fires once: no current reaches it again.
ONCE_JUMP = 1000.0

#: Up to so many bits of a weight, scale="auto" gives each neuron a scale of its own; see docs/training.md.
FEW_BITS = 3


@dataclasses.dataclass(frozen=True, kw_only=True)
class TaskSettings(Settings):
    """What all tasks depend on, besides the seed; a task adds its own fields and sets its defaults."""

    surrogate: str = setting("fast_sigmoid", "surrogate gradient of a spike", list(SURROGATES))
    slope: float = setting(5.0, "its sharpness, the first parameter", POSITIVE)
    dropout: float = setting(
        0.0, "fraction of hidden neurons left out, others in each sample", BELOW_ONE
    )
    weight_bits: int = setting(8, "width of the weights", Range(2, 16))
    scale: str = setting(
        "auto",
        "integers to 1.0 in hidden populations; auto: per_neuron up to 3 weight bits, else free",
        ["auto", *SCALES],
    )
    delays: str = setting(
        "none", "of the synapses to hidden populations", ["learned", "random", "none"]
    )
    max_delay: int = setting(25, "the longest delay, in ticks", Range(0, MAX_DELAY))
    neuron: str = setting(
        "lif",
        "hidden neurons: cuba has a synaptic current, alif an adaptive threshold, once is a cuba that fires once",
        ["lif", "cuba", "alif", "once"],
    )
    alpha: float = setting(0.5, "cuba: share of the current kept each tick", FRACTION)
    rho: float = setting(0.95, "alif: share of the adaptation kept each tick", FRACTION)
    jump: float = setting(0.2, "alif: what a spike adds to its neuron's threshold", NOT_NEGATIVE)
    learn_alpha: bool = setting(False, "cuba: each neuron learns its alpha")
    learn_rho: bool = setting(False, "alif: each neuron learns its rho")
    learn_jump: bool = setting(False, "alif: each neuron learns its jump")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.delays == "learned" and self.quantised == 1:
            raise InputError(
                "setting 'quantised' must be less than 1 with learned delays: they are learned before training "
                "is quantised"
            )

    def hidden_layer(self, size: int | Shape, beta: float, **values: Any) -> LIF:
        """A hidden population: normalised until training is quantised, with dropout and biases.

        The neurons of a map's channel share their bias, and what else they learn.
        """
        count = size if isinstance(size, int) else size[2]
        return LIF(
            size,
            beta,
            bias=torch.zeros(count),
            learn_bias=True,
            spike_grad=self.spike_grad,
            reset_delay=False,
            batch_norm=self.quantised < 1,
            dropout=self.dropout,
            scale=self.hidden_scale,
            **self._parts(count),
            **values,
        )

    def _parts(self, size: int) -> dict[str, Any]:
        """What makes a LIF neuron a CUBA or an ALIF neuron; what is learned is learned for each neuron."""

        def start(value: float, learn: bool) -> float | Tensor:
            return torch.full((size,), value) if learn else value

        if self.neuron == "once":
            return {"alpha": self.alpha, "rho": 1.0, "jump": ONCE_JUMP}
        if self.neuron == "cuba":
            return {"alpha": start(self.alpha, self.learn_alpha), "learn_alpha": self.learn_alpha}
        if self.neuron == "alif":
            return {
                "rho": start(self.rho, self.learn_rho),
                "jump": start(self.jump, self.learn_jump),
                "learn_rho": self.learn_rho,
                "learn_jump": self.learn_jump,
            }
        return {}

    def readout(self, size: int, beta: float) -> LIF:
        """An output population that does not spike, and answers by its membranes."""
        bias = torch.zeros(size)
        return LIF(size, beta, bias=bias, learn_bias=True, reset_mechanism="none", reset_delay=False)

    @property
    def hidden_scale(self) -> Scale:
        """The scale of hidden populations, with "auto" decided."""
        if self.scale == "auto":
            return "per_neuron" if self.weight_bits <= FEW_BITS else "free"
        return cast(Scale, self.scale)

    @property
    def spike_grad(self) -> Surrogate:
        """The surrogate of these settings."""
        return SURROGATES[self.surrogate](self.slope)

    def connect(self, source_size: int, target_size: int, *, delays: str | None = None) -> Synapses:
        """Synapses of these settings' width, with their delays or other ones."""
        bits, delays = self.weight_bits, delays or self.delays
        if delays == "learned":
            return DelayedLinear(source_size, target_size, max_delay=self.max_delay, weight_bits=bits)
        ticks: int | Tensor = 0
        if delays == "random":
            ticks = torch.randint(self.max_delay + 1, (source_size, target_size))
        return Synapses(source_size, target_size, delays=ticks, weight_bits=bits)
