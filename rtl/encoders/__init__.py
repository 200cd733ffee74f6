"""The circuits of the encoders: a file a kind, each a :class:`FrameEncoder` found by the encoder's type."""

from lifline.discovery import import_all

from .circuit import EncoderCircuit, make
from .encoder import FrameEncoder, frame_encoder, value_layout

__all__ = ["EncoderCircuit", "FrameEncoder", "frame_encoder", "make", "value_layout"]

import_all(__name__, __path__)  # a kind is a file here, and no edit
