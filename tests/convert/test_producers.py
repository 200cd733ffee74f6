"""Networks of snnTorch and Norse, and the same by NIR: converted, they spike as their producer's own forward."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lifline import golden
from lifline.convert import Conversion, from_nir, from_norse, from_snntorch

from . import producers

#: snnTorch divides by 0 as it exports a decay of 1, and torch warns of what both packages use.
pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::UserWarning", "ignore::RuntimeWarning"
)


def integer_spikes(conversion: Conversion, values: np.ndarray) -> np.ndarray:
    recording = golden.simulate(conversion.network, conversion.inputs(values))
    return recording.spikes[conversion.network.output]


@pytest.mark.parametrize("kind", ["dense", "conv", "recurrent"])
@pytest.mark.parametrize("seed", range(8))
def test_snntorch_exact(kind: str, seed: int) -> None:
    rng = np.random.default_rng([seed, 1])
    module, shape = producers.snntorch_module(rng, kind)
    values = producers.random_input(rng, shape)
    expected = producers.run_snntorch(module, values)
    conversion = from_snntorch(module, shape, **producers.EXACT)
    assert (integer_spikes(conversion, values) == expected).all()
    assert all(q.exact for q in conversion.report.populations.values())


@pytest.mark.parametrize("seed", range(12))
def test_norse_exact(seed: int) -> None:
    rng = np.random.default_rng([seed, 2])
    module, shape = producers.norse_module(rng)
    values = producers.random_input(rng, shape)
    expected = producers.run_norse(module, values)
    conversion = from_norse(module, shape, dt=0.001, **producers.EXACT)
    assert (integer_spikes(conversion, values) == expected).all()


@pytest.mark.parametrize("kind", ["dense", "conv", "recurrent"])
@pytest.mark.parametrize("seed", range(4))
def test_snntorch_by_nir(kind: str, seed: int, tmp_path: Any) -> None:
    import nir
    import torch
    from snntorch.export_nir import export_to_nir

    rng = np.random.default_rng([seed, 3])
    module, shape = producers.snntorch_module(rng, kind, for_nir=True)
    values = producers.random_input(rng, shape)
    expected = producers.run_snntorch(module, values)
    graph = export_to_nir(module, torch.zeros(1, *shape), ignore_dims=[0])
    nir.write(tmp_path / "model.nir", graph)
    conversion = from_nir(tmp_path / "model.nir", producer="snntorch", **producers.EXACT)
    assert (integer_spikes(conversion, values) == expected).all()
