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
from lifline.train.rules import find_rule
from lifline.train.tasks import run_task

from .measure import SEED, Options, Result

EPOCHS = 20
TIMED = {"neuron": "once", "loss": "first_spike", "learning_rate": 2e-3}

#: (task, rule, settings besides)
RUNS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("digits", "surrogate", {}),
    ("digits", "eprop", {}),
    ("digits", "eprop", {"feedback": "random"}),
    ("digits", "superspike", {}),
    ("digits", "decolle", {}),
    ("digits", "resume", {}),
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


def row(task: str, rule: str, settings: dict[str, Any], epochs: int) -> dict[str, Any]:
    """Train, and say what came of it."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.process_time()
        record = run_task(
            task,
            Path(folder) / "out",
            seed=SEED,
            epochs=epochs,
            warn=lambda line: None,
            rule=rule,
            **settings,
        )
        taken = time.process_time() - start
        timed = settings.get("loss") == "first_spike"
        first = f"{first_spikes_right(Path(folder) / 'out'):.1%}" if timed else None
    feedback = f", {settings['feedback']} feedback" if "feedback" in settings else ""
    return {
        "task": task,
        "rule": find_rule(rule).title + feedback,
        "accuracy": f"{record['test_accuracy']:.1%}",
        "of the first spike": first,
        "epochs": epochs,
        "s": f"{taken:.1f}",
    }


def run(options: Options) -> Result:
    epochs = 1 if options.quick else EPOCHS
    rows = [row(task, rule, settings, epochs) for task, rule, settings in RUNS]
    return Result(
        f"Learning rules, 64-64-10, {epochs} epochs",
        rows,
        notes=[
            "Accuracy: of the integer network, on 360 test images.  Time: of the processor, one thread.",
            "All rules have the same optimiser, schedule and learning rate on a task (digits: its own, digits_latency: "
            f"{TIMED['learning_rate']:g}), "
            "which was not tuned; that of digits_latency, and its first weights, were chosen by SpikeProp's training "
            "loss.",
            "Accuracy counts the output's spikes, as the contract does; of the first spike: whether the label's neuron "
            "spikes before all others.  digits_latency trains that: a spike a pixel, hidden neurons that fire once.",
        ],
        settings={"epochs": epochs, **TIMED},
    )
