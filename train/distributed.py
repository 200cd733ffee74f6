"""Training in several processes: each takes its share of every batch, and all take the same steps."""

from __future__ import annotations

import contextlib
import datetime
import os
import re
from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor, nn

from lifline.errors import InputError

#: So long the processes of a run wait for each other.
PATIENCE = datetime.timedelta(minutes=10)


@contextlib.contextmanager
def processes(say: Callable[[str], None] = lambda line: None) -> Iterator[int]:
    """Join the processes that ``torchrun`` has started, if it has; gives this process's number, from 0.

    Raises
    ------
    InputError
        If the variables that torchrun sets are not all there, or the others do not come.
    """
    size = _variable("WORLD_SIZE", least=1) if "WORLD_SIZE" in os.environ else 1
    if size == 1:
        yield 0
        return
    for name in ("RANK", "MASTER_PORT"):
        _variable(name)
    _variable("LOCAL_RANK") if "LOCAL_RANK" in os.environ else None
    address = os.environ.get("MASTER_ADDR")
    if not address:
        raise _no_torchrun("MASTER_ADDR is not set")
    if "TORCHELASTIC_RUN_ID" not in os.environ:  # not torchrun, which starts all of them
        say(f"WORLD_SIZE is {size}: waiting for the other processes at {address}")
    try:
        torch.distributed.init_process_group(
            "nccl" if torch.cuda.is_available() else "gloo", timeout=PATIENCE
        )
    except (RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else "no reason given"
        raise _no_torchrun(
            f"the {size} processes of WORLD_SIZE did not find each other ({reason})"
        ) from None
    try:
        yield rank()
    finally:
        torch.distributed.destroy_process_group()


def _variable(name: str, least: int = 0) -> int:
    """A variable that torchrun sets, as a number."""
    text = os.environ.get(name)
    if text is None:
        raise _no_torchrun(f"WORLD_SIZE is set, but not {name}")
    if not re.fullmatch(r"[0-9]{1,9}", text) or int(text) < least:
        raise _no_torchrun(f"{name} must be an integer ≥ {least}, not {text!r}")
    return int(text)


def _no_torchrun(what: str) -> InputError:
    return InputError(f"{what}: start all processes with torchrun, or unset WORLD_SIZE to train in one")


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
