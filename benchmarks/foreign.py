"""Networks of snnTorch, Norse, sinabs, Rockpool and SpikingJelly, exported as NIR, beside their own forward.

Weights are random real numbers; decays are ½, so that the contract's are exact.  Rockpool and SpikingJelly are asked
where they can be imported; `pip install --no-deps rockpool spikingjelly loguru` is enough.
"""

from __future__ import annotations

import dataclasses
import importlib
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import nn

from tests.convert.producers import run_norse, run_snntorch

from .measure import SEED

SHAPE = (4,)
_TAU = 1 / math.log(2)  #: in ticks, where a producer's decay is e^(−1 / τ)


@dataclasses.dataclass(frozen=True)
class Foreign:
    """A graph of somebody else's.

    Parameters
    ----------
    producer, name : str
    make : function
        Gives the graph, or raises what its exporter raises.
    given : dict
        What :func:`lifline.convert.from_nir` is told.
    run : function, optional
        The producer's forward: spikes (samples, ticks, …) to spikes uint8 (samples, ticks, size).
    shape : tuple of int
    remark : str
        What the exporter leaves out, or what to do.
    """

    producer: str
    name: str
    make: Callable[[], Any]
    given: dict[str, Any] = dataclasses.field(default_factory=dict)
    run: Callable[[np.ndarray], np.ndarray] | None = None
    shape: tuple[int, ...] = SHAPE
    remark: str = ""


def exporters() -> Iterator[Foreign]:
    """Of each producer that is installed; the names of those that are not come with a graph that says so."""
    for name, module, networks in (
        ("snnTorch", "snntorch", _snntorch), ("Norse", "norse", _norse), ("sinabs", "sinabs", _sinabs),
        ("Rockpool", "rockpool", _rockpool), ("SpikingJelly", "spikingjelly", _spikingjelly),
    ):  # fmt: skip
        torch.manual_seed(SEED)
        try:
            importlib.import_module(module)
        except ImportError as error:
            yield Foreign(name, "", _failing(error))
        else:
            yield from networks()


def _failing(error: Exception) -> Callable[[], Any]:
    def make() -> Any:
        raise error

    return make


def _linear(inputs: int = 4, outputs: int = 6) -> nn.Linear:
    layer = nn.Linear(inputs, outputs)
    layer.weight.data = torch.randn(outputs, inputs) * 1.5
    return layer


def _conv() -> nn.Conv2d:
    layer = nn.Conv2d(2, 3, 3, stride=1, padding=1)
    layer.weight.data *= 6
    return layer


def _snntorch() -> Iterator[Foreign]:
    import snntorch as snn
    from snntorch.export_nir import export_to_nir

    def foreign(name: str, *layers: nn.Module, given: Any = None, remark: str = "") -> Foreign:
        module = nn.Sequential(*layers)
        return Foreign(
            "snnTorch", name, lambda: export_to_nir(module, torch.zeros(1, *SHAPE), ignore_dims=[0]),
            given or {"producer": "snntorch"}, lambda values: run_snntorch(module, values), remark=remark,
        )  # fmt: skip

    halves = torch.full((6,), 0.5)
    of_each: dict[str, Any] = {"beta": halves, "threshold": torch.ones(6), "init_hidden": True}

    def rleaky() -> nn.Module:
        return snn.RLeaky(linear_features=6, **of_each)

    yield foreign("Leaky", _linear(), snn.Leaky(**of_each))
    yield foreign(
        "Leaky, reset to zero", _linear(), snn.Leaky(**of_each, reset_mechanism="zero"),
        given={"producer": "snntorch", "reset": "zero"}, remark="needs reset='zero', which the graph does not say",
    )  # fmt: skip
    yield foreign("Leaky of one beta", _linear(), snn.Leaky(beta=0.5, init_hidden=True))
    yield foreign("Synaptic", _linear(), snn.Synaptic(alpha=halves, **of_each))
    yield foreign("RLeaky", _linear(), rleaky())
    yield foreign("RLeaky, without a convention", _linear(), rleaky(), given={"dt": 1e-4})
    yield foreign("RSynaptic", _linear(), snn.RSynaptic(alpha=halves, linear_features=6, **of_each))
    yield foreign("Lapicque", _linear(), snn.Lapicque(beta=0.5, init_hidden=True))


def _norse() -> Iterator[Foreign]:
    import norse.torch as norse
    from norse.torch.utils.export_nir import to_nir

    def foreign(name: str, *layers: nn.Module, dt: float | None = None, remark: str = "") -> Foreign:
        module = norse.SequentialState(*layers)
        return Foreign(
            "Norse", name, lambda: to_nir(module, torch.zeros(*SHAPE)), {"producer": "norse", "dt": dt},
            lambda values: run_norse(module, values), remark=remark,
        )  # fmt: skip

    half = torch.tensor(500.0)
    box = norse.LIFBoxParameters(tau_mem_inv=half)
    lif = norse.LIFParameters(tau_mem_inv=half, tau_syn_inv=half)
    wrong = "it writes τ · dt in place of τ: dt=1e-6 makes up for it"
    yield foreign("LIFBoxCell", _linear(), norse.LIFBoxCell(box), remark=wrong)
    yield foreign("LIFBoxCell, dt=1e-6", _linear(), norse.LIFBoxCell(box), dt=1e-6, remark=wrong)
    yield foreign("LIFCell", _linear(), norse.LIFCell(lif), remark="from_norse reads the module itself")
    yield foreign("IAFCell", _linear(), norse.IAFCell())
    yield foreign("LIFRecurrentCell", norse.LIFRecurrentCell(4, 6, lif))


def _sinabs() -> Iterator[Foreign]:
    import sinabs.layers as sl
    from sinabs.activation import SingleSpike
    from sinabs.nir import to_nir

    def foreign(
        name: str,
        *layers: nn.Module,
        shape: tuple[int, ...] = SHAPE,
        spikes: bool = True,
        remark: str = "",
    ) -> Foreign:
        module = nn.Sequential(*layers)
        with torch.no_grad():
            module(torch.zeros(1, *shape))  # its neurons learn their shape

        def run(values: np.ndarray) -> np.ndarray:
            out = []
            for sample in values:
                for layer in module:
                    if hasattr(layer, "reset_states"):
                        layer.reset_states()
                with torch.no_grad():
                    out.append(module(torch.tensor(sample, dtype=torch.float32)).flatten(1).numpy())
            return np.stack(out).astype(np.uint8)

        return Foreign(
            "sinabs", name, lambda: to_nir(module, torch.zeros(1, *shape)), {"producer": "sinabs"},
            run if spikes else None, shape, remark,
        )  # fmt: skip

    single: dict[str, Any] = {"spike_fn": SingleSpike, "batch_size": 1}
    yield foreign("IAF", _linear(), sl.IAFSqueeze(**single))
    yield foreign(
        "IAF that spikes several times a tick", _linear(), sl.IAFSqueeze(batch_size=1),
        remark="give it spike_fn=SingleSpike",
    )  # fmt: skip
    yield foreign(
        "LIF", _linear(), sl.LIFSqueeze(tau_mem=_TAU, spike_threshold=torch.tensor(0.6), **single)
    )
    yield foreign(
        "LIF, norm_input=False", _linear(), sl.LIFSqueeze(tau_mem=_TAU, norm_input=False, **single),
        remark="its exporter does not write norm_input: multiply the weights by 1 / (1 − e^(−1 / τ))",
    )  # fmt: skip
    yield foreign(
        "LIF with tau_syn", _linear(), sl.LIFSqueeze(tau_mem=_TAU, tau_syn=_TAU, **single),
        remark="its exporter does not write tau_syn",
    )  # fmt: skip
    yield foreign("ExpLeak", _linear(), sl.ExpLeakSqueeze(tau_mem=_TAU, batch_size=1), spikes=False)
    yield foreign(
        "Conv2d, SumPool2d, IAF, Flatten, Linear, IAF", _conv(), sl.IAFSqueeze(**single), sl.SumPool2d(2),
        nn.Flatten(), _linear(27, 5), sl.IAFSqueeze(**single), shape=(2, 6, 6),
    )  # fmt: skip


def _rockpool() -> Iterator[Foreign]:
    from rockpool.nn.combinators import Sequential
    from rockpool.nn.modules import ExpSynTorch, LIFNeuronTorch, LIFTorch, LinearTorch
    from rockpool.nn.modules.torch.nir import to_nir

    def linear(inputs: int = 4, outputs: int = 6) -> Any:
        return LinearTorch((inputs, outputs), weight=torch.randn(inputs, outputs) * 1.5)

    def foreign(name: str, *layers: Any, spikes: bool = True, remark: str = "") -> Foreign:
        module = Sequential(*layers)

        def run(values: np.ndarray) -> np.ndarray:
            out = []
            for sample in values:
                module.reset_state()
                with torch.no_grad():
                    out.append(module(torch.tensor(sample[None], dtype=torch.float32))[0][0].numpy())
            return np.stack(out).astype(np.uint8)

        return Foreign(
            "Rockpool", name, lambda: to_nir(module, torch.zeros(1, 1, *SHAPE)), {"producer": "rockpool"},
            run if spikes else None, remark=remark,
        )  # fmt: skip

    tau = 1e-3 * _TAU
    one: dict[str, Any] = {"max_spikes_per_dt": torch.tensor(1.0)}
    neuron = LIFNeuronTorch((6,), tau_mem=tau)
    neuron.max_spikes_per_dt = torch.tensor(1.0)
    unsaid = "max_spikes_per_dt=1, which the graph does not say"
    yield foreign("LIFNeuronTorch", linear(), neuron, remark=unsaid)
    yield foreign("LIFTorch", linear(), LIFTorch((6,), tau_mem=tau, tau_syn=tau, **one), remark=unsaid)
    yield foreign(
        "LIFTorch that spikes several times a tick", linear(), LIFTorch((6,), tau_mem=tau, tau_syn=tau),
        remark="give it max_spikes_per_dt=1",
    )  # fmt: skip
    yield foreign(
        "LIFTorch with a bias", linear(), LIFTorch((6,), tau_mem=tau, tau_syn=tau, bias=0.2, **one),
        remark="its exporter drops the bias",
    )  # fmt: skip
    yield foreign(
        "recurrent LIFTorch", linear(), LIFTorch((6,), tau_mem=tau, tau_syn=tau, has_rec=True, **one),
        remark="its exporter drops the recurrent weights",
    )  # fmt: skip
    yield foreign("ExpSynTorch", linear(), ExpSynTorch((6,), tau=tau), spikes=False)


def _spikingjelly() -> Iterator[Foreign]:
    from spikingjelly.activation_based import functional, layer, neuron
    from spikingjelly.activation_based.nir_exchange import export_to_nir

    def foreign(
        name: str, *layers: nn.Module, shape: tuple[int, ...] = SHAPE, remark: str = ""
    ) -> Foreign:
        module = nn.Sequential(*layers)

        def run(values: np.ndarray) -> np.ndarray:
            functional.reset_net(module)
            with torch.no_grad():
                ticks = [
                    module(torch.tensor(values[:, t], dtype=torch.float32))
                    for t in range(values.shape[1])
                ]
            functional.reset_net(module)
            return torch.stack(ticks, dim=1).flatten(2).numpy().astype(np.uint8)

        return Foreign(
            "SpikingJelly", name, lambda: export_to_nir(module, torch.zeros(1, *shape)),
            {"producer": "spikingjelly"}, run, shape, remark,
        )  # fmt: skip

    yield foreign("IFNode", _linear(), neuron.IFNode())
    yield foreign("LIFNode", _linear(), neuron.LIFNode(tau=2.0))
    yield foreign("LIFNode, decay_input=False", _linear(), neuron.LIFNode(tau=2.0, decay_input=False))
    yield foreign("LIFNode, soft reset", _linear(), neuron.LIFNode(tau=2.0, v_reset=None))
    yield foreign("ParametricLIFNode", _linear(), neuron.ParametricLIFNode(init_tau=2.0))
    yield foreign("CUBALIFNode", _linear(), neuron.CUBALIFNode(c_decay=0.5, v_decay=0.5))
    yield foreign(
        "Conv2d, IFNode, AvgPool2d, Flatten, Linear, LIFNode", layer.Conv2d(2, 3, 3, padding=1), neuron.IFNode(),
        layer.AvgPool2d(2), layer.Flatten(), layer.Linear(27, 5), neuron.LIFNode(tau=2.0), shape=(2, 6, 6),
    )  # fmt: skip
