"""Samples that are learned from on the virtual board: its gateware, the line, and the command line."""

import numpy as np
import pytest

from lifline import (
    LIF,
    Network,
    Population,
    Projection,
)
from lifline.app.main import main
from lifline.boards import BoardError, Device, Faults, connect
from lifline.boards.line import FaultyLine, SerialLine
from lifline.boards.matching import name
from lifline.boards.protocol import Part, encode
from lifline.boards.virtual import VirtualBoard
from lifline.golden import simulate
from lifline.rtl import cycles

from .learning import (
    LANES,
    TIMEOUT,
    check,
    plastic_network,
    rewarded_network,
    spikes_of,
)


@pytest.fixture(scope="module")
def network():
    return plastic_network()


@pytest.fixture(scope="module")
def board(network):
    with VirtualBoard(network, lanes=LANES, learn=True) as board:
        yield board


@pytest.mark.verilator
class TestInGateware:
    def loaded(self, board, network, faults=None):
        """The board, with this network's weights."""
        line = SerialLine(board.port, 3_000_000, TIMEOUT)
        if faults is not None:
            line = FaultyLine(line, faults)
        device = Device(line, network, timeout=TIMEOUT, load=True)
        device.load(network)
        return device

    def test_it_learns_as_golden(self, board, network):
        spikes = spikes_of(network, 25)
        with self.loaded(board, network) as device:
            recording = device.run(spikes, learn=True)
            golden = check(recording, network, spikes)
            activity = {"input": spikes, **golden.spikes}
            assert recording.cycles.tolist() == cycles(network, LANES, activity, learn=True).tolist()
            learned = golden.network
            # what was learned stays as it is in a run without, and goes on in one with
            spikes = spikes[:6]
            recording = device.run(spikes)
            golden = check(recording, learned, spikes, learn=False)
            activity = {"input": spikes, **golden.spikes}
            expected = cycles(learned, LANES, activity, learn=True, frozen=True)
            assert recording.cycles.tolist() == expected.tolist()
            check(device.run(spikes, learn=True), learned, spikes)
            assert device.rounds == 0

    @pytest.mark.parametrize("seed", range(3))
    def test_whatever_happens_on_the_line(self, board, network, seed):
        spikes = spikes_of(network, 25, seed=seed)
        with self.loaded(board, network, Faults(*[0.04] * 6, seed=seed)) as device:
            check(device.run(spikes, learn=True), network, spikes)
            assert device.rounds > 0

    def test_rewards(self):
        network = rewarded_network()
        spikes = spikes_of(network, 20)
        reward = np.random.default_rng(3).integers(-900, 900, 20)
        with VirtualBoard(network, lanes=2, learn=True) as board:
            with self.loaded(board, network) as device:
                recording = device.run(spikes, learn=True, reward=reward)
                golden = check(recording, network, spikes, reward=reward)
                activity = {"input": spikes, **golden.spikes}
                assert recording.cycles.tolist() == cycles(network, 2, activity, learn=True).tolist()
            with self.loaded(board, network, Faults(*[0.04] * 6, seed=5)) as device:
                recording = device.run(spikes, learn=True, reward=lambda n, answer: int(reward[n]))
                check(recording, network, spikes, reward=reward)
                assert device.rounds > 0

    def test_a_host_that_is_killed_while_it_learns(self, board, network):
        spikes = spikes_of(network, 40, ticks=60)
        device = self.loaded(board, network)
        name(device._host, bytes(16))
        wanted = Part.SCORES | Part.LEARN
        answers = device._host.ask(
            (device._request(n, encode(sample), 60, wanted) for n, sample in enumerate(spikes)),
            once=True,
        )
        next(answers)
        device.close()
        with pytest.raises(BoardError, match="no known weights"):
            connect(board.port, network, timeout=TIMEOUT)
        # at once, while the last sample is still being learned: what is loaded is not normalised by it
        with self.loaded(board, network) as device:
            check(device.run(spikes, learn=True), network, spikes)

    def test_on_the_command_line(self, network, tmp_path, capsys):
        network.save(tmp_path / "n.npz")
        spikes = spikes_of(network, 10)
        np.savez(tmp_path / "s.npz", spikes=spikes)
        learned = tmp_path / "learned.npz"
        command = [
            "run",
            str(tmp_path / "n.npz"),
            "--input",
            str(tmp_path / "s.npz"),
            "--port",
            "virtual",
        ]
        command += ["--lanes", str(LANES), "--timeout", str(TIMEOUT)]
        arguments = [*command, "--learn", "--learned", str(learned), "--check"]
        assert main(arguments) == 0
        assert "cycles and all weights are golden's" in capsys.readouterr().out
        assert Network.load(learned) == simulate(network, spikes, learn=True).network
        assert main(arguments) == 2  # it is there already
        capsys.readouterr()
        assert main([*command, "--learned", str(learned)]) == 2
        assert "--learned needs --learn" in capsys.readouterr().err


def test_a_network_in_which_nothing_learns(tmp_path, capsys):
    network = Network(
        2, [Population("out", 2, LIF(1, 1))], [Projection("input", "out", [[1, 1], [1, 1]])], "out"
    )
    network.save(tmp_path / "n.npz")
    np.savez(tmp_path / "s.npz", spikes=np.zeros((1, 2, 2), np.uint8))
    command = [
        "run",
        str(tmp_path / "n.npz"),
        "--input",
        str(tmp_path / "s.npz"),
        "--port",
        "virtual",
        "--learn",
    ]
    assert main(command) == 2
    assert "nothing can learn; leave --learn out" in capsys.readouterr().err
