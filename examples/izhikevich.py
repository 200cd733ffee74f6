"""Izhikevich's firing patterns in integers, beside the float64 equation: a table and a plot.

Each neuron gets a constant current from rest for one second.  The float64 column integrates the same
equation with the same Euler step; the fine one with a step of 1/64 ms.  What the golden model does is
what the gateware does, bit for bit.

    python examples/izhikevich.py -o patterns.png
"""

import argparse
import sys

import numpy as np

from lifline import Izhikevich, Network, Population, Projection, golden
from lifline.neurons import PATTERNS

STEP_BITS = 2  # a tick is 1/4 ms
REST = -70.0
CURRENTS = {"resonator": 0.6}  # in mV/ms; the others get 10


def population() -> Network:
    """A neuron of each pattern, each with its constant current."""
    a, b, c, d = np.array(list(PATTERNS.values())).T
    current = [CURRENTS.get(pattern, 10.0) for pattern in PATTERNS]
    neuron = Izhikevich.of(a, b, c, d, current=current, rest=REST, step_bits=STEP_BITS)
    size = len(PATTERNS)
    silent = Projection("input", "patterns", np.zeros((1, size), int))
    return Network(1, [Population("patterns", size, neuron)], [silent], "patterns")


def floats(pattern: str, milliseconds: int, step: float) -> np.ndarray:
    """Spikes of the equation in float64, by Euler's method."""
    a, b, c, d = PATTERNS[pattern]
    current = CURRENTS.get(pattern, 10.0)
    v, u = REST, b * REST
    spikes = np.zeros(round(milliseconds / step), np.uint8)
    for t in range(len(spikes)):
        v, u = (
            v + step * (0.04 * v * v + 5 * v + 140 - u + current),
            u + step * a * (b * v - u),
        )
        if v >= 30:
            v, u, spikes[t] = c, u + d, 1
    return spikes


def main() -> None:
    """Print the table, and draw the membranes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", help="where to draw the membranes (.png or .svg)")
    parser.add_argument("--milliseconds", type=int, default=1000)
    parser.add_argument("--rtl", action="store_true", help="check the Verilog, in Verilator, too")
    arguments = parser.parse_args()
    ticks = arguments.milliseconds << STEP_BITS
    network = population()
    recording = golden.simulate(network, np.zeros((ticks, 1), np.uint8))
    rows = {}
    print(
        f"{'spikes in ' + str(arguments.milliseconds) + ' ms':<26}{'integers':>9}{'float64':>9}{'fine':>6}"
    )
    for index, pattern in enumerate(PATTERNS):
        spikes = recording.spikes["patterns"][:, index]
        membrane = recording.membrane["patterns"][:, index] / 2**12
        same = floats(pattern, arguments.milliseconds, 2.0**-STEP_BITS)
        fine = floats(pattern, arguments.milliseconds, 1 / 64)
        print(f"{pattern:<26}{spikes.sum():>9}{same.sum():>9}{fine.sum():>6}")
        rows[pattern] = membrane + spikes * (30 - membrane)  # the peak, where it was cut off
    if arguments.rtl:
        from lifline.sim import simulate

        actual = simulate(network, np.zeros((ticks, 1), np.uint8), lanes=2)
        same = recording.compare(actual) is None
        print("gateware:", "the same" if same else "NOT the same")
    if arguments.output:
        draw(rows, arguments.output)


def draw(rows: dict[str, np.ndarray], path: str) -> None:
    """A panel for each pattern: the membrane over time."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 7), layout="constrained")
    for axes, (pattern, membrane) in zip(figure.subplots(3, 2).flat, rows.items(), strict=True):
        axes.plot(np.arange(len(membrane)) / 2**STEP_BITS, membrane, linewidth=0.7, color="#2563eb")
        axes.set(title=pattern, xlabel="ms", ylabel="mV", ylim=(-90, 35))
        axes.set_xlim(0, min(500, len(membrane) >> STEP_BITS))
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=130)
    print(f"drew {path}", file=sys.stderr)


if __name__ == "__main__":
    main()
