"""The load port: what is written is read back, other networks run exactly, and nothing else changes."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from lifline.errors import InputError
from lifline.golden import simulate
from lifline.network import INPUT, Network, Population, Projection
from lifline.neurons import LIF, Adaptation, Izhikevich, Noise
from lifline.rtl import Accelerator, cycles
from lifline.rtl.load import check_same_shape, parts_of, words
from lifline.synapses import Convolution, Dense, Sparse

from ..networks import random_network, random_spikes
from .streams import exchange
from .test_accelerator import assert_equal, check, input_events, recorded

LOAD_FAULT = 4


def writes(contents, banks):
    """The requests that write the words of `words`."""
    requests = []
    for bank, values in contents:
        for word, value in enumerate(values):
            for part in range(parts_of(banks[bank].width)):
                requests.append(request(bank, word, part, value >> 16 * part & 0xFFFF))
    return requests


def reads(banks):
    """The requests that read every part of every bank, and the mask of each."""
    return [
        request(index, word, part)
        for index, bank in enumerate(banks)
        for word in range(len(bank.words))
        for part in range(parts_of(bank.width))
    ]


def request(bank, word, part, data=None):
    return {
        "bank": bank, "word": word, "part": part, "data": data or 0, "write": int(data is not None)
    }  # fmt: skip


def answers(contents, banks):
    """What `reads` are answered with."""
    return [r["data"] for r in writes(contents, banks)]


def small(seed: int = 0, size: int = 6, **changes) -> Network:
    """A network with delays, whose first population is in memory and whose second is in registers."""
    rng = np.random.default_rng(seed)
    neurons = {
        "beta": rng.integers(100, 257, size),
        "threshold": rng.integers(20, 60, size),
        "bias": rng.integers(-3, 4, size),
    }
    delays = rng.integers(0, 4, (size, 3))
    delays.flat[:2] = 0, 3
    return Network(
        5,
        [
            Population("hidden", size, LIF(**{**neurons, **changes})),
            Population("out", 3, LIF(220, int(rng.integers(20, 50)))),
        ],
        [
            Projection(INPUT, "hidden", Dense(rng.integers(-30, 60, (5, size)), weight_bits=7)),
            Projection("hidden", "out", Dense(rng.integers(-30, 60, (size, 3)), delays)),
        ],
        "out",
    )


def run(accelerator, network, spikes, *, load=(), stall=None, limit=3000):
    """Load, then run a sample once all is in; compare with golden, and give what `loaded` answered."""
    events = input_events(spikes)
    traces = [f"trace_{name}" for name in accelerator.arrays]
    faults = []

    def each_cycle(ctx, _):
        faults.append(ctx.get(accelerator.fault))

    accepted, taken = exchange(
        accelerator,
        send={"load": list(load), "i": events},
        receive=["o", "loaded", *traces],
        cycles=limit,
        stall=stall,
        each_cycle=each_cycle,
        after={"i": "load"},
    )
    golden = simulate(network, spikes)
    for name in accelerator.arrays:
        assert_equal(recorded(accelerator, name, taken[f"trace_{name}"], len(spikes)), golden, name)
    assert not any(faults)
    return accepted, [payload for _, payload in taken["loaded"]]


@pytest.mark.parametrize(("lanes", "stall"), [(1, None), (2, 3), (6, None)])
def test_another_network_is_loaded_and_read_back(lanes, stall):
    built, other = small(0), small(1)
    chosen = {"hidden": lanes, "out": min(lanes, 3)}
    accelerator = Accelerator(built, chosen, trace=True, load=True, any_weights=True)
    contents = words(other, chosen, built=built, any_weights=True)
    load = [*writes(contents, accelerator.banks), *reads(accelerator.banks)]
    spikes = (np.random.default_rng(2).random((6, 5)) < 0.5).astype(np.uint8)
    _, loaded = run(accelerator, other, spikes, load=load, stall=stall, limit=20 * len(load) + 2000)
    assert loaded == answers(contents, accelerator.banks)


@pytest.mark.parametrize("seed", range(5))
def test_random_networks_start_with_their_own_contents(seed):
    """As without the port, in the same cycles."""
    rng = np.random.default_rng(seed)
    network = random_network(rng, max_size=7)
    spikes = random_spikes(rng, network, 1, 5)[0]
    lanes = {p.name: int(rng.integers(1, p.size + 1)) for p in network.populations}
    accelerator = Accelerator(network, lanes, trace=True, load=True)
    accepted, taken = exchange(
        accelerator,
        send={"i": input_events(spikes)},
        receive=["o", *(f"trace_{name}" for name in accelerator.arrays)],
        cycles=3000,
    )
    golden = simulate(network, spikes)
    for name in accelerator.arrays:
        assert_equal(recorded(accelerator, name, taken[f"trace_{name}"], 5), golden, name)
    took = taken["o"][-1][0] - accepted["i"][0] + 1
    assert took == cycles(network, lanes, {INPUT: spikes, **golden.spikes})


@pytest.mark.parametrize("seed", range(5))
def test_memories_are_used_while_the_network_runs(seed):
    """Reading everything, and writing what is there, changes no result: rows and sweeps wait, and that is all."""
    rng = np.random.default_rng(100 + seed)
    network = random_network(rng, max_size=7)
    spikes = random_spikes(rng, network, 1, 5)[0]
    lanes = {p.name: int(rng.integers(1, p.size + 1)) for p in network.populations}
    accelerator = Accelerator(network, lanes, trace=True, load=True)
    contents = words(network, lanes)
    assert [bank.words for bank in accelerator.banks] == [values for _, values in contents]
    both = [*writes(contents, accelerator.banks), *reads(accelerator.banks)]
    load = [r for _ in range(1 + 400 // len(both)) for r in both]
    accepted, taken = exchange(
        accelerator,
        send={"i": input_events(spikes), "load": load},
        receive=["o", "loaded", *(f"trace_{name}" for name in accelerator.arrays)],
        cycles=4000 + 10 * len(load),
        stall=seed if seed % 2 else None,
    )
    golden = simulate(network, spikes)
    for name in accelerator.arrays:
        assert_equal(recorded(accelerator, name, taken[f"trace_{name}"], 5), golden, name)
    assert len(accepted["load"]) == len(load)
    right = answers(contents, accelerator.banks) * (len(load) // len(both))
    assert [payload for _, payload in taken["loaded"]] == right
    assert accepted["load"][10] < taken["o"][-1][0]  # it was at the same time


def test_shared_and_sparse_weights_are_loaded():
    def network(seed):
        rng = np.random.default_rng(seed)
        kernel = Convolution(
            rng.integers(-20, 60, (3, 3, 1, 2)), padding=1, delays=rng.permutation(9).reshape(3, 3) % 3
        )
        sources, targets = np.repeat(np.arange(6), 2), np.array([0, 3, 1, 4, 2, 3, 0, 4, 1, 2, 3, 4])
        sparse = Sparse(sources, targets, rng.integers(-20, 60, 12), delays=rng.permutation(12) % 3)
        return Network(
            (3, 3, 1),
            [
                Population("map", (3, 3, 2), LIF(200, rng.integers(10, 30, 18))),
                Population("hidden", 6, LIF(230, int(rng.integers(15, 30)))),
                Population("out", 5, LIF(230, 10)),
            ],
            [
                Projection(INPUT, "map", kernel),
                Projection("map", "hidden", rng.integers(-20, 40, (18, 6))),
                Projection("hidden", "out", sparse),
                Projection(INPUT, "out", rng.integers(-20, 40, (9, 5))),
            ],
            "out",
        )

    built, other = network(0), network(1)
    accelerator = Accelerator(built, 2, trace=True, load=True, any_weights=True)
    contents = words(other, 2, built=built, any_weights=True)
    load = [*writes(contents, accelerator.banks), *reads(accelerator.banks)]
    spikes = (np.random.default_rng(3).random((5, 9)) < 0.4).astype(np.uint8)
    _, loaded = run(accelerator, other, spikes, load=load, limit=12 * len(load) + 1500)
    assert loaded == answers(contents, accelerator.banks)
    # and while it runs
    accelerator = Accelerator(other, 2, trace=True, load=True)
    contents = words(other, 2)
    load = [*writes(contents, accelerator.banks), *reads(accelerator.banks)]
    _, taken = exchange(
        accelerator,
        send={"i": input_events(spikes), "load": load},
        receive=["o", "loaded", *(f"trace_{name}" for name in accelerator.arrays)],
        cycles=3000 + 10 * len(load),
    )
    golden = simulate(other, spikes)
    for name in accelerator.arrays:
        assert_equal(recorded(accelerator, name, taken[f"trace_{name}"], 5), golden, name)
    assert [payload for _, payload in taken["loaded"]] == answers(contents, accelerator.banks)


def by_channels(seed: int) -> Network:
    """A map of 2 · 3 positions with 8 channels, whose neurons have their channel's parameters."""
    rng = np.random.default_rng(seed)

    def everywhere(low, high):
        return np.tile(rng.integers(low, high, 8), 6)

    neuron = LIF(
        everywhere(100, 257),
        everywhere(10, 40),
        bias=everywhere(-9, 10),
        adaptation=Adaptation(200, everywhere(0, 20), 8, everywhere(-20, 20)),
    )
    kernel = Convolution(rng.integers(-20, 60, (2, 2, 1, 8)))
    return Network(
        (3, 4, 1), [Population("map", (2, 3, 8), neuron)], [Projection(INPUT, "map", kernel)], "map"
    )


@pytest.mark.parametrize("lanes", [1, 2, 4, 8])
def test_parameters_of_channels_have_the_words_of_one_position(lanes):
    built, other = by_channels(0), by_channels(1)
    spikes = (np.random.default_rng(2).random((5, 12)) < 0.5).astype(np.uint8)
    check(built, spikes, lanes, stall=None)
    accelerator = Accelerator(built, lanes, trace=True, load=True, any_weights=True)
    roms = accelerator.neurons["map"].update.roms
    assert {len(roms[name].words) for name in ("bias", "initial.adaptation")} == {8 // lanes}
    contents = words(other, lanes, built=built, any_weights=True)
    load = [*writes(contents, accelerator.banks), *reads(accelerator.banks)]
    _, loaded = run(accelerator, other, spikes, load=load, limit=20 * len(load) + 2000)
    assert loaded == answers(contents, accelerator.banks)


def test_single_port_memory_is_empty_until_it_is_loaded():
    network = small(0)
    banks = {"hidden.0.from_input.weights": "spram", "out.0.from_hidden.delays": "spram"}
    accelerator = Accelerator(network, 1, trace=True, load=True, memories=banks)
    assert {b.name for b in accelerator.banks if b.backing == "spram"} == set(banks)
    spikes = np.ones((4, 5), np.uint8)
    contents = words(network)
    load = writes(contents, accelerator.banks)
    run(accelerator, network, spikes, load=load, limit=3000 + 6 * len(load))
    with pytest.raises(AssertionError):
        run(Accelerator(network, 1, trace=True, load=True, memories=banks), network, spikes)


def test_requests_that_cannot_be_met_are_dropped_and_flagged():
    network = small(0)
    accelerator = Accelerator(network, {"hidden": 3, "out": 1}, load=True)
    contents = words(network, {"hidden": 3, "out": 1})
    banks = accelerator.banks
    assert banks[0].width == 21
    deep = len(banks[0].words)
    shallow = next(index for index, bank in enumerate(banks) if bank.width <= 16)
    wrong = [
        request(len(banks), 0, 0),  # no such bank
        request(0, deep, 0),  # no such word
        request(shallow, 0, 1),  # no such part
        request(0, 0, 1, 1),  # not the first part first
        request(0, 0, 0, 1),
        request(0, 0, 0, 1),  # twice
        request(0, deep, 0, 1),
    ]
    wrong = [r for r in wrong if r["bank"] < 1 << accelerator.load.payload.bank.shape().width]
    faults = []
    _, taken = exchange(
        accelerator,
        send={"load": [*wrong, *reads(banks)]},
        receive=["loaded"],
        cycles=2000,
        each_cycle=lambda ctx, _: faults.append(ctx.get(accelerator.fault)),
    )
    got = [payload for _, payload in taken["loaded"]]
    refused = sum(not r["write"] for r in wrong)
    assert got[:refused] == [0] * refused
    assert got[refused:] == answers(contents, banks)  # nothing was written
    assert faults[-1] == LOAD_FAULT


def test_clear_takes_the_fault_away_and_leaves_what_is_loaded():
    built, other = small(0), small(1)
    accelerator = Accelerator(built, 2, load=True, any_weights=True)
    contents = words(other, 2, built=built, any_weights=True)
    load = [request(0, 63, 0, 5), *writes(contents, accelerator.banks), *reads(accelerator.banks)]
    faults = []

    def each_cycle(ctx, cycle):
        faults.append(ctx.get(accelerator.fault))
        ctx.set(accelerator.clear, cycle % 7 == 5)

    _, taken = exchange(
        accelerator,
        send={"load": load},
        receive=["loaded"],
        cycles=20 * len(load),
        each_cycle=each_cycle,
    )
    assert [payload for _, payload in taken["loaded"]] == answers(contents, accelerator.banks)
    assert max(faults) == LOAD_FAULT
    assert faults[-1] == 0


def replaced(network, population=None, projection=None, **changes):
    """The network with one population or projection changed."""
    populations, projections = list(network.populations), list(network.projections)
    if population is not None:
        old = populations[population]
        neuron = dataclasses.replace(old.neuron, **changes)
        populations[population] = Population(old.name, old.size, neuron)
    if projection is not None:
        old = projections[projection]
        synapses = dataclasses.replace(old.synapses, **changes)
        projections[projection] = Projection(old.source, old.target, synapses)
    return Network(network.inputs, populations, projections, network.output)


BIG = np.full((5, 6), 63)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"population": 1, "beta": 221}, "beta of 'out': 221, the design was built for 220, which is logic"),
        ({"population": 1, "threshold": [20, 30, 20]}, "threshold of 'out': 20 … 30, the design was built for one"),
        ({"population": 0, "bias": [0, 0, 0, 0, 0, 9]}, "bias of 'hidden': 0 … 9, the design was built for -4 … 3"),
        ({"population": 1, "membrane_bits": 15}, "membrane_bits of 'out': 15, the design was built for 16"),
        ({"population": 1, "reset": "zero"}, "reset of 'out': zero, the design was built for subtract"),
        ({"projection": 0, "weight_bits": 8}, "weight_bits of 'input -> hidden': 8, the design was built for 7"),
        ({"projection": 0, "weights": BIG}, "weights to 'hidden': their sums reach 0 … 315, the design was built for"),
        ({"projection": 0, "delays": 1}, "delays of 'input -> hidden': 1, the design was built for 0"),
        ({"projection": 1, "delays": 4}, "delays of 'hidden -> out': 4, the design was built for 0 … 3"),
    ],
)  # fmt: skip
def test_a_network_that_does_not_fit_is_refused(change, message):
    built = small(0)
    with pytest.raises(InputError) as caught:
        check_same_shape(built, replaced(built, **change))
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_parameters_that_differ_between_positions_do_not_fit_those_of_channels():
    built = by_channels(0)
    neuron = dataclasses.replace(built.populations[0].neuron, bias=np.arange(48) % 9)
    uneven = Network(
        built.input_shape, [Population("map", (2, 3, 8), neuron)], built.projections, "map"
    )
    with pytest.raises(InputError) as caught:
        check_same_shape(built, uneven)
    assert str(caught.value).startswith(
        "bias of 'map': 0 … 8, the design was built for the same numbers at every"
    )


def test_networks_that_fit():
    built = small(0)
    check_same_shape(built, replaced(built, population=0, threshold=range(6), beta=3))
    check_same_shape(built, replaced(built, population=1, threshold=77))
    check_same_shape(built, replaced(built, projection=1, delays=2))
    check_same_shape(built, replaced(built, projection=0, weights=BIG), any_weights=True)


def test_other_shapes_are_refused():
    built = small(0)
    for other, message in (
        (small(0, size=7), "size of 'hidden': 7, the design was built for 6"),
        (dataclasses.replace(built, output="hidden"), "network: output is hidden, the design was built"),
        (
            Network(5, [Population("out", 3, LIF(220, 9))], [Projection(INPUT, "out", np.ones((5, 3), int))], "out"),
            "network: its populations are 'out', the design's 'hidden', 'out'",
        ),
        (
            Network(5, built.populations, [*built.projections, built.projections[0]], "out"),
            "projections to 'hidden': they come from 'input', 'input', the design's from 'input'",
        ),
    ):  # fmt: skip
        with pytest.raises(InputError, match=message):
            check_same_shape(built, other)


def test_tables_are_not_loaded():
    size = 6
    noise = Noise(np.arange(-20, 44), Noise.seeds(size))
    lif = LIF(200, 60, noise=noise, alpha=10, adaptation=Adaptation(3, range(size)))
    built = Network(
        3,
        [Population("a", size, lif), Population("b", size, Izhikevich.of(rest=range(-70, -64)))],
        [Projection(INPUT, "a", np.ones((3, size), int)), Projection("a", "b", np.ones((size, size), int))],
        "b",
    )  # fmt: skip
    contents = [f"{bank.name}" for bank in Accelerator(built, 1, load=True).banks]
    assert "a.initial.noise" in contents
    assert "a.noise.table" not in contents
    other = replaced(built, population=0, noise=Noise(np.arange(-21, 43), Noise.seeds(size, 1)))
    with pytest.raises(
        InputError, match=r"noise\.table of 'a': another table than the design was built for"
    ):
        check_same_shape(built, other)
    check_same_shape(
        built, replaced(built, population=0, noise=Noise(noise.table, Noise.seeds(size, 1)))
    )


@pytest.mark.parametrize(
    ("memories", "message"),
    [
        ({"hidden.weights": "spram"}, "memories: 'hidden.weights' is no bank that can be loaded; there are hidden.0"),
        ({"hidden.0.from_input.weights": "flash"}, "weights' can be in 'block' or 'spram', not 'flash'"),
    ],
)  # fmt: skip
def test_memories_name_banks(memories, message):
    with pytest.raises(InputError, match=message):
        Accelerator(small(), 1, load=True, memories=memories)
