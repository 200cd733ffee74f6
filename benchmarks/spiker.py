"""Clock cycles of 40-128-10 over 73 ticks beside Spiker's, both simulated here: 0, 1 and 40 active inputs a tick.

Spiker+ (A. Carpegna, A. Savino and S. Di Carlo, arXiv:2401.01141) is PyPI's ``spikerplus``, its VHDL simulated by
GHDL.  Both run the same weights, of 6 bits, with all neurons in parallel.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from lifline.errors import ToolError
from lifline.network import INPUT, Network, Population, Projection
from lifline.neurons import LIF, Reset
from lifline.synapses import Dense

from . import gateware
from .measure import SEED, Options, Result

INPUTS, HIDDEN, OUTPUTS, TICKS = 40, 128, 10, 73
BITS, FRACTION = 6, 5

#: What GHDL needs to count the cycles from the start of a sample until the network is ready again.
TESTBENCH = """
library ieee;
use ieee.std_logic_1164.all;
entity testbench is
  generic (active : natural);
end testbench;
architecture behaviour of testbench is
  signal clk, start, ready : std_logic := '0';
  signal rst_n : std_logic := '1';
  signal in_spikes : std_logic_vector({last} downto 0);
begin
  clk <= not clk after 5 ns;
  rst_n <= '0' after 7 ns, '1' after 23 ns;
  inputs : for i in in_spikes'range generate
    in_spikes(i) <= '1' when i < active else '0';
  end generate;
  network : entity work.network port map (
    clk => clk, rst_n => rst_n, start => start, sample_ready => '1', ready => ready, sample => open,
    in_spikes => in_spikes, out_spikes => open, neuron_dp_none_v => open);
  process
    variable cycles : natural := 0;
  begin
    wait until rst_n = '0';
    wait until ready = '1' and falling_edge(clk);
    start <= '1';
    loop
      cycles := cycles + 1;
      wait until falling_edge(clk);
      start <= '0';
      exit when ready = '1';
    end loop;
    report "cycles " & natural'image(cycles);
    std.env.finish;
  end process;
end behaviour;
"""


def run(options: Options) -> Result:
    rng = np.random.default_rng(SEED)
    shapes = [(INPUTS, HIDDEN), (HIDDEN, OUTPUTS)]
    weights = [  # uniform, as PyTorch's linear layers start
        np.round(rng.uniform(-1, 1, shape) * shape[0] ** -0.5 * 2**FRACTION).astype(int)
        for shape in shapes
    ]
    active = (0, 1) if options.quick else (0, 1, 40)
    spikes = np.zeros((len(active), TICKS, INPUTS), np.uint8)
    for sample, count in enumerate(active):
        spikes[sample, :, :count] = 1
    ours = gateware.simulate(_network(weights), spikes, {"hidden": HIDDEN, "output": OUTPUTS})
    notes = []
    try:
        peer: list[int | None] = list(_spiker(weights, active))
    except (ImportError, ToolError) as error:
        peer = [None] * len(active)
        notes.append(f"Spiker could not be simulated: {error}")
    return Result(
        f"Clock cycles, {INPUTS}-{HIDDEN}-{OUTPUTS}, {TICKS} ticks, fully parallel",
        [
            {"active inputs a tick": count, "lifline": int(cycles), "Spiker": theirs}
            for count, cycles, theirs in zip(active, ours.cycles, peer, strict=True)
        ],
        notes,
        {"weight_bits": BITS},
        cycles_as_modelled=len(active),
    )


def _network(weights: list[np.ndarray]) -> Network:
    one = 2**FRACTION
    return Network(
        INPUTS,
        [
            Population("hidden", HIDDEN, LIF(beta=240, threshold=one)),
            Population("output", OUTPUTS, LIF(beta=240, threshold=one, reset=Reset.NONE)),
        ],
        [
            Projection(INPUT, "hidden", Dense(weights[0], weight_bits=BITS)),
            Projection("hidden", "output", Dense(weights[1], weight_bits=BITS)),
        ],
        output="output",
        name="40-128-10",
    )


def _spiker(weights: list[np.ndarray], active: tuple[int, ...]) -> list[int]:
    """Cycles of each sample."""
    ghdl = shutil.which("ghdl")
    if ghdl is None:
        raise ToolError("ghdl is not installed: run  apt install ghdl-mcode")
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own source draws some
        from spikerplus import NetBuilder, VhdlGenerator
    neurons = {"neuron_model": "lif", "beta": 0.9375, "threshold": 1.0}
    model = NetBuilder(
        {
            "n_cycles": TICKS,
            "n_inputs": INPUTS,
            "layer_0": {**neurons, "n_neurons": HIDDEN, "reset_mechanism": "subtract"},
            "layer_1": {**neurons, "n_neurons": OUTPUTS, "reset_mechanism": "none"},
        }
    ).build()
    for name, values in zip(("fc1", "fc2"), weights, strict=True):
        model.layers[name].weight.data = torch.tensor(values.T / 2**FRACTION, dtype=torch.float32)
    config = {"weights_bw": BITS, "neurons_bw": 8, "fp_dec": FRACTION}
    with TemporaryDirectory() as folder:
        VhdlGenerator(model, config).generate(functional=True).write_file_all(output_dir=folder)
        Path(folder, "testbench.vhd").write_text(TESTBENCH.replace("{last}", str(INPUTS - 1)))
        sources = sorted(path.name for path in Path(folder).glob("*.vhd"))
        _call(folder, ghdl, "-i", "--std=08", *sources)
        _call(folder, ghdl, "-m", "--std=08", "testbench")
        reports = [
            _call(
                folder,
                ghdl,
                "-r",
                "--std=08",
                "testbench",
                f"-gactive={count}",
                "--ieee-asserts=disable",
            )
            for count in active
        ]
    return [int(re.findall(r"cycles (\d+)", report)[0]) for report in reports]


def _call(folder: str, *command: str) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ToolError(
            f"{' '.join(command[:3])}: {(done.stderr or done.stdout).strip().splitlines()[-1]}"
        )
    return done.stdout + done.stderr
