"""What the tests of simulation share."""

from __future__ import annotations

import pytest

from lifline.sim import tools


@pytest.fixture(
    params=[
        pytest.param("verilator", marks=pytest.mark.verilator),
        pytest.param("icarus", marks=pytest.mark.icarus),
    ]
)
def backend(request: pytest.FixtureRequest) -> str:
    """Each simulator in turn; one that is not installed is an error that says how to install it."""
    name: str = request.param
    find = tools.find_verilator if name == "verilator" else tools.find_icarus
    find()
    tools.require_cocotb()
    return name
