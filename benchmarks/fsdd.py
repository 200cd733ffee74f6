"""What learned delays, and what other neurons, are worth: the FSDD task.

    python -m benchmarks.fsdd [delays] [neurons] [-o FOLDER] [--data FOLDER]

``delays`` trains LIF neurons: 3 seeds with learned, random and no delays on the publisher's split, 3 more of learned
delays with 4-bit weights, and one of each kind for each speaker left out: 30 runs of 2 to 4 minutes on one core.
``neurons`` trains LIF, CUBA and ALIF neurons with learned delays, once on the publisher's split and once for each
speaker left out: 14 runs more.  Runs that are there already are not repeated, and an interrupted one goes on.  The
tables' accuracies are those of the integer networks on the test clips.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from lifline.train.tasks import run_task

KINDS = ("learned", "random", "none")
SEEDS = (0, 1, 2)
SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")

#: Hidden neurons other than the task's; chosen on a speaker held out of the training clips.
NEURONS: dict[str, dict[str, Any]] = {
    "cuba": {"neuron": "cuba"},
    "alif": {"neuron": "alif", "learn_rho": True, "learn_jump": True},
}

#: Name of a run: its settings and seed.
DELAYS: dict[str, dict[str, Any]] = {
    **{f"{kind}-{seed}": {"delays": kind, "seed": seed} for seed in SEEDS for kind in KINDS},
    **{
        f"4bit-{seed}": {"delays": "learned", "seed": seed, "weight_bits": 4, "scale": "per_neuron"}
        for seed in SEEDS
    },
    **{
        f"{kind}-without-{speaker}": {"delays": kind, "seed": 0, "speaker": speaker}
        for speaker in SPEAKERS
        for kind in KINDS
    },
}
OTHERS: dict[str, dict[str, Any]] = {
    **{
        f"{name}-without-{speaker}": {"seed": 0, "speaker": speaker, **neuron}
        for speaker in SPEAKERS
        for name, neuron in NEURONS.items()
    },
    **{f"{name}-0": {"seed": 0, **neuron} for name, neuron in NEURONS.items()},
}
for _run in DELAYS.values():
    _run["neuron"] = "lif"
LEARNED = {name: run for name, run in DELAYS.items() if name == "learned-0" or "learned-w" in name}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fsdd", description=__doc__)
    parser.add_argument(
        "tables", nargs="*", default=list(TABLES), metavar="TABLE", help="delays, neurons; default both"
    )
    parser.add_argument("-o", "--output", type=Path, default=Path("benchmarks/results/fsdd"))
    parser.add_argument(
        "--data", type=Path, help="folder of the task's files; default $LIFLINE_DATA/fsdd"
    )
    arguments = parser.parse_args()
    texts = []
    for name in arguments.tables:
        if name not in TABLES:
            parser.error(f"there is no table {name!r}; there are {', '.join(TABLES)}")
        runs, table = TABLES[name]
        train(runs, arguments.output, arguments.data)
        texts.append(table(_accuracies(runs, arguments.output)))
        print(texts[-1], flush=True)
    (arguments.output / "fsdd.md").write_text("\n".join(texts))


def train(runs: dict[str, dict[str, Any]], output: Path, data: Path | None) -> None:
    """What is not trained yet."""
    for name, settings in runs.items():
        folder = output / name
        if not (folder / "train.json").exists():
            record = run_task("fsdd", folder, data=data, resume=True, **settings)
            print(f"{name}: {record['test_accuracy']:.2%}, {record['seconds']:.0f} s", flush=True)


def _accuracies(runs: dict[str, dict[str, Any]], folder: Path) -> dict[str, float]:
    """In per cent, by the name of the run."""
    return {
        name: 100 * json.loads((folder / name / "train.json").read_text())["test_accuracy"]
        for name in runs
    }


def _over_speakers(accuracy: dict[str, float], kind: str) -> str:
    values = [accuracy[f"{kind}-without-{speaker}"] for speaker in SPEAKERS]
    return f"**{np.mean(values):.2f}** ± {np.std(values, ddof=1):.2f}"


def _speakers(accuracy: dict[str, float], kinds: tuple[str, ...]) -> list[tuple[str, ...]]:
    """A row for all speakers left out, and one for each."""
    return [
        (
            "mean over speakers left out, seed 0",
            *(_over_speakers(accuracy, kind) for kind in kinds),
        ),
        *(
            (f"without {speaker}", *(f"{accuracy[f'{kind}-without-{speaker}']:.2f}" for kind in kinds))
            for speaker in SPEAKERS
        ),
    ]


def _markdown(rows: list[tuple[str, ...]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n"


def delays_table(accuracy: dict[str, float]) -> str:
    """Mean and spread over the seeds, and a row for each speaker, as Markdown."""

    def over_seeds(kind: str) -> str:
        values = [accuracy[f"{kind}-{seed}"] for seed in SEEDS]
        each = ", ".join(f"{value:.2f}" for value in values)
        return f"**{np.mean(values):.2f}** ± {np.std(values, ddof=1):.2f} ({each})"

    return _markdown(
        [
            ("", *(f"{kind} delays" if kind != "none" else "no delays" for kind in KINDS)),
            ("---", "---:", "---:", "---:"),
            ("publisher's split, 8-bit weights, seeds 0, 1, 2", *map(over_seeds, KINDS)),
            ("the same, 4-bit weights", over_seeds("4bit"), "", ""),
            *_speakers(accuracy, KINDS),
        ]
    )


def neurons_table(accuracy: dict[str, float]) -> str:
    """Neurons side by side, all with learned delays, as Markdown."""
    kinds = ("learned", *NEURONS)
    return _markdown(
        [
            ("learned delays", "LIF", *(name.upper() for name in NEURONS)),
            ("---", *["---:"] * len(kinds)),
            ("publisher's split, seed 0", *(f"{accuracy[f'{kind}-0']:.2f}" for kind in kinds)),
            *_speakers(accuracy, kinds),
        ]
    )


TABLES = {"delays": (DELAYS, delays_table), "neurons": ({**LEARNED, **OTHERS}, neurons_table)}


if __name__ == "__main__":
    main()
