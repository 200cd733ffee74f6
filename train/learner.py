"""Optimiser and learning rate of each part of a training."""

from __future__ import annotations

from typing import Any

import torch

from . import distributed
from .rules import Rule
from .settings import Settings


class Learner:
    """Optimiser and schedule for the epochs `span`, of a rule's model and of what the rule learns besides."""

    def __init__(self, rule: Rule, settings: Settings, steps: int, span: tuple[int, int]) -> None:
        begin, end = span
        model = rule.model
        rate = settings.learning_rate * (settings.quantised_rate if begin else 1)
        positions = [
            synapses.positions for synapses in model.delayed if synapses.positions.requires_grad
        ]
        others = [
            p
            for p in [*model.parameters(), *rule.parameters()]
            if not any(p is q for q in positions) and p.requires_grad
        ]
        groups = [{"params": others, "weight_decay": settings.weight_decay}]
        rates = [rate]
        if positions:
            groups.append({"params": positions, "weight_decay": 0.0})
            rates.append(rate * settings.delay_rate)
        self.optimizer = torch.optim.Adam(groups, rate)
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimizer,
            rates,
            total_steps=max((end - begin) * steps, 11),  # with 10, a warm-up of 0 steps
            pct_start=0.1 if begin else 0.3,
        )

    def begin(self) -> None:
        """Before a step's gradients are computed: there are none yet."""
        self.optimizer.zero_grad()

    def step(self) -> None:
        """Change the parameters by their gradients, those of all processes together."""
        for group in self.optimizer.param_groups:
            distributed.add_gradients(group["params"])
        self.optimizer.step()
        self.schedule.step()

    def state_dict(self) -> dict[str, Any]:
        return {"optimizer": self.optimizer.state_dict(), "schedule": self.schedule.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
