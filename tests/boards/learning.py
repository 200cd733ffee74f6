"""Networks that learn on a board, what golden makes of them, and a board of Python that learns."""

import numpy as np

from lifline import (
    LIF,
    STDP,
    Adaptation,
    Dense,
    Network,
    Population,
    Projection,
    RewardSTDP,
)
from lifline.boards.banks import Banks
from lifline.boards.link import LinkOptions
from lifline.boards.loading import HEADER
from lifline.boards.protocol import Command, Identity, Kind, Part
from lifline.boards.top import identity_of
from lifline.golden import simulate
from lifline.rtl import plan
from lifline.rtl.readback import learned_banks, taught_by

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


def rewarded_network():
    """That learns by rewards, and rounds at random."""
    rng = np.random.default_rng(2)
    pairs = STDP(
        240,
        230,
        256,
        60,
        50,
        6,
        low=0,
        high=100,
        fraction_bits=4,
        total=700,
        rounding="stochastic",
        seed=9,
    )
    rule = RewardSTDP(pairs, 250, 9)
    return Network(
        20,
        [Population("out", 5, LIF(230, 150, "zero"))],
        [Projection("input", "out", Dense(rng.integers(20, 60, (20, 5)), 1), rule)],
        "out",
    )


def check(recording, network, spikes, learn=True, reward=None):
    """A board's recording is golden's; the network that golden ends with."""
    golden = simulate(network, spikes, learn, reward)
    output = network.output
    assert np.array_equal(recording.classes, golden.classes)
    assert np.array_equal(recording.spikes[output], golden.spikes[output])
    assert np.array_equal(recording.scores, golden.spikes[output].sum(axis=1, dtype=np.int64))
    assert recording.network == (golden.network if learn else None)
    return golden


class LearningBoard(ModelBoard):
    """A board of Python that learns: memories that hold words, and golden in the place of the gateware."""

    def __init__(self, network, buffer=512, others=()):
        super().__init__(network, buffer)
        self.known = [network, *others]  #: what can be in its memories
        arrays = plan(network, LANES, load=True, learn=True)
        self.lanes = {name: array.lanes for name, array in arrays.items()}
        self.identity = identity_of(
            network, arrays, LinkOptions(buffer=buffer), clock_mhz=12, board="model"
        )
        self.banks = Banks(network, self.lanes, any_weights=False, learn=True)
        self.words = {bank: list(words) for bank, words in self.banks.words(network)}
        self.learned = 0  #: samples
        self._learns = None  #: the network and the ticks of a sample that a reward is to end

    def _take(self, body):
        if body[2] == Command.RESET and self._learns is not None:
            self._ends(0)
        super()._take(body)

    def _obey(self, command, data):
        if command == Command.NAME:
            self.identity = Identity.of(data + self.identity.data[16:])
            return False
        if command == Command.REWARD:
            (reward,) = np.frombuffer(data, "<i2")
            self._ends(int(reward))
            return False
        if command & Command.SAMPLE and Part.FIRST in Part(command & 0x7F) and self._learns:
            self._ends(0)  # which a sample begins with that comes before the reward
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
        network = taught_by(self._base(), self.lanes, self.words)
        if not learn:
            return simulate(network, ticks)
        self._learns = (network, ticks)
        if self.identity.rewarded:  # its answer does not depend on the reward that is to come
            return simulate(network, ticks, learn=True, reward=0)
        return self._ends(None)

    def _base(self):
        """The network whose banks that do not learn it holds."""
        learned = learned_banks(self.network, self.lanes)
        for network in self.known:
            if all(self.words[b] == list(w) for b, w in self.banks.words(network) if b not in learned):
                return network
        raise AssertionError("banks of no network")

    def _ends(self, reward):
        (network, ticks), self._learns = self._learns, None
        recording = simulate(network, ticks, learn=True, reward=reward)
        self.words = {bank: list(words) for bank, words in self.banks.words(recording.network)}
        self.learned += 1
        return recording
