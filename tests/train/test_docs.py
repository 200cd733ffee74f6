"""docs/training.md: its examples run one after the other, and its table of settings is the settings'."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from lifline.train import Settings
from lifline.train.settings import describe

PAGE = (Path(__file__).parents[2] / "docs" / "training.md").read_text()


@pytest.mark.filterwarnings("ignore:epoch")  # what is learned from noise may well fall silent
def test_the_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    snippets = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for snippet in snippets:
            exec(compile(snippet, "docs/training.md", "exec"), names)
    assert len(snippets) == 6
    assert (tmp_path / "network.npz").exists()


def test_the_table_of_settings() -> None:
    for name, default, allowed, meaning in describe(Settings()):
        assert f"| `{name}` | {default} | {allowed} | {meaning} |\n" in PAGE
