"""What quantisation does to a network: its accuracy before and after, and what to do where it suffers."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import torch

from lifline.synapses import MAX_DELAY

from .activity import Activity
from .model import SpikingNetwork
from .neurons import Trainable
from .neurons.trainable import greatest

#: A population saturates noticeably where more than this share of its membranes lies at the bounds.
SATURATED = 0.01

#: Thresholds below this have fewer than 3 bits; noticeable where more than `COARSE_SHARE` of a population's are.
COARSE = 4
COARSE_SHARE = 0.1

#: Delays pile up where more than this share of them, and than twice the uniform share, is `max_delay`.
PILED_UP = 0.1

#: The widest weights of the contract.
MAX_WEIGHT_BITS = 16

#: Accuracy falls noticeably if it is lower by more than this fraction of the samples, and at least so many of them.
FALL = 0.05
FALL_SAMPLES = 5


class Problem(NamedTuple):
    """What is wrong, and what can be done; it is told once for each `what`."""

    what: str
    remedy: str


def of_activity(model: SpikingNetwork, activity: Activity) -> list[Problem]:
    """What is wrong with a quantised network that did this: silence, saturation, coarse thresholds."""
    problems = []
    for name, spikes in activity.spikes.items():
        lif = model.population(name)
        readout = activity.readout and name == activity.output
        if not readout and not spikes.any():
            problems.append(
                Problem(
                    f"population '{name}' has fallen silent",
                    "no neuron spikes; lower its threshold, or give its weights more bits",
                )
            )
        if not readout:
            problems += _thresholds(model, name, activity.scale[name])
        for state, bits in lif.widths.items():
            values, high = activity.states[name][state], greatest(bits)
            share = float(((values >= high) | (values <= -high - 1)).float().mean())
            if share > SATURATED:
                problems.append(
                    Problem(
                        f"population '{name}' saturates",
                        f"{share:.1%} of its {state}s are at the bounds of {bits} bits; raise {state}_bits",
                    )
                )
    return problems


@torch.no_grad()
def _thresholds(model: SpikingNetwork, name: str, scale: torch.Tensor) -> list[Problem]:
    lif = model.population(name)
    threshold = lif.in_units(scale, torch.round)["threshold"]
    coarse = threshold.expand(lif.size) < COARSE
    if coarse.double().mean() <= COARSE_SHARE:
        return []
    return [
        Problem(
            f"population '{name}' has coarse thresholds",
            f"{int(coarse.sum())} of {lif.size} are integers below {COARSE}, less than 3 bits, and every current is "
            f"rounded as coarsely; {_finer(model, [name])}",
        )
    ]


def _finer(model: SpikingNetwork, names: Iterable[str]) -> str:
    """What makes the integers of populations finer."""
    ways = []
    if any(model.population(name).scale != "per_neuron" for name in names if not _readout(model, name)):
        ways.append("scales per neuron (scale='per_neuron')")
    bits = min(synapses.weight_bits for name in names for synapses in model.incoming(name))
    if bits < MAX_WEIGHT_BITS:
        ways.append(f"more than {bits} weight bits (weight_bits)")
    return f"try {', or '.join(ways)}" if ways else "try smaller weights (weight_decay)"


def _readout(model: SpikingNetwork, name: str) -> bool:
    return name == model.output and model.population(name).readout


def of_delays(model: SpikingNetwork) -> list[Problem]:
    """Whether learned delays pile up at the longest that they may be."""
    problems = []
    for source, target, synapses in model.projections:
        if synapses not in model.delayed:
            continue
        low, high = synapses.delay_range
        share = float((synapses.rounded_delays() == high).double().mean())
        if high > low and share > max(PILED_UP, 2 / (high - low + 1)):
            raised = f"raise max_delay above {high}" if high < MAX_DELAY else "let a tick be longer"
            problems.append(
                Problem(
                    f"delays of {source} -> {target} pile up at max_delay",
                    f"{share:.0%} of them are {high}, the longest allowed, where an even spread has "
                    f"{1 / (high - low + 1):.0%}; {raised}",
                )
            )
    return problems


@dataclasses.dataclass(frozen=True)
class Switch:
    """Accuracy of the floating-point network and of the integer network that it became, on the same samples."""

    epoch: int  #: the last floating-point one
    samples: int
    held_out: bool  #: whether the samples are the validation's; else they are of the training data
    floating: float  #: accuracy before
    rounded_delays: float  #: of the floating-point network with its learned delays rounded
    quantised: float  #: right after, before any quantised training
    end: float | None = None  #: of the integer network after the last epoch

    def fell(self, accuracy: float) -> bool:
        """Whether an accuracy is noticeably lower than that of the floating-point network."""
        fall = self.floating - accuracy
        return fall > FALL and round(fall * self.samples) >= FALL_SAMPLES


def of_switch(model: SpikingNetwork, switch: Switch) -> list[Problem]:
    """Whether accuracy falls noticeably when integers take the place of floats, and why."""
    if not switch.fell(switch.quantised):
        return []
    rounded = f"{switch.rounded_delays:.1%} with rounded delays and " if _by_delays(switch) else ""
    return [
        Problem(
            "quantisation costs accuracy",
            f"{switch.floating:.1%} in floating point became {rounded}{switch.quantised:.1%} with integers; if "
            f"quantised epochs do not win it back, {_remedy(model, switch)}",
        )
    ]


def of_end(model: SpikingNetwork, switch: Switch) -> list[Problem]:
    """Whether accuracy is still noticeably lower after the last epoch."""
    if switch.end is None or not switch.fell(switch.end):
        return []
    return [
        Problem(
            "accuracy stays below that in floating point",
            f"{switch.end:.1%} with integers at the end, {switch.floating:.1%} before; "
            f"{_remedy(model, switch)}, or more quantised epochs (quantised)",
        )
    ]


def _by_delays(switch: Switch) -> bool:
    """Whether more accuracy is lost by rounding delays than by all else."""
    return switch.floating - switch.rounded_delays > switch.rounded_delays - switch.quantised


def _remedy(model: SpikingNetwork, switch: Switch) -> str:
    if _by_delays(switch):
        return "let delays settle first: more epochs, or a shorter annealing"
    return _finer(model, model.names)


def _populations(model: SpikingNetwork) -> list[Trainable]:
    return [model.population(name) for name in model.names]


@contextlib.contextmanager
def floating(model: SpikingNetwork, *, rounded_delays: bool) -> Iterator[None]:
    """The floating-point network as it is trained, without what varies: running statistics, no dropout."""
    model.train()
    before = model.quantize, [lif.dropout for lif in _populations(model)]
    model.quantize = False
    for lif in _populations(model):
        lif.dropout = 0.0
        lif.eval()  # batch normalisation takes its running statistics
    if rounded_delays:
        for synapses in model.delayed:
            synapses.eval()
    try:
        yield
    finally:
        model.quantize, dropouts = before
        for lif, dropout in zip(_populations(model), dropouts, strict=True):
            lif.dropout = dropout
        model.train()
