"""A population over all ticks at once, and the loops between populations."""

from __future__ import annotations

import pytest
import torch

from lifline.neurons import Reset
from lifline.train.arithmetic import Neurons, _in_step, _scan, loops
from lifline.train.surrogate import fast_sigmoid


@pytest.mark.parametrize("bounds", [(-torch.inf, torch.inf), (-1.1, 1.3)])
@pytest.mark.parametrize("reset_delay", [False, True])
@pytest.mark.parametrize("reset", list(Reset))
def test_the_scan_s_gradients_are_those_of_the_tick_loop(
    reset: Reset, reset_delay: bool, bounds: tuple[float, float]
) -> None:
    """Two ways to run a population: one backward pass by hand, and one by torch's automatic one."""
    torch.manual_seed(0)
    currents = (0.6 * torch.randn(25, 4, 5)).double()
    by_v, by_s = torch.randn(2, 25, 4, 5).double()
    results = []
    for way in (
        lambda n, x: _scan(n, x),
        lambda n, x: _in_step([n], [], {"p": x})["p"],
    ):
        leaves = [
            currents.clone().requires_grad_(),
            torch.full((5,), 0.9).double().requires_grad_(),
            torch.linspace(0.5, 0.9, 5).double().requires_grad_(),
        ]
        n = Neurons(
            "p", 5, leaves[1], leaves[2], torch.zeros(5).double(), reset, reset_delay, *bounds,
            floor=False, derivative=fast_sigmoid(3.0).derivative,
        )  # fmt: skip
        v, s = way(n, leaves[0])
        ((v * by_v).sum() + (s * by_s).sum()).backward()
        results.append([v, s, *(leaf.grad for leaf in leaves)])
    assert 0.05 < results[0][1].mean() < 0.95
    for fast, slow in zip(*results, strict=True):
        torch.testing.assert_close(fast, slow, rtol=1e-9, atol=1e-9)


def test_groups_of_populations_that_share_a_loop() -> None:
    routes = [
        ("input", "a"),
        ("a", "b"),
        ("b", "a"),
        ("b", "c"),
        ("c", "c"),
        ("d", "a"),
        ("input", "d"),
    ]
    assert loops(["c", "b", "a", "d"], routes) == [["d"], ["b", "a"], ["c"]]
