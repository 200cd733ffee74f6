"""What learned delays are worth: the FSDD task with learned, random and no delays.

    python -m benchmarks.fsdd [-o FOLDER] [--data FOLDER]

Trains 3 seeds of each kind on the publisher's split, 3 more of learned delays with 4-bit weights, and one of each kind
for each speaker left out: 30 runs of 2 to 4 minutes on one core.  Runs that are there already are not repeated, and
an interrupted one goes on.  The table's accuracies are those of the integer networks on the test clips.
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

#: Name of a run: its settings and seed.
RUNS: dict[str, dict[str, Any]] = {
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


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fsdd", description=__doc__)
    parser.add_argument("-o", "--output", type=Path, default=Path("benchmarks/results/fsdd"))
    parser.add_argument(
        "--data", type=Path, help="folder of the task's files; default $LIFLINE_DATA/fsdd"
    )
    arguments = parser.parse_args()
    for name, settings in RUNS.items():
        folder = arguments.output / name
        if not (folder / "train.json").exists():
            record = run_task("fsdd", folder, data=arguments.data, resume=True, **settings)
            print(f"{name}: {record['test_accuracy']:.2%}, {record['seconds']:.0f} s", flush=True)
    text = table(arguments.output)
    (arguments.output / "fsdd.md").write_text(text)
    print(text)


def table(folder: Path) -> str:
    """Mean and spread over the seeds, and a row for each speaker, as Markdown."""
    accuracy = {
        name: 100 * json.loads((folder / name / "train.json").read_text())["test_accuracy"]
        for name in RUNS
    }

    def over_seeds(kind: str) -> str:
        values = [accuracy[f"{kind}-{seed}"] for seed in SEEDS]
        each = ", ".join(f"{value:.2f}" for value in values)
        return f"**{np.mean(values):.2f}** ± {np.std(values, ddof=1):.2f} ({each})"

    def over_speakers(kind: str) -> str:
        values = [accuracy[f"{kind}-without-{speaker}"] for speaker in SPEAKERS]
        return f"**{np.mean(values):.2f}** ± {np.std(values, ddof=1):.2f}"

    rows = [
        ("", *(f"{kind} delays" if kind != "none" else "no delays" for kind in KINDS)),
        ("---", "---:", "---:", "---:"),
        ("publisher's split, 8-bit weights, seeds 0, 1, 2", *map(over_seeds, KINDS)),
        ("the same, 4-bit weights", over_seeds("4bit"), "", ""),
        ("mean over speakers left out, seed 0", *map(over_speakers, KINDS)),
        *(
            (f"without {speaker}", *(f"{accuracy[f'{kind}-without-{speaker}']:.2f}" for kind in KINDS))
            for speaker in SPEAKERS
        ),
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n"


if __name__ == "__main__":
    main()
