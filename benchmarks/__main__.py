"""Run benchmarks, print their tables, and write them with all that is behind them to a folder."""

from __future__ import annotations

import argparse
import importlib
import time
from pathlib import Path

from lifline.errors import LiflineError

from .measure import Options

#: In the order of the report; the last ones take the longest.
NAMES = (
    "inference", "convolution", "training", "rules", "convert", "graphs", "delays", "quantisation", "spiker", "growth",
    "convolution_cycles", "mnist", "stdp", "reward", "unsupervised", "simulation", "encoders", "link", "boards",
    "clock", "resources", "learning_area", "area",
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}; by default all"
    )
    parser.add_argument(
        "-o", "--output", type=Path, default=Path("benchmarks/results"), metavar="FOLDER"
    )
    parser.add_argument(
        "--quick", action="store_true", help="small sizes: whether it runs, not how fast"
    )
    parser.add_argument(
        "--network",
        type=Path,
        metavar="FOLDER",
        help="what `lifline train mnist -o` or `mnist_conv` wrote",
    )
    parser.add_argument(
        "--no-builds", action="store_true", help="estimates where a build is not there yet"
    )
    parser.add_argument(
        "--rtl",
        type=int,
        default=0,
        metavar="N",
        help="unsupervised: learn N images in simulated gateware and in golden, and nothing else",
    )
    arguments = parser.parse_args()
    wrong = [name for name in arguments.names if name not in NAMES]
    if wrong:
        parser.error(f"there is no benchmark {wrong[0]!r}; there are {', '.join(NAMES)}")
    arguments.output.mkdir(parents=True, exist_ok=True)
    options = Options(
        arguments.output,
        quick=arguments.quick,
        network=arguments.network,
        rtl=arguments.rtl,
        builds=not (arguments.no_builds or arguments.quick),
    )
    failed = False
    for name in arguments.names or NAMES:
        start = time.perf_counter()
        try:
            result = importlib.import_module(f"benchmarks.{name}").run(options)
        except LiflineError as error:
            print(f"{name}: {error}\n", flush=True)
            failed = True
            continue
        result.save(name, options.folder)
        print(f"{result.markdown()}\n({name}: {time.perf_counter() - start:.0f} s)\n", flush=True)
    tables = [path.read_text() for name in NAMES if (path := options.folder / f"{name}.md").exists()]
    (options.folder / "README.md").write_text("\n".join(tables))
    parser.exit(int(failed))


if __name__ == "__main__":
    main()
