"""Surrogate gradients against their formulas."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch

from lifline.train import Surrogate
from lifline.train.surrogate import atan, fast_sigmoid, straight_through, triangle

CASES: list[tuple[Surrogate, str, Callable[[float], float]]] = [
    (fast_sigmoid(), "fast_sigmoid(slope=25)", lambda x: 1 / (1 + 25 * abs(x)) ** 2),
    (fast_sigmoid(2), "fast_sigmoid(slope=2)", lambda x: 1 / (1 + 2 * abs(x)) ** 2),
    (atan(), "atan(alpha=2)", lambda x: 1 / (1 + (math.pi * x) ** 2)),
    (atan(0.5), "atan(alpha=0.5)", lambda x: 0.25 / (1 + (math.pi / 4 * x) ** 2)),
    (triangle(), "triangle(width=1, height=1)", lambda x: max(0.0, 1 - abs(x))),
    (triangle(2, 0.3), "triangle(width=2, height=0.3)", lambda x: 0.3 * max(0.0, 1 - abs(x) / 2)),
    (straight_through(), "straight_through()", lambda x: 1.0),
]
POINTS = [-3.0, -1.0, -0.25, 0.0, 1e-9, 0.5, 1.0, 7.0]


@pytest.mark.parametrize(("surrogate", "name", "formula"), CASES, ids=[name for _, name, _ in CASES])
def test_step_forward_and_formula_backward(
    surrogate: Surrogate, name: str, formula: Callable[[float], float]
) -> None:
    x = torch.tensor(POINTS, dtype=torch.float64, requires_grad=True)
    spikes = surrogate(x)
    assert spikes.tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    weights = torch.arange(1.0, len(POINTS) + 1, dtype=torch.float64)
    (spikes * weights).sum().backward()
    expected = [weight * formula(point) for weight, point in zip(weights.tolist(), POINTS, strict=True)]
    torch.testing.assert_close(x.grad, torch.tensor(expected, dtype=torch.float64), rtol=1e-12, atol=0)
    assert surrogate.name == name
