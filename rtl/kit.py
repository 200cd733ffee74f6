"""What an integrator finds beside the Verilog: a test bench with vectors, an AXI4-Stream wrapper, lists of files.

The test bench is plain Verilog and runs in the exported folder::

    iverilog -o t *.v && vvp t

It sends the vectors' samples one after the other, with ``clear`` in between, compares every output event with what is
expected, and the cycles of each sample with the cycle model's.  With ``vvp t +stall`` both ends hold back at random.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from lifline.network import Network

from .accelerator import Accelerator
from .layout import address_bits
from .learned_vectors import LearnedText, learned_text
from .port import parts_of

#: Where the vectors are, beside the Verilog.
FOLDER = "vectors"


@dataclasses.dataclass(frozen=True)
class Vectors:
    """Samples, and what the network answers."""

    spikes: np.ndarray  #: (samples, ticks, inputs)
    outputs: np.ndarray  #: spikes of the output population, (samples, ticks, size)
    cycles: np.ndarray  #: of each sample, (samples,)
    after: Network | None = None  #: what they make of the network, where they are learned from


@dataclasses.dataclass(frozen=True)
class Names:
    """Of an export's files."""

    prefix: str
    top: str
    sources: list[str]  #: of the design
    memories: list[str]


def kit_files(
    accelerator: Accelerator, vectors: Vectors, ports: list[dict[str, Any]], names: Names
) -> dict[str, str]:
    """All files: path to text."""
    prefix = names.prefix
    learned = learned_text(accelerator, vectors.after, f"{FOLDER}/{prefix}")
    return {
        f"{prefix}testbench.v": _testbench(accelerator, vectors, names.top, prefix, learned),
        f"{prefix}axis.v": _wrapper(accelerator, ports, names.top, prefix),
        f"{prefix[:-1] or 'design'}.f": "".join(f"{source}\n" for source in names.sources),
        f"{prefix[:-1] or 'design'}.core": _fusesoc(names, prefix, learned),
        **_vector_files(accelerator, vectors, prefix, learned),
    }


def _events(network_bits: int, samples: np.ndarray) -> list[int]:
    """The payloads of samples (samples, ticks, size), each tick's events, then its marker."""
    marker = 1 << address_bits(samples.shape[2])
    result = []
    for sample in samples:
        for tick in sample:
            for address in np.flatnonzero(tick).tolist():
                value = int(tick[address]) << marker.bit_length() if network_bits > 1 else 0
                result.append(address | value)
            result.append(marker)
    return result


def _load_requests(accelerator: Accelerator) -> list[int]:
    """The payloads that write every bank, where any is empty at first."""
    if not any(bank.backing == "spram" for bank in accelerator.banks):
        return []
    fields = {name: field.offset for name, field in accelerator.load.payload.shape()}
    return [
        (value >> 16 * part & 0xFFFF) << fields["data"]
        | part << fields["part"]
        | word << fields["word"]
        | index << fields["bank"]
        | 1 << fields["write"]
        for index, bank in enumerate(accelerator.banks)
        for word, value in enumerate(bank.words)
        for part in range(parts_of(bank.width))
    ]


def _vector_files(
    accelerator: Accelerator, vectors: Vectors, prefix: str, learned: LearnedText
) -> dict[str, str]:
    network = accelerator.network
    counts = [len(_events(1, sample[None])) for sample in vectors.outputs]
    contents = {
        "input": _events(network.input_bits, vectors.spikes),
        "expected": _events(1, vectors.outputs),
        "ends": np.cumsum(counts).tolist(),
        "cycles": vectors.cycles.tolist(),
    }
    if requests := _load_requests(accelerator):
        contents["load"] = requests
    texts = {name: "".join(f"{value:x}\n" for value in values) for name, values in contents.items()}
    return {f"{FOLDER}/{prefix}{name}.mem": text for name, text in (texts | learned.files).items()}


def _testbench(
    accelerator: Accelerator, vectors: Vectors, top: str, prefix: str, learned: LearnedText
) -> str:
    network = accelerator.network
    requests = _load_requests(accelerator)
    inputs = _events(network.input_bits, vectors.spikes)
    expected = _events(1, vectors.outputs)
    ends = np.cumsum([len(_events(network.input_bits, s[None])) for s in vectors.spikes])
    connect = load = ""
    if accelerator.load_port:
        connect = (
            ",\n    .load__payload(load_payload), .load__valid(load_valid), .load__ready(load_ready),\n"
            "    .loaded__payload(), .loaded__valid(), .loaded__ready(1'b1)"
        )
        load = _LOAD.format(
            bits=len(accelerator.load.payload.as_value()),
            number=len(requests),
            last=max(len(requests), 1) - 1,
            read=f'$readmemh("{FOLDER}/{prefix}load.mem", requests);' if requests else "",
        )
    return _TESTBENCH.format(
        prefix=prefix,
        top=top,
        folder=FOLDER,
        samples=len(vectors.spikes),
        events=len(inputs),
        answers=len(expected),
        ends=", ".join(f"32'd{int(end)}" for end in ends),
        in_bits=len(accelerator.i.payload.as_value()),
        out_bits=len(accelerator.o.payload.as_value()),
        marker=address_bits(network.size(network.output)),
        fault_bits=len(accelerator.fault),
        patience=20 * int(vectors.cycles.max()) + 10_000 + learned.patience,
        connect=connect + learned.connect,
        load=(load or "  wire loading = 1'b0;\n") + learned.body,
        last=learned.last,
        compare=learned.compare,
        more=learned.passed[0],
        values=learned.passed[1],
    )


_LOAD = """\
  // Memories without contents are loaded first.
  reg [{bits}-1:0] requests[0:{last}];
  reg [31:0] requested = 0;
  wire loading = requested != {number};
  wire [{bits}-1:0] load_payload = requests[loading ? requested : 0];
  wire load_valid = loading && !rst;
  wire load_ready;
  initial begin {read} end
  always @(posedge clk) if (load_valid && load_ready) requested <= requested + 1;
"""

_TESTBENCH = """\
// Sends samples to {top}, and compares what comes out:  iverilog -o t *.v && vvp t  [+stall]
`timescale 1ns/1ns
module {prefix}testbench;
  reg clk = 0;
  reg rst = 1;
  reg clear = 0;
  reg [{in_bits}-1:0] stimulus[0:{events}-1];
  reg [{out_bits}-1:0] expected[0:{answers}-1];
  reg [31:0] ends[0:{samples}-1];  // of each sample: expected events up to there
  reg [31:0] cycles[0:{samples}-1];  // that each sample takes
  reg [31:0] input_ends[0:{samples}-1];
  integer sample = 0, sent = 0, taken = 0, cycle = 0, first = -1, idle = 0, errors = 0, wait_clear = 0, k;
  reg stall, hold_in = 0, hold_out = 0, offered = 0;
  wire [{in_bits}-1:0] i_payload = stimulus[sent < {events} ? sent : 0];
  wire i_valid, i_ready, o_valid;
  wire [{out_bits}-1:0] o_payload;
  wire [{fault_bits}-1:0] fault;
  wire o_ready = !hold_out;
{load}
  {top} dut (
    .clk(clk), .rst(rst), .clear(clear), .fault(fault),
    .i__payload(i_payload), .i__valid(i_valid), .i__ready(i_ready),
    .o__payload(o_payload), .o__valid(o_valid), .o__ready(o_ready){connect}
  );

  assign i_valid = !rst && !loading && !clear && wait_clear == 0 && sample < {samples}
    && sent < input_ends[sample < {samples} ? sample : 0] && (offered || !hold_in);

  always #5 clk = !clk;

  initial begin
    stall = $test$plusargs("stall");
    $readmemh("{folder}/{prefix}input.mem", stimulus);
    $readmemh("{folder}/{prefix}expected.mem", expected);
    $readmemh("{folder}/{prefix}ends.mem", ends);
    $readmemh("{folder}/{prefix}cycles.mem", cycles);
    k = 0;
    sums({{{ends}}});
    repeat (4) @(posedge clk);
    #1 rst = 0;
  end

  task sums(input [32*{samples}-1:0] list);
    for (k = 0; k < {samples}; k = k + 1) input_ends[{samples} - 1 - k] = list[32*k +: 32];
  endtask

  always @(posedge clk) begin
    cycle <= cycle + 1;
    idle <= idle + 1;
    offered <= i_valid && !i_ready;
    hold_in <= stall && $random % 2 == 0;
    hold_out <= stall && $random % 2 == 0;
    if (loading) idle <= 0;
    if (wait_clear != 0) wait_clear <= wait_clear - 1;
    clear <= 0;
    if (i_valid && i_ready) begin
      if (first < 0) first = cycle;
      sent <= sent + 1;
      idle <= 0;
    end
    if (o_valid && o_ready && sample < {samples} && !rst) begin
      idle <= 0;
      if (o_payload[{marker}] !== expected[taken][{marker}]
          || (!expected[taken][{marker}] && o_payload !== expected[taken])) begin
        if (errors < 10)
          $display("sample %0d: event %0d is %h, expected %h", sample, taken, o_payload, expected[taken]);
        errors = errors + 1;
      end
      taken <= taken + 1;
      if (taken + 1 == ends[sample]) begin
        if (!stall && cycle - first + 1 != cycles[sample]) begin
          $display("sample %0d: %0d cycles, expected %0d", sample, cycle - first + 1, cycles[sample]);
          errors = errors + 1;
        end
        first = -1;
        sample <= sample + 1;
        clear <= 1;
        wait_clear <= 4;
        if (sample + 1 == {samples}) {last}
      end
    end
    if (fault !== 0 && !rst && cycle > 8) begin
      $display("fault %b", fault);
      errors = errors + 1;
      finish;
    end
    if (idle > {patience}) begin
      $display("sample %0d: nothing has come for {patience} cycles", sample);
      errors = errors + 1;
      finish;
    end
  end

  task finish;
    begin
{compare}      if (errors == 0) $display("PASS: %0d samples, %0d events{more}", {samples}, {answers}{values});
      else $display("FAIL: %0d errors", errors);
      $finish;
    end
  endtask
endmodule
"""


def _wrapper(accelerator: Accelerator, ports: list[dict[str, Any]], top: str, prefix: str) -> str:
    """The top module with AXI4-Stream's names: a tick is a packet, whose last beat is the marker."""
    declared = ["input wire aclk", "input wire aresetn", "input wire clear"]
    declared.append(f"output wire [{len(accelerator.fault) - 1}:0] fault")
    inner = [".clk(aclk)", ".rst(!aresetn)", ".clear(clear)", ".fault(fault)"]
    if accelerator.learners:
        declared.append("input wire learn")
        inner.append(".learn(learn)")
    if accelerator.rewarded:
        declared.append(f"input wire signed [{len(accelerator.reward) - 1}:0] reward")
        inner.append(".reward(reward)")
    body = []
    streams = [("i", "s_axis", True), ("o", "m_axis", True)]
    if accelerator.load_port:
        streams += [("load", "s_axis_load", False), ("loaded", "m_axis_loaded", False)]
    for name, axis, last in streams:
        payload = next(port for port in ports if port["name"] == f"{name}__payload")
        comes = payload["direction"] == "input"
        data_bits = payload["bits"] - last
        width = -(-data_bits // 8) * 8
        way, back = ("input", "output") if comes else ("output", "input")
        declared += [
            f"{way} wire [{width - 1}:0] {axis}_tdata",
            f"{way} wire {axis}_tvalid",
            f"{back} wire {axis}_tready",
        ]
        wire = f"{name}_payload"
        body.append(f"wire [{payload['bits'] - 1}:0] {wire};")
        inner += [
            f".{name}__payload({wire})",
            f".{name}__valid({axis}_tvalid)",
            f".{name}__ready({axis}_tready)",
        ]
        low = 0
        for field in payload["fields"]:
            there = f"{wire}[{field['low']} +: {field['bits']}]"
            here = f"{axis}_tdata[{low} +: {field['bits']}]"
            if last and field["name"] == "marker":
                here = f"{axis}_tlast"
                declared.append(f"{way} wire {axis}_tlast")
            else:
                low += field["bits"]
            body.append(f"assign {there} = {here};" if comes else f"assign {here} = {there};")
        if not comes and width > data_bits:
            body.append(f"assign {axis}_tdata[{width - 1}:{data_bits}] = {width - data_bits}'d0;")
    if accelerator.trace:
        for port in ports:
            if port["name"].startswith(("trace_", "learned_")):
                inner.append(f".{port['name']}()")
    text = ",\n    ".join(declared)
    return (
        f"// {top} with the names of AXI4-Stream. A tick is a packet: a beat for each spike, its address in tdata,\n"
        "// and last a beat with tlast, whose tdata says nothing. The reset is active low, as AXI's is.\n"
        f"module {prefix}axis (\n    {text}\n);\n    "
        + "\n    ".join(body)
        + f"\n    {top} core (\n        "
        + ",\n        ".join(inner)
        + "\n    );\nendmodule\n"
    )


def _fusesoc(names: Names, prefix: str, learned: LearnedText) -> str:
    name = prefix[:-1] or "design"
    memories = "".join(
        f"      - {path}: {{file_type: user, copyto: {path}}}\n" for path in names.memories
    )
    vectors = ["input", "expected", "ends", "cycles", *learned.files]
    bench = "".join(
        f"      - {FOLDER}/{prefix}{v}.mem: {{file_type: user, copyto: {FOLDER}/{prefix}{v}.mem}}\n"
        for v in vectors
    )
    sources = "".join(f"      - {source}\n" for source in names.sources)
    return f"""\
CAPI=2:
name: ::{name}:0
description: A spiking network, made by lifline
filesets:
  rtl:
    files:
{sources}    file_type: verilogSource
  memories:
    files:
{memories}  axis:
    files:
      - {prefix}axis.v
    file_type: verilogSource
  bench:
    files:
      - {prefix}testbench.v: {{file_type: verilogSource}}
{bench}targets:
  default: &default
    filesets: [rtl, memories]
    toplevel: {names.top}
  axis:
    filesets: [rtl, memories, axis]
    toplevel: {prefix}axis
  sim:
    filesets: [rtl, memories, bench]
    toplevel: {prefix}testbench
    default_tool: icarus
  lint:
    <<: *default
    default_tool: verilator
    tools:
      verilator:
        mode: lint-only
"""
