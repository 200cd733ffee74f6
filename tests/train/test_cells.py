"""Hand-written gradients against autograd's, tick by tick, in float64."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
from torch import Tensor

from lifline.neurons import Reset
from lifline.train.neurons.cell import Cell
from lifline.train.neurons.lif_cell import LIFCell
from lifline.train.neurons.noise import Generated
from lifline.train.surrogate import fast_sigmoid

TICKS, SAMPLES, SIZE = 25, 4, 7

PARTS = ["plain", "current", "adaptation", "noise", "all"]


def cell(parts: str, reset: Reset, reset_delay: bool, saturates: bool) -> LIFCell:
    """A cell with parameters that learn, whose neurons spike and, where asked, saturate."""
    generator = torch.Generator().manual_seed(5)

    def between(low: float, high: float) -> Tensor:
        values = torch.rand(SIZE, generator=generator, dtype=torch.float64)
        return (low + (high - low) * values).requires_grad_()

    values: dict[str, Any] = {}
    if parts in ("current", "all"):
        values |= {"alpha": between(0.2, 0.9), "current_high": 1.3 if saturates else torch.inf}
    if parts in ("adaptation", "all"):
        values |= {"rho": between(0.5, 0.99), "jump": between(-0.2, 0.9)}
        values["adaptation_high"] = 0.9 if saturates else torch.inf
    if parts in ("noise", "all"):
        table = torch.randn(64, generator=generator, dtype=torch.float64)
        values["noise"] = Generated(table, torch.arange(1, SIZE + 1, dtype=torch.int32))
    derivative = fast_sigmoid(3.0).derivative
    return LIFCell(
        size=SIZE,
        beta=between(0.5, 1.0),
        threshold=between(0.3, 1.0),
        bias=torch.zeros((), dtype=torch.float64),
        reset=reset,
        reset_delay=reset_delay,
        high=1.5 if saturates else torch.inf,
        derivative=derivative,
        **values,
    )


def everything(cell: LIFCell, *, by_ticks: bool) -> tuple[Tensor, dict[str, Tensor]]:
    """All states and spikes as one tensor, and the gradient of a random sum of them by each parameter and current."""
    generator = torch.Generator().manual_seed(6)
    currents = torch.randn(
        TICKS, SAMPLES, SIZE, generator=generator, dtype=torch.float64
    ).requires_grad_()
    states, spikes = Cell.scan(cell, currents) if by_ticks else cell.scan(currents)
    assert list(states) == list(cell.start(currents[0]))
    values = torch.cat([spikes, *(v.to(spikes.dtype) for v in states.values())])
    (values * torch.randn(values.shape, generator=generator, dtype=torch.float64)).sum().backward()
    learned = {
        field.name: getattr(cell, field.name)
        for field in dataclasses.fields(cell)
        if isinstance(getattr(cell, field.name), Tensor) and getattr(cell, field.name).requires_grad
    }
    gradients = {name: value.grad for name, value in {"currents": currents, **learned}.items()}
    return values.detach(), gradients  # type: ignore[return-value]


@pytest.mark.parametrize("saturates", [False, True])
@pytest.mark.parametrize("reset_delay", [False, True])
@pytest.mark.parametrize("reset", list(Reset))
@pytest.mark.parametrize("parts", PARTS)
def test_the_scan_is_autograd_tick_by_tick(
    parts: str, reset: Reset, reset_delay: bool, saturates: bool
) -> None:
    scanned, by_hand = everything(cell(parts, reset, reset_delay, saturates), by_ticks=False)
    stepped, by_autograd = everything(cell(parts, reset, reset_delay, saturates), by_ticks=True)
    torch.testing.assert_close(scanned, stepped, rtol=0, atol=0)
    assert 0.05 < scanned[:TICKS].mean() < 0.95
    assert by_hand.keys() == by_autograd.keys()
    assert {"current": "alpha", "adaptation": "jump", "all": "rho"}.get(parts, "beta") in by_hand
    for name, gradient in by_autograd.items():
        assert gradient.abs().sum() > 0, name
        torch.testing.assert_close(by_hand[name], gradient, rtol=1e-9, atol=1e-9, msg=name)
