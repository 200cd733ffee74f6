"""``lifline export``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lifline.app.main import main


def test_export(plain: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "network.npz", "-o", "out", "--json"]) == 0
    manifest = json.loads(capsys.readouterr().out)
    assert manifest == json.loads(Path("out/manifest.json").read_text())
    for source in manifest["sources"]:
        assert Path("out", source).exists()
    assert main(["export", "network.npz", "-o", "out", "--lanes", "3", "--force"]) == 0
    assert "top module: lifline_top" in capsys.readouterr().out
