"""Compiling an exported design for a simulator, and running it.

Most of what a verilated design is compiled from is the same for every design: Verilator's runtime, and the
standard headers.  They are compiled once for each toolchain and cached, the headers as a precompiled header; a
small design then takes a second instead of ten.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import logging
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lifline.errors import InputError, ToolError
from lifline.processes import Processes

from .cache import cached
from .process import Watch, call, check_folder, last_line, tool_errors
from .tools import Verilator, find_icarus, find_verilator, require_cocotb

BACKENDS = ("verilator", "icarus")

#: What the drivers of a simulation touch; all else is left to Verilator to optimise away.
_PORTS = ("clk", "rst", "clear", "learn", "*__payload", "*__valid", "*__ready")

_PRECOMPILED = "lifline_runtime.h"

#: The driver that runs samples through an accelerator.
BATCH = Path(__file__).parent / "batch.cpp"


@dataclasses.dataclass(frozen=True)
class Build:
    """An exported design, compiled.

    Parameters
    ----------
    directory : Path
        Where the design was exported to: simulations run there, for the Verilog reads ``mem/*.mem``.
    top : str
    sources : tuple of Path
    backend : "verilator" or "icarus"
    waves : Path or None
        Where simulations write their waves, as FST or VCD by the suffix.
    optimise : bool
        Compile for a long run rather than a short one (Verilator only).
    header : str or None
        For a compiled driver: constants of the design.  None: cocotb drives.
    driver : Path
        That driver's source.
    """

    directory: Path
    top: str
    sources: tuple[Path, ...]
    backend: str = "verilator"
    waves: Path | None = None
    optimise: bool = False
    header: str | None = None
    driver: Path = BATCH

    def __post_init__(self) -> None:
        if self.backend not in BACKENDS:
            choices = " or ".join(repr(name) for name in BACKENDS)
            raise InputError(f"backend must be {choices}, not {self.backend!r}")
        if self.waves is not None and self.waves.suffix not in (".fst", ".vcd"):
            raise InputError(
                f"{self.waves}: waves are written as .fst or .vcd; use one of these suffixes"
            )
        check_folder(self.objects, "choose another, or set TMPDIR")

    @property
    def objects(self) -> Path:
        """Folder of all compiled files."""
        kind = self.driver.stem if self.header is not None else self.backend
        return self.directory.absolute() / f"build-{kind}"

    def compile(self) -> None:
        """Compile the design.

        Raises
        ------
        ToolError
            If a tool is missing or fails.
        MissingExtra
            If cocotb is not installed.
        """
        if self.header is None:
            require_cocotb()
        if self.backend == "verilator":
            self._compile_verilator(find_verilator())
        else:
            self._compile_icarus()

    def run(
        self,
        jobs: Sequence[tuple[Path, Path]],
        seed: int | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        """Run simulations side by side, one for each job.

        Parameters
        ----------
        jobs : sequence of (parameters, results)
            Files handed to the driver; it appends a byte to ``results.progress`` for each run done.
        seed : int, optional
            Start registers and memories without an initial value from random ones (Verilator only; in
            Icarus they are undefined anyhow).
        progress : callable, optional
            Called now and then with the number of runs done.

        Raises
        ------
        ToolError
            If the simulator fails.
        """
        if not jobs:
            return
        processes = Processes()
        watch = Watch(
            [_beside(result, "progress") for _, result in jobs], progress, self.waves, processes
        )
        with watch, concurrent.futures.ThreadPoolExecutor(len(jobs)) as pool:
            running = [pool.submit(self._run, *job, seed, processes) for job in jobs]
            try:
                for future in running:
                    future.result()
            except BaseException:
                processes.end()
                raise

    def _run(self, parameters: Path, results: Path, seed: int | None, processes: Processes) -> None:
        log = _beside(results, "log")
        results.unlink(missing_ok=True)
        if self.header is not None:
            command = [str(self.objects / self.top), str(parameters), str(results)]
            what = f"simulation of {self.top}"
            call(command, log, what, cwd=self.directory, processes=processes)
            return
        environment = {
            "LIFLINE_PARAMETERS": str(parameters.absolute()),
            "LIFLINE_RESULTS": str(results.absolute()),
            "COCOTB_LOG_LEVEL": "WARNING",
            "COCOTB_REWRITE_ASSERTION_FILES": "",  # spares the import of pytest
            "COCOTB_RANDOM_SEED": "1",
            "PYTHONUNBUFFERED": "1",
        }
        # -n: an interrupt ends vvp, which would else ask what to do and hang
        arguments = ["-n"] if self.backend == "icarus" else []
        plusargs: list[str] = []
        if self.backend == "verilator" and self.waves is not None:
            arguments += ["--trace-file", str(self.waves.absolute())]
        if self.backend == "verilator" and seed is not None:
            plusargs += ["+verilator+rand+reset+2", f"+verilator+seed+{seed % 0x7FFFFFFF + 1}"]
        with tool_errors(f"simulation in {self.backend}", log):
            _runner(self, processes).test(
                test_module="lifline.sim.testbench",
                hdl_toplevel=self.top,
                hdl_toplevel_lang="verilog",
                build_dir=self.objects,
                test_dir=self.directory,
                test_args=arguments,
                plusargs=plusargs,
                extra_env=environment,
                waves=self.waves is not None,
                results_xml=str(_beside(results, "xml").absolute()),
                log_file=log,
            )
        if not results.exists():
            raise ToolError(
                f"simulation in {self.backend} gave no result: {last_line(log)} (log: {log})"
            )

    def _compile_icarus(self) -> None:
        find_icarus()
        self.objects.mkdir(parents=True, exist_ok=True)
        log = self.objects / "compile.log"
        sources = list(self.sources)
        options = ["-g2005"]  # there, a register's initial value is an event, which @* blocks see
        if self.waves is not None:
            dump = self.objects / "lifline_waves.v"
            name = str(self.waves.absolute()).replace("\\", "\\\\").replace('"', '\\"')
            calls = f'$dumpfile("{name}"); $dumpvars(0, {self.top});'
            dump.write_text(f"module lifline_waves; initial begin {calls} end endmodule\n")
            sources.append(dump)
            options += ["-s", "lifline_waves"]
        with tool_errors("iverilog", log):
            _runner(self, Processes()).build(
                sources=sources,
                hdl_toplevel=self.top,
                build_dir=self.objects,
                cwd=self.directory,
                always=True,
                timescale=("1ns", "1ns"),
                build_args=options,
                log_file=log,
            )

    def _compile_verilator(self, tool: Verilator) -> None:
        """Verilog to C++ with Verilator, then to a program with make."""
        if self.waves is not None and self.waves.suffix == ".fst":
            _require_fst(tool, self.waves)
        shutil.rmtree(self.objects, ignore_errors=True)
        self.objects.mkdir(parents=True)
        # The compiler's own temporary files are removed with the rest, even where it is killed.
        environment = {**os.environ, **tool.environment, "TMPDIR": str(self.objects)}
        for name in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL"):  # those of a make that runs us
            environment.pop(name, None)
        log = self.objects / "compile.log"
        call(
            self._verilator_command(tool), log, "verilator", cwd=self.directory, environment=environment
        )

        variables = {
            **tool.variables,
            "OPT_FAST": "-O2" if self.optimise else "-O0",
            "OPT_SLOW": "-O0",
            "OPT_GLOBAL": "-O2",
        }
        make = [tool.make, "--no-print-directory", "-C", str(self.objects), "-f", "Vtop.mk"]
        make += [f"-j{os.cpu_count() or 1}"]

        def run_make(*targets: str) -> None:
            settings = [f"{name}={value}" for name, value in variables.items()]
            call([*make, *settings, *targets], log, "C++ compiler", environment=environment)

        classes = (self.objects / "Vtop_classes.mk").read_text()
        objects = [
            f"{name}.o" for name in re.findall(r"^\s*(verilated\w*)\s*\\?$", classes, re.MULTILINE)
        ]
        headers = ["verilated.h"]
        if self.header is None:
            headers += ["verilated_vpi.h", "verilated_dpi.h"]

        def compile_runtime(cache: Path) -> None:
            run_make(*objects)
            for name in objects:
                shutil.move(self.objects / name, cache / name)

        def precompile(cache: Path) -> None:
            source = self.objects / _PRECOMPILED
            source.write_text("".join(f'#include "{header}"\n' for header in headers))
            run_make(f"{_PRECOMPILED}.fast.gch")
            shutil.move(f"{source}.fast.gch", cache / f"{_PRECOMPILED}.fast.gch")
            # The plain header serves where a compiler does not accept the precompiled one.
            shutil.move(source, cache / f"{_PRECOMPILED}.fast")

        compiler = subprocess.run([tool.compiler, "--version"], capture_output=True, check=False).stdout
        key = (tool.executable, tool.version, compiler, self._trace_options())
        with (
            cached((key, objects), compile_runtime) as runtime,
            cached((key, headers, self.optimise), precompile) as precompiled,
        ):
            variables |= {
                "VM_GLOBAL_FAST": "",
                "VM_GLOBAL_SLOW": "",
                "USER_LDLIBS": " ".join(str(runtime / name) for name in objects),
                "CXXFLAGS": f"-include {precompiled / _PRECOMPILED}.fast",
            }
            run_make()

    def _verilator_command(self, tool: Verilator) -> list[str]:
        command = [
            str(tool.executable), "--cc", "--exe", "--prefix", "Vtop", "--top-module", self.top,
            "--Mdir", str(self.objects), "-o", self.top, "--timescale", "1ns/1ns", "--no-timing",
            "-Wno-fatal", "-Wno-lint", *self._trace_options(),
            # One C++ file, to compile the headers but once; its functions are still split.
            "--output-split", "0", "--output-split-cfuncs", "20000",
        ]  # fmt: skip
        if self.header is None:
            import cocotb_tools.config

            ports = self.objects / "ports.vlt"
            lines = [f'public_flat_rw -module "{self.top}" -var "{port}"\n' for port in _PORTS]
            ports.write_text("`verilator_config\n" + "".join(lines))
            libraries = cocotb_tools.config.libs_dir
            main = cocotb_tools.config.share_dir / "lib" / "verilator" / "verilator.cpp"
            link = f"-Wl,-rpath,{libraries} -L{libraries} -lcocotbvpi_verilator"
            command += ["--vpi", "--public-params", "-LDFLAGS", link, str(ports), str(main)]
        else:
            (self.objects / "lifline_batch.h").write_text(self.header)
            command += ["--x-assign", "fast", "--x-initial", "fast", str(self.driver)]
        return command + [str(source) for source in self.sources]

    def _trace_options(self) -> list[str]:
        if self.waves is None:
            return []
        return ["--trace-fst" if self.waves.suffix == ".fst" else "--trace-vcd"]


def _require_fst(tool: Verilator, waves: Path) -> None:
    """Check that what Verilator compiles to write FST is installed."""
    result = subprocess.run(
        [tool.compiler, "-E", "-x", "c++", "-"],
        input=b"#include <lz4.h>\n#include <zlib.h>\n",
        capture_output=True,
        check=False,
    )
    if result.returncode:
        raise ToolError(
            f"{waves}: Verilator needs the headers of lz4 and zlib to write FST: run  "
            "apt install liblz4-dev zlib1g-dev   or write .vcd"
        )


def _runner(build: Build, processes: Processes) -> Any:
    """cocotb's runner for the build's simulator; it says nothing, and its programs are among `processes`."""
    from cocotb_tools.runner import get_runner

    runner = get_runner(build.backend)

    # The compiler's own temporary files are removed with the rest, even where it is killed.
    temporary = {"TMPDIR": str(build.objects)}

    def execute(commands: Sequence[Sequence[str]], cwd: str, output: Any = None) -> None:
        for command in commands:
            status = processes.run(
                list(map(str, command)), cwd=cwd, environment={**runner.env, **temporary}, output=output
            )
            if status:
                raise RuntimeError(f"{command[0]} ended with the status {status}")

    # Private, for want of a public way: cocotb's runner would not end its programs when this process is ended.
    runner._execute_cmds = execute  # type: ignore[method-assign, assignment]
    runner.log.setLevel(logging.CRITICAL)
    if build.backend == "icarus" and build.waves is not None and build.waves.suffix == ".vcd":
        # Private, for want of a public way: cocotb's runner always asks vvp for FST where waves are wanted.
        command = runner._test_command
        runner._test_command = lambda: [  # type: ignore[method-assign]
            ["-vcd" if word == "-fst" else word for word in words] for words in command()
        ]
    return runner


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(f"{path.name}.{suffix}")
