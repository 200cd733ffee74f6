"""A kind of neuron from outside the package, in one file: perfect integration, then a pause after each spike.

README's "How to add a neuron" points here.  Nothing in lifline knows this kind: fields, files, golden engine, traces,
cycle model, export and reports find what they need by its type and its fields.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import torch
from amaranth.hdl import Module, Mux, Signal
from torch import Tensor

from lifline.fields import integer, per_neuron
from lifline.golden import reference
from lifline.neurons import Neuron, State
from lifline.rtl.arithmetic import delay, saturate
from lifline.rtl.neurons import Lane, lane
from lifline.train.neurons import Cell, integer_cell

# --- the contract: fields, equation, states ------------------------------------------------------------


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Refractory(Neuron):
    """A perfect integrator that rests for `period` ticks after each spike.

    ::

        p[t−1] > 0:   v[t] = 0;  s[t] = 0;  p[t] = p[t−1] − 1
        else:         x = sat(v[t−1] + Σ w · s);  s[t] = x > threshold
                      v[t] = 0 if s[t] else x;  p[t] = period if s[t] else 0
    """

    threshold: Any = per_neuron("a neuron spikes where its membrane is greater", low=0, high=2**11 - 1)
    period: Any = per_neuron("ticks of rest after a spike", low=0, high=7, default=2, unit="ticks")
    membrane_bits: int = integer("width of the membrane", low=12, high=24, default=16)

    @property
    def states(self) -> tuple[State, ...]:
        return State("membrane", self.membrane_bits), State("pause", 3, signed=False)


# --- the reference: one neuron, one tick, in Python's integers ---------------------------------------------


@reference.tick.register
def _(neuron: Refractory, i: int, total: int, before: reference.Before) -> reference.After:
    pause = before.state["pause"]
    if pause:
        return reference.After({"membrane": 0, "pause": pause - 1}, 0)
    x = reference.sat(before.state["membrane"] + total, neuron.membrane_bits)
    if x > int(neuron.threshold[i]):
        return reference.After({"membrane": 0, "pause": int(neuron.period[i])}, 1)
    return reference.After({"membrane": x, "pause": 0}, 0)


# --- torch ---------------------------------------------------------------------------------------------


class RefractoryCell(Cell):
    """All neurons of many samples at once."""

    def __init__(self, neuron: Refractory, size: int, like: Tensor) -> None:
        self.size = size
        self.threshold = like.new_tensor(neuron.threshold)
        self.period = like.new_tensor(neuron.period)
        self.range = neuron.states[0].range

    def start(self, like: Tensor) -> dict[str, Tensor]:
        return {"membrane": like, "pause": like}

    def tick(
        self, current: Tensor, state: dict[str, Tensor], spiked: Tensor
    ) -> tuple[dict[str, Tensor], Tensor]:
        resting = state["pause"] > 0
        x = (state["membrane"] + current).clamp(*self.range)
        x = torch.where(resting, torch.zeros_like(x), x)
        spikes = (x > self.threshold) & ~resting
        return {
            "membrane": torch.where(spikes, torch.zeros_like(x), x),
            "pause": torch.where(spikes, self.period, (state["pause"] - 1).clamp(min=0)),
        }, spikes.to(x.dtype)


@integer_cell.register
def _(neuron: Refractory, size: int, like: Tensor) -> Cell:
    return RefractoryCell(neuron, size, like)


# --- the gateware ----------------------------------------------------------------------------------------


class RefractoryLane(Lane):
    """One neuron a cycle, in one cycle."""

    @staticmethod
    def latency(neuron: Refractory) -> int:
        return 1

    def elaborate(self, platform):
        m = Module()
        x = Signal.like(self.old_membrane)
        pause = Signal.like(self.old_pause)
        resting = Signal()
        m.d.sync += [
            x.eq(saturate(self.old_membrane + self.total, self.neuron.membrane_bits)),
            pause.eq(self.old_pause),
            resting.eq(self.old_pause != 0),
        ]
        threshold = delay(m, self.parameter("threshold"), 1, "threshold")
        period = delay(m, self.parameter("period"), 1, "period")
        m.d.comb += [
            self.spike.eq(~resting & (x > threshold)),
            self.new_membrane.eq(Mux(resting | self.spike, 0, x)),
            self.new_pause.eq(Mux(resting, pause - 1, Mux(self.spike, period, 0))),
        ]
        return m


@lane.register
def _(neuron: Refractory) -> type[Lane]:
    return RefractoryLane
