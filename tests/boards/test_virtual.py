"""The virtual board: the gateware behind a pseudo-terminal, and all that a host or a line can do to it."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from lifline import InputError, Reset, storage
from lifline.app.main import main
from lifline.boards import BoardError, Device, Faults, connect
from lifline.boards.device import BAUD
from lifline.boards.host import Host, Request
from lifline.boards.line import FaultyLine, SerialLine
from lifline.boards.matching import name
from lifline.boards.protocol import Command, Kind, Part, Status, encode, parts_of, stuffed
from lifline.boards.virtual import VirtualBoard
from lifline.golden import simulate
from lifline.rtl.load import words

from .simulation import check, small_network, some_spikes

pytestmark = pytest.mark.verilator

LANES = 3
TIMEOUT = 20.0


@pytest.fixture(scope="module")
def network():
    return small_network(Reset.NONE)


@pytest.fixture(scope="module")
def board(network):
    with VirtualBoard(network, lanes=LANES) as board:
        yield board


def serial(board):
    return SerialLine(board.port, BAUD, TIMEOUT)


def test_what_it_answers_is_golden(board, network):
    spikes = some_spikes(network, 100)
    with connect(board.port, network, timeout=TIMEOUT) as device:
        recording = device.run(spikes)
        check(recording, network, spikes, LANES)
        assert not recording.stalled.any()
        assert len(set(recording.classes.tolist())) > 1
        plain = device.run(spikes[:20], scores=False, output_spikes=False)
        assert plain.classes.tolist() == recording.classes[:20].tolist()
        assert plain.cycles.tolist() == recording.cycles[:20].tolist()
        one = device.run(spikes[5])
        assert one.classes == recording.classes[5]
        assert device.counters().damaged == 0


def test_long_samples(board, network):
    spikes = some_spikes(network, 2, ticks=1500)
    spikes[:, :30] = 1
    with connect(board.port, network, timeout=TIMEOUT) as device:
        recording = device.run(spikes)
        check(recording, network, spikes, LANES)
        assert recording.stalled.all()  # 30 ticks of 150 events are more than the queue holds


@pytest.mark.parametrize("seed", range(2))
def test_damage_on_the_line_changes_no_result(board, network, seed):
    spikes = some_spikes(network, 150, seed=seed)
    line = FaultyLine(serial(board), Faults(*[0.02] * 6, seed=seed))
    with Device(line, network, timeout=TIMEOUT) as device:
        check(device.run(spikes), network, spikes, LANES)
    assert all(line.done.values())


def test_a_host_that_left_in_the_middle_of_anything(board, network):
    rng = np.random.default_rng(3)
    spikes = some_spikes(network, 3)
    for moment in rng.integers(1, 400, 12).tolist():
        session = moment % 255 + 1
        left = stuffed(bytes([session, 0, Command.RESET]))
        for number, (command, data) in enumerate(
            parts_of(encode(spikes[0]) * 9, Part.SPIKES | Part.SCORES, 30)
        ):
            left += stuffed(bytes([session, number, command]) + data)
        line = serial(board)
        line.write(left[:moment])
        line.close()
        with connect(board.port, network, timeout=TIMEOUT) as device:
            check(device.run(spikes), network, spikes, LANES)


def ask(line, frames):
    """The status of a sample that need not be one."""
    host = Host(line, TIMEOUT)
    ((_, status),) = host.ask([Request(frames, Kind.RESULT, lambda data, events: Status(data[0]))])
    return status


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (bytes([1, 150]), Status.ADDRESS),
        (bytes([2, 255, 3]), Status.ADDRESS),
        (bytes([255]) + bytes(19) + bytes([1, 160]), Status.ADDRESS),
        (bytes([20, *[149] * 20]), Status.ADDRESS),  # one address twenty times
        (bytes(4096), Status.TICKS),
        (bytes([5, 1, 2]), Status.FORM),
        (bytes([254]) + bytes(120), Status.FORM),
        (bytes([255, 1]), Status.FORM),
        (b"", Status(0)),
        (bytes(4095), Status(0)),
    ],
)
def test_samples_that_are_none_are_told_and_harm_nothing(board, network, data, status):
    line = serial(board)
    assert ask(line, list(parts_of(data, Part(0)))) & ~Status.STALLED == status
    line.close()
    spikes = some_spikes(network, 3)
    with connect(board.port, network, timeout=TIMEOUT) as device:
        check(device.run(spikes), network, spikes, LANES)


def test_commands_that_it_does_not_know(board, network):
    with connect(board.port, network, timeout=TIMEOUT) as device:
        for command in (Command.LOAD, Command.READ, Command.NAME):
            with pytest.raises(BoardError, match=f"does not know the command {command.name}"):
                device._ask_one(command, b"some bytes", Kind.ACK, lambda data, events: data)
        assert device.identify() == device.identity


def command_line(board, tmp_path, network, spikes):
    network.save(tmp_path / "network.npz")
    labels = simulate(network, spikes).classes
    np.savez(tmp_path / "spikes.npz", spikes=spikes, labels=labels)
    return [
        "run",
        str(tmp_path / "network.npz"),
        "--input",
        str(tmp_path / "spikes.npz"),
        "--port",
        board.port,
    ]


def test_the_command(board, network, tmp_path, capsys):
    spikes = some_spikes(network, 20)
    arguments = command_line(board, tmp_path, network, spikes)
    out = tmp_path / "out.npz"
    assert (
        main([*arguments, "--json", "--check", "--output", str(out), "--faults", "flip=0.05,seed=1"])
        == 0
    )
    values = json.loads(capsys.readouterr().out)
    golden = simulate(network, spikes)
    assert values["classes"] == golden.classes.tolist()
    assert values["accuracy"] == 1
    assert values["check"] == {"classes": 0, "spikes": 0, "cycles": 0}
    assert values["samples_per_second"] > 0
    with np.load(out) as saved:
        assert np.array_equal(saved["output.spikes"], golden.spikes["output"])
        assert np.array_equal(saved["classes"], golden.classes)
    assert main([*arguments, "--check"]) == 0
    text = capsys.readouterr().out
    assert "accuracy: 100.00% (20 of 20)" in text
    assert "check: classes, output spikes and cycles are golden's" in text
    for extra, message in (
        (["--output", str(out)], "is there already"),
        (["--lanes", "2"], "--lanes is for --port virtual"),
        (["--faults", "flip=2"], "flip must be in 0 … 1"),
        (["--board", "nothing"], "unknown board 'nothing'"),
    ):
        assert main([*arguments, *extra]) == 2
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1
    small_network(Reset.NONE, seed=9).save(tmp_path / "network.npz")
    assert main(arguments) == 2
    assert "same shape with the digest" in capsys.readouterr().err


def test_a_host_that_is_killed_at_any_moment(board, network, tmp_path):
    spikes = some_spikes(network, 400)
    arguments = [sys.executable, "-m", "lifline", *command_line(board, tmp_path, network, spikes)]
    rng = np.random.default_rng(1)
    for _ in range(4):
        process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(0.6 + float(rng.random()))  # Python has started by then, or not
        process.send_signal(signal.SIGKILL)
        process.wait()
        with connect(board.port, network, timeout=TIMEOUT) as device:
            check(device.run(spikes[:5]), network, spikes[:5], LANES)


def test_a_board_that_is_unplugged_says_so(network):
    spikes = some_spikes(network, 3000)
    board = VirtualBoard(network, lanes=LANES)
    device = connect(board.port, network, timeout=1)
    answers = device.stream(spikes)
    next(answers)
    board.close()
    with pytest.raises(BoardError, match=r"is gone|has stopped answering") as error:
        list(answers)
    assert "\n" not in str(error.value)
    device.close()
    assert not os.path.exists(f"/proc/{board._process.pid}")
    with connect("virtual", network, lanes=LANES, timeout=TIMEOUT) as device:
        check(device.run(spikes[:5]), network, spikes[:5], LANES)


@pytest.fixture(scope="module")
def loadable(network):
    with VirtualBoard(network, lanes=LANES, load=True) as board:
        yield board


def test_weights_are_loaded_and_read_back(loadable, network, tmp_path, capsys):
    spikes = some_spikes(network, 10)
    other = small_network(Reset.NONE, seed=9)
    built = words(network, LANES)
    with connect(loadable.port, network, timeout=TIMEOUT, load=True) as device:
        assert device.read_back() == built
        check(device.run(spikes), network, spikes, LANES)
        device.load(other)
        assert device.identity.digest == storage.digest(other)[:16]
        assert device.read_back() == words(other, LANES, built=network)
        check(device.run(spikes), other, spikes, LANES)
    with pytest.raises(BoardError, match="same shape with the digest"):
        connect(loadable.port, network, timeout=TIMEOUT)
    connect(loadable.port, other, timeout=TIMEOUT).close()
    arguments = command_line(loadable, tmp_path, network, spikes)
    assert main([*arguments, "--load", arguments[1], "--check"]) == 0
    assert "golden's" in capsys.readouterr().out


@pytest.mark.parametrize("seed", range(2))
def test_damage_while_loading_changes_nothing(loadable, network, seed):
    spikes = some_spikes(network, 5)
    other = small_network(Reset.NONE, seed=seed)
    line = FaultyLine(serial(loadable), Faults(*[0.03] * 6, seed=seed))
    with Device(line, network, timeout=TIMEOUT, load=True) as device:
        device.load(other)
        check(device.run(spikes), other, spikes, LANES)


def test_a_host_that_left_while_loading(loadable, network):
    """The board then runs no network that it could be taken for, until one is loaded whole."""
    spikes = some_spikes(network, 5)
    with connect(loadable.port, network, timeout=TIMEOUT, load=True) as device:
        name(device._host, bytes(16))
        banks = device._banks()
        for requests in (banks.writes(banks.words(network)), banks.reads(range(len(banks.shapes)))):
            answers = device._host.ask(requests)
            next(answers)
            answers.close()
    for moment in (20, 35, 60):
        line = serial(loadable)
        load = stuffed(bytes([8, 0, Command.LOAD, 0, 0, 0, 0, 0, *range(60)]))
        line.write((stuffed(bytes([8, 0, Command.RESET])) + load)[:moment])
        line.close()
    with pytest.raises(BoardError, match=r"the board holds no known weights: .* load them with"):
        connect(loadable.port, network, timeout=TIMEOUT)
    with connect(loadable.port, network, timeout=TIMEOUT, load=True) as device:
        device.load(network)
        check(device.run(spikes), network, spikes, LANES)


def test_what_cannot_be_loaded_is_refused(loadable, board, network):
    with connect(loadable.port, network, timeout=TIMEOUT, load=True) as device:
        with pytest.raises(BoardError, match=r"150 inputs .*, not 149"):
            device.load(small_network(Reset.NONE, inputs=149))
        with pytest.raises(InputError, match="design"):
            device.load(small_network(Reset.SUBTRACT))
        device.load(network)
    without = pytest.raises(BoardError, match="cannot be loaded: build its bitstream with a load port")
    with connect(board.port, network, timeout=TIMEOUT) as device, without:
        device.load(network)
    with (
        connect(loadable.port, timeout=TIMEOUT) as device,
        pytest.raises(InputError, match="give the network"),
    ):
        device.read_back()
