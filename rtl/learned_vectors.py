"""What a test bench of an exported design that learns has more: `learn` is 1, and the weights are compared at the end.

With ``trace`` each word that is written is seen on a stream ``learned_<population>_<channel>``.  The test bench keeps
them, from the words of the start on, and when the last sample's ``clear`` has ended they are what golden has learned.
"""

from __future__ import annotations

import dataclasses

from lifline.network import Network

from .accelerator import Accelerator
from .layout import address_bits
from .plan import plan
from .synapses.banks import banks_of


@dataclasses.dataclass(frozen=True)
class LearnedText:
    """Parts of the test bench; all empty in that of a design that does not learn."""

    connect: str = ""  #: more ports of the design
    body: str = ""  #: what keeps the words
    last: str = "finish;"  #: what is done when the last event has come
    compare: str = ""  #: at the end
    passed: tuple[str, str] = ("", "")  #: what it says then: more of the format, and its arguments
    patience: int = 0  #: cycles in which nothing comes out, after a sample
    files: dict[str, str] = dataclasses.field(default_factory=dict)  #: of vectors: name to text


def learned_text(accelerator: Accelerator, after: Network | None, folder: str) -> LearnedText:
    """What the test bench has more.

    Parameters
    ----------
    accelerator : Accelerator
    after : Network, optional
        What all samples make of the network, where they are learned from.
    folder : str
        Where the files are, and what their names begin with.
    """
    if not accelerator.learners:
        return LearnedText()
    learn = 0 if after is None else 1
    connect = f",\n    .learn(1'b{learn})" + ",\n    .reward(16'd0)" * accelerator.rewarded
    if after is None or not accelerator.trace:
        return LearnedText(connect, patience=_patience(accelerator))
    lanes = {name: array.lanes for name, array in accelerator.arrays.items()}
    arrays = plan(after, lanes, load=accelerator.load_port, learn=True)
    taught = {
        f"{name}_{bank.channel}": bank.rom.words
        for name, array in arrays.items()
        for bank in banks_of(array)
        if bank.name == "weights"
    }
    body, compare, files = [], [], {}
    words = 0
    for name, bank in accelerator.taps.items():
        tap, rom = f"learned_{name}", bank.rom
        digits = -(-rom.width // 4)
        words += len(rom.words)
        connect += f",\n    .{tap}__payload({tap}), .{tap}__valid({tap}_valid)"
        body.append(
            _BODY.format(
                tap=tap,
                payload=32 + rom.width,
                width=rom.width,
                depth=len(rom.words),
                address=address_bits(len(rom.words)),
                folder=folder,
            )
        )
        compare.append(_COMPARE.format(tap=tap, depth=len(rom.words)))
        for what, values in (("start", rom.words), ("end", taught[name])):
            files[f"{tap}_{what}"] = "".join(f"{value:0{digits}x}\n" for value in values)
    return LearnedText(
        connect,
        "".join(body) + _SETTLED,
        "ended <= 1;",
        "".join(compare),
        (", %0d learned words", f", {words}"),
        _patience(accelerator),
        files,
    )


def _patience(accelerator: Accelerator) -> int:
    """More cycles than what learns is at work after a sample."""
    banks = [bank.rom for bank in accelerator.taps.values()]
    return sum(2 * len(rom.words) + 256 * len(rom.words) for rom in banks)


_BODY = """\
  // The words that learn: as they start, then as they are written, and as they must be in the end.
  reg [{width}-1:0] {tap}_now[0:{depth}-1];
  reg [{width}-1:0] {tap}_end[0:{depth}-1];
  wire [{payload}-1:0] {tap};
  wire {tap}_valid;
  initial begin
    $readmemh("{folder}{tap}_start.mem", {tap}_now);
    $readmemh("{folder}{tap}_end.mem", {tap}_end);
  end
  always @(posedge clk) if ({tap}_valid) {tap}_now[{tap}[{address}-1:0]] <= {tap}[32 +: {width}];
"""

_SETTLED = """\
  reg ended = 0;  // and with the last clear all has been learned
  always @(posedge clk) if (ended && !clear && wait_clear == 0 && i_ready) finish;
"""

_COMPARE = """\
      for (k = 0; k < {depth}; k = k + 1)
        if ({tap}_now[k] !== {tap}_end[k]) begin
          if (errors < 10) $display("{tap}: word %0d is %h, expected %h", k, {tap}_now[k], {tap}_end[k]);
          errors = errors + 1;
        end
"""
