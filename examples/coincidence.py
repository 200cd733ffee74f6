"""What delays are good for: hearing where a sound comes from, as L. A. Jeffress proposed it in 1948.

A sound reaches one ear before the other.  Nine neurons listen to both ears through delay lines that run in
opposite directions; a neuron spikes only where the two delays make up for the difference in time, so the
neuron that spikes is the direction.  No weight differs: all of it is in the delays.

Run it with ``python examples/coincidence.py``; with ``--rtl`` the gateware runs as well, in Verilator.
"""

import sys

import numpy as np

from lifline import LIF, Dense, Network, Population, Projection, golden

NEURONS = 9
FARTHEST = NEURONS - 1  # the greatest difference in time, in ticks

delays = np.array([np.arange(NEURONS), np.arange(NEURONS)[::-1]])  # (ears, neurons)
network = Network(
    inputs=2,
    populations=[
        Population("direction", size=NEURONS, neuron=LIF(beta=0, threshold=150, reset="zero"))
    ],
    projections=[Projection("input", "direction", Dense(np.full((2, NEURONS), 100), delays=delays))],
    output="direction",
)

# One click from each direction: ear 0 hears it at tick 10, ear 1 so much earlier or later.
differences = np.arange(-FARTHEST, FARTHEST + 1, 2)
clicks = np.zeros((len(differences), 30, 2), np.uint8)
clicks[:, 10, 0] = 1
clicks[np.arange(len(differences)), 10 + differences, 1] = 1

expected = golden.simulate(network, clicks)
for difference, direction in zip(differences, expected.classes, strict=True):
    print(f"ear 1 hears it {difference:+d} ticks later: direction {direction}  {'·' * direction}●")
found = np.array_equal(expected.classes, np.arange(NEURONS))

if "--rtl" in sys.argv[1:]:
    from lifline import sim

    actual = sim.simulate(network, clicks, lanes=NEURONS)
    same = np.array_equal(actual.membrane["direction"], expected.membrane["direction"])
    print(
        f"gateware: {'the same' if same else 'NOT the same'}, {actual.cycles[0]} clock cycles a sound"
    )
    found = found and same
sys.exit(0 if found else 1)
