"""Ports, bauds, faults, encoders and raw values that cannot be: one line, soon, and no board is made."""

from __future__ import annotations

import os
import pty
import threading
import time
import tty
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from lifline import LIF, Network, Population
from lifline.files import write_npz

RUN = ("run", "network.npz", "--input", "spikes.npz")


@pytest.mark.parametrize(
    "port", ["", "/dev/null", "/dev/full", "text", ".", "none", "a\0b", "x" * 5000, "socket://127.0.0.1:1"]
)  # fmt: skip
@pytest.mark.parametrize("command", ["run", "monitor"])
def test_what_is_no_port(plain: Path, fails: Callable[..., str], command: str, port: str) -> None:
    Path("text").write_text("text")
    arguments = RUN if command == "run" else ("monitor", "network.npz", "--json", "--seconds", "1")
    assert fails(*arguments, "--port", port, "--timeout", "0.2").startswith(
        "cannot open the serial port"
    )


@pytest.fixture
def chatter(request: pytest.FixtureRequest) -> Iterator[str]:
    """A port behind which something says the same bytes again and again."""
    ours, theirs = pty.openpty()
    tty.setraw(theirs)
    done = threading.Event()

    def say() -> None:
        while not done.wait(0.01):
            os.write(ours, request.param)

    thread = threading.Thread(target=say)
    thread.start()
    yield os.ttyname(theirs)
    done.set()
    thread.join()
    os.close(ours)
    os.close(theirs)


@pytest.mark.parametrize(
    "chatter", [b"", bytes(64), b"\x7e" * 64, b"\xff" * 64, np.random.default_rng(0).bytes(64)], indirect=True
)  # fmt: skip
def test_a_port_that_says_anything(plain: Path, fails: Callable[..., str], chatter: str) -> None:
    began = time.monotonic()
    assert "does not answer" in fails(*RUN, "--port", chatter, "--timeout", "0.2")
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("chatter", [b""], indirect=True)
@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--baud", "4294967296", "cannot open the serial port"),
        ("--baud", "9" * 30, "cannot open the serial port"),
        ("--baud", "0", "Invalid value for '--baud'"),
        ("--timeout", "1e300", "cannot open the serial port|does not answer"),
        ("--timeout", "inf", "Invalid value for '--timeout'"),
        ("--faults", "seed=-1", "faults: seed must be 0 or more, not -1"),
        ("--faults", "flip=nan", "faults: flip must be in 0 … 1, not nan"),
        ("--faults", "flip=1,flip=1", "faults: 'flip=1' is not NAME=NUMBER"),
        ("--faults", "", "faults: '' is not NAME=NUMBER"),
    ],
)
def test_options_of_the_line(
    plain: Path, fails: Callable[..., str], chatter: str, option: str, value: str, message: str
) -> None:
    if option == "--timeout" and value == "1e300":
        chatter = "none"  # what waits so long would
    found = fails(*RUN, "--port", chatter, "--timeout", "0.2", option, value)
    assert any(found.startswith(part) for part in message.split("|"))


@pytest.mark.parametrize(
    ("encoder", "message"),
    [
        ("", "encoder '' is unknown"),
        ("zz:ticks=1", "encoder 'zz' is unknown"),
        ("rate", "encoder 'rate': give ticks"),
        ("rate:ticks=", "encoder 'rate:ticks=': ticks must be an integer, not ''"),
        ("rate:ticks=-1", "encoder 'rate:ticks=-1': Rate: ticks must be in 0 … 4095"),
        ("latency:ticks=4096", "encoder 'latency:ticks=4096': Latency: ticks must be in 1 … 4095"),
        ("rate:ticks=" + "9" * 40, "encoder 'rate:ticks=9"),
        ("rate:ticks=2,value_bits=64", "encoder 'rate:ticks=2,value_bits=64': Rate: value_bits"),
        ("rate:zz=1", "encoder 'rate:zz=1': Rate has no 'zz'"),
        ("rate:ticks=2,seed=-1", "encoder 'rate:ticks=2,seed=-1': Rate: seed"),
    ],
)
def test_what_is_no_encoder(plain: Path, fails: Callable[..., str], encoder: str, message: str) -> None:
    arguments = ("build", "network.npz", "--board", "icebreaker", "-o", "out", "--encoder", encoder)
    assert fails(*arguments).startswith(message)
    assert fails(*RUN, "--port", "virtual", "--encoder", encoder).startswith(message)


@pytest.mark.parametrize(
    ("values", "labels", "message"),
    [
        (np.ones((4, 3)), 4, "dtype is float64, must be integers of 8 bits"),
        (np.zeros((0, 3), np.uint8), 0, "0 samples of 3 channels, must be 1 or more of 3"),
        (np.full((4, 3), 2**64 - 1, np.uint64), 4, "values are in 18446744073709551615"),
        (np.zeros((4, 9), np.uint8), 4, "4 samples of 9 channels, must be 1 or more of 3"),
        (np.zeros((4, 3), np.uint8), 3, "labels: int64(3,), must be integers of shape (4,)"),
        (np.zeros((4, 3), np.uint8), None, "labels: 18446744073709551615 is not a class"),
        (np.zeros((300_000, 3), np.uint8), 300_000, "300000 samples of 4095 ticks would take 27 GiB"),
    ],
)
def test_what_are_no_values(
    plain: Path, fails: Callable[..., str], values: np.ndarray, labels: int | None, message: str
) -> None:
    of_each = np.full(len(values), 2**64 - 1, np.uint64) if labels is None else np.zeros(labels, int)
    write_npz("values.npz", {"values": values, "labels": of_each})
    arguments = ("run", "network.npz", "--input", "values.npz", "--port", "virtual")
    assert message in fails(*arguments, "--encoder", "rate:ticks=4095")


@pytest.mark.parametrize(
    "arguments",
    [
        ("export", "huge.npz", "-o", "out"),
        ("build", "huge.npz", "--board", "ulx3s", "-o", "out"),
        ("build", "huge.npz", "--board", "ulx3s", "-o", "out", "--lanes", "auto"),
        ("monitor", "huge.npz", "--port", "none"),
        ("verify", "huge.npz"),
    ],
)
def test_more_inputs_than_anything_has(
    plain: Path, fails: Callable[..., str], arguments: tuple[str, ...]
) -> None:
    """Inputs cost a file nothing, and everything else memory."""
    Network(2**31 - 1, [Population("out", 1, LIF(200, 20))], [], "out").save("huge.npz")
    began = time.monotonic()
    assert "memory" in fails(*arguments) or "queues take 2,147" in fails(*arguments)
    assert time.monotonic() - began < 10
