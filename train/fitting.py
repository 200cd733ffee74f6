"""Fitting: a spiking network learns from samples, and ends as the integer network that is exported.

A run has two parts.  In the first the model learns in floating-point numbers: batch normalisation, Gaussians
around learned delays that grow narrow.  The second, a fraction `quantised` of the epochs at the end, runs on the
integers of the exported network: normalisation is folded into the weights, every synapse lies on its rounded delay,
weights, thresholds and membranes are rounded as the contract has it.  ``quantised=1`` trains so throughout.

Whatever is random in an epoch comes from the seed and the epoch's number alone, so that an interrupted run goes
on from its last epoch as if nothing had happened.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from lifline.errors import InputError
from lifline.progress import Progress, silent

from . import checkpoint as checkpoints
from . import distributed, health, machine
from .health import Problem, Switch
from .learner import Learner
from .model import SpikingNetwork
from .pruning import Pruning
from .rules import Batch, find_rule
from .samples import Data, Samples, split_off
from .settings import Settings

Encode = Callable[[np.ndarray], np.ndarray]
Vary = Callable[[np.ndarray, np.random.Generator], np.ndarray]

#: So many training samples tell the accuracy at the switch, where none are held out.
_PROBE = 500


@dataclasses.dataclass(frozen=True)
class Training:
    """The result of a training: the model, and how it learned."""

    model: SpikingNetwork  #: in evaluation mode: it runs the integer network
    curves: dict[str, list[float]]
    """For each epoch ``loss`` and ``train_accuracy``, on varied samples while learning; ``rate.NAME``, a
    population's spikes per neuron and tick; and, where samples are held out, ``validation_accuracy``, of the integer
    network."""
    warnings: list[str]  #: each problem once, with the epoch that it was first seen in, and a remedy
    switch: Switch | None  #: accuracy before and after the step to integers; None: quantised throughout


def fit(
    model: SpikingNetwork,
    data: Data | tuple[np.ndarray, np.ndarray],
    settings: Settings,
    *,
    seed: int = 0,
    encode: Encode = lambda values: values,
    vary: Vary | None = None,
    threads: int | None = 1,
    checkpoint: Path | None = None,
    progress: Progress = silent,
    warn: Callable[[str], None] = warnings.warn,
) -> Training:
    """Train a model; the same model, data, settings and seed give the same weights on the same kind of machine.

    Weights are learned, and whatever else the model has made learnable: delays (:class:`DelayedLinear`), thresholds,
    decays.  Under ``torchrun``, inside :func:`lifline.train.distributed.processes`, the samples of each batch are
    dealt out to all processes, which end with the same model.

    Parameters
    ----------
    model : SpikingNetwork
        It is changed.  With ``batch_norm=True`` in its populations it is normalised until training is quantised.
    data : Data, or values and labels
        Values are spikes, uint8 (samples, ticks, inputs), or what `encode` makes spikes of; labels are int64
        (samples,).  Of the pair, ``settings.validation`` is held out; of `Data`, the test part is never looked at.
    settings : Settings
    seed : int
        Of the order of samples, dropout and variation; not of the model's start.
    encode : callable
        Values to spikes.
    vary : callable, optional
        The same for learning, from values and a random generator: a bit different each epoch.
    threads : int, optional
        For torch, meanwhile: with networks of some hundred neurons one is fastest.  None leaves them as they are.
    checkpoint : path, optional
        Written after each epoch; where it exists, the run that wrote it is carried on.
    progress : callable
        Called with (epoch, epochs, text) after each epoch.
    warn : callable
        Gets a line for each thing that quantisation harms: accuracy that falls at the switch, thresholds of few
        bits, delays that pile up at the longest, populations that fall silent or saturate; see
        :mod:`lifline.train.health`.

    Returns
    -------
    Training

    Raises
    ------
    InputError
        If data, settings and model do not fit each other, or the checkpoint cannot be read, or is that of another run.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> labels = np.arange(40) % 2
    >>> spikes = (rng.random((40, 10, 4)) < 0.1 + 0.4 * (np.arange(4) % 2 == labels[:, None, None])).astype(np.uint8)
    >>> model = SpikingNetwork.feed_forward(4, LIF(8, beta=0.9), LIF(2, beta=0.9))
    >>> training = fit(model, (spikes, labels), Settings(epochs=5, batch=10, learning_rate=0.02))
    >>> len(training.curves["loss"])
    5
    """
    run = _Run(model.to(distributed.device()), _split(data, settings), settings, seed, encode, vary)
    run.check()
    machine.keep_memory()
    with machine.threads(threads):
        return run.run(checkpoint, progress, warn)


class _Run:
    """One training: what it is of, and its results so far."""

    def __init__(
        self,
        model: SpikingNetwork,
        data: Data,
        settings: Settings,
        seed: int,
        encode: Encode,
        vary: Vary | None,
    ) -> None:
        self.model = model
        self.data = data
        self.settings = settings
        self.seed = seed
        self.encode = encode
        self.vary = vary or (lambda values, rng: encode(values))
        self.rule = find_rule(settings.rule)(model, settings, seed).to(next(model.parameters()).device)
        self.steps = -(-len(data.training.labels) // settings.batch)
        #: The first quantised epoch, from 0.
        self.first = settings.epochs - round(settings.quantised * settings.epochs)
        if settings.quantised < 1:
            self.first = max(self.first, 1)
        self.delays = [synapses for synapses in model.delayed if synapses.positions.requires_grad]
        pruned_by = round(settings.pruning * settings.epochs * self.steps)
        self.pruning = Pruning(model, settings.sparsity, pruned_by)
        self.curves: dict[str, list[float]] = {}
        self.problems: dict[str, str] = {}  # what is wrong, and the line that says so
        self.switch: Switch | None = None

    def check(self) -> None:
        """Refuse what cannot be learned.

        Raises
        ------
        InputError
            If there are no samples, labels are not the outputs' indices, or delays could not be learned.
        """
        outputs = self.model.population(self.model.output).size
        for name, part in (("training", self.data.training), ("validation", self.data.validation)):
            labels = part.labels
            if len(labels) != len(part.values):
                if part.values.shape[1:2] == (len(labels),):
                    raise InputError(
                        f"{name} data: {len(labels)} labels are as many as axis 1 of the values {part.values.shape}, "
                        "which must be samples first: give values.swapaxes(0, 1)"
                    )
                raise InputError(
                    f"{name} data: {len(part.values)} samples have {len(labels)} labels; give each one"
                )
            if len(labels) and not (
                labels.dtype.kind in "iu" and labels.min() >= 0 and labels.max() < outputs
            ):
                raise InputError(
                    f"{name} labels must be integers in 0 … {outputs - 1}, one for each neuron of the output "
                    f"'{self.model.output}', not {labels.min()} … {labels.max()} of type {labels.dtype}"
                )
        if not len(self.data.training.labels):
            raise InputError("training data: there are no samples; give at least one")
        if self.delays and not self.first:
            raise InputError(
                "setting 'quantised' must be less than 1 for a model that learns delays: they are learned before "
                "training is quantised"
            )

    def run(self, checkpoint: Path | None, progress: Progress, warn: Callable[[str], None]) -> Training:
        """Train from the first epoch, or the one after the checkpoint's, to the last."""
        model, settings, first = self.model, self.settings, self.first
        parts = [(0, first), (first, settings.epochs)]
        identity = (dataclasses.asdict(settings), self.seed, self.fingerprint())
        state = checkpoints.load(checkpoint, identity) if checkpoint else None
        done = 0
        if state:
            done, self.curves, self.problems = state["epoch"], state["curves"], state["problems"]
            self.switch = Switch(**state["switch"]) if state["switch"] else None
        model.quantize = False
        if first == 0 or done > first:
            _settle(model)
        learner = Learner(self.rule, settings, self.steps, parts[model.quantize])
        if state:
            model.load_state_dict(state["model"])
            self.rule.load_state_dict(state["rule"])
            learner.load_state_dict(state["learner"])
        self.pruning.begin()

        for epoch in range(done, settings.epochs):
            if epoch == first and not model.quantize:
                self.step_to_integers(epoch, warn)
                learner = Learner(self.rule, settings, self.steps, parts[1])
            if epoch < first:
                for synapses in self.delays:
                    synapses.anneal(epoch / max(settings.annealing * settings.epochs, 1))
            for name, value in self.epoch(epoch, learner, warn).items():
                self.curves.setdefault(name, []).append(value)
            if checkpoint and distributed.rank() == 0:
                checkpoints.save(
                    checkpoint,
                    {
                        "run": identity,
                        "epoch": epoch + 1,
                        "curves": self.curves,
                        "problems": self.problems,
                        "switch": dataclasses.asdict(self.switch) if self.switch else None,
                        "model": model.state_dict(),
                        "rule": self.rule.state_dict(),
                        "learner": learner.state_dict(),
                    },
                )
            text = f"epoch {epoch + 1}, loss {self.curves['loss'][-1]:.3f}"
            if len(self.data.validation.labels):
                text += f", validation {self.curves['validation_accuracy'][-1]:.2%}"
            progress(epoch + 1, settings.epochs, text)
        if not model.quantize:
            self.step_to_integers(settings.epochs, warn)
        if self.switch:
            self.switch = dataclasses.replace(self.switch, end=self.accuracy(self.probe))
            self.tell(health.of_end(self.model, self.switch), settings.epochs, warn)
        for synapses in self.delays:
            synapses.positions.requires_grad_(True)  # it can be trained further
        return Training(model.eval(), self.curves, list(self.problems.values()), self.switch)

    def fingerprint(self) -> str:
        """What model and samples a checkpoint is of."""
        shapes = [(name, tuple(values.shape)) for name, values in self.model.state_dict().items()]
        digest = hashlib.sha256(repr(shapes).encode())
        for part in self.data[:2]:
            digest.update(repr((len(part.values), part.values.shape, part.values.dtype)).encode())
            digest.update(np.ascontiguousarray(part.labels).tobytes())
        return digest.hexdigest()

    def epoch(self, epoch: int, learner: Learner, warn: Callable[[str], None]) -> dict[str, float]:
        """Learn from every training sample once; what the epoch was like."""
        model, settings = self.model, self.settings
        device = next(model.parameters()).device
        values, labels = self.data.training
        order = np.random.default_rng([self.seed, epoch]).permutation(len(labels))
        rng = np.random.default_rng([self.seed, epoch, 1 + distributed.rank()])
        sums: dict[str, float] = dict.fromkeys(("loss", "train_accuracy"), 0.0)
        model.train()
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed(int(rng.integers(2**31)))
            for start in range(0, len(order), settings.batch):
                batch = order[start : start + settings.batch]
                share = batch[distributed.rank() :: distributed.world()]
                weight = len(share)
                if not weight:  # fewer samples than processes: one that does not count
                    share = batch[:1]
                spikes = torch.from_numpy(self.vary(values[share], rng)).to(device)
                answers = torch.from_numpy(labels[share]).to(device)
                learner.begin()
                activity, loss = self.rule.gradients(Batch(spikes, answers, weight, len(batch)))
                learner.step()
                self.pruning.step(epoch * self.steps + start // settings.batch + 1)
                sums["loss"] += (loss * weight).item()
                sums["train_accuracy"] += int((activity.classes == answers)[:weight].sum())
                for name, fired in activity.spikes.items():
                    key = f"rate.{name}"
                    sums[key] = sums.get(key, 0.0) + float(fired.detach().mean()) * weight
            distributed.share_counts(model, sums)
        result = {name: value / len(labels) for name, value in sums.items()}
        if not math.isfinite(result["loss"]):
            raise InputError(
                f"the loss is no finite number in epoch {epoch + 1}: give a lower learning_rate (it is "
                f"{settings.learning_rate:g})"
            )
        if model.quantize:
            self.tell(health.of_activity(model, activity), epoch + 1, warn)
        if len(self.data.validation.labels):
            result["validation_accuracy"] = self.accuracy(self.data.validation)
        return result

    @property
    def probe(self) -> Samples:
        """The samples that the float and the integer network are compared on."""
        if len(self.data.validation.labels):
            return self.data.validation
        values, labels = self.data.training
        some = np.linspace(0, len(labels) - 1, min(len(labels), _PROBE)).astype(np.int64)
        return Samples(values[some], labels[some])

    def accuracy(self, part: Samples) -> float:
        """The fraction of samples that the integer network gives the right class."""
        self.model.eval()
        return self._accuracy(part)

    def float_accuracy(self, *, rounded_delays: bool) -> float:
        """Likewise of the floating-point network, on :attr:`probe`; learned delays rounded, or as they are learned."""
        with health.floating(self.model, rounded_delays=rounded_delays):
            return self._accuracy(self.probe)

    @torch.no_grad()
    def _accuracy(self, part: Samples) -> float:
        device = next(self.model.parameters()).device
        right = 0
        for start in range(0, len(part.labels), 512):
            spikes = torch.from_numpy(self.encode(part.values[start : start + 512])).to(device)
            classes = self.model(spikes).classes.cpu().numpy()
            right += int((classes == part.labels[start : start + 512]).sum())
        return right / len(part.labels)

    def step_to_integers(self, epoch: int, warn: Callable[[str], None]) -> None:
        """From here on, after `epoch` epochs, the model is quantised; note what that does to accuracy."""
        before = self.float_accuracy(rounded_delays=False)
        rounded = self.float_accuracy(rounded_delays=True) if self.model.delayed else before
        _settle(self.model)
        self.switch = Switch(
            epoch=epoch,
            samples=len(self.probe.labels),
            held_out=bool(len(self.data.validation.labels)),
            floating=before,
            rounded_delays=rounded,
            quantised=self.accuracy(self.probe),
        )
        self.tell(health.of_delays(self.model), epoch, warn)
        if epoch < self.settings.epochs:  # else there is no more training, and of_end says it
            self.tell(health.of_switch(self.model, self.switch), epoch, warn)

    def tell(self, problems: list[Problem], epoch: int, warn: Callable[[str], None]) -> None:
        """Warn of problems that are new."""
        for problem in problems:
            if problem.what not in self.problems:
                line = f"epoch {epoch}: {problem.what}: {problem.remedy}"
                self.problems[problem.what] = line
                warn(line)


@torch.no_grad()
def _settle(model: SpikingNetwork) -> None:
    """From here on the model trains on the integers that it exports: weights, membranes and delays."""
    model.quantize = True
    model.fold()
    for synapses in model.delayed:
        synapses.sigma = 0
        synapses.positions.requires_grad_(False)


def _split(data: Data | tuple[np.ndarray, np.ndarray], settings: Settings) -> Data:
    """`data`, with what is held out of it."""
    if isinstance(data, Data):
        return data
    values, labels = (np.asarray(array) for array in data)
    training, validation = split_off(Samples(values, labels), settings.validation)
    return Data(training, validation, Samples(values[:0], labels[:0]))
