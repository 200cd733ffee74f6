"""A network written down by hand: a ring of neurons that passes one spike around, for as long as it runs.

Run it with ``python examples/by_hand.py``; with ``--rtl`` the gateware runs as well, in Verilator.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

from lifline import LIF, Dense, Network, Population, Projection, golden

NEURONS, TICKS = 8, 40

# Each neuron excites the next one, two ticks later; the one input starts neuron 0.
ring = np.roll(np.eye(NEURONS, dtype=int), 1, axis=1) * 100
start = np.eye(1, NEURONS, dtype=int) * 100
network = Network(
    inputs=1,
    populations=[Population("ring", size=NEURONS, neuron=LIF(beta=0, threshold=50, reset="zero"))],
    projections=[
        Projection("input", "ring", start),
        Projection("ring", "ring", Dense(ring, delays=2)),
    ],
    output="ring",
    name="ring",
)

# A network is one file, and the same network is the same file.
with tempfile.TemporaryDirectory() as folder:
    network.save(Path(folder, "ring.npz"))
    assert Network.load(Path(folder, "ring.npz")) == network

spikes = np.zeros((TICKS, 1), np.uint8)
spikes[0] = 1
expected = golden.simulate(network, spikes)
for neuron in range(NEURONS):
    row = "".join("|" if spike else "." for spike in expected.spikes["ring"][:, neuron])
    print(f"neuron {neuron}  {row}")

if "--rtl" in sys.argv[1:]:
    from lifline import sim

    actual = sim.simulate(network, spikes, lanes=3)
    same = all(
        np.array_equal(actual.spikes[name], expected.spikes[name])
        and np.array_equal(actual.membrane[name], expected.membrane[name])
        for name in expected.spikes
    )
    print(f"gateware: {'the same' if same else 'NOT the same'}, {int(actual.cycles)} clock cycles")
    sys.exit(0 if same else 1)
