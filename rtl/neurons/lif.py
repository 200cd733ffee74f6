"""The LIF neuron's circuit, with the parts that a network uses.

::

    v ──────► u = floor(beta · v / 256) ───┬─► x = sat(u + I) ─────────────► s = x > θ, reset      plain: 2 cycles
    Σ w · s ► I = Σ w · s + bias ──────────┤
    c ──────► floor(alpha · c / 256) ──────┴─► c = sat_c(…) ─► x = sat(u + c) ─► s = x > θ, reset   else: 3 cycles
    a, s ───► floor(rho · a / 256), jump · s ► a = sat_a(…) ─┬─► θ = threshold + a + entry
    r ──────► r = xorshift16(r) ─────────────► table entry ──┘
"""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed

from lifline.neurons import BETA_BITS, LIF, Reset

from ..arithmetic import delay, exceeds, saturate, times
from ..parameters import signed_bits
from .lane import Lane, lane


class LIFLane(Lane):
    """The equation of :class:`lifline.neurons.LIF`; parameters and members as of :class:`Lane`.

    Latency: 2 cycles; 3 with a synaptic current, adaptation or noise.
    """

    @staticmethod
    def latency(neuron: LIF) -> int:
        parts = (neuron.alpha, neuron.adaptation, neuron.noise)
        return 2 if all(part is None for part in parts) else 3

    def elaborate(self, platform):
        m = Module()
        neuron, latency = self.neuron, self.latency(self.neuron)
        reset, late = neuron.reset, neuron.reset_delay
        threshold = self.parameter("threshold")

        # u = floor(beta · v / 256), and what a late reset takes off
        u = Signal.like(self.old_membrane, reset_less=True)
        kept = self.old_membrane
        taken = Const(0)
        if late and reset is Reset.ZERO:
            kept = Mux(self.spiked, 0, self.old_membrane)
        elif late and reset is Reset.SUBTRACT:
            taken = Mux(self.spiked, threshold, 0)
        m.d.sync += u.eq(times(kept, self.parameter("beta")) >> BETA_BITS)

        # x = sat(u + c)
        x = Signal.like(self.old_membrane, reset_less=True)
        if neuron.alpha is None:
            current = self._current(m, taken)
            m.d.sync += x.eq(saturate(u + current, neuron.membrane_bits))
            x = delay(m, x, latency - 2, "x")
        else:
            current = self._synaptic_current(m)
            left = delay(m, u - delay(m, taken, 1, "taken"), 1, "left")
            m.d.sync += x.eq(saturate(left + current, neuron.membrane_bits))

        # s = x > θ, and v as a reset leaves it
        early = delay(m, threshold, latency - 1, "early")
        threshold = delay(m, early, 1, "threshold")
        limit = threshold
        if neuron.adaptation is not None or neuron.noise is not None:
            limit = self._limit(m, early)
        m.d.comb += [self.spike.eq(exceeds(x, limit)), self.new_membrane.eq(x)]
        if not late and reset is Reset.SUBTRACT:
            reduced = x - threshold
            if limit is not threshold:  # else x > threshold ≥ 0 where it is taken off
                reduced = saturate(reduced, neuron.membrane_bits)
            m.d.comb += self.new_membrane.eq(Mux(self.spike, reduced, x))
        elif not late and reset is Reset.ZERO:
            m.d.comb += self.new_membrane.eq(Mux(self.spike, 0, x))
        if self.array.winners:
            m.d.comb += self.margin.eq(x - limit)
            if neuron.resets:
                m.d.comb += self.held_membrane.eq(x)
        return m

    def _current(self, m, taken):
        """I[t], less what a late reset takes off; a cycle later, as wide as it can become."""
        low, high = self.array.accumulator_range
        least, most = self.array.parameter_range("bias")
        low += least
        high += most
        if not isinstance(taken, Const):
            low -= self.array.parameter_range("threshold")[1]
        current = Signal(signed(signed_bits(low, high)), reset_less=True)
        m.d.sync += current.eq(self.total + self.parameter("bias") - taken)
        return current

    def _synaptic_current(self, m):
        """c[t], two cycles later."""
        bits = self.neuron.current_bits
        kept_current = Signal(signed(bits), reset_less=True)
        m.d.sync += kept_current.eq(times(self.old_current, self.parameter("alpha")) >> BETA_BITS)
        synaptic = Signal(signed(bits), reset_less=True)
        m.d.sync += synaptic.eq(saturate(kept_current + self._current(m, Const(0)), bits))
        m.d.comb += self.new_current.eq(delay(m, synaptic, 1, "synaptic"))
        return synaptic

    def _limit(self, m, limit):
        """θ[t], three cycles later, as wide as it can become; `limit` is the threshold after two."""
        adaptation, noise = self.neuron.adaptation, self.neuron.noise
        if adaptation is not None:
            kept = Signal(signed(adaptation.bits), reset_less=True)
            jump = self.parameter("adaptation.jump")
            risen = delay(m, Mux(self.spiked, jump, 0), 1, "risen")
            raised = Signal(signed(adaptation.bits), reset_less=True)
            m.d.sync += [
                kept.eq(times(self.old_adaptation, self.parameter("adaptation.rho")) >> BETA_BITS),
                raised.eq(saturate(kept + risen, adaptation.bits)),
            ]
            m.d.comb += self.new_adaptation.eq(delay(m, raised, 1, "raised"))
            limit = limit + raised
        if noise is not None:
            drawn = _xorshift16(self.old_noise)
            m.d.comb += self.new_noise.eq(delay(m, drawn, 3, "drawn"))
            limit = limit + self.look_up(m, "noise.table", drawn[16 - noise.index_bits :])
        return delay(m, limit, 1, "limit")


def _xorshift16(r: Value) -> Value:
    """The next random number, in 16 bits; all of it is wires and exclusive ors."""
    r = r ^ Cat(Const(0, 7), r[:9])
    r = r ^ r[9:]
    return r ^ Cat(Const(0, 8), r[:8])


@lane.register
def _(neuron: LIF) -> type[Lane]:
    return LIFLane
