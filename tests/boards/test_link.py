"""The parts of the board's end of the line, each against a few lines of Python."""

import gc

import numpy as np
import pytest
from amaranth.sim import Simulator

from lifline.boards.buffer import FrameBuffer
from lifline.boards.decoder import SampleDecoder
from lifline.boards.framing import FrameReceiver, FrameSender
from lifline.boards.protocol import FLAG, Command, Deframer, Identity, decode, encode, stuffed
from lifline.boards.sequence import Sequence

from ..rtl.streams import exchange


def simulate(dut, *testbenches):
    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    for testbench in testbenches:
        simulator.add_testbench(testbench)
    simulator.run()


def lines(rng, count):
    """Frames on a line, some damaged, with bytes of nothing in between."""
    for _ in range(count):
        body = rng.integers(0, 256, int(rng.integers(1, 12))).astype(np.uint8)
        body[rng.random(len(body)) < 0.3] = rng.choice([0x7D, 0x7E])
        line = bytearray(stuffed(body.tobytes()))
        if rng.random() < 0.4:
            line[rng.integers(len(line))] ^= 1 << rng.integers(8)
        if rng.random() < 0.2:
            line = line[: int(rng.integers(1, len(line)))]
        yield bytes(line)


def test_a_receiver_finds_the_frames_that_python_finds():
    seed = 4
    rng = np.random.default_rng(seed)
    dut = FrameReceiver()
    sent = b"".join(lines(rng, 60)) + bytes([FLAG])
    expected = Deframer()
    bodies = list(expected.feed(sent))
    assert expected.damaged > 5
    found, damaged, body = [], 0, b""

    async def feed(ctx):
        nonlocal damaged, body
        for byte in sent:
            ctx.set(dut.i.payload, byte)
            ctx.set(dut.i.valid, 1)
            if ctx.get(dut.o.valid):
                body += bytes([ctx.get(dut.o.payload)])
            if ctx.get(dut.end):
                if ctx.get(dut.good):
                    found.append(body[:-4])
                else:
                    damaged += 1
                body = b""
            await ctx.tick()
            ctx.set(dut.i.valid, 0)
            await ctx.tick().repeat(9)

    simulate(dut, feed)
    assert found == bodies, f"seed {seed}"
    # What is too short for a CRC is damaged, too, and so is an escape that ends a frame.
    assert damaged == expected.damaged, f"seed {seed}"


def test_a_byte_that_was_none_spoils_its_frame():
    dut = FrameReceiver()
    good = []

    async def feed(ctx):
        for spoil in (False, True, False):
            for place, byte in enumerate(stuffed(b"abc")):
                ctx.set(dut.damaged, spoil and place == 3)
                ctx.set(dut.i.payload, byte)
                ctx.set(dut.i.valid, 1)
                if ctx.get(dut.end):
                    good.append(ctx.get(dut.good))
                await ctx.tick()
                ctx.set(dut.i.valid, 0)
                ctx.set(dut.damaged, 0)
                await ctx.tick().repeat(9)

    simulate(dut, feed)
    assert good == [1, 0, 1]


@pytest.mark.parametrize("stall", [None, 1, 2])
def test_a_sender_makes_the_frames_that_python_makes(stall):
    rng = np.random.default_rng(8)
    bodies = [
        rng.choice([0x7D, 0x7E, 0, 255, 17], int(n)).astype(np.uint8).tobytes()
        for n in rng.integers(1, 9, 12)
    ]
    payloads = [
        {"byte": byte, "last": place == len(body) - 1}
        for body in bodies
        for place, byte in enumerate(body)
    ]
    _, taken = exchange(FrameSender(), send={"i": payloads}, receive=["o"], cycles=4000, stall=stall)
    assert bytes(byte for _, byte in taken["o"]) == b"".join(map(stuffed, bodies))


IDENTITY = bytes(range(60, 90))


def test_a_buffer_gives_the_frames_that_were_kept():
    seed = 6
    rng = np.random.default_rng(seed)
    dut = FrameBuffer(size=512, identity=IDENTITY)
    kept: list[bytes] = []
    read: list[bytes] = []
    used: list[int] = []
    frames = 100

    async def write(ctx):
        for _ in range(frames):
            command = rng.bytes(int(rng.integers(1, 120)))
            keep = rng.random() < 0.7
            if keep:  # a host that heeds the room
                while sum(len(frame) + 5 for frame in kept[len(read) :]) + len(command) + 5 > dut.room:
                    await ctx.tick()
            for byte in command + b"crc!":
                ctx.set(dut.i.payload, byte)
                ctx.set(dut.i.valid, 1)
                await ctx.tick()
                ctx.set(dut.i.valid, 0)
            if keep:
                assert ctx.get(dut.fits)
                kept.append(command)
            ctx.set(dut.keep if keep else dut.drop, 1)
            await ctx.tick()
            ctx.set(dut.keep, 0)
            ctx.set(dut.drop, 0)
            used.append(len(kept))

    async def take(ctx):
        body = b""
        while len(read) < len(kept) or len(used) < frames:
            ready = rng.random() < 0.7
            ctx.set(dut.o.ready, ready)
            if ready and ctx.get(dut.o.valid):
                body += bytes([ctx.get(dut.o.payload.byte)])
                if ctx.get(dut.o.payload.last):
                    read.append(body)
                    body = b""
            await ctx.tick()
        ctx.set(dut.tell, 1)
        ctx.set(dut.o.ready, 1)
        told = b""
        while len(told) < len(IDENTITY):
            if ctx.get(dut.o.valid):
                told += bytes([ctx.get(dut.o.payload.byte)])
                assert ctx.get(dut.o.payload.last) == (len(told) == len(IDENTITY))
            await ctx.tick()
        assert told == IDENTITY

    simulate(dut, write, take)
    assert read == kept, f"seed {seed}"


def test_a_buffer_says_when_a_frame_does_not_fit():
    dut = FrameBuffer(size=512, identity=IDENTITY)

    async def write(ctx):
        async def frame(length):
            for byte in range(length):
                ctx.set(dut.i.payload, byte & 0xFF)
                ctx.set(dut.i.valid, 1)
                await ctx.tick()
            ctx.set(dut.i.valid, 0)
            fits = ctx.get(dut.fits)
            ctx.set(dut.keep if fits else dut.drop, 1)
            await ctx.tick()
            ctx.set(dut.keep, 0)
            ctx.set(dut.drop, 0)
            return fits

        assert await frame(250)
        assert not await frame(256)  # longer than a length can say
        assert await frame(220)
        assert not await frame(20)  # full
        assert not await frame(20)
        assert await frame(5)

    simulate(dut, write)


@pytest.mark.filterwarnings("ignore::amaranth.hdl.UnusedElaboratable")
def test_a_buffer_without_room_is_refused():
    with pytest.raises(ValueError, match="size must be at least 286, not 256"):
        FrameBuffer(size=256, identity=IDENTITY)
    gc.collect()


def run_decoder(data, inputs, *, rng, stall=0.0, input_bits=1, max_ticks=4095):
    """Events and markers that the gateware makes of bytes, as (address, value) or None; its faults; whether between."""
    dut = SampleDecoder(inputs=inputs, input_bits=input_bits, max_ticks=max_ticks)
    found, state = [], []

    async def feed(ctx):
        for byte in data:
            while rng.random() < stall:
                await ctx.tick()
            ctx.set(dut.i.payload, byte)
            ctx.set(dut.i.valid, 1)
            await ctx.tick().until(dut.i.ready)
            ctx.set(dut.i.valid, 0)
        idle = 0
        while idle < 600:
            idle = 0 if ctx.get(dut.o.valid) else idle + 1
            await ctx.tick()
        state.extend(ctx.get(signal) for signal in (dut.address_fault, dut.ticks_fault, dut.between))
        assert ctx.get(dut.i.ready)  # whatever came, it takes more

    async def take(ctx):
        while True:
            ready = rng.random() >= stall
            ctx.set(dut.o.ready, ready)
            if ready and ctx.get(dut.o.valid):
                event = dut.o.payload
                value = ctx.get(event.value) if input_bits > 1 else 1
                found.append(None if ctx.get(event.marker) else (ctx.get(event.address), value))
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(feed)
    simulator.add_testbench(take, background=True)
    simulator.run()
    return found, state


def events_of(spikes):
    result = []
    for tick in spikes:
        result += [(int(address), int(tick[address])) for address in np.flatnonzero(tick)]
        result.append(None)
    return result


@pytest.mark.parametrize("stall", [0.0, 0.5])
@pytest.mark.parametrize(
    ("inputs", "input_bits"), [(1, 1), (8, 1), (20, 1), (300, 1), (700, 1), (20, 2), (40, 4), (9, 7)]
)
def test_a_decoder_makes_events_of_what_python_encodes(inputs, input_bits, stall):
    seed = 10 * inputs + input_bits
    rng = np.random.default_rng(seed)
    spikes = []
    for density in (0.02, 0.9, 0.0, 0.1, 0.4):
        tick = (rng.random(inputs) < density) * rng.integers(1, 2**input_bits, inputs)
        spikes.append(tick.astype(np.uint8))
    data = encode(np.array(spikes), input_bits)
    found, state = run_decoder(data, inputs, rng=rng, stall=stall, input_bits=input_bits)
    assert found == events_of(spikes), f"seed {seed}"
    assert state == [0, 0, 1]


def test_a_decoder_takes_lists_that_go_on():
    spikes = np.zeros((2, 2600), np.uint8)
    spikes[0, ::10] = 1  # 260 events
    data = encode(spikes)
    assert data[0] == 0xFE
    found, _ = run_decoder(data, 2600, rng=np.random.default_rng(0))
    assert found == events_of(spikes)


@pytest.mark.parametrize("input_bits", [1, 3])
def test_whatever_comes_a_decoder_makes_ticks_of_it(input_bits):
    """Random bytes: no hang, no address twice in a tick or beyond the inputs."""
    for seed in range(12):
        rng = np.random.default_rng(seed)
        inputs = int(rng.choice([1, 30, 200, 700]))
        data = rng.choice([0, 1, 3, 40, 200, 254, 255], 120).astype(np.uint8).tobytes()
        found, (address_fault, ticks_fault, between) = run_decoder(
            data, inputs, rng=rng, input_bits=input_bits
        )
        last = -1
        for event in found:
            if event is None:
                last = -1
                continue
            address, value = event
            assert last < address < inputs, f"seed {seed}"
            assert 0 < value < 2**input_bits
            last = address
        assert not ticks_fault
        if not address_fault and between:
            assert events_of(decode(data, inputs, input_bits)) == found, f"seed {seed}"


def test_a_decoder_counts_ticks():
    found, state = run_decoder(bytes([0, 0, 0, 0, 1, 2]), 5, rng=np.random.default_rng(0), max_ticks=3)
    assert found == [None] * 3
    assert state[1]
    found, state = run_decoder(bytes([1, 5, 1, 2]), 5, rng=np.random.default_rng(0))
    assert (found, state[0]) == ([], 1)


def run_sequence(frames):
    """What becomes of frames (body, good, fits)."""
    dut = Sequence()
    fates = []

    async def feed(ctx):
        for body, good, fits in frames:
            for byte in body + b"crc!":
                ctx.set(dut.i.payload, byte)
                ctx.set(dut.i.valid, 1)
                await ctx.tick()
            ctx.set(dut.i.valid, 0)
            ctx.set(dut.good, good)
            ctx.set(dut.fits, fits)
            ctx.set(dut.end, 1)
            fates.append(
                "".join(
                    name
                    for name in ("keep", "drop", "reset", "poll", "bad")
                    if ctx.get(getattr(dut, name))
                )
            )
            await ctx.tick()
            ctx.set(dut.end, 0)
            await ctx.tick()
        fates.append(
            [
                ctx.get(getattr(dut, name))
                for name in ("session", "expected", "frames", "damaged", "dropped")
            ]
        )

    simulate(dut, feed)
    return fates


def test_frames_count_once_in_order_and_in_their_session():
    sample = int(Command.SAMPLE)
    whole = [
        (bytes([0, 0, sample]), "dropbad"),  # no session yet
        (bytes([9, 0, Command.POLL]), "droppoll"),
        (bytes([9, 5, Command.RESET]), "dropreset"),
        (bytes([9, 0, sample, 1, 2]), "keep"),
        (bytes([9, 0, sample, 1, 2]), "dropbad"),  # again
        (bytes([9, 2, sample]), "dropbad"),  # one is missing
        (bytes([8, 1, sample]), "dropbad"),  # of another session
        (bytes([9, 1, Command.IDENTIFY]), "keep"),
        (bytes([7, 0, Command.RESET]), "dropreset"),
        (bytes([9, 2, sample]), "dropbad"),
        (bytes([7, 0, sample]), "keep"),
    ]
    *fates, counters = run_sequence([(body, True, True) for body, _ in whole])
    assert fates == [fate for _, fate in whole]
    assert counters == [7, 1, 3, 0, 5]


def test_damaged_frames_and_those_without_room_do_not_count():
    fates = run_sequence(
        [
            (bytes([9, 0, Command.RESET]), False, True),
            (bytes([9, 0, Command.RESET]), True, True),
            (bytes([9, 0, Command.SAMPLE]), False, True),
            (bytes([9, 0, Command.SAMPLE]), True, False),
            (bytes([9, 0, Command.SAMPLE]), True, True),
        ]
    )
    assert fates == ["dropbad", "dropreset", "dropbad", "dropbad", "keep", [9, 1, 1, 2, 1]]


def test_the_sequence_goes_round():
    frames = [(bytes([3, 0, Command.RESET]), True, True)]
    frames += [(bytes([3, n % 256, Command.COUNT]), True, True) for n in range(300)]
    *fates, counters = run_sequence(frames)
    assert fates[1:] == ["keep"] * 300
    assert counters[1] == 300 % 256


def test_identities_leave_room_in_the_smallest_buffer():
    populations = tuple((1000, 8) for _ in range(40))
    identity = Identity(bytes(16), 784, 1, 10, 3, 512, 12_000, False, False, populations)
    assert FrameBuffer(size=512, identity=identity.data).room >= 253
    assert len(Identity.of(identity.data).populations) == 16
