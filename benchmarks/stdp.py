"""Pair STDP in integers beside the float rule, event by event, and beside Brian2; and its window, Δw against Δt.

Random pairs of spike trains change one synapse each.  The float rule has exact exponentials in place of the floors,
so the two may differ by what the floors lose, and no more.  A trace loses less than 1 a tick, of which later ticks
keep alpha/256: less than ε = 256 / (256 − alpha) in all.  A change loses less than η · ε / 2^shift by its trace and
less than 1 by its own shift.  So, in steps of 1/2^fraction_bits of a weight and for η ≥ 0,

    −n_post · (1 + eta_plus · ε_pre / 2^shift)  <  Δw(integer) − Δw(float)
                                                <  n_pre · (1 + eta_minus · ε_post / 2^shift)

With stochastic rounding a shift loses nothing on average, and less than 1 either way.

Brian2 runs in this Python, or in the one that BRIAN2 names (see `benchmarks/brian.py`); without it those columns are
empty.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from lifline import golden, sim
from lifline.network import LIF, STDP, Dense, Network, Pairing, Population, Projection, Rounding
from lifline.recording import Recording

from .measure import SEED, Options, Result
from .plots import window

RULE = STDP(243, 240, 2048, 16, 17, 8)
TRAINS, TICKS = 50, 200
FURTHEST = 60  #: ticks between the spikes of a pair, in the window

#: A run that learns: from network and spikes to what it recorded.
Backend = Callable[[Network, np.ndarray], Recording]


def backends(quick: bool) -> dict[str, Backend]:
    """Golden, and the gateware in Verilator."""
    found: dict[str, Backend] = {
        "golden": lambda network, spikes: golden.simulate(network, spikes, learn=True)
    }
    if not quick:
        found["verilator"] = lambda network, spikes: sim.simulate(network, spikes, learn=True)
    return found


def synapses(rules: list[STDP]) -> Network:
    """For each rule a synapse, from the first input to a target that spikes where the second input says so."""
    targets = [
        Population(f"out{n}", 1, LIF(0, 2**14, reset="zero", membrane_bits=17))
        for n in range(len(rules))
    ]
    ends = zip(rules, targets, strict=True)
    return Network(
        2,
        targets,
        [
            projection
            for rule, target in ends
            for projection in (
                Projection("input", target.name, Dense([[0], [0]], 0, 16), rule),
                Projection("input", target.name, Dense([[0], [2**15 - 1]], 0, 16)),
            )
        ],
        targets[0].name,
    )


def changes(rules: list[STDP], spikes: np.ndarray, backend: Backend) -> list[np.ndarray]:
    """By each rule Δw of each sample of source's and target's spikes (samples, ticks, 2), in 1/2^fraction_bits."""
    recording = backend(synapses(rules), spikes)
    assert recording.weights is not None
    for fired in recording.spikes.values():
        assert (fired[..., 0] == spikes[..., 1]).all()
    return [
        np.diff(w[:, 0, 0].astype(np.int64), prepend=0) for _, w in sorted(recording.weights.items())
    ]


def exact(rule: STDP, spikes: np.ndarray) -> np.ndarray:
    """The same by the float rule: each pair of spikes on its own."""
    totals = []
    for sample in spikes:
        source, target = (np.flatnonzero(train) for train in sample.T)
        rise = _paired(rule, source, target, rule.alpha_pre)
        fall = _paired(rule, target, source, rule.alpha_post)
        totals.append((rule.eta_plus * rise - rule.eta_minus * fall) / 2**rule.shift)
    return np.array(totals)


def _paired(rule: STDP, earlier: np.ndarray, later: np.ndarray, alpha: int) -> float:
    """Σ over later spikes of the trace that earlier ones have left."""
    total = 0.0
    for t in later:
        apart = t - earlier[earlier <= t if rule.coincident else earlier < t]
        if rule.pairing is Pairing.NEAREST:
            apart = apart[-1:]
        total += float(((alpha / 256.0) ** apart).sum()) * rule.amplitude
    return total


def bounds(rule: STDP, spikes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How far below and above the float rule's change the integer one may be."""
    lost = [
        1 + eta * 256 / (256 - alpha) / 2**rule.shift
        for eta, alpha in ((rule.eta_plus, rule.alpha_pre), (rule.eta_minus, rule.alpha_post))
    ]
    n_pre, n_post = spikes.sum(axis=1).T
    low, high = n_post * lost[0], n_pre * lost[1]
    if rule.rounding is Rounding.STOCHASTIC:  # each shift may gain as much as it may lose
        low, high = low + n_pre, high + n_post
    return low, high


def trains(count: int) -> np.ndarray:
    """Spikes of source and target, uint8 (count, ticks, 2), each train of a rate of its own."""
    rng = np.random.default_rng(SEED)
    rates = rng.uniform(0.01, 0.2, (count, 1, 2))
    return (rng.random((count, TICKS, 2)) < rates).astype(np.uint8)


def in_brian(rules: list[STDP], spikes: np.ndarray) -> list[np.ndarray] | None:
    """The same by Brian2, or None where it does not run."""
    work = [
        {
            "source": [np.flatnonzero(sample[:, 0]).tolist() for sample in spikes],
            "target": [np.flatnonzero(sample[:, 1]).tolist() for sample in spikes],
            "ticks": TICKS,
            "alpha_pre": rule.alpha_pre / 256,
            "alpha_post": rule.alpha_post / 256,
            "amplitude": float(rule.amplitude),
            "rise": rule.eta_plus / 2**rule.shift,
            "fall": rule.eta_minus / 2**rule.shift,
            "nearest": rule.pairing is Pairing.NEAREST,
            "coincident": rule.coincident,
        }
        for rule in rules
    ]
    done = subprocess.run(
        [os.environ.get("BRIAN2", sys.executable), Path(__file__).with_name("brian.py")],
        input=json.dumps(work),
        capture_output=True,
        text=True,
        check=False,
    )
    return None if done.returncode else [np.array(values) for values in json.loads(done.stdout)]


def compared(count: int, known: dict[str, Backend]) -> list[dict[str, Any]]:
    """A row for each rule: how far golden is from the float rule, in steps; how often others are as golden."""
    spikes = trains(count)
    rules = [
        dataclasses.replace(RULE, pairing=pairing, coincident=coincident, rounding=rounding)
        for rounding in Rounding
        for pairing in Pairing
        for coincident in (False, True)
    ]
    brian = in_brian(rules, spikes)
    measured = {name: changes(rules, spikes, backend) for name, backend in known.items()}
    rows = []
    for number, rule in enumerate(rules):
        found, expected = measured["golden"][number], exact(rule, spikes)
        others = {name: of[number] for name, of in measured.items() if name != "golden"}
        low, high = bounds(rule, spikes)
        off = found - expected
        rows.append(
            {
                "pairing": rule.pairing.value,
                "spikes of one tick": "a pair" if rule.coincident else "no pair",
                "rounding": rule.rounding.value,
                "trains": count,
                "within the bound": int(((-low < off) & (off < high)).sum()),
                "largest Δw": float(np.abs(expected).max()),
                "largest difference": float(np.abs(off).max()),
                "of the bound": float(np.abs(off / np.where(off < 0, low, high)).max()),
                "mean difference": float(off.mean()),
                "float − Brian2, largest": None
                if brian is None
                else float(np.abs(expected - brian[number]).max()),
            }
            | {f"{name} = golden": int((of == found).sum()) for name, of in others.items()}
        )
    return rows


def windows(backend: Backend, furthest: int) -> list[dict[str, Any]]:
    """Δw of one pair of spikes against the ticks from the source's to the target's, integer and float."""
    apart = np.arange(-furthest, furthest + 1)
    spikes = np.zeros((len(apart), 2 * furthest + 1, 2), np.uint8)
    spikes[:, furthest, 0] = 1
    spikes[np.arange(len(apart)), furthest + apart, 1] = 1
    pairs = zip(apart, changes([RULE], spikes, backend)[0], exact(RULE, spikes), strict=True)
    scale = 2**RULE.fraction_bits
    return [
        {"Δt": int(t), "Δw": int(found) / scale, "float": float(expected) / scale}
        for t, found, expected in pairs
    ]


def run(options: Options) -> Result:
    count = 5 if options.quick else TRAINS
    known = backends(options.quick)
    points = {
        name: windows(backend, 10 if options.quick else FURTHEST) for name, backend in known.items()
    }
    window(
        options.folder / "stdp.png",
        points,
        x="Δt",
        y="Δw",
        line="float",
        labels=("Δt = t_target − t_source, in ticks", "Δw, in weights"),
    )
    rows = compared(count, known)
    notes = [
        "Differences and Δw are in steps of 1/256 of a weight; the rule is " + repr(RULE) + ".",
        "The window was measured in " + " and ".join(points) + ".",
    ]
    steps = max(abs(p["Δw"] - p["float"]) for p in points["golden"]) * 2**RULE.fraction_bits
    notes.append(
        f"Of single pairs of spikes, in the window, the largest difference is {steps:.3g} steps."
    )
    if "verilator" in points:
        equal = points["verilator"] == points["golden"]
        notes.append(f"The gateware's window {'equals' if equal else 'DIFFERS FROM'} golden's.")
    if all(row["float − Brian2, largest"] is None for row in rows):
        notes.append("Brian2 did not run here: set BRIAN2 to a Python that has it (with NumPy < 2.4).")
    return Result(
        "Pair STDP beside the float rule", rows, notes, {"points": points}, plots=["stdp.png"]
    )
