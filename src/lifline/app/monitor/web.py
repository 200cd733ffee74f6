"""The monitor as a page, for this machine only."""

from __future__ import annotations

import importlib.resources
import json
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np

from lifline.errors import InputError

from .feed import Feed

LOOPBACK = "127.0.0.1"


def state(feed: Feed) -> dict[str, Any]:
    """What the page shows, for JSON."""
    view = feed.view()
    shot = view.shot
    values: dict[str, Any] = {
        "board": feed.board,
        "clock_mhz": feed.clock_mhz,
        "error": view.error,
        "rates": [round(float(rate), 4) for rate in view.rates],
        "classes": list(view.classes),
        "correct": view.correct,
        "labelled": view.labelled,
        "samples_per_second": round(view.samples_per_second, 2),
    }
    if shot is not None:
        values |= {
            "sample": shot.number,
            "class": shot.winner,
            "label": shot.label,
            "cycles": shot.cycles,
            "ticks": len(shot.spikes),
            "inputs": shot.inputs.shape[1],
            "input_spikes": np.argwhere(shot.inputs).tolist(),
            "spikes": np.argwhere(shot.spikes).tolist(),
        }
    return values


class Page(ThreadingHTTPServer):
    """Serves the page of a feed; a context manager.

    Parameters
    ----------
    feed : Feed
    port : int
        Of the loopback interface; 0: one that is free.

    Raises
    ------
    InputError
        If the port is taken.
    """

    daemon_threads = True

    def __init__(self, feed: Feed, port: int = 0) -> None:
        self.feed = feed
        try:
            super().__init__((LOOPBACK, port), _Handler)
        except OSError as error:
            raise InputError(f"port {port} of this machine: {error.strerror}: choose another") from None

    @property
    def address(self) -> str:
        """Where to look."""
        return f"http://{LOOPBACK}:{self.server_address[1]}/"


class _Handler(BaseHTTPRequestHandler):
    server: Page

    def do_GET(self) -> None:
        """The page, or what it shows; not to another name of this machine, as a foreign page might give it."""
        host = (self.headers.get("Host") or "").rpartition(":")[0]
        if host not in (LOOPBACK, "localhost"):
            self.send_error(HTTPStatus.FORBIDDEN)
        elif self.path == "/":
            page = importlib.resources.files(__package__).joinpath("page.html").read_bytes()
            self._send(page, "text/html; charset=utf-8")
        elif self.path == "/state":
            self._send(json.dumps(state(self.server.feed)).encode(), "application/json")
        else:
            self.send_error(HTTPStatus.NOT_FOUND)

    def _send(self, data: bytes, kind: str) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Content-Security-Policy", "default-src 'self' 'unsafe-inline'")
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""
