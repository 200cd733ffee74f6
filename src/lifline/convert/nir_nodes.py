"""NIR's nodes in the float graph, and what each producer means by them."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from lifline.errors import MissingExtra
from lifline.neurons import Reset

from .graph import Cell, Node, Output, Source
from .maps import (
    MOST_ELEMENTS,
    Affine,
    Conv,
    ConversionError,
    Delay,
    Elementwise,
    Flatten,
    Identity,
    Pool,
    snapped,
)

try:
    import nir
except ImportError as error:  # pragma: no cover - the extra is installed where tests run
    raise MissingExtra("nir", "convert") from error


@dataclasses.dataclass(frozen=True)
class Convention:
    """What a producer means by a NIR graph, where NIR itself does not say.

    Parameters
    ----------
    dt : float, optional
        Seconds a tick.
    decay : "euler" or "exponential"
    gain : "decay" or "impulse"
        What a tick does with an input: "decay" takes 1 − decay of it, times r; with "impulse" r is in units of
        τ · decay / dt, so that what arrives counts whole, and a synaptic current decays in the tick of its arrival.
    integrate : "tick" or "second"
        What an IF's or I's r counts by.
    reset : "zero" (to v_reset, as NIR's equations), "subtract" (the threshold), "none"
    reset_delay : bool
        The reset comes one tick after the spike.
    comparison : ">" (NIR's) or ">="
    loop_delay : int, optional
        Ticks that a spike takes round a loop without a delay node; None: such loops are refused.
    clamp : bool
        Decays beyond 0 … 1 are clamped, as the producer does in its forward.
    """

    dt: float | None = None
    decay: str = "euler"
    gain: str = "decay"
    integrate: str = "tick"
    reset: str = "zero"
    reset_delay: bool = False
    comparison: str = ">"
    loop_delay: int | None = None
    clamp: bool = False


#: By producer.  Of snnTorch what `Leaky` and `Synaptic` compute, not what its exporter says of their reset.
CONVENTIONS = {
    "nir": Convention(),
    "snntorch": Convention(dt=1e-4, reset="subtract", reset_delay=True, loop_delay=1, clamp=True),
    "norse": Convention(dt=1e-3, loop_delay=1),
    "sinabs": Convention(dt=1.0, decay="exponential", reset="subtract", comparison=">=", loop_delay=1),
    "rockpool": Convention(
        dt=1e-3, decay="exponential", gain="impulse", reset="subtract", comparison=">=", loop_delay=1
    ),
    "spikingjelly": Convention(dt=1e-4, integrate="second", comparison=">=", loop_delay=1),
}

RESETS = {"zero": Reset.ZERO, "subtract": Reset.SUBTRACT, "none": Reset.NONE}
#: Axes of a shape; and a kernel's size, stride, padding and dilation.
_MOST_AXES, _MOST = 8, 2**15 - 1

_SPIKING = (nir.IF, nir.LIF, nir.CubaLIF, nir.Threshold)
_ANALOG = (nir.I, nir.LI, nir.CubaLI)


def check_numbers(name: str, node: Any) -> None:
    """Refuse what is no node, and a node of which a field is no number, or none that can be used."""
    if isinstance(node, Identity):
        return
    if not isinstance(node, nir.NIRNode):
        raise ConversionError(
            f"node '{name}' is a {type(node).__name__}, no node of NIR: its exporter has no node for that module"
        )
    for field, value in vars(node).items():
        said = field in ("input_type", "output_type", "metadata", "nodes", "edges")
        if said or value is None or (field == "padding" and isinstance(value, str)):
            continue
        where = f"node '{name}' ({type(node).__name__}): {field}"
        try:
            array = np.asarray(_plain(value))
        except (TypeError, ValueError):
            array = np.asarray(None)
        if array.dtype.kind not in "biuf" or not array.size:
            raise ConversionError(f"{where} is no number: {str(value)[:100]}")
        allowed_infinite = field in ("tau", "tau_mem", "tau_syn", "r", "w_in")
        if np.isnan(array).any() or (np.isinf(array).any() and not allowed_infinite):
            raise ConversionError(f"{where} holds a NaN or an infinity: mend the graph")


def node_of(node: Any, convention: Convention, note: Any) -> Node:
    """What a NIR node is in the float graph."""
    if isinstance(node, Identity):
        return node
    if isinstance(node, nir.Input):
        return Source(_shape(node.input_type["input"]))
    if isinstance(node, nir.Output):
        return Output()
    if isinstance(node, nir.Affine | nir.Linear):
        weight = _real(node.weight)
        if weight.ndim != 2:
            raise ConversionError(f"its weight has the shape {weight.shape}, must have two axes")
        return Affine(weight, _bias(node.bias, weight) if isinstance(node, nir.Affine) else None)
    if isinstance(node, nir.Scale):
        return Elementwise(_real(node.scale))
    if isinstance(node, nir.Conv1d | nir.Conv2d):
        return _conv(node)
    if isinstance(node, nir.SumPool2d | nir.AvgPool2d):
        average = isinstance(node, nir.AvgPool2d)
        return Pool(
            _pair("kernel_size", node.kernel_size),
            _pair("stride", node.stride),
            _pair("padding", node.padding, 0),
            average,
        )
    if isinstance(node, nir.Flatten):
        axes = (_integer(f, getattr(node, f), -_MOST_AXES) for f in ("start_dim", "end_dim"))
        return Flatten(*axes)
    if isinstance(node, nir.Delay):
        return _delay(node, convention)
    if isinstance(node, (*_SPIKING, *_ANALOG)):
        return _cell(node, convention, note)
    raise ConversionError(
        "is no node of NIR 1.0.8 that lifline knows; it knows Affine, Linear, Scale, Conv1d, Conv2d, SumPool2d, "
        "AvgPool2d, Flatten, Delay, Threshold, I, IF, LI, LIF, CubaLI, CubaLIF and subgraphs"
    )


def _real(values: Any) -> np.ndarray:
    return np.asarray(_plain(values), np.float64)


def _plain(values: Any) -> Any:
    """Values without torch's history of them: some exporters leave tensors in a graph."""
    return values.detach() if hasattr(values, "detach") else values


def _bias(values: Any, weight: np.ndarray) -> np.ndarray:
    """A bias: a number for each output of `weight`, or one for all."""
    bias = _real(values).ravel()
    if len(bias) not in (1, len(weight)):
        raise ConversionError(
            f"its bias has {len(bias)} values, must have {len(weight)}, one an output"
        )
    return np.broadcast_to(bias, len(weight))


def _integer(field: str, value: Any, low: int = 1) -> int:
    """A single integer in low … `_MOST`."""
    flat = np.ravel(value)
    if len(flat) != 1 or flat[0] != np.rint(flat[0]) or not low <= flat[0] <= _MOST:
        raise ConversionError(
            f"its {field} is {str(value)[:100]}, must be an integer in {low} … {_MOST}"
        )
    return int(flat[0])


def _pair(field: str, value: Any, low: int = 1) -> tuple[int, int]:
    """One integer for both axes, or (y, x)."""
    flat = np.ravel(value)
    if len(flat) not in (1, 2):
        raise ConversionError(f"its {field} is {str(value)[:100]}, must be one integer or two")
    return _integer(field, flat[0], low), _integer(field, flat[-1], low)


def _shape(value: Any) -> tuple[int, ...]:
    """The shape of an input: up to `_MOST_AXES` axes, of `MOST_ELEMENTS` elements at most."""
    array = np.ravel(value)
    good = array.dtype.kind in "iuf" and 0 < len(array) <= _MOST_AXES
    if not good or not (array == np.rint(array)).all() or not ((array >= 1) & (array < 2**31)).all():
        raise ConversionError(f"its shape is {str(value)[:100]}, must be positive integers")
    shape = tuple(int(n) for n in array)
    if math.prod(shape) > MOST_ELEMENTS:
        raise ConversionError(
            f"its shape {shape} has more than {MOST_ELEMENTS:,} elements: make it smaller"
        )
    return shape


def _conv(node: Any) -> Conv:
    weight = _real(node.weight)
    one_dimensional = isinstance(node, nir.Conv1d)
    if weight.ndim != (3 if one_dimensional else 4):
        axes = (
            "channels out, channels in, length"
            if one_dimensional
            else "channels out, channels in, height, width"
        )
        raise ConversionError(f"its weight has the shape {weight.shape}, must have the axes ({axes})")
    if one_dimensional:
        weight = weight[:, :, None, :]
    groups = _integer("groups", node.groups)
    if len(weight) % groups:
        raise ConversionError(f"its groups, {groups}, do not divide its {len(weight)} channels out")

    def pair(field: str, beside: int) -> tuple[int, int]:
        value = getattr(node, field)
        if not one_dimensional:
            return _pair(field, value, beside)
        return beside, _integer(field, np.ravel(value)[:1], beside)

    stride, dilation = pair("stride", 1), pair("dilation", 1)
    if isinstance(node.padding, str):
        padding = (0, 0)
        if node.padding == "same":
            if stride != (1, 1):
                raise ConversionError("padding='same' needs a stride of 1: give the padding in numbers")
            spans = [dilation[i] * (weight.shape[2 + i] - 1) for i in range(2)]
            if any(span % 2 for span in spans):
                raise ConversionError(
                    "padding='same' of an even kernel pads one side more than the other: give an odd kernel"
                )
            padding = (spans[0] // 2, spans[1] // 2)
    else:
        padding = pair("padding", 0)
    bias = None if node.bias is None else _bias(node.bias, weight)
    return Conv(weight, bias, stride, padding, dilation, groups)


def _delay(node: Any, convention: Convention) -> Delay:
    seconds = _real(node.delay)
    if convention.dt is None:
        raise ConversionError("its delay is in seconds: give dt, the seconds of a tick")
    ticks = seconds / convention.dt
    if (ticks < 0).any() or (np.abs(ticks - np.rint(ticks)) > 1e-3).any():
        raise ConversionError(
            f"its delay of {seconds.ravel()[np.argmax(np.abs(ticks - np.rint(ticks)).ravel())]:g} s is no multiple "
            f"of dt = {convention.dt:g} s: give another dt, or round the delays"
        )
    return Delay(np.rint(ticks))


def _step(node: Any, field: str, convention: Convention) -> tuple[np.ndarray, np.ndarray]:
    """The decay of a tick, and a: what a time constant does."""
    tau = _real(getattr(node, field))
    if convention.dt is None:
        raise ConversionError(
            f"its {field} of {tau.ravel()[0]:g} s needs dt, the seconds of a tick: give dt, or producer="
        )
    if convention.decay == "exponential":
        if (tau <= 0).any():
            raise ConversionError(f"its {field} is {tau.min():g} s, must be above 0")
        decay = snapped(np.exp(-convention.dt / tau))
        return decay, 1 - decay
    with np.errstate(divide="ignore"):
        step = np.where(np.isinf(tau), 0.0, convention.dt / tau)
    if convention.clamp:
        step = np.where(step < 0, 0.0, step)
    decay = snapped(1 - step)
    if ((decay < 0) | (decay > 1)).any():
        raise ConversionError(
            f"its {field} of {tau.ravel()[np.argmax(step)]:g} s is shorter than dt = {convention.dt:g} s, so that a "
            "tick would keep less than nothing: give a shorter dt"
        )
    return decay, 1 - decay


def _gain(a: np.ndarray, factor: Any, tau: Any, convention: Convention) -> np.ndarray:
    """a · factor; where both the factor and τ are without end (a producer's decay of 1), their quotient, 1."""
    factor = _real(factor)
    clamped = convention.clamp & (_real(tau) < 0) & (factor < 0)
    endless = (np.isinf(factor) & np.isinf(_real(tau))) | clamped
    return snapped(np.where(endless, 1.0, a * np.where(endless, 0.0, factor)))


def _cell(node: Any, convention: Convention, note: Any) -> Cell:
    kind = type(node).__name__
    analog = isinstance(node, _ANALOG)
    reset = Reset.NONE if analog else RESETS[convention.reset]
    common: dict[str, Any] = {
        "kind": kind,
        "analog": analog,
        "reset": reset,
        "reset_delay": convention.reset_delay and reset is not Reset.NONE,
        "strict": convention.comparison == ">",
    }
    if isinstance(node, nir.Threshold):
        common |= {"reset": Reset.ZERO, "reset_delay": False}
        note("keeps nothing from tick to tick: a neuron with beta = 0")
        return Cell(beta=0.0, threshold=_real(node.threshold), **common)
    if not analog:
        common["threshold"] = _real(node.v_threshold)
        if reset is Reset.ZERO:
            common["v_reset"] = _real(node.v_reset)
            if _real(node.v_reset).any():
                note("its membrane starts at v_reset, where NIR does not say")
    else:
        note("does not spike: a readout, which answers by its membrane")
    if isinstance(node, nir.I | nir.IF):
        unit = 1.0 if convention.integrate == "tick" or convention.dt is None else convention.dt
        return Cell(beta=1.0, gain=snapped(unit * _real(node.r)), **common)
    cuba = isinstance(node, nir.CubaLI | nir.CubaLIF)
    field = "tau_mem" if cuba else "tau"
    decay, a = _step(node, field, convention)
    common["beta"] = decay
    common["drive"] = a * _real(node.v_leak)
    if convention.gain == "impulse" and convention.dt is not None:
        counted = snapped(_real(node.r) * convention.dt / _real(getattr(node, field)))
        common["gain"] = counted if isinstance(node, nir.LI) else snapped(counted / decay)
        if cuba:
            syn, _ = _step(node, "tau_syn", convention)
            common |= {"alpha": syn, "gain_in": syn * _real(node.w_in)}
        return Cell(**common)
    common["gain"] = _gain(a, node.r, getattr(node, field), convention)
    if convention.clamp and (_real(getattr(node, field)) < 0).any():
        note("its beta was above 1, which the producer clamps in its forward: clamped to 1")
    if cuba:
        syn, a_syn = _step(node, "tau_syn", convention)
        common |= {"alpha": syn, "gain_in": _gain(a_syn, node.w_in, node.tau_syn, convention)}
    return Cell(**common)
