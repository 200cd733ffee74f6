"""A layer of learned delays beside PyPI's DCLS: 140→256, 25 delays, 100 ticks, a batch of 128, one thread.

Both layers have the same weights, positions and width of the Gaussian, so that their currents and gradients
are the same numbers; the largest difference is in the table.  DCLS takes a delay's position from the middle
of its kernel, and adds 0.27 to the width that it is given.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch.nn.functional import pad

from lifline.train import DelayedLinear

from .inputs import independent
from .measure import SEED, Options, Result, milliseconds, ratio, side_by_side

BATCH, TICKS, SOURCES, TARGETS, DELAYS = 128, 100, 140, 256, 25
ACTIVITY = 0.05


def run(options: Options) -> Result:
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    rng = np.random.default_rng(SEED)
    samples = 4 if options.quick else BATCH
    spikes = torch.tensor(independent(rng, ACTIVITY, samples, TICKS, SOURCES), dtype=torch.float32)
    gradient = torch.randn(samples, TICKS, TARGETS) / samples
    rows = []
    for sigma in (6.0, 0.5):
        for deeper in (False, True):
            ours, peer = (
                _lifline(spikes, gradient, sigma, deeper),
                _dcls(spikes, gradient, sigma, deeper),
            )
            difference = max(_difference(a, b) for a, b in zip(ours(), peer(), strict=True))
            times = side_by_side({"lifline": ours, "DCLS": peer}, 1 if options.quick else 8)
            rows.append(
                {
                    "sigma": sigma,
                    "gradients of": "weights, positions" + (", input" if deeper else ""),
                    **{f"{name} ms": milliseconds(taken) for name, taken in times.items()},
                    "× DCLS": ratio(times["DCLS"], times["lifline"]),
                    "largest relative difference": f"{difference:.0e}",
                }
            )
    return Result(
        f"Delay layer, {SOURCES}→{TARGETS}, {DELAYS} delays, {TICKS} ticks, batch {samples}, one thread",
        rows,
        notes=[
            "Forward and backward.  The difference is that of currents and of each gradient, relative to its "
            "largest value.",
            "Medians of processor time; ratios with quartiles.",
        ],
        settings={"batch": samples, "ticks": TICKS, "activity": ACTIVITY},
    )


Call = Callable[[], list[torch.Tensor]]


def _difference(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a - b).abs().max() / b.abs().max())


def _start() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(SEED)
    weights = torch.randn(SOURCES, TARGETS, generator=generator)
    return weights, torch.rand(SOURCES, TARGETS, generator=generator) * (DELAYS - 1)


def _lifline(spikes: torch.Tensor, gradient: torch.Tensor, sigma: float, deeper: bool) -> Call:
    weights, positions = _start()
    layer = DelayedLinear(
        SOURCES, TARGETS, max_delay=DELAYS - 1, sigma=sigma, weights=weights, positions=positions
    )
    inputs = spikes.clone().requires_grad_(deeper)
    wanted = [layer.weights, layer.positions] + [inputs] * deeper

    def call() -> list[torch.Tensor]:
        currents = layer(inputs)
        return [currents.detach(), *torch.autograd.grad(currents, wanted, gradient)]

    return call


def _dcls(spikes: torch.Tensor, gradient: torch.Tensor, sigma: float, deeper: bool) -> Call:
    from DCLS.construct.modules import Dcls1d

    weights, positions = _start()
    layer = Dcls1d(
        SOURCES, TARGETS, kernel_count=1, dilated_kernel_size=DELAYS, bias=False, version="gauss"
    )
    layer.weight.data = weights.T[:, :, None].contiguous()
    layer.P.data = (DELAYS // 2 - positions.T)[None, :, :, None].contiguous()
    layer.SIG.data.fill_(sigma - 0.27)
    layer.SIG.requires_grad_(False)
    inputs = spikes.swapaxes(1, 2).contiguous().requires_grad_(deeper)  # its own form
    wanted = [layer.weight, layer.P] + [inputs] * deeper
    gradient = gradient.swapaxes(1, 2).contiguous()

    def call() -> list[torch.Tensor]:
        currents = layer(pad(inputs, (DELAYS - 1, 0)))
        by_weight, by_position, *by_input = torch.autograd.grad(currents, wanted, gradient)
        return [
            currents.detach().swapaxes(1, 2),
            by_weight[:, :, 0].T,
            -by_position[0, :, :, 0].T,
            *(values.swapaxes(1, 2) for values in by_input),
        ]

    return call
