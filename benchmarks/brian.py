"""Weight changes of pairs of spike trains by pair STDP in Brian2, for `benchmarks.stdp`: JSON in, JSON out.

It needs Brian2 alone, so it runs in an environment of its own: Brian2 2.9 cannot be imported beside NumPy 2.4.
"""

from __future__ import annotations

import json
import sys
from typing import Any


def changes(work: dict[str, Any]) -> list[float]:
    """Σ Δw of each pair of trains, in the units of the integer rule's w.

    `work`: `source` and `target`, lists of trains (lists of ticks); `alpha_pre`, `alpha_post` (kept each tick),
    `amplitude`, `rise`, `fall`, `nearest`, `coincident`.
    """
    import brian2 as b
    import numpy as np

    b.prefs.codegen.target = "numpy"
    b.defaultclock.dt = 1 * b.ms
    groups = []
    for name in ("source", "target"):
        index, times = [], []
        for number, train in enumerate(work[name]):
            index += [number] * len(train)
            times += train
        groups.append(b.SpikeGeneratorGroup(len(work[name]), index, np.array(times) * b.ms))
    tau = {k: -1 / np.log(work[f"alpha_{k}"]) * b.ms for k in ("pre", "post")}
    rise = {"apre": "=" if work["nearest"] else "+=", "apost": "=" if work["nearest"] else "+="}
    synapses = b.Synapses(
        *groups,
        """w : 1
        dapre/dt = -apre / tau_pre : 1 (event-driven)
        dapost/dt = -apost / tau_post : 1 (event-driven)""",
        on_pre={
            "depress": f"w -= {work['fall']!r} * apost",
            "leave": f"apre {rise['apre']} {work['amplitude']!r}",
        },
        on_post={
            "potentiate": f"w += {work['rise']!r} * apre",
            "mark": f"apost {rise['apost']} {work['amplitude']!r}",
        },
        namespace={"tau_pre": tau["pre"], "tau_post": tau["post"]},
    )
    synapses.connect(j="i")
    first, second = ("leave", "mark"), ("depress", "potentiate")
    if not work["coincident"]:
        first, second = second, first
    for order, names in enumerate((first, second)):
        for name in names:
            getattr(synapses, name).order = order
    network = b.Network(*groups, synapses)
    network.run(work["ticks"] * b.ms)
    return [float(w) for w in synapses.w]


if __name__ == "__main__":
    json.dump([changes(work) for work in json.load(sys.stdin)], sys.stdout)
