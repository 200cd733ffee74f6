"""The bytes of the line: what is encoded is decoded, and no damage goes unnoticed."""

import zlib

import numpy as np
import pytest

from lifline import LIF, Network, Population, Projection, storage
from lifline.boards.protocol import (
    ESCAPE,
    FLAG,
    Command,
    Deframer,
    Identity,
    Part,
    decode,
    encode,
    event_bytes,
    events_to_spikes,
    parts_of,
    score_bits,
    stuffed,
    unstuffed,
    value_bits,
)


@pytest.mark.parametrize("input_bits", [1, 2, 3, 4, 8])
@pytest.mark.parametrize("inputs", [1, 2, 7, 8, 9, 64, 255, 256, 300, 784, 5000])
def test_samples_survive(inputs, input_bits):
    seed = 1000 * input_bits + inputs
    rng = np.random.default_rng(seed)
    for density in (0.0, 0.002, 0.05, 0.3, 1.0):
        spikes = (rng.random((6, inputs)) < density) * rng.integers(1, 2**input_bits, (6, inputs))
        spikes = spikes.astype(np.uint8)
        data = encode(spikes, input_bits)
        assert np.array_equal(decode(data, inputs, input_bits), spikes), f"seed {seed}"
        assert len(data) <= 6 * (1 + -(-inputs * value_bits(input_bits) // 8))


def test_a_sparse_tick_takes_a_byte_an_event():
    spikes = np.zeros((1, 784), np.uint8)
    spikes[0, [0, 5, 250, 783]] = 1
    assert encode(spikes) == bytes([6, 0, 4, 244, 255, 255, 22])
    assert encode(spikes[:, :10]) == bytes([2, 0, 4])
    assert encode(np.ones((2, 10), np.uint8)) == bytes([255, 255, 3] * 2)


def test_a_tick_of_more_events_than_a_list_holds():
    spikes = np.zeros((1, 60_000), np.uint8)
    spikes[0, ::150] = 1
    data = encode(spikes)
    assert data[0] == 0xFE
    assert len(data) == 400 + 2
    assert np.array_equal(decode(data, 60_000), spikes)


def test_frames():
    body = bytes([FLAG, ESCAPE, 1, 2, ESCAPE, FLAG])
    line = stuffed(body)
    assert line[0] == line[-1] == FLAG
    assert FLAG not in line[1:-1]
    assert unstuffed(line[1:-1]) == body
    plain = stuffed(b"123456789")
    assert (
        plain == b"~123456789" + (0xCBF43926).to_bytes(4, "little") + b"~"
    )  # the check value of CRC-32
    assert zlib.crc32(b"123456789") == 0xCBF43926


def test_every_flipped_bit_and_every_cut_is_noticed():
    rng = np.random.default_rng(1)
    for length in (3, 7, 40):
        line = stuffed(rng.bytes(length))
        for bit in range(8 * len(line)):
            damaged = bytearray(line)
            damaged[bit // 8] ^= 1 << bit % 8
            # between two whole frames, of which the damage to a flag may take one away
            found = list(Deframer().feed(stuffed(b"before") + bytes(damaged) + stuffed(b"after")))
            assert set(found) <= {b"before", b"after"}
            assert len(found) >= 1
        for end in range(1, len(line) - 1):
            assert list(Deframer().feed(line[:end] + stuffed(b"after"))) == [b"after"]


def test_random_damage_is_noticed():
    rng = np.random.default_rng(2)
    for _ in range(2000):
        body = rng.bytes(int(rng.integers(3, 60)))
        damaged = bytearray(stuffed(body))
        for _ in range(int(rng.integers(1, 6))):
            damaged[rng.integers(len(damaged))] ^= int(rng.integers(1, 256))
        deframer = Deframer()
        found = list(deframer.feed(bytes(damaged) + bytes([FLAG])))
        assert found in ([], [body])  # damage may undo itself


def test_a_deframer_takes_bytes_as_they_come():
    bodies = [bytes([n] * (n + 1)) for n in range(120, 130)]
    line = b"noise" + b"".join(stuffed(body) for body in bodies)
    deframer = Deframer()
    found = [body for byte in line for body in deframer.feed(bytes([byte]))]
    assert found == bodies
    assert deframer.damaged == 1


def test_parts_of_a_sample():
    assert parts_of(b"", Part.SCORES) == [(0x87, b"")]
    first, middle, last = parts_of(b"x" * 500, Part.SPIKES, 240)
    assert first == (Command.SAMPLE | Part.FIRST | Part.SPIKES, b"x" * 240)
    assert middle == (Command.SAMPLE, b"x" * 240)
    assert last == (Command.SAMPLE | Part.LAST, b"x" * 20)


def test_output_events():
    assert event_bytes(128) == 1
    assert event_bytes(129) == 2
    assert events_to_spikes(bytes([0, 2, 0x80, 0x80]), 2, 3).tolist() == [[1, 0, 1], [0, 0, 0]]
    assert events_to_spikes(bytes([44, 1, 0, 0x80]), 1, 301).nonzero()[1].tolist() == [300]
    assert events_to_spikes(b"", 0, 3).shape == (0, 3)
    for events in (b"", bytes([0]), bytes([0x80, 0]), bytes([0x80, 0x80]), bytes([3, 0x80])):
        assert events_to_spikes(events, 1, 3) is None


def test_identities():
    identity = Identity(
        bytes(range(16)),
        784,
        1,
        10,
        3,
        2048,
        24_000,
        True,
        False,
        ((128, 4), (10, 10)),
        "ulx3s",
        (0, 2, 1),
    )
    assert Identity.of(identity.data) == identity
    for data in (b"", identity.data[:-1], identity.data + b"x"):
        with pytest.raises(ValueError, match="identity"):
            Identity.of(data)


def test_digests_tell_networks_apart_and_nothing_else(tmp_path):
    def network(weight=3, name="one", threshold=5, **metadata):
        return Network(
            2,
            [Population("out", 2, LIF(200, threshold))],
            [Projection("input", "out", np.array([[1, 2], [weight, 4]]))],
            "out",
            name=name,
            metadata=metadata,
        )

    digest = storage.digest(network())
    assert len(digest) == 32
    assert storage.digest(network(name="two", made="today")) == digest
    network().save(tmp_path / "n.npz")
    assert storage.digest(Network.load(tmp_path / "n.npz")) == digest
    assert len({digest, storage.digest(network(weight=-3)), storage.digest(network(threshold=6))}) == 3


def test_scores_are_as_wide_as_they_can_grow():
    assert score_bits(Population("out", 1, LIF(200, 5))) == 12
    from lifline import Reset

    assert score_bits(Population("out", 1, LIF(200, 5, Reset.NONE, membrane_bits=16))) == 28
