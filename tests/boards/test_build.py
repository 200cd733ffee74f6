"""Building bitstreams: the choices before the tools run, what is said when they fail, and one real build."""

import dataclasses
import hashlib
import json
import stat

import numpy as np
import pytest

from lifline import LIF, Dense, InputError, Network, Population, Projection, Reset, ToolError
from lifline.app.main import main
from lifline.boards import BOARDS, build
from lifline.boards.boot import ready_cycles
from lifline.boards.estimate import choose_lanes, estimate
from lifline.boards.image import Images
from lifline.encoders import Latency, Rate, SendOnDelta, Threshold
from lifline.rtl import lanes_of


def small_network(size=12, inputs=10, beta=230, reset=Reset.SUBTRACT, weight_bits=8, seed=0):
    rng = np.random.default_rng(seed)
    limit = 2 ** (weight_bits - 1)
    return Network(
        inputs,
        [Population("hidden", size, LIF(beta, 150)), Population("output", 4, LIF(240, 100, reset))],
        [
            Projection(
                "input",
                "hidden",
                Dense(rng.integers(-limit, limit, (inputs, size)), weight_bits=weight_bits),
            ),
            Projection("hidden", "output", rng.integers(-100, 100, (size, 4))),
        ],
        "output",
    )


@pytest.fixture
def fake_tools(tmp_path, monkeypatch):
    """Native tools that are shell scripts: give each its text."""
    folder = tmp_path / "tools"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.chdir(
        tmp_path
    )  # they write into the folder they run in, also when asked for their version

    def make(**texts):
        for name in ("yosys", "nextpnr-ice40", "nextpnr-ecp5", "icepack", "ecppack"):
            path = folder / name
            path.write_text(f"#!/bin/sh\n{texts.get(name.partition('-')[0], '')}\n")
            path.chmod(path.stat().st_mode | stat.S_IXUSR)

    return make


STAT = """echo '{"design": {"num_cells_by_type": {"SB_DFFE": 5, "SB_DFF": 6, "SB_LUT4": 7}}}' > top.stat.json"""


def report(fmax):
    placed = {
        "fmax": {"clk": {"achieved": fmax, "constraint": 24}},
        "utilization": {
            "ICESTORM_LC": {"used": 100, "available": 5280},
            "ICESTORM_RAM": {"used": 3, "available": 30},
            "ICESTORM_DSP": {"used": 0, "available": 8},
        },
    }
    return f"echo '{json.dumps(placed)}' > top.report.json"


def test_a_build_writes_its_report(fake_tools, tmp_path):
    fake_tools(yosys=STAT, nextpnr=report(30.126), icepack="echo bits > top.bin")
    network, seen = small_network(), []
    activity = {"input": [3, 1], "hidden": [2, 2], "output": [0, 1]}
    result = build(
        network,
        "icebreaker",
        tmp_path / "out",
        lanes=2,
        activity=activity,
        progress=lambda *event: seen.append(event),
    )
    written = json.loads((tmp_path / "out" / "report.json").read_text())
    assert written == result
    assert result["fmax_mhz"] == 30.13
    assert (result["luts"], result["ffs"], result["brams"], result["dsps"]) == (100, 11, 3, 0)
    assert result["available"] == {"luts": 5280, "ffs": 5280, "brams": 30, "dsps": 8}
    assert result["utilisation"]["brams"] == 0.1
    assert result["lanes"] == {"hidden": 2, "output": 2}
    assert result["clock_mhz"] == 24
    assert result["cycles_per_sample"] > 0
    assert result["samples_per_second"] == round(24e6 / result["cycles_per_sample"], 1)
    assert result["tools"]["seed"] == 1
    assert (tmp_path / "out" / result["bitstream"]).read_text() == "bits\n"
    assert [event[:2] for event in seen] == [(n, 4) for n in range(5)]
    without = build(network, "icebreaker", tmp_path / "out", lanes=2)
    assert without["cycles_per_sample"] is None
    assert without["samples_per_second"] is None


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ({"yosys": "echo 'ERROR: oh'; exit 1"}, "yosys .* failed: ERROR: oh"),
        ({"yosys": STAT, "nextpnr": "echo 'ERROR: cannot route'; exit 1"}, "cannot route"),
        (
            {
                "yosys": STAT,
                "nextpnr": "echo 'Info:   ICESTORM_LC:  6001/   5280   113%'\n"
                "echo 'ERROR: Unable to place cell'; exit 1",
            },
            r"does not fit on icebreaker: it needs 6001 look-up tables, the iCE40UP5K-SG48 has 5280 "
            r"\(721 too many\): choose fewer lanes",
        ),
        (
            {"yosys": STAT, "nextpnr": report(20.0)},
            "reaches 20.00 MHz on icebreaker, less than its clock of 24 MHz, with seed 1: choose a clock of 12 MHz",
        ),
        (
            {"yosys": STAT, "nextpnr": report(9.0)},
            "less than its clock of 24 MHz, with seed 1: choose fewer lanes",
        ),
        (
            {"yosys": STAT, "nextpnr": report(23.0)},
            "with the last of the seeds 1 to 4: choose a clock of 12 MHz",
        ),
        ({"yosys": STAT, "nextpnr": report(50), "icepack": "exit 1"}, "icepack .* failed"),
    ],
)
def test_a_failure_is_one_line_and_leaves_nothing(texts, message, fake_tools, tmp_path):
    fake_tools(**texts)
    with pytest.raises(ToolError, match=message) as error:
        build(small_network(), "icebreaker", tmp_path / "out", lanes=2)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("reached", "seed"), [("7", 7), ("8", 8), ("10", 10)])
def test_seeds_are_tried_until_one_reaches_the_clock(reached, seed, fake_tools, tmp_path):
    slow, fast = report(23.9), report(24.0)
    chosen = f"case \"$*\" in *'--seed {reached} '*) {fast};; *) {slow};; esac"
    fake_tools(yosys=STAT, nextpnr=chosen, icepack="echo bits > top.bin")
    seen = []
    result = build(
        small_network(),
        "icebreaker",
        tmp_path / "out",
        lanes=2,
        seed=7,
        progress=lambda *event: seen.append(event),
    )
    assert (result["fmax_mhz"], result["tools"]["seed"]) == (24.0, seed)
    assert sum(done == 2 for done, _, _ in seen) == seed - 6
    with pytest.raises(ToolError, match="with seed 11"):
        build(small_network(), "icebreaker", tmp_path / "none", lanes=2, seed=11, tries=1)
    assert not (tmp_path / "none").exists()


def test_another_placer_serves_where_one_fails(fake_tools, tmp_path):
    placed = report(90.0).replace("ICESTORM_LC", "TRELLIS_COMB").replace("ICESTORM_RAM", "DP16KD")
    placed = placed.replace("ICESTORM_DSP", "MULT18X18D")
    places = f"case \"$*\" in *'--placer static') echo 'ERROR: no'; exit 1;; *) {placed};; esac"
    fake_tools(yosys=STAT, nextpnr=places, ecppack="echo bits > top.bit")
    result = build(small_network(), "ulx3s", tmp_path / "out", lanes=2)
    assert (result["fmax_mhz"], result["luts"]) == (90.0, 100)
    fake_tools(yosys=STAT, nextpnr='echo "ERROR: $*"; exit 1')
    with pytest.raises(ToolError, match=r"nextpnr-ecp5 .* failed: ERROR: .*--placer heap"):
        build(small_network(), "ulx3s", tmp_path / "none", lanes=2)


def test_bad_options(tmp_path):
    network = small_network()
    with pytest.raises(
        InputError, match="unknown board 'vc707': choose one of icebreaker, upduino3, hx8k, ulx3s, "
    ):
        build(network, "vc707", tmp_path)
    with pytest.raises(InputError, match=r"clock of 23\.456 MHz .* choose 24, 12 MHz"):
        build(network, "icebreaker", tmp_path, clock_mhz=23.456)
    with pytest.raises(InputError, match="the netlist of tangnano9k cannot be checked"):
        build(network, "tangnano9k", tmp_path, check=lambda network, spikes: None)
    with pytest.raises(InputError, match="seed must be a non-negative integer"):
        build(network, "icebreaker", tmp_path, seed=-1)
    with pytest.raises(InputError, match="tries must be a positive integer"):
        build(network, "icebreaker", tmp_path, tries=0)
    with pytest.raises(InputError, match="lanes of 'hidden'"):
        build(network, "icebreaker", tmp_path, lanes=0)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="give a folder"):
        build(network, "icebreaker", tmp_path / "file")
    with pytest.raises(InputError, match="give a folder"):
        build(network, "icebreaker", tmp_path / "file" / "inside")


def test_lanes_are_chosen_by_what_fits():
    network = small_network()
    assert choose_lanes(network, BOARDS["ulx3s"]) == {"hidden": 8, "output": 4}
    small = choose_lanes(network, BOARDS["icebreaker"])
    need = estimate(network, BOARDS["icebreaker"], small)
    assert BOARDS["icebreaker"].shortage(need) is None
    for board in BOARDS.values():
        fewer, more = (estimate(network, board, lanes_of(network, n)) for n in (1, 4))
        assert fewer["luts"] < more["luts"]
    with pytest.raises(
        ToolError, match=r"the iCE40UP5K-SG48 has 30 .*: choose smaller weight_bits.*\(an estimate"
    ):
        choose_lanes(small_network(size=128, inputs=784), BOARDS["icebreaker"])


def test_an_encoder_is_counted():
    network, board = small_network(inputs=784), BOARDS["icebreaker"]
    alone = estimate(network, board, 2)
    # As yosys makes them; of send-on-delta two inputs are a channel's.
    for encoder, brams in ((Rate(20), 6), (Latency(20), 2), (Threshold(100), 0), (SendOnDelta(9), 1)):
        need = estimate(network, board, 2, encoder=encoder)
        assert need["brams"] - alone["brams"] == brams
        assert 43 <= need["luts"] - alone["luts"] <= 180
    network, tight = small_network(inputs=352), dataclasses.replace(BOARDS["hx8k"], brams=24)
    assert choose_lanes(network, tight)
    with pytest.raises(ToolError, match="it needs 37 block RAMs, the iCE40HX8K-CT256 has 24"):
        choose_lanes(network, tight, encoder=Rate(20))


def test_weights_for_the_flash(fake_tools, tmp_path, capsys):
    fake_tools(yosys=STAT, nextpnr=report(30), icepack="echo bits > top.bin")
    network, out = small_network(), tmp_path / "out"
    result = build(network, "icebreaker", out, lanes=2, flash_weights=True, any_weights=True)
    images = Images(network, lanes_of(network, 2), any_weights=True)
    image = (out / "weights.bin").read_bytes()
    assert image == images.image(network)
    assert result["weights"] == {
        "file": "weights.bin",
        "offset": 1 << 20,
        "any_weights": True,
        "bytes": len(image),
        "ready_cycles": ready_cycles(image),
        "ready_ms": round(ready_cycles(image) / 24e3, 2),
    }
    other = small_network(seed=1)
    other.save(tmp_path / "other.npz")
    assert main(["patch", str(out), str(tmp_path / "other.npz"), "-o", str(tmp_path / "patched")]) == 0
    assert "weights.bin: " in capsys.readouterr().out
    assert (tmp_path / "patched" / "weights.bin").read_bytes() == images.image(other)
    assert (tmp_path / "patched" / "icebreaker.bin").read_bytes() == b"bits\n"
    assert main(["patch", str(tmp_path / "patched"), str(tmp_path / "other.npz"), "--check"]) == 2
    assert "no bitstream is unpacked: leave the check out" in capsys.readouterr().err
    small_network(inputs=9).save(tmp_path / "other.npz")
    assert main(["patch", str(out), str(tmp_path / "other.npz")]) == 2
    assert "inputs is 9, the design was built for 10" in capsys.readouterr().err
    assert (out / "weights.bin").read_bytes() == image
    for board, why in (
        ("upduino3", "the pins of its flash are those"),
        ("ulx3s", "holds what its block"),
    ):
        with pytest.raises(InputError, match=why):
            build(network, board, tmp_path / "none", flash_weights=True)


def test_multipliers_are_counted_where_betas_differ():
    betas = np.arange(200, 212)
    board = BOARDS["icebreaker"]
    assert estimate(small_network(), board, 4)["dsps"] == 0
    in_dsps = estimate(small_network(beta=betas), board, 4)
    assert in_dsps["dsps"] == 4
    in_logic = estimate(small_network(beta=betas), BOARDS["hx8k"], 4)
    assert in_logic["dsps"] == 0
    assert in_logic["luts"] > in_dsps["luts"]


def test_shortage():
    board = BOARDS["ulx3s"]
    assert board.shortage(board.totals) is None
    assert board.shortage({"luts": 1, "brams": 209}) == (
        "the design does not fit on ulx3s: it needs 209 block RAMs, the LFE5U-85F-6BG381C has 208 "
        "(1 too many): choose fewer lanes, smaller weight_bits, fewer neurons or a bigger board"
    )


@pytest.mark.synth
@pytest.mark.slow
def test_icebreaker_bitstream(tmp_path):
    network = small_network()
    digests = set()
    for attempt in range(2):
        result = build(network, "icebreaker", tmp_path / str(attempt), lanes=1)
        bitstream = (tmp_path / str(attempt) / result["bitstream"]).read_bytes()
        digests.add(hashlib.sha256(bitstream).hexdigest())
        assert b"\x7e\xaa\x99\x7e" in bitstream[:200]  # the preamble of an iCE40 bitstream
    assert len(digests) == 1
    assert result["fmax_mhz"] >= 24
    assert 0 < result["luts"] < 5280
    assert 0 < result["brams"] <= 30
    assert not [path for path in (tmp_path / "0").iterdir() if path.name.startswith(".")]
