"""The memory files of convolutions and sparse synapses hold what the manifest says of each word."""

from __future__ import annotations

import numpy as np
import pytest

from lifline import LIF, Convolution, Network, Population, Projection, Sparse
from lifline.rtl import export

from .test_export import read_bank


def banks_of(network, folder, lanes, **options):
    manifest = export(network, folder, lanes, **options)
    (population,) = manifest["populations"]
    return population, {bank["content"]: (bank, read_bank(folder, bank)) for bank in manifest["banks"]}


@pytest.mark.parametrize("block_bits", [None, 64])
@pytest.mark.parametrize(("groups", "lanes"), [(1, 4), (2, 4), (2, 3), (4, 1)])
def test_convolution(groups, lanes, block_bits, tmp_path):
    rng = np.random.default_rng(lanes)
    weights = rng.integers(-100, 100, (2, 3, 4 // groups, 8))
    delays = rng.integers(0, 4, weights.shape)
    network = Network(
        (3, 5, 4),
        [Population("p", (2, 3, 8), LIF(250, 99))],
        [Projection("input", "p", Convolution(weights, groups=groups, delays=delays))],
        "p",
        input_bits=3,
    )
    population, banks = banks_of(network, tmp_path, {"p": lanes}, block_bits=block_bits)
    assert population["neurons_per_block"] == 8
    per_position = -(-8 // lanes)
    assert population["groups"] == 6 * per_position
    for content, expected in (
        ("weights", weights),
        ("delays", delays - population["channels"][0]["queue_delay"]),
    ):
        bank, words = banks[content]
        assert bank["word"].startswith(
            "((kernel_y * kernel_width + kernel_x) * channels_in + channel_in)"
        )
        for (ky, kx, c, o), value in np.ndenumerate(expected):
            group, lane = divmod(o, lanes)
            word = ((ky * 3 + kx) * (4 // groups) + c) * per_position + group
            assert words[word, lane] == value


def test_one_delay_a_position_is_stored_once_a_word(tmp_path):
    weights = np.ones((2, 2, 1, 6), int)
    delays = np.array([[0, 1], [2, 3]])
    network = Network(
        (4, 4, 1),
        [Population("p", (3, 3, 6), LIF(250, 99))],
        [Projection("input", "p", Convolution(weights, delays=delays))],
        "p",
    )
    population, banks = banks_of(network, tmp_path, {"p": 6})
    assert population["ring_ticks"] > 1
    bank, words = banks["delays"]
    assert (bank["lanes"], words[:, 0].tolist()) == (1, [0, 1, 2, 3])


@pytest.mark.parametrize("lanes", [1, 3])
def test_sparse(lanes, tmp_path):
    rng = np.random.default_rng(lanes)
    there = rng.random((9, 7)) < 0.3
    there[4] = False  # a source without synapses
    sources, targets = np.nonzero(there)
    weights = rng.integers(1, 100, len(sources))
    network = Network(
        9,
        [Population("p", 7, LIF(250, 99))],
        [Projection("input", "p", Sparse(sources, targets, weights))],
        "p",
    )
    _, banks = banks_of(network, tmp_path, {"p": lanes})
    _, pointers = banks["pointers"]
    _, groups = banks["targets"]
    _, words = banks["weights"]
    bits = max(1, (len(words) - 1).bit_length())
    matrix = np.zeros((9, -(-7 // lanes) * lanes), int)
    for source, pointer in enumerate(pointers[:, 0]):
        first, more = int(pointer) & ((1 << bits) - 1), int(pointer) >> bits
        assert f"lower {bits} bits" in banks["pointers"][0]["word"]
        for row in range(first, first + more + 1):
            at = int(groups[row, 0]) * lanes
            matrix[source, at : at + lanes] += words[row]
    expected, _ = network.projections[0].synapses.dense()
    assert matrix[:, :7].tolist() == expected.tolist()
