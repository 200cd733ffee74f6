"""The page on encoders and its example: the programs run, the numbers hold, every encoder is drawn."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

from lifline import encoders

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "encoders.md").read_text()


def test_the_programs_of_the_page_run() -> None:
    names: dict[str, Any] = {}
    for program in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(program, names)


def test_the_example_prints_the_numbers_of_the_page_and_draws_every_encoder(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "examples" / "encoders.py", "-o", tmp_path / "plots"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    table, _, _ = done.stdout.partition("a neuron decodes")
    assert textwrap.indent(table, "    ") in PAGE
    plots = {plot.stem: plot.read_bytes() for plot in (tmp_path / "plots").iterdir()}
    assert all(content.startswith(b"\x89PNG") for content in plots.values())
    helpers = ("decode_", "change_threshold", "lowpass", "parse", "read_values")
    for name in encoders.__all__:
        assert f"`{name}`" in PAGE or f"encoders.{name}(" in PAGE
        assert (
            name[0].isupper()
            or name.startswith(helpers)
            or any(plot.startswith(name) for plot in plots)
        ), name
