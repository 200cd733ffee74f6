"""What the tests of simulation share."""

from __future__ import annotations

import pytest

from lifline.errors import LiflineError
from lifline.sim import tools


@pytest.fixture(
    params=[
        pytest.param("verilator", marks=pytest.mark.verilator),
        pytest.param("icarus", marks=pytest.mark.icarus),
    ]
)
def backend(request: pytest.FixtureRequest) -> str:
    """Each simulator in turn; skipped, visibly, where it is not installed."""
    name: str = request.param
    find = tools.find_verilator if name == "verilator" else tools.find_icarus
    try:
        find()
        tools.require_cocotb()
    except LiflineError as error:
        pytest.skip(str(error))
    return name
