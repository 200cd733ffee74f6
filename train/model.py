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

import contextlib
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from lifline.errors import InputError, NetworkError
from lifline.network import INPUT, Network, Population, Projection
from lifline.values import check_integer

from .activity import Activity
from .arithmetic import Neurons, Prepared, loops, run
from .connection import Connection, Delayed, connection
from .delays import Kernel
from .foreign import check_populations, check_sizes, checked_projections
from .integer import check_exact, evaluate
from .neurons import States, Trainable, trainable_of
from .neurons.trainable import integers
from .synapses import Synapses


class SpikingNetwork(nn.Module):
    """Any graph of populations and projections that the contract allows.

    Parameters
    ----------
    inputs : int or (height, width, channels)
        Number of inputs, or the shape of a map of them; projections call them ``"input"``.
    populations : mapping of str to LIF, or another kind that learns
    projections : iterable of (source name, target name, Synapses, Conv2d or another connection)
        Several between the same two are allowed, and from a population to itself; every loop must hold a
        projection whose delays are all 1 or more.
    output : str, optional
        By default the last population.
    quantize : bool
        With False, training mode runs the plain floating-point network: no rounding, no saturation.
    input_bits : int
        1 … 8.  With more than 1 inputs are graded, 0 … 2^input_bits − 1; the greatest counts as a spike does, in the
        model's units.

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
        inputs: int | tuple[int, int, int],
        populations: Mapping[str, Trainable],
        projections: Iterable[tuple[str, str, Connection]],
        output: str | None = None,
        *,
        quantize: bool = True,
        input_bits: int = 1,
    ) -> None:
        super().__init__()
        check_populations(populations.items())
        projections = checked_projections(projections)
        self.shape = (inputs,) if isinstance(inputs, int) else tuple(inputs)
        self.inputs = math.prod(self.shape)
        self.input_bits = check_integer("network: input_bits", input_bits, 1, 8)
        self.output = output if output is not None else next(reversed(list(populations)), "")
        self.quantize = quantize
        for source, target, synapses in projections:
            check_sizes(source, target, synapses, self.shape, populations)
        # Lists, since torch's ModuleDict refuses some names that the contract allows.
        self.names = tuple(populations)
        self.routes = tuple((source, target) for source, target, _ in projections)
        self.neurons = nn.ModuleList(populations.values())
        self.synapses = nn.ModuleList(synapses for _, _, synapses in projections)
        self.loops = loops(self.names, self.routes)
        self._order = tuple(population.name for population in to_network(self).order)
        last = self.population(self.output)
        if last.scale == "per_neuron" and last.readout:
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
    def feed_forward(cls, inputs: int, *layers: Trainable, weight_bits: int = 8) -> SpikingNetwork:
        """A chain of fully connected populations, called hidden1, hidden2, …, output."""
        names = [*(f"hidden{i + 1}" for i in range(len(layers) - 1)), "output"]
        sizes = [inputs, *check_populations(zip(names, layers, strict=True))]
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
        populations = {p.name: trainable_of(p) for p in network.populations}
        projections = []
        for projection in network.projections:
            scale = float(populations[projection.target].scale)
            synapses = connection(projection.synapses, scale)
            synapses.weights.data *= network.largest_value(projection.source)
            projections.append((projection.source, projection.target, synapses))
        model = cls(
            _size(network.input_shape), populations, projections, network.output,
            input_bits=network.input_bits,
        )  # fmt: skip
        if any(buffer.dtype is torch.float64 for n in model.neurons for buffer in n.buffers()):
            model.double()  # what float32 does not hold
        return model

    def population(self, name: str) -> Trainable:
        """The population called `name`."""
        return cast(Trainable, self.neurons[self.names.index(name)])

    @property
    def projections(self) -> list[tuple[str, str, Connection]]:
        """(source, target, synapses) of every projection."""
        synapses = cast(Iterable[Connection], self.synapses)
        return [(*route, s) for route, s in zip(self.routes, synapses, strict=True)]

    def incoming(self, name: str) -> list[Connection]:
        """The synapses that end at population `name`."""
        return [synapses for _, target, synapses in self.projections if target == name]

    @property
    def delayed(self) -> list[Delayed]:
        """The synapses that learn their delays."""
        return [synapses for synapses in self.synapses if isinstance(synapses, Delayed)]

    @torch.no_grad()
    def fold(self) -> None:
        """Multiply batch normalisation into weights and biases, for good; it trains quantised from then on."""
        for source, target, synapses in self.projections:
            synapses.weights.mul_(synapses.per_target(self._gain(source, target)))
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
        spikes : (samples, ticks, inputs), 0 or 1, or 0 … 2^input_bits − 1

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
        inputs = self.checked(spikes)
        if self.training:
            return self.ran(inputs, self.prepared(len(inputs)))
        scales = {name: self._scale(name) for name in self.names}
        return self._activity(*evaluate(to_network(self), inputs), scales)

    def checked(self, spikes: Tensor | np.ndarray) -> Tensor:
        """`spikes` as a tensor on the model's device; others than the model takes are refused."""
        inputs = torch.as_tensor(spikes, device=next(self.parameters()).device)
        if inputs.ndim != 3 or inputs.shape[-1] != self.inputs:
            raise InputError(
                f"spikes: shape is {tuple(inputs.shape)}, must be (samples, ticks, {self.inputs})"
            )
        self._check_values(inputs)
        return inputs

    def _check_values(self, inputs: Tensor) -> None:
        if not inputs.numel():
            return
        most = 2**self.input_bits - 1
        if inputs.dtype in (torch.uint8, torch.bool):
            right = int(inputs.amax()) <= most
        else:
            right = torch.equal(inputs, inputs.clamp(0, most).round())
        if not right:
            values = "0 or 1" if most == 1 else f"integers in 0 … {most}"
            raise InputError(f"spikes must be {values}; see lifline.encoders for other data")

    @property
    def _quantizes(self) -> bool:
        """Whether training is quantised: not before batch normalisation is folded."""
        return self.quantize and all(self.population(name).norm is None for name in self.names)

    def prepared(self, samples: int) -> Prepared:
        """Populations and kernels as they are trained now, their parameters with gradients; dropout is drawn anew."""
        quantised = self._quantizes
        one = next(self.parameters()).new_ones(())
        scales = {name: self._scale(name) if quantised else one for name in self.names}
        cells = {
            name: (p := self.population(name)).cell(p.spread(scales[name]), quantised=quantised)
            for name in self._order
        }

        def neurons(name: str) -> Neurons:
            population = self.population(name)
            normalise = None if population.norm is None else population.normalise
            return Neurons(name, cells[name], normalise, population.kept(samples))

        def kernel(source: str, target: str, synapses: Connection) -> Kernel:
            unit = self._unit(source)
            if quantised:
                weights = synapses.in_units(scales[target] * unit)
            else:
                weights = synapses.weights if unit == 1 else synapses.weights * unit
            if cells[target].gain != 1:
                weights = weights * cells[target].gain
            return synapses.kernel(weights, source, target, quantised=quantised)

        return Prepared(
            [neurons(name) for name in self._order],
            [kernel(*projection) for projection in self.projections],
            scales,
        )

    def ran(self, inputs: Tensor, prepared: Prepared) -> Activity:
        """What the model did when it ran, in training mode, on :meth:`checked` inputs."""
        return self._activity(*run(inputs, prepared.neurons, prepared.kernels), prepared.scales)

    def _activity(
        self, spiked: dict[str, Tensor], states: dict[str, States], scales: dict[str, Tensor]
    ) -> Activity:
        scales = {name: self.population(name).spread(scale) for name, scale in scales.items()}
        return Activity(spiked, states, scales, self.output, self.population(self.output).readout)

    def _unit(self, source: str) -> float:
        """What a spike's value of 1 counts: the greatest value of a graded input counts as much as a spike."""
        return 1 / (2**self.input_bits - 1) if source == INPUT else 1.0

    def _gain(self, source: str, target: str) -> Tensor:
        """What batch normalisation multiplies a projection's weights by, () or (channels of the target,)."""
        gain, _ = self.population(target).gain_and_offset()
        inner = any({source, target} <= set(loop) for loop in self.loops)
        return torch.ones_like(gain) if inner else gain

    @torch.no_grad()
    def _scale(self, name: str) -> Tensor:
        """The contract's units to one of the model's, for all that meets in a population's membrane."""
        population = self.population(name)
        if not isinstance(population.scale, str):
            return torch.full_like(population.bias.sum(), population.scale)
        limits = [  # for each channel, what its weights allow, and what its own parameters do
            population.by_channel(synapses.largest(self._gain(source, target) * self._unit(source)))
            / synapses.high
            for source, target, synapses in self.projections
            if target == name
        ]
        limits.append(population.by_channel(population.least_unit()))
        least = torch.stack(limits).amax(dim=0)
        if population.scale != "per_neuron":
            least = least.max()
        scale = torch.where(least > 0, 1 / least, 1.0)
        if population.scale == "power_of_two":
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
    shapes = {INPUT: model.shape, **{target: model.population(target).shape for target in model.names}}
    projections = []
    for source, target, synapses in model.projections:
        weights: Tensor = synapses.weights
        if target in scales:
            weights = synapses.in_units(
                scales[target] * model._gain(source, target) * model._unit(source)
            )
        with _naming(f"projection {source} -> {target}"):
            projections.append(Projection(source, target, synapses.structure(integers(weights))))
    populations = []
    for target in model.names:
        population = model.population(target)
        low = high = np.zeros(population.size, np.int64)
        for projection in projections:
            if projection.target == target and projection.source in shapes:
                least, greatest = projection.bound(shapes).synapses.current_range()
                top = 2**model.input_bits - 1 if projection.source == INPUT else 1
                low, high = low + top * least, high + top * greatest
        with _naming(f"population '{target}'"):
            neuron = population.neuron(population.spread(scales[target]), low, high)
        populations.append(Population(target, _size(population.shape), neuron))
    network = Network(
        _size(model.shape), populations, projections, model.output, name, dict(metadata or {}),
        input_bits=model.input_bits,
    )  # fmt: skip
    check_exact(network)
    return network


def _size(shape: tuple[int, ...]) -> Any:
    """A number of neurons, or the shape of a map."""
    return shape[0] if len(shape) == 1 else shape


@contextlib.contextmanager
def _naming(where: str) -> Iterator[None]:
    """Errors begin with `where`."""
    try:
        yield
    except NetworkError as error:
        raise NetworkError(f"{where}: {error}") from None
