"""A whole board but for its pins, in Amaranth's simulator: the host's bytes in, the golden model's classes out."""

import numpy as np
import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from lifline import LIF, Dense, Network, Population, Projection, Reset
from lifline.boards import BoardError, classify
from lifline.boards.protocol import CREDIT, END, ERROR, READY, RESET, WINDOW, Fault, encode
from lifline.boards.top import System
from lifline.golden import simulate
from lifline.rtl import Accelerator, event_layout, plan, trace_layout

from .simulation import SimulatedPort

DIVISOR = 4


class SlowCore(wiring.Component):
    """Output neuron i spikes in a tick if input i did; every event takes `wait` cycles, the first more."""

    def __init__(self, array, inputs, wait, begin):
        self.array, self.wait, self.begin = array, wait, begin
        super().__init__(
            {
                "i": In(stream.Signature(event_layout(inputs))),
                "o": Out(stream.Signature(event_layout(array.population.size))),
                "clear": In(1),
                "trace_out": Out(stream.Signature(trace_layout(array), always_ready=True)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        timer = Signal(range(max(self.wait, self.begin) + 1), init=self.begin)
        spikes = Signal(self.array.lanes)
        m.d.comb += self.i.ready.eq(timer == 0)
        m.d.sync += self.trace_out.valid.eq(0)
        with m.If(timer != 0):
            m.d.sync += timer.eq(timer - 1)
        with m.Elif(self.i.valid):
            m.d.sync += timer.eq(self.wait)
            with m.If(self.i.payload.marker):
                m.d.sync += [
                    self.trace_out.valid.eq(1),
                    self.trace_out.payload.spikes.eq(spikes),
                    spikes.eq(0),
                ]
            with m.Else():
                m.d.sync += spikes.bit_select(self.i.payload.address, 1).eq(1)
        with m.If(self.clear):
            m.d.sync += spikes.eq(0)
        return m


def slow_system(inputs, wait, *, begin=0, max_ticks=4095):
    population = Population("out", inputs, LIF(beta=0, threshold=0))
    network = Network(
        inputs, [population], [Projection("input", "out", np.eye(inputs, dtype=int))], "out"
    )
    array = plan(network, inputs)["out"]
    core = SlowCore(array, inputs, wait, begin)
    return SimulatedPort(System(network, core, array, divisor=DIVISOR, max_ticks=max_ticks), DIVISOR)


@pytest.mark.parametrize("reset", [Reset.SUBTRACT, Reset.NONE])
def test_classes_are_golden(reset):
    seed = 3
    rng = np.random.default_rng(seed)
    network = Network(
        150,
        [
            Population("hidden", 7, LIF(beta=200, threshold=90)),
            Population("output", 5, LIF(beta=230, threshold=70, reset=reset, bias=[3, 0, -2, 5, 1])),
        ],
        [
            Projection("input", "hidden", rng.integers(-60, 90, (150, 7))),
            Projection(
                "hidden", "output", Dense(rng.integers(-60, 70, (7, 5)), rng.integers(0, 4, (7, 5)))
            ),
            Projection("output", "hidden", Dense(rng.integers(-60, 60, (5, 7)), 1)),
        ],
        "output",
    )
    spikes = (rng.random((6, 8, 150)) < 0.04).astype(np.uint8)
    spikes[3] = 0
    expected = simulate(network, spikes).classes
    assert len(set(expected.tolist())) > 1, f"seed {seed}"
    core = Accelerator(network, 2, trace=True)
    port = SimulatedPort(System(network, core, core.arrays["output"], divisor=DIVISOR), DIVISOR)
    port.write(encode(spikes[0])[:-5])  # an earlier host that was interrupted
    assert classify(port, spikes).tolist() == expected.tolist()
    assert classify(port, spikes[0]) == expected[0]


def test_a_core_slower_than_the_line_loses_nothing():
    rng = np.random.default_rng(5)
    spikes = (rng.random((2, 45, 12)) < 0.8).astype(np.uint8)
    assert all(len(encode(sample)) < WINDOW < len(encode(sample)) * 2 for sample in spikes)
    port = slow_system(12, wait=70)
    assert classify(port, spikes).tolist() == spikes.sum(axis=1).argmax(axis=1).tolist()


def test_faults():
    port = slow_system(5, wait=0, max_ticks=6)
    fine = np.eye(5, dtype=np.uint8)[[2, 2, 1]]
    cases = [
        (np.eye(6, dtype=np.uint8)[[5]], "not one of its network's inputs"),
        (np.zeros((7, 5), np.uint8), "ticks"),
        (np.eye(200, dtype=np.uint8)[[150]], None),  # two bytes an address: read as two addresses
    ]
    for spikes, message in cases:
        if message is not None:
            with pytest.raises(BoardError, match=message):
                classify(port, spikes)
        assert classify(port, fine) == 2


def test_bytes_that_find_the_buffer_full_are_told():
    port = slow_system(5, wait=0, begin=10 * DIVISOR * (WINDOW + 50))
    port.write(bytes([RESET]))
    assert port.read(1) == bytes([READY])
    port.write(encode(np.ones((95, 5), np.uint8)))  # a host that heeds no credit
    port.timeout = 15 * DIVISOR * (WINDOW + 50)
    assert port.read(2) == bytes([CREDIT, CREDIT])
    port.write(bytes([END]))
    assert port.read(3) == bytes([ERROR, Fault.LOST, 0])
    assert classify(port, np.eye(5, dtype=np.uint8)[[3]]) == 3
