"""The golden model beside snnTorch and Norse: inference of 784-128-10, 25 ticks, a batch of 128, one thread.

Each records the spikes and membranes of all neurons at all ticks, from spikes in its own form that are made
before: snnTorch and Norse tick by tick in float32 from (ticks, samples, inputs), the golden model in exact
integers from uint8 (samples, ticks, inputs).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from lifline.golden import Model
from lifline.network import Network

from .inputs import feed_forward, independent, pictures, rate_coded
from .measure import SEED, Options, Result, milliseconds, ratio, side_by_side

BATCH, TICKS = 128, 25


def run(options: Options) -> Result:
    torch.set_num_threads(1)
    rng = np.random.default_rng(SEED)
    samples = 8 if options.quick else BATCH
    network = feed_forward(rng, 784, 128, 10)
    what, images = pictures(rng, samples)
    model = Model(network)
    cases = {
        f"{what}, rate coded": rate_coded(rng, images, TICKS),
        f"{what}, rate coded, dimmed": rate_coded(rng, images, TICKS, 0.02 / images.mean()),
        "independent": independent(rng, 0.125, samples, TICKS, 784),
        "independent, sparse": independent(rng, 0.02, samples, TICKS, 784),
    }
    rows = []
    for name, spikes in cases.items():
        ticks_first = torch.tensor(spikes.swapaxes(0, 1).astype(np.float32))
        calls: dict[str, Callable[[], object]] = {
            "lifline": lambda spikes=spikes: model.simulate(spikes),  # type: ignore[misc]
            "snnTorch": _snntorch(network, ticks_first),
            "Norse": _norse(network, ticks_first),
        }
        times = side_by_side(calls, 2 if options.quick else 30)
        rows.append(
            {
                "input": name,
                "activity": f"{spikes.mean():.1%}",
                **{f"{peer} ms": milliseconds(taken) for peer, taken in times.items()},
                "× snnTorch": ratio(times["snnTorch"], times["lifline"]),
                "× Norse": ratio(times["Norse"], times["lifline"]),
            }
        )
    return Result(
        f"Inference, {network.name}, {TICKS} ticks, batch {samples}, one thread",
        rows,
        notes=["Medians of processor time; ratios with quartiles."],
        settings={"batch": samples, "ticks": TICKS},
    )


def _layers(network: Network) -> list[torch.nn.Linear]:
    """The network's weights as linear layers, for thresholds of 1."""
    layers = []
    for projection in network.projections:
        weights = projection.synapses.weights / network[projection.target].neuron.threshold
        layer = torch.nn.Linear(weights.shape[0], weights.shape[1], bias=False)
        layer.weight.data = torch.tensor(weights.T, dtype=torch.float32).contiguous()
        layers.append(layer)
    return layers


def _snntorch(network: Network, spikes: torch.Tensor) -> Callable[[], object]:
    import snntorch

    linear = _layers(network)
    leaky = [snntorch.Leaky(beta=243 / 256) for _ in linear]

    @torch.no_grad()
    def call() -> list[torch.Tensor]:
        membranes = [layer.init_leaky() for layer in leaky]
        recorded = []
        for x in spikes:
            tick = []
            for i, (product, neurons) in enumerate(zip(linear, leaky, strict=True)):
                x, membranes[i] = neurons(product(x), membranes[i])
                tick += [x, membranes[i]]
            recorded.append(tick)
        return [torch.stack(values) for values in zip(*recorded, strict=True)]

    return call


def _norse(network: Network, spikes: torch.Tensor) -> Callable[[], object]:
    from norse.torch import LIFBoxCell, LIFBoxParameters

    linear = _layers(network)
    cells = [LIFBoxCell(LIFBoxParameters(tau_mem_inv=torch.tensor(1000 * 13 / 256))) for _ in linear]

    @torch.no_grad()
    def call() -> list[torch.Tensor]:
        states: list[Any] = [None for _ in cells]
        recorded = []
        for x in spikes:
            tick = []
            for i, (product, cell) in enumerate(zip(linear, cells, strict=True)):
                x, states[i] = cell(product(x), states[i])
                tick += [x, states[i].v]
            recorded.append(tick)
        return [torch.stack(values) for values in zip(*recorded, strict=True)]

    return call
