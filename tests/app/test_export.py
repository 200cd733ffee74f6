"""``lifline export``: the manifest, and what an integrator finds beside the Verilog."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from lifline.app.main import main
from lifline.sim.tools import find_icarus


def export(*options: str) -> dict:
    assert main(["export", "network.npz", "-o", "out", "--json", *options]) == 0
    return json.loads(Path("out/manifest.json").read_text())


def bench(folder: str = "out", *arguments: str) -> str:
    """What the test bench prints: one line, as the page says how."""
    find_icarus()
    script = f"iverilog -o t *.v && vvp t {' '.join(arguments)}"
    done = subprocess.run(
        script, shell=True, cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    return done.stdout


def test_export(plain: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "network.npz", "-o", "out", "--json"]) == 0
    manifest = json.loads(capsys.readouterr().out)
    assert manifest == json.loads(Path("out/manifest.json").read_text())
    for source in manifest["sources"]:
        assert Path("out", source).exists()
    assert main(["export", "network.npz", "-o", "out", "--lanes", "3", "--force"]) == 0
    assert "top module: lifline_top" in capsys.readouterr().out


@pytest.mark.icarus
def test_the_test_bench_passes_and_notices_other_weights(plain: Path) -> None:
    manifest = export("--lanes", "2")
    assert bench().startswith("PASS: 4 samples")
    assert bench("out", "+stall").startswith("PASS: 4 samples")
    weights = Path("out", manifest["banks"][0]["files"][0])
    words = weights.read_text().split()
    ones = (1 << manifest["banks"][0]["word_bits"]) - 1
    weights.write_text("".join(f"{int(word, 16) ^ ones:x}\n" for word in words))
    assert re.search(r"^FAIL: \d+ errors$", bench(), re.MULTILINE)


@pytest.mark.icarus
def test_the_test_bench_loads_what_is_empty(plain: Path) -> None:
    manifest = export("--load", "--trace")
    bank = manifest["banks"][0]
    name = Path(bank["files"][0]).stem
    from lifline.app.export import vectors
    from lifline.network import Network
    from lifline.rtl import export as rtl_export

    network = Network.load("network.npz")
    rtl_export(
        network, "spram", load=True, memories={name: "spram"}, vectors=vectors(network, 1)
    )  # fmt: skip
    assert bench("spram").startswith("PASS: 4 samples")
    loads = next(Path("spram/vectors").glob("*load.mem"))
    loads.write_text("".join(f"{int(word, 16) ^ 0xFF:x}\n" for word in loads.read_text().split()))
    assert "FAIL" in bench("spram")


def test_the_same_network_gives_the_same_files(plain: Path) -> None:
    def contents() -> dict[str, bytes]:
        files = (path for path in Path("out").rglob("*") if path.is_file())
        return {str(path): path.read_bytes() for path in files}

    export("--load", "--trace")
    before = contents()
    export("--load", "--trace", "--force")
    assert contents() == before
    export("--force")  # what the other had and this has not is gone
    assert not any("load" in name for name in map(str, Path("out").rglob("*")))


def test_the_manifest_lists_ports_bit_by_bit(plain: Path) -> None:
    manifest = export("--trace", "--load")
    top = Path("out/lifline_top.v").read_text()
    declared = re.search(r"module lifline_top\((.*?)\);", top)[1].split(", ")
    assert sorted(port["name"] for port in manifest["ports"]) == sorted(declared)
    for port in manifest["ports"]:
        bits = f"[{port['bits'] - 1}:0] " if port["bits"] > 1 else ""
        assert re.search(re.escape(f"{port['direction']} {bits}{port['name']}") + r" ?;", top)
        taken = [bit for f in port["fields"] for bit in range(f["low"], f["low"] + f["bits"])]
        if port["fields"]:
            assert sorted(taken) == list(range(port["bits"]))  # each bit once
        assert f"`{port['name']}`" in Path("out/ports.md").read_text()
    assert manifest["reset"] == {"port": "rst", "active": "high", "synchronous": True}
    assert manifest["trace"]
    assert [field["name"] for field in manifest["load"]["fields"]] == [
        "data", "part", "word", "bank", "write"
    ]  # fmt: skip


def test_lists_of_files(plain: Path) -> None:
    manifest = export()
    assert Path("out/lifline.f").read_text().split() == manifest["sources"]
    core = Path("out/lifline.core").read_text()
    assert core.startswith("CAPI=2:\n")
    for name in (*manifest["sources"], *manifest["sha256"]):
        if name.endswith((".v", ".mem")):
            assert f"- {name}" in core
            assert Path("out", name).exists()


@pytest.mark.icarus
def test_the_wrapper_has_the_names_of_axi4_stream(plain: Path) -> None:
    export("--load", "--trace")
    find_icarus()
    command = ["iverilog", "-g2005", "-Wall", "-Wno-timescale", "-s", "lifline_axis", "-o", "axis.vvp"]
    sources = [path.name for path in Path("out").glob("*.v")]
    done = subprocess.run([*command, *sources], cwd="out", capture_output=True, text=True, check=False)
    assert done.returncode == 0
    complaints = [line for line in done.stderr.splitlines() if "lifline_axis" in line]
    assert complaints == []
    text = Path("out/lifline_axis.v").read_text()
    for name in ("tdata", "tvalid", "tready", "tlast"):
        assert f"s_axis_{name}" in text
        assert f"m_axis_{name}" in text


def test_any_weights_needs_the_port(plain: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "network.npz", "-o", "out", "--any-weights"]) == 2
    assert "--any-weights needs --load" in capsys.readouterr().err
    assert not Path("out").exists()
