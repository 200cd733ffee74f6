"""What a scale per neuron is worth with few weight bits: the digits task with 24 hidden neurons.

Each network is trained with one scale for a population, and with one for each neuron; once quantised throughout,
and once in floating point first.  Accuracies are those of the integer networks on validation images, 20 % of
the training data: from them the default ``scale="auto"`` was chosen.
"""

from __future__ import annotations

import numpy as np
import torch

from lifline.train import fit
from lifline.train.settings import changed
from lifline.train.tasks import find

from .measure import SEED, Options, Result

BITS = (2, 3, 4, 5, 8)
SCALES = {"free": "one scale", "per_neuron": "scale per neuron"}
PHASES = {1.0: "quantised throughout", 0.3: "quantised for the last 30 %"}
HIDDEN = 24
EPOCHS = 40  #: half of the task's: 60 networks in about five minutes on one core
SEEDS = tuple(range(SEED, SEED + 3))


def run(options: Options) -> Result:
    seeds = SEEDS[:1] if options.quick else SEEDS
    epochs = 2 if options.quick else EPOCHS
    rows = []
    for quantised, phase in PHASES.items():
        for bits in (3,) if options.quick else BITS:
            row: dict[str, object] = {"training": phase, "weight bits": bits}
            for scale, title in SCALES.items():
                settings = {
                    "weight_bits": bits,
                    "scale": scale,
                    "quantised": quantised,
                    "epochs": epochs,
                }
                found = [_accuracy(seed, settings) for seed in seeds]
                spread = f" ± {np.std(found, ddof=1):.2f}" if len(found) > 1 else ""
                row[f"{title}, %"] = f"{np.mean(found):.2f}{spread}"
            rows.append(row)
            print(row, flush=True)
    return Result(
        f"Digits, 64-{HIDDEN}-10, by weight bits and scale",
        rows,
        [f"Mean and standard deviation over {len(seeds)} seeds, on validation images."],
        settings={"hidden": HIDDEN, "epochs": epochs, "seeds": seeds},
    )


def _accuracy(seed: int, changes: dict[str, object]) -> float:
    """On the validation images, in per cent."""
    task = find("digits")
    settings = changed(task.settings, {"hidden": HIDDEN, "validation": 0.2, **changes})
    data = task.load(settings, None)
    torch.manual_seed(seed)
    training = fit(
        task.build(settings, data),
        data,
        settings,
        seed=seed,
        encode=lambda values: task.encode(values, settings),
        vary=lambda values, rng: task.vary(values, settings, rng),
        warn=lambda line: None,
    )
    return 100 * training.curves["validation_accuracy"][-1]
