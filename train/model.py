"""Trainable spiking networks: populations and projections with snnTorch's arguments.

A model's parameters are floating-point numbers in units of its own (a threshold is about 1).  Each
population has a *scale*, so many of the contract's units to one of the model's; all that meets in its
membrane is multiplied by it and rounded::

    weights  round(weight · scale), which fits weight_bits          beta    round(beta · 256)
    threshold, bias  round(· scale)                                 membrane  whole numbers, saturated

In training mode the network runs on these numbers, rounding included, and gradients pass straight through
every rounding (Y. Bengio et al., arXiv:1308.3432; B. Jacob et al., "Quantization and Training of Neural
Networks for Efficient Integer-Arithmetic-Only Inference", CVPR 2018).  In evaluation mode it runs the
exported :class:`~lifline.network.Network`.  Both go through one tick loop, :mod:`lifline.train.arithmetic`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, Literal, cast

import numpy as np
import torch
from torch import Tensor, nn

from lifline.errors import InputError, NetworkError
from lifline.network import BETA_BITS, INPUT, MAX_DELAY, Network, Population, Projection, Reset

from .arithmetic import Elementwise, Neurons, Taps, run
from .integer import check_exact, evaluate
from .surrogate import Surrogate, atan

Scale = float | Literal["free", "power_of_two"]

_MAX_MEMBRANE_BITS = 24


class LIF(nn.Module):
    """A population of leaky integrate-and-fire neurons, with the arguments of snnTorch's ``Leaky``.

    The equations are those of :mod:`lifline.network`, in the model's units.

    Parameters
    ----------
    size : int
        Number of neurons.
    beta : float or Tensor (size,)
        The fraction of the membrane that is kept each tick, 0 … 1; quantised to 1/256.
    threshold : float or Tensor (size,)
        A neuron spikes where its membrane is greater.
    bias : float or Tensor (size,)
        A constant input current.
    spike_grad : Surrogate, optional
        By default :func:`~lifline.train.surrogate.atan`.
    learn_beta, learn_threshold, learn_bias : bool
        Whether that parameter is trained; per neuron, if it was given so.
    reset_mechanism : "subtract", "zero" or "none"
    reset_delay : bool
        Whether a spike resets its membrane one tick later.
    membrane_bits : int, optional
        Width of the membrane, 8 … 24, at which it saturates.  By default as wide as the network can
        ever drive it, 24 at most.
    scale : "free", "power_of_two" or float
        "free" gives the largest weight the largest integer; "power_of_two" rounds that scale down to a
        power of two; a number fixes it, and weights that are too large for it are clipped.

    Raises
    ------
    InputError
        If `scale` or `reset_mechanism` is something else, a parameter is out of range, or a tensor has
        another shape.
    """

    beta: Tensor
    threshold: Tensor
    bias: Tensor

    def __init__(
        self,
        size: int,
        beta: float | Tensor,
        threshold: float | Tensor = 1.0,
        *,
        bias: float | Tensor = 0.0,
        spike_grad: Surrogate | None = None,
        learn_beta: bool = False,
        learn_threshold: bool = False,
        learn_bias: bool = False,
        reset_mechanism: str = "subtract",
        reset_delay: bool = True,
        membrane_bits: int | None = None,
        scale: Scale = "free",
    ) -> None:
        super().__init__()
        fixed = not isinstance(scale, str)
        if not (fixed and float(scale) > 0) and scale not in ("free", "power_of_two"):
            raise InputError(f"scale must be 'free', 'power_of_two' or a number above 0, not {scale!r}")
        self.size = size
        self.spike_grad = spike_grad or atan()
        try:
            self.reset = Reset(reset_mechanism)
        except ValueError:
            choices = ", ".join(f"'{reset.value}'" for reset in Reset)
            raise InputError(
                f"reset_mechanism must be one of {choices}, not {reset_mechanism!r}"
            ) from None
        self.reset_delay = reset_delay
        self.membrane_bits = membrane_bits
        self.scale: Scale = scale
        for name, value, learn in (
            ("beta", beta, learn_beta),
            ("threshold", threshold, learn_threshold),
            ("bias", bias, learn_bias),
        ):
            tensor = torch.as_tensor(value, dtype=torch.get_default_dtype()).detach().clone()
            if tensor.shape not in ((), (size,)):
                raise InputError(
                    f"{name} must be a number or have the shape ({size},), not {tuple(tensor.shape)}"
                )
            low, high = {"beta": (0, 1), "threshold": (0, torch.inf)}.get(name, (-torch.inf, torch.inf))
            if not ((tensor >= low) & (tensor <= high)).all():
                raise InputError(f"{name} must be in {low} … {high}, not {value}")
            if learn:
                self.register_parameter(name, nn.Parameter(tensor))
            else:
                self.register_buffer(name, tensor)

    @property
    def high(self) -> int:
        """The membrane's greatest value in the contract's units."""
        bits = _MAX_MEMBRANE_BITS if self.membrane_bits is None else self.membrane_bits
        return int(2 ** (bits - 1)) - 1

    def in_units(self, scale: float, around: Elementwise) -> tuple[Tensor, Tensor, Tensor]:
        """beta, threshold and bias in the contract's units, brought to whole numbers by `around`."""
        beta = around(self.beta.clamp(0, 1) * 2**BETA_BITS)
        return beta, around(self.threshold.clamp(min=0) * scale), around(self.bias * scale)


class Synapses(nn.Module):
    """All synapses from one source to one target.

    Parameters
    ----------
    source_size, target_size : int
    delays : int or array of int (source size, target size)
        In ticks, 0 … 255.
    weight_bits : int
        2 … 16.
    weights : Tensor (source size, target size), optional
        Their start; by default uniform with the variance ``1 / source size``.

    Raises
    ------
    NetworkError
        If `weights` or `delays` have another shape, or a delay is not in 0 … 255.
    """

    delays: Tensor

    def __init__(
        self,
        source_size: int,
        target_size: int,
        *,
        delays: int | np.ndarray | Tensor = 0,
        weight_bits: int = 8,
        weights: Tensor | None = None,
    ) -> None:
        super().__init__()
        shape = (source_size, target_size)
        if weights is None:
            bound = (3 / source_size) ** 0.5
            weights = torch.empty(shape).uniform_(-bound, bound)
        ticks = torch.tensor(np.array(delays), dtype=torch.int64)
        if weights.shape != shape or ticks.shape not in ((), shape):
            raise NetworkError(
                f"synapses: weights {tuple(weights.shape)} and delays {tuple(ticks.shape)} must have the "
                f"shape (source size, target size) = {shape}"
            )
        if ticks.min() < 0 or ticks.max() > MAX_DELAY:
            raise NetworkError(
                f"synapses: delays must be in 0 … {MAX_DELAY}, not {int(ticks.min())} … {int(ticks.max())}"
            )
        self.weight_bits = weight_bits
        self.weights = nn.Parameter(weights.detach().clone())
        self.register_buffer("delays", ticks.expand(shape).clone())

    @property
    def high(self) -> int:
        """The greatest integer weight."""
        return int(2 ** (self.weight_bits - 1)) - 1

    def in_units(self, scale: float) -> Tensor:
        """Weights as whole numbers of `weight_bits`, not yet parted by delay."""
        return _round(self.weights * scale).clamp(-self.high - 1, self.high)


@dataclasses.dataclass(frozen=True)
class Activity:
    """What a model did, as tensors; in training mode they carry gradients."""

    spikes: dict[str, Tensor]  #: for each population: 0 or 1, (samples, ticks, size)
    membrane: dict[str, Tensor]  #: for each population: v[t] in the contract's units, likewise
    scale: dict[str, float]  #: for each population: the contract's units to one of the model's
    output: str  #: the output population
    readout: bool  #: whether the output never resets, and so answers by its membrane

    @property
    def scores(self) -> Tensor:
        """(samples, outputs): spikes of each output neuron, or its membrane, in the model's units, summed."""
        if self.readout:
            return self.membrane[self.output].sum(dim=1) / self.scale[self.output]
        return self.spikes[self.output].sum(dim=1)

    @property
    def classes(self) -> Tensor:
        """(samples,): the output neuron of the highest score; a tie goes to the lower index."""
        values = self.membrane if self.readout else self.spikes
        return values[self.output].sum(dim=1).argmax(dim=1)


class SpikingNetwork(nn.Module):
    """Any graph of populations and projections that the contract allows.

    Parameters
    ----------
    inputs : int
        Number of input channels; projections call them ``"input"``.
    populations : mapping of str to LIF
    projections : iterable of (source name, target name, Synapses)
        Several between the same two are allowed, and from a population to itself; every loop must hold a
        projection whose delays are all 1 or more.
    output : str, optional
        By default the last population.
    quantize : bool
        With False, training mode runs the plain floating-point network: no rounding, no saturation.

    Raises
    ------
    NetworkError
        If the contract allows no such network; the message names what is wrong.

    Examples
    --------
    >>> model = SpikingNetwork(
    ...     64,
    ...     {"hidden": LIF(48, beta=0.9), "output": LIF(10, beta=0.9)},
    ...     [
    ...         ("input", "hidden", Synapses(64, 48)),
    ...         ("hidden", "hidden", Synapses(48, 48, delays=1)),
    ...         ("hidden", "output", Synapses(48, 10)),
    ...     ],
    ... )
    >>> model(torch.zeros(1, 5, 64)).scores.shape
    torch.Size([1, 10])
    """

    def __init__(
        self,
        inputs: int,
        populations: Mapping[str, LIF],
        projections: Iterable[tuple[str, str, Synapses]],
        output: str | None = None,
        *,
        quantize: bool = True,
    ) -> None:
        super().__init__()
        projections = list(projections)
        self.inputs = inputs
        self.output = output if output is not None else next(reversed(list(populations)), "")
        self.quantize = quantize
        # Lists, since torch's ModuleDict refuses some names that the contract allows.
        self.names = tuple(populations)
        self.routes = tuple((source, target) for source, target, _ in projections)
        self.lifs = nn.ModuleList(populations.values())
        self.synapses = nn.ModuleList(synapses for _, _, synapses in projections)
        self._order = tuple(population.name for population in to_network(self).order)

    @classmethod
    def feed_forward(cls, inputs: int, *layers: LIF, weight_bits: int = 8) -> SpikingNetwork:
        """A chain of fully connected populations, called hidden1, hidden2, …, output."""
        names = [*(f"hidden{i + 1}" for i in range(len(layers) - 1)), "output"]
        sizes = [inputs, *(layer.size for layer in layers)]
        return cls(
            inputs,
            dict(zip(names, layers, strict=True)),
            [
                (source, target, Synapses(sizes[i], sizes[i + 1], weight_bits=weight_bits))
                for i, (source, target) in enumerate(zip([INPUT, *names], names, strict=False))
            ],
        )

    @classmethod
    def from_network(cls, network: Network) -> SpikingNetwork:
        """A model that exports `network` again, and can be trained further from there."""
        populations = {}
        for p in network.populations:
            scale = 2.0 ** int(p.threshold.max()).bit_length()  # a threshold is about 1, and exact
            populations[p.name] = LIF(
                p.size,
                beta=_exact(p.beta, 2**BETA_BITS),
                threshold=_exact(p.threshold, scale),
                bias=_exact(p.bias, scale),
                reset_mechanism=p.reset.value,
                reset_delay=p.reset_delay,
                membrane_bits=p.membrane_bits,
                scale=scale,
            )
        projections = [
            (
                p.source,
                p.target,
                Synapses(
                    *p.weights.shape,
                    delays=p.delays,
                    weight_bits=p.weight_bits,
                    weights=_exact(p.weights, float(populations[p.target].scale)),
                ),
            )
            for p in network.projections
        ]
        return cls(network.inputs, populations, projections, network.output)

    def population(self, name: str) -> LIF:
        """The population called `name`."""
        return cast(LIF, self.lifs[self.names.index(name)])

    def incoming(self, name: str) -> list[Synapses]:
        """The synapses that end at population `name`."""
        return [s for (_, target), s in self._projections() if target == name]

    def forward(self, spikes: Tensor | np.ndarray) -> Activity:
        """Run every sample from rest.

        Parameters
        ----------
        spikes : (samples, ticks, inputs), 0 or 1

        Returns
        -------
        Activity
            In evaluation mode float64 whole numbers, exactly the contract's, without gradients.

        Raises
        ------
        InputError
            If `spikes` has another shape, or other values.
        NetworkError
            If, in evaluation mode, the parameters do not fit the contract.
        """
        inputs = torch.as_tensor(spikes, device=next(self.parameters()).device)
        if inputs.ndim != 3 or inputs.shape[-1] != self.inputs:
            raise InputError(
                f"spikes: shape is {tuple(inputs.shape)}, must be (samples, ticks, {self.inputs})"
            )
        if not ((inputs == 0) | (inputs == 1)).all():
            raise InputError("spikes must be 0 or 1; see lifline.train.encoders for other data")
        scales = {name: self._scale(name) for name in self.names}
        if self.training:
            spiked, membrane = self._train_forward(inputs, scales)
        else:
            spiked, membrane = evaluate(to_network(self), inputs)
        readout = self.population(self.output).reset is Reset.NONE
        units = scales if self.quantize or not self.training else dict.fromkeys(scales, 1.0)
        return Activity(spiked, membrane, units, self.output, readout)

    def _train_forward(
        self, inputs: Tensor, scales: dict[str, float]
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        dtype = next(self.parameters()).dtype
        if not self.quantize:
            scales = dict.fromkeys(scales, 1.0)

        def neurons(name: str) -> Neurons:
            lif, scale = self.population(name), scales[name]
            beta, threshold, bias = lif.in_units(scale, _round if self.quantize else _identity)
            return Neurons(
                name=name,
                size=lif.size,
                beta=beta,
                threshold=threshold,
                bias=bias,
                reset=lif.reset,
                reset_delay=lif.reset_delay,
                low=-lif.high - 1 if self.quantize else -torch.inf,
                high=lif.high if self.quantize else torch.inf,
                fire=lambda distance: lif.spike_grad(distance / scale),
            )

        def taps(source: str, target: str, synapses: Synapses) -> Taps:
            weights = synapses.in_units(scales[target]) if self.quantize else synapses.weights
            delays = torch.unique(synapses.delays)
            blocks = (
                [weights] if len(delays) == 1 else [weights * (synapses.delays == d) for d in delays]
            )
            return Taps(source, target, tuple(delays.tolist()), torch.cat(blocks, dim=1))

        return run(
            inputs.to(dtype),
            [neurons(name) for name in self._order],
            [taps(source, target, synapses) for (source, target), synapses in self._projections()],
            _floor if self.quantize else _identity,
        )

    def _projections(self) -> list[tuple[tuple[str, str], Synapses]]:
        return list(zip(self.routes, cast(Iterable[Synapses], self.synapses), strict=True))

    @torch.no_grad()
    def _scale(self, name: str) -> float:
        """The contract's units to one of the model's, for all that meets in a population's membrane."""
        lif = self.population(name)
        if not isinstance(lif.scale, str):
            return float(lif.scale)
        limits = [  # what the weights allow, and what the threshold does
            limit / largest
            for limit, largest in (
                *((s.high, float(s.weights.abs().max())) for s in self.incoming(name)),
                (lif.high, float(lif.threshold.max())),
            )
            if largest > 0
        ]
        scale = min(limits, default=1.0)
        if lif.scale == "power_of_two":
            _, exponent = np.frexp(scale)
            return float(np.ldexp(1.0, int(exponent) - 1))
        return scale


@torch.no_grad()
def to_network(
    model: SpikingNetwork, name: str = "", metadata: Mapping[str, Any] | None = None
) -> Network:
    """The integer network that `model` runs in evaluation mode.

    Parameters
    ----------
    model : SpikingNetwork
    name : str
    metadata : mapping, optional
        Anything that JSON can hold.

    Returns
    -------
    Network

    Raises
    ------
    NetworkError
        If the contract cannot hold a parameter, or the integers could be too large to be exact.
    """
    scales = {target: model._scale(target) for target in model.names}
    projections = [
        Projection(
            source=source,
            target=target,
            weights=_integers(synapses.in_units(scales.get(target, 1.0)), f"{source} -> {target}"),
            delays=synapses.delays.cpu().numpy(),
            weight_bits=synapses.weight_bits,
        )
        for (source, target), synapses in model._projections()
    ]
    populations = []
    for target in model.names:
        lif = model.population(target)
        beta, threshold, bias = (
            _integers(values, target) for values in lif.in_units(scales[target], torch.round)
        )
        populations.append(
            Population(
                target,
                lif.size,
                beta,
                threshold,
                reset=lif.reset,
                reset_delay=lif.reset_delay,
                bias=bias,
                membrane_bits=_MAX_MEMBRANE_BITS if lif.membrane_bits is None else lif.membrane_bits,
            )
        )
    network = Network(model.inputs, populations, projections, model.output, name, dict(metadata or {}))
    network = _with_narrow_membranes(model, network)
    check_exact(network)
    return network


def _with_narrow_membranes(model: SpikingNetwork, network: Network) -> Network:
    """`network` with the least width for each population of `model` that sets none.

    It is the least at which no spikes whatever can saturate a membrane, or 24.  With a current in
    low … high each tick, v ≤ high / (1 − beta/256), and below likewise, where the rounding of the leak
    takes up to 1 off, and a delayed reset the threshold.
    """
    populations = []
    for population in network.populations:
        if model.population(population.name).membrane_bits is None:
            high, low = population.bias.clip(min=0), population.bias.clip(max=0) - 1
            for projection in network.incoming(population.name):
                high = high + projection.weights.clip(min=0).sum(axis=0)
                low = low + projection.weights.clip(max=0).sum(axis=0)
            if population.reset_delay and population.reset is Reset.SUBTRACT:
                low = low - population.threshold
            leak = np.maximum(2**BETA_BITS - population.beta, 2.0**-32)  # no leak: no bound
            bound = np.maximum(np.maximum(high, -low) * 2**BETA_BITS / leak, population.threshold).max()
            bits = min(max(int(np.ceil(bound)).bit_length() + 1, 8), _MAX_MEMBRANE_BITS)
            population = dataclasses.replace(population, membrane_bits=bits)
        populations.append(population)
    return dataclasses.replace(network, populations=populations)


def _exact(values: np.ndarray, scale: float) -> Tensor:
    return torch.tensor(values / scale, dtype=torch.get_default_dtype())


def _integers(values: Tensor, where: str) -> np.ndarray:
    if not torch.isfinite(values).all():
        raise NetworkError(f"'{where}': a parameter is not a finite number; training has diverged")
    array: np.ndarray = values.detach().to(torch.int64).cpu().numpy()
    return array


def _round(values: Tensor) -> Tensor:
    """`values` rounded; the gradient passes straight through."""
    return values + (values.round() - values).detach()


def _floor(values: Tensor) -> Tensor:
    """`values` rounded down; the gradient passes straight through."""
    return values + (values.floor() - values).detach()


def _identity(values: Tensor) -> Tensor:
    return values
