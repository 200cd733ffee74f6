"""Trainable spiking networks: populations and projections with snnTorch's arguments.

A model's parameters are floating-point numbers in units of its own (a threshold is about 1).  Each
population has a *scale*, so many of the contract's units to one of the model's; all that meets in its
membrane is multiplied by it and rounded::

    weights  round(weight · scale), which fits weight_bits          beta    round(beta · 256)
    threshold, bias  round(· scale)                                 membrane  integers, saturated

In training mode the network runs on these numbers, rounding included, and gradients pass straight through
every rounding (Y. Bengio et al., arXiv:1308.3432; B. Jacob et al., "Quantization and Training of Neural
Networks for Efficient Integer-Arithmetic-Only Inference", CVPR 2018).  In evaluation mode it runs the
exported :class:`~lifline.network.Network`.  Both go through the same functions, :mod:`lifline.train.arithmetic`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from lifline import neurons
from lifline.errors import InputError, NetworkError
from lifline.network import INPUT, Network, Population, Projection
from lifline.neurons import BETA_BITS, Reset
from lifline.synapses import Dense

from .arithmetic import Neurons, loops, run
from .delays import Kernel
from .integer import check_exact, evaluate
from .neurons import LIF, MAX_MEMBRANE_BITS
from .synapses import DelayedLinear, Synapses


@dataclasses.dataclass(frozen=True)
class Activity:
    """What a model did, as tensors; in training mode they carry gradients."""

    spikes: dict[str, Tensor]  #: for each population: 0 or 1, (samples, ticks, size)
    membrane: dict[str, Tensor]  #: for each population: v[t] in the contract's units, likewise
    scale: dict[
        str, Tensor
    ]  #: for each population: the contract's units to one of the model's, () or (size,)
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
        for source, target, synapses in projections:
            sizes = [
                inputs if name == INPUT else getattr(populations.get(name), "size", None)
                for name in (source, target)
            ]
            if None not in sizes and synapses.shape != tuple(sizes):
                raise NetworkError(
                    f"projection {source} -> {target}: weights have the shape {synapses.shape}, must have "
                    f"(source size, target size) = {tuple(sizes)}"
                )
        # Lists, since torch's ModuleDict refuses some names that the contract allows.
        self.names = tuple(populations)
        self.routes = tuple((source, target) for source, target, _ in projections)
        self.lifs = nn.ModuleList(populations.values())
        self.synapses = nn.ModuleList(synapses for _, _, synapses in projections)
        self._loops = loops(self.names, self.routes)
        self._order = tuple(population.name for population in to_network(self).order)
        last = self.population(self.output)
        if last.scale == "per_neuron" and last.reset is Reset.NONE:
            raise NetworkError(
                f"readout '{self.output}' must have one scale, since its membranes are compared: give it "
                "scale='free'"
            )
        at_once = [route[:2] for route in self.projections if route[2].least_delay == 0]
        for loop in loops(self.names, at_once):
            if len(loop) > 1 or (loop[0], loop[0]) in at_once:
                raise NetworkError(
                    f"projections that may learn a delay of 0 form a cycle: {' -> '.join([*loop, loop[0]])}; "
                    "give one of them min_delay=1"
                )

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
            neuron = p.neuron
            scale = 2.0 ** int(neuron.threshold.max()).bit_length()  # a threshold is about 1, and exact
            populations[p.name] = LIF(
                p.size,
                beta=_exact(neuron.beta, 2**BETA_BITS),
                threshold=_exact(neuron.threshold, scale),
                bias=_exact(neuron.bias, scale),
                reset_mechanism=neuron.reset.value,
                reset_delay=neuron.reset_delay,
                membrane_bits=neuron.membrane_bits,
                scale=scale,
            )
        projections = [
            (
                p.source,
                p.target,
                Synapses(
                    *p.synapses.shape,
                    delays=p.synapses.dense()[1],
                    weight_bits=p.synapses.weight_bits,
                    weights=_exact(p.synapses.dense()[0], float(populations[p.target].scale)),
                ),
            )
            for p in network.projections
        ]
        return cls(network.inputs, populations, projections, network.output)

    def population(self, name: str) -> LIF:
        """The population called `name`."""
        return cast(LIF, self.lifs[self.names.index(name)])

    @property
    def projections(self) -> list[tuple[str, str, Synapses]]:
        """(source, target, synapses) of every projection."""
        synapses = cast(Iterable[Synapses], self.synapses)
        return [(*route, s) for route, s in zip(self.routes, synapses, strict=True)]

    def incoming(self, name: str) -> list[Synapses]:
        """The synapses that end at population `name`."""
        return [synapses for _, target, synapses in self.projections if target == name]

    @property
    def delayed(self) -> list[DelayedLinear]:
        """The synapses that learn their delays."""
        return [synapses for synapses in self.synapses if isinstance(synapses, DelayedLinear)]

    @torch.no_grad()
    def fold(self) -> None:
        """Multiply batch normalisation into weights and biases, for good; it trains quantised from then on."""
        for source, target, synapses in self.projections:
            synapses.weights.mul_(self._gain(source, target))
        for name in self.names:
            if self.population(name).norm is not None:
                self.population(name).fold()

    def delay_cost(self) -> Tensor:
        """What the delay lines of learned delays take, in ticks · neurons; with a gradient by the positions.

        A ring of accumulators for each target neuron is as long as the projection's delays differ, so that
        this is the difference of the largest and the smallest, times the size of the target.  Both are
        smooth, averages weighted by exp(±position), so that all of the far synapses are drawn in.
        """
        costs = []
        for synapses in self.delayed:
            p = synapses.positions.flatten()
            largest, smallest = (torch.softmax(sign * p, 0) @ p for sign in (1, -1))
            costs.append((largest - smallest) * synapses.shape[1])
        return torch.stack(costs).sum() if costs else next(self.parameters()).new_zeros(())

    def forward(self, spikes: Tensor | np.ndarray) -> Activity:
        """Run every sample from rest.

        Parameters
        ----------
        spikes : (samples, ticks, inputs), 0 or 1

        Returns
        -------
        Activity
            In evaluation mode float64 integers, exactly the contract's, without gradients.

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
        if inputs.numel() and not (
            inputs.amax() <= 1
            if inputs.dtype is torch.uint8
            else torch.equal(inputs, (inputs != 0).to(inputs))
        ):
            raise InputError("spikes must be 0 or 1; see lifline.encoders for other data")
        if not self.training:
            scales = {name: self._scale(name) for name in self.names}
            spiked, membrane = evaluate(to_network(self), inputs)
        elif self._quantizes:
            scales = {name: self._scale(name) for name in self.names}
            spiked, membrane = self._train_forward(inputs, scales)
        else:
            scales = dict.fromkeys(self.names, next(self.parameters()).new_ones(()))
            spiked, membrane = self._train_forward(inputs, scales)
        readout = self.population(self.output).reset is Reset.NONE
        return Activity(spiked, membrane, scales, self.output, readout)

    @property
    def _quantizes(self) -> bool:
        """Whether training is quantised: not before batch normalisation is folded."""
        return self.quantize and all(self.population(name).norm is None for name in self.names)

    def _train_forward(
        self, inputs: Tensor, scales: dict[str, Tensor]
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        quantizes = self._quantizes

        def neurons(name: str) -> Neurons:
            lif, scale = self.population(name), scales[name]
            if quantizes:
                beta, threshold, bias = lif.in_units(scale, _round)
                beta = beta * 2.0**-BETA_BITS
            else:
                beta, threshold, bias = lif.beta.clamp(0, 1), lif.threshold, lif.bias
            return Neurons(
                name=name,
                size=lif.size,
                beta=beta,
                threshold=threshold,
                bias=bias,
                reset=lif.reset,
                reset_delay=lif.reset_delay,
                low=-lif.high - 1 if quantizes else -torch.inf,
                high=lif.high if quantizes else torch.inf,
                floor=quantizes,
                derivative=lambda distance: lif.spike_grad.derivative(distance / scale) / scale,
                normalise=None if lif.norm is None else lif.normalise,
                passes=lif.kept(len(inputs)),
            )

        def kernel(source: str, target: str, synapses: Synapses) -> Kernel:
            weights = synapses.in_units(scales[target]) if quantizes else synapses.weights
            return synapses.kernel(weights, source, target, quantised=quantizes)

        return run(
            inputs,
            [neurons(name) for name in self._order],
            [kernel(*projection) for projection in self.projections],
        )

    def _gain(self, source: str, target: str) -> Tensor:
        """What batch normalisation multiplies a projection's weights by, () or (target size,)."""
        gain, _ = self.population(target).gain_and_offset()
        inner = any({source, target} <= set(loop) for loop in self._loops)
        return torch.ones_like(gain) if inner else gain

    @torch.no_grad()
    def _scale(self, name: str) -> Tensor:
        """The contract's units to one of the model's, for all that meets in a population's membrane."""
        lif = self.population(name)
        if not isinstance(lif.scale, str):
            return torch.full_like(lif.threshold.sum(), lif.scale)
        limits = [  # for each neuron, what its weights allow, and what its threshold does
            (synapses.weights * self._gain(source, target)).abs().amax(dim=0) / synapses.high
            for source, target, synapses in self.projections
            if target == name
        ]
        least = torch.stack([*limits, (lif.threshold / lif.high).expand(lif.size)]).amax(dim=0)
        if lif.scale != "per_neuron":
            least = least.max()
        scale = torch.where(least > 0, 1 / least, 1.0)
        if lif.scale == "power_of_two":
            return torch.ldexp(torch.ones_like(scale), torch.frexp(scale).exponent - 1)
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
            synapses=Dense(
                _integers(
                    synapses.in_units(scales[target] * model._gain(source, target))
                    if target in scales
                    else synapses.weights,
                    f"{source} -> {target}",
                ),
                delays=synapses.rounded_delays().cpu().numpy(),
                weight_bits=synapses.weight_bits,
            ),
        )
        for source, target, synapses in model.projections
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
                neurons.LIF(
                    beta,
                    threshold,
                    reset=lif.reset,
                    reset_delay=lif.reset_delay,
                    bias=bias,
                    membrane_bits=MAX_MEMBRANE_BITS if lif.membrane_bits is None else lif.membrane_bits,
                ),
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
        neuron = population.neuron
        if model.population(population.name).membrane_bits is None:
            high, low = neuron.bias.clip(min=0), neuron.bias.clip(max=0) - 1
            for projection in network.incoming(population.name):
                weights, _ = projection.synapses.dense()
                high = high + weights.clip(min=0).sum(axis=0)
                low = low + weights.clip(max=0).sum(axis=0)
            if neuron.reset_delay and neuron.reset is Reset.SUBTRACT:
                low = low - neuron.threshold
            leak = np.maximum(2**BETA_BITS - neuron.beta, 2.0**-32)  # no leak: no bound
            bound = np.maximum(np.maximum(high, -low) * 2**BETA_BITS / leak, neuron.threshold).max()
            bits = min(max(int(np.ceil(bound)).bit_length() + 1, 8), MAX_MEMBRANE_BITS)
            neuron = dataclasses.replace(neuron, membrane_bits=bits)
            population = dataclasses.replace(population, neuron=neuron)
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
