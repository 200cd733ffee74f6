"""New weights in a finished bitstream: where the words are, one real patch, and what is refused."""

import json

import numpy as np
import pytest

from lifline import LIF, CheckError, Dense, InputError, Network, Population, Projection, ToolError, rtl
from lifline.boards import BOARDS, build, patch, patching
from lifline.boards.contents import Memory, find_words, locate, memories, read_cells
from lifline.boards.families import ECP5, ICE40
from lifline.boards.synthesis import write_design
from lifline.boards.toolchain import find, run

SEED = 3


def network(seed=SEED, *, inputs=30, bias=0, threshold=150, low=-128):
    """Weights that are different for each seed, and sums that are as wide."""
    rng = np.random.default_rng(seed)
    hidden = rng.integers(-128, 128, (inputs, 40))
    hidden[:, 0] = low  # the widest sum there can be
    output = rng.integers(-100, 100, (40, 4))
    output[:, 0] = -100
    biases = np.arange(40) % 7 - bias
    return Network(
        inputs,
        [
            Population("hidden", 40, LIF(230, threshold, bias=biases)),
            Population("output", 4, LIF(240, 100)),
        ],
        [Projection("input", "hidden", Dense(hidden)), Projection("hidden", "output", Dense(output))],
        "output",
    )


@pytest.mark.parametrize("family", [ICE40, ECP5], ids=lambda family: family.name)
def test_positions_and_files_of_block_rams(family):
    block_rams = family.block_rams
    for width in (1, 2, 4) if family is ECP5 else (2, 4, 8, 16):
        words = block_rams.bits * (8 if family is ECP5 else 9) // 9 // width
        positions = block_rams.positions(width, words)
        assert positions.shape == (words, width)
        assert len(np.unique(positions)) == positions.size
        assert positions.min() >= 0
        assert positions.max() < block_rams.bits
    rng = np.random.default_rng(SEED)
    contents = {
        name: rng.integers(0, 2, block_rams.bits).astype(np.uint8) for name in ("6 21", "6 23", "7")
    }
    if family is ICE40:
        del contents["7"]
        zeros = "".join(f".ram_data {name}\n" + ("0" * 64 + "\n") * 16 + "\n" for name in contents)
    else:
        contents = {"3": contents["6 21"], "12": contents["7"]}
        row = " ".join(["000"] * 8) + "\n"
        zeros = "".join(f".bram_init {name}\n{row * 256}\n" for name in contents)
    text = block_rams.write("header\n" + zeros, contents)
    found = block_rams.read(text)
    assert found.keys() == contents.keys()
    assert all(np.array_equal(found[name], contents[name]) for name in contents)
    assert text.startswith("header\n")
    assert block_rams.write(text, {}) == text


def test_memories_are_found_in_the_exported_verilog(tmp_path):
    manifest = rtl.export(network(), tmp_path, 4, trace=True, block_bits=4096)
    texts = {name: (tmp_path / name).read_text() for name in manifest["sources"]}
    found = {memory.file: memory for memory in memories(texts, manifest["top"])}
    assert set(found) == {str(path.relative_to(tmp_path)) for path in (tmp_path / "mem").iterdir()}
    for memory in found.values():
        text = (tmp_path / memory.file).read_text()
        bits = memory.bits(text)
        words = [int("".join(map(str, row[::-1])), 2) for row in bits.tolist()]
        assert words == [int(line, 16) for line in text.split()]


def test_a_memory_of_other_words_is_refused():
    memory = Memory("core.words", "mem/a.mem", 9, 2)
    assert memory.bits("1ff\n001\n").tolist() == [[1] * 9, [1] + [0] * 8]
    with pytest.raises(ValueError, match="other words than 2 of 9 bits"):
        memory.bits("1ff\n")


def test_a_memory_is_found_only_where_every_bit_is_there():
    rng = np.random.default_rng(SEED)
    memory = Memory("core.rom.words", "mem/a.mem", 20, 100)
    words = rng.integers(0, 2, (100, 20)).astype(np.uint8)
    cell = {"type": "SB_RAM40_4K", "parameters": {"READ_MODE": "00"}}
    netlist = {f"system.core.rom.words.words.0.{part}": cell for part in range(2)}
    placed = {
        f"{name}_RAM": {"attributes": {"NEXTPNR_BEL": f"X6/Y{row}/ram"}}
        for row, name in enumerate(netlist)
    }
    block_rams = ICE40.block_rams
    routed = {f"6 {row}": np.zeros(4096, np.uint8) for row in range(2)}
    routed["6 0"][block_rams.positions(16, 100)] = words[:, :16]
    routed["6 1"][block_rams.positions(16, 100)[:, :4]] = words[:, 16:]
    parts = locate(memory, words, netlist, placed, routed, block_rams)
    assert [(part.location, part.first_bit, part.bits) for part in parts] == [
        ("6 0", 0, 16),
        ("6 1", 16, 4),
    ]
    routed["6 1"][block_rams.positions(16, 100)[99, 3]] ^= 1
    assert locate(memory, words, netlist, placed, routed, block_rams) == []
    assert locate(memory, words, {}, placed, routed, block_rams) == []


@pytest.mark.parametrize("family", [ICE40, ECP5], ids=lambda family: family.name)
def test_words_are_found_where_they_are_once(family):
    rng = np.random.default_rng(SEED)
    block_rams = family.block_rams
    words = rng.integers(0, 2, (block_rams.bits // 9, 8)).astype(np.uint8)
    routed = {name: np.zeros(block_rams.bits, np.uint8) for name in ("1", "2", "3")}
    routed["2"][block_rams.positions(9 if family is ECP5 else 8, len(words))[:, :8]] = words
    assert [part.location for part in find_words(words, routed, block_rams)] == ["2"]
    routed["3"] = routed["2"]
    assert find_words(words, routed, block_rams) == []
    assert find_words(1 - words, routed, block_rams) == []


@pytest.mark.synth
@pytest.mark.slow
def test_a_patched_bitstream_is_what_a_build_of_the_new_network_holds(tmp_path, monkeypatch):
    built = build(network(), "icebreaker", tmp_path / "a", lanes=1)
    assert built["patch"]["fixed"] == ["mem/hidden.bias.mem"]
    original = (tmp_path / "a" / "icebreaker.bin").read_bytes()
    report = patch(tmp_path / "a", network(SEED + 1), tmp_path / "b", check=True)
    assert report["patched"]["memories"] == len(built["patch"]["changeable"]) == 5
    patched = (tmp_path / "b" / "icebreaker.bin").read_bytes()
    assert patched != original
    assert (tmp_path / "a" / "icebreaker.bin").read_bytes() == original

    # yosys makes the same cells of the new network, with contents that are those of the patched bitstream.
    (tmp_path / "new").mkdir()
    lanes = {"hidden": 1, "output": 1}
    design = write_design(network(SEED + 1), BOARDS["icebreaker"], lanes, 24, tmp_path / "new")
    design.synthesise(find("yosys"))
    run(find("iceunpack"), ["b/icebreaker.bin", "b.asc"], tmp_path, tmp_path / "log")
    contents = ICE40.block_rams.read((tmp_path / "b.asc").read_text())
    table = json.loads((tmp_path / "b" / "patch" / "patch.json").read_text())
    cells = read_cells(tmp_path / "new" / "top.json", "top")
    for entry in table["memories"]:
        for part in entry["parts"]:
            names = [name for name in cells if name.endswith(f".{entry['instance']}.words.0.0")]
            asked = ICE40.block_rams.contents(cells[names[0]]["parameters"])
            assert np.array_equal(contents[part["location"]], asked)

    # And back again: the very bitstream.
    patch(tmp_path / "b", network())
    assert (tmp_path / "b" / "icebreaker.bin").read_bytes() == original

    for wrong, message in (
        (network(low=-3), "sums of 'hidden' take .* bits, the build has .*, which is logic"),
        (network(threshold=149), "threshold of 'hidden' differs"),
        (
            network(bias=1),
            "'hidden.bias' differs, and in this build it is not in block RAM.*--patchable",
        ),
        (network(inputs=31), "the network has 31 inputs, the build 30"),
    ):
        with pytest.raises(InputError, match=message) as error:
            patch(tmp_path / "a", wrong, tmp_path / "c")
        assert "\n" not in str(error.value)
        assert not (tmp_path / "c").exists()

    def not_written(self, routed, contents):
        return routed

    monkeypatch.setattr(type(ICE40.block_rams), "write", not_written)
    with pytest.raises(CheckError, match="does not hold the new contents; nothing was written"):
        patch(tmp_path / "a", network(SEED + 1), check=True)
    assert (tmp_path / "a" / "icebreaker.bin").read_bytes() == original


def test_what_is_no_build(tmp_path):
    with pytest.raises(InputError, match="holds no finished build"):
        patch(tmp_path, network())
    (tmp_path / "report.json").write_text('{"board": "tangnano9k"}')
    with pytest.raises(InputError, match="a build for tangnano9k by this version cannot be patched"):
        patch(tmp_path, network())
    with pytest.raises(ToolError, match="block RAMs of arty_a7 cannot be patched"):
        patching._block_rams(BOARDS["arty_a7"])
