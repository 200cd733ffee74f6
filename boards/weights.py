"""The file of weights beside a bitstream that reads them from the board's flash."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lifline.errors import InputError
from lifline.files import replaced
from lifline.network import Network

from .boot import ready_cycles
from .finished import REPORT, report_of
from .image import Images

if TYPE_CHECKING:
    from .synthesis import Design

#: The image, and the network that the bitstream was built for.
WEIGHTS, BUILT = "weights.bin", "built.npz"


def write_weights(design: Design, images: Images) -> dict[str, Any]:
    """Write :data:`WEIGHTS` and :data:`BUILT` into the design's folder; what the report says of them."""
    image = images.image(design.network)
    (design.folder / WEIGHTS).write_bytes(image)
    design.network.save(design.folder / BUILT)
    return {
        "file": WEIGHTS,
        "offset": design.board.weights_offset,
        "any_weights": bool(design.options["any_weights"]),
        **_measures(image, design.clock_mhz),
    }


def _measures(image: bytes, clock_mhz: float) -> dict[str, Any]:
    """How long an image is, and how long after its reset a board has read it."""
    cycles = ready_cycles(image)
    ready = round(cycles / clock_mhz / 1000, 2)
    return {"bytes": len(image), "ready_cycles": cycles, "ready_ms": ready}


def has_weights(directory: Path) -> bool:
    """Whether a folder holds a finished build whose weights are in the board's flash."""
    return "weights" in report_of(directory)


def patch_weights(
    directory: str | os.PathLike[str], network: Network, output: str | os.PathLike[str] | None = None
) -> dict[str, Any]:
    """Put the weights of `network` into the image of a finished build.

    Parameters
    ----------
    directory : path
        Of a build whose weights are in the board's flash.
    network : Network
        Of the shape of the network that was built, and within its widths.
    output : path, optional
        Gets the patched build; by default `directory` itself.

    Returns
    -------
    dict
        The build's report, with ``patched``: ``bytes`` of the image, ``seconds``.

    Raises
    ------
    InputError
        If the network does not fit.
    """
    start = time.perf_counter()
    source = Path(directory)
    target = Path(output) if output is not None else source
    report = report_of(source)
    built = Network.load(source / BUILT)
    try:
        lanes, clock_mhz = report["lanes"], float(report["clock_mhz"])
        images = Images(built, lanes, any_weights=report["weights"]["any_weights"])
    except (KeyError, TypeError, ValueError):
        raise InputError(f"{source / REPORT} is not the report of a build: build it anew") from None
    image = images.image(network)
    report["weights"] |= _measures(image, clock_mhz)
    report["patched"] = {"bytes": len(image), "seconds": round(time.perf_counter() - start, 3)}
    kept = ["yosys.log", "nextpnr.log", report["bitstream"], BUILT]
    with replaced(target, "report.json") as scratch:
        if target.resolve() != source.resolve():
            for name in kept:
                shutil.copyfile(source / name, scratch / name)
        (scratch / WEIGHTS).write_bytes(image)
        (scratch / "report.json").write_text(json.dumps(report, indent=2) + "\n")
    return report
