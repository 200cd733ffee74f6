"""Networks that learn by a plasticity rule, in torch: the third witness of what they become."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from lifline.files import check_spikes
from lifline.network import INPUT, Network, Projection
from lifline.recording import Recording
from lifline.teaching import check_reward, learners, taught

from .integer import check_exact
from .neurons import cell_of
from .plasticity import Rule, rule_of


class _Projection:
    """The weights and delays of a projection; `rule` where it learns."""

    def __init__(self, projection: Projection, device: torch.device, learns: bool) -> None:
        weights, delays = projection.synapses.dense()
        self.source, self.target = projection.source, projection.target
        self.weights = torch.from_numpy(weights.astype(np.int64)).to(device)
        self.delays = torch.from_numpy(delays.astype(np.int64)).to(device)
        self.rule: Rule | None = None
        if learns:
            assert projection.plasticity is not None
            self.rule = rule_of(projection.plasticity, projection.synapses, device)

    def arriving(self, spikes: Tensor, t: int) -> Tensor:
        """What arrives at each synapse in tick t of the source's spikes (ticks, size)."""
        when = t - self.delays
        sources = torch.arange(len(when), device=when.device)[:, None].expand_as(when)
        return torch.where(when >= 0, spikes[when.clamp(min=0), sources], 0)


@torch.no_grad()
def learn(
    network: Network,
    spikes: np.ndarray,
    reward: np.ndarray | int | None = None,
    *,
    device: torch.device | str = "cpu",
    traces: bool = False,
) -> Recording:
    """Run `network` on the samples in order, while its synapses learn; as ``golden.simulate(…, learn=True)``.

    Parameters
    ----------
    network : Network
    spikes : (ticks, inputs) or (samples, ticks, inputs), integers 0 … 2^input_bits − 1
    reward : integers (samples,), optional
        The host's signal at the end of each sample, where a rule needs one.
    device : torch.device or str
    traces : bool
        Whether to record what else the rules keep at the end of each sample.

    Returns
    -------
    Recording
        With the weights after each sample, and the network after the last.

    Raises
    ------
    InputError
        If `spikes` or `reward` have another shape, type or value.
    NetworkError
        If floating-point numbers cannot hold the network's integers exactly.
    """
    check_exact(network)
    device = torch.device(device)
    spikes = check_spikes(spikes, network.inputs, network.input_bits)
    batch = spikes if spikes.ndim == 3 else spikes[None]
    samples, ticks, _ = batch.shape
    rewards = check_reward(network, reward, samples)
    plastic = learners(network)
    between = [
        _Projection(projection, device, index in plastic)
        for index, projection in enumerate(network.projections)
    ]
    rules = {index: rule for index in plastic if (rule := between[index].rule) is not None}
    fired = {p.name: np.zeros((samples, ticks, p.size), np.uint8) for p in network.populations}
    states = {
        p.name: {s.name: np.zeros((samples, ticks, p.size), np.int32) for s in p.neuron.states}
        for p in network.populations
    }
    weights = {index: np.zeros((samples, *rule.w.shape), np.int32) for index, rule in rules.items()}
    kept_traces = {
        index: {name: np.zeros_like(weights[index]) for name in rule.traces}
        for index, rule in (rules.items() if traces else ())
    }
    after = network
    for sample in range(samples):
        last = _run(
            after,
            between,
            torch.from_numpy(batch[sample].astype(np.int64)).to(device),
            {name: array[sample] for name, array in fired.items()},
            {name: {s: array[sample] for s, array in of.items()} for name, of in states.items()},
        )
        for index, arrays in kept_traces.items():
            for name, values in rules[index].traces.items():
                arrays[name][sample] = values.cpu().numpy()
        for index, rule in rules.items():
            rule.settle(0 if rewards is None else int(rewards[sample]))
            weights[index][sample] = rule.w.cpu().numpy()
        if ticks:
            after = taught(after, {}, last)
    learned = {index: rule.w.cpu().numpy() for index, rule in rules.items()}
    recording = dataclasses.replace(
        Recording.of(network, fired, states),
        weights=weights,
        network=taught(after, learned, {}, samples),
        traces=kept_traces if traces else None,
    )
    return recording if spikes.ndim == 3 else recording[0]


def _run(
    network: Network,
    between: list[_Projection],
    inputs: Tensor,
    fired: Mapping[str, np.ndarray],
    states: Mapping[str, Mapping[str, np.ndarray]],
) -> dict[str, dict[str, np.ndarray]]:
    """One sample, tick by tick; the states at its end."""
    like = torch.zeros((), dtype=torch.float64, device=inputs.device)
    cells = {p.name: cell_of(p, like) for p in network.order}
    rest = {p.name: like.new_zeros(1, p.size) for p in network.order}
    kept = {name: cell.start(rest[name]) for name, cell in cells.items()}
    now = dict(rest)  # s[t − 1], then s[t]
    s = {INPUT: inputs} | {p.name: inputs.new_zeros(len(inputs), p.size) for p in network.populations}
    for projection in between:
        if projection.rule is not None:
            projection.rule.start()
    for t in range(len(inputs)):
        found = {name: of["membrane"][0].to(torch.int64) for name, of in kept.items()}
        for name, cell in cells.items():
            total = torch.zeros_like(rest[name][0], dtype=torch.int64)
            for projection in between:
                if projection.target == name:
                    rule = projection.rule
                    weights = projection.weights if rule is None else rule.delivered()
                    total += (weights * projection.arriving(s[projection.source], t)).sum(dim=0)
            current = total[None].to(like.dtype) * cell.gain
            if cell.bias is not None:
                current = current + cell.bias
            kept[name], now[name] = cell.tick(current, kept[name], now[name])
            s[name][t] = now[name][0].to(torch.int64)
            fired[name][t] = s[name][t].cpu().numpy()
            for state, values in kept[name].items():
                states[name][state][t] = values[0].to(torch.int32).cpu().numpy()
        for projection in between:
            if projection.rule is not None:
                s_pre = projection.arriving(s[projection.source], t) > 0
                s_post = (s[projection.target][t] > 0).expand_as(s_pre)
                membrane = found[projection.target].expand_as(s_pre)
                projection.rule.tick(s_pre, s_post, membrane)
    return (
        {name: {k: array[-1] for k, array in of.items()} for name, of in states.items()}
        if len(inputs)
        else {}
    )
