"""Words of a trace, packed and unpacked."""

from __future__ import annotations

import numpy as np
import pytest

from lifline.neurons import State
from lifline.rtl.layout import Layout
from lifline.sim.trace import Trace


@pytest.mark.parametrize(
    ("size", "lanes", "membrane_bits"), [(1, 1, 8), (5, 2, 8), (7, 7, 24), (9, 4, 16), (128, 16, 13)]
)
def test_unpack_undoes_pack(size: int, lanes: int, membrane_bits: int) -> None:
    rng = np.random.default_rng(0)
    states = (State("membrane", membrane_bits), State("r", 16, signed=False))
    trace = Trace("p", Layout(size, size, lanes), states)
    limit = 2 ** (membrane_bits - 1)
    spikes = rng.integers(0, 2, (3, 4, size), dtype=np.uint8)
    membrane = rng.integers(-limit, limit, (3, 4, size), dtype=np.int32)
    random = rng.integers(0, 2**16, (3, 4, size), dtype=np.int32)
    words = trace.pack(spikes, {"membrane": membrane, "r": random})
    assert words.shape == (3, 4, trace.groups, trace.word_bytes)
    unpacked = trace.unpack(words)
    assert np.array_equal(unpacked[0], spikes)
    assert np.array_equal(unpacked[1]["membrane"], membrane)
    assert np.array_equal(unpacked[1]["r"], random)
    assert unpacked[0].dtype == np.uint8
    assert unpacked[1]["membrane"].dtype == np.int32


def test_a_word_from_its_low_end_is_group_spikes_membranes() -> None:
    trace = Trace("p", Layout(3, 3, 2), (State("membrane", 8),))  # two groups, the second half empty
    words = trace.pack(np.array([[1, 0, 1]]), {"membrane": np.array([[-1, 2, 5]])})
    assert [int.from_bytes(word.tobytes(), "little") for word in words[0]] == [
        0b00000010_11111111_01_0,
        0b00000000_00000101_01_1,
    ]
    assert [int.from_bytes(word.tobytes(), "little") for word in trace.mask()] == [
        0b11111111_11111111_11_1,
        0b00000000_11111111_01_1,
    ]
