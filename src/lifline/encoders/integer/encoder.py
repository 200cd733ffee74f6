"""What every encoder with a circuit is: typed fields, frames of raw values in, spikes out."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from lifline import files
from lifline.errors import InputError, NetworkError
from lifline.fields import Family
from lifline.values import short

#: Most ticks of a sample: a board's scores are as wide as they need.
MAX_TICKS = 4095


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Encoder(Family):
    """From raw values, unsigned integers of `value_bits`, to spikes.

    A *frame* is one value of every channel.  A kind either takes one frame a sample and makes `frame_ticks` ticks of
    it, or one frame a tick (`frame_ticks` is 1).

    A subclass is a frozen dataclass of typed fields with its equation in its docstring.  Its circuit is found by its
    type: ``lifline.rtl.encoders.frame_encoder``.
    """

    @property
    def value_bits(self) -> int:  # a field of each kind
        """Width of a value."""
        raise NotImplementedError

    @property
    def frame_ticks(self) -> int | None:
        """Ticks that the one frame of a sample makes; None: a sample has as many frames as ticks."""
        return None

    def inputs(self, channels: int) -> int:
        """Inputs of the network that so many channels become."""
        return channels

    def channels(self, inputs: int) -> int:
        """Channels that become so many inputs of a network.

        Raises
        ------
        InputError
            If no number of channels does.
        """
        return inputs

    @property
    def text(self) -> str:
        """As :func:`parse` reads it; of an array, which it does not read, only its range and shape."""
        settings = ",".join(f"{name}={short(getattr(self, name))}" for name in self.fields())
        return f"{type(self).__name__.lower()}:{settings}".encode("ascii", "replace").decode()

    def check_channels(self, channels: int) -> None:
        """Refuse a number of channels that the fields do not fit.

        Raises
        ------
        InputError
        """
        for name, field, _ in self.arrays():
            if field.per == "channel":
                self.per_channel(name, channels)

    def encode(self, values: np.ndarray) -> np.ndarray:
        """The spikes of raw values.

        Parameters
        ----------
        values : (samples, channels) where the kind takes one frame a sample, else (samples, ticks, channels)
            Integers 0 … 2^value_bits − 1.  The axes of an image in the place of channels are flattened, where there
            is one frame a sample: pixels (samples, height, width, channels) are numbered channels last.

        Returns
        -------
        uint8 (samples, ticks, inputs)

        Raises
        ------
        InputError
            If `values` has another shape, type or range, or the spikes would take too much memory.
        """
        frames = self.frames(values)
        samples, ticks, channels = frames.shape
        ticks = self.frame_ticks or ticks
        needed = 8 * samples * ticks * self.inputs(channels)
        if needed > 4 * files.MAX_BYTES:
            raise InputError(
                f"values: {samples} samples of {ticks} ticks would take {needed / 2**30:,.0f} GiB of memory as spikes, "
                f"more than the limit of {4 * files.MAX_BYTES / 2**30:g} GiB: give fewer samples"
            )
        if self.frame_ticks is not None:
            frames = np.broadcast_to(frames, (len(frames), self.frame_ticks, frames.shape[2]))
        return self._spikes(frames)

    def _spikes(self, frames: np.ndarray) -> np.ndarray:
        """The spikes of checked frames, int64 (samples, ticks, channels): one frame a tick."""
        raise NotImplementedError

    def frames(self, values: np.ndarray) -> np.ndarray:
        """`values`, checked, as int64 (samples, frames, channels): what a board is sent."""
        values = np.asarray(values)
        if values.dtype.kind not in "biu":
            raise InputError(
                f"values: dtype is {values.dtype}, must be integers of {self.value_bits} bits; "
                f"scale to 0 … {2**self.value_bits - 1} and round first"
            )
        one = self.frame_ticks is not None
        if values.ndim < 2 or (not one and values.ndim != 3) or 0 in values.shape[1:]:
            shape = "(samples, channels)" if one else "(samples, ticks, channels)"
            raise InputError(f"values: shape is {values.shape}, must be {shape} for {self!r}")
        if values.size and not (values.min() >= 0 and int(values.max()) < 2**self.value_bits):
            raise InputError(
                f"values are in {values.min()} … {values.max()}, must be in 0 … {2**self.value_bits - 1}: "
                f"scale them, or give {self.label} other value_bits"
            )
        values = values.astype(np.int64)
        return values.reshape(len(values), 1, math.prod(values.shape[1:])) if one else values

    def per_channel(self, name: str, channels: int) -> np.ndarray:
        """A field of one integer for all channels, or one for each, as (channels,)."""
        field: np.ndarray = getattr(self, name)
        if field.shape not in ((), (channels,)):
            raise InputError(
                f"{self.label}: {name} must be one integer or have the shape ({channels},), not {field.shape}"
            )
        return np.broadcast_to(field, (channels,))


def parse(text: str) -> Encoder:
    """An encoder from ``kind:field=value,…``, as a command line gives it: ``rate:ticks=20,seed=7``.

    Parameters
    ----------
    text : str
        The kind's name, in any case and with or without hyphens; then its integer fields.

    Raises
    ------
    InputError
        If the kind, a field or a value is unknown or out of range.
    """
    name, _, settings = text.partition(":")
    kinds = {kind.lower(): cls for kind, cls in Encoder.kinds.items()}
    cls = kinds.get(name.replace("-", "").replace("_", "").lower())
    if cls is None:
        raise InputError(f"encoder {name!r} is unknown; there are {', '.join(sorted(kinds))}")
    fields = cls.fields()
    values: dict[str, int] = {}
    for setting in filter(None, settings.split(",")):
        field, _, number = setting.partition("=")
        if field not in fields:
            raise InputError(
                f"encoder {text!r}: {cls.__name__} has no {field!r}, only {', '.join(fields)}"
            )
        try:
            values[field] = int(number)
        except ValueError:
            raise InputError(f"encoder {text!r}: {field} must be an integer, not {number!r}") from None
    missing = [
        field.name
        for field in dataclasses.fields(cls)  # type: ignore[arg-type]
        if field.init and field.default is dataclasses.MISSING and field.name not in values
    ]
    if missing:
        raise InputError(f"encoder {text!r}: give {missing[0]}, as in {name}:{missing[0]}=20")
    try:
        encoder = cls(**values)
    except NetworkError as error:
        raise InputError(f"encoder {text!r}: {error}") from None
    assert isinstance(encoder, Encoder)
    return encoder
