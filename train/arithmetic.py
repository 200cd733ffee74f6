"""One tick loop for training and for evaluation: the contract's equations in floating-point numbers.

All values are in the contract's units (weights, thresholds and membranes of an integer network), held in
floating-point tensors.  Evaluation fills them with whole numbers that are small enough to be exact, so
that the result *is* the integer contract; training passes a `floor` and a `fire` that have gradients.

A spike is delivered when it is fired, to the ticks in which it will arrive::

    spikes s_source[t] --(· weights, one block of columns per delay d)--> future[target][t + d]

so that a tick takes its current from ``future``, and no history of spikes is kept.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from lifline.network import BETA_BITS, INPUT, Reset

Elementwise = Callable[[Tensor], Tensor]


@dataclasses.dataclass(frozen=True)
class Neurons:
    """A population, ready to run."""

    name: str
    size: int
    beta: Tensor  #: () or (size,), in 1/256
    threshold: Tensor  #: () or (size,)
    bias: Tensor  #: () or (size,)
    reset: Reset
    reset_delay: bool
    low: float  #: the membrane's least value
    high: float  #: the membrane's greatest value
    fire: Elementwise  #: from x − θ to spikes, 0 or 1


@dataclasses.dataclass(frozen=True)
class Taps:
    """All synapses from one source to one target, one block of columns per distinct delay."""

    source: str
    target: str
    delays: tuple[int, ...]
    weights: Tensor  #: (source size, len(delays) · target size)


def run(
    inputs: Tensor, neurons: Sequence[Neurons], taps: Sequence[Taps], floor: Elementwise = torch.floor
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Run populations over all ticks, every sample from rest.

    Parameters
    ----------
    inputs : (samples, ticks, inputs), 0 or 1, of the dtype of all other tensors
    neurons : sequence of Neurons
        In the order of their evaluation within a tick.
    taps : sequence of Taps
    floor : callable

    Returns
    -------
    spikes, membrane : dict of Tensor
        For each population, (samples, ticks, size).
    """
    samples, ticks, _ = inputs.shape
    future: dict[str, list[Tensor | None]] = {n.name: [None] * ticks for n in neurons}
    spikes: dict[str, list[Tensor]] = {n.name: [] for n in neurons}
    membrane: dict[str, list[Tensor]] = {n.name: [] for n in neurons}
    state = {n.name: (inputs.new_zeros(samples, n.size),) * 2 for n in neurons}
    outgoing = {name: [tap for tap in taps if tap.source == name] for name in (INPUT, *future)}

    def deliver(source: str, fired: Tensor, t: int) -> None:
        for tap in outgoing[source]:
            blocks = (fired @ tap.weights).chunk(len(tap.delays), dim=-1)
            slots = future[tap.target]
            for delay, block in zip(tap.delays, blocks, strict=True):
                if t + delay < ticks:
                    earlier = slots[t + delay]
                    slots[t + delay] = block if earlier is None else earlier + block

    for t in range(ticks):
        deliver(INPUT, inputs[:, t], t)
        for n in neurons:
            arrived, future[n.name][t] = future[n.name][t], None
            current = n.bias.expand(samples, n.size) if arrived is None else arrived + n.bias
            v, s = update(n, current, *state[n.name], floor)
            state[n.name] = v, s
            membrane[n.name].append(v)
            spikes[n.name].append(s)
            deliver(n.name, s, t)

    def stack(n: Neurons, values: list[Tensor]) -> Tensor:
        return torch.stack(values, dim=1) if values else inputs.new_zeros(samples, 0, n.size)

    return (
        {n.name: stack(n, spikes[n.name]) for n in neurons},
        {n.name: stack(n, membrane[n.name]) for n in neurons},
    )


def update(
    n: Neurons, current: Tensor, v: Tensor, s: Tensor, floor: Elementwise
) -> tuple[Tensor, Tensor]:
    """One tick of a population: v[t], s[t] from I[t], v[t−1], s[t−1].

    No gradient flows through the reset (F. Zenke and T. P. Vogels, "The Remarkable Robustness of Surrogate
    Gradient Learning for Instilling Complex Function in Spiking Neural Networks", Neural Computation
    33(4), 2021), except to a learned threshold that is subtracted.
    """
    if n.reset_delay and n.reset is Reset.ZERO:
        v = v * (1 - s.detach())
    x = floor(v * (n.beta * 2.0**-BETA_BITS)) + current
    if n.reset_delay and n.reset is Reset.SUBTRACT:
        x = x - s.detach() * n.threshold
    x = x.clamp(n.low, n.high)
    fired = n.fire(x - n.threshold)
    if not n.reset_delay and n.reset is Reset.SUBTRACT:
        x = x - fired.detach() * n.threshold
    elif not n.reset_delay and n.reset is Reset.ZERO:
        x = x * (1 - fired.detach())
    return x, fired
