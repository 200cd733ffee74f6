"""Training: from settings, data and a seed to an integer network.

A run has two parts.  In the first the model learns in floating-point numbers: batch normalisation, Gaussians
around learned delays that grow narrow.  The second, a fraction `whole` of the epochs at the end, runs on whole
numbers, those of the exported network: normalisation is folded into the weights, every synapse lies on its
whole delay, weights, thresholds and membranes are rounded as the contract has it.  ``whole=1`` trains on whole numbers
throughout.

Whatever is random in an epoch comes from the seed and the epoch's number alone, so that an interrupted run goes
on from its last epoch as if nothing had happened.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import os
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast

import numpy as np
import torch
from torch import Tensor, nn

from lifline.errors import InputError, MissingExtra
from lifline.files import atomic_write

from .losses import find_loss, rate_penalty
from .model import Activity, SpikingNetwork
from .neurons import LIF, SCALES, Scale
from .surrogate import SURROGATES, Surrogate
from .synapses import DelayedLinear, Synapses

Delays = Literal["learned", "random", "none"]
Progress = Callable[[int, int, str], None]

#: A population saturates noticeably where more than this share of its membranes lies at the bounds.
_SATURATED = 0.01


class Samples(NamedTuple):
    """A part of a data set."""

    values: np.ndarray  #: (samples, …), whatever the task encodes
    labels: np.ndarray  #: int64 (samples,)


class Data(NamedTuple):
    """What is learned from, what settings are chosen by, and what is used once, for the result."""

    training: Samples
    validation: Samples
    test: Samples


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """What all training depends on, besides the seed; a task adds its own fields and sets its defaults."""

    epochs: int = 50
    batch: int = 128
    learning_rate: float = 3e-3  #: the peak of a one-cycle schedule
    weight_decay: float = 0.0
    loss: str = "spike_count"  #: one of :data:`lifline.train.losses.LOSSES`
    label_smoothing: float = 0.0
    surrogate: str = "fast_sigmoid"  #: one of :data:`lifline.train.surrogate.SURROGATES` …
    slope: float = 5.0  #: … and its first parameter
    dropout: float = 0.0  #: of hidden neurons
    weight_bits: int = 8
    scale: str = "free"  #: of hidden populations: free, power_of_two or per_neuron, see :class:`LIF`
    delays: Delays = "none"  #: of the synapses of hidden populations
    max_delay: int = 25  #: in ticks
    delay_rate: float = 100.0  #: learning rate of delays, times that of the weights
    annealing: float = (
        0.25  #: fraction of the epochs in which the Gaussians of learned delays grow narrow
    )
    whole: float = 1.0  #: fraction of the epochs, at the end, that trains on whole numbers
    whole_rate: float = (
        0.2  #: peak learning rate in those epochs, if others come before, times learning_rate
    )
    rate_low: float = 0.0  #: spikes per tick of a neuron below which it is urged on …
    rate_high: float = 1.0  #: … and above which it is held back …
    rate_cost: float = 0.0  #: … by this much
    delay_cost: float = 0.0  #: of a tick of all of a network's delay lines
    validation: float = 0.0  #: fraction of the training samples that is held out, to choose settings by

    def __post_init__(self) -> None:
        fractions = ("label_smoothing", "dropout", "annealing", "whole", "rate_low", "rate_high")
        for field in (*fractions, "validation"):
            value = getattr(self, field)
            if not 0 <= value <= 1:
                raise InputError(f"setting '{field}' must be in 0 … 1, not {value}")
        for field in ("validation", "dropout"):
            if getattr(self, field) == 1:
                raise InputError(
                    f"setting '{field}' must be less than 1: something must be left to learn"
                )
        if self.delays not in (choices := ("learned", "random", "none")):
            raise InputError(
                f"setting 'delays' must be one of {', '.join(choices)}, not '{self.delays}'"
            )
        if self.delays == "learned" and self.whole == 1:
            raise InputError(
                "setting 'whole' must be less than 1: delays are learned before training is on whole numbers"
            )
        if self.surrogate not in SURROGATES:
            known = ", ".join(SURROGATES)
            raise InputError(f"setting 'surrogate' must be one of {known}, not '{self.surrogate}'")
        if self.scale not in SCALES:
            raise InputError(f"setting 'scale' must be one of {', '.join(SCALES)}, not '{self.scale}'")
        find_loss(self.loss)

    def hidden_layer(self, size: int, beta: float, **values: Any) -> LIF:
        """A hidden population: normalised until training is on whole numbers, with dropout and biases."""
        return LIF(
            size,
            beta,
            bias=torch.zeros(size),
            learn_bias=True,
            spike_grad=self.spike_grad,
            reset_delay=False,
            batch_norm=self.whole < 1,
            dropout=self.dropout,
            scale=cast(Scale, self.scale),
            **values,
        )

    def readout(self, size: int, beta: float) -> LIF:
        """An output population that does not spike, and answers by its membranes."""
        bias = torch.zeros(size)
        return LIF(size, beta, bias=bias, learn_bias=True, reset_mechanism="none", reset_delay=False)

    @property
    def spike_grad(self) -> Surrogate:
        """The surrogate of these settings."""
        return SURROGATES[self.surrogate](self.slope)

    def connect(self, source_size: int, target_size: int, *, delays: Delays | None = None) -> Synapses:
        """Synapses of these settings' width, with their delays or other ones."""
        bits, delays = self.weight_bits, delays or self.delays
        if delays == "learned":
            return DelayedLinear(source_size, target_size, max_delay=self.max_delay, weight_bits=bits)
        ticks: int | Tensor = 0
        if delays == "random":
            ticks = torch.randint(self.max_delay + 1, (source_size, target_size))
        return Synapses(source_size, target_size, delays=ticks, weight_bits=bits)


def split_off(samples: Samples, fraction: float) -> tuple[Samples, Samples]:
    """Samples without a stratified `fraction` of them, always the same, and that fraction.

    Raises
    ------
    MissingExtra
        If scikit-learn is not installed.
    """
    if not fraction:
        return samples, Samples(*(array[:0] for array in samples))
    try:
        from sklearn.model_selection import train_test_split
    except ModuleNotFoundError:
        raise MissingExtra("scikit-learn", "train") from None
    kept, held = train_test_split(
        np.arange(len(samples.labels)), test_size=fraction, stratify=samples.labels, random_state=0
    )
    return Samples(*(array[kept] for array in samples)), Samples(*(array[held] for array in samples))


@dataclasses.dataclass(frozen=True)
class Recipe:
    """What a task brings to training, besides its settings."""

    load: Callable[[Any, Path | None], Data]  #: from settings and the data's folder
    build: Callable[[Any, Data], SpikingNetwork]  #: an untrained model, from torch's random numbers
    encode: Callable[[np.ndarray, Any], np.ndarray]  #: values to spikes, uint8 (samples, ticks, inputs)
    vary: Callable[
        [np.ndarray, Any, np.random.Generator], np.ndarray
    ]  #: likewise, a bit different each time


def fit(
    recipe: Recipe,
    settings: Settings,
    data: Data,
    seed: int,
    *,
    checkpoint: Path | None = None,
    progress: Progress = lambda done, total, text: None,
    warn: Callable[[str], None] = lambda text: None,
) -> tuple[SpikingNetwork, dict[str, list[float]]]:
    """Train a model; the same settings, data and seed give the same weights on the same kind of machine.

    Under ``torchrun`` the samples of each batch are dealt out to all processes, which end with the same model.

    Parameters
    ----------
    recipe : Recipe
    settings : Settings
    data : Data
    seed : int
    checkpoint : path, optional
        Written after each epoch; where it exists, the run that wrote it is carried on.
    progress : callable
        Called with (epoch, epochs, text) after each epoch.
    warn : callable
        Gets a line when a population falls silent or saturates on whole numbers.

    Returns
    -------
    model : SpikingNetwork
        In evaluation mode.
    curves : dict
        For each epoch ``loss`` and ``train_accuracy``, on varied samples while learning; ``rate.NAME``, a
        population's spikes per neuron and tick; and, where samples are held out, ``validation_accuracy``, of
        the integer network.

    Raises
    ------
    InputError
        If the checkpoint cannot be read, or is that of another run.
    """
    device = _device()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = recipe.build(settings, data).to(device)
    first = settings.epochs - round(settings.whole * settings.epochs)  # epoch on whole numbers
    if settings.whole < 1:
        first = max(first, 1)
    parts = [(0, first), (first, settings.epochs)]
    steps = -(-len(data.training.labels) // settings.batch)
    curves: dict[str, list[float]] = {}
    done = 0
    state = _load(checkpoint, (dataclasses.asdict(settings), seed)) if checkpoint else None
    if state:
        done, curves = state["epoch"], state["curves"]
    model.quantize = False
    if first == 0 or done > first:
        _settle(model)
    learner = _Learner(model, settings, steps, parts[model.quantize])
    if state:
        model.load_state_dict(state["model"])
        learner.load_state_dict(state["learner"])

    for epoch in range(done, settings.epochs):
        if epoch == first and not model.quantize:
            _settle(model)
            learner = _Learner(model, settings, steps, parts[1])
        if epoch < first:
            for synapses in model.delayed:
                synapses.anneal(epoch / max(settings.annealing * settings.epochs, 1))
        for name, value in _epoch(recipe, settings, data, seed, epoch, model, learner, warn).items():
            curves.setdefault(name, []).append(value)
        if checkpoint and _rank() == 0:
            state = {"run": (dataclasses.asdict(settings), seed), "epoch": epoch + 1, "curves": curves}
            _save(checkpoint, {**state, "model": model.state_dict(), "learner": learner.state_dict()})
        held = (
            f", validation {curves['validation_accuracy'][-1]:.2%}"
            if len(data.validation.labels)
            else ""
        )
        progress(epoch + 1, settings.epochs, f"epoch {epoch + 1}, loss {curves['loss'][-1]:.3f}{held}")
    return model.eval(), curves


@torch.no_grad()
def _settle(model: SpikingNetwork) -> None:
    """From here on the model trains on whole numbers: weights, membranes and delays."""
    model.quantize = True
    model.fold()
    for synapses in model.delayed:
        synapses.sigma = 0
        synapses.positions.requires_grad_(False)


class _Learner:
    """Optimiser and schedule for the epochs `span`."""

    def __init__(
        self, model: SpikingNetwork, settings: Settings, steps: int, span: tuple[int, int]
    ) -> None:
        begin, end = span
        rate = settings.learning_rate * (settings.whole_rate if begin else 1)
        positions = [
            synapses.positions for synapses in model.delayed if synapses.positions.requires_grad
        ]
        others = [
            p for p in model.parameters() if not any(p is q for q in positions) and p.requires_grad
        ]
        groups = [{"params": others, "weight_decay": settings.weight_decay}]
        rates = [rate]
        if positions:
            groups.append({"params": positions, "weight_decay": 0.0})
            rates.append(rate * settings.delay_rate)
        self.optimizer = torch.optim.Adam(groups, rate)
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimizer,
            rates,
            total_steps=max((end - begin) * steps, 11),  # with 10, a warm-up of 0 steps
            pct_start=0.1 if begin else 0.3,
        )

    def step(self, loss: Tensor) -> None:
        self.optimizer.zero_grad()
        torch.autograd.backward(loss)
        if _world() > 1:
            for group in self.optimizer.param_groups:
                for parameter in group["params"]:
                    if parameter.grad is not None:
                        torch.distributed.all_reduce(parameter.grad)
        self.optimizer.step()
        self.schedule.step()

    def state_dict(self) -> dict[str, Any]:
        return {"optimizer": self.optimizer.state_dict(), "schedule": self.schedule.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])


def _epoch(
    recipe: Recipe,
    settings: Settings,
    data: Data,
    seed: int,
    epoch: int,
    model: SpikingNetwork,
    learner: _Learner,
    warn: Callable[[str], None],
) -> dict[str, float]:
    """Learn from every training sample once; what the epoch was like."""
    device = next(model.parameters()).device
    values, labels = data.training
    order = np.random.default_rng([seed, epoch]).permutation(len(labels))
    rng = np.random.default_rng([seed, epoch, 1 + _rank()])
    loss_of = find_loss(settings.loss)
    sums: dict[str, float] = dict.fromkeys(("loss", "train_accuracy"), 0.0)
    model.train()
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(int(rng.integers(2**31)))
        for start in range(0, len(order), settings.batch):
            batch = order[start : start + settings.batch]
            share = batch[_rank() :: _world()]
            weight = len(share)
            if not weight:  # fewer samples than processes: one that does not count
                share = batch[:1]
            spikes = torch.from_numpy(recipe.vary(values[share], settings, rng)).to(device)
            answers = torch.from_numpy(labels[share]).to(device)
            activity = model(spikes)
            loss = loss_of(activity, answers, settings.label_smoothing) * weight
            cost = loss / len(batch)
            if settings.rate_cost:
                penalty = rate_penalty(activity, settings.rate_low, settings.rate_high)
                cost = cost + settings.rate_cost / _world() * penalty
            if settings.delay_cost:
                cost = cost + settings.delay_cost / _world() * model.delay_cost()
            learner.step(cost)
            sums["loss"] += loss.item()
            sums["train_accuracy"] += int((activity.classes == answers)[:weight].sum())
            for name, fired in activity.spikes.items():
                key = f"rate.{name}"
                sums[key] = sums.get(key, 0.0) + float(fired.detach().mean()) * weight
        _alike(model, sums)
    result = {name: value / len(labels) for name, value in sums.items()}
    if model.quantize:
        for line in health(model, activity):
            warn(f"epoch {epoch + 1}: {line}")
    model.eval()
    if len(data.validation.labels):
        result["validation_accuracy"] = accuracy(recipe, settings, model, data.validation)
    return result


def accuracy(recipe: Recipe, settings: Settings, model: SpikingNetwork, part: Samples) -> float:
    """The fraction of samples that the integer network of `model` gives the right class."""
    device = next(model.parameters()).device
    right = 0
    for start in range(0, len(part.labels), 512):
        spikes = recipe.encode(part.values[start : start + 512], settings)
        classes = model.eval()(torch.from_numpy(spikes).to(device)).classes.cpu().numpy()
        right += int((classes == part.labels[start : start + 512]).sum())
    return right / len(part.labels)


def health(model: SpikingNetwork, activity: Activity) -> list[str]:
    """What is wrong with a quantised network, a line for each population that is silent or saturates."""
    lines = []
    for name, spikes in activity.spikes.items():
        lif = model.population(name)
        if not (activity.readout and name == activity.output) and not spikes.any():
            lines.append(
                f"population '{name}' has fallen silent: no neuron spikes; lower its threshold, or give "
                "its weights more bits"
            )
        if lif.membrane_bits is not None:
            v = activity.membrane[name]
            share = float(((v >= lif.high) | (v <= -lif.high - 1)).float().mean())
            if share > _SATURATED:
                lines.append(
                    f"population '{name}' saturates: {share:.1%} of its membranes are at the bounds of "
                    f"{lif.membrane_bits} bits; raise membrane_bits"
                )
    return lines


def _save(path: Path, state: dict[str, Any]) -> None:
    buffer = io.BytesIO()
    torch.save(state, buffer)
    with atomic_write(path) as file:
        file.write(buffer.getvalue())


def _load(path: Path, run: Any) -> dict[str, Any] | None:
    if not path.exists():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        same = state["run"] == run
    except (OSError, RuntimeError, KeyError, EOFError, ValueError, pickle.UnpicklingError):
        raise InputError(f"{path}: damaged, or not a checkpoint; remove it to begin anew") from None
    if not same:
        raise InputError(
            f"{path}: the interrupted run had other settings or another seed; give the same, or remove it "
            "to begin anew"
        )
    return state


@contextlib.contextmanager
def processes() -> Iterator[int]:
    """Join the processes that ``torchrun`` has started, if it has; gives this process's number, from 0."""
    if "WORLD_SIZE" not in os.environ or int(os.environ["WORLD_SIZE"]) == 1:
        yield 0
        return
    torch.distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    try:
        yield _rank()
    finally:
        torch.distributed.destroy_process_group()


def _world() -> int:
    return torch.distributed.get_world_size() if torch.distributed.is_initialized() else 1


def _rank() -> int:
    return torch.distributed.get_rank() if torch.distributed.is_initialized() else 0


def _device() -> torch.device:
    if not torch.cuda.is_available():
        return torch.device("cpu")
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)))
    torch.cuda.set_device(device)
    return device


def _alike(model: nn.Module, sums: dict[str, float]) -> None:
    """Sum up what the processes counted, and give all the mean of their running statistics."""
    if _world() == 1:
        return
    totals = torch.tensor(
        list(sums.values()), dtype=torch.float64, device=next(model.parameters()).device
    )
    torch.distributed.all_reduce(totals)
    sums.update(zip(sums, totals.tolist(), strict=True))
    for buffer in model.buffers():
        if buffer.is_floating_point():
            torch.distributed.all_reduce(buffer)
            buffer /= _world()
