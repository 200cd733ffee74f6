"""Encoders that a board has a circuit for, in integers: a file a kind, with a twin in :mod:`lifline.rtl.encoders`."""

from lifline.discovery import import_all

from .encoder import Encoder, parse
from .latency import Latency
from .rate import Rate
from .send_on_delta import SendOnDelta
from .threshold import Threshold
from .values import read_values

__all__ = ["Encoder", "Latency", "Rate", "SendOnDelta", "Threshold", "parse", "read_values"]

import_all(__name__, __path__)  # a kind is a file here, and no edit
