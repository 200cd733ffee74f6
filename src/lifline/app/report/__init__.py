"""The report: one self-contained HTML page, and its plots, each for any network.

A plot is a function from a network, a recording or a record of a training to a figure of matplotlib's.
"""

from .activity import activity
from .builds import cycle_histogram, resources
from .delays import Arrivals, arrivals, delay_histograms, delayed, delays_at_work
from .evaluation import evaluation_page
from .maps import feature_maps, shaped
from .page import write_page
from .style import svg
from .training import confusion, learning_curves, quantised_from
from .weights import weights

__all__ = [
    "Arrivals",
    "activity",
    "arrivals",
    "confusion",
    "cycle_histogram",
    "delay_histograms",
    "delayed",
    "delays_at_work",
    "evaluation_page",
    "feature_maps",
    "learning_curves",
    "quantised_from",
    "resources",
    "shaped",
    "svg",
    "weights",
    "write_page",
]
