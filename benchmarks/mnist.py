"""All MNIST test images through the gateware in Verilator, compared with the golden model, spike by spike.

Takes a network that ``lifline train mnist -o FOLDER``, or ``mnist_conv``, wrote (``--network FOLDER``), or else trains
the former.  All neurons of a population are in parallel, of a map all channels of a position.
"""

from __future__ import annotations

import numpy as np

from lifline.network import INPUT
from lifline.rtl.plan import block_of

from . import gateware
from .inputs import feed_forward, pictures, rate_coded
from .measure import SEED, Options, Result
from .trained import trained


def run(options: Options) -> Result:
    if options.quick:
        rng = np.random.default_rng(SEED)
        network = feed_forward(rng, 784, 16, 10)
        spikes, labels = rate_coded(rng, pictures(rng, 20)[1], 5, 0.2), None
    else:
        network, spikes, labels = trained("mnist", options)
    parallel = {p.name: block_of(network, p) for p in network.populations}
    shapes = [network.shape(name) for name in (INPUT, *parallel)]
    run = gateware.simulate(network, spikes, parallel, optimise=not options.quick)
    events = np.count_nonzero(spikes, axis=(1, 2))
    row = {
        "images": len(spikes),
        "network": "-".join("×".join(map(str, shape)) for shape in shapes),
        "lanes": ", ".join(map(str, parallel.values())),
        "accuracy": None if labels is None else f"{(run.recording.classes == labels).mean():.2%}",
        "ticks": spikes.shape[1],
        "events an image": float(events.mean()),
        "cycles an image": float(run.cycles.mean()),
        "most": int(run.cycles.max()),
        "compiling s": run.compiling,
        "RTL s": run.simulating,
        "golden s": run.golden,
        "comparing s": run.comparing,
        "differences": 0,
    }
    return Result(
        "MNIST's test images through the gateware",
        [row],
        [
            "A difference, of any spike or membrane, would end the benchmark.  Seconds of wall time, on all cores."
        ],
        cycles_as_modelled=len(spikes),
    )
