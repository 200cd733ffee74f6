"""``lifline verify``."""

from __future__ import annotations

import json
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lifline import Network
from lifline.app.main import main


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
        "samples": 8, "ticks": None, "seed": 7,
    }  # fmt: skip
    shown = json.loads(capsys.readouterr().out)
    assert shown == {
        "passed": passed, "backend": "verilator", "samples": 8, "ticks": 48, "seed": 7,
        "unreached": ["'a -> b'"], "text": "two lines\nof text",
    }  # fmt: skip
    assert main(["verify", "network.npz"]) == status
    assert capsys.readouterr().out == "two lines\nof text\n"
