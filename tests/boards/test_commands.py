"""`lifline boards`, `flash` and `build --board all`, with tools that are shell scripts; the line's rate."""

import json
import stat

import numpy as np
import pytest

from lifline import InputError
from lifline.app.main import main
from lifline.boards import BOARDS
from lifline.boards.board import find_board
from lifline.boards.estimate import estimate, largest_dense
from lifline.boards.flashing import loading
from lifline.boards.protocol import encode
from lifline.boards.rates import line_samples_per_second, raw_samples_per_second

from .test_build import small_network


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """A PATH with nothing but the shell; the function puts a program there."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.chdir(tmp_path)

    def make(name, text):
        path = folder / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    return make


def finished(folder, board, bitstream="b.bin"):
    folder.mkdir()
    (folder / "report.json").write_text(json.dumps({"board": board, "bitstream": bitstream}))
    if bitstream is not None:
        (folder / bitstream).write_text("bits")
    return folder


def test_flash_without_a_program_prints_the_command(programs, tmp_path, capfd):
    folder = finished(tmp_path / "a b", "icebreaker")
    assert main(["flash", str(folder)]) == 1
    error = capfd.readouterr().err
    assert error == (
        "lifline: iceprog or openFPGALoader is not on PATH: install it, then run "
        f"iceprog '{folder / 'b.bin'}'\n"
    )
    assert main(["flash", str(folder), "--dry-run"]) == 0
    assert capfd.readouterr().out == f"iceprog '{folder / 'b.bin'}'\n"


def test_flash_runs_the_first_program_that_is_found(programs, tmp_path, capfd):
    folder = finished(tmp_path / "build", "icebreaker")
    programs("openFPGALoader", f'echo "$@" > {tmp_path}/seen')
    assert main(["flash", str(folder), "--json"]) == 0
    values = json.loads(capfd.readouterr().out)
    assert values["loaded"]
    assert values["commands"] == [["openFPGALoader", "-b", "ice40_generic", str(folder / "b.bin")]]
    assert (tmp_path / "seen").read_text() == f"-b ice40_generic {folder / 'b.bin'}\n"
    programs("iceprog", "echo nothing there; exit 3")
    assert main(["flash", str(folder)]) == 1
    captured = capfd.readouterr()
    assert captured.out == ""
    assert "iceprog failed with 3: is icebreaker plugged in?" in captured.err


def test_flash_writes_the_weights_first(programs, tmp_path, capfd):
    folder = finished(tmp_path / "build", "icebreaker")
    report = json.loads((folder / "report.json").read_text())
    report["weights"] = {"file": "weights.bin", "offset": 1048576}
    (folder / "report.json").write_text(json.dumps(report))
    assert main(["flash", str(folder), "--dry-run"]) == 2
    assert "weights.bin is not there: build it anew" in capfd.readouterr().err
    (folder / "weights.bin").write_text("weights")
    assert main(["flash", str(folder), "--dry-run"]) == 0
    both = f"iceprog -o 1048576 {folder / 'weights.bin'} && iceprog {folder / 'b.bin'}\n"
    assert capfd.readouterr().out == both
    programs("openFPGALoader", f'echo "$@" >> {tmp_path}/seen')
    assert main(["flash", str(folder)]) == 0
    assert (tmp_path / "seen").read_text() == (
        f"-b ice40_generic -o 1048576 {folder / 'weights.bin'}\n-b ice40_generic {folder / 'b.bin'}\n"
    )
    programs("iceprog", f'echo "$@" >> {tmp_path}/tried; exit 3')
    assert main(["flash", str(folder)]) == 1
    assert (tmp_path / "tried").read_text().count("\n") == 1  # no bitstream without its weights


def test_what_cannot_be_flashed(programs, tmp_path):
    with pytest.raises(InputError, match="holds no finished build"):
        loading(tmp_path)
    with pytest.raises(InputError, match="a project for arty_a7, no bitstream"):
        loading(finished(tmp_path / "project", "arty_a7", None))
    folder = finished(tmp_path / "build", "ulx3s")
    (folder / "b.bin").unlink()
    with pytest.raises(InputError, match=r"b\.bin is not there"):
        loading(folder)
    (folder / "report.json").write_text("[]")
    with pytest.raises(InputError, match="is not the report of a build"):
        loading(folder)


def test_boards_are_listed(programs, capfd):
    assert main(["boards", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capfd.readouterr().out)["boards"]}
    assert list(rows) == list(BOARDS)
    assert rows["icebreaker"]["makes"] == "bitstream"
    assert rows["icebreaker"]["flash_found"] is None
    assert rows["icebreaker"]["tools"] == {"yosys": True, "nextpnr-ice40": True, "icepack": True}
    assert rows["arty_a7"]["makes"] == "project"
    assert rows["ulx3s_12f"]["largest_dense"] < rows["ulx3s_45f"]["largest_dense"]
    assert main(["boards"]) == 0
    assert "tangnano20k" in capfd.readouterr().out


@pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
def test_boards_are_whole(board):
    assert len(board.name) <= 12  # what an identity holds
    assert find_board(board.name) is board
    assert board.baud <= board.bridge_baud
    assert all("{bitstream}" in command for command in board.flash)
    programs = {command.split()[0] for command in board.flash}
    assert {command.split()[0] for command in board.flash_weights} == (
        programs if board.flash_weights else set()
    )
    platform = board.make_platform()
    resources = {(resource.name, resource.number) for resource in platform._requested} | set(
        platform.resources
    )
    assert {("uart", 0), (platform.default_clk, 0)} <= resources
    assert {("led", number) for number in board.leds} <= resources
    assert platform.default_clk_frequency == board.crystal_mhz * 1e6


def test_the_largest_dense_network_is_the_largest():
    board = BOARDS["icebreaker"]
    size = largest_dense(board)
    networks = [small_network(size=n, inputs=n) for n in (size, 2 * size)]
    needs = [estimate(network, board, 1) for network in networks]
    assert board.shortage(needs[0]) is None
    assert board.shortage(needs[1]) is not None


def test_the_rate_of_the_line():
    rng = np.random.default_rng(5)
    spikes = (rng.random((4, 16, 64)) < 0.1).astype(np.uint8)
    board = BOARDS["icebreaker"]
    rate = line_samples_per_second(board, spikes)
    bare = board.baud / 10 * 4 / sum(len(encode(sample)) for sample in spikes)
    assert bare / 1.3 < rate < bare
    # 64 bytes, two flags, three of a header, four of a CRC, of which any may be escaped.
    assert 3e5 / (73 + 4) <= raw_samples_per_second(board, 64) <= 3e5 / 73


TOOLS = {
    "yosys": """echo '{"design": {"num_cells_by_type": {"SB_DFFE": 5, "LUT4": 7, "LUT6": 2, "FDRE": 9, "RAMB18E1": 3,
        "RAMB36E1": 2}}}' > top.stat.json""",
    "nextpnr-ice40": "exit 1",
    "nextpnr-ecp5": "exit 1",
    "nextpnr-himbaechel-gowin": """echo '{"fmax": {"clk": {"achieved": 61.5}}, "utilization": {"LUT4": {"used": 90},
        "DFF": {"used": 80}, "BSRAM": {"used": 7}}}' > top.report.json""",
    "icepack": "exit 1",
    "ecppack": "exit 1",
    "gowin_pack": "echo bits > top.fs",
}


@pytest.fixture
def three_boards():
    """No other boards for a while, and all of them in their order again."""
    every = dict(BOARDS)
    for name in set(BOARDS) - {"icebreaker", "tangnano9k", "arty_a7"}:
        del BOARDS[name]
    yield
    BOARDS.clear()
    BOARDS.update(every)


@pytest.mark.usefixtures("three_boards")
def test_all_boards_are_built_and_what_fails_is_a_row(programs, tmp_path, capfd):
    for name, text in TOOLS.items():
        programs(name, text)
    network = small_network()
    network.save(tmp_path / "network.npz")
    spikes = (np.random.default_rng(5).random((2, 4, 10)) < 0.3).astype(np.uint8)
    np.savez(tmp_path / "spikes.npz", spikes=spikes)
    options = ["--input", str(tmp_path / "spikes.npz"), "--lanes", "1", "--json"]
    arguments = ["build", str(tmp_path / "network.npz"), "--board", "all", "-o", str(tmp_path / "all")]
    assert main([*arguments, *options]) == 0
    rows = {row["board"]: row for row in json.loads(capfd.readouterr().out)["boards"]}
    assert list(rows) == list(BOARDS)
    assert "nextpnr-ice40 unknown failed" in rows["icebreaker"]["error"]
    assert not (tmp_path / "all" / "icebreaker").exists()
    nano = rows["tangnano9k"]
    assert (nano["luts"], nano["ffs"], nano["brams"], nano["fmax_mhz"]) == (90, 80, 7, 61.5)
    assert nano["limit"] == "line"
    assert nano["line_samples_per_second"] < nano["samples_per_second"]
    assert (tmp_path / "all" / "tangnano9k" / nano["bitstream"]).read_text() == "bits\n"
    arty = rows["arty_a7"]
    assert (arty["luts"], arty["ffs"], arty["brams"]) == (9, 9, 7)
    assert arty["fmax_mhz"] is None
    assert arty["bitstream"] is None
    project = {path.name for path in (tmp_path / "all" / "arty_a7").iterdir()}
    assert {"top.tcl", "top.xdc", "top.v", "lifline_top.v", "mem", "report.json"} <= project
    written = json.loads((tmp_path / "all" / "boards.json").read_text())
    assert written["boards"] == list(rows.values())
    # What is finished is not built again.
    programs("gowin_pack", "exit 1")
    assert main([*arguments, *options[:-1]]) == 0
    printed = capfd.readouterr().out
    assert "2 of 3 boards built" in printed
    assert main([*arguments, "--lanes", "auto"]) == 2
