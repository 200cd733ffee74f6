"""What `verify` runs a network on: spikes that travel along every delay, within bounded memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from lifline.errors import InputError
from lifline.network import INPUT, Network, Projection

from .trace import Trace

#: Ticks of random spikes where no delay needs more.
LEAST_TICKS = 32

#: Ticks that are left for the spikes that arrive along the longest path.
MARGIN = 16

#: `verify` is refused where it would take more memory.
MOST_BYTES = 4 << 30


def random_spikes(network: Network, samples: int, ticks: int, seed: int) -> np.ndarray:
    """Input that gets into the corners: samples from sparse to full, silent ticks; uint8 (samples, ticks, inputs)."""
    rng = np.random.default_rng(seed)
    density = rng.choice([0.05, 0.2, 0.5, 1.0], size=(samples, 1, 1))
    awake = rng.random((samples, ticks, 1)) < 0.85
    spikes = ((rng.random((samples, ticks, network.inputs)) < density) & awake).astype(np.uint8)
    most = network.largest_value(INPUT)
    return spikes if most == 1 else spikes * rng.integers(1, most + 1, spikes.shape, np.uint8)


def ticks_for(network: Network) -> int:
    """Ticks in which spikes travel along every projection's longest delay, one after the other, and some more."""
    latest = {INPUT: 0}
    longest = 0
    for population in network.order:
        latest[population.name] = max(
            (
                latest[projection.source] + projection.synapses.delay_range[1]
                for projection in network.incoming(population.name)
                if projection.source in latest  # the others come later in the order: they close a loop
            ),
            default=0,
        )
    for projection in network.projections:
        longest = max(longest, latest[projection.source] + projection.synapses.delay_range[1])
    return max(LEAST_TICKS, longest + MARGIN)


def ticks_to_reach(projection: Projection, sent: np.ndarray) -> int | None:
    """Ticks after which a spike of `sent` (samples, ticks, source size) has arrived through a longest delay.

    None if no neuron ever spikes that has one.
    """
    least, longest = projection.synapses.delay_range
    if least < longest:  # else every source has it
        _, delays = projection.synapses.stored()
        sent = sent[:, :, projection.synapses.per_source(delays == longest) > 0]
    train = sent.any(axis=(0, 2))
    return int(train.argmax()) + longest + 1 if train.any() else None


def unreached(network: Network, activity: Mapping[str, np.ndarray]) -> list[str]:
    """Which delays no spike has been through, a line for each projection.

    Parameters
    ----------
    network : Network
    activity : mapping of str to (samples, ticks, size)
        The spikes of the input and of every population.

    Raises
    ------
    InputError
        If the ticks are too few for a projection's longest delay; more of them would reach it.
    """
    silent = []
    ticks = activity[INPUT].shape[1]
    for projection in network.projections:
        longest = projection.synapses.delay_range[1]
        needed = ticks_to_reach(projection, activity[projection.source])
        if (needed or longest + 1) > ticks:
            raise InputError(
                f"projection '{projection}': {ticks} ticks are too few for its delay of {longest}, which would "
                f"pass unchecked: give {needed or longest + 1} ticks or more"
            )
        if needed is None and longest:
            silent.append(
                f"'{projection}': no neuron with the longest delay, of {longest} ticks, has spiked"
            )
    return silent


def check_memory(network: Network, traces: Sequence[Trace], samples: int, ticks: int) -> None:
    """Refuse what would take more memory than `MOST_BYTES`.

    Raises
    ------
    InputError
    """
    needed = estimated_bytes(network, traces, samples, ticks)
    if needed > MOST_BYTES:
        raise InputError(
            f"{samples} samples of {ticks} ticks on {sum(trace.size for trace in traces)} neurons would take "
            f"about {needed / 2**30:,.0f} GiB of memory, more than the limit of {MOST_BYTES >> 30} GiB: give fewer "
            "samples or ticks"
        )


def estimated_bytes(network: Network, traces: Sequence[Trace], samples: int, ticks: int) -> int:
    """About how much memory `verify` takes.

    The input, made of random floats; five recordings and their words; one sample as bits and as Python's integers.
    """
    held = 10 * network.inputs
    unpacked = 0
    for trace in traces:
        bits = sum(state.bits for state in trace.states)
        held += trace.size * 5 * (1 + 4 * len(trace.states)) + 4 * trace.groups * trace.word_bytes
        unpacked += trace.size * 20 * bits + trace.groups * 80
    return ticks * (samples * held + unpacked)
