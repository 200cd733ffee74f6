"""The golden model's convolutions beside ``torch.nn.functional.conv2d`` and snnTorch: one layer, 25 ticks, one thread.

Both record the spikes and membranes of all neurons at all ticks, from spikes in their own form that are made
before: torch tick by tick in float32 from (ticks, samples, channels, height, width), the golden model in exact
integers from uint8 (samples, ticks, inputs).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from lifline.golden import Model
from lifline.network import INPUT, Network, Population, Projection
from lifline.neurons import LIF
from lifline.synapses import Convolution

from .inputs import independent
from .measure import SEED, Options, Result, milliseconds, ratio, side_by_side

BATCH, TICKS = 64, 25
ACTIVITIES = (0.005, 0.02, 0.1, 0.3)

#: (side of the map, channels in, channels out, side of the kernel)
LAYERS = ((28, 1, 16, 5), (12, 16, 32, 5), (34, 2, 16, 5), (8, 32, 64, 3))


def run(options: Options) -> Result:
    torch.set_num_threads(1)
    rng = np.random.default_rng(SEED)
    samples = 4 if options.quick else BATCH
    rows = []
    for side, ins, outs, size in LAYERS[2:3] if options.quick else LAYERS:
        network = one_layer(rng, side, ins, outs, size)
        model = Model(network)
        for activity in ACTIVITIES:
            spikes = independent(rng, activity, samples, TICKS, network.inputs)
            calls: dict[str, Callable[[], object]] = {
                "lifline": lambda model=model, spikes=spikes: model.simulate(spikes),  # type: ignore[misc]
                "torch": _torch(network, spikes),
            }
            times = side_by_side(calls, 2 if options.quick else 15)
            rows.append(
                {
                    "map": f"{side}×{side}×{ins}",
                    "kernel": f"{size}×{size}×{outs}",
                    "activity": f"{activity:.1%}",
                    "lifline ms": milliseconds(times["lifline"]),
                    "conv2d + snnTorch ms": milliseconds(times["torch"]),
                    "× conv2d + snnTorch": ratio(times["torch"], times["lifline"]),
                }
            )
    return Result(
        f"Convolution, one layer, {TICKS} ticks, batch {samples}, one thread",
        rows,
        notes=["Medians of processor time; ratios with quartiles."],
        settings={"batch": samples, "ticks": TICKS},
    )


def one_layer(rng: np.random.Generator, side: int, ins: int, outs: int, size: int) -> Network:
    """A convolution onto LIF neurons, with random weights of 8 bits and thresholds that let them spike."""
    kernel = Convolution(rng.integers(-128, 128, (size, size, ins, outs)))
    threshold = int(128 * (size * size * ins) ** 0.5) // 2
    neuron = LIF(beta=243, threshold=threshold, reset_delay=True)
    return Network(
        inputs=(side, side, ins),
        populations=[Population("map", kernel.output_shape((side, side, ins)), neuron)],
        projections=[Projection(INPUT, "map", kernel)],
        output="map",
    )


def _torch(network: Network, spikes: np.ndarray) -> Callable[[], object]:
    import snntorch

    threshold = network["map"].neuron.threshold[0]
    kernel = network.projections[0].synapses.weights.transpose(3, 2, 0, 1) / threshold
    weights = torch.tensor(kernel, dtype=torch.float32).contiguous()
    maps = spikes.reshape(*spikes.shape[:2], *network.input_shape).transpose(1, 0, 4, 2, 3)
    ticks_first = torch.tensor(np.ascontiguousarray(maps, np.float32))
    leaky = snntorch.Leaky(beta=243 / 256)

    @torch.no_grad()
    def call() -> list[torch.Tensor]:
        membrane = leaky.init_leaky()
        recorded = []
        for x in ticks_first:
            fired, membrane = leaky(torch.nn.functional.conv2d(x, weights), membrane)
            recorded.append([fired, membrane])
        return [torch.stack(values) for values in zip(*recorded, strict=True)]

    return call
