"""The driver against a board of a few lines of Python, over lines that lose, damage, repeat and reorder."""

import time

import numpy as np
import pytest

from lifline import InputError, Network, Reset, ToolError
from lifline.boards import BoardError, Device, Faults, connect
from lifline.boards.host import Host, Request
from lifline.boards.line import FaultyLine, find_port
from lifline.boards.protocol import BOARD_HEADER, Command, Kind, Status
from lifline.golden import simulate

from .simulation import ModelBoard, small_network, some_spikes


def check(recording, network, spikes):
    golden = simulate(network, spikes)
    output = network.output
    assert np.array_equal(recording.classes, golden.classes)
    assert np.array_equal(recording.spikes[output], golden.spikes[output])
    readout = network[output].neuron.readout
    scored = golden.membrane[output] if readout else golden.spikes[output]
    assert np.array_equal(recording.scores, scored.sum(axis=1, dtype=np.int64))
    assert recording.cycles.tolist() == [ModelBoard.cycles(sample) for sample in spikes]


@pytest.mark.parametrize("reset", [Reset.SUBTRACT, Reset.NONE])
@pytest.mark.parametrize("buffer", [400, 2048])
def test_a_board_runs_samples(reset, buffer):
    network = small_network(reset)
    spikes = some_spikes(network, 30)
    board = ModelBoard(network, buffer)
    with Device(board, network) as device:
        check(device.run(spikes), network, spikes)
        one = device.run(spikes[3], scores=False, output_spikes=False)
        assert one.classes == simulate(network, spikes[3]).classes
        assert (one.spikes, one.scores) == ({}, None)
        assert device.identity == board.identity
        counters = device.counters()
        assert (counters.damaged, counters.dropped, counters.host.resent) == (0, 0, 0)
    assert board.samples == 31  # each once


@pytest.mark.parametrize("fault", ["flip", "drop", "duplicate", "cut", "swap", "noise"])
def test_one_kind_of_damage_changes_no_result(fault):
    network = small_network()
    spikes = some_spikes(network, 60)
    line = FaultyLine(ModelBoard(network), Faults(**{fault: 0.1}, seed=7))
    with Device(line, network, timeout=20) as device:
        check(device.run(spikes), network, spikes)
    assert line.done[fault] > 3


@pytest.mark.parametrize("seed", range(3))
def test_all_damage_at_once_changes_no_result(seed):
    network = small_network()
    spikes = some_spikes(network, 100)
    faults = Faults(*[0.03] * 6, seed=seed)
    with Device(FaultyLine(ModelBoard(network), faults), network, timeout=20) as device:
        check(device.run(spikes), network, spikes)
        check(device.run(spikes[::-1][:20]), network, spikes[::-1][:20])


def test_the_board_may_forget_everything_at_any_time():
    network = small_network()
    spikes = some_spikes(network, 40)
    board = ModelBoard(network)
    sent = 0

    def forgets(body):
        nonlocal sent
        sent += 1
        if sent % 37 == 0:
            board.forget()
        return body

    with Device(board, network) as device:
        board.change = forgets
        check(device.run(spikes), network, spikes)
        assert device.counters().host.sessions > 2


def test_an_earlier_host_leaves_nothing():
    """As after a Ctrl-C: answers to a host that is gone are still on the line, and half a sample is on the board."""
    network = small_network()
    spikes = some_spikes(network, 8)
    board = ModelBoard(network)
    with Device(board, network) as device:
        answers = device.stream(spikes)
        next(answers)
        answers.close()
        check(device.run(spikes[4:]), network, spikes[4:])
        kept = board._out
        device.run(spikes[:3])
    board.silent = False
    board._out = kept + board._out + b"\x7e\x01\x02"  # stale answers, and a frame that was cut
    with Device(board, network) as device:
        check(device.run(spikes), network, spikes)
        check(device.run(spikes[2:4]), network, spikes[2:4])


def altered(kind, change):
    def alter(body):
        return body[:BOARD_HEADER] + change(body[BOARD_HEADER:]) if body[3] & 7 == kind else body

    return alter


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (altered(Kind.RESULT, lambda d: d[:-2] + b"\x00\x20"), "names the class 8192 of 5"),
        (
            altered(Kind.RESULT, lambda d: bytes([Status.ADDRESS]) + d[1:]),
            "not one of its network's inputs",
        ),
        (altered(Kind.RESULT, lambda d: bytes([Status.TICKS | 8]) + d[1:]), "more than 4095 ticks"),
        (altered(Kind.RESULT, lambda d: bytes([Status.FORM]) + d[1:]), "ends within a tick"),
        (altered(Kind.RESULT, lambda d: d[:-1]), "lost 20 times in a row"),
        (altered(Kind.SPIKES, lambda d: d[:-1]), "lost 20 times in a row"),
        (altered(Kind.SPIKES, lambda d: b"\x05" + d[1:]), "lost 20 times in a row"),
        (altered(Kind.SPIKES, lambda d: d + b"\x80"), "lost 20 times in a row"),
        (
            altered(Kind.RESULT, lambda d: d[:5] + b"\xff\x0f" * 4 + d[13:]),
            "class is not that of its scores",
        ),
    ],
)
def test_what_a_board_says_is_checked(change, message):
    network = small_network()
    spikes = some_spikes(network, 3)
    spikes[:, 0, :100] = 1
    board = ModelBoard(network)
    with Device(board, network) as device:
        board.change = change
        with pytest.raises(BoardError, match=message) as error:
            device.run(spikes)
        assert "\n" not in str(error.value)
        board.change = lambda body: body
        check(device.run(spikes), network, spikes)


def test_another_network_is_refused():
    network = small_network()
    board = ModelBoard(network)
    with pytest.raises(BoardError, match="same shape with the digest"):
        Device(board, small_network(seed=4))
    board.silent = False
    with pytest.raises(
        BoardError, match=r"150 inputs and populations of 7, 5 neurons, not 151 and 7, 5"
    ):
        Device(board, small_network(inputs=151))
    board.silent = False
    Device(board, Network(**{**vars_of(network), "name": "other"}))


def vars_of(network):
    names = ("inputs", "populations", "projections", "output", "name", "metadata")
    return {name: getattr(network, name) for name in names}


def test_a_board_that_does_not_answer():
    board = ModelBoard(small_network())
    board.silent = True
    before = time.monotonic()
    with pytest.raises(BoardError, match=r"does not answer within 0\.3 s: check the port"):
        Device(board, timeout=0.3)
    assert time.monotonic() - before < 3


def test_a_board_that_stops_answering():
    network = small_network()
    board = ModelBoard(network)
    with Device(board, network, timeout=0.3) as device:
        board.change = lambda body: setattr(board, "silent", board.samples > 2) or body
        with pytest.raises(BoardError, match="has stopped answering"):
            device.run(some_spikes(network, 10))


def test_a_line_that_lets_nothing_through():
    network = small_network()
    line = FaultyLine(ModelBoard(network), Faults())
    with Device(line, network) as device:
        line._faults = Faults(flip=1.0)
        with pytest.raises(BoardError, match="stopped answering"):
            device.run(some_spikes(network, 10))


def test_a_core_that_makes_no_progress():
    network = small_network()
    board = ModelBoard(network)
    with Device(board, network) as device:
        board._obey = lambda command, data: board.forget() or True
        with pytest.raises(BoardError, match="makes no progress"):
            device.run(some_spikes(network, 2))


def test_a_command_that_the_board_does_not_know():
    host = Host(ModelBoard(small_network()), 2.0)
    with pytest.raises(BoardError, match="does not know the command NAME"):
        list(host.ask([Request([(Command.NAME, b"x")], Kind.ACK, lambda data, events: data)]))


def test_bad_spikes_are_refused_before_anything_is_sent():
    network = small_network()
    board = ModelBoard(network)
    with Device(board, network) as device:
        before = len(board.written)
        for spikes in (
            np.full((2, 150), 2),
            np.zeros((2, 150)),
            np.zeros(3, int),
            np.zeros((1, 151), int),
        ):
            with pytest.raises(InputError):
                device.run(spikes)
        with pytest.raises(InputError, match="at most 4095"):
            device.run(np.zeros((4096, 150), np.uint8))
        assert len(board.written) == before


def test_ports_that_are_not_there(monkeypatch):
    with pytest.raises(ToolError, match="cannot open the serial port /dev/no-such-port"):
        connect("/dev/no-such-port")
    with pytest.raises(InputError, match="give the network"):
        connect("virtual")

    from serial.tools import list_ports
    from serial.tools.list_ports_common import ListPortInfo

    def port(name, vid, pid, location):
        info = ListPortInfo(name)
        info.vid, info.pid, info.location = vid, pid, location
        return info

    ports = []
    monkeypatch.setattr(list_ports, "comports", lambda: ports)
    with pytest.raises(InputError, match="no board that lifline knows is plugged in"):
        find_port()
    ports += [
        port("/dev/ttyUSB0", 0x0403, 0x6010, "1-2:1.0"),  # an FT2232H's first: for the flash
        port("/dev/ttyUSB1", 0x0403, 0x6010, "1-2:1.1"),
        port("/dev/ttyS0", None, None, None),
    ]
    assert find_port() == "/dev/ttyUSB1"
    ports.append(port("/dev/ttyUSB2", 0x0403, 0x6015, "1-3:1.0"))
    with pytest.raises(InputError, match="several boards: /dev/ttyUSB1, /dev/ttyUSB2"):
        find_port()


def test_faults_are_read():
    assert Faults.parse("flip=0.5,seed=3") == Faults(flip=0.5, seed=3)
    for text in ("flip", "flip=x", "flop=1", "flip=0.1,flip=0.2", ""):
        with pytest.raises(InputError, match="faults: "):
            Faults.parse(text)
    with pytest.raises(InputError, match=r"flip must be in 0 … 1, not 1\.5"):
        Faults.parse("flip=1.5")
