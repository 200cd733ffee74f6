"""Networks that snnTorch and Norse train, for the conversion benchmark: small, and trained in minutes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from lifline.train.tasks import find

from .measure import SEED


@dataclasses.dataclass
class Trained:
    """A trained module, and the data that it is measured on."""

    name: str
    module: nn.Module
    convert: Callable[..., Any]  #: from_snntorch or from_norse
    shape: tuple[int, ...]
    calibration: np.ndarray  #: (samples, ticks, *shape), of the training samples
    calibration_labels: np.ndarray
    test: np.ndarray
    labels: np.ndarray
    accuracy: float  #: of the producer's own forward on the test samples
    training: tuple[np.ndarray, np.ndarray] | None = None  #: spikes and labels to fine-tune on


def _task(name: str, samples: int, tests: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Spikes and labels of a task of lifline's: to train and to test."""
    task = find(name)
    data = task.load(task.settings, None)
    rng = np.random.default_rng(SEED)
    chosen = rng.permutation(len(data.training.labels))[:samples]
    test = slice(0, tests)
    return (
        task.encode(data.training.values[chosen], task.settings), data.training.labels[chosen],
        task.encode(data.test.values[test], task.settings), data.test.labels[test],
    )  # fmt: skip


def _fit(
    module: nn.Module,
    run: Callable[[nn.Module, torch.Tensor], torch.Tensor],
    spikes: np.ndarray,
    labels: np.ndarray,
    epochs: int,
    rate: float,
) -> None:
    """Adam and cross-entropy on what `run` makes of (ticks, samples, …)."""
    torch.set_num_threads(1)
    rng = np.random.default_rng(SEED)
    optimiser = torch.optim.Adam(module.parameters(), rate)
    steps = epochs * -(-len(labels) // 64)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps)
    for _ in range(epochs):
        order = rng.permutation(len(labels))
        for start in range(0, len(order), 64):
            batch = order[start : start + 64]
            values = torch.tensor(spikes[batch], dtype=torch.float32).transpose(0, 1)
            loss = nn.functional.cross_entropy(run(module, values), torch.tensor(labels[batch]))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()


def _accuracy(module: nn.Module, run: Any, spikes: np.ndarray, labels: np.ndarray) -> float:
    module.eval()
    correct = 0
    with torch.no_grad():
        for start in range(0, len(labels), 100):
            values = torch.tensor(spikes[start : start + 100], dtype=torch.float32).transpose(0, 1)
            correct += int((run(module, values).argmax(1).numpy() == labels[start : start + 100]).sum())
    return correct / len(labels)


def _count_snntorch(module: nn.Module, values: torch.Tensor) -> torch.Tensor:
    """Spikes of the last neurons, summed over ticks."""
    from snntorch import utils

    utils.reset(module)
    return torch.stack([module(tick) for tick in values]).sum(0)


def _count_norse(module: nn.Module, values: torch.Tensor) -> torch.Tensor:
    """Membranes of the readout, summed over ticks."""
    state, total = None, torch.zeros(())
    for tick in values:
        out, state = module(tick, state)
        total = total + out
    return total


def digits(synaptic: bool, quick: bool = False) -> Trained:
    """64-48-10 of ``Leaky`` or ``Synaptic`` neurons on scikit-learn's digits."""
    import snntorch as snn

    from lifline.convert import from_snntorch

    def neurons() -> nn.Module:
        if synaptic:
            return snn.Synaptic(alpha=0.5, beta=0.9, init_hidden=True)
        return snn.Leaky(beta=0.9, init_hidden=True)

    spikes, labels, test, wanted = _task("digits", 200 if quick else 1437, 100 if quick else 360)
    torch.manual_seed(SEED)
    module = nn.Sequential(nn.Linear(64, 48), neurons(), nn.Linear(48, 10), neurons())
    _fit(module, _count_snntorch, spikes, labels, 2 if quick else 25, 0.01)
    accuracy = _accuracy(module, _count_snntorch, test, wanted)
    return Trained(
        f"digits, {'Synaptic' if synaptic else 'Leaky'} 64-48-10", module, from_snntorch, (64,),
        spikes[:200], labels[:200], test, wanted, accuracy,
    )  # fmt: skip


def mnist(quick: bool = False) -> Trained:
    """Two convolutions and a dense layer of ``Leaky`` neurons on MNIST, batch normalised."""
    import snntorch as snn

    from lifline.convert import from_snntorch

    spikes, labels, test, wanted = _task("mnist", 200 if quick else 5000, 50 if quick else 1000)
    spikes, test = spikes[:, :6], test[:, :6]
    spikes, test = (s.reshape(*s.shape[:2], 1, 28, 28) for s in (spikes, test))
    torch.manual_seed(SEED)
    module = nn.Sequential(
        nn.Conv2d(1, 8, 5, stride=2), nn.BatchNorm2d(8), snn.Leaky(beta=0.8, init_hidden=True),
        nn.AvgPool2d(2), nn.Conv2d(8, 16, 3), snn.Leaky(beta=0.8, init_hidden=True),
        nn.Flatten(), nn.Linear(256, 10), snn.Leaky(beta=0.8, init_hidden=True),
    )  # fmt: skip
    _fit(module, _count_snntorch, spikes, labels, 1 if quick else 4, 0.01)
    accuracy = _accuracy(module, _count_snntorch, test, wanted)
    return Trained(
        "MNIST, conv 8-16-10",
        module,
        from_snntorch,
        (1, 28, 28),
        spikes[:100],
        labels[:100],
        test,
        wanted,
        accuracy,
    )


def fsdd(quick: bool = False, chaotic: bool = False) -> Trained:
    """80-64 recurrent ``LIFRecurrentCell`` and a ``LICell`` readout of Norse on spoken digits.

    Its recurrent weights start at 0, and it is trained with dropout.  With Norse's own start, and without, the network
    is `chaotic`: the least change of its weights moves spikes and changes classes, as rounding does.
    """
    import norse.torch as norse

    from lifline.convert import from_norse

    spikes, labels, test, wanted = _task("fsdd", 200 if quick else 2700, 50 if quick else 300)
    torch.manual_seed(SEED)
    # Decays of 3/4 and 7/8, which the contract holds exactly.
    p = norse.LIFParameters(
        tau_syn_inv=torch.tensor(250.0), tau_mem_inv=torch.tensor(125.0), v_th=torch.tensor(0.5),
        alpha=torch.tensor(20.0),
    )  # fmt: skip
    readout = norse.LIParameters(tau_syn_inv=p.tau_syn_inv, tau_mem_inv=p.tau_mem_inv)
    hidden = norse.LIFRecurrentCell(80, 64, p)
    layers = [hidden, nn.Linear(64, 10), norse.LICell(readout)]
    if not chaotic:
        hidden.recurrent_weights.data.zero_()
        layers.insert(1, nn.Dropout(0.2))
    module = norse.SequentialState(*layers)
    _fit(module, _count_norse, spikes, labels, 1 if quick else 12 if chaotic else 20, 0.004)
    accuracy = _accuracy(module, _count_norse, test, wanted)
    name = "FSDD as Norse starts it" if chaotic else "FSDD"
    return Trained(
        f"{name}, Norse LIFRecurrent 80-64-10", module, from_norse, (80,), spikes[:150], labels[:150], test, wanted,
        accuracy, None if chaotic else (spikes, labels),
    )  # fmt: skip
