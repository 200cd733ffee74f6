"""The top module's ports, bit by bit: for the manifest, ``ports.md`` and the wrapper."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Shape, Signal, Value
from amaranth.lib import data, wiring

from .accelerator import Accelerator

_MEANING = {
    "clk": "the clock, rising edge",
    "rst": "reset, synchronous, active high",
    "clear": "return to the start of a sample; works one cycle later",
    "i": "input events: the spikes of a tick in any order, each once, then a marker",
    "o": "output events: the spikes of a tick in ascending order, then a marker",
    "load": "requests to write or read one part of one word of a memory bank",
    "loaded": "the answer to each request to read",
    "fault": "what has been dropped since the last clear",
    "reward": "with clear: the host's signal for the sample that ends, two's complement",
    "learn": "1: the sample that begins is learned from; what counts is its value when the first event is taken",
}
_FIELD = {
    ("i", "address"): "the input that spikes; void in a marker",
    ("o", "address"): "the output neuron that spikes; void in a marker",
    "marker": "1: end of tick",
    "value": "the input's value; void in a marker",
    ("load", "data"): "16 bits to write",
    ("load", "part"): "which 16 bits of the word, the lowest are 0",
    ("load", "word"): "address of the word in its bank",
    ("load", "bank"): "index in manifest.json's banks",
    ("load", "write"): "1: write, the word with its last part; 0: read",
    "group": "lane l of the group is its neuron l",
    "spikes": "a bit a lane, lane 0 the lowest",
    ("learned", "word"): "its address in its bank",
    ("learned", "data"): "what is written there",
}
_FAULTS = (
    "an address that no input has",
    "more events in a tick than inputs",
    "a request to load that cannot be met",
)


def ports_of(accelerator: Accelerator) -> list[dict[str, Any]]:
    """Every port: name, direction, bits, meaning, and the fields of a payload from the lowest bit up."""
    ports: list[dict[str, Any]] = [
        {"name": name, "direction": "input", "bits": 1, "meaning": _MEANING[name], "fields": []}
        for name in ("clk", "rst")
    ]
    for path, member, value in accelerator.signature.flatten(accelerator):
        signal = Value.cast(value)
        if not isinstance(signal, Signal):  # the constant `ready` of a trace
            continue
        stream, part = str(path[0]), str(path[-1])
        meaning = _MEANING.get(stream, _shown(stream))
        if part in ("valid", "ready"):
            meaning = f"handshake of `{stream}`: a payload is taken where valid and ready are both 1"
        ports.append(
            {
                "name": "__".join(map(str, path)),
                "direction": "input" if member.flow is wiring.In else "output",
                "bits": len(signal),
                "meaning": meaning,
                "fields": _fields(stream, value) if part == "payload" else _faults(stream, signal),
            }
        )
    return ports


def _shown(stream: str) -> str:
    """What the streams show that each population or projection has."""
    if stream.startswith("learned_"):
        return "each word of weights that is written, of what learns"
    return "every spike and state of a group of neurons, group by group"


def _faults(stream: str, signal: Signal) -> list[dict[str, Any]]:
    if stream != "fault":
        return []
    return [
        {"name": f"bit {bit}", "low": bit, "bits": 1, "meaning": _FAULTS[bit]}
        for bit in range(len(signal))
    ]


def _fields(stream: str, value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, data.View):
        return [{"name": "data", "low": 0, "bits": len(value), "meaning": "the part that was read"}]
    fields = []
    for name, field in value.shape():
        known = "learned" if stream.startswith("learned_") else stream
        meaning = _FIELD.get((known, name), _FIELD.get(name, ""))
        entry = {"name": name, "low": field.offset, "bits": field.width, "meaning": meaning}
        if isinstance(field.shape, data.ArrayLayout):
            shape = Shape.cast(field.shape.elem_shape)
            sign = "signed" if shape.signed else "unsigned"
            entry["meaning"] = f"{sign}, {shape.width} bits a lane, lane 0 the lowest"
            entry["bits_per_lane"] = shape.width
        fields.append(entry)
    return fields


def ports_text(top: str, ports: list[dict[str, Any]]) -> str:
    """``ports.md``."""
    lines = [
        f"# Ports of {top}",
        "",
        "One clock. The reset is synchronous and active high. A payload moves in a cycle in which `valid` and `ready` "
        "are both 1; once `valid` is 1 it stays, and the payload holds, until then. In words of several lanes, lane 0 "
        "is in the lowest bits.",
        "",
        "| port | direction | bits | what |",
        "| --- | --- | --- | --- |",
    ]
    for port in ports:
        lines.append(f"| `{port['name']}` | {port['direction']} | {port['bits']} | {port['meaning']} |")
        for field in port["fields"]:
            high = field["low"] + field["bits"] - 1
            bits = f"{high}:{field['low']}" if field["bits"] > 1 else str(high)
            lines.append(f"| · `{field['name']}` | | {bits} | {field['meaning']} |")
    return "\n".join(lines) + "\n"
