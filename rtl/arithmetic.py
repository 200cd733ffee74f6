"""Arithmetic on Amaranth's values: products with constants, saturation, and pipeline registers."""

import numpy as np
from amaranth.hdl import Const, Module, Mux, Signal, Value, signed


def delay(m: Module, value: Value, cycles: int, name: str, *, reset_less: bool = True) -> Value:
    """`value`, so many cycles later; a constant is the same at all times."""
    if isinstance(value, Const):
        return value
    for cycle in range(cycles):
        later = Signal(value.shape(), name=f"{name}_{cycle + 1}", reset_less=reset_less)
        m.d.sync += later.eq(value)
        value = later
    return value


def times(value: Value, factor: Value) -> Value:
    """value · factor; for a constant, from the fewest shifted copies."""
    if not isinstance(factor, Const):
        return value * factor
    added, taken = digits(value, factor.value)
    return total(added) - total(taken) if taken else total(added)


def digits(value: Value, factor: int) -> tuple[list[Value], list[Value]]:
    """The shifted copies of `value` to add and to take off for value · factor: its canonical signed digits.

    Any digits with the sum `factor` give the same product, plain binary ones too; these are the fewest.
    """
    added: list[Value] = []
    taken: list[Value] = []
    rest, shift = factor, 0
    while rest:
        if rest & 1:
            digit = 2 - (rest & 3)  # 1, or −1 before a run of ones
            (added if digit == 1 else taken).append(value.shift_left(shift))
            rest -= digit
        rest, shift = rest >> 1, shift + 1
    return added, taken


def total(terms: list[Value]) -> Value:
    """The sum of terms, as a tree."""
    if len(terms) < 2:
        return terms[0] if terms else Const(0, signed(1))
    half = len(terms) // 2
    return total(terms[:half]) + total(terms[half:])


def quotient(value: Value, divisor: int, below: int) -> Value:
    """floor(value / divisor) for a value in 0 … `below` − 1: a product with a constant, and a shift.

    Of the factors m and shifts k with floor(value · m / 2^k) = floor(value / divisor) for all these values,
    the one of fewest digits.
    """
    values = np.arange(below)
    shifts = range(divisor.bit_length() - 1, (below * divisor).bit_length() + 1)
    choices = [(-(-(1 << shift) // divisor) + more, shift) for shift in shifts for more in (0, 1)]
    exact = [c for c in choices if np.array_equal(values * c[0] >> c[1], values // divisor)]
    factor, shift = min(exact, key=lambda c: (sum(map(len, digits(value, c[0]))), c))
    return times(value, Const(factor)) >> shift


def saturate(value: Value, bits: int) -> Value:
    """A signed value, clipped to so many bits."""
    if len(value) <= bits:
        return value
    above = value[bits - 1 :]
    fits = (above == 0) | above.all()
    low, high = Const(-(1 << (bits - 1)), signed(bits)), Const((1 << (bits - 1)) - 1, signed(bits))
    return Mux(fits, value[:bits].as_signed(), Mux(value[-1], low, high))


def exceeds(value: Value, limit: Value) -> Value:
    """Whether value > limit: the sign of a difference, which is one carry chain."""
    return (limit - value)[-1]
