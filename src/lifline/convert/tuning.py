"""Training on from a converted network, quantised throughout."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

from lifline import golden
from lifline.errors import MissingExtra
from lifline.synapses import Dense

from .calibration import Calibration
from .conversion import Conversion
from .maps import ConversionError


def finetune(
    conversion: Conversion,
    values: Any,
    labels: Any,
    *,
    epochs: int = 5,
    learning_rate: float = 1e-3,
    seed: int = 0,
) -> Conversion:
    """Train the integer network from where it is, so that it wins back what rounding lost.

    Parameters
    ----------
    conversion : Conversion
        Its synapses are dense; its inputs spike or do not.
    values : integers (samples, ticks, *input_shape) or (samples, ticks, inputs)
    labels : int (samples,)
    epochs, learning_rate, seed
        Of :func:`lifline.train.fit`; the forward computes with integers from the first epoch on.

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
    if any(not isinstance(p.synapses, Dense) for p in network.projections) or network.input_bits > 1:
        raise ConversionError(
            "fine-tuning trains dense synapses and binary inputs: train in the producer's framework with fake "
            "quantisation instead"
        )
    calibration = Calibration(conversion.floats, values, labels, network.input_bits)
    assert calibration.labels is not None

    def accuracy(of: Any) -> float:
        recording = golden.simulate(of, calibration.spikes)
        return float((recording.classes == calibration.labels).mean())

    model = SpikingNetwork.from_network(network)
    readout = network[network.output].neuron.readout
    settings = Settings(
        loss="membrane" if readout else "spike_count",
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
