"""Spoken digits: FSDD."""

from __future__ import annotations

import dataclasses
import io
import re
import wave

import numpy as np

from lifline.errors import InputError

from .folder import Source, files, folder_of, missing

FSDD_RATE = 8000  #: samples per second
FSDD_TEST = 5  #: the publisher's split: recordings 0 … 4 of each speaker and digit are the test


@dataclasses.dataclass(frozen=True)
class Clips:
    """Spoken digits, in the order of digit, speaker and index."""

    samples: list[np.ndarray]  #: int16 (n,), n different for each clip
    labels: np.ndarray  #: int64 (clips,), 0 … 9
    speakers: np.ndarray  #: str (clips,)
    indices: np.ndarray  #: int64 (clips,): which of the speaker's recordings of the digit
    rate: int = FSDD_RATE

    def split(self, speaker: str | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Masks of the training and the test clips, bool (clips,) each.

        Parameters
        ----------
        speaker : str or None
            The test is all clips of this speaker, who is not learned from (leave one speaker out);
            None: the publisher's split, in which indices 0 … 4 are the test.

        Raises
        ------
        InputError
            If there is no such speaker.
        """
        if speaker is None:
            test = self.indices < FSDD_TEST
        else:
            test = self.speakers == speaker
            if not test.any():
                known = ", ".join(np.unique(self.speakers))
                raise InputError(f"speaker '{speaker}' is not in the data, only {known}")
        return ~test, test


def fsdd(data: Source | None = None) -> Clips:
    """The Free Spoken Digit Dataset: 3,000 clips of six speakers, 8 kHz, mono, 16 bits.

    Source: Z. Jackson et al., "Jakobovski/free-spoken-digit-dataset", Zenodo, 2018.  Reads files named
    ``{digit}_{speaker}_{index}.wav`` from the folder, or from a folder ``recordings`` in it; if there
    are none, from the zip files in the folder.

    Parameters
    ----------
    data : path or None
        See :func:`folder_of`.

    Raises
    ------
    InputError
        If there is no such file, or one is damaged, empty, or of another name, rate, width or number of
        channels.
    """
    folder = folder_of("fsdd", data)
    clips: dict[tuple[int, str, int], np.ndarray] = {}
    for where, match, content in files(folder, r"(?:(?:.*/)?recordings/)?([^./][^/]*\.wav)"):
        name = re.fullmatch(r"([0-9])_([^_]+)_([0-9]{1,18})\.wav", match[1])
        if not name:
            raise InputError(
                f"{where}: its name must be DIGIT_SPEAKER_INDEX.wav, such as 7_george_12.wav"
            )
        key = int(name[1]), name[2], int(name[3])
        if key in clips:
            raise InputError(f"{where}: there is another recording of that name; remove one")
        clips[key] = _wav(where, content)
    if not clips:
        raise missing(
            "fsdd", f"{folder}: no recordings/*.wav, loose or in a zip (free-spoken-digit-dataset.zip)"
        )
    keys = sorted(clips)
    return Clips(
        [clips[key] for key in keys],
        np.array([digit for digit, _, _ in keys], dtype=np.int64),
        np.array([speaker for _, speaker, _ in keys]),
        np.array([index for _, _, index in keys], dtype=np.int64),
    )


def _wav(where: str, content: bytes) -> np.ndarray:
    """The samples of a wav file, int16 (n,)."""
    try:
        with wave.open(io.BytesIO(content)) as file:
            channels, width, rate, count = file.getparams()[:4]
            data = file.readframes(count)
    except (wave.Error, EOFError, RuntimeError) as error:  # the last: a chunk that claims a wrong size
        raise InputError(
            f"{where}: not a wav file of plain samples, or damaged: {str(error) or 'cut short'}"
        ) from None
    if (channels, width, rate) != (1, 2, FSDD_RATE):
        raise InputError(
            f"{where}: {channels} × {8 * width} bits at {rate} Hz, must be 1 × 16 bits (mono) at "
            f"{FSDD_RATE} Hz; convert it"
        )
    if not count:
        raise InputError(f"{where}: holds no samples")
    if (size := _data_bytes(content)) % 2:
        raise InputError(f"{where}: its data are {size} bytes, no whole number of samples")
    if len(data) != 2 * count:
        raise InputError(f"{where}: cut short: {len(data) // 2} samples, its header says {count}")
    return np.frombuffer(data, "<i2").astype(np.int16)


def _data_bytes(content: bytes) -> int:
    """How many bytes of samples a wav file says it has, which `wave` rounds down."""
    at = 12
    while content[at : at + 4] != b"data":
        size = int.from_bytes(content[at + 4 : at + 8], "little")
        at += 8 + size + size % 2
    return int.from_bytes(content[at + 4 : at + 8], "little")
