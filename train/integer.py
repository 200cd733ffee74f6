"""The contract evaluated in torch: the third witness beside the golden model and the gateware."""

from __future__ import annotations

import dataclasses
from collections import defaultdict

import numpy as np
import torch
from torch import Tensor

from lifline.errors import InputError, NetworkError
from lifline.files import check_spikes
from lifline.network import Network, Projection
from lifline.recording import Recording

from .arithmetic import Neurons, run
from .connection import integer_kernel
from .delays import Kernel
from .neurons import States, cell_of, largest_integer

#: Integers up to 2**n, and all sums and products of them that stay below, are exact.
_EXACT_BITS = {torch.float64: 53, torch.float32: 24}

#: Samples are evaluated a few at a time, so that no more neurons and ticks than these are in memory.
_AT_ONCE = 1 << 24


def integer_forward(
    network: Network,
    spikes: np.ndarray,
    *,
    dtype: torch.dtype = torch.float64,
    device: torch.device | str = "cpu",
    time_first: bool = False,
) -> Recording:
    """Run `network` on input `spikes` in torch, every sample from rest; exact.

    Parameters
    ----------
    network : Network
    spikes : (ticks, inputs) or (samples, ticks, inputs), integers 0 … 2^input_bits − 1
    dtype : torch.float64 or torch.float32
        Floating-point numbers that hold the integers; see :func:`check_exact`.
    device : torch.device or str
    time_first : bool
        Whether `spikes` are (ticks, samples, inputs), as snnTorch and Norse have them; what is recorded is not.

    Returns
    -------
    Recording
        As :func:`lifline.golden.simulate` returns it: the same names, dtypes and shapes.

    Raises
    ------
    InputError
        If `spikes` has another shape, type or value.
    NetworkError
        If `dtype` cannot hold the network's integers exactly.
    """
    check_exact(network, dtype)
    spikes = check_spikes(spikes, network.inputs, network.input_bits, time_first=time_first)
    batch = spikes if spikes.ndim == 3 else spikes[None]
    samples, ticks, _ = batch.shape
    neurons = sum(population.size for population in network.populations)
    step = max(1, _AT_ONCE // max(1, ticks * neurons))
    spiked: dict[str, list[np.ndarray]] = defaultdict(list)
    states: dict[str, dict[str, list[np.ndarray]]] = defaultdict(lambda: defaultdict(list))
    for start in range(0, max(samples, 1), step):
        inputs = torch.from_numpy(batch[start : start + step]).to(device)
        fired, kept = evaluate(network, inputs, dtype=dtype)
        for name, tensor in fired.items():
            spiked[name].append(tensor.to(torch.uint8).cpu().numpy())
            for state, values in kept[name].items():
                states[name][state].append(values.to(torch.int32).cpu().numpy())

    sample = slice(None) if spikes.ndim == 3 else 0
    return Recording.of(
        network,
        {p.name: np.concatenate(spiked[p.name])[sample] for p in network.populations},
        {
            p.name: {s.name: np.concatenate(states[p.name][s.name])[sample] for s in p.neuron.states}
            for p in network.populations
        },
    )


@torch.no_grad()
def evaluate(
    network: Network, inputs: Tensor, *, dtype: torch.dtype = torch.float64
) -> tuple[dict[str, Tensor], dict[str, States]]:
    """Spikes and states of a network that :func:`check_exact` passed.

    Parameters
    ----------
    network : Network
    inputs : Tensor (samples, ticks, inputs), 0 … 2^input_bits − 1

    Returns
    -------
    spikes : dict of Tensor
        For each population, (samples, ticks, size), of the type `dtype` and on the device of `inputs`.
    states : dict of dict of Tensor
        For each population each of its states, likewise, or of a type for integers.
    """
    like = torch.zeros((), dtype=dtype, device=inputs.device)
    cells = {p.name: cell_of(p, like) for p in network.order}

    def kernel(projection: Projection) -> Kernel:
        made = integer_kernel(projection.synapses, projection.source, projection.target, like)
        return dataclasses.replace(made, weights=made.weights * cells[projection.target].gain)

    with torch.autocast(inputs.device.type, enabled=False):
        return run(
            inputs,
            [Neurons(name, cell) for name, cell in cells.items()],
            [kernel(projection) for projection in network.projections],
        )


def check_exact(network: Network, dtype: torch.dtype = torch.float64) -> None:
    """Refuse a network whose integers, anywhere in a tick, could exceed what `dtype` holds exactly.

    For LIF neurons that is the largest product of a state and a fraction, such as ``beta·v`` (whose quotient by
    256 is exact, too, since 256 is a power of two), and the largest sum before a saturation, such as ``u + I[t] − θ``,
    where ``|I[t]|`` is at most the bias plus the sum of all weights' magnitudes: so every partial sum is below it,
    in whatever order it is taken.  Each kind has its own bound (:func:`lifline.train.neurons.largest_integer`).

    Parameters
    ----------
    network : Network
    dtype : torch.float64 or torch.float32
        Exact up to 2^53 and 2^24.  float32 is refused while torch may compute its products in less
        (``torch.set_float32_matmul_precision``).

    Raises
    ------
    InputError
        If `dtype` is another one, or may be computed in less.
    NetworkError
        If a population's integers could be too large.
    """
    if dtype not in _EXACT_BITS:
        raise InputError(f"dtype must be torch.float64 or torch.float32, not {dtype}")
    if dtype is torch.float32 and torch.get_float32_matmul_precision() != "highest":
        raise InputError(
            "dtype is torch.float32, but its matrix products are set to a lower precision: use "
            "torch.float64, or torch.set_float32_matmul_precision('highest')"
        )
    bits = _EXACT_BITS[dtype]
    for population in network.populations:
        low, high = network.current_range(population.name)
        largest = largest_integer(population.neuron, high - low)
        if largest > 2**bits:
            raise NetworkError(
                f"population '{population.name}': its integers can reach {largest}, above 2^{bits}, up to "
                f"which {dtype} is exact; evaluate in torch.float64, or lower membrane_bits or the weights"
            )
