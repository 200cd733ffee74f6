"""Learning rules beside surrogate gradients through time, on the same networks: the digits task, and digits in time.

Accuracy is the exported integer network's, of the last epoch, on the test images.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from lifline.files import read_npz
from lifline.golden import simulate
from lifline.network import Network
from lifline.sim import verify
from lifline.train.rules import find_rule
from lifline.train.tasks import run_task

from .measure import SEED, Options, Result

EPOCHS = 20
SEEDS = 3
VERIFIED = 8  #: test images in gateware
TIMED = {"neuron": "once", "loss": "first_spike", "learning_rate": 2e-3}

#: (task, rule, settings besides)
RUNS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("digits", "surrogate", {}),
    ("digits", "eprop", {}),
    ("digits", "eprop", {"feedback": "random"}),
    ("digits", "superspike", {}),
    ("digits", "decolle", {}),
    ("digits", "resume", {}),
    ("digits_latency", "surrogate", {"learning_rate": TIMED["learning_rate"]}),
    ("digits_latency", "surrogate", TIMED),
    ("digits_latency", "spikeprop", TIMED),
)


def first_spikes_right(folder: Path) -> float:
    """The fraction of test samples in which the label's neuron spikes before all others, in golden."""
    network = Network.load(folder / "network.npz")
    test = read_npz(folder / "test.npz")
    fired = simulate(network, test["spikes"]).spikes[network.output]
    ticks = fired.shape[1]
    first = np.where(fired.any(1), fired.argmax(1), ticks)
    mine = np.take_along_axis(first, test["labels"][:, None], axis=1)
    earlier = (first <= mine).sum(1)  # the label's own among them
    return float(((earlier == 1) & (mine[:, 0] < ticks)).mean())


def row(task: str, rule: str, settings: dict[str, Any], epochs: int, seeds: range) -> dict[str, Any]:
    """Train with each seed, and say what came of it; the first network is checked in gateware."""
    accuracies, first, taken = [], [], 0.0
    with tempfile.TemporaryDirectory() as folder:
        for seed in seeds:
            out = Path(folder) / str(seed)
            start = time.process_time()
            record = run_task(
                task, out, seed=seed, epochs=epochs, warn=lambda line: None, rule=rule, **settings
            )
            taken += time.process_time() - start
            accuracies.append(record["test_accuracy"])
            if settings.get("loss") == "first_spike":
                first.append(first_spikes_right(out))
        out = Path(folder) / str(seeds[0])
        report = verify(
            Network.load(out / "network.npz"),
            lanes=4,
            spikes=read_npz(out / "test.npz")["spikes"][:VERIFIED],
        )
    feedback = f", {settings['feedback']} feedback" if "feedback" in settings else ""
    feedback += ", neurons that fire once" if settings.get("neuron") == "once" else ""
    return {
        "task": task,
        "rule": find_rule(rule).title + feedback,
        "accuracy": _mean(accuracies),
        "of the first spike": _mean(first) if first else None,
        "epochs": epochs,
        "s": f"{taken / len(seeds):.1f}",
        "gateware": "equal" if report.passed else f"differs: {report.text}",
    }


def _mean(values: list[float]) -> str:
    """The mean, and the least and the greatest, of fractions."""
    return f"{np.mean(values):.1%} ({min(values):.1%} … {max(values):.1%})"


def run(options: Options) -> Result:
    epochs = 1 if options.quick else EPOCHS
    seeds = range(SEED, SEED + (1 if options.quick else SEEDS))
    runs = RUNS[1:2] if options.quick else RUNS
    rows = [row(task, rule, settings, epochs, seeds) for task, rule, settings in runs]
    return Result(
        f"Learning rules, 64-64-10, {epochs} epochs",
        rows,
        notes=[
            f"Accuracy: of the integer network, on 360 test images, the mean (least … greatest) of {len(seeds)} seeds "
            f"from {SEED}.  s: of the processor, a training on one thread.",
            "All rules have the same optimiser, schedule and learning rate on a task (digits: its own, digits_latency: "
            f"{TIMED['learning_rate']:g}); that of digits_latency, and its first weights, were chosen by SpikeProp's "
            "training loss.",
            "Accuracy counts the output's spikes, as the contract does; of the first spike: whether the label's neuron "
            "spikes before all others, which is what networks of neurons that fire once are trained for.  The other "
            "row of digits_latency has the task's own neurons (cuba) and loss (spike_count).",
            f"Gateware: the first seed's network, {VERIFIED} test images in Verilator, every state of every tick and "
            "the cycles compared with the golden model's (lifline verify).",
        ],
        settings={"epochs": epochs, "seeds": list(seeds), **TIMED},
    )
