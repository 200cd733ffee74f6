"""Networks from snnTorch, by the equations of its own forward.

``Leaky``, ``RLeaky`` and ``Lapicque`` are LIF neurons, ``Synaptic`` and ``RSynaptic`` LIF neurons with a synaptic
current, whose spikes reset them one tick later (``reset_delay=True``); ``Alpha`` without a reset is a
current of the decay alpha that drives a membrane of the decay beta one tick later, since the difference of
two decaying sums obeys ::

    syn_exc + syn_inh = beta · (…)[t−1] + (alpha − beta) · syn_exc[t−1]
"""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import nn

from lifline.errors import MissingExtra
from lifline.neurons import Reset

from .conversion import Conversion, convert
from .graph import Cell
from .maps import ConversionError, Elementwise, Map
from .torch_maps import map_of, real
from .tracing import Leaf, trace

try:
    import snntorch as snn
except ImportError as error:  # pragma: no cover - the extra is installed where tests run
    raise MissingExtra("snntorch", "convert") from error

_RESETS = {"subtract": Reset.SUBTRACT, "zero": Reset.ZERO, "none": Reset.NONE}


def from_snntorch(
    module: nn.Module, input_shape: int | tuple[int, ...], *, ticks: int | None = None, **options: Any
) -> Conversion:
    """Convert a snnTorch network.

    Parameters
    ----------
    module : torch.nn.Module
        Takes one tick, (samples, *input_shape), with ``init_hidden=True``; or steps itself, over (ticks, samples,
        *input_shape) or over one input that stays.  Its answer is the spikes of its last neurons.
    input_shape : int or tuple of int
        Of one sample in one tick, channels first.
    ticks : int, optional
        Ticks that a module that steps itself takes, where it takes no other number.
    **options
        Of :func:`lifline.convert.convert`: `scale`, `weight_bits`, `calibrate`, `labels`, ….

    Returns
    -------
    Conversion

    Raises
    ------
    ConversionError
        If the module has what the contract cannot hold exactly; it names the module and the remedy.
    """
    shape = (input_shape,) if isinstance(input_shape, int) else tuple(input_shape)
    graph = trace(module, shape, leaf, "snnTorch", ticks=ticks)
    return convert(graph, **options)


def leaf(name: str, module: nn.Module) -> Leaf | None:
    """The neurons of a module of snnTorch's, or None."""
    if not isinstance(module, snn.SpikingNeuron):
        return None
    try:
        kind = type(module).__name__
        if kind not in _KINDS:
            raise ConversionError(f"is not known; known are {', '.join(_KINDS)}")
        _common(module)
        getattr(module, "_init_mem", lambda: None)()
        return _KINDS[kind](module)
    except ConversionError as error:
        raise ConversionError(f"module '{name}' ({type(module).__name__}): {error}") from None


def _common(module: Any) -> None:
    """Refuse what no population does."""
    if module.inhibition:
        raise ConversionError(
            "inhibition=True (only the highest membrane spikes) is not in the contract"
        )
    if module.state_quant:
        raise ConversionError(
            "state_quant is snnTorch's own rounding: convert without it, lifline quantises"
        )
    factor = real(module.graded_spikes_factor)
    if (factor != 1).any():
        raise ConversionError(
            f"graded_spikes_factor is {factor.ravel()[0]:g}: spikes are 1: scale the weights behind instead"
        )


def _decay(module: Any, field: str, notes: list[str]) -> np.ndarray:
    """A decay as the forward uses it: clamped to 0 … 1."""
    values = real(getattr(module, field))
    clamped = values.clip(0, 1)
    if (clamped != values).any():
        notes.append(
            f"{field} is {values.min():.4g} … {values.max():.4g}, clamped to 0 … 1 as in snnTorch's forward"
        )
    return clamped


def _reset(module: Any, *, zero: bool) -> dict[str, Any]:
    """Reset and its delay; `zero`: whether its reset to zero is the contract's."""
    reset = _RESETS[module.reset_mechanism]
    late = bool(getattr(module, "reset_delay", True))
    if reset is Reset.ZERO and late and not zero:
        raise ConversionError(
            "reset_mechanism='zero' drops the current of the tick after a spike as well, which the contract's reset "
            "does not: train with 'subtract', or use Leaky"
        )
    if reset is Reset.SUBTRACT and not late:
        raise ConversionError(
            "reset_delay=False with 'subtract' holds the reset back while a membrane is above the threshold after one, "
            "which the contract's does not: train with reset_delay=True (the default), or 'zero'"
        )
    return {"reset": reset, "reset_delay": late and reset is not Reset.NONE}


def _leaky(module: Any) -> Leaf:
    notes: list[str] = []
    beta = _decay(module, "beta", notes)
    cell = Cell("Leaky", beta, real(module.threshold), initial=0.0, **_reset(module, zero=True))
    return Leaf(cell, notes=tuple(notes))


def _synaptic(module: Any, kind: str = "Synaptic") -> Leaf:
    notes: list[str] = []
    alpha, beta = _decay(module, "alpha", notes), _decay(module, "beta", notes)
    cell = Cell(
        kind, beta, real(module.threshold), alpha=alpha, initial=0.0, **_reset(module, zero=False)
    )
    return Leaf(cell, notes=tuple(notes))


def _recurrent(module: Any) -> Map:
    """The map by which spikes return."""
    if not module.all_to_all:
        return Elementwise(real(module.recurrent.V))
    made = map_of(module.recurrent)
    assert made is not None
    return made


def _rleaky(module: Any) -> Leaf:
    if not module.reset_delay:
        raise ConversionError("reset_delay=False: train with reset_delay=True, the default")
    notes: list[str] = []
    beta = _decay(module, "beta", notes)
    cell = Cell("RLeaky", beta, real(module.threshold), initial=0.0, **_reset(module, zero=False))
    return Leaf(cell, recurrent=_recurrent(module), notes=tuple(notes))


def _rsynaptic(module: Any) -> Leaf:
    if not module.reset_delay:
        raise ConversionError(
            "reset_delay=False fails in snnTorch itself: use reset_delay=True, the default"
        )
    found = _synaptic(module, "RSynaptic")
    found.recurrent = _recurrent(module)
    return found


def _lapicque(module: Any) -> Leaf:
    """mem = I · dt / C + (1 − dt / (R C)) · mem."""
    r, c, dt = real(module.R), real(module.C), real(module.time_step)
    cell = Cell(
        "Lapicque",
        1 - dt / (r * c),
        real(module.threshold),
        gain=dt / c,
        initial=0.0,
        **_reset(module, zero=False),
    )
    return Leaf(
        cell,
        notes=(f"its decay is 1 − dt / RC = {float((1 - dt / (r * c)).ravel()[0]):.6g}, not its beta",),
    )


def _alpha(module: Any) -> Leaf:
    if module.reset_mechanism != "none":
        raise ConversionError(
            f"reset_mechanism='{module.reset_mechanism}' resets its two currents, which the contract's does not: use "
            "Synaptic, or 'none'"
        )
    alpha, beta = real(module.alpha).clip(0, 1), real(module.beta).clip(0, 1)
    if (alpha <= 0).any() or (beta <= 0).any():
        raise ConversionError("alpha and beta must be above 0")
    tau = np.log(alpha) / (np.log(beta) - np.log(alpha)) + 1
    cell = Cell(
        "Alpha",
        beta,
        real(module.threshold),
        alpha=alpha,
        gain_in=tau * (alpha - beta),
        reset=Reset.NONE,
        delay=1,
    )
    return Leaf(
        cell, notes=("two currents whose difference is one that drives a membrane a tick later",)
    )


_KINDS: dict[str, Any] = {
    "Leaky": _leaky,
    "Synaptic": _synaptic,
    "RLeaky": _rleaky,
    "RSynaptic": _rsynaptic,
    "Lapicque": _lapicque,
    "Alpha": _alpha,
}
