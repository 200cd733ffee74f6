"""One scenario for every component with streams: send, receive, stall at random, in Amaranth's simulator."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from amaranth.lib import data
from amaranth.sim import Simulator


def exchange(
    dut: Any,
    *,
    send: Mapping[str, Sequence[Mapping[str, Any]]],
    receive: Sequence[str],
    cycles: int,
    stall: int | None = None,
    each_cycle: Callable[[Any, int], None] | None = None,
    after: Mapping[str, str] | None = None,
) -> tuple[dict[str, list[int]], dict[str, list[tuple[int, dict[str, Any]]]]]:
    """Run `dut` for some cycles.

    Parameters
    ----------
    send : mapping
        For each input stream the payloads to send, as mappings of their fields.
    receive : sequence of str
        The output streams.
    cycles : int
    stall : int or None
        Seed of random stalls on all streams; None: send and take whenever possible.
    each_cycle : callable or None
        Called as ``each_cycle(ctx, cycle)`` before the clock edge of each cycle.
    after : mapping or None
        Streams that wait until all of another has been accepted, and ten cycles more.

    Returns
    -------
    (dict, dict)
        For each input stream the cycles in which payloads were accepted; for each output stream the cycles
        and the payloads that were taken.
    """
    rng = np.random.default_rng(stall)
    accepted: dict[str, list[int]] = {name: [] for name in send}
    taken: dict[str, list[tuple[int, dict[str, Any]]]] = {name: [] for name in receive}

    def go() -> bool:
        return stall is None or bool(rng.random() < 0.5)

    async def scenario(ctx: Any) -> None:
        offered = dict.fromkeys(send, False)
        for cycle in range(cycles):
            for name, payloads in send.items():
                port = getattr(dut, name)
                done = len(accepted[name])
                first = (after or {}).get(name)
                if first is not None and len(accepted[first]) < len(send[first]):
                    ctx.set(port.valid, 0)
                    continue
                if first is not None and accepted[first] and cycle < accepted[first][-1] + 10:
                    continue
                offered[name] = done < len(payloads) and (offered[name] or go())
                ctx.set(port.valid, offered[name])
                if offered[name]:
                    for field, value in payloads[done].items():
                        ctx.set(getattr(port.payload, field), value)
            for name in receive:
                port = getattr(dut, name)
                if not port.signature.always_ready:
                    ctx.set(port.ready, go())
            if each_cycle is not None:
                each_cycle(ctx, cycle)
            for name in send:
                if offered[name] and ctx.get(getattr(dut, name).ready):
                    accepted[name].append(cycle)
                    offered[name] = False
            for name in receive:
                port = getattr(dut, name)
                if ctx.get(port.valid) and ctx.get(port.ready):
                    taken[name].append((cycle, _plain(ctx.get(port.payload))))
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(scenario)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # ports that a component does not need are unused signals
        simulator.run()
    return accepted, taken


def _plain(value: Any) -> Any:
    """A payload as plain Python: structures as dicts, arrays as lists."""
    if isinstance(value, data.Const):
        layout = value.shape()
        if isinstance(layout, data.StructLayout):
            return {field: _plain(value[field]) for field, _ in layout}
        return [_plain(value[index]) for index in range(layout.length)]
    return value
