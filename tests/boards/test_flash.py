"""Weights that a board reads from its flash when it starts: the reader, images, a virtual board with a flash."""

import os

import numpy as np
import pytest
from amaranth.sim import Simulator

from lifline import LIF, InputError, Network, Population, Projection
from lifline.app.main import main
from lifline.boards import BoardError, connect
from lifline.boards.boot import WAKE, ImageReader, ready_cycles
from lifline.boards.image import HEADER_BYTES, UNFINISHED, Images, read_flash
from lifline.boards.protocol import Command, unstuffed
from lifline.boards.virtual import VirtualBoard
from lifline.rtl import lanes_of
from lifline.rtl.load import words

from .simulation import check, small_network, some_spikes

LANES = 3
TIMEOUT = 20.0
OFFSET = 0x123456


def read(content, start=b"LIFWabcd", most=400, offset=OFFSET, cycles=50000):
    """What a reader takes of a flash with `content` at OFFSET; in which cycle it is ready; the cycles between bytes."""
    reader = ImageReader(offset=offset, start=start, most=most)
    found, moments = [], []
    ready = []

    async def flash(ctx):
        """As a W25Q128JV: commands on rising edges, answers on falling ones, asleep at first."""
        awake, clock, bits, command, out = False, 0, 0, 0, 1
        async for _, _, select, clk, copi in ctx.tick().sample(
            reader.flash.select, reader.flash.clk, reader.flash.copi
        ):
            if not select:
                awake |= bits == 8 and command == WAKE
                bits = command = 0
            elif clk and not clock:
                command = (command << 1 | copi) if bits < 32 else command
                bits += 1
            elif clock and not clk and bits >= 32:
                place = (command & 0xFFFFFF) - OFFSET + (bits - 32) // 8
                reads = awake and command >> 24 == 0x03 and 0 <= place < len(content)
                out = content[place] >> (7 - bits % 8) & 1 if reads else 1
            clock = clk
            ctx.set(reader.flash.cipo, out)

    async def watch(ctx):
        for cycle in range(cycles):
            *_, valid, byte, busy = await ctx.tick().sample(
                reader.o.valid, reader.o.payload, reader.busy
            )
            if valid:
                found.append(byte)
                moments.append(cycle)
            if not busy:
                ready.append(cycle)
                return

    simulator = Simulator(reader)
    simulator.add_clock(1e-6)
    simulator.add_testbench(flash, background=True)
    simulator.add_testbench(watch)
    simulator.run()
    return bytes(found), ready[0], np.diff(moments)


def an_image(body, start=b"LIFWabcd", length=None):
    return start + (len(body) if length is None else length).to_bytes(3, "little") + body


def test_an_image_is_read_from_its_place():
    body = np.random.default_rng(1).bytes(300)
    image = an_image(body)
    found, ready, between = read(image + b"what comes behind")
    assert found == body
    assert ready == ready_cycles(image)
    assert (between == 40).all()


@pytest.mark.parametrize(
    "content",
    [b"", b"LIFW", an_image(b"body", b"LIFWabce"), an_image(b"body", b"lIFWabcd"), bytes(99)],
    ids=["empty", "erased", "build", "magic", "zeros"],
)
def test_what_is_no_image_of_this_build_is_not_read(content):
    found, ready, _ = read(content)
    assert found == b""
    assert ready < ready_cycles(bytes(HEADER_BYTES))


def test_a_damaged_length_has_an_end():
    found, _, _ = read(an_image(b"body", length=0xFFFFFF), most=400)
    assert found[:4] == b"body"
    assert len(found) < 1024  # what 10 bits count; WAKE_CYCLES needs as many


@pytest.mark.parametrize("arguments", [{"offset": 1 << 24}, {"offset": -1}, {"start": b"LIFW"}])
def test_readers_that_cannot_be(arguments):
    with pytest.raises(ValueError, match=r"offset must be in 0|start must have 8 bytes"):
        ImageReader(**({"offset": 0, "start": b"LIFWabcd", "most": 9} | arguments))


def test_an_image_is_what_a_host_would_send():
    network, other = small_network(), small_network(seed=4)
    images = Images(network, lanes_of(network, LANES))
    image = images.image(other)
    assert image[:8] == images.start
    body = image[HEADER_BYTES:]
    assert len(body) == int.from_bytes(image[8:HEADER_BYTES], "little") <= images.most
    bodies = [unstuffed(frame) for frame in body.split(b"\x7e") if frame]
    commands = [frame[2] for frame in bodies]
    assert commands[:2] == [Command.RESET, Command.NAME]
    assert set(commands[2:-1]) == {Command.LOAD}
    assert commands[-1] == Command.NAME
    assert [frame[1] for frame in bodies[1:]] == [n % 256 for n in range(len(bodies) - 1)]
    assert bodies[1][3:] == UNFINISHED


def test_images_are_of_one_build():
    network = small_network()
    starts = {
        Images(built, lanes_of(built, lanes), any_weights=any_weights).start
        for built in (network, small_network(seed=4))
        for lanes in (1, 2, 5)
        for any_weights in (False, True)
    }
    assert len(starts) == 12
    with pytest.raises(InputError, match="inputs is 149, the design was built for 150"):
        Images(network, lanes_of(network, 2)).image(small_network(inputs=149))


BOARD = "icebreaker"


def large_network(seed=3):
    """More weights than an iCEBreaker's block RAM holds: they are in its single-port RAM, empty at first."""
    rng = np.random.default_rng(seed)
    return Network(
        600,
        [Population("hidden", 32, LIF(beta=200, threshold=90)), Population("output", 5, LIF(250, 70))],
        [
            Projection("input", "hidden", np.clip(rng.integers(-60, 70, (600, 32)), -50, 50)),
            Projection("hidden", "output", np.clip(rng.integers(-60, 70, (32, 5)), -50, 50)),
        ],
        "output",
    )


@pytest.fixture(scope="module")
def network():
    return large_network()


@pytest.fixture(scope="module")
def other():
    return large_network(seed=9)


@pytest.fixture(scope="module")
def images(network):
    return Images(network, lanes_of(network, LANES))


def flashed(network, content):
    return VirtualBoard(network, board=BOARD, lanes=LANES, flash=content)


@pytest.mark.verilator
def test_a_board_runs_what_is_in_its_flash(network, other, images):
    spikes = some_spikes(network, 10)
    with flashed(network, images.image(other)) as board:
        with connect(board.port, other, timeout=TIMEOUT) as device:
            check(device.run(spikes), other, spikes, LANES)
            assert device.counters().damaged == device.counters().dropped == 0
        with connect(board.port, network, timeout=TIMEOUT, load=True) as device:
            assert device.read_back() == words(other, LANES, built=network)
            device.load(network)
            check(device.run(spikes), network, spikes, LANES)


@pytest.mark.verilator
def test_what_is_damaged_is_not_run(network, other, images):
    """A flipped bit anywhere, an end that is lost: the board says so, or had the image whole."""
    image = images.image(other)
    spikes = some_spikes(network, 3)
    rng = np.random.default_rng(7)
    bits = [8 * place for place in (9, 50)] + rng.integers(8 * HEADER_BYTES, 8 * len(image), 5).tolist()
    damaged = [flipped(image, bit) for bit in bits] + [image[:700], image[:-50]]
    told = [what_it_says(network, other, content, spikes) for content in damaged]
    assert all(message is None or message in (NOTHING, DAMAGED) for message in told), told
    assert DAMAGED in told
    assert told.count(None) <= 1  # a length beyond the last frame
    told = [
        what_it_says(network, network, content, spikes)
        for content in (
            b"",
            flipped(image, 3),
            Images(network, lanes_of(network, 2)).image(network),
        )
    ]
    assert told == [NOTHING] * 3


NOTHING = (
    "the board has found no weights of its build in its flash: write them with  lifline flash BUILD, or load "
    "them with  lifline run --load NETWORK"
)
DAMAGED = (
    "the weights in the board's flash are damaged, and were not used: write them anew with  lifline flash BUILD, "
    "or load them with  lifline run --load NETWORK"
)


def flipped(image, bit):
    damaged = bytearray(image)
    damaged[bit // 8] ^= 1 << bit % 8
    return bytes(damaged)


def what_it_says(network, wanted, content, spikes):
    """Why a board with this flash is refused; None if it runs what is wanted, exactly."""
    with flashed(network, content) as board:
        try:
            with connect(board.port, wanted, timeout=TIMEOUT) as device:
                check(device.run(spikes), wanted, spikes, LANES)
                return None
        except BoardError as error:
            return str(error)


def test_flashes_that_cannot_be(network, tmp_path, capsys):
    network.save(tmp_path / "network.npz")
    np.savez(tmp_path / "spikes.npz", spikes=some_spikes(network, 1))
    run = ["run", str(tmp_path / "network.npz"), "--input", str(tmp_path / "spikes.npz")]
    image = tmp_path / "weights.bin"
    image.write_bytes(b"LIFW")
    for port, flash, more, message in (
        (
            "/dev/ttyUSB1",
            image,
            [],
            "--flash is for --port virtual: write a board's with lifline flash BUILD",
        ),
        ("virtual", tmp_path / "none.bin", [], "none.bin: no such file"),
        ("virtual", tmp_path, [], "is a directory"),
        ("virtual", image, ["--board", "upduino3"], "the pins of its flash are those of its UART"),
    ):
        assert main([*run, "--port", port, "--flash", str(flash), *more]) == 2
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1
    (tmp_path / "large").touch()
    os.truncate(tmp_path / "large", (1 << 24) + 1)
    with pytest.raises(InputError, match="more than 16777216 bytes, which no flash"):
        read_flash(tmp_path / "large")
