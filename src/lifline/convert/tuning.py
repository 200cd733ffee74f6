"""Training on from a converted network, quantised throughout."""

from __future__ import annotations

import copy
import dataclasses
import math
from typing import Any

import numpy as np

from lifline import golden
from lifline.errors import MissingExtra, NetworkError

from .calibration import Calibration
from .conversion import Conversion
from .maps import ConversionError


def finetune(
    conversion: Conversion,
    values: Any,
    labels: Any,
    *,
    epochs: int = 5,
    learning_rate: float | None = None,
    seed: int = 0,
) -> Conversion:
    """Train the integer network from where it is, so that it wins back what rounding lost.

    Parameters
    ----------
    conversion : Conversion
        Its synapses are dense or convolutions; its inputs may be graded.
    values : integers (samples, ticks, *input_shape) or (samples, ticks, inputs)
    labels : int (samples,)
    epochs, seed
        Of :func:`lifline.train.fit`; the forward computes with integers from the first epoch on.
    learning_rate : float, optional
        By default 0.006 of the mean weight of the projection with the smallest, in the model's units.

    Returns
    -------
    Conversion
        With the trained network.  Its report compares float with integer as they were before, and notes the accuracy
        before and after.

    Raises
    ------
    ConversionError
        If the network has what :func:`lifline.train.fit` does not train.
    """
    try:
        from lifline.train import Settings, SpikingNetwork, fit
        from lifline.train.model import to_network
    except ImportError as error:
        raise MissingExtra((error.name or "torch").partition(".")[0], "train") from None
    network = conversion.network
    try:
        model = SpikingNetwork.from_network(network)
    except NetworkError as error:
        raise ConversionError(
            f"fine-tuning: {error}; or train in the producer's framework with fake quantisation"
        ) from None
    calibration = Calibration(conversion.floats, values, labels, network.input_bits)
    if calibration.labels is None:
        raise ConversionError("fine-tuning learns from labels: give labels, one a sample")

    def accuracy(of: Any) -> float:
        recording = golden.simulate(of, calibration.spikes)
        return float((recording.classes == calibration.labels).mean())

    output = model.population(network.output)
    units = conversion.report.populations.get(network.output)
    if output.readout and units is not None:
        # The loss is of a readout's mean membrane, the producer's most often of the sum over ticks: in units in which
        # both are one number, the scores are as far apart as they were in training.
        ticks = max(1, calibration.spikes.shape[1])
        _rescale(model, network.output, float(np.median(units.scale)) / ticks)
    if learning_rate is None:
        least = min(float(s.weights.detach().abs().mean()) for _, _, s in model.projections)
        learning_rate = 0.006 * least
    settings = Settings(
        loss="membrane" if output.readout else "spike_count",
        epochs=epochs,
        batch=min(64, len(calibration.spikes)),
        learning_rate=learning_rate,
        quantised=1.0,
    )
    training = fit(
        model, (calibration.spikes, calibration.labels), settings, seed=seed, warn=lambda _: None
    )
    tuned = dataclasses.replace(
        to_network(training.model), name=network.name,
        metadata={**network.metadata, "finetuned_epochs": epochs},
    )  # fmt: skip
    report = copy.deepcopy(conversion.report)
    before, after = accuracy(network), accuracy(tuned)
    if after < before:
        tuned, after = network, before
    report.notes.append(
        f"fine-tuned for {epochs} epochs on {len(calibration.spikes)} samples: accuracy on them {before:.2%} before, "
        f"{after:.2%} after; the tables below are of the network before"
    )
    return Conversion(tuned, report, conversion.floats)


def _rescale(model: Any, name: str, scale: float) -> None:
    """Give a population the power of two nearest to `scale` as its scale; its integers stay the same."""
    population = model.population(name)
    factor = 2.0 ** round(math.log2(float(population.scale) / scale))
    population.scale = float(population.scale) / factor
    for field in ("threshold", "bias", "jump"):
        values = getattr(population, field, None)
        if values is not None:
            values.data.mul_(factor)
    for synapses in model.incoming(name):
        synapses.weights.data.mul_(factor)
