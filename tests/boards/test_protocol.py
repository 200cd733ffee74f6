"""The bytes of the protocol, and the host's end of it against a board that is made up."""

import itertools

import numpy as np
import pytest

from lifline import InputError, ToolError
from lifline.boards import BoardError, classify, open_port
from lifline.boards.protocol import (
    CREDIT,
    CREDIT_BYTES,
    END,
    ERROR,
    MAX_TICKS,
    READY,
    RESET,
    TICK,
    WINDOW,
    address_bytes,
    decode,
    encode,
)


@pytest.mark.parametrize(
    ("inputs", "expected"), [(1, 1), (2, 1), (128, 1), (129, 2), (16_384, 2), (16_385, 3)]
)
def test_address_bytes(inputs, expected):
    assert address_bytes(inputs) == expected


def test_encode_by_hand():
    spikes = np.zeros((3, 200), np.uint8)
    spikes[0, [3, 199]] = 1
    spikes[2, 128] = 1
    assert encode(spikes) == bytes([0, 3, 1, 71, TICK, TICK, 1, 0, TICK, END])
    assert encode(np.ones((1, 3), np.uint8)) == bytes([0, 1, 2, TICK, END])


@pytest.mark.parametrize("inputs", [1, 7, 128, 129, 300, 20_000])
def test_decode_is_the_reverse_of_encode(inputs):
    rng = np.random.default_rng(inputs)
    samples = [(rng.random((ticks, inputs)) < 0.1).astype(np.uint8) for ticks in (0, 1, 5)]
    data = b"".join(encode(sample) for sample in samples)
    for expected, found in itertools.zip_longest(samples, decode(data, inputs)):
        assert np.array_equal(expected, found)


def test_reset_drops_what_came_before():
    sample = np.eye(3, dtype=np.uint8)
    data = encode(sample)[:-1] + bytes([RESET]) + encode(sample)
    assert [spikes.tolist() for spikes in decode(data, 3)] == [sample.tolist()]


class MadeUpPort:
    """Answers each write by a function of it; holds the host to its credit."""

    def __init__(self, answer):
        self.answer = answer
        self.written = b""
        self.waiting = b""

    def write(self, data):
        self.written += data
        self.waiting += self.answer(data)

    def read(self, size):
        data, self.waiting = self.waiting[:size], self.waiting[size:]
        return data


def answers_end_with(message):
    return lambda data: bytes([READY]) if data[0] == RESET else message * data.count(END)


def test_classes_arrive_in_order():
    samples = np.random.default_rng(0).integers(0, 2, (5, 4, 10), dtype=np.uint8)
    numbers = itertools.count()

    def answer(data):
        if data[0] == RESET:
            return bytes([READY])
        return b"".join(
            bytes([0x82, 3 * n >> 7, 3 * n & 127]) for n in itertools.islice(numbers, data.count(END))
        )

    port, seen = MadeUpPort(answer), []
    found = classify(port, samples, lambda *event: seen.append(event[:2]))
    assert found.tolist() == [0, 3, 6, 9, 12]
    assert found.dtype == np.int64
    assert [spikes.tolist() for spikes in decode(port.written, 10)] == samples.tolist()
    assert seen == [(n, 5) for n in range(1, 6)]
    assert classify(MadeUpPort(answers_end_with(b"\x82\x02\x01")), samples[0]) == 257


def test_the_host_never_sends_more_than_its_credit():
    samples = np.ones((3, 30, 20), np.uint8)
    pending = bytearray()
    taken = 0

    class SlowBoard(MadeUpPort):
        def write(self, data):
            if data[0] == RESET:
                self.waiting += bytes([READY])
                return
            pending.extend(data)
            assert len(pending) <= WINDOW

        def read(self, size):  # the board moves only while the host waits
            nonlocal taken
            while not self.waiting and pending:
                byte = pending.pop(0)
                taken += 1
                if taken % CREDIT_BYTES == 0:
                    self.waiting += bytes([CREDIT])
                if byte == END:
                    self.waiting += b"\x82\x00\x01"
            return super().read(size)

    assert classify(SlowBoard(None), samples).tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda data: b"", "does not answer"),
        (lambda data: b"\x01\x02", "does not answer"),
        (answers_end_with(b""), "stopped answering"),
        (answers_end_with(bytes([ERROR, 1, 0])), "not one of its network's inputs"),
        (answers_end_with(bytes([ERROR, 2, 0])), "more than 4095 ticks"),
        (answers_end_with(bytes([ERROR, 4, 0])), "lost or damaged"),
        (answers_end_with(bytes([ERROR, 8, 0])), "incomplete"),
        (answers_end_with(b"\x07"), "0x07, which is no answer"),
    ],
)
def test_what_goes_wrong_is_one_line(answer, message):
    with pytest.raises(BoardError, match=message) as error:
        classify(MadeUpPort(answer), np.ones((2, 3, 4), np.uint8))
    assert "\n" not in str(error.value)


def test_bad_spikes_are_refused_before_anything_is_sent():
    port = MadeUpPort(answers_end_with(b""))
    for spikes in (np.full((2, 2), 2), np.zeros((2, 2)), np.zeros(3, int), np.zeros((), int)):
        with pytest.raises(InputError):
            classify(port, spikes)
    with pytest.raises(InputError, match="at most 4095"):
        classify(port, np.zeros((MAX_TICKS + 1, 1), np.uint8))
    assert port.written == b""


def test_a_port_that_is_not_there():
    with pytest.raises(ToolError, match="cannot open the serial port /dev/no-such-port"):
        open_port("/dev/no-such-port")
