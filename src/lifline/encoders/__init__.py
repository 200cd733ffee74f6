"""From data to spikes, uint8 (samples, ticks, inputs), and back.

Static values (samples, inputs) and series (samples, ticks, channels) are NumPy arrays of floats; recordings of
event cameras are arrays of events.  Only :func:`rate` uses chance, from the generator that it is given.

The classes are encoders in integers, which a board has circuits for (:mod:`lifline.rtl.encoders`).
"""

from .camera import bin_events
from .changes import (
    change_threshold,
    decode_level_crossing,
    decode_steps,
    delta,
    level_crossing,
    moving_window,
    send_on_delta,
    step_forward,
    threshold_based,
)
from .codes import burst, decode_phase, phase, population
from .deconvolution import bsa, decode_fir, hsa, lowpass
from .integer import Encoder, Latency, Rate, SendOnDelta, Threshold, parse, read_values
from .static import (
    decode_latency,
    decode_rank_order,
    decode_rate,
    decode_receptive_fields,
    latency,
    rank_order,
    rate,
    receptive_fields,
    regular,
)

__all__ = [
    "Encoder",
    "Latency",
    "Rate",
    "SendOnDelta",
    "Threshold",
    "bin_events",
    "bsa",
    "burst",
    "change_threshold",
    "decode_fir",
    "decode_latency",
    "decode_level_crossing",
    "decode_phase",
    "decode_rank_order",
    "decode_rate",
    "decode_receptive_fields",
    "decode_steps",
    "delta",
    "hsa",
    "latency",
    "level_crossing",
    "lowpass",
    "moving_window",
    "parse",
    "phase",
    "population",
    "rank_order",
    "rate",
    "read_values",
    "receptive_fields",
    "regular",
    "send_on_delta",
    "step_forward",
    "threshold_based",
]
