"""Networks from Norse, by the equations of its own steps (of version 1.1).

With a = dt / τ_mem and a_syn = dt / τ_syn, a tick of each neuron is ::

    LIF, LI         c = (1 − a_syn) · c + I          x = (1 − a) · v + a · (v_leak + c)
    LSNN            x = (1 − a) · v + a · (v_leak + c),  of the c before I is added: I arrives a tick later
                    threshold b = v_th + (what spikes have left of beta, decaying by 1 − dt / τ_adapt)
    LIFBox, LIBox   x = (1 − a) · v + a · (v_leak + I)
    IAF             x = v + I

Spikes are x > v_th and reset v to v_reset in their own tick; recurrent spikes arrive a tick later.
"""

from __future__ import annotations

import inspect
import warnings
from typing import Any

from torch import nn

from lifline.errors import MissingExtra
from lifline.neurons import Reset

from .conversion import Conversion, convert
from .graph import Cell
from .maps import Affine, ConversionError, snapped
from .torch_maps import real
from .tracing import Leaf, trace

try:
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", DeprecationWarning
        )  # of torch.jit.script, by which Norse is written
        import norse.torch as norse
        from norse.torch.functional.reset import reset_subtract, reset_value
        from norse.torch.module.snn import SNN, SNNCell, SNNRecurrent, SNNRecurrentCell
except ImportError as error:  # pragma: no cover - the extra is installed where tests run
    raise MissingExtra("norse", "convert") from error


def from_norse(
    module: nn.Module,
    input_shape: int | tuple[int, ...],
    dt: float | None = None,
    *,
    ticks: int | None = None,
    **options: Any,
) -> Conversion:
    """Convert a Norse network.

    Parameters
    ----------
    module : torch.nn.Module
        A ``SequentialState`` of cells or of modules over time, ``RecurrentSequential``, a cell, or a module of
        one's own made of them.
    input_shape : int or tuple of int
        Of one sample in one tick, channels first.
    dt : float, optional
        Seconds a tick, to be checked: each module of Norse's has its own, 0.001 by default.
    ticks : int, optional
        Ticks that a module that steps itself takes, where it takes no other number.
    **options
        Of :func:`lifline.convert.convert`: `scale`, `weight_bits`, `calibrate`, `labels`, ….

    Raises
    ------
    ConversionError
        If the module has what the contract cannot hold exactly; it names the module and the remedy.
    """
    shape = (input_shape,) if isinstance(input_shape, int) else tuple(input_shape)
    stateful = "state" in inspect.signature(module.forward).parameters
    sequences = any(isinstance(part, SNN | SNNRecurrent | norse.Lift) for part in module.modules())

    def reader(name: str, part: nn.Module) -> Leaf | None:
        return leaf(name, part, dt)

    graph = trace(module, shape, reader, "Norse", ticks=ticks, stateful=stateful, sequences=sequences)
    return convert(graph, **options)


def leaf(name: str, module: nn.Module, dt: float | None) -> Leaf | None:
    """The neurons of a module of Norse's, or None."""
    if not isinstance(module, (SNN, SNNCell, SNNRecurrent, SNNRecurrentCell, *_LINEAR_READOUTS)):
        return None
    kind = type(module).__name__
    try:
        own = float(module.dt)  # type: ignore[arg-type]
        if dt is not None and abs(own - dt) > 1e-9:
            raise ConversionError(f"steps by its own dt of {own:g} s, not {dt:g} s: give both the same")
        family = kind.removesuffix("Cell").removesuffix("Recurrent").removesuffix("Linear")
        if family not in _KINDS:
            raise ConversionError(f"is not known; known are {', '.join(_KINDS)}, recurrent or not")
        cell = _KINDS[family](kind, module.p, own)
        found = Leaf(cell)
        if isinstance(module, SNNRecurrent | SNNRecurrentCell):
            found.before = Affine(real(module.input_weights))
            found.recurrent = Affine(real(module.recurrent_weights))
        elif isinstance(module, _LINEAR_READOUTS):
            weight, bias = module.linear.weight, module.linear.bias
            found.before = Affine(real(weight), None if bias is None else real(bias))
        return found
    except ConversionError as error:
        raise ConversionError(f"module '{name}' ({kind}): {error}") from None


def _membrane(p: Any, dt: float) -> dict[str, Any]:
    """Decay, gain and drive of a membrane that leaks to v_leak."""
    step = snapped(dt * real(p.tau_mem_inv))
    return {
        "beta": 1 - step,
        "gain": step,
        "drive": step * real(p.v_leak),
        "initial": real(p.v_leak),
    }


def _lif(kind: str, p: Any, dt: float) -> Cell:
    alpha = 1 - snapped(dt * real(p.tau_syn_inv))
    return Cell(kind, threshold=real(p.v_th), alpha=alpha, v_reset=real(p.v_reset), **_membrane(p, dt))


def _lsnn(kind: str, p: Any, dt: float) -> Cell:
    cell = _lif(kind, p, dt)
    kept = 1 - dt * real(p.tau_adapt_inv)
    cell.adaptation = (kept, kept * real(p.beta))
    cell.delay = 1
    return cell


def _box(kind: str, p: Any, dt: float) -> Cell:
    method = getattr(p, "reset_method", reset_value)
    if method is reset_subtract:
        return Cell(kind, threshold=real(p.v_th), reset=Reset.SUBTRACT, **_membrane(p, dt))
    if method is not reset_value:
        raise ConversionError(
            "its reset_method is no one of Norse's: use reset_value or reset_subtract"
        )
    return Cell(kind, threshold=real(p.v_th), v_reset=real(p.v_reset), **_membrane(p, dt))


def _iaf(kind: str, p: Any, dt: float) -> Cell:
    return Cell(
        kind, beta=1.0, threshold=real(p.v_th), v_reset=real(p.v_reset), initial=real(p.v_reset)
    )


def _li(kind: str, p: Any, dt: float) -> Cell:
    alpha = 1 - snapped(dt * real(p.tau_syn_inv))
    return Cell(kind, alpha=alpha, analog=True, reset=Reset.NONE, **_membrane(p, dt))


def _li_box(kind: str, p: Any, dt: float) -> Cell:
    return Cell(kind, analog=True, reset=Reset.NONE, **_membrane(p, dt))


_KINDS: dict[str, Any] = {
    "LIF": _lif,
    "LIFBox": _box,
    "LI": _li,
    "LIBox": _li_box,
    "IAF": _iaf,
    "LSNN": _lsnn,
}
_LINEAR_READOUTS = tuple(
    getattr(norse, name) for name in ("LILinearCell", "LinearLICell") if hasattr(norse, name)
)
