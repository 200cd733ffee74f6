"""Random modules of snnTorch and Norse whose numbers the contract holds exactly, with scale=256.

Weights, biases and thresholds are integers and decays 0, ½ or 1, so that after `TICKS` ticks no state has
more than 8 bits behind the point: torch's float32, and the contract's integers of 1/256, are both exact.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

TICKS = 8
SCALE = 256.0
DECAYS = (0.0, 0.5, 1.0)

#: What converts them exactly.
EXACT: dict[str, Any] = {"scale": SCALE, "weight_bits": 16}


def _whole(rng: np.random.Generator, shape: tuple[int, ...], most: int) -> torch.Tensor:
    values = rng.integers(-most, most + 1, shape) * (rng.random(shape) < 0.7)
    return torch.tensor(values, dtype=torch.float32)


def _linear(rng: np.random.Generator, inputs: int, outputs: int, bias: bool = True) -> nn.Linear:
    layer = nn.Linear(inputs, outputs, bias=bias)
    layer.weight.data = _whole(rng, (outputs, inputs), 3)
    if bias:
        layer.bias.data = _whole(rng, (outputs,), 1)
    return layer


def _conv(rng: np.random.Generator, shape: tuple[int, ...], out: int) -> nn.Conv2d:
    channels = shape[0]
    groups = 2 if channels % 2 == out % 2 == 0 and rng.random() < 0.3 else 1
    largest = min(3, *shape[1:])
    layer = nn.Conv2d(
        channels, out, kernel_size=int(rng.integers(1, largest + 1)), stride=int(rng.integers(1, 3)),
        padding=int(rng.integers(0, 2)), groups=groups,
    )  # fmt: skip
    layer.weight.data = _whole(rng, tuple(layer.weight.shape), 3)
    layer.bias.data = _whole(rng, (out,), 1)
    return layer


def snntorch_module(
    rng: np.random.Generator, kind: str, *, for_nir: bool = False
) -> tuple[nn.Sequential, tuple[int, ...]]:
    """A module that takes one tick, and its input shape.

    Parameters
    ----------
    rng : numpy.random.Generator
    kind : "dense", "conv" or "recurrent"
    for_nir : bool
        Parameters have the neurons' shapes, as NIR's types ask for.
    """
    import snntorch as snn

    def values(choices: tuple[float, ...], shape: tuple[int, ...]) -> torch.Tensor:
        if for_nir or rng.random() < 0.5:
            return torch.tensor(rng.choice(choices, shape), dtype=torch.float32)
        return torch.tensor(float(rng.choice(choices)))

    def neurons(shape: tuple[int, ...], recurrent: bool = False) -> nn.Module:
        synaptic = rng.random() < 0.4
        resets = ["subtract"] if synaptic or recurrent or for_nir else ["subtract", "zero"]
        given: dict[str, Any] = {
            "beta": values(DECAYS, shape),
            "threshold": values((1.0, 2.0, 3.0), shape),
            "reset_mechanism": str(rng.choice(resets)),
            "init_hidden": True,
        }
        if synaptic:
            given["alpha"] = values(DECAYS, shape)
        if not recurrent:
            return (snn.Synaptic if synaptic else snn.Leaky)(**given)
        size = shape[0]
        all_to_all = rng.random() < 0.7
        more = (
            {"linear_features": size}
            if all_to_all
            else {"all_to_all": False, "V": _whole(rng, (size,), 2)}
        )
        made = (snn.RSynaptic if synaptic else snn.RLeaky)(**given, **more)
        if all_to_all:
            made.recurrent = _linear(rng, size, size)
        return made

    layers: list[nn.Module] = []
    shape: tuple[int, ...] = (int(rng.integers(1, 9)),)
    if kind == "conv":
        shape = (int(rng.integers(1, 4)), int(rng.integers(4, 8)), int(rng.integers(4, 8)))
    start = shape
    for _ in range(int(rng.integers(1, 3))):
        if len(shape) == 3:
            conv = _conv(rng, shape, int(rng.integers(1, 5)))
            layers.append(conv)
            shape = tuple(conv(torch.zeros(1, *shape)).shape[1:])
            if min(shape[1:]) > 1 and rng.random() < 0.4:
                pool = nn.AvgPool2d(2)  # of sums that are multiples of 4
                conv.weight.data *= 4
                conv.bias.data *= 4
                layers.append(pool)
                shape = tuple(pool(torch.zeros(1, *shape)).shape[1:])
            layers.append(neurons(shape))
            continue
        size = int(rng.integers(1, 9))
        layers.append(_linear(rng, shape[0], size, bias=rng.random() < 0.7))
        shape = (size,)
        layers.append(neurons(shape, recurrent=kind == "recurrent"))
    if len(shape) == 3:
        size = int(rng.integers(1, 6))
        layers += [nn.Flatten(), _linear(rng, int(np.prod(shape)), size), neurons((size,))]
    return nn.Sequential(*layers), start


def run_snntorch(module: nn.Module, values: np.ndarray) -> np.ndarray:
    """Spikes of the last neurons, uint8 (samples, ticks, size), by snnTorch's own forward."""
    from snntorch import utils

    utils.reset(module)
    with torch.no_grad():
        out = [module(torch.tensor(values[:, t], dtype=torch.float32)) for t in range(values.shape[1])]
    spikes = torch.stack([o[0] if isinstance(o, tuple) else o for o in out], dim=1)
    return spikes.flatten(2).numpy().astype(np.uint8)


def norse_module(rng: np.random.Generator) -> tuple[nn.Module, tuple[int, ...]]:
    """A ``SequentialState`` that takes one tick, and its input shape; by dt = 0.001 its decays are 0, ½ or 1."""
    import norse.torch as norse

    def inverse(*steps: float) -> torch.Tensor:
        return torch.tensor(float(rng.choice(steps)) * 1000)

    def lif() -> Any:
        return norse.LIFParameters(
            tau_syn_inv=inverse(0.0, 0.5, 1.0), tau_mem_inv=inverse(0.5, 1.0),
            v_th=torch.tensor(float(rng.choice((0.5, 1.0, 2.0)))),
        )  # fmt: skip

    layers: list[nn.Module] = []
    shape: tuple[int, ...] = (int(rng.integers(1, 9)),)
    if rng.random() < 0.3:
        shape = (int(rng.integers(1, 4)), int(rng.integers(3, 7)), int(rng.integers(3, 7)))
    start = shape
    if len(shape) == 3:
        conv = _conv(rng, shape, int(rng.integers(1, 5)))
        shape = tuple(conv(torch.zeros(1, *shape)).shape[1:])
        layers += [conv, norse.LIFCell(lif()), nn.Flatten()]
        shape = (int(np.prod(shape)),)
    for _ in range(int(rng.integers(1, 3))):
        size = int(rng.integers(1, 9))
        chosen = rng.integers(0, 4)
        if chosen == 0:
            layers.append(
                norse.LIFRecurrentCell(
                    shape[0],
                    size,
                    lif(),
                    input_weights=_whole(rng, (size, shape[0]), 3),
                    recurrent_weights=_whole(rng, (size, size), 2),
                )
            )
        else:
            layers.append(_linear(rng, shape[0], size))
            if chosen == 1:
                layers.append(norse.LIFCell(lif()))
            elif chosen == 2:
                p = norse.LIFBoxParameters(tau_mem_inv=inverse(0.5, 1.0), v_th=torch.tensor(1.0))
                layers.append(norse.LIFBoxCell(p))
            else:
                layers.append(norse.IAFCell(norse.IAFParameters(v_th=torch.tensor(2.0))))
        shape = (size,)
    return norse.SequentialState(*layers), start


def run_norse(module: nn.Module, values: np.ndarray) -> np.ndarray:
    """Spikes of the last neurons, uint8 (samples, ticks, size), by Norse's own forward."""
    state, out = None, []
    with torch.no_grad():
        for t in range(values.shape[1]):
            spikes, state = module(torch.tensor(values[:, t], dtype=torch.float32), state)
            out.append(spikes)
    return torch.stack(out, dim=1).flatten(2).numpy().astype(np.uint8)


def random_input(rng: np.random.Generator, shape: tuple[int, ...], samples: int = 3) -> np.ndarray:
    """Spikes, uint8 (samples, TICKS, *shape)."""
    return (rng.random((samples, TICKS, *shape)) < rng.choice((0.2, 0.5, 0.8))).astype(np.uint8)
