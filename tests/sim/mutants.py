"""Mutants of the gateware: small mistakes, each with the kind of random network in which it shows."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from lifline.network import Dense, Network, Population, Projection
from lifline.neurons import LIF, Izhikevich

from ..networks import network_at_ends, random_network
from ..plastic import random_plastic_network, with_one_delay, with_sdsp
from ..rtl.structures import mixed_network


@dataclasses.dataclass(frozen=True)
class Mutant:
    """A mistake: in a file of the package, the right text is replaced by the wrong one."""

    file: str
    right: str
    wrong: str
    networks: str = "any"  #: in which networks it shows: a key of `NETWORKS`
    seed: int = 0  #: of the first one in which it does


def _random(**limits: Any) -> Callable[[np.random.Generator], Network]:
    return lambda rng: random_network(
        rng, **{"max_size": 7, "max_delay": 6, "max_populations": 2} | limits
    )


def _maps(**limits: Any) -> Callable[[np.random.Generator], Network]:
    """Maps on which a kernel meets several positions in each direction."""
    return lambda rng: mixed_network(
        rng, sizes=(4, 5), channels=3, least_kernel=3, most_stride=2, **limits
    )


def _learning(rng: np.random.Generator) -> Network:
    """The first of those that are drawn in which a synapse learns."""
    network = with_one_delay(random_plastic_network(rng))
    return network if any(p.plasticity for p in network.projections) else _learning(rng)


def _sdsp(rng: np.random.Generator) -> Network:
    """One that learns by SDSP."""
    return with_sdsp(rng, _learning(rng))


def _winners(rng: np.random.Generator) -> Network:
    """One of which two or three neurons spike, of several that are often as far above their thresholds."""
    size = int(rng.integers(6, 12))
    neuron = LIF(rng.integers(200, 257, size), 2, reset=["subtract", "zero"][int(rng.integers(2))])
    weights = Dense(rng.integers(-1, 3, (5, size)), weight_bits=3)
    population = Population("p", size, neuron, winners=int(rng.integers(2, 4)))
    return Network(5, [population], [Projection("input", "p", weights)], "p")


#: Random networks of a sort, and what their lanes are: any number, "one", or "all" for as many as neurons.
NETWORKS: dict[str, tuple[Callable[[np.random.Generator], Network], str]] = {
    "any": (_random(), "any"),
    "LIF": (_random(kinds=(LIF,)), "any"),
    "LIF in memory": (_random(kinds=(LIF,)), "one"),
    "LIF in registers": (_random(kinds=(LIF,), max_delay=0), "all"),
    "Izhikevich": (_random(kinds=(Izhikevich,)), "any"),
    "at the ends": (network_at_ends, "any"),
    "maps": (_maps(), "any"),
    "maps with a bias": (_maps(bias=90), "any"),
    "maps with delays": (_maps(longest=3), "any"),
    "graded": (_maps(input_bits=3), "any"),
    "graded with delays": (_maps(longest=3, input_bits=3), "any"),
    "wide": (_random(max_populations=1, max_size=40, max_delay=0), "all"),
    "learning": (_learning, "any"),
    "SDSP": (_sdsp, "any"),
    "winners": (_winners, "any"),
}

MUTANTS: dict[str, Mutant] = {
    # The sums
    "sums: the first event of a tick": Mutant(
        "rtl/accumulator.py", "Mux(fresh_1, 0, word)", "word", "LIF in memory"
    ),
    "sums: of the tick before": Mutant(
        "rtl/accumulator.py", "clear.eq(sweep)", "clear.eq(0)", "LIF in registers"
    ),
    "sums: a tick without events": Mutant(
        "rtl/accumulator.py", "Mux(void, 0, word)", "word", "LIF in memory"
    ),
    "sums: rows come in while a tick waits": Mutant(
        "rtl/accumulator.py", "self.i.ready.eq(~self.waiting | self.start)", "self.i.ready.eq(1)"
    ),
    "sums: the sign of a weight": Mutant(
        "rtl/accumulator.py", "+ weights[lane])[:bits]", "+ weights[lane].as_unsigned())[:bits]"
    ),
    "sums: their latency": Mutant("rtl/accumulator.py", "LATENCY = 2", "LATENCY = 3"),
    # Delays
    "delays: one tick more": Mutant(
        "rtl/delays.py", "Mux(drain, 0, row.delays[lane])", "Mux(drain, 0, row.delays[lane] + 1)"
    ),
    "delays: across a tick": Mutant(
        "rtl/delays.py", "m.d.sync += base.eq(now)", "m.d.comb += base.eq(now)"
    ),
    "delays: sums close together": Mutant(
        "rtl/delays.py", "if array.groups < 3 or not array.in_order:", "if not array.in_order:"
    ),
    "delays: not cleared between samples": Mutant(
        "rtl/delays.py", "clearing.eq(cleared != slots * array.groups - 1)", "clearing.eq(0)"
    ),
    # The encoder
    "encoder: the order of spikes": Mutant(
        "rtl/encoder.py", "for block in reversed(range(self.blocks)):", "for block in range(self.blocks):"
    ),
    "encoder: the last of a block": Mutant(
        "rtl/encoder.py", "final.eq(~_at_least(3, pending))", "final.eq(~_at_least(2, pending))"
    ),
    "encoder: blocks of the second level": Mutant(
        "rtl/encoder.py",
        "word.bits[block * self.block : (block + 1) * self.block]",
        "word.bits[: self.block]",
        "wide",
    ),
    "encoder: how large the first level's blocks are": Mutant(
        "rtl/encoder.py", "blocks.index_bits\n", "max(blocks.index_bits, 2) - 1\n", "wide"
    ),
    "encoder: a tick leaves before it is whole": Mutant(
        "rtl/encoder.py", "with m.If(whole == 0):", "with m.If(Const(0)):", seed=3
    ),
    # Queues and the router
    "queue: markers of a delay": Mutant(
        "rtl/queue.py", "init=lag)  # markers", "init=lag - (lag > 0))  # markers", seed=2
    ),
    "queue: room for one tick less": Mutant(
        "rtl/queue.py", "inside | (ticks != lag + 2)", "inside | (ticks != lag + 1)"
    ),
    "queue: one entry less": Mutant(
        "rtl/queue.py", "level.eq(level + pushed - fetch)", "level.eq(level + pushed)"
    ),
    "router: a fork where one is not ready": Mutant(
        "rtl/router.py", "out.valid.eq(i.valid & _all(others))", "out.valid.eq(i.valid)"
    ),
    "router: a sample begins before its first event": Mutant(
        "rtl/router.py", "queue.open.eq(begun)", "queue.open.eq(1)", seed=95
    ),
    "router: markers inside of a tick": Mutant(
        "rtl/router.py", "self.o.valid.eq(i.valid & ~i.payload.marker)", "self.o.valid.eq(i.valid)", seed=1
    ),
    # Synapses
    "synapses: the next group's row": Mutant(
        "rtl/synapses/ordered.py", "following.eq(address + sources)", "following.eq(address + 1)"
    ),
    "synapses: rows held back": Mutant("rtl/synapses/ordered.py", "rom.en.eq(issue)", "rom.en.eq(1)"),
    "synapses: which projection": Mutant(
        "rtl/synapses/ordered.py", "channel.eq(event.channel),", "channel.eq(0),", seed=1
    ),
    # Rows of maps and lists
    "convolution: the step to the next line": Mutant(
        "rtl/synapses/convolution.py",
        "axis_y.position_step * rows.map_width * of_map",
        "axis_y.position_step * of_map",
        "maps",
    ),
    "convolution: the step to the next position": Mutant(
        "rtl/synapses/convolution.py", "axis_x.kernel_step * of_position", "of_position", "maps"
    ),
    "convolution: the columns of a new line": Mutant(
        "rtl/synapses/convolution.py", "m.d.sync += [one.left.eq(one.all) for one in within]", "pass", "maps"
    ),
    "convolution: where a new line begins": Mutant(
        "rtl/synapses/convolution.py",
        "[one.group.eq(to_group) for one in (*within, turn)]",
        "[one.group.eq(to_group) for one in [*within, turn][:1]]",
        "maps",
    ),
    "convolution: the last lane of a group of channels": Mutant(
        "rtl/synapses/convolution.py", "(lane > last_lane)", "(lane >= last_lane)", "maps"
    ),
    "convolution: the first lane of a group of channels": Mutant(
        "rtl/synapses/convolution.py", "(lane < first_lane)", "(lane <= first_lane)", "maps"
    ),
    "convolution: an event that touches nothing": Mutant(
        "rtl/synapses/convolution.py", "(axis.count == 0).astype(int)", "(axis.count < 0).astype(int)", "maps"
    ),
    "convolution: the quotient of an address": Mutant(
        "rtl/arithmetic.py", "factor, shift = min(exact,", "factor, shift = min(choices,", "maps"
    ),
    "sparse: the last row of a source": Mutant(
        "rtl/synapses/sparse.py", "last.eq(pointed == 0)", "last.eq(pointed <= 1)", "maps"
    ),
    "sparse: a source without synapses": Mutant(
        "rtl/rows/sparse.py", "np.where(empty, self.depth - 1,", "np.where(empty, 0,", "maps"
    ),
    "rows: dense ones beside others": Mutant(
        "rtl/synapses/dense.py", "word.eq(word + self.channel.source_size)", "word.eq(word + 1)", "maps"
    ),
    "rows: a channel's marker as one of the array": Mutant(
        "rtl/synapses/memory.py", "passes.eq(item.marker & (item.channel != last_channel))", "passes.eq(0)", "maps"
    ),
    "rows: an event is lost while the one before is walked": Mutant(
        "rtl/synapses/memory.py", "ready = ready | ~valid[s + 1]", "ready = ready | valid[s + 1]", "maps"
    ),
    # Sums of groups in any order
    "banks: the row before has the same group": Mutant(
        "rtl/banks.py", "Mux(near, total, Mux(far, written, word))", "Mux(far, written, word)", "maps"
    ),
    "banks: the row before that has the same group": Mutant(
        "rtl/banks.py", "Mux(near, total, Mux(far, written, word))", "Mux(near, total, word)", "maps"
    ),
    "banks: zeros behind a sweep": Mutant(
        "rtl/banks.py", "word.write.eq(clearing | zeros |", "word.write.eq(clearing |", "maps"
    ),
    "banks: the tick that comes in": Mutant(
        "rtl/banks.py", "swept.eq(~bank)", "swept.eq(bank)", "maps"
    ),
    "banks: a sweep too early": Mutant(
        "rtl/banks.py", "return array.groups + 2", "return array.groups", "maps"
    ),
    "delays: sums close together in any order": Mutant(
        "rtl/delays.py", "array.groups < 3 or not array.in_order", "array.groups < 3", "maps with delays"
    ),
    # Layout and values
    "encoder: lanes without a neuron amid a map": Mutant(
        "rtl/encoder.py", "first.eq(first + last_lanes)", "first.eq(first + layout.lanes)", "maps"
    ),
    "update: lanes without a neuron amid a map": Mutant(
        "rtl/update.py", "return lambda: ~last", "return lambda: Const(1)", "maps with a bias"
    ),
    "values: of the row before": Mutant(
        "rtl/accumulator.py", 'delay(m, row.value, 1, "value")', "row.value", "graded"
    ),
    "values: of the row before, with delays": Mutant(
        "rtl/delays.py", 'delay(m, row.value, 2, "value")', 'delay(m, row.value, 1, "value")', "graded with delays"
    ),
    "values: of what has none": Mutant(
        "rtl/router.py", "i.payload.value if graded else 1", "i.payload.value if graded else 2", "graded with delays"
    ),
    # The plan
    "plan: width of the sums": Mutant(
        "rtl/shapes.py",
        "return signed_bits(*self.accumulator_range)",
        "return signed_bits(*self.accumulator_range) - 1",
    ),
    "plan: the queue of a delay": Mutant(
        "rtl/shapes.py", "return (self.lag + 2) * (events + 1)", "return events + 1"
    ),
    "plan: the sign of a parameter": Mutant(
        "rtl/parameters.py", "signed = low < 0", "signed = False"
    ),
    # The array and its states
    "array: ticks on their way": Mutant(
        "rtl/array.py", "(on_their_way != TICKS)", "(on_their_way != TICKS - 2)", seed=1
    ),
    "update: states come back too early": Mutant(
        "rtl/update.py", "NeuronUpdate.latency(array) + read,", "NeuronUpdate.latency(array),"
    ),
    "update: initial values": Mutant(
        "rtl/update.py", "Mux(started, states.data, initial)", "Mux(started, states.data, 0)", "Izhikevich"
    ),
    "update: initial values of one group": Mutant(
        "rtl/update.py", "len(spikes)), initial))", "len(spikes)), initial & 0))", "Izhikevich"
    ),
    "update: a sample's first tick": Mutant(
        "rtl/update.py", "(coming_group == last_group)", "(coming_group == 0)", "Izhikevich"
    ),
    "update: a lane without a neuron": Mutant(
        "rtl/update.py", "spike = spike & full()  # no", "pass  # no", seed=5
    ),
    "update: parameters of each neuron": Mutant(
        "rtl/update.py", "(column == column[0]).all()", "(column == column[0]).any()"
    ),
    # LIF
    "LIF: rounding": Mutant(
        "rtl/neurons/lif.py",
        'times(kept, self.parameter("beta")) >> BETA_BITS',
        '(times(kept, self.parameter("beta")) + (1 << BETA_BITS - 1)) >> BETA_BITS',
        "LIF",
    ),
    "LIF: greater or equal": Mutant(
        "rtl/arithmetic.py", "return (limit - value)[-1]", "return (limit - value - 1)[-1]", "LIF"
    ),
    "LIF: saturation": Mutant(
        "rtl/arithmetic.py", "fits = (above == 0) | above.all()", "fits = Const(1)", "LIF"
    ),
    "LIF: a late reset before the leak": Mutant(
        "rtl/neurons/lif.py",
        "taken = Mux(self.spiked, threshold, 0)",
        "kept = self.old_membrane - Mux(self.spiked, threshold, 0)",
        "LIF", 7
    ),
    "LIF: no late reset": Mutant(
        "rtl/neurons/lif.py", "kept = Mux(self.spiked, 0, self.old_membrane)", "pass", "LIF", seed=1
    ),
    "LIF: width of the current without the threshold": Mutant(
        "rtl/neurons/lif.py", 'low -= self.array.parameter_range("threshold")[1]', "pass", "at the ends", seed=4
    ),
    "LIF: width of the current without the bias": Mutant(
        "rtl/neurons/lif.py", "high += most", "pass", "at the ends", 9
    ),
    "LIF: saturation of the synaptic current": Mutant(
        "rtl/neurons/lif.py",
        "saturate(kept_current + self._current(m, Const(0)), bits)",
        "kept_current + self._current(m, Const(0))",
        "LIF", 2
    ),
    "LIF: a late reset beside a synaptic current": Mutant(
        "rtl/neurons/lif.py", 'delay(m, taken, 1, "taken")', "taken", "LIF", 20
    ),
    "LIF: adaptation without a spike": Mutant(
        "rtl/neurons/lif.py", "Mux(self.spiked, jump, 0)", "jump", "LIF"
    ),
    "LIF: saturation of the adaptation": Mutant(
        "rtl/neurons/lif.py", "saturate(kept + risen, adaptation.bits)", "kept + risen", "LIF"
    ),
    "LIF: saturation after a reset": Mutant(
        "rtl/neurons/lif.py", "reduced = saturate(reduced, neuron.membrane_bits)", "pass", "LIF", 104
    ),
    "LIF: the random generator": Mutant(
        "rtl/neurons/lif.py", "Cat(Const(0, 8), r[:8])", "Cat(Const(0, 9), r[:7])", "LIF"
    ),
    "LIF: which bits choose the noise": Mutant(
        "rtl/neurons/lif.py", "drawn[16 - noise.index_bits :]", "drawn[: noise.index_bits]", "LIF"
    ),
    "LIF: noise a tick early": Mutant(
        "rtl/neurons/lane.py", 'delay(m, index, 1, f"{label}_index")', "index", "LIF", seed=3
    ),
    # Izhikevich
    "Izhikevich: the quadratic term": Mutant(
        "rtl/neurons/izhikevich.py", "(added - taken).shift_right(16)", "(added - taken).shift_right(15)",
        "Izhikevich",
    ),
    "Izhikevich: rounding": Mutant(
        "rtl/neurons/izhikevich.py",
        "pull.shift_right(A_BITS + neuron.step_bits)",
        "(pull + 2048).shift_right(A_BITS + neuron.step_bits)",
        "Izhikevich",
    ),
    "Izhikevich: the recovery of a tick later": Mutant(
        "rtl/neurons/izhikevich.py", 'delay(m, u, 1, "u")', "u", "Izhikevich"
    ),
    "Izhikevich: saturation of the recovery": Mutant(
        "rtl/neurons/izhikevich.py", "saturate(r + d, neuron.recovery_bits)", "r + d", "Izhikevich"
    ),
    "Izhikevich: parameters of a group too early": Mutant(
        "rtl/neurons/izhikevich.py",
        'delay(m, self.parameter("c"), latency, "c")',
        'delay(m, self.parameter("c"), latency - 1, "c")',
        "Izhikevich", 5
    ),
    # Winners
    "winners: of equals the later lane": Mutant(
        "rtl/contest.py", "(1 << bits) - 1 - index", "index", "winners"
    ),
    "winners: of equals the later group": Mutant(
        "rtl/contest.py", "~word.group if", "word.group if", "winners"
    ),
    "winners: who has been found already": Mutant(
        "rtl/contest.py", "(first | below[index])", "1", "winners"
    ),
    "winners: the next pass before the last is known": Mutant(
        "rtl/contest.py", "bit_length() + 2", "bit_length() + 1", "winners"
    ),
    "winners: the greatest of the tick before": Mutant(
        "rtl/contest.py", "[before.eq(best), best.eq(0)]", "[before.eq(best)]", "winners"
    ),
    "winners: a neuron that is held back is reset": Mutant(
        "rtl/neurons/lif.py", "self.held_membrane.eq(x)", "self.held_membrane.eq(self.new_membrane)", "winners"
    ),
    # The cycle model
    "cycles: the interval of sweeps": Mutant(
        "rtl/cycles.py", "NeuronArray.interval(array)", "array.groups"
    ),
    "cycles: when the sums take rows again": Mutant(
        "rtl/cycles.py", "self.sums.closed(array)", "0", seed=1
    ),
    "cycles: ticks on their way": Mutant("rtl/cycles.py", "t - TICKS, 1", "t - TICKS + 2, 1", seed=1),
    "cycles: when the markers of a delay come": Mutant(
        "rtl/cycles.py", "first[0] + 1 + self.stages", "first[0] + self.stages", seed=95
    ),
    "cycles: a sample that is not learned from": Mutant(
        "rtl/cycles.py", "learn=learn)", "learn=learn and not frozen)", "learning", 2
    ),
    "cycles: the room of a queue": Mutant("rtl/cycles.py", "[t - 2] + 1", "[t - 2] + 2", seed=2),
}  # fmt: skip
