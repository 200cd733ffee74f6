"""Faults put into the gateware on purpose: each is found, and said in words that help."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lifline import golden, rtl
from lifline.network import Network, Population, Projection
from lifline.neurons import LIF
from lifline.sim import Report, SimulationError, simulate, verify
from lifline.sim.trace import traces_of
from lifline.synapses import Dense

NETWORK = Network(
    inputs=4,
    populations=[
        Population("hidden", 3, LIF(beta=250, threshold=20)),
        Population("out", 2, LIF(beta=200, threshold=15)),
    ],
    projections=[
        Projection(
            "input",
            "hidden",
            Dense([[9, 7, 5], [8, 6, 4], [7, 5, 9], [6, 9, 8]], delays=[[0, 1, 2]] * 4),
        ),
        Projection("hidden", "out", [[9, 8], [7, 9], [8, 7]]),
    ],
    output="out",
)
SPIKES = np.ones((1, 12, 4), np.uint8)

_PASS = {
    "i__ready": "inner_i__ready",
    "inner_i__valid": "i__valid",
    "o__valid": "inner_o__valid",
    "o__payload": "inner_o__payload",
    "inner_o__ready": "o__ready",
    "trace_out__valid": "inner_trace_out__valid",
}


def wrapper(faults: dict[str, str]) -> str:
    """A top around the real one, in which some connections are others."""
    traces = traces_of(NETWORK, rtl.lanes_of(NETWORK, 1))
    widths = {"i__payload": 3, "o__payload": 2} | {f"trace_{t.name}__payload": t.bits for t in traces}
    inputs = ["clk", "rst", "clear", "i__payload", "i__valid", "o__ready"]
    outputs = ["i__ready", "o__payload", "o__valid"]
    outputs += [f"trace_{t.name}__{part}" for t in traces for part in ("payload", "valid")]

    def declared(kind: str, name: str) -> str:
        return f"{kind} [{widths[name] - 1}:0] {name}" if name in widths else f"{kind} {name}"

    ports = [declared("input", name) for name in inputs] + [
        declared("output", name) for name in outputs
    ]
    connections = ", ".join(
        f".{name}({f'inner_{name}' if f'inner_{name}' in text else name})"
        for text in [" ".join([*_PASS, *_PASS.values()])]
        for name in [*inputs, *outputs]
    )
    assignments = "\n".join(f"  assign {left} = {right};" for left, right in (_PASS | faults).items())
    return f"""
module lifline_top({", ".join(ports)});
  wire inner_i__ready, inner_i__valid, inner_o__valid, inner_o__ready, inner_trace_out__valid;
  wire [1:0] inner_o__payload;
  reg [7:0] accepted = 0, traced = 0;
  reg held = 0;
  always @(posedge clk) begin
    held <= o__valid & ~o__ready;
    if (inner_i__valid & inner_i__ready) accepted <= accepted + 1;
    if (inner_trace_out__valid) traced <= traced + 1;
  end
{assignments}
  lifline_inner inner({connections});
endmodule
"""


@pytest.fixture
def fault(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Other connections of the top of every design that is exported from now on."""
    faults: dict[str, str] = {}
    export = rtl.export

    def faulty(network: Network, directory: str | os.PathLike[str], *args: Any, **kwargs: Any) -> Any:
        manifest = export(network, directory, *args, **kwargs)
        top = Path(directory, "lifline_top.v")
        top.write_text(top.read_text().replace("module lifline_top(", "module lifline_inner("))
        Path(directory, "wrapper.v").write_text(wrapper(faults))
        return manifest | {"sources": [*manifest["sources"], "wrapper.v"]}

    monkeypatch.setattr(rtl, "export", faulty)
    return faults


def run(backend: str, *, stalls: bool = True) -> Report:
    return verify(NETWORK, backend=backend, spikes=SPIKES, stalls=stalls, seed=3)


def test_wrapper_without_fault_passes(backend: str, fault: dict[str, str]) -> None:
    assert run(backend).text.startswith(f"{backend} equals golden")


def test_deadlock_is_reported_with_tick_and_stream(backend: str, fault: dict[str, str]) -> None:
    fault["i__ready"] = "inner_i__ready & (accepted < 12)"
    fault["inner_i__valid"] = "i__valid & (accepted < 12)"
    report = run(backend, stalls=False)
    assert not report.passed
    assert report.problem is not None
    assert "deadlock: nothing moved for" in report.problem
    assert (
        "stream i took 12 of 60 events and waits in tick 2, stream o waits in tick 2" in report.problem
    )
    assert "the trace of 'out' in tick 2 (of 12 ticks)" in report.problem
    with pytest.raises(
        SimulationError, match=r"deadlock: nothing moved .*stream i took 12 of 60 events"
    ):
        simulate(NETWORK, SPIKES, backend=backend)


def test_payload_that_changes_before_it_is_taken(backend: str, fault: dict[str, str]) -> None:
    fault["o__payload"] = "inner_o__payload ^ {1'b0, held}"
    report = run(backend)
    assert report.problem is not None
    assert "stream o: the payload changed from" in report.problem


def test_event_that_is_withdrawn(backend: str, fault: dict[str, str]) -> None:
    fault["o__valid"] = "inner_o__valid & ~held"
    fault["inner_o__ready"] = "o__ready & ~held"
    report = run(backend)
    assert report.problem is not None
    assert "stream o: an event was withdrawn" in report.problem


def test_events_that_contradict_the_trace(backend: str, fault: dict[str, str]) -> None:
    fault["o__payload"] = "inner_o__payload ^ {1'b0, ~inner_o__payload[1]}"
    report = run(backend, stalls=False)
    assert report.problem is not None
    assert report.problem.startswith("stream o: in tick")
    assert "it gave the events" in report.problem
    with pytest.raises(SimulationError, match="stream o: in tick"):
        simulate(NETWORK, SPIKES, backend=backend)


def test_trace_that_repeats_a_word(backend: str, fault: dict[str, str]) -> None:
    fault["trace_out__valid"] = "inner_trace_out__valid | (traced == 24)"
    report = run(backend, stalls=False)
    assert report.problem == "trace of 'out': a word after the last tick"


@pytest.mark.icarus  # Verilator knows no undefined values
@pytest.mark.parametrize("backend", ["icarus"], indirect=True)
@pytest.mark.parametrize(
    ("connection", "message"),
    [
        ("o__valid", "stream o: valid is undefined: X"),
        ("o__payload", "stream o: the payload is undefined in tick 1: 0X"),
        ("i__ready", "stream i: ready is undefined: X"),
        ("trace_out__valid", "trace of 'out': valid is undefined: X"),
    ],
)
def test_undefined_values(connection: str, message: str, backend: str, fault: dict[str, str]) -> None:
    fault[connection] = f"inner_{connection} | (accepted > 14 ? 1'bx : 1'b0)"
    report = run(backend, stalls=False)
    assert report.problem == message


def test_wrong_weight_is_traced_to_its_neuron_and_tick(
    backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of weights is replaced: the report must name the first neuron that feels it, and why."""
    projection = NETWORK.projections[0]
    weights = projection.synapses.weights.copy()
    weights[3, 2] += 1
    wrong = Projection("input", "hidden", Dense(weights, projection.synapses.delays))
    other = Network(4, NETWORK.populations, [wrong, NETWORK.projections[1]], "out")
    export = rtl.export
    monkeypatch.setattr(rtl, "export", lambda network, *args, **kwargs: export(other, *args, **kwargs))
    report = run(backend)
    assert not report.passed
    found = report.divergence
    assert found is not None
    assert (found.population, found.neuron, found.tick) == ("hidden", 2, 2)  # its delay is 2
    expected = golden.simulate(NETWORK, SPIKES)
    spike, membrane = int(expected.spikes["hidden"][0, 2, 2]), int(expected.membrane["hidden"][0, 2, 2])
    assert found.expected == {"spike": spike, "membrane": membrane}
    assert found.actual == {"spike": spike, "membrane": membrane + 1}
    assert (
        "differs from golden: first divergence in sample 0: population 'hidden', neuron 2, tick 2"
        in report.text
    )
    assert "input -> hidden: source 3 spiked in tick 0, delay 2, weight 8" in report.text
