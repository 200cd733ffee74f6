"""What a build's folder says of itself, where somebody has changed it: one line, and no program is run."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from lifline.app.main import main

from ..networks import random_network

NO_REPORT = "report.json is not the report of a build: build it anew"
TABLE = {"board": "icebreaker", "routed": "top.asc", "pack": [], "sha256": {}}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    import numpy as np

    monkeypatch.chdir(tmp_path)
    network = random_network(np.random.default_rng(2))
    network.save("network.npz")
    Path("build/patch").mkdir(parents=True)
    network.save("build/patch/network.npz")
    Path("build/patch/routed.gz").write_bytes(b"damaged")
    return Path("build")


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    before = sorted(str(path) for path in Path().rglob("*"))
    assert main(list(arguments)) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert sorted(str(path) for path in Path().rglob("*")) == before
    return error.removeprefix("lifline: ").rstrip()


@pytest.mark.parametrize(
    "report",
    [
        "", "x", "[]", "null", "7", "{}", "[" * 100_000, '{"board": 7}', '{"board": []}', '{"board": "none"}',
        *(
            json.dumps({"board": "icebreaker", "bitstream": name})
            for name in (7, [], "", "..", "../network.npz", "/etc/passwd", "patch/network.npz")
        ),
    ],
    ids=range(17),
)  # fmt: skip
def test_a_report_that_is_none(report: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "report.json").write_text(report)
    (folder / "patch" / "patch.json").write_text(json.dumps(TABLE))
    assert said(capsys, "flash", "build", "--dry-run") == f"build/{NO_REPORT}"
    assert said(capsys, "patch", "build", "network.npz") == f"build/{NO_REPORT}"


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("x", "build/patch/patch.json is not what a build keeps for its patches: build it anew"),
        ("[]", "build/patch/patch.json is not what a build keeps for its patches: build it anew"),
        ("{}", "build/patch: damaged, or of another version of lifline: build it anew"),
        (json.dumps(TABLE), "build/patch: damaged, or of another version of lifline: build it anew"),
    ],
)
def test_a_table_of_patches_that_is_none(
    table: str, message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = {"board": "icebreaker", "bitstream": "icebreaker.bin"}
    (folder / "report.json").write_text(json.dumps(report))
    (folder / "patch" / "patch.json").write_text(table)
    assert said(capsys, "patch", "build", "network.npz") == message


@pytest.mark.parametrize("name", ["routed.gz", "network.npz"])
def test_a_patch_needs_its_files(name: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = {"board": "icebreaker", "bitstream": "icebreaker.bin"}
    (folder / "report.json").write_text(json.dumps(report))
    (folder / "patch" / "patch.json").write_text(json.dumps(TABLE))
    (folder / "patch" / name).unlink()
    assert said(capsys, "patch", "build", "network.npz") == f"build/patch/{name}: no such file"
    os.mkfifo(folder / "patch" / name)
    assert "not a regular file" in said(capsys, "patch", "build", "network.npz")


def test_all_boards_with_a_damaged_build(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from lifline import boards

    monkeypatch.setattr(boards, "BOARDS", {"icebreaker": boards.BOARDS["icebreaker"]})
    arguments = ["build", "network.npz", "--board", "all", "-o", "all"]
    finished = Path("all/icebreaker/report.json")
    finished.parent.mkdir(parents=True)
    finished.write_text("[")
    assert said(capsys, *arguments) == f"all/icebreaker/{NO_REPORT}"
    finished.write_text('{"board": "icebreaker", "bitstream": null}')
    message: Any = said(capsys, *arguments)
    assert message.startswith("the report of the build for icebreaker has no 'device': --force")
