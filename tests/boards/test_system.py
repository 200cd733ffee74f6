"""A whole board in Amaranth's simulator, which is slow: little of what ``test_virtual.py`` does in Verilator."""

import numpy as np
import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from lifline import LIF, Network, Population, Projection
from lifline.boards import BoardError, Device
from lifline.boards.link import LinkOptions
from lifline.rtl import event_layout, plan, trace_layout

from .simulation import check, simulated, small_network, some_spikes

TIMEOUT = 60.0  # of the simulator's slow time


def test_classes_spikes_scores_and_cycles_are_golden():
    network = small_network(inputs=40)
    spikes = some_spikes(network, 3, ticks=4)
    with Device(simulated(network, divisor=4.6), network, timeout=TIMEOUT) as device:
        recording = device.run(spikes)
        check(recording, network, spikes, 2)
        assert not recording.stalled.any()


def test_graded_inputs_and_samples_longer_than_the_queues():
    """The core then waits for the line, which is told; nothing else changes."""
    rng = np.random.default_rng(2)
    network = Network(
        20,
        [Population("out", 4, LIF(200, 300))],
        [Projection("input", "out", rng.integers(-20, 40, (20, 4)))],
        "out",
        input_bits=5,
    )
    spikes = some_spikes(network, 2)
    spikes[0] = rng.integers(0, 32, spikes[0].shape)
    options = LinkOptions(buffer=512, events=32, answers=8, watchdog=1 << 15)
    with Device(simulated(network, options=options), network, timeout=TIMEOUT) as device:
        recording = device.run(spikes)
        check(recording, network, spikes, 2)
        assert recording.stalled[0]


class StuckCore(wiring.Component):
    """A core that takes a few events and then no more, until it is cleared."""

    def __init__(self, network, array, takes):
        self.takes = takes
        super().__init__(
            {
                "i": In(stream.Signature(event_layout(network.inputs))),
                "o": Out(stream.Signature(event_layout(array.population.size))),
                "clear": In(1),
                f"trace_{network.output}": Out(
                    stream.Signature(trace_layout(array), always_ready=True)
                ),
            }
        )

    def elaborate(self, platform):
        m = Module()
        left = Signal(range(self.takes + 1), init=self.takes)
        m.d.comb += self.i.ready.eq(left != 0)
        with m.If(self.clear):
            m.d.sync += left.eq(self.takes)
        with m.Elif(self.i.valid & self.i.ready):
            m.d.sync += left.eq(left - 1)
        return m


def test_a_core_that_hangs_is_given_up_and_the_board_goes_on():
    network = small_network(inputs=40)
    options = LinkOptions(buffer=512, events=16, answers=16, watchdog=1 << 11)
    core = StuckCore(network, plan(network, 2)[network.output], 3)
    line = simulated(network, options=options, core=core)
    with Device(line, network, timeout=TIMEOUT) as device:
        with pytest.raises(BoardError, match="makes no progress"):
            device.run(some_spikes(network, 1, ticks=3))
        assert device.counters().host.sessions > 3  # it answers as before
