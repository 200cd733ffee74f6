"""What every test shares: one thread for each library, and no real data unless $LIFLINE_DATA names it."""

from __future__ import annotations

import os

import pytest

# Before NumPy or torch is imported, here and in every process that a test starts: with more threads than
# free cores torch can be ten times slower.
os.environ.setdefault("OMP_NUM_THREADS", "1")

_NO_DATA = (
    "tests marked 'data' are deselected: set LIFLINE_DATA to the folder that holds mnist/, fsdd/, …"
)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if os.environ.get("LIFLINE_DATA"):
        return
    on_data = [item for item in items if item.get_closest_marker("data")]
    if on_data:
        config.hook.pytest_deselected(items=on_data)
        items[:] = [item for item in items if not item.get_closest_marker("data")]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not os.environ.get("LIFLINE_DATA"):
        terminalreporter.write_line(_NO_DATA, yellow=True)
