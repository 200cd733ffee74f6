"""Learning rules: each is what its equation says, refuses what it cannot train, and ends in an integer network."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from lifline import InputError
from lifline.golden import simulate
from lifline.train import LIF, DelayedLinear, SpikingNetwork, Synapses, fit, integer_forward, to_network
from lifline.train.rules import RULES, Batch, Rule, find_rule, register
from lifline.train.rules.local import LocalRun, output_signal
from lifline.train.rules.resume import NON_HEBBIAN, ReSuMe, weight_changes
from lifline.train.rules.spikeprop import arrivals, first_spikes, spike_times
from lifline.train.rules.surrogate import SurrogateGradients
from lifline.train.rules.targets import low_pass, target_trains
from lifline.train.settings import Settings
from lifline.train.tasks import find

Routes = Collection[tuple[str, str]]

INPUTS, CLASSES = 6, 3


def made(
    sizes: dict[str, int], routes: Collection[tuple[str, str, Any]], **parts: dict[str, Any]
) -> SpikingNetwork:
    """A model whose neurons spike, in float64: populations by size, and (source, target, delays)."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        populations = {
            name: LIF(
                size,
                **{"beta": 0.9, "threshold": 0.5, "bias": torch.rand(size) / 9, "learn_bias": True}
                | parts.get(name, {}),
            )
            for name, size in sizes.items()
        }
        whole = {"input": INPUTS, **sizes}
        projections = [
            (source, target, Synapses(whole[source], whole[target], delays=delays))
            for source, target, delays in routes
        ]
        model = SpikingNetwork(INPUTS, populations, projections, quantize=False).double()
    return model.train()


def chain(**parts: dict[str, Any]) -> SpikingNetwork:
    return made({"h": 8, "o": CLASSES}, [("input", "h", 2), ("h", "o", 0)], **parts)


def deep(**parts: dict[str, Any]) -> SpikingNetwork:
    routes = [("input", "a", 0), ("a", "b", 1), ("b", "o", 0), ("a", "o", 0)]
    return made({"a": 8, "b": 7, "o": CLASSES}, routes, **parts)


def recurrent(**parts: dict[str, Any]) -> SpikingNetwork:
    routes = [
        ("input", "a", 0),
        ("a", "a", 1),
        ("a", "b", 0),
        ("b", "a", 2),
        ("b", "o", 0),
        ("a", "o", 0),
    ]
    return made({"a": 8, "b": 7, "o": CLASSES}, routes, **parts)


def batch_for(samples: int = 4, ticks: int = 14) -> Batch:
    rng = np.random.default_rng(5)
    spikes = torch.from_numpy((rng.random((samples, ticks, INPUTS)) < 0.4).astype(np.uint8))
    return Batch(spikes, torch.from_numpy(np.arange(samples) % CLASSES), samples, samples)


def detached(model: SpikingNetwork, spikes: Tensor, ways: Routes) -> dict[str, dict[str, Tensor]]:
    """Membranes and spikes (ticks, samples, size), tick by tick, with gradients only along some projections.

    Within a neuron they go through its states.
    """
    prepared = model.prepared(len(spikes))
    samples, ticks, _ = spikes.shape
    fired: dict[str, list[Tensor]] = {"input": list(spikes.double().unbind(1))}
    states: dict[str, Any] = {}
    membranes: dict[str, list[Tensor]] = {}
    for n in prepared.neurons:
        start = torch.zeros(samples, n.cell.size, dtype=torch.float64)
        states[n.name] = (n.cell.start(start), start)
        fired[n.name], membranes[n.name] = [], []
    for t in range(ticks):
        for n in prepared.neurons:
            current = torch.zeros(samples, n.cell.size, dtype=torch.float64) + n.cell.bias
            for kernel in prepared.kernels:
                for delay, weights in zip(kernel.delays, kernel.weights, strict=True):
                    if kernel.target == n.name and t >= delay:
                        arriving = fired[kernel.source][t - delay]
                        kept = (kernel.source, kernel.target) in ways
                        current = current + (arriving if kept else arriving.detach()) @ weights
            states[n.name] = n.cell.tick(current, *states[n.name])
            fired[n.name].append(states[n.name][1])
            membranes[n.name].append(states[n.name][0]["membrane"])
    return {
        "spikes": {name: torch.stack(s) for name, s in fired.items()},
        "membrane": {name: torch.stack(s) for name, s in membranes.items()},
    }


def loss_of(rule: Rule, ran: dict[str, dict[str, Tensor]], batch: Batch) -> Tensor:
    """The settings' loss of what :func:`detached` returned."""
    model = rule.model
    activity = model(batch.spikes)
    name = model.output
    leaf = dataclasses.replace(
        activity,
        spikes={name: ran["spikes"][name].transpose(0, 1)},
        states={name: {"membrane": ran["membrane"][name].transpose(0, 1)}},
    )
    return rule.loss(leaf, batch.labels)


def gradients(model: SpikingNetwork, compute: Callable[[], Any]) -> dict[str, Tensor]:
    model.zero_grad()
    compute()
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def assert_same(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    expected = {name: g for name, g in expected.items() if name in found or g.abs().sum() > 0}
    assert found.keys() == expected.keys()
    assert sum(float(g.abs().sum()) for g in expected.values()) > 0
    for name, gradient in expected.items():
        assert gradient.abs().sum() > 0, name
        torch.testing.assert_close(found[name], gradient, rtol=1e-9, atol=1e-12, msg=name)


READOUT = {"reset_mechanism": "none"}
ADAPTIVE = {"rho": 0.9, "jump": 0.3, "alpha": 0.6}


# e-prop


@pytest.mark.parametrize("output", [{}, READOUT, {"alpha": 0.5}], ids=["spikes", "readout", "alpha"])
@pytest.mark.parametrize(
    "hidden", [{}, ADAPTIVE, {"reset_mechanism": "zero"}], ids=["lif", "alif", "zero"]
)
def test_eprop_of_one_hidden_population_is_the_surrogate_gradient(
    output: dict[str, Any], hidden: dict[str, Any]
) -> None:
    model, batch = chain(h=hidden, o=output), batch_for()
    loss = "membrane" if output is READOUT else "spike_count"
    settings = Settings(loss=loss, label_smoothing=0.1)
    found = gradients(model, lambda: find_rule("eprop")(model, settings).gradients(batch))
    expected = gradients(model, lambda: SurrogateGradients(model, settings).gradients(batch))
    assert_same(found, expected)


@pytest.mark.parametrize("make", [deep, recurrent])
def test_eprop_is_the_gradient_without_the_ways_between_hidden_populations(
    make: Callable[..., SpikingNetwork],
) -> None:
    model, batch = make(a=ADAPTIVE, o=READOUT), batch_for()
    rule = find_rule("eprop")(model, Settings(loss="membrane_each_tick"))
    found = gradients(model, lambda: rule.gradients(batch))
    ways = [("a", "o"), ("b", "o")]
    expected = gradients(
        model,
        lambda: torch.autograd.backward(loss_of(rule, detached(model, batch.spikes, ways), batch)),
    )
    assert_same(found, expected)
    whole = gradients(model, lambda: SurrogateGradients(model, rule.settings).gradients(batch))
    assert not all(torch.allclose(found[name], whole[name]) for name in found)


def test_feedback_that_is_random_or_adaptive() -> None:
    """Random feedback is fixed by the seed; adaptive feedback gets the gradients of the weights it stands for."""
    batch = batch_for()
    model = deep(o=READOUT)
    of = {
        (kind, seed): gradients(
            model,
            lambda kind=kind, seed=seed: find_rule("eprop")(  # type: ignore[misc]
                model, Settings(loss="membrane", feedback=kind), seed
            ).gradients(batch),
        )
        for kind in ("symmetric", "random")
        for seed in (0, 1)
    }
    into_hidden = next(n for n, p in model.named_parameters() if p.shape == (INPUTS, 8))
    symmetric, random = of["symmetric", 0][into_hidden], of["random", 0][into_hidden]
    assert torch.equal(symmetric, of["symmetric", 1][into_hidden])
    assert not torch.allclose(random, symmetric)
    assert not torch.allclose(random, of["random", 1][into_hidden])
    rule = find_rule("eprop")(model, Settings(loss="membrane", feedback="adaptive"))
    model.zero_grad()
    rule.gradients(batch)
    direct = {s: y for s, t, y in model.projections if t == "o"}
    for name, matrix in zip(("a", "b"), rule.parameters(), strict=True):
        assert torch.equal(matrix.grad, direct[name].weights.grad.to(matrix))


# SuperSpike


@pytest.mark.parametrize("make", [chain, deep])
def test_superspike_is_the_gradient_of_the_van_rossum_distance(
    make: Callable[..., SpikingNetwork],
) -> None:
    model, batch = make(), batch_for()
    settings = Settings(trace=0.7, target_rate=0.4)
    found = gradients(model, lambda: find_rule("superspike")(model, settings).gradients(batch))

    def expected() -> None:
        spikes = detached(model, batch.spikes, ())["spikes"]
        ticks, samples, _ = spikes["o"].shape
        taught = target_trains(batch.labels, ticks, CLASSES, 0.4)
        filtered = {name: low_pass(low_pass(s, 0.7), 0.49) for name, s in spikes.items()}
        errors = filtered["o"] - low_pass(low_pass(taught.double(), 0.7), 0.49)
        total = 0.5 * errors.square().sum()
        for source, target, synapses in model.projections:
            if target == "o":  # the errors, fixed, through the weights, fixed
                total = total + (errors @ synapses.weights.T).detach().mul(filtered[source]).sum()
        torch.autograd.backward(total / (ticks * samples))

    assert_same(found, gradients(model, expected))


def test_target_trains_by_hand() -> None:
    trains = target_trains(torch.tensor([1, 0]), 6, 2, 0.5)
    assert trains[:, 0].T.tolist() == [[0] * 6, [0, 1, 0, 1, 0, 1]]
    assert trains[:, 1].T.tolist() == [[0, 1, 0, 1, 0, 1], [0] * 6]
    assert low_pass(torch.tensor([1.0, 0, 0, 2]), 0.5).tolist() == [1, 0.5, 0.25, 2.125]


# DECOLLE


@pytest.mark.parametrize("make", [deep, recurrent])
def test_decolle_is_the_gradient_of_local_losses(make: Callable[..., SpikingNetwork]) -> None:
    model, batch = make(a=ADAPTIVE), batch_for()
    rule: Any = find_rule("decolle")(model, Settings(loss="spike_count"), seed=2)
    found = gradients(model, lambda: rule.gradients(batch))

    def expected() -> None:
        ran = detached(model, batch.spikes, ())
        total = loss_of(rule, ran, batch)
        answer = torch.nn.functional.one_hot(batch.labels, CLASSES)
        for name in ("a", "b"):
            y = ran["spikes"][name] @ rule.readout(name).double()
            total = total + 0.5 * (y - answer).square().sum(-1).mean()
        torch.autograd.backward(total)

    assert_same(found, gradients(model, expected))


# ReSuMe


def test_resume_changes_weights_as_computed_by_hand() -> None:
    """A source spikes in tick 1; the output in tick 3, and it should have in tick 2: trace 1/2, a = 0.05."""
    arrived, fired, taught = (torch.zeros(5, 1, 1) for _ in range(3))
    arrived[1], fired[3], taught[2] = 1, 1, 1
    changes = weight_changes(arrived, fired, taught, 0.5)
    assert NON_HEBBIAN == 0.05
    assert changes.item() == pytest.approx((0.05 + 0.5) - (0.05 + 0.25))


def test_resume_gives_the_optimiser_its_changes_for_a_gradient() -> None:
    model, batch = chain(), batch_for()
    found = gradients(
        model, lambda: ReSuMe(model, Settings(trace=0.6, target_rate=0.3)).gradients(batch)
    )
    run = LocalRun(model, batch.spikes)
    hidden, fired = (run.activity.spikes[name].detach() for name in ("h", "o"))
    taught = target_trains(batch.labels, fired.shape[1], CLASSES, 0.3).transpose(0, 1)
    expected = np.zeros((8, CLASSES))
    bias = np.zeros(CLASSES)
    samples, ticks, _ = fired.shape
    for n in range(samples):
        trace, always = np.zeros(8), 0.0
        for t in range(ticks):
            trace, always = 0.6 * trace + hidden[n, t].numpy(), 0.6 * always + 1
            wrong = (taught[n, t] - fired[n, t]).numpy()
            expected += np.outer(0.05 + trace, wrong)
            bias += (0.05 + always) * wrong
    assert set(found) == {
        n for n, p in model.named_parameters() if p.shape in {(8, 3), (3,)} and n in found
    }
    for gradient in found.values():
        by_hand = expected if gradient.ndim == 2 else bias
        np.testing.assert_allclose(gradient.numpy(), -by_hand / (samples * ticks), rtol=1e-12)


# SpikeProp


@pytest.mark.parametrize(("alpha", "beta"), [(0.8, 0.9), (0.85, 0.85)])
def test_spikeprop_is_the_derivative_of_spike_times(alpha: float, beta: float) -> None:
    """Two layers: finite differences of the output's times by all weights and all input times."""
    rng = np.random.default_rng(8)
    ticks = 20
    times = torch.tensor(rng.uniform(0, 6, (3, 5)), requires_grad=True)
    layers = [
        torch.tensor(rng.uniform(-0.05, 0.4, shape), requires_grad=True) for shape in ((5, 6), (6, 4))
    ]
    by = torch.tensor(rng.normal(size=(3, 4)))

    def total(inputs: Tensor, *weights: Tensor) -> Tensor:
        for matrix in weights:
            inputs = spike_times(
                inputs, matrix, torch.tensor(0.5).double(), alpha=alpha, beta=beta, ticks=ticks
            )
        assert (inputs < ticks).all()  # they all fire
        return (inputs * by).sum()

    assert torch.autograd.gradcheck(total, (times, *layers), eps=1e-6, atol=1e-5, rtol=1e-4)


def test_spikeprop_wakes_a_silent_neuron_where_it_should_fire_earlier() -> None:
    weights = torch.full((1, 2), 0.01, requires_grad=True)
    times = spike_times(torch.zeros(1, 1), weights, torch.tensor(1.0), alpha=0.8, beta=0.9, ticks=8)
    assert times.tolist() == [[8, 8]]
    (times * torch.tensor([1.0, -1.0])).sum().backward()  # type: ignore[no-untyped-call]
    assert weights.grad is not None
    assert weights.grad[0, 0] < 0
    assert weights.grad[0, 1] == 0


def test_spikeprop_has_the_contract_s_spike_times() -> None:
    parts = {"alpha": 0.75, "beta": 0.875}  # which need no rounding
    model = chain(h=parts, o={**parts, "reset_mechanism": "subtract"})
    batch = batch_for(samples=20)
    run = LocalRun(model, batch.spikes)
    first = first_spikes(run, "h", {"input": arrivals(run.passed["input"])}, 14)
    fired = run.activity.spikes["h"]
    expected = torch.where(fired.any(1), fired.argmax(1), 14)
    assert torch.equal(first.detach().to(torch.int64), expected)
    assert len(expected.unique()) > 5


# All of them


def refusals() -> list[tuple[str, SpikingNetwork, dict[str, Any], str]]:
    once = {"alpha": 0.7, "rho": 1.0, "jump": 100.0}
    timed = {"loss": "first_spike"}
    delayed = SpikingNetwork(
        INPUTS, {"o": LIF(CLASSES, 0.9)}, [("input", "o", DelayedLinear(INPUTS, CLASSES, max_delay=3))]
    )
    local = ("superspike", "eprop", "decolle", "resume", "spikeprop")
    return [
        *((rule, delayed, {}, "the learned delays of input -> o: give delays=random") for rule in local),
        *((rule, chain(), {"rate_cost": 1.0}, "with rate_cost, whose gradient") for rule in local),
        *((rule, chain(h={"batch_norm": True}), {}, "the batch normalisation of 'h'") for rule in local),
        *((rule, chain(h={"noise_scale": 0.1}), {}, "the noise of 'h'") for rule in local),
        *((rule, chain(h={"learn_threshold": True}), {}, "the threshold of 'h'") for rule in local),
        ("superspike", recurrent(), {}, "the recurrent projection a -> a: leave it out"),
        ("superspike", chain(o=READOUT), {}, "the readout 'o', which answers by its membrane"),
        ("resume", chain(o=READOUT), {}, "the readout 'o', which answers by its membrane"),
        ("eprop", chain(o={"reset_mechanism": "zero"}), {}, "the output 'o', which a spike resets to zero"),
        ("eprop", chain(o=ADAPTIVE), {}, "the output 'o': give it LIF neurons with one beta for all, and no rho"),
        ("spikeprop", chain(), {}, "with the loss spike_count, since it trains spike times"),
        ("spikeprop", recurrent(), timed, "the recurrent projection a -> a"),
        ("spikeprop", chain(), timed, "'h', whose membrane jumps when a spike arrives"),
        ("spikeprop", chain(h={"alpha": 0.5}), timed, "'h', whose neurons may fire more than once a sample"),
        ("spikeprop", chain(h=once), timed, "'o', whose membrane jumps when a spike arrives"),
    ]  # fmt: skip


def test_rules_refuse_by_name_what_they_cannot_train() -> None:
    for name, model, values, message in refusals():
        loss = {"loss": "spike_count", **values}
        with pytest.raises(InputError) as error:
            find_rule(name)(model, Settings(**loss))
        text = str(error.value)
        assert text.startswith(f"rule '{name}' cannot train {message}"), text
        assert "\n" not in text
    with pytest.raises(
        InputError, match=r"^no rule 'stdp'; the rules are decolle, eprop, resume, spikeprop"
    ):
        find_rule("stdp")


def test_a_rule_from_outside_is_registered_under_a_name_of_its_own() -> None:
    class Other(Rule):
        name = "eprop"
        title = "another"

    with pytest.raises(InputError, match="rule 'eprop' is registered already"):
        register(Other)
    assert {"surrogate", "superspike", "eprop", "decolle", "resume", "spikeprop"} <= set(RULES)


@pytest.mark.parametrize("name", sorted(RULES))
def test_each_rule_ends_in_an_integer_network_that_torch_and_golden_run_alike(name: str) -> None:
    timed = name == "spikeprop"
    task = find("digits_latency" if timed else "digits")
    values = (
        {"loss": "first_spike", "neuron": "once"} if timed else {"max_delay": 2, "delays": "random"}
    )
    settings: Any = dataclasses.replace(task.settings, rule=name, epochs=2, hidden=12, **values)
    data = task.load(settings, None)
    few = data._replace(
        training=type(data.training)(data.training.values[:128], data.training.labels[:128])
    )
    networks = []
    for _ in range(2):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(1)
            model = task.build(settings, few)
            before = to_network(model)
            fit(
                model, few, settings, seed=1, warn=lambda line: None,
                encode=lambda v: task.encode(v, settings), vary=lambda v, rng: task.vary(v, settings, rng),
            )  # fmt: skip
        networks.append(to_network(model))
    network = networks[0]
    assert network == networks[1]  # of the same seed
    assert network != before
    spikes = task.encode(few.test.values[:24], settings)
    expected, found = simulate(network, spikes), integer_forward(network, spikes)
    for population, fired in expected.spikes.items():
        np.testing.assert_array_equal(found.spikes[population], fired)
    np.testing.assert_array_equal(found.classes, expected.classes)


def test_the_signal_of_the_output_is_the_derivative_of_the_loss() -> None:
    model, batch = chain(o=READOUT), batch_for()
    rule = find_rule("eprop")(model, Settings(loss="membrane"))
    signal, loss = output_signal(rule, LocalRun(model, batch.spikes).activity, batch.labels)
    assert signal.of["spikes"] is None
    assert loss.item() == pytest.approx(rule.loss(model(batch.spikes), batch.labels).item())
