"""What the modules of torch are in the float graph."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from .maps import Affine, Conv, ConversionError, Elementwise, Flatten, Map, Pool

_NOTHING = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.Identity)
_MAPS = (
    nn.Linear, nn.Conv1d, nn.Conv2d, nn.AvgPool1d, nn.AvgPool2d, nn.BatchNorm1d, nn.BatchNorm2d, nn.Flatten,
    nn.Unflatten,
)  # fmt: skip
_NO = {
    nn.MaxPool1d: "max pooling is no sum of spikes: pool spikes by AvgPool, or by a stride",
    nn.MaxPool2d: "max pooling is no sum of spikes: pool spikes by AvgPool2d, or by a stride",
    nn.ReLU: "a ReLU between maps is not in the contract: leave it out, or put spiking neurons there",
    nn.LayerNorm: "LayerNorm depends on its input: use BatchNorm, which folds into weights",
    nn.GroupNorm: "GroupNorm depends on its input: use BatchNorm, which folds into weights",
}


def is_map(module: nn.Module) -> bool:
    """Whether a module is a leaf here."""
    return isinstance(module, (*_NOTHING, *_MAPS, *_NO))


def map_of(module: nn.Module, lead: int = 1) -> Map | None:
    """What a module of torch's is in the float graph, of tensors with so many leading axes; None: nothing."""
    for kind, why in _NO.items():
        if isinstance(module, kind):
            raise ConversionError(why)
    if isinstance(module, _NOTHING):
        return None
    if isinstance(module, nn.Linear):
        return Affine(real(module.weight), None if module.bias is None else real(module.bias))
    if isinstance(module, nn.Conv1d | nn.Conv2d):
        return _conv(module)
    if isinstance(module, nn.AvgPool1d | nn.AvgPool2d):
        flat = isinstance(module, nn.AvgPool1d)
        divisor = getattr(module, "divisor_override", None)
        if module.ceil_mode or divisor or (not module.count_include_pad and np.any(module.padding)):
            raise ConversionError(
                "ceil_mode, divisor_override and count_include_pad=False are not in the contract"
            )
        size, stride = _pair(module.kernel_size, flat, 1), _pair(module.stride, flat, 1)
        return Pool(size, stride, _pair(module.padding, flat, 0), average=True)
    if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
        if module.running_mean is None or module.running_var is None:
            raise ConversionError(
                "BatchNorm without running statistics depends on its batch: train it with them"
            )
        gain = 1 / np.sqrt(real(module.running_var) + module.eps)
        offset = -real(module.running_mean) * gain
        if module.affine:
            gain, offset = gain * real(module.weight), offset * real(module.weight) + real(module.bias)
        return Elementwise(gain, offset)
    if isinstance(module, nn.Flatten):
        if 0 <= module.start_dim < lead:
            raise ConversionError(
                f"Flatten from axis {module.start_dim} mixes samples: flatten from {lead}"
            )
        start = module.start_dim - lead if module.start_dim > 0 else module.start_dim
        end = module.end_dim - lead if module.end_dim > 0 else module.end_dim
        return Flatten(start, end)
    raise ConversionError(f"{type(module).__name__} is not known")


def _conv(module: Any) -> Conv:
    flat = isinstance(module, nn.Conv1d)
    weight = real(module.weight)
    weight = weight[:, :, None, :] if flat else weight
    if module.padding_mode != "zeros":
        raise ConversionError(f"padding_mode is '{module.padding_mode}', the contract pads with zeros")
    padding = module.padding
    dilation = _pair(module.dilation, flat, 1)
    if isinstance(padding, str):
        spans = [dilation[i] * (weight.shape[2 + i] - 1) for i in range(2)]
        if padding == "same" and any(span % 2 for span in spans):
            raise ConversionError(
                "padding='same' of an even kernel pads one side more: give an odd kernel"
            )
        padding = (spans[0] // 2, spans[1] // 2) if padding == "same" else (0, 0)
        flat_padding = (padding[0], padding[1])
    else:
        flat_padding = _pair(padding, flat, 0)
    bias = None if module.bias is None else real(module.bias)
    return Conv(weight, bias, _pair(module.stride, flat, 1), flat_padding, dilation, module.groups)


def _pair(value: Any, flat: bool, beside: int) -> tuple[int, int]:
    values = [int(v) for v in np.ravel(value)]
    if flat:
        return beside, values[0]
    return (values[0], values[0]) if len(values) == 1 else (values[0], values[1])


def real(tensor: Any) -> np.ndarray:
    """A tensor's numbers, float64."""
    values = np.asarray(torch.as_tensor(tensor).detach().cpu().to(torch.float64).numpy())
    if not np.isfinite(values).all():
        raise ConversionError("holds a NaN or an infinity: training has diverged")
    return values
