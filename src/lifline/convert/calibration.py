"""Calibration data: what the float network does on it, and how the integer network compares."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from lifline import golden
from lifline.files import check_labels, check_spikes
from lifline.network import INPUT, Network
from lifline.progress import Progress, silent
from lifline.recording import Recording

from .agreement import Comparison, compare
from .floats import FloatNetwork, Trace, channels_last, simulate
from .maps import ConversionError
from .rounding import moment
from .scales import Observed

#: Neurons, ticks and samples that are in memory at once.
_AT_ONCE = 1 << 23


class Calibration:
    """Samples for a float network.

    Parameters
    ----------
    floats : FloatNetwork
    values : integers (samples, ticks, *input_shape) or (samples, ticks, inputs)
        In the producer's shape, or numbered as lifline does.
    labels : int (samples,), optional
    input_bits : int
        Values are 0 … 2^input_bits − 1.

    Raises
    ------
    InputError
        If `values` or `labels` have another shape, type or value.
    """

    def __init__(
        self, floats: FloatNetwork, values: Any, labels: Any = None, input_bits: int = 8
    ) -> None:
        self.floats = floats
        array = numbered(np.asarray(values), floats)
        if array.dtype.kind == "f":
            if not ((np.abs(array) < 2**62) & (array == np.rint(array))).all():
                raise ConversionError(
                    f"values are real numbers, {array.min():g} … {array.max():g}; a lifline network gets spikes, or "
                    "integers 0 … 255: encode them (lifline.encoders), or give images in 0 … 1 as "
                    "np.rint(255 * images).astype(np.uint8), and input_unit=1 / 255"
                )
            array = array.astype(np.int64)
        checked = check_spikes(array, math.prod(floats.inputs), input_bits)
        self.spikes = checked if checked.ndim == 3 else checked[None]
        if 0 in self.spikes.shape:
            raise ConversionError(
                f"calibration data of the shape {self.spikes.shape}: give at least one sample and one tick"
            )
        self.labels = None if labels is None else check_labels(labels, len(self.spikes))
        self._kept: dict[str, Trace] | None = None

    @property
    def input_bits(self) -> int:
        """The width that its values need."""
        return max(1, int(self.spikes.max(initial=0)).bit_length())

    def observed(self) -> dict[str, Observed]:
        """How far each state of the float network gets, and what meets in its neurons."""
        found: dict[str, Observed] = {}
        for samples, traces in self._parts():
            heard = {INPUT: self.spikes[samples], **{name: t.spikes for name, t in traces.items()}}
            for name, trace in traces.items():
                membrane, current = (
                    np.abs(v).max(axis=(0, 1), initial=0) for v in (trace.reached, trace.current)
                )
                squares = moment(self.floats, self.floats[name], heard)
                seen = Observed(membrane, current, squares)
                found[name] = seen.joined(found[name]) if name in found else seen
        return found

    def compared(
        self, network: Network, scales: Mapping[str, np.ndarray], progress: Progress = silent
    ) -> tuple[Comparison, set[str]]:
        """Float against integer; and the populations of which a state was at an end of its range."""
        whole: Comparison | None = None
        full: set[str] = set()
        for samples, traces in self._parts():
            progress(samples.start, len(self.spikes), "compare float and integer")
            spikes = self.spikes[samples]
            recording = golden.simulate(network, spikes)
            full |= {p.name for p in network.populations if _saturates(p, recording)}
            labels = None if self.labels is None else self.labels[samples]
            part = compare(self.floats, network, scales, spikes, traces, recording, labels)
            whole = part if whole is None else whole.joined(part)
        assert whole is not None
        return whole, full

    def _parts(self) -> Iterator[tuple[slice, dict[str, Trace]]]:
        """Some of the samples, and what the float network does on them."""
        samples, ticks, _ = self.spikes.shape
        size = sum(p.size for p in self.floats.populations)
        step = max(1, _AT_ONCE // max(1, ticks * size))
        if samples <= step:
            if self._kept is None:
                self._kept = simulate(self.floats, self.spikes)
            yield slice(0, samples), self._kept
            return
        for start in range(0, samples, step):
            part = slice(start, min(samples, start + step))
            yield part, simulate(self.floats, self.spikes[part])


def numbered(values: np.ndarray, floats: FloatNetwork) -> np.ndarray:
    """Values in the producer's shape as (…, inputs) in lifline's order; others as they are."""
    shape, size = floats.producer_inputs, math.prod(floats.inputs)
    lead = values.ndim - len(shape)
    if len(shape) > 1 and lead >= 1 and values.shape[lead:] == shape:
        _, order = channels_last(shape)
        return values.reshape(*values.shape[:lead], size)[..., order]
    return values


def _saturates(population: Any, recording: Recording) -> bool:
    for state in population.neuron.states:
        low, high = state.range
        values = recording.states[population.name][state.name]
        if state.signed and ((values <= low) | (values >= high)).any():
            return True
    return False
