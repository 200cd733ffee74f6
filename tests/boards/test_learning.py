"""Samples that are learned from over the line, each once, whatever happens on the line or to the board."""

import numpy as np
import pytest

from lifline import (
    InputError,
    storage,
)
from lifline.boards import BoardError, Device, Faults
from lifline.boards import learning as of_board
from lifline.boards.line import FaultyLine
from lifline.boards.protocol import Identity, Kind
from lifline.golden import simulate

from .learning import (
    TIMEOUT,
    LearningBoard,
    check,
    plastic_network,
    rewarded_network,
    spikes_of,
)
from .simulation import ModelBoard


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

    @pytest.mark.parametrize("seed", [None, 0, 1])
    def test_rewards(self, seed):
        network = rewarded_network()
        spikes = spikes_of(network, 25)
        reward = np.random.default_rng(3).integers(-900, 900, 25)
        board = LearningBoard(network)
        faults = Faults() if seed is None else Faults(*[0.02] * 6, seed=seed)
        with Device(FaultyLine(board, faults), network, timeout=TIMEOUT) as device:
            check(device.run(spikes, learn=True, reward=reward), network, spikes, reward=reward)
            assert (device.rounds > 0) == (seed is not None)
            # decided by the answers
            wanted = np.random.default_rng(4).integers(0, 5, 25)
            decided = {}

            def by_answer(number, answer):
                assert number not in decided  # once for each sample
                decided[number] = 700 if answer.winner == wanted[number] else -700
                return decided[number]

            before = device.network
            recording = device.run(spikes, learn=True, reward=by_answer)
            signals = [decided[number] for number in range(25)]
            check(recording, before, spikes, reward=signals)
            with pytest.raises(InputError, match="reward is missing: RewardSTDP learns by a signal"):
                device.run(spikes, learn=True)
            with pytest.raises(InputError, match="reward: 40000 for sample 0"):
                device.run(spikes, learn=True, reward=lambda number, answer: 40000)

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

    @pytest.mark.parametrize("moment", [(Kind.RESULT, 4), (Kind.RESULT, 12), (Kind.WORDS, 5)])
    def test_a_board_that_is_started_anew(self, moment, monkeypatch):
        """It holds what its bitstream says: other weights than those that were loaded, of all banks."""
        monkeypatch.setattr(of_board, "INTERVAL", 10)
        built, network = plastic_network(), plastic_network(seed=3)
        spikes = spikes_of(network, 25)
        board = LearningBoard(built, others=[network])
        identity, words = board.identity, {bank: list(of) for bank, of in board.words.items()}
        left = moment[1]

        def starts(body):
            nonlocal left
            left -= body[3] & 7 == moment[0]
            if left == 0 and body[3] & 7 == moment[0]:
                board.identity = identity
                board.words = {bank: list(of) for bank, of in words.items()}
                board.forget()
            return body

        with Device(board, built, timeout=TIMEOUT, load=True) as device:
            device.load(network)
            with monkeypatch.context() as patch:
                patch.setattr(board, "change", starts)
                check(device.run(spikes, learn=True), network, spikes)
            assert device.rounds > 0
            learned = device.network
            check(device.run(spikes[:4]), learned, spikes[:4], learn=False)
            # another than the device's network
            board.identity = identity
            device.identity = device.identify()
            with pytest.raises(BoardError, match="same shape with the digest"):
                device.run(spikes, learn=True)

    def test_a_board_whose_answers_are_always_lost(self):
        network = plastic_network()
        board = LearningBoard(network)
        with Device(board, network, timeout=TIMEOUT) as device:

            def damaged(body):
                return body[:-1] if body[3] & 7 == Kind.RESULT else body

            board.change = damaged
            with pytest.raises(BoardError, match="answers are lost 20 times in a row"):
                device.run(spikes_of(network, 2), learn=True)
            with pytest.raises(BoardError, match=r"no known weights: .* learning was cut off"):
                device.run(spikes_of(network, 1))
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
