"""The command ``lifline simulate``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import numpy as np

from lifline.errors import InputError
from lifline.files import read_spikes
from lifline.network import Network
from lifline.recording import Recording, check_memory
from lifline.teaching import read_reward

from . import options, output
from .learning import check_learns, check_options, learning_options
from .parts import part

BACKENDS = ("golden", "icarus", "verilator")


@click.command()
@options.network_argument
@click.option(
    "--input", "input_file", required=True, type=options.file(), help="SPIKES.npz, see docs/formats.md."
)
@click.option("--output", "output_file", required=True, type=options.file(), help="OUT.npz to write.")
@click.option("--backend", type=click.Choice(BACKENDS), default="golden", show_default=True)
@options.lanes_option(show_default="1")
@click.option(
    "--waves",
    type=options.file(),
    default=None,
    help="Write waveforms (.vcd or .fst); icarus or verilator.",
)
@learning_options()
@options.force_option
@options.json_option
def simulate(
    network: Path,
    input_file: Path,
    output_file: Path,
    backend: str,
    lanes: int | dict[str, int] | None,
    waves: Path | None,
    learn: bool,
    reward_file: Path | None,
    learned_file: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Run NETWORK on spikes; write every spike, state and class."""
    check_options(learn, reward_file, learned_file)
    if backend == "golden" and waves:
        raise click.UsageError(
            "--waves needs --backend icarus or verilator: the golden model has no gateware"
        )
    net = Network.load(network)
    spikes, labels = read_spikes(input_file, net.inputs, net.input_bits)
    inputs = {"NETWORK": network, "--input": input_file}
    if reward_file is not None:
        inputs["--reward"] = reward_file
    options.check_output(output_file, **inputs)
    if waves is not None:
        options.check_output(waves, **inputs, **{"--output": output_file})
        if waves.exists() and not waves.is_file():
            raise InputError(f"{waves}: not a regular file; waves need one of their own")
        options.check_finished(waves, force)
    if learned_file is not None:
        options.check_output(learned_file, **inputs, **{"--output": output_file})
        options.check_finished(learned_file, force)
    check_learns(network, net, learn)
    options.check_finished(output_file, force)
    check_memory(net, *spikes.shape[:2])
    reward = None
    if learn:
        needed = reward_file is not None
        reward = read_reward(reward_file or input_file, net, len(spikes), needed=needed)
    with output.progress_bar(not as_json) as progress:
        if backend == "golden":
            recording = part("golden").simulate(net, spikes, learn, reward)
        else:
            recording = part("sim").simulate(
                net,
                spikes,
                backend=backend,
                lanes=lanes or 1,
                waves=waves,
                progress=progress,
                learn=learn,
                reward=reward,
            )
    values: dict[str, Any] = {"output": str(output_file), "backend": backend}
    with options.all_or_none(output_file, learned_file):
        recording.save(output_file)
        if learned_file is not None:
            assert recording.network is not None
            recording.network.save(learned_file)
            values["learned"] = str(learned_file)
    output.result(as_json, *_summary(values, net, recording, labels))


def _summary(
    values: dict[str, Any], network: Network, recording: Recording, labels: np.ndarray | None
) -> tuple[dict[str, Any], str]:
    """What a simulation shows, for JSON (after `values`) and for a person."""
    samples, ticks, _ = recording.spikes[network.output].shape
    values |= {"samples": samples, "ticks": ticks, "spikes": {}}
    text = [f"{samples} samples of {ticks} ticks on {values['backend']}: wrote {values['output']}"]
    for index, kept in (recording.weights or {}).items():
        projection = network.projections[index]
        rule = projection.plasticity
        assert rule is not None
        changed = int((kept[-1] != rule.start(projection.synapses)).sum())
        found = {
            "projection": str(projection),
            "rule": rule.label,
            "changed": changed,
            "weights": kept[-1].size,
        }
        values.setdefault("learning", []).append(found)
        text.append(f"{projection}: {rule.label} has changed {changed:,} of {kept[-1].size:,} weights")
    if "learned" in values:
        text.append(f"the network after the last sample: {values['learned']}")
    for population in network.populations:
        spikes = int(recording.spikes[population.name].sum(dtype=np.int64))
        values["spikes"][population.name] = spikes
        text.append(f"{population.name}: {spikes / samples:.1f} spikes a sample")
    if labels is not None:
        values["correct"] = correct = int((recording.classes == labels).sum())
        values["accuracy"] = correct / samples
        text.append(f"accuracy: {correct / samples:.2%} ({correct} of {samples})")
    if recording.cycles is not None:
        cycles = recording.cycles
        least, most, mean = int(cycles.min()), int(cycles.max()), float(cycles.mean())
        values["cycles"] = {"min": least, "mean": mean, "max": most}
        text.append(f"cycles a sample: {least} … {most}, mean {mean:.1f}")
    return values, "\n".join(text)
