"""Mutants of what learns: small mistakes, each with the kind of random network in which it shows."""

from __future__ import annotations

from .mutants import Mutant

LEARNING_MUTANTS: dict[str, Mutant] = {
    # Learning
    "learning: the next group of a source": Mutant(
        "rtl/plasticity/stdp.py", "address + rows.synapses.shape[0]", "address + 1", "learning", 1
    ),
    "learning: rounding": Mutant(
        "rtl/plasticity/stdp.py", "rule.eta_plus)) >>", "rule.eta_plus)) + (1 << rule.shift >> 1) >>", "learning", 4
    ),
    "learning: a source that has not spiked": Mutant(
        "rtl/plasticity/stdp.py", "Mux(arrived, down, 0)", "down", "learning"
    ),
    "learning: a target that has not spiked": Mutant(
        "rtl/plasticity/stdp.py", "Mux(spiked[lane], up, 0)", "up", "learning"
    ),
    "learning: what is left to the lower end": Mutant(
        "rtl/plasticity/stdp.py", '("down", w - low, fall)', '("down", high - w, fall)', "learning", 1
    ),
    "learning: the lower end": Mutant(
        "rtl/plasticity/stdp.py", "Const(low, signed(bits))", "Const(low + 1, signed(bits))", "learning", 1
    ),
    "learning: pairs of the nearest spikes": Mutant(
        "rtl/plasticity/traces.py", "Const(rule.amplitude, len(trace))", "trace + rule.amplitude", "learning"
    ),
    "learning: traces of sources after their spikes": Mutant(
        "rtl/plasticity/traces.py", "by = after if rule.coincident else", "by = after if True else", "learning", 1
    ),
    "learning: traces of sources from the sample before": Mutant(
        "rtl/plasticity/traces.py", "fresh | arrived | self.clean", "fresh | arrived", "learning"
    ),
    "learning: traces of targets from the sample before": Mutant(
        "rtl/plasticity/traces.py", "raw.eq(Mux(first, 0, ram.data))", "raw.eq(ram.data)", "learning", 1
    ),
    "learning: two arrivals of a word": Mutant(
        "rtl/plasticity/traces.py", "Mux(again, before, read.spiked) | bit", "read.spiked | bit", "learning"
    ),
    "learning: spikes of a group before the last": Mutant(
        "rtl/plasticity/traces.py", " | (fired & (come.group != 0))", "", "learning", 1
    ),
    "learning: rows of the next tick are read too early": Mutant(
        "rtl/plasticity/memory.py", "m.d.sync += closed.eq(1)", "m.d.sync += closed.eq(0)", "learning"
    ),
    "learning: a sample ends before its last tick is learned": Mutant(
        "rtl/plasticity/sample.py", " & ~(self.learning & Cat(left).any())", "", "learning", 4
    ),
    "normalisation: weights that sum to nothing": Mutant(
        "rtl/plasticity/normaliser.py", "Mux(total > 0, ", "Mux(1, ", "learning", 1
    ),
    "normalisation: the next group": Mutant(
        "rtl/plasticity/normaliser.py", "first.eq(address)]", "first.eq(0)]", "learning", 1
    ),
    # SDSP
    "SDSP: the membrane of the tick before": Mutant(
        "rtl/update.py", "membranes.eq(old[", "membranes.eq(new[", "SDSP"
    ),
    "SDSP: calcium from the sample before": Mutant(
        "rtl/plasticity/calcium.py", "raw.eq(Mux(first, 0, ram.data))", "raw.eq(ram.data)", "SDSP"
    ),
    "SDSP: calcium after the tick's spike": Mutant(
        "rtl/plasticity/calcium.py", "for c in fallen)", "for c in written.calcium)", "SDSP"
    ),
    "SDSP: the calcium with which weights fall": Mutant(
        "rtl/plasticity/calcium.py", "(rule.down_low, rule.down_high)", "(rule.up_low, rule.up_high)", "SDSP"
    ),
    "SDSP: drift without a spike": Mutant(
        "rtl/plasticity/arrivals.py", "wanted = Mux(raw_word ==", "wanted = raw & Mux(raw_word ==", "SDSP"
    ),
    "SDSP: sources that are none": Mutant(
        "rtl/plasticity/arrivals.py", "Const(fewer, places)", "Const(everyone, places)", "SDSP"
    ),
    "SDSP: two arrivals of a word": Mutant(
        "rtl/plasticity/arrivals.py", "Mux(again, before, ram.data) | bit", "ram.data | bit", "SDSP", 67
    ),
    "SDSP: arrivals of the tick before": Mutant(
        "rtl/plasticity/arrivals.py", "load | arrived | self.clean", "arrived | self.clean", "SDSP"
    ),
    "SDSP: a spike that does not arrive": Mutant(
        "rtl/plasticity/sdsp.py", "arrived & targets.rises[lane]", "targets.rises[lane]", "SDSP"
    ),
    "SDSP: the next group of a source": Mutant(
        "rtl/plasticity/sdsp.py", "address + rows.synapses.shape[0]", "address + 1", "SDSP"
    ),
    "SDSP: what drifts up": Mutant(
        "rtl/plasticity/sdsp.py", "exceeds(w, limit)", "exceeds(w + 1, limit)", "SDSP"
    ),
}  # fmt: skip
