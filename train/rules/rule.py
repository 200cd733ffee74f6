"""What a learning rule is, and those that there are, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, TypeVar

import torch
from torch import Tensor, nn

from lifline.errors import InputError

from ..connection import Delayed
from ..losses import find_loss
from ..neurons import LIF

if TYPE_CHECKING:
    from ..activity import Activity
    from ..model import SpikingNetwork
    from ..settings import Settings


class Batch(NamedTuple):
    """Samples of one step, or this process's share of them."""

    spikes: Tensor  #: uint8 (samples, ticks, inputs)
    labels: Tensor  #: int64 (samples,)
    counted: int  #: how many of them count: 0 where there are more processes than samples
    size: int  #: the samples of the step, over all processes

    @property
    def share(self) -> float:
        """What the mean over these samples is multiplied by, so that the processes' sum is the mean over the step."""
        return self.counted / self.size


class Rule(nn.Module):
    """How the gradients of a batch are computed.  A rule derives from it, and is found by its name.

    Whatever random numbers it is made with are buffers, and what it learns besides the model are parameters: both
    are kept in checkpoints, and parameters get the optimiser's steps as the model's do.

    Parameters
    ----------
    model : SpikingNetwork
        It is trained, and may still have batch normalisation.
    settings : Settings
    seed : int
        Of the rule's own random numbers.

    Raises
    ------
    InputError
        If the rule cannot train this model, or with these settings; the message says what to give instead.
    """

    name: ClassVar[str]  #: as `--rule` takes it
    title: ClassVar[str]  #: in a few words, for tables

    def __init__(self, model: SpikingNetwork, settings: Settings, seed: int = 0) -> None:
        super().__init__()
        self._model = [model]  # a list, by which it is no part of the rule's own state
        self.settings = settings
        self.seed = seed
        self.check()

    @property
    def model(self) -> SpikingNetwork:
        """What is trained."""
        return self._model[0]

    def check(self) -> None:
        """Refuse a model or settings that the rule cannot train."""

    def gradients(self, batch: Batch) -> tuple[Activity, Tensor]:
        """Add the batch's gradients to ``.grad`` of the parameters that the rule trains.

        They are those of :attr:`Batch.share` times the mean over the batch's samples.

        Returns
        -------
        activity, loss : Activity, Tensor
            What the model did, and the mean loss of these samples.
        """
        raise NotImplementedError

    def loss(self, activity: Activity, labels: Tensor) -> Tensor:
        """The settings' loss."""
        return find_loss(self.settings.loss)(activity, labels, self.settings.label_smoothing)

    def refused(self, what: str, remedy: str) -> InputError:
        """The error of a model that this rule cannot train."""
        return InputError(f"rule '{self.name}' cannot train {what}: {remedy}")


R = TypeVar("R", bound=type[Rule])

#: The rules by name.
RULES: dict[str, type[Rule]] = {}


def register(rule: R) -> R:
    """Make a rule known by its name; a decorator.

    Raises
    ------
    InputError
        If another rule has this name.
    """
    if RULES.setdefault(rule.name, rule) is not rule:
        raise InputError(f"rule '{rule.name}' is registered already; give this one another name")
    return rule


def find_rule(name: str) -> type[Rule]:
    """The rule of this name.

    Raises
    ------
    InputError
        If there is none.
    """
    if name not in RULES:
        raise InputError(f"no rule '{name}'; the rules are {', '.join(sorted(RULES))}")
    return RULES[name]


#: Settings that are costs of whole activities, whose gradients go back through time.
_COSTS = ("rate_cost", "delay_cost", "row_cost")


def check_local(rule: Rule) -> None:
    """Refuse what no rule can train that goes without gradients back through time.

    Such a rule trains weights of matrices and constant currents.
    """
    model, settings = rule.model, rule.settings
    for cost in _COSTS:
        if getattr(settings, cost):
            raise rule.refused(
                f"with {cost}, whose gradient goes back through time",
                f"give {cost}=0, or rule=surrogate",
            )
    for source, target, synapses in model.projections:
        if isinstance(synapses, Delayed):
            raise rule.refused(
                f"the learned delays of {source} -> {target}",
                "give delays=random or delays=none, or rule=surrogate",
            )
        if synapses.geometry is not None:
            raise rule.refused(
                f"the convolution {source} -> {target}", "give Synapses, a matrix, or rule=surrogate"
            )
    for name in model.names:
        population = model.population(name)
        if population.norm is not None:
            raise rule.refused(
                f"the batch normalisation of '{name}', which is of many samples at once",
                "give quantised=1 to a task, batch_norm=False to a population, or rule=surrogate",
            )
        if getattr(population, "noise_scale", None) is not None:
            raise rule.refused(
                f"the noise of '{name}', which training draws anew",
                "leave out noise_scale, or rule=surrogate",
            )
        learned = [key for key, _ in population.named_parameters() if key != "bias"]
        if learned:
            raise rule.refused(
                f"the {learned[0]} of '{name}'", f"give learn_{learned[0]}=False, or rule=surrogate"
            )


def plain(rule: Rule, name: str, what: str, **allowed: Any) -> LIF:
    """The population `name`, refused unless it is of LIF neurons with a beta for all.

    Parameters
    ----------
    rule : Rule
    name : str
    what : str
        It is called so in the error.
    **allowed : bool
        Whether it may have an `alpha`, or a `rho`.
    """
    population = rule.model.population(name)
    remedy = "give it LIF neurons with one beta for all"
    if not isinstance(population, LIF) or population.beta.ndim:
        raise rule.refused(f"{what} '{name}'", remedy)
    for part in ("alpha", "rho"):
        value = getattr(population, part)
        if value is not None and (not allowed.get(part, False) or value.ndim):
            words = f"one {part} for all" if allowed.get(part, False) else f"no {part}"
            raise rule.refused(f"{what} '{name}'", f"{remedy}, and {words}")
    return population


def check_feedforward(rule: Rule) -> None:
    """Refuse a model with a loop."""
    for group in rule.model.loops:
        inside = [
            (source, target) for source, target in rule.model.routes if {source, target} <= set(group)
        ]
        if inside:
            source, target = inside[0]
            raise rule.refused(
                f"the recurrent projection {source} -> {target}",
                "leave it out, or give rule=eprop or rule=surrogate",
            )


def seeded(seed: int, *shape: int) -> Tensor:
    """Uniform numbers with the variance 1 / the last dimension, always the same of a seed."""
    generator = torch.Generator().manual_seed(seed)
    return (torch.rand(*shape, generator=generator) * 2 - 1) * (3 / shape[-1]) ** 0.5
