"""A board with an encoder: raw values in, and the answers are those of the encoder's Python twin and golden."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import data as layouts
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from lifline import LIF, InputError, Network, Population, Projection
from lifline.app.main import main
from lifline.boards import Device, connect
from lifline.boards.link import LinkOptions
from lifline.boards.protocol import Identity, encode_values
from lifline.boards.raw import RawDecoder, check_encoder
from lifline.boards.top import identity_of
from lifline.encoders import Encoder, Latency, Rate, SendOnDelta, Threshold
from lifline.files import write_npz
from lifline.golden import simulate
from lifline.rtl import plan
from lifline.rtl.encoders import make

from ..rtl.streams import exchange
from .simulation import simulated, small_network

ENCODERS = [
    Rate(4, seed=9),
    Latency(5, value_bits=10),
    SendOnDelta(20),
    SendOnDelta(np.array([3, 9, 1, 200, 0, 30])),
    Threshold(100),
    Rate(0, value_bits=16),
]


def values_of(encoder: Encoder, inputs: int, samples: int, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    frames = () if encoder.frame_ticks else (5,)
    shape = (samples, *frames, encoder.channels(inputs))
    return rng.integers(0, 2**encoder.value_bits, shape)


@pytest.mark.parametrize("stall", [None, 1])
@pytest.mark.parametrize("encoder", ENCODERS, ids=repr)
def test_bytes_become_the_events_of_the_twin(encoder: Encoder, stall: int | None) -> None:
    network = Network(
        12, [Population("output", 1, LIF(0, 1))], [Projection("input", "output", np.ones((12, 1), int))], "output",
    )  # fmt: skip
    values = values_of(encoder, 12, 1, seed=7)
    spikes = encoder.encode(values)[0]
    dut = RawDecoder(make(encoder, network.inputs))
    between = []
    data = encode_values(values, encoder.value_bits)
    accepted, taken = _bytes_in(dut, data, between, stall)
    assert accepted == len(data)
    ticks = [[]]
    for event in taken:
        if event["marker"]:
            ticks.append([])
        else:
            ticks[-1].append(event["address"])
    assert [sorted(tick) for tick in ticks[:-1]] == [np.flatnonzero(tick).tolist() for tick in spikes]
    assert between[0] == between[-1] == 1


def _bytes_in(dut: RawDecoder, data: bytes, between: list[int], stall: int | None) -> tuple[int, list]:
    class Wrapped(wiring.Component):
        """Its bytes as structures, which is what `exchange` sends."""

        def __init__(self) -> None:
            byte = layouts.StructLayout({"byte": 8})
            super().__init__({"i": In(stream.Signature(byte)), "o": Out(dut.o.signature)})

        def elaborate(self, platform):
            m = Module()
            m.submodules.dut = dut
            m.d.comb += [
                dut.i.payload.eq(self.i.payload.byte),
                dut.i.valid.eq(self.i.valid),
                self.i.ready.eq(dut.i.ready),
            ]
            wiring.connect(m, dut.o, wiring.flipped(self.o))
            return m

    accepted, taken = exchange(
        Wrapped(),
        send={"i": [{"byte": byte} for byte in data]},
        receive=["o"],
        cycles=1200 if stall is None else 3000,
        stall=stall,
        each_cycle=lambda ctx, cycle: between.append(ctx.get(dut.between)),
    )
    return len(accepted["i"]), [event for _, event in taken["o"]]


def test_the_identity_tells_the_encoder() -> None:
    network = small_network(inputs=12)
    identity = identity_of(network, plan(network, 2), LinkOptions(), clock_mhz=12, board="test")
    for encoder in (Rate(4), SendOnDelta(np.array([3, 9, 1, 200, 0, 30]))):
        told = dataclasses.replace(identity, encoder=encoder.text)
        assert Identity.of(told.data) == told
    assert Identity.of(identity.data).encoder == ""


def test_refused() -> None:
    network = small_network(inputs=13)
    with pytest.raises(InputError, match="13 inputs, which are not as many on as off"):
        check_encoder(SendOnDelta(), network)
    synapses = Projection("input", "output", np.ones((4, 1), int))
    graded = Network(4, [Population("output", 1, LIF(0, 1))], [synapses], "output", input_bits=4)
    with pytest.raises(
        InputError, match="the network's inputs are values of 4 bits: leave the encoder out"
    ):
        check_encoder(Rate(4), graded)
    with (
        Device(simulated(small_network()), timeout=120) as device,
        pytest.raises(InputError, match="no encoder"),
    ):
        device.run_values(np.zeros((1, 150), int))


@pytest.mark.verilator
def test_run_on_the_virtual_board(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    network = small_network(inputs=16)
    network.save("network.npz")
    values = values_of(Rate(6), 16, 20)
    write_npz("values.npz", {"values": values.astype(np.uint8), "labels": np.zeros(20, np.int64)})
    command = [
        "run",
        "network.npz",
        "--port",
        "virtual",
        "--encoder",
        "rate:ticks=6,seed=3",
        "--check",
        "--json",
    ]
    assert main([*command, "--input", "values.npz"]) == 0, capsys.readouterr()
    found = json.loads(capsys.readouterr().out)
    spikes = Rate(6, seed=3).encode(values)
    assert found["classes"] == simulate(network, spikes).classes.tolist()
    assert found["check"] == {"classes": 0, "spikes": 0, "cycles": 0}
    with connect("virtual", network, encoder=Rate(6, seed=3)) as device:
        assert device.encoder == Rate(6, seed=3)
        recording = device.run_values(values[:5])
        assert np.array_equal(
            recording.spikes["output"], simulate(network, spikes[:5]).spikes["output"]
        )
        with pytest.raises(InputError, match="so it takes raw values, not spikes: use run_values"):
            device.run(spikes)
        with pytest.raises(
            InputError, match="values: 15 channels and 6 ticks, the board takes 16 channels"
        ):
            device.run_values(values[:, :-1])
    write_npz("spikes.npz", {"spikes": spikes})
    assert main([*command, "--input", "spikes.npz"]) == 2
    assert "no array 'values', only 'spikes': an encoder takes raw values" in capsys.readouterr().err
