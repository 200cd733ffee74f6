"""The plots of ``examples/encoders.py``: one for each encoder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from lifline.train import encoders

EXAMPLE = Path(__file__).parents[3] / "examples" / "encoders.py"


def test_every_encoder_is_drawn(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, EXAMPLE, "-o", tmp_path / "plots"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    plots = {plot.stem: plot.read_bytes() for plot in (tmp_path / "plots").iterdir()}
    assert all(content.startswith(b"\x89PNG") for content in plots.values())
    helpers = ("decode_", "change_threshold", "lowpass")
    for name in encoders.__all__:
        if not name.startswith(helpers):
            assert any(plot.startswith(name) for plot in plots), name
            assert f"\n{name}" in done.stdout
