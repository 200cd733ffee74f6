"""Izhikevich's neuron in fixed point.

::

              1                 2                          3                              4               output
    v ──► v · v ────────► q = floor(… / 2^F), 2621 · q ─┬► rise = floor(… / 65536) ───► x = sat(v + …) ──► s, v
    v, u ► 5 v − u ─┐     as two sums                   │         + rest
    I ────► drive ──┴───► rest ─────────────────────────┘
    v ──► b · v ────────► floor(… / 1024) − u ──────────► pull = a · … ───────────────► r = sat_u(u + …) ► u

Products go straight into registers, so that synthesis can use DSP blocks; `F` is fraction_bits.
"""

from amaranth.hdl import Const, Module, Mux, Signal

from lifline.neurons import Izhikevich
from lifline.neurons.izhikevich import A_BITS, B_BITS, QUADRATIC

from ..arithmetic import delay, digits, exceeds, saturate, times, total
from .lane import Lane, lane


class IzhikevichLane(Lane):
    """The equation of :class:`lifline.neurons.Izhikevich`; parameters and members as of :class:`Lane`.

    Latency: 4 cycles.
    """

    @staticmethod
    def latency(neuron: Izhikevich) -> int:
        return 4

    def elaborate(self, platform):
        m = Module()
        neuron, latency = self.neuron, self.latency(self.neuron)
        v, u = self.old_membrane, self.old_recovery

        # rise = y + 5 v + 140 · 2^F − u + I, with y = floor(2621 · floor(v² / 2^F) / 65536)
        square = delay(m, v * v, 1, "square")
        q = square.shift_right(neuron.fraction_bits)
        to_add, to_take = digits(q, QUADRATIC)
        added = delay(m, total(to_add), 1, "added")
        taken = delay(m, total(to_take), 1, "taken")
        five = delay(m, v + v.shift_left(2) - u, 1, "five")
        offset = self.parameter("bias") + Const(140 << neuron.fraction_bits)
        drive = delay(m, self.total.shift_left(neuron.gain) + offset, 1, "drive")
        rest = delay(m, five + drive, 1, "rest")
        rise = delay(m, (added - taken).shift_right(16) + rest, 1, "rise")

        # pull = a · (floor(b · v / 1024) − u)
        nullcline = delay(m, times(v, self.parameter("b")), 1, "nullcline")
        distance = delay(m, nullcline.shift_right(B_BITS) - delay(m, u, 1, "u"), 1, "distance")
        a = delay(m, self.parameter("a"), 2, "a")
        pull = delay(m, times(distance, a), 1, "pull")

        # x = sat(v + floor(rise / 2^step_bits)), r = sat_u(u + floor(pull / 2^(12 + step_bits)))
        moved = delay(m, v, 3, "v_before") + rise.shift_right(neuron.step_bits)
        pulled = delay(m, u, 3, "u_before") + pull.shift_right(A_BITS + neuron.step_bits)
        x = Signal.like(v, reset_less=True)
        r = Signal.like(u, reset_less=True)
        m.d.sync += [
            x.eq(saturate(moved, neuron.membrane_bits)),
            r.eq(saturate(pulled, neuron.recovery_bits)),
        ]

        # s = x > threshold; v = c and u = sat_u(r + d) after a spike
        threshold = delay(m, self.parameter("threshold"), latency, "threshold")
        c = delay(m, self.parameter("c"), latency, "c")
        d = delay(m, self.parameter("d"), latency, "d")
        m.d.comb += [
            self.spike.eq(exceeds(x, threshold)),
            self.new_membrane.eq(Mux(self.spike, c, x)),
            self.new_recovery.eq(Mux(self.spike, saturate(r + d, neuron.recovery_bits), r)),
        ]
        if self.array.winners:
            m.d.comb += [
                self.margin.eq(x - threshold),
                self.held_membrane.eq(x),
                self.held_recovery.eq(r),
            ]
        return m


@lane.register
def _(neuron: Izhikevich) -> type[Lane]:
    return IzhikevichLane
