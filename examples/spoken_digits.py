"""From wav files to a bitstream: spoken digits, step by step, in a network that learns its delays.

It needs the Free Spoken Digit Dataset; ``docs/data.md`` says where it is published.  Run it with
``python examples/spoken_digits.py --data DIR``, or set LIFLINE_DATA; ``--epochs 3`` is for those in a hurry,
``--build`` makes a bitstream for the ULX3S as well.  It leaves a folder with the network, its Verilog and a
report page.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

from lifline import Network
from lifline.app.pipeline import run
from lifline.app.training import load_training
from lifline.errors import LiflineError
from lifline.train import audio, datasets
from lifline.train.tasks import fsdd, run_task

parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
parser.add_argument("--data", type=Path, help="folder with the clips, by default $LIFLINE_DATA/fsdd")
parser.add_argument("-o", "--output", type=Path, default="spoken_digits", help="folder to write to")
parser.add_argument("--trained", type=Path, help="folder of `lifline train fsdd`, instead of training")
parser.add_argument("--epochs", type=int, help="passes over the training clips, by default the task's")
parser.add_argument("--clips", type=int, default=30, help="test clips to compare the witnesses on")
parser.add_argument("--build", action="store_true", help="make a bitstream for the ULX3S")
options = parser.parse_args()


def show(picture: np.ndarray, shades: str, unit: str) -> None:
    """Print a picture of counts (ticks, channels), a shade for each; two channels to a row."""
    rows = picture.reshape(len(picture), -1, 2).max(axis=2).T
    for row, values in reversed(list(enumerate(rows))):
        print(f"   {unit} {2 * row:2} {''.join(shades[value] for value in values)}".rstrip())


def bars(values: np.ndarray, most: float) -> str:
    """A line of bars, as high as the values."""
    return "".join(" ▁▂▃▄▅▆▇█"[round(8 * value / most)] for value in values)


def walk() -> bool:
    """Every step from a wav file to the report, from top to bottom, hence its length; whether all agree."""
    settings = fsdd.FSDDSettings()

    clips = datasets.fsdd(options.data)
    learned, test = clips.split()
    print(f"1. {len(clips.labels):,} wav files of {len(np.unique(clips.speakers))} speakers.")
    print(
        f"   {learned.sum():,} are to learn from; {test.sum()}, each speaker's first five of each digit,"
    )
    print("   are for the test.  This is one of those:")
    number = int(np.argmax(clips.labels[test] == 7))  # among the test clips
    clip = np.flatnonzero(test)[number]
    samples, hop = clips.samples[clip], clips.rate * fsdd.TICK_MS // 1000
    name = f"{clips.labels[clip]}_{clips.speakers[clip]}_{clips.indices[clip]}.wav"
    print(
        f"   {name}: {len(samples):,} samples, {1000 * len(samples) / clips.rate:.0f} ms; how loud it is:"
    )
    loudest = np.abs(samples[: len(samples) // hop * hop].reshape(-1, hop).astype(int)).max(axis=1)
    print(f"          {bars(loudest, loudest.max())}".rstrip())

    mels = audio.log_mel(samples, clips.rate, fsdd.CHANNELS, hop_ms=fsdd.TICK_MS)
    print(
        f"\n2. Its log-mel frames, {mels.shape[1]} channels, low tones below, every {fsdd.TICK_MS} ms a frame:"
    )
    heard = (1 + (mels - mels.max()) / fsdd.RANGE).clip(0)
    show((4 * heard).round().astype(int), " ░▒▓█", "mel")

    values = fsdd.load(settings, options.data).test.values[number : number + 1]
    spikes = fsdd.encode(values, settings)[0]
    print(
        f"\n3. Its spikes: {spikes.sum()} in {settings.ticks} ticks.  In each tick a channel spikes on one input"
    )
    print("   (·) if it is loud for its kind, and on another one as well (█) if it is very loud:")
    show(spikes.reshape(settings.ticks, len(fsdd.LEVELS), -1).sum(axis=1), " ·█", "mel")

    if options.trained:
        print(f"\n4. The network was trained before: {options.trained}.")
    else:
        print(
            "\n4. Training: weights and delays learn at the same time; then weights alone, quantised."
        )

        def progress(done: int, total: int, text: str) -> None:
            if done % max(1, total // 10) == 0 or done == total:
                print(f"   {text}", flush=True)

        run_task(
            "fsdd", options.output, data=options.data, epochs=options.epochs, resume=True,
            progress=progress, warn=lambda line: print(f"   {line}"),
        )  # fmt: skip
    folder = options.trained or options.output
    record, network, *_ = load_training(folder)
    print(f"   {record['test_accuracy']:.2%} of {record['test_samples']} test clips are heard right.")

    print(f"\n5. What was trained is a network of integers, {folder / 'network.npz'}:")
    describe(network)

    print("\n6. How many synapses have which delay, before learning and after:")
    for entry in record["delays"]:
        most = max(*entry["before"], *entry["after"])
        print(f"   {entry['source']} -> {entry['target']}")
        for when in ("before", "after"):
            counts = np.array(entry[when])
            mean = counts @ np.arange(len(counts)) / counts.sum()
            print(f"   {when:6} {bars(counts, most)} 0 … {len(counts) - 1} ticks, mean {mean:.1f}")

    print("\n7. PyTorch, the golden model and the Verilog, compared spike by spike:")
    result = run(
        options.output, trained=folder, samples=options.clips,
        boards=["ulx3s"] if options.build else [], say=lambda line: print(f"   {line}", flush=True),
    )  # fmt: skip
    compared, cycles = result["compared"], result["cycles"]
    for witness in ("torch", "rtl"):
        different = result["differing"][witness]
        print(
            f"   {witness}: {different['spikes']} of {compared['spikes']:,} spikes and {different['states']} "
            f"of {compared['states']:,} states differ from golden's"
        )
    print(
        f"   clock cycles of a clip: {cycles['min']:,} … {cycles['max']:,}, mean {cycles['mean']:,.0f}; "
        f"{cycles['differing_from_model']} of {result['samples']} clips differ from the cycle model"
    )
    print(f"   gateware: {'the same' if result['passed'] else 'NOT the same'}")

    for report in result["boards"]:
        print(f"\n8. A bitstream, {options.output / report['board'] / report['bitstream']}:")
        used = ", ".join(
            f"{report[kind]:,} of {total:,} {kind}" for kind, total in report["available"].items()
        )
        print(f"   {used}")
        print(f"   reaches {report['fmax_mhz']:.1f} MHz; at {report['clock_mhz']:g} MHz, a clip takes")
        print(
            f"   {1000 / report['samples_per_second']:.2f} ms, {report['cycles_per_sample']:,.0f} cycles"
        )

    print(f"\nAll of it, with plots: {result['report']}")
    return result["passed"] and not result["unbuilt"]


def describe(network: Network) -> None:
    """Print every population and projection."""
    for population in network.order:
        neuron = population.neuron
        print(
            f"   {population.name}: {population.size} neurons, beta {neuron.beta[0]}/256, threshold "
            f"{neuron.threshold[0]}, membranes of {neuron.membrane_bits} bits, reset {neuron.reset.value}"
        )
    for projection in network.projections:
        weights, delays = projection.synapses.dense()
        print(
            f"   {projection}: {weights.size:,} weights, {weights.min()} … {weights.max()} in "
            f"{projection.synapses.weight_bits} bits, delays {delays.min()} … {delays.max()}"
        )


try:
    sys.exit(0 if walk() else 1)
except LiflineError as error:
    print(f"spoken_digits: {error}", file=sys.stderr)
    sys.exit(2)
