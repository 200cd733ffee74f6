"""The accelerator: a whole network in gateware.

::

    i ──► InputGate ──► SpikeRouter ──► SynapseMemory ──► NeuronArray ──┐     for each population
                            ▲   └──► o                               │
                            └────────────────────────────────────────┘
"""

from collections.abc import Mapping
from typing import Any

from amaranth.hdl import Cat, Const, Module, ResetInserter, Signal, signed, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from lifline.errors import InputError
from lifline.network import INPUT, Network

from . import memory, store
from .array import NeuronArray
from .events import event_layout, trace_layout
from .load import Loader, load_layout
from .memory import Rom
from .plan import ArrayPlan, Lanes, check_learns, plan
from .plasticity.learner import REWARD
from .plasticity.memory import LearningMemory
from .plasticity.sample import LearnedSample
from .plasticity.tap import learned_layout
from .port import PART_BITS
from .router import SpikeRouter
from .synapses import OrderedMemory, RowMemory, read_memory
from .synapses.banks import Bank


class InputGate(wiring.Component):
    """Keeps out what would hang or fool the machine: it sees each input event, and says whether to let it in.

    A queue has room for as many events a tick as there are inputs, and a synapse memory for their rows.  So an
    address that no input has is dropped, and so is each event after the first `inputs` that are let into a tick.

    Parameters
    ----------
    inputs : int
    input_bits : int

    Members
    -------
    event : In(event_layout(inputs, input_bits))
        What is offered to the machine.
    taken : In(1)
        It is accepted in this cycle, whether good or not.
    good : Out(1)
        It may go in; otherwise it must be dropped.
    fault : Out(2)
        What has been dropped since the reset: bit 0, an address; bit 1, an event too many.

    Latency: 0 cycles.
    """

    def __init__(self, inputs: int, input_bits: int = 1) -> None:
        self.inputs = inputs
        super().__init__(
            {
                "event": In(event_layout(inputs, input_bits)),
                "taken": In(1),
                "good": Out(1),
                "fault": Out(2),
            }
        )

    def elaborate(self, platform):
        m = Module()
        event = self.event
        left = Signal(signed(len(event.address) + 1), init=self.inputs - 1)  # events, less one
        known = Signal()
        full = Signal()
        m.d.comb += [
            known.eq(event.address < self.inputs),
            full.eq(left < 0),
            self.good.eq(event.marker | (known & ~full)),
        ]
        with m.If(self.taken):
            with m.If(event.marker):
                m.d.sync += left.eq(self.inputs - 1)
            with m.Else():
                m.d.sync += left.eq(left - self.good)
                m.d.sync += self.fault.eq(self.fault | Cat(~known, known & full))
        return m


class Accelerator(wiring.Component):
    """A network that takes input events and gives the output population's spikes.

    Parameters
    ----------
    network : Network
    lanes : int or dict
        Neurons updated, and synapses added, each cycle: for all populations (capped at their sizes), or by
        population (1 where it is not named).
    trace : bool
        Whether there are streams that show every spike and membrane.
    block_bits : int, optional
        Bits of the FPGA's block RAMs: synapse memories are then sliced by width, a block each, so that they
        need no multiplexers.
    load : bool
        Whether weights, delays and parameters can be written and read back while the design runs.
    any_weights : bool
        With `load`: sums are wide enough for any weights of as many bits, instead of those that this network's need.
    memories : mapping, optional
        With `load`: bank -> "spram" for those that are in the single-port RAM of an iCE40 UltraPlus, which are empty
        until they are loaded, or "block"; banks are named as their files, such as ``hidden.0.from_input.weights``.
    learn : bool
        Whether what can learn does: synapses with a plasticity, and thresholds that are kept from sample to sample.

    Members
    -------
    i : In(stream of event_layout(inputs, input_bits))
        The input spikes of a tick in any order, each at most once, then a marker; tick after tick.  What
        breaks this rule is taken, dropped and flagged; see :class:`InputGate`.
    o : Out(stream of event_layout(output size))
        The output's spikes of a tick in ascending order, then a marker; tick after tick.
    learn : In(1)
        With `learn`: the sample that begins is learned from.  Else it is not, and takes no cycle more for it.
    reward : In(signed(16))
        With `learn`, where a rule needs it: with `clear`, the host's signal for the sample that ends.
    clear : In(1)
        Return to the start of a sample; what is in flight is dropped.  `i` is not ready until that is done.
        Where the sample was learned from, first all whole ticks that have come in are learned, their outputs dropped.
    fault : Out(2), with `load` Out(3)
        What has been dropped since the last `clear` or reset: bit 0, an address that no input has; bit 1, an
        event more in a tick than there are inputs; with `load`, bit 2, a request that cannot be met.
    load, loaded : streams
        With `load`, see :class:`lifline.rtl.load.Loader`.  Requests are met while the design runs, at the latest when
        its outputs have been taken.
    trace_<population> : Out(stream of trace_layout, always ready)
        With `trace`: what each group of neurons did, groups and ticks in order; neuron = group · lanes + lane.
        Lanes beyond the population's size show nothing of use.
    learned_<population>_<channel> : Out(stream of learned_layout, always ready)
        With `trace` and `learn`: each word of weights that is written.

    Raises
    ------
    InputError
        If `lanes` is not a number of lanes for this network, `memories` names what is no bank, or, with `learn`, there
        is nothing that learns, or a rule that the gateware does not have.

    Latency and throughput: exactly :func:`lifline.rtl.cycles`.
    """

    def __init__(
        self,
        network: Network,
        lanes: Lanes = 1,
        trace: bool = False,
        block_bits: int | None = None,
        load: bool = False,
        any_weights: bool = False,
        memories: Mapping[str, str] | None = None,
        learn: bool = False,
    ) -> None:
        self.network = network
        self.trace = bool(trace)
        self.block_bits = block_bits
        self.load_port = bool(load)
        self.any_weights = bool(any_weights)
        spram = [name for name, backing in (memories or {}).items() if backing == "spram"]
        self.arrays: dict[str, ArrayPlan] = plan(
            network,
            lanes,
            load=self.load_port,
            any_weights=self.any_weights,
            learn=bool(learn),
            spram=spram,
        )
        #: Of these populations something survives a sample.
        self.learners = [name for name, array in self.arrays.items() if array.learns]
        #: Whether one of them needs the host's signal.
        self.rewarded = any(array.rewarded for array in self.arrays.values())
        if learn:
            check_learns(network)
        self.router = SpikeRouter(network, self.arrays)
        self.synapses: dict[str, OrderedMemory | RowMemory | LearningMemory] = {
            name: (LearningMemory if array.plastic else read_memory)(array, block_bits)
            for name, array in self.arrays.items()
        }
        self.neurons = {name: NeuronArray(array) for name, array in self.arrays.items()}
        members = {
            "i": In(stream.Signature(event_layout(network.inputs, network.input_bits))),
            "o": Out(stream.Signature(event_layout(network.size(network.output)))),
            "clear": In(1),
            "fault": Out(3 if self.load_port else 2),
        }
        if self.learners:
            members["learn"] = In(1)
        if self.rewarded:
            members["reward"] = In(REWARD)
        #: All that can be loaded, in the order of their numbers.
        self.banks: list[Rom] = []
        if self.load_port:
            self.banks = [
                rom
                for name in self.arrays
                for rom in (*self.synapses[name].roms, *self.neurons[name].update.roms.values())
            ]
            self.loader = Loader(self.banks)
            members["load"] = In(stream.Signature(load_layout(self.banks)))
            members["loaded"] = Out(stream.Signature(unsigned(PART_BITS)))
        check_memories(self.banks, memories or {})
        if trace:
            for name, array in self.arrays.items():
                members[f"trace_{name}"] = Out(stream.Signature(trace_layout(array), always_ready=True))
            for name, learned in self.taps.items():
                layout = learned_layout(learned.rom)
                members[f"learned_{name}"] = Out(stream.Signature(layout, always_ready=True))
        super().__init__(members)

    @property
    def taps(self) -> dict[str, Bank]:
        """The banks of weights that learn, by population and channel."""
        return {
            f"{name}_{bank.channel}": bank
            for name, synapses in self.synapses.items()
            for bank in synapses.banks
            if bank.rom.backing == "learned" and bank.name == "weights"
        }

    def memory_files(self) -> dict[str, str]:
        """The files that the Verilog of this design needs beside it: path to text."""
        roms = [rom for block in self.synapses.values() for rom in block.roms]
        roms += [rom for block in self.neurons.values() for rom in block.roms]
        modules = memory.verilog() + store.verilog(self.load_port, bool(self.learners))
        if not all(array.in_order for array in self.arrays.values()):
            modules += memory.text_of(memory.ROWS_VERILOG_NAME)
        files = {memory.VERILOG_NAME: modules}
        for rom in roms:
            files |= rom.files
        return files

    @property
    def _learning(self) -> list[LearningMemory]:
        """The synapse memories of which something learns."""
        return [block for block in self.synapses.values() if isinstance(block, LearningMemory)]

    def _learn(self, m, inside, clearing):
        """Connect what learns; `clear` works when the sample has been learned from, and until then this is 1."""
        inside.submodules.sample = sample = LearnedSample(len(self.learners))
        closing = Signal()
        ends = self.clear | closing
        m.d.sync += [clearing.eq(ends & sample.ended), closing.eq(ends & ~sample.ended)]
        event = self.i.valid & self.i.ready
        inside.d.comb += [
            sample.learn.eq(self.learn),
            sample.event.eq(event),
            sample.marker.eq(event & self.i.payload.marker),
            sample.busy.eq(_any(synapses.busy for synapses in self._learning)),
        ]
        if self.rewarded:
            reward = Signal(REWARD)  # outlives the end of the sample, after which it is used
            with m.If(self.clear & ~closing & ~clearing & ~sample.busy):
                m.d.sync += reward.eq(self.reward)
        for index, name in enumerate(self.learners):
            synapses, neurons = self.synapses[name], self.neurons[name]
            if self.arrays[name].kept:
                inside.d.comb += [
                    neurons.learning.eq(sample.learning),
                    sample.learned[index].eq(neurons.kept),
                ]
            if isinstance(synapses, LearningMemory):  # the weights come later
                inside.d.comb += [
                    synapses.learning.eq(sample.learning),
                    synapses.spikes.valid.eq(neurons.trace.valid),
                    synapses.spikes.payload.group.eq(neurons.trace.payload.group),
                    synapses.spikes.payload.spikes.eq(neurons.trace.payload.spikes),
                    sample.learned[index].eq(synapses.learned),
                ]
                if self.arrays[name].hears_membranes:
                    wiring.connect(inside, neurons.found, synapses.found)
                if self.arrays[name].rewarded:
                    inside.d.comb += synapses.reward.eq(reward)
        return closing

    def elaborate(self, platform):
        m = Module()
        inside = Module()
        clearing = Signal()  # a register, since it goes a long way: to every other one
        closing = Const(0)  # the sample has ended, and is still being learned from
        if self.learners:
            closing = self._learn(m, inside, clearing)
        else:
            m.d.sync += clearing.eq(self.clear)
        ports: list[Any] = []  # of the banks
        inside.submodules.gate = gate = InputGate(self.network.inputs, self.network.input_bits)
        inside.submodules.router = self.router
        for name in self.arrays:
            inside.submodules[f"{name}_synapses"] = synapses = self.synapses[name]
            inside.submodules[f"{name}_neurons"] = neurons = self.neurons[name]
            if self.load_port:
                ports += [getattr(synapses, f"load_{n}") for n in range(len(synapses.roms))]
                ports += [getattr(neurons, f"load_{n}") for n in range(len(neurons.update.roms))]
            wiring.connect(inside, getattr(self.router, f"o_{name}"), synapses.i)
            wiring.connect(inside, synapses.o, neurons.i)
            wiring.connect(inside, neurons.o, getattr(self.router, f"i_{name}"))
            if not self.arrays[name].in_order:
                inside.d.comb += getattr(self.router, f"taken_{name}").eq(synapses.taken)
            if self.trace:
                trace = getattr(self, f"trace_{name}")
                inside.d.comb += [
                    trace.valid.eq(neurons.trace.valid & ~clearing),
                    trace.payload.eq(neurons.trace.payload),
                ]
                for index in self.arrays[name].plastic:
                    tap, seen = (
                        getattr(synapses, f"tap_{index}"),
                        getattr(self, f"learned_{name}_{index}"),
                    )
                    inside.d.comb += [seen.valid.eq(tap.valid), seen.payload.eq(tap.payload)]
        busy = Signal()
        blocks: list[Any] = [*self.neurons.values(), *self._learning]
        i = getattr(self.router, f"i_{INPUT}")
        ready = i.ready & ~busy & ~self.clear & ~clearing
        offered = self.i.valid & ~busy
        valid = self.router.o.valid & ~clearing
        take = self.o.ready
        if self.learners:  # the next sample waits, and what comes out meanwhile is dropped
            ready, offered = ready & ~closing, offered & ~closing
            valid, take = valid & ~closing, take | closing
        inside.d.comb += [
            busy.eq(_any(block.busy for block in blocks)),
            gate.event.eq(self.i.payload),
            gate.taken.eq(self.i.valid & self.i.ready),
            self.fault[:2].eq(gate.fault),
            i.payload.eq(self.i.payload),
            i.valid.eq(offered & gate.good),
            self.i.ready.eq(ready),
            self.o.payload.eq(self.router.o.payload),
            self.o.valid.eq(valid),
            self.router.o.ready.eq(take),
        ]
        m.submodules.core = ResetInserter(clearing)(inside)
        if self.load_port:  # a sample's end does not end what is being loaded
            m.submodules.loader = loader = self.loader
            wiring.connect(m, wiring.flipped(self.load), loader.load)
            wiring.connect(m, loader.loaded, wiring.flipped(self.loaded))
            m.d.comb += [loader.clear.eq(clearing), self.fault[2].eq(loader.fault)]
            for index, port in enumerate(ports):
                wiring.connect(m, getattr(loader, f"bank_{index}"), port)
        return m


def check_memories(banks: list[Rom], memories: Mapping[str, str]) -> None:
    """Refuse names that are no bank's, and backings that a bank cannot have."""
    for name, backing in memories.items():
        there = [bank.name for bank in banks if bank.backing != "registers"]
        if name not in there:
            raise InputError(
                f"memories: '{name}' is no bank that can be loaded; there are {', '.join(there) or 'none'}"
            )
        if backing == "spram" and any(b.name == name and b.backing == "learned" for b in banks):
            raise InputError(
                f"memories: '{name}' learns, which takes two ports: it cannot be in 'spram'"
            )
        if backing not in ("block", "spram"):
            raise InputError(f"memories: '{name}' can be in 'block' or 'spram', not {backing!r}")


def _any(bits):
    result = 0
    for bit in bits:
        result = result | bit
    return result
