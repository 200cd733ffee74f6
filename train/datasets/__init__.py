"""Real data from the publishers' own files, and anyone's own as arrays of spikes.

A task's files lie in the folder given as `data`, by default ``$LIFLINE_DATA/TASK``.  Nothing is
downloaded: what is missing is named, with its publisher.  A loader checks everything before it returns
anything.
"""

from .camera import EVENT, NMNIST_SIDE, Recordings, nmnist
from .events import EventRecordings, tonic
from .folder import Dataset, Source, folder_of
from .images import Images, digits, mnist
from .sound import FSDD_RATE, FSDD_TEST, Clips, fsdd
from .spikes import Spikes, arrays

__all__ = [
    "EVENT",
    "FSDD_RATE",
    "FSDD_TEST",
    "NMNIST_SIDE",
    "Clips",
    "Dataset",
    "EventRecordings",
    "Images",
    "Recordings",
    "Source",
    "Spikes",
    "arrays",
    "digits",
    "folder_of",
    "fsdd",
    "mnist",
    "nmnist",
    "tonic",
]
