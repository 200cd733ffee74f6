"""Training in several processes, and what is said where they do not find each other."""

from __future__ import annotations

import datetime
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from lifline import InputError, Network
from lifline.train import distributed
from lifline.train.tasks import run_task


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"WORLD_SIZE": "abc"}, "WORLD_SIZE must be an integer ≥ 1, not 'abc'"),
        ({"WORLD_SIZE": "0"}, "WORLD_SIZE must be an integer ≥ 1, not '0'"),
        ({"WORLD_SIZE": "2"}, "WORLD_SIZE is set, but not RANK"),
        ({"WORLD_SIZE": "2", "RANK": "x"}, "RANK must be an integer ≥ 0, not 'x'"),
        ({"WORLD_SIZE": "2", "RANK": "0"}, "WORLD_SIZE is set, but not MASTER_PORT"),
        ({"WORLD_SIZE": "2", "RANK": "0", "MASTER_PORT": "1"}, "MASTER_ADDR is not set"),
    ],
)
def test_variables_of_torchrun(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], message: str
) -> None:
    for name in ("WORLD_SIZE", "RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    remedy = ": start all processes with torchrun, or unset WORLD_SIZE to train in one"
    with pytest.raises(InputError, match=re.escape(message + remedy)), distributed.processes():
        pass


def test_processes_that_nobody_joins_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    variables = {"WORLD_SIZE": "2", "RANK": "0", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": f"{port}"}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    monkeypatch.setattr(distributed, "PATIENCE", datetime.timedelta(seconds=1))
    said: list[str] = []
    message = "the 2 processes of WORLD_SIZE did not find each other"
    with pytest.raises(InputError, match=message), distributed.processes(said.append):
        pass
    assert said == ["WORLD_SIZE is 2: waiting for the other processes at 127.0.0.1"]


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_processes_that_nobody_joins_can_be_ended(
    data: Path, tmp_path: Path, end: signal.Signals
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    variables = {"WORLD_SIZE": "2", "RANK": "0", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": f"{port}"}
    command = [sys.executable, "-m", "lifline", "train", "arrays", "--data", str(data), "-o", "out"]
    with subprocess.Popen(
        command, env={**os.environ, **variables}, stderr=subprocess.PIPE, text=True, cwd=tmp_path
    ) as process:
        assert process.stderr is not None
        assert "waiting for the other processes" in process.stderr.readline()
        time.sleep(1)  # now it waits
        process.send_signal(end)
        assert process.wait(20) == -end
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_two_processes_train_one_network(data: Path, tmp_path: Path) -> None:
    """Gradients of shares of a batch add up: two processes take the same steps as one."""
    options = [
        "train", "arrays", "--data", str(data), "--epochs", "2", "--delays", "none", "--seed", "1",
        *(f"--set={setting}" for setting in ("layers=1", "hidden=8", "batch=20", "drop=0", "dropout=0", "quantised=1")),
    ]  # fmt: skip
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    for name, command in [("one", [sys.executable]), ("two", launch)]:
        command = [*command, "-m", "lifline", *options, "-o", str(tmp_path / name)]
        subprocess.run(command, check=True, capture_output=True, timeout=300)
    one, two = (Network.load(tmp_path / name / "network.npz") for name in ("one", "two"))
    for mine, theirs in zip(one.projections, two.projections, strict=True):
        assert (
            np.abs(mine.synapses.weights - theirs.synapses.weights).max() <= 1
        )  # a sum in another order
        assert (mine.synapses.weights != theirs.synapses.weights).mean() < 0.1
    untrained = run_task("arrays", tmp_path / "other", data=data, seed=2, epochs=1, batch=120)
    assert untrained["seed"] == 2
