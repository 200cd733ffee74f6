"""``lifline verify``."""

from __future__ import annotations

import json
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lifline import LIF, Dense, Network, Population, Projection
from lifline.app.main import main
from lifline.files import write_npz


@pytest.mark.parametrize(("passed", "status"), [(True, 0), (False, 1)])
def test_verify(
    folder: Path,
    part: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
    passed: bool,
    status: int,
) -> None:
    seen: dict[str, Any] = {}

    def verify(network: Network, **options: Any) -> Any:
        seen.update(options)
        return types.SimpleNamespace(
            passed=passed, text="two lines\nof text", samples=8, ticks=48, unreached=("'a -> b'",)
        )

    part("sim", verify=verify)
    assert main(["verify", "network.npz", "--lanes", "p0=2,p1=1", "--seed", "7", "--json"]) == status
    seen.pop("progress")
    assert seen == {
        "backend": "verilator", "lanes": {"p0": 2, "p1": 1}, "spikes": None,
        "samples": 8, "ticks": None, "seed": 7, "learn": None, "block_bits": None,
    }  # fmt: skip
    shown = json.loads(capsys.readouterr().out)
    assert shown == {
        "passed": passed, "backend": "verilator", "samples": 8, "ticks": 48, "seed": 7,
        "unreached": ["'a -> b'"], "text": "two lines\nof text",
    }  # fmt: skip
    assert main(["verify", "network.npz"]) == status
    assert capsys.readouterr().out == "two lines\nof text\n"
    assert main(["verify", "network.npz", "--board", "ulx3s"]) == status
    assert seen["block_bits"] == 16384


def test_what_could_not_be_checked_is_refused(folder: Path, fails: Callable[..., str]) -> None:
    network = Network(
        2,
        [Population("p", 1, LIF(200, 3))],
        [Projection("input", "p", Dense([[9], [9]], delays=[[200], [0]]))],
        "p",
    )
    network.save("late.npz")
    write_npz("spikes.npz", {"spikes": np.ones((2, 200, 2), np.uint8)})
    message = (
        "projection 'input -> p': {} ticks are too few for its delay of 200, which would pass unchecked: "
        "give 201 ticks or more"
    )
    assert fails("verify", "late.npz", "--ticks", "32") == message.format(32)
    assert fails("verify", "late.npz", "--input", "spikes.npz") == message.format(200)
    message = fails("verify", "late.npz", "--ticks", "100000000")
    assert message.startswith("8 samples of 100000000 ticks on 1 neurons would take about ")
    assert message.endswith(" GiB of memory, more than the limit of 4 GiB: give fewer samples or ticks")
