"""Training in several processes: each takes its share of every batch, and all take the same steps."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn


@contextlib.contextmanager
def processes() -> Iterator[int]:
    """Join the processes that ``torchrun`` has started, if it has; gives this process's number, from 0."""
    if "WORLD_SIZE" not in os.environ or int(os.environ["WORLD_SIZE"]) == 1:
        yield 0
        return
    torch.distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    try:
        yield rank()
    finally:
        torch.distributed.destroy_process_group()


def world() -> int:
    """The number of processes."""
    return torch.distributed.get_world_size() if torch.distributed.is_initialized() else 1


def rank() -> int:
    """The number of this process, from 0."""
    return torch.distributed.get_rank() if torch.distributed.is_initialized() else 0


def device() -> torch.device:
    """The GPU of this process, or the CPU."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    gpu = torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)))
    torch.cuda.set_device(gpu)
    return gpu


def add_gradients(parameters: Iterable[Tensor]) -> None:
    """Give every process the sum of all processes' gradients."""
    if world() > 1:
        for parameter in parameters:
            if parameter.grad is not None:
                torch.distributed.all_reduce(parameter.grad)


def share_counts(model: nn.Module, sums: dict[str, float]) -> None:
    """Sum up what the processes counted, and give all the mean of their running statistics."""
    if world() == 1:
        return
    totals = torch.tensor(
        list(sums.values()), dtype=torch.float64, device=next(model.parameters()).device
    )
    torch.distributed.all_reduce(totals)
    sums.update(zip(sums, totals.tolist(), strict=True))
    for buffer in model.buffers():
        if buffer.is_floating_point():
            torch.distributed.all_reduce(buffer)
            buffer /= world()
