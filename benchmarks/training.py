"""A training step beside snnTorch's: 784-128-10, 25 ticks, a batch of 128, one thread.

A step is forward, cross-entropy of the output's spike counts, backward, Adam.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from lifline.train import LIF, SpikingNetwork

from .inputs import pictures, rate_coded
from .measure import SEED, Options, Result, milliseconds, ratio, side_by_side

BATCH, TICKS, BETA, ALPHA = 128, 25, 0.95, 0.5


def run(options: Options) -> Result:
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    rng = np.random.default_rng(SEED)
    samples = 8 if options.quick else BATCH
    what, images = pictures(rng, samples)
    spikes = rate_coded(rng, images, TICKS)
    labels = torch.tensor(rng.integers(0, 10, samples))
    leaky, synaptic = "snnTorch, Leaky", "snnTorch, Synaptic"
    calls = {
        "lifline, floating point": _lifline(spikes, labels, quantize=False),
        "lifline, quantised": _lifline(spikes, labels, quantize=True),
        leaky: _snntorch(spikes, labels),
        "lifline, CUBA, quantised": _lifline(spikes, labels, alpha=ALPHA),
        synaptic: _snntorch(spikes, labels, alpha=ALPHA),
        "lifline, ALIF, quantised": _lifline(spikes, labels, rho=0.9, jump=0.3),
    }
    times = side_by_side(calls, 2 if options.quick else 30)
    peers = {
        "lifline, floating point": leaky,
        "lifline, quantised": leaky,
        "lifline, CUBA, quantised": synaptic,
    }
    rows = [
        {
            "step of": name,
            "ms": milliseconds(taken),
            "× snnTorch": ratio(times[peers[name]], taken) if name in peers else None,
        }
        for name, taken in times.items()
    ]
    return Result(
        f"Training step, 784-128-10, {TICKS} ticks, batch {samples}, one thread",
        rows,
        notes=[
            f"Input: {what}, rate coded, {spikes.mean():.1%} active.",
            "Quantised: 8-bit weights, 1/256ths of beta and integer states, as the gateware has them.",
            "CUBA has a synaptic current (alpha), as Synaptic; ALIF an adaptive threshold, which snnTorch lacks.",
            "Medians of processor time; ratios with quartiles.",
        ],
        settings={"batch": samples, "ticks": TICKS, "beta": BETA},
    )


def _step(
    model: torch.nn.Module, scores: Callable[[], torch.Tensor], labels: torch.Tensor
) -> Callable[[], object]:
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)

    def step() -> None:
        optimizer.zero_grad()
        cross_entropy(scores(), labels).backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    return step


def _lifline(
    spikes: np.ndarray, labels: torch.Tensor, *, quantize: bool = True, **parts: float
) -> Callable[[], object]:
    model = SpikingNetwork.feed_forward(784, *(LIF(size, beta=BETA, **parts) for size in (128, 10)))
    model.quantize = quantize
    model.train()
    inputs = torch.tensor(spikes)
    return _step(model, lambda: model(inputs).scores, labels)


def _snntorch(
    spikes: np.ndarray, labels: torch.Tensor, *, alpha: float | None = None
) -> Callable[[], object]:
    import snntorch

    linear = torch.nn.ModuleList([torch.nn.Linear(784, 128), torch.nn.Linear(128, 10)])
    neurons = [
        snntorch.Leaky(beta=BETA) if alpha is None else snntorch.Synaptic(alpha, BETA) for _ in linear
    ]
    inputs = torch.tensor(spikes.swapaxes(0, 1).astype(np.float32))

    def scores() -> torch.Tensor:
        states = []
        for layer in neurons:
            state = layer.reset_mem()
            states.append((state,) if alpha is None else state)
        fired = []
        for x in inputs:
            for i, (product, layer) in enumerate(zip(linear, neurons, strict=True)):
                x, *after = layer(product(x), *states[i])
                states[i] = tuple(after)
            fired.append(x)
        return torch.stack(fired).sum(0)

    return _step(linear, scores, labels)
