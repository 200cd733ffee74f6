"""The contract: what it refuses and how it says so, and its files."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from lifline import LIF, Dense, Network, NetworkError, Population, Projection, Reset


def population(**changes: Any) -> Population:
    outer = {"name": "p", "size": 2} | {k: v for k, v in changes.items() if k in ("name", "size")}
    inner = {k: v for k, v in changes.items() if k not in outer}
    return Population(**outer, neuron=LIF(**{"beta": 256, "threshold": 10, **inner}))


def projection(**changes: Any) -> Projection:
    ends = {"source": "input", "target": "p"}
    ends |= {k: v for k, v in changes.items() if k in ends}
    inner = {k: v for k, v in changes.items() if k not in ends}
    return Projection(**ends, synapses=Dense(**{"weights": np.ones((3, 2), int), **inner}))


def network(**changes: Any) -> Network:
    values = {"inputs": 3, "populations": [population()], "projections": [projection()], "output": "p"}
    return Network(**{**values, **changes})


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        (
            "name",
            "2p",
            "population name must be a letter followed by up to 99 letters, digits or '_', not '2p'",
        ),
        (
            "name",
            "a b",
            "population name must be a letter followed by up to 99 letters, digits or '_', not 'a b'",
        ),
        (
            "name",
            "p\n",
            r"population name must be a letter followed by up to 99 letters, digits or '_', not 'p\n'",
        ),
        (
            "name",
            "",
            "population name must be a letter followed by up to 99 letters, digits or '_', not ''",
        ),
        (
            "name",
            None,
            "population name must be a letter followed by up to 99 letters, digits or '_', not None",
        ),
        (
            "name",
            "n" * 70_000,
            "population name must be a letter followed by up to 99 letters, digits or '_', not '"
            + "n" * 59
            + "… (70002 characters)",
        ),
        ("name", "input", "population name 'input' is taken by the network's inputs; rename it"),
        ("size", 0, "population 'p': size must be in 1 … 2147483647, not 0"),
        ("size", 2.0, "population 'p': size must be an integer, not 2.0"),
        ("size", True, "population 'p': size must be an integer, not True"),
        ("size", "2", "population 'p': size must be an integer, not '2'"),
        ("beta", 257, "LIF: beta must be in 0 … 256, not 257"),
        ("beta", [3, -1], "LIF: beta must be in 0 … 256, not -1 at (1,)"),
        ("beta", 0.5, "LIF: beta must be integers, not float64; round and cast them first"),
        (
            "beta",
            [1, 2, 3],
            "population 'p': beta must be one integer or have the shape (2,), not (3,)",
        ),
        ("beta", [[1], [2, 3]], "LIF: beta must be a rectangular array of integers"),
        ("beta", None, "LIF: beta must be integers, not object; round and cast them first"),
        ("beta", True, "LIF: beta must be integers, not bool; round and cast them first"),
        ("threshold", 2**15, "LIF: threshold must be in 0 … 32767, not 32768"),
        ("threshold", -1, "LIF: threshold must be in 0 … 32767, not -1"),
        ("bias", 2**31, "LIF: bias must be in -2147483648 … 2147483647, not 2147483648"),
        ("bias", 2**70, "LIF: bias must be integers, not object; round and cast them first"),
        (
            "bias",
            np.uint64(2**63),
            f"LIF: bias must be in -2147483648 … 2147483647, not {2**63}",
        ),
        ("membrane_bits", 7, "LIF: membrane_bits must be in 8 … 24, not 7"),
        ("membrane_bits", 25, "LIF: membrane_bits must be in 8 … 24, not 25"),
        (
            "reset",
            "half",
            "LIF: reset must be one of 'subtract', 'zero', 'none', not 'half'",
        ),
        ("reset_delay", 1, "LIF: reset_delay must be True or False, not 1"),
    ],
)
def test_population_says_what_is_wrong(field: str, value: Any, message: str) -> None:
    with pytest.raises(NetworkError) as caught:
        population(**{field: value})
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("source", 3, "projection source must be the name of a population, not 3"),
        ("target", None, "projection target must be the name of a population, not None"),
        (
            "target",
            "input",
            "projection 'input -> input': the target must be a population, not 'input'",
        ),
        ("weights", 1, "weights must have the shape (source size, target size), not ()"),
        ("weights", [1, 2], "weights must have the shape (source size, target size), not (2,)"),
        (
            "weights",
            np.ones((0, 2), int),
            "weights must not be empty: its shape is (0, 2)",
        ),
        ("weights", [[1, 2], [3]], "weights must be a rectangular array of integers"),
        (
            "weights",
            np.ones((3, 2)),
            "weights must be integers, not float64; round and cast them first",
        ),
        ("weights", [[0, 128]], "weights must be in -128 … 127, not 128 at (0, 1)"),
        ("weights", [[0], [-129]], "weights must be in -128 … 127, not -129 at (1, 0)"),
        ("weight_bits", 1, "weight_bits must be in 2 … 16, not 1"),
        ("weight_bits", 17, "weight_bits must be in 2 … 16, not 17"),
        ("weight_bits", 8.0, "weight_bits must be an integer, not 8.0"),
        ("delays", 256, "delays must be in 0 … 255, not 256"),
        ("delays", -1, "delays must be in 0 … 255, not -1"),
        (
            "delays",
            [1, 2],
            "delays must be one integer or have the shape (source size, target size), not (2,)",
        ),
        ("delays", 1.5, "delays must be integers, not float64; round and cast them first"),
    ],
)
def test_projection_says_what_is_wrong(field: str, value: Any, message: str) -> None:
    with pytest.raises(NetworkError) as caught:
        projection(**{field: value})
    assert str(caught.value) in (message, f"Dense: {message}")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"inputs": 0}, "network: inputs must be in 1 … 2147483647, not 0"),
        (
            {"populations": []},
            "projection 'input -> p': target 'p' is not in the network, which has 'input'",
        ),
        ({"populations": ["p"]}, "network: populations must hold Population objects, not 'p'"),
        ({"populations": 5}, "network: populations must hold Population objects, not 5"),
        ({"projections": [None]}, "network: projections must hold Projection objects, not None"),
        ({"populations": [population(), population()]}, "two populations are called 'p'; rename one"),
        (
            {"projections": [projection(source="q")]},
            "projection 'q -> p': source 'q' is not in the network, which has 'input', 'p'",
        ),
        (
            {"inputs": 4},
            "projection 'input -> p': weights have the shape (3, 2), "
            "must have (source size, target size) = (4, 2)",
        ),
        (
            {"output": "q"},
            "network: output must be the name of a population, not 'q'; the network has 'input', 'p'",
        ),
        (
            {"output": "input"},
            "network: output must be the name of a population, not 'input'; the network has 'input', 'p'",
        ),
        ({"name": 3}, "network: name must be a string, not 3"),
        (
            {"metadata": {"x": {1}}},
            "network: metadata must be a dict that JSON can hold, not {'x': {1}}",
        ),
        ({"metadata": 7}, "network: metadata must be a dict that JSON can hold, not 7"),
    ],
)
def test_network_says_what_is_wrong(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(NetworkError) as caught:
        network(**changes)
    assert str(caught.value) == message


def chain(*delays: tuple[str, str, Any]) -> Network:
    names = sorted({name for source, target, _ in delays for name in (source, target)} - {"input"})
    return Network(
        inputs=2,
        populations=[population(name=name) for name in names],
        projections=[
            Projection(source, target, Dense(np.ones((2, 2), int), delays=delay))
            for source, target, delay in delays
        ],
        output=names[-1],
    )


@pytest.mark.parametrize(
    ("delays", "cycle"),
    [
        ([("a", "a", 0)], "a -> a"),
        ([("a", "a", [[1, 1], [0, 1]])], "a -> a"),  # one synapse is enough
        ([("a", "b", 0), ("b", "a", 0)], "a -> b -> a"),
        ([("input", "a", 0), ("a", "b", 0), ("b", "c", 0), ("c", "a", 0)], "a -> b -> c -> a"),
        ([("a", "b", 0), ("b", "a", 1), ("b", "a", 0)], "a -> b -> a"),  # the other one has a delay
        ([("a", "b", 0), ("b", "b", 0), ("b", "c", 0)], "b -> b"),
    ],
)
def test_zero_delay_cycle_is_named(delays: list[tuple[str, str, Any]], cycle: str) -> None:
    with pytest.raises(NetworkError) as caught:
        chain(*delays)
    message = str(caught.value)
    assert message.startswith("projections with a delay of 0 form a cycle: ")
    named = message.split(": ")[1].split(";")[0].split(" -> ")
    first = named.index(min(named))
    assert " -> ".join([*named[first:-1], *named[:first], named[first]]) == cycle
    assert message.endswith("; give every synapse of one of them a delay of 1 or more")


def test_order_of_evaluation() -> None:
    net = chain(("c", "b", 0), ("b", "a", 0), ("input", "c", 0), ("a", "c", 3))
    assert [population.name for population in net.order] == ["c", "b", "a"]
    free = chain(("a", "b", 1), ("b", "a", 1), ("input", "a", 0))
    assert [population.name for population in free.order] == ["a", "b"]


def test_values_become_read_only_vectors() -> None:
    net = network()
    p, synapses = net["p"].neuron, net.projections[0].synapses
    for array in (p.beta, p.threshold, p.bias, synapses.weights, synapses.delays):
        assert array.dtype == np.int64
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0
    assert p.beta.shape == p.threshold.shape == p.bias.shape == (2,)
    assert synapses.delays.shape == (3, 2)
    assert p.states[0].range == (-32768, 32767)


def test_later_changes_to_the_callers_array_do_not_reach_the_network() -> None:
    weights = np.ones((3, 2), np.int64)
    net = network(projections=[projection(weights=weights)])
    weights[0, 0] = 99
    assert net.projections[0].synapses.weights[0, 0] == 1


@pytest.mark.parametrize("change", [0, 1])
def test_frozen(change: int) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        network().inputs = change  # type: ignore[misc]


def test_lookup() -> None:
    net = network()
    assert net["p"].size == net.size("p") == 2
    assert net.size("input") == 3
    assert net.incoming("p") == net.outgoing("input") == net.projections
    assert net.outgoing("p") == ()
    assert str(net.projections[0]) == "input -> p"
    with pytest.raises(KeyError):
        net["q"]


def test_equality() -> None:
    assert network() == network()
    assert network() != network(name="other")
    assert network() != network(projections=[projection(weights=np.zeros((3, 2), int))])
    assert population(reset=Reset.ZERO) == population(reset="zero") != population()
    assert network() != "network"


def test_ends_of_every_range() -> None:
    bits = 24
    wide = population(
        beta=[0, 256],
        threshold=[0, 2 ** (bits - 1) - 1],
        bias=[-(2**31), 2**31 - 1],
        membrane_bits=bits,
    )
    ends = projection(weights=[[-32768, 32767]] * 3, weight_bits=16, delays=[[0, 255]] * 3)
    net = network(populations=[wide], projections=[ends])
    assert net["p"].neuron.bias.tolist() == [-(2**31), 2**31 - 1]
