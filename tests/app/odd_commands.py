"""Command lines that are nearly right."""

from __future__ import annotations

from .odd import Rng, pick

WORDS = [
    "", "0", "1", "-1", "3", "1e308", "-0.5", "nan", "inf", "99999999999999999999999999999999", "0x10", "1_0", "²",
    "true", "None", "hidden=1", "p=2,q=1", "=", ",", "--", "-", ".", "/dev/null", "/dev/full", "/proc/self/mem",
    "network.npz", "spikes.npz", "odd.npz", "folder", "pipe", "none/none", "x" * 300, "n" * 5000, "a b", "é", "\udcff",
    "$(id)", "`id`", "x.vcd", "x.fst", "icebreaker", "ulx3s", "digits", "arrays", "auto", "golden", "[1]", "{}", "%s",
]  # fmt: skip

OPTIONS = {
    "simulate": ["--input", "--output", "--lanes", "--backend", "--learn", "--learned", "--json", "--force"],
    "verify": ["--samples", "--ticks", "--seed", "--lanes", "--input", "--backend", "--json"],
    "export": ["-o", "--lanes", "--board", "--learn", "--json", "--force"],
    "build": [
        "--board", "-o", "--lanes", "--target-us", "--clock", "--seed", "--tries", "--input", "--check", "--patchable",
        "--load", "--any-weights", "--learn", "--encoder", "--json", "--force",
    ],
    "train": [
        "-o", "--seed", "--epochs", "--data", "--weight-bits", "--delays", "--max-delay", "--set", "--resume", "--json",
    ],
    "import": [
        "-o", "--producer", "--dt", "--reset", "--comparison", "--decay", "--loop-delay", "--scale", "--weight-bits",
        "--max-loss", "--margin", "--calibrate", "--finetune", "--output-node", "--name", "--report", "--json",
        "--force",
    ],
    "evaluate": ["--input", "-o", "--classes", "--board", "--lanes", "--show", "--json", "--force"],
    "estimate": ["--board", "--lanes", "--clock", "--input", "--learn", "--json"],
    "run": [
        "--input", "--port", "--output", "--check", "--load", "--timeout", "--baud", "--board", "--lanes", "--encoder",
        "--faults", "--json", "--force",
    ],
    "monitor": [
        "--input", "--port", "--interval", "--seconds", "--timeout", "--baud", "--board", "--lanes", "--encoder",
        "--faults", "--json",
    ],
    "flash": ["--dry-run", "--json"],
    "patch": ["network.npz", "-o", "--check", "--json", "--force"],
    "boards": ["--json", "x"],
    "demo": ["-o", "--task", "--seed", "--data", "--trained", "--samples", "--board", "--json"],
}  # fmt: skip
FLAGS = {
    "--json", "--force", "--resume", "--learn", "--check", "--patchable", "--any-weights", "--dry-run", "network.npz",
    "x",
}  # fmt: skip

#: What an option is given where it is not a word: what is right, and what nearly is.
USUAL = {
    "--input": ["spikes.npz", "spikes.npz", "odd.npz", "values.npz", "graded.npz"],
    "--calibrate": ["spikes.npz", "odd.npz", "values.npz"],
    "--output": ["out.npz"],
    "--learned": ["learned.npz"],
    "-o": ["out"],
    "--backend": ["golden", "icarus", "verilator"],
    "--samples": ["2", "100000000"],
    "--ticks": ["9", "100000000"],
    "--seed": ["1"],
    "--board": ["icebreaker", "ulx3s", "tangnano9k", "arty_a7", "all"],
    "--lanes": ["1", "2", "auto", "hidden=2,out=1", "map=2,out=2", "hidden=2", "999999999"],
    "--encoder": [
        "rate:ticks=4",
        "latency:ticks=9",
        "threshold:threshold=9",
        "sendondelta:threshold=9",
    ],
    "--target-us": ["100", "1e-9"],
    "--clock": ["12", "24", "1e9"],
    "--tries": ["1"],
    "--port": ["virtual", "virtual", "auto", "none", "pipe"],
    "--load": ["network.npz", "learner.npz"],
    "--faults": ["flip=0.1", "seed=-1", "flip=2", "drop=0.1,seed=3"],
    "--timeout": ["0.05"],
    "--baud": ["9600", "99999999999"],
    "--interval": ["0"],
    "--seconds": ["0.2"],
    "--producer": ["nir", "snntorch", "norse", "sinabs", "rockpool", "spikingjelly"],
    "--dt": ["1e-3", "1e-4", "1", "1e308", "1e-320"],
    "--reset": ["zero", "subtract", "none"],
    "--comparison": [">", ">="],
    "--decay": ["euler", "exponential"],
    "--loop-delay": ["1", "255"],
    "--scale": ["population", "neuron", "64", "1e300"],
    "--weight-bits": ["auto", "2", "16"],
    "--max-loss": ["0", "1"],
    "--margin": ["0", "100"],
    "--finetune": ["1"],
    "--output-node": ["lif", "out", "affine"],
    "--name": ["name"],
    "--report": ["page.html", "out.npz"],
    "--classes": ["a,b", "a", ","],
    "--show": ["3"],
    "--epochs": ["1"],
    "--data": ["data", "trained"],
    "--delays": ["none", "random", "learned"],
    "--max-delay": ["3"],
    "--task": ["digits", "arrays"],
    "--trained": ["trained"],
}

#: The word after a command where it is right.
SUBJECTS = {"train": "arrays", "import": "model.nir", "flash": "built", "patch": "built"}
SETTINGS = [
    "hidden",
    "batch",
    "learning_rate",
    "slope",
    "validation",
    "weight_bits",
    "loss",
    "dropout",
    "ticks",
    "scale",
]


def odd_command(rng: Rng) -> list[str]:
    """A command: of half of them any argument may be odd, of the others those for which there is nothing usual."""
    command = pick(rng, list(OPTIONS))
    oddness = 0.3 if rng.random() < 0.5 else 0.0
    arguments = [command]
    if command not in ("demo", "boards") and rng.random() < 0.95:
        usual = SUBJECTS.get(command) or pick(rng, ["network.npz", "learner.npz", "maps.npz"])
        arguments.append(pick(rng, WORDS) if rng.random() < oddness else usual)
    for option in OPTIONS[command]:
        needed = option in ("--input", "--output", "-o", "--port") or (command, option) == (
            "import",
            "--dt",
        )
        if rng.random() < (0.05 if needed else 0.7):
            continue
        arguments.append(option)
        if option == "--set":
            arguments.append(f"{pick(rng, SETTINGS)}={pick(rng, WORDS)}")
        elif option in FLAGS or (command, option) == ("build", "--load"):
            continue
        else:
            odd = option not in USUAL or rng.random() < oddness
            arguments.append(pick(rng, WORDS if odd else USUAL[option]))
    return arguments
