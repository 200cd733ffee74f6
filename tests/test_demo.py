"""The demo: its verdict, its exit status and its page, on a network that is barely trained."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lifline.cli import main

pytestmark = [pytest.mark.slow, pytest.mark.verilator]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One epoch, and a build that only claims to have happened."""
    import lifline.demo

    run_task = lifline.demo.run_task

    def build(network: Any, board: str, directory: Path, **options: Any) -> dict[str, Any]:
        totals = {"luts": 5280, "ffs": 5280, "brams": 30, "dsps": 0}
        return {
            "board": board,
            "device": "none",
            "bitstream": f"{board}.bin",
            "tools": {"seed": 1},
            **{name: total // 2 for name, total in totals.items()},
            "available": totals,
            "fmax_mhz": 30.0,
            "clock_mhz": 24.0,
            "lanes": options["lanes"],
            "cycles_per_sample": 480.0,
            "samples_per_second": 50_000.0,
        }

    monkeypatch.setattr(lifline.demo, "run_task", lambda *a, **o: run_task(*a, **o, epochs=1))
    monkeypatch.setattr(lifline.demo.board_builds, "build", build)
    monkeypatch.chdir(tmp_path)


def test_demo(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo"]) == 0
    out, error = capsys.readouterr()
    assert out.startswith("1/7  training on digits\n")
    assert "what you train is what you get" in out
    assert "report: demo/report.html" in out
    assert error == ""
    assert Path("demo/verilog/manifest.json").exists()
    page = Path("demo/report.html").read_text()
    assert page.count("<svg") == page.count("</svg>") == 5
    assert not re.findall(r"""(?:src|href)=["']?https?:""", page)  # it needs nothing from elsewhere


def test_a_difference_fails_the_demo(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import lifline.demo

    forward = lifline.demo.train.integer_forward

    def wrong(network: Any, spikes: np.ndarray) -> Any:
        recording = forward(network, spikes)
        membrane = next(iter(recording.membrane.values()))
        membrane[17, 3, 2] += 1
        return recording

    monkeypatch.setattr(lifline.demo.train, "integer_forward", wrong)
    assert main(["demo", "--board", "ulx3s", "--json"]) == 1
    out, error = capsys.readouterr()
    result = json.loads(out)
    assert error == ""
    assert result["passed"] is False
    assert result["differing"]["torch"] == {"spikes": 0, "membranes": 1, "classes": 0}
    assert result["differing"]["rtl"] == {"spikes": 0, "membranes": 0, "classes": 0}
    assert result["cycles"]["differing_from_model"] == 0
    assert [report["board"] for report in result["boards"]] == ["ulx3s"]
    assert "The witnesses do not agree" in Path("demo/report.html").read_text()


def test_an_unknown_board_is_named_before_anything_is_done(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--board", "vaporware"]) == 2
    out, error = capsys.readouterr()
    assert out == ""
    assert "vaporware" in error
    assert error.count("\n") == 1
    assert not Path("demo").exists()
