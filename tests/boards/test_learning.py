"""Samples that are learned from over the line, each once: on a board of Python, and on the virtual one."""

import numpy as np
import pytest

from lifline import LIF, STDP, Adaptation, Dense, InputError, Network, Population, Projection, storage
from lifline.app.main import main
from lifline.boards import BoardError, Device, Faults, connect
from lifline.boards import learning as of_board
from lifline.boards.banks import Banks
from lifline.boards.line import FaultyLine, SerialLine
from lifline.boards.link import LinkOptions
from lifline.boards.loading import HEADER
from lifline.boards.protocol import Command, Identity, Kind, Part, encode
from lifline.boards.top import identity_of
from lifline.boards.virtual import VirtualBoard
from lifline.golden import simulate
from lifline.rtl import cycles, plan
from lifline.rtl.readback import taught_by

from .simulation import ModelBoard

LANES = 3
TIMEOUT = 20.0


def plastic_network(seed=0):
    """With a delay, weights that are normalised, and thresholds that go on."""
    rng = np.random.default_rng(seed)
    rule = STDP(243, 240, 256, 16, 17, 6, low=0, high=100, total=900)
    neuron = LIF(240, 400, "zero", adaptation=Adaptation(250, 20, 16, keep=True))
    return Network(
        30,
        [Population("hidden", 7, neuron), Population("out", 4, LIF(230, 60))],
        [
            Projection("input", "hidden", Dense(rng.integers(20, 60, (30, 7)), 2), rule),
            Projection("hidden", "out", Dense(rng.integers(-20, 60, (7, 4)))),
        ],
        "out",
    )


def spikes_of(network, samples, ticks=12, seed=1):
    return (np.random.default_rng(seed).random((samples, ticks, network.inputs)) < 0.12).astype(
        np.uint8
    )


def check(recording, network, spikes, learn=True):
    """A board's recording is golden's; the network that golden ends with."""
    golden = simulate(network, spikes, learn)
    output = network.output
    assert np.array_equal(recording.classes, golden.classes)
    assert np.array_equal(recording.spikes[output], golden.spikes[output])
    assert np.array_equal(recording.scores, golden.spikes[output].sum(axis=1, dtype=np.int64))
    assert recording.network == (golden.network if learn else None)
    return golden


class LearningBoard(ModelBoard):
    """A board of Python that learns: memories that hold words, and golden in the place of the gateware."""

    def __init__(self, network, buffer=512):
        super().__init__(network, buffer)
        arrays = plan(network, LANES, load=True, learn=True)
        self.lanes = {name: array.lanes for name, array in arrays.items()}
        self.identity = identity_of(
            network, arrays, LinkOptions(buffer=buffer), clock_mhz=12, board="model"
        )
        self.banks = Banks(network, self.lanes, any_weights=False, learn=True)
        self.words = {bank: list(words) for bank, words in self.banks.words(network)}
        self.learned = 0  #: samples

    def _obey(self, command, data):
        if command == Command.NAME:
            self.identity = Identity.of(data + self.identity.data[16:])
            return False
        if command not in (Command.LOAD, Command.READ):
            return super()._obey(command, data)
        bank, parts, low, high, high2 = data[:HEADER]
        word, size = low + 256 * high + 65536 * high2, 2 * (parts + 1)
        if command == Command.READ:
            read = b"".join(w.to_bytes(size, "little") for w in self.words[bank][word:])
            self._tell(Kind.WORDS, read[: 2 * data[HEADER]])
            return True
        for start in range(HEADER, len(data), size):
            self.words[bank][word] = int.from_bytes(data[start : start + size], "little")
            word += 1
        return False

    def recorded(self, ticks):
        learn = Part.LEARN in self._wanted
        network = taught_by(self.network, self.lanes, self.words)
        recording = simulate(network, ticks, learn)
        if learn:
            self.words = {bank: list(words) for bank, words in self.banks.words(recording.network)}
            self.learned += 1
        return recording


@pytest.fixture(scope="module")
def network():
    return plastic_network()


@pytest.fixture(scope="module")
def board(network):
    with VirtualBoard(network, lanes=LANES, learn=True) as board:
        yield board


class TestOnAModel:
    def test_each_sample_is_learned_once(self):
        network = plastic_network()
        spikes = spikes_of(network, 20)
        board = LearningBoard(network)
        with Device(board, network) as device:
            golden = check(device.run(spikes, learn=True), network, spikes)
            assert (board.learned, device.rounds) == (20, 0)
            assert device.network == golden.network
            assert device.identity.digest == storage.digest(golden.network)[:16]
            # what was learned runs on, and learns on
            check(device.run(spikes[:5]), golden.network, spikes[:5], learn=False)
            one = device.run(spikes[7], learn=True)
            assert one.network == simulate(golden.network, spikes[7], learn=True).network
        assert board.learned == 21
        board.silent = False
        with pytest.raises(BoardError, match="same shape with the digest"):
            Device(board, network)
        board.silent = False
        Device(board, device.network).close()

    @pytest.mark.parametrize("fault", ["flip", "drop", "duplicate", "cut", "swap", "noise"])
    def test_one_kind_of_damage(self, fault):
        network = plastic_network()
        spikes = spikes_of(network, 30)
        line = FaultyLine(LearningBoard(network), Faults(**{fault: 0.05}, seed=3))
        with Device(line, network, timeout=TIMEOUT) as device:
            check(device.run(spikes, learn=True), network, spikes)
        assert line.done[fault] > 2

    @pytest.mark.parametrize("seed", range(4))
    def test_all_damage_at_once(self, seed, monkeypatch):
        monkeypatch.setattr(of_board, "INTERVAL", 8)
        network = plastic_network(seed)
        spikes = spikes_of(network, 30)
        board = LearningBoard(network)
        line = FaultyLine(board, Faults(*[0.02] * 6, seed=seed))
        with Device(line, network, timeout=TIMEOUT) as device:
            check(device.run(spikes, learn=True), network, spikes)
            assert device.rounds > 0
            assert board.learned > 30  # again, from what was loaded

    def test_a_board_that_forgets_the_session(self, monkeypatch):
        monkeypatch.setattr(of_board, "INTERVAL", 10)
        network = plastic_network()
        spikes = spikes_of(network, 30)
        board = LearningBoard(network)
        results = 0

        def forgets(body):
            nonlocal results
            results += body[3] & 7 == Kind.RESULT
            if results in (3, 17, 33, 38):
                results += 1
                board.forget()
            return body

        with Device(board, network, timeout=TIMEOUT) as device:
            board.change = forgets
            recording = device.run(spikes, learn=True)
            board.change = lambda body: body
            check(recording, network, spikes)
            assert device.rounds == 4

    def test_a_board_whose_answers_are_always_lost(self):
        network = plastic_network()
        board = LearningBoard(network)
        with Device(board, network, timeout=TIMEOUT) as device:

            def damaged(body):
                return body[:-1] if body[3] & 7 == Kind.RESULT else body

            board.change = damaged
            with pytest.raises(BoardError, match="answers are lost 20 times in a row"):
                device.run(spikes_of(network, 2), learn=True)
        # the next host is told that these are nobody's weights
        board.change = lambda body: body
        board.silent = False
        with pytest.raises(BoardError, match=r"no known weights: .* learning was cut off"):
            Device(board, network)
        board.silent = False
        with Device(board, network, load=True) as device:
            device.load(network)
            spikes = spikes_of(network, 3)
            check(device.run(spikes, learn=True), network, spikes)

    def test_a_board_that_contradicts_itself(self):
        network = plastic_network()
        board = LearningBoard(network)
        seen = 0

        def lies(body):
            nonlocal seen
            if body[3] & 7 == Kind.RESULT:
                seen += 1
                if seen == 3:
                    return body[:-1]  # lost, so all are learned again
                if seen > 3:  # other cycles than before
                    return body[:6] + bytes([body[6] ^ 1]) + body[7:]
            return body

        with Device(board, network, timeout=TIMEOUT) as device:
            board.change = lies
            with pytest.raises(BoardError, match="answers sample 0 otherwise than before"):
                device.run(spikes_of(network, 3), learn=True)

    def test_a_board_that_does_not_learn(self):
        network = plastic_network()
        with (
            Device(ModelBoard(network), network) as device,
            pytest.raises(InputError, match="the board does not learn: build its bitstream"),
        ):
            device.run(spikes_of(network, 1), learn=True)
        identity = LearningBoard(network).identity
        assert identity.learns
        assert Identity.of(identity.data) == identity


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

    def test_a_host_that_is_killed_while_it_learns(self, board, network):
        spikes = spikes_of(network, 40, ticks=60)
        device = self.loaded(board, network)
        device._name(bytes(16))
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
