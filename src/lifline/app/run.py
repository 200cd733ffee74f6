"""The command ``lifline run``."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from lifline.encoders import Encoder, read_values
from lifline.errors import InputError
from lifline.files import read_spikes
from lifline.network import INPUT, Network, Projection
from lifline.progress import Progress
from lifline.teaching import read_reward

from . import options, output
from .learning import check_learns, check_options, learning_options
from .parts import part

if TYPE_CHECKING:
    from lifline.boards.device import Device
    from lifline.boards.results import BoardRecording


@click.command()
@options.network_argument
@click.option(
    "--input",
    "input_file",
    required=True,
    type=options.file(),
    help="SPIKES.npz, or of a board with an encoder VALUES.npz; see docs/formats.md.",
)
@options.port_option
@click.option("--output", "output_file", type=options.file(), default=None, help="OUT.npz to write.")
@click.option(
    "--check",
    is_flag=True,
    help="Compare classes, output spikes, cycles and, with --learn, all weights with golden's and the cycle model's.",
)
@click.option(
    "--load",
    "weights",
    type=options.file(),
    default=None,
    help="OTHER.npz: first load the weights of this network, of NETWORK's shape, into the board built of NETWORK.",
)
@learning_options(
    more="  A board's bitstream is then one of  lifline build --learn.",
    learned=", as the board's memories hold it",
)
@options.virtual_options
@options.force_option
@options.json_option
def run(
    network: Path,
    input_file: Path,
    port: str,
    output_file: Path | None,
    check: bool,
    weights: Path | None,
    learn: bool,
    reward_file: Path | None,
    learned_file: Path | None,
    force: bool,
    as_json: bool,
    **line: Any,
) -> int:
    """Run NETWORK on a board, or on a virtual one, on spikes: classes, output spikes, cycles.

    The board must have been built of NETWORK.
    """
    check_options(learn, reward_file, learned_file)
    net = Network.load(network)
    check_learns(network, net, learn)
    other = None if weights is None else Network.load(weights)
    inputs = {"NETWORK": network, "--input": input_file}
    if weights is not None:
        inputs["--load"] = weights
    if reward_file is not None:
        inputs["--reward"] = reward_file
    if output_file is not None:
        options.check_output(output_file, **inputs)
        options.check_finished(output_file, force)
        inputs["--output"] = output_file
    if learned_file is not None:
        options.check_output(learned_file, **inputs)
        options.check_finished(learned_file, force)
    samples = (
        _Samples(net, input_file, line["encoder"], learn, reward_file) if port == "virtual" else None
    )
    with (
        output.progress_bar(not as_json) as progress,
        options.connected(
            port, net, progress, {**line, "load": other is not None, "learn": learn}
        ) as device,
    ):
        if other is not None:
            device.load(other, progress)
            net = other
        samples = samples or _Samples(net, input_file, device.encoder, learn, reward_file)
        started = time.monotonic()
        recording = samples.run(device, progress)
        seconds = time.monotonic() - started
        counters = device.counters()
    with options.all_or_none(output_file, learned_file):
        if output_file is not None:
            recording.save(output_file)
        if learned_file is not None:
            assert recording.network is not None
            recording.network.save(learned_file)
    values, text = _summary(recording, samples.labels, seconds, device, port)
    values["line"] = {
        "frames": counters.host.frames,
        "resent": counters.host.resent,
        "asked_again": counters.host.asked_again,
        "damaged": counters.damaged + counters.host.damaged,
        "dropped": counters.dropped,
        "sessions": counters.host.sessions,
    }
    if any(values["line"][name] for name in ("resent", "asked_again", "damaged")):
        text.append("line: " + ", ".join(f"{name} {count}" for name, count in values["line"].items()))
    if output_file is not None:
        values["output"] = str(output_file)
        text.append(f"wrote {output_file}")
    if learn:
        values["loaded_again"] = device.rounds
        if device.rounds:
            text.append(
                f"learning: after what the line lost, weights were loaded again {device.rounds} times"
            )
    if learned_file is not None:
        values["learned"] = str(learned_file)
        text.append(f"the network after the last sample: {learned_file}")
    passed = True
    if check:
        values["check"] = found = _compare(net, samples, recording, device)
        passed = not any(found.values())
        text.append(
            "check: classes, output spikes"
            + (", cycles and all weights are golden's" if learn else " and cycles are golden's")
            if passed
            else "check FAILED: "
            + ", ".join(f"{count} {name} differ" for name, count in found.items() if count)
        )
    values["passed"] = passed
    output.result(as_json, values, "\n".join(text))
    return 0 if passed else 1


class _Samples:
    """What a file holds for a board: spikes, or raw values for its encoder; and rewards, where rules need them."""

    def __init__(
        self,
        net: Network,
        file: Path,
        encoder: Encoder | None,
        learn: bool,
        reward: Path | None,
    ) -> None:
        self._values = None
        self._learn = learn
        self.reward = None
        if encoder is None:
            self.spikes, self.labels = read_spikes(file, net.inputs, net.input_bits)
        else:
            self._values, self.labels = read_values(file, encoder, net.inputs)
            self.spikes = encoder.encode(self._values)
        if learn:
            needed = reward is not None
            self.reward = read_reward(reward or file, net, len(self.spikes), needed=needed)

    def run(self, device: Device, progress: Progress) -> BoardRecording:
        """Run them, or learn from them."""
        if self._values is None:
            return device.run(self.spikes, learn=self._learn, reward=self.reward, progress=progress)
        return device.run_values(self._values, learn=self._learn, reward=self.reward, progress=progress)


def _summary(
    recording: BoardRecording, labels: np.ndarray | None, seconds: float, device: Device, port: str
) -> tuple[dict[str, Any], list[str]]:
    identity, cycles = device.identity, recording.cycles
    samples = len(recording.classes)
    clock = identity.clock_khz / 1000
    values: dict[str, Any] = {
        "port": port,
        "board": identity.board,
        "clock_mhz": clock,
        "samples": samples,
        "classes": recording.classes.tolist(),
        "cycles": {"min": int(cycles.min()), "mean": float(cycles.mean()), "max": int(cycles.max())},
        "stalled": int(recording.stalled.sum()),
        "seconds": round(seconds, 4),
        "samples_per_second": round(samples / seconds, 1),
    }
    lanes = ", ".join(str(lanes) for _, lanes in identity.populations)
    shown = " ".join(map(str, recording.classes[:20])) + (" …" if samples > 20 else "")
    text = [
        f"{identity.board or 'board'} at {port}: {clock:g} MHz, lanes {lanes}",
        f"{samples} samples in {seconds:.2f} s: {samples / seconds:,.1f} a second",
        f"classes: {shown}",
        f"cycles a sample: {cycles.min()} … {cycles.max()}, mean {cycles.mean():.1f} "
        f"({cycles.mean() / clock:.1f} µs at {clock:g} MHz)",
    ]
    if recording.stalled.any():
        text.append(
            f"{recording.stalled.sum()} samples are longer than the board's queues: their cycles hold waits"
        )
    if labels is not None:
        values["correct"] = correct = int((recording.classes == labels).sum())
        values["accuracy"] = correct / samples
        text.append(f"accuracy: {correct / samples:.2%} ({correct} of {samples})")
    return values, text


def _compare(
    net: Network, samples: _Samples, recording: BoardRecording, device: Device
) -> dict[str, int]:
    """How many classes, output spikes and cycles are not golden's, or the cycle model's where nothing stalled.

    Of samples that were learned from also how many weights, and whether anything else of the network after them.
    """
    if device.identity.populations and len(device.identity.populations) < len(net.populations):
        raise InputError("--check: the board does not tell the lanes of all its populations")
    learn, spikes = recording.network is not None, samples.spikes
    golden = part("golden").simulate(net, spikes, learn, samples.reward)
    lanes = {
        p.name: lanes
        for p, (_, lanes) in zip(net.populations, device.identity.populations, strict=True)
    }
    board_learns = device.identity.learns
    cycles = part("rtl").cycles(
        net, lanes, {INPUT: spikes, **golden.spikes},
        learn=board_learns, frozen=board_learns and not learn,
    )  # fmt: skip
    found = {
        "classes": int((recording.classes != golden.classes).sum()),
        "spikes": int((recording.spikes[net.output] != golden.spikes[net.output]).sum()),
        "cycles": int(((recording.cycles != cycles) & ~recording.stalled).sum()),
    }
    if recording.network is None:
        return found
    pairs = zip(recording.network.projections, golden.network.projections, strict=True)
    differing = [_w(ours) != _w(theirs) for ours, theirs in pairs if ours.plasticity is not None]
    same = recording.network == golden.network
    return found | {
        "weights": sum(int(w.sum()) for w in differing),
        "networks": int(not same),
    }


def _w(projection: Projection) -> np.ndarray:
    """Weights that learn, with their fractions."""
    assert projection.plasticity is not None
    return projection.plasticity.start(projection.synapses)
