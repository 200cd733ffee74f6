"""Networks to snnTorch: a module of its own layers and neurons, in the network's integers."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from lifline.errors import MissingExtra
from lifline.network import INPUT, Network, Population, Projection
from lifline.neurons import LIF, Reset
from lifline.synapses import Convolution

from .floats import channels_last
from .maps import ConversionError

try:
    import snntorch as snn
except ImportError as error:  # pragma: no cover - the extra is installed where tests run
    raise MissingExtra("snntorch", "convert") from error

_RESETS = {Reset.SUBTRACT: "subtract", Reset.ZERO: "zero", Reset.NONE: "none"}


def to_snntorch(network: Network, *, approximate: bool = False) -> nn.Sequential:
    """A ``Sequential`` that takes one tick, (samples, *shape), channels first, and gives (spikes, …).

    It computes with the network's weights, thresholds and decays, but with real membranes: without the floor
    after a decay, and without saturation.

    Parameters
    ----------
    network : Network
        A chain of LIF populations without delays; each may also drive itself, by dense synapses of delay 1.
    approximate : bool
        Take snnTorch's nearest reset where it has none that is the same: after a subtraction in the tick of the spike,
        a membrane that is still above the threshold resets once less than the contract's.

    Raises
    ------
    ConversionError
        If snnTorch has no module for something, or none that is the same.
    """
    layers: list[nn.Module] = []
    source, shape = INPUT, network.input_shape
    for population in _chain(network):
        name = population.name
        own: list[Projection] = []
        forward: list[Projection] = []
        for projection in network.incoming(name):
            (own if projection.source == name else forward).append(projection)
        if len(forward) != 1 or forward[0].source != source or len(own) > 1:
            raise ConversionError(
                f"population '{name}': to_snntorch makes a chain, in which each gets one projection from the one before"
            )
        layers += _maps(forward[0], shape, population)
        layers.append(_neurons(population, own[0] if own else None, approximate))
        source, shape = name, population.shape
    layers[-1].output = True  # type: ignore[assignment]
    return nn.Sequential(*layers)


def _chain(network: Network) -> list[Population]:
    chain = list(network.order)
    if chain[-1].name != network.output:
        raise ConversionError("the last population of the chain must be the output")
    return chain


def _no_delays(projection: Projection, ticks: int) -> None:
    if projection.synapses.delay_range != (ticks, ticks):
        raise ConversionError(
            f"projection '{projection}': its delays are {projection.synapses.delay_range}, snnTorch's are {ticks}"
        )


def _maps(projection: Projection, shape: tuple[int, ...], target: Population) -> list[nn.Module]:
    _no_delays(projection, 0)
    synapses, bias = projection.synapses, getattr(target.neuron, "bias", np.zeros(target.size))
    if isinstance(synapses, Convolution) and len(target.shape) == 3:
        of_channels = np.asarray(bias).reshape(-1, target.shape[2])
        if not (of_channels == of_channels[0]).all():
            raise ConversionError(f"population '{target.name}': its bias differs within a channel")
        weights = _tensor(synapses.weights.transpose(3, 2, 0, 1))
        conv = nn.Conv2d(
            weights.shape[1] * synapses.groups, weights.shape[0], _two(weights.shape[2:]), _two(synapses.stride),
            _two(synapses.padding), _two(synapses.dilation), synapses.groups,
        )  # fmt: skip
        conv.weight.data, conv.bias.data = weights, _tensor(of_channels[0])  # type: ignore[union-attr]
        return [conv]
    matrix = synapses.dense()[0]
    layers: list[nn.Module] = []
    if len(shape) == 3:
        layers.append(nn.Flatten())
        matrix = matrix[np.argsort(_order(shape))]
    columns = np.argsort(_order(target.shape))
    linear = nn.Linear(*matrix.shape)
    linear.weight.data = _tensor(matrix[:, columns].T)
    linear.bias.data = _tensor(np.asarray(bias)[columns])
    layers.append(linear)
    if len(target.shape) == 3:
        height, width, channels = target.shape
        layers.append(nn.Unflatten(1, (channels, height, width)))
    return layers


def _order(shape: tuple[int, ...]) -> np.ndarray:
    """The index in C order, channels first, of each neuron."""
    if len(shape) != 3:
        return np.arange(shape[0])
    height, width, channels = shape
    return channels_last((channels, height, width))[1]


def _neurons(population: Population, own: Projection | None, approximate: bool) -> nn.Module:
    neuron, name = population.neuron, population.name
    if not isinstance(neuron, LIF) or neuron.adaptation is not None or neuron.noise is not None:
        raise ConversionError(
            f"population '{name}': snnTorch has no {type(neuron).__name__} neurons of its kind"
        )
    if population.winners is not None:
        raise ConversionError(
            f"population '{name}': lifline's winners are not snnTorch's inhibition; leave them out"
        )
    columns = np.argsort(_order(population.shape))
    shape = population.shape
    if len(shape) == 3:
        shape = (shape[2], shape[0], shape[1])

    def values(of: Any) -> torch.Tensor:
        return _tensor(np.asarray(of, np.float64)[columns].reshape(shape))

    late, reset = neuron.reset_delay, neuron.reset
    if reset is Reset.ZERO and late and (neuron.alpha is not None or own is not None):
        raise ConversionError(
            f"population '{name}': with a current or recurrence, snnTorch's late reset to zero drops a "
            "tick's current as well: use Reset.SUBTRACT"
        )
    if reset is Reset.SUBTRACT and not late and not approximate:
        raise ConversionError(
            f"population '{name}': snnTorch's reset in the tick of the spike is another where a membrane "
            "stays above its threshold: use reset_delay=True, or give approximate=True"
        )
    given: dict[str, Any] = {
        "beta": values(neuron.beta) / 256,
        "threshold": values(neuron.threshold),
        "reset_mechanism": _RESETS[reset],
        "init_hidden": True,
        "reset_delay": late or reset is Reset.NONE,
    }
    if neuron.alpha is not None:
        given["alpha"] = values(neuron.alpha) / 256
    if own is None:
        return (snn.Leaky if neuron.alpha is None else snn.Synaptic)(**given)
    _no_delays(own, 1)
    if len(shape) == 3 or not given["reset_delay"]:
        raise ConversionError(
            f"population '{name}': snnTorch's recurrent neurons are flat, and reset late"
        )
    kind = snn.RLeaky if neuron.alpha is None else snn.RSynaptic
    made = kind(**given, linear_features=population.size)
    made.recurrent.weight.data = _tensor(own.synapses.dense()[0].T)
    made.recurrent.bias.data = torch.zeros(population.size)
    return made


def _two(values: Any) -> tuple[int, int]:
    y, x = (int(v) for v in values)
    return y, x


def _tensor(values: Any) -> torch.Tensor:
    return torch.tensor(np.ascontiguousarray(values), dtype=torch.float32)
