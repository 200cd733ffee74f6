"""The accelerator's Verilog: Amaranth's netlist, with names that a reader can follow, in a file for each part.

Amaranth names a wire after the signal that it carries.  Where a module has submodules, several of their ports carry
signals of one name (``o__payload``), which it tells apart by numbers; here they are named after the submodule, too
(``queue_o__payload``).  The result of an operation that is no signal of its own is called ``_12``.

All modules of a design, those of ``lifline_memory.v`` included, have its prefix, and so have its memory files where
it is not the usual one: two networks with prefixes of their own fit in one design.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from amaranth._toolchain.yosys import find_yosys
from amaranth.back import rtlil
from amaranth.hdl import Signal, Value

from lifline import __version__
from lifline.errors import InputError

from . import memory
from .accelerator import Accelerator

#: What names of modules and of ``lifline_memory.v`` start with.
PREFIX = "lifline_"

_DESIGN = "the_design"  # the accelerator's name in the netlist

# As Amaranth's own back end: processes stay, so that registers are written as such.
_SCRIPT = """\
read_rtlil <<rtlil
{netlist}
rtlil
proc -nomux -norom
memory_collect
attrmap -remove generator -remove top -remove src -remove amaranth.hierarchy -remove amaranth.decoding
attrmap -modattr -remove generator -remove top -remove src -remove amaranth.hierarchy -remove amaranth.decoding
write_verilog -norename
"""

_MODULE = re.compile(r"^module .*?^endmodule\n", re.MULTILINE | re.DOTALL)
_MODULE_NAME = re.compile(rf"\\{_DESIGN}\.core(?:\.([\w.$]+))? |\b{_DESIGN}\b")
# yosys writes `x == 0` as `! x`, which Verilator's lint refuses for a vector: `~| x` is the same.
_NOT = re.compile(r"= !(?= [^;]*;)")
_TRIGGER = re.compile(
    r"\\\$auto\$verilog_backend[\w.:/]*\$(\d+) "
)  # yosys's: it runs an `always @*` once
_ANONYMOUS = re.compile(r"\\\$(\d+) ")

_RTLIL_MODULE = re.compile(r"^module \\(\S+)\n.*?^end\n", re.MULTILINE | re.DOTALL)
_RTLIL_CELL = re.compile(r"^  cell \\(\S+) \\(\S+)\n(.*?)^  end\n", re.MULTILINE | re.DOTALL)
_RTLIL_CONNECT = re.compile(r"^    connect \\(\S+) (?:\\([\w$]+))?", re.MULTILINE)
_RTLIL_WIRE = re.compile(r"^  wire (.*)\\([\w$]+)$", re.MULTILINE)
_RTLIL_DECLARED = re.compile(r"^(?:  wire .*|connect )\\([\w$]+)")  # or assigned, in part or whole
_RTLIL_NAME = re.compile(r"\\([\w$]+)")


def top_name(prefix: str = PREFIX) -> str:
    """Name of the module that is the whole accelerator."""
    return f"{prefix}top"


def memory_path(path: str, prefix: str = PREFIX) -> str:
    """Where a design with `prefix` has the memory file that the gateware calls `path`."""
    return path if prefix == PREFIX else path.replace("mem/", f"mem/{prefix}", 1)


def check_prefix(prefix: str) -> None:
    """Raise an InputError if `prefix` cannot start the name of a module."""
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", prefix):
        raise InputError(
            f"prefix {prefix!r} cannot start a Verilog name: give letters, digits and _, a letter or _ first"
        )


def verilog_files(accelerator: Accelerator, prefix: str = PREFIX) -> dict[str, str]:
    """The accelerator's Verilog without its memories: the top, the router, and two files a population."""
    check_prefix(prefix)
    ports = [
        value
        for _, _, member in accelerator.signature.flatten(accelerator)
        if isinstance(value := Value.cast(member), Signal)  # not the constant `ready` of a trace
    ]
    netlist = rtlil.convert(accelerator, name=_DESIGN, platform="verilog", ports=ports, emit_src=False)
    for module in ("rom", "ram", "register_file"):
        netlist = netlist.replace(f"cell \\lifline_{module} ", f"cell \\{prefix}{module} ")
    netlist = netlist.replace('"mem/', f'"{memory_path("mem/", prefix)}')
    ports_of = {match[1]: _port_names(match[0]) for match in _RTLIL_MODULE.finditer(netlist)}
    netlist = _RTLIL_MODULE.sub(lambda match: _name_wires(match[0], match[1], ports_of), netlist)
    # Amaranth, too, has yosys ignore that not all processes can be Verilog: its own can.
    yosys = find_yosys(lambda version: version >= (0, 40))
    text = yosys.run(["-q", "-"], _SCRIPT.format(netlist=netlist), ignore_warnings=True)
    text = _MODULE_NAME.sub(lambda match: _module_name(match[1], match[0], prefix), text)
    text = _TRIGGER.sub(r"_start_\1 ", text)
    text = _ANONYMOUS.sub(r"_\1 ", text)
    text = _NOT.sub(r"= ~|", text)
    files: dict[str, list[str]] = {}
    for module in _MODULE.findall(text):
        name = module.split()[1].split("(")[0]
        part = next((p for p in _parts(accelerator) if name.startswith(prefix + p)), "top")
        files.setdefault(f"{prefix}{part}.v", []).append(module)
    header = _HEADER.format(version=__version__, top=top_name(prefix))
    return {name: header + "\n".join(modules) for name, modules in files.items()}


def memory_files(accelerator: Accelerator, prefix: str = PREFIX) -> dict[str, str]:
    """What the Verilog of `verilog_files` needs beside it: the memories' modules, and their contents."""
    check_prefix(prefix)
    files = {memory_path(path, prefix): text for path, text in accelerator.memory_files().items()}
    modules = files.pop(memory.VERILOG_NAME)
    return {f"{prefix}memory.v": modules.replace("module lifline_", f"module {prefix}"), **files}


# Operands of different widths are extended as Verilog says, and a case statement comes after its signal's
# default: the two lint rules are off, all others hold (nothing is ever cut implicitly).
_HEADER = """// Made by lifline {version}; part of the design {top}.
/* verilator lint_off WIDTHEXPAND */
/* verilator lint_off CASEINCOMPLETE */

"""


def _parts(accelerator: Accelerator) -> list[str]:
    """Names of the parts that get a file of their own, longer ones first."""
    parts = ["router"]
    for name in accelerator.arrays:
        parts += [f"{name}_synapses", f"{name}_neurons"]
    return sorted(parts, key=len, reverse=True)


def _module_name(path: str | None, whole: str, prefix: str) -> str:
    if whole == _DESIGN:
        return top_name(prefix)
    return prefix + "_".join(re.split(r"[.$]", path or "core")) + " "


def _port_names(module: str) -> dict[str, str]:
    """Names for the ports of an RTLIL module: those of their signals, or of a submodule and its port."""
    ports = [name for kind, name in _RTLIL_WIRE.findall(module) if re.search("input|output", kind)]
    plain = [name.split("$")[0] for name in ports]
    inner = _submodule_names(module)
    return {
        port: name
        if plain.count(name) == 1 or port == name
        else inner.get(port, port.replace("$", "_"))
        for port, name in zip(ports, plain, strict=True)
    }


def _submodule_names(module: str) -> dict[str, str]:
    """For the wires of an RTLIL module: the submodule that they are connected to first, and its port."""
    names: dict[str, str] = {}
    for _, instance, connections in _RTLIL_CELL.findall(module):
        for port, wire in _RTLIL_CONNECT.findall(connections):
            names.setdefault(wire, re.sub(r"\W", "_", f"{instance}_{port.split('$')[0]}"))
    return names


def _name_wires(module: str, name: str, ports: Mapping[str, Mapping[str, str]]) -> str:
    """An RTLIL module whose names have no numbers, without the wires that are only another name for one."""
    names = dict(ports[name])
    taken = set(names.values())
    inner_names = _submodule_names(module)
    used = _used(module)
    dropped = set()
    for _, wire in _RTLIL_WIRE.findall(module):
        if wire in names:
            continue
        given = wire
        if "$" in wire or wire in taken:
            if wire not in used:
                dropped.add(wire)
                continue
            given = inner_names.get(wire, wire.replace("$", "_"))
        while given in taken:
            given += "_"
        names[wire] = given
        taken.add(given)

    def renamed(text: str) -> str:
        return _RTLIL_NAME.sub(lambda match: "\\" + names.get(match[1], match[1]), text)

    lines: list[str] = []
    inner: Mapping[str, str] = {}  # of the cell that is being read: the names of its ports
    for line in module.splitlines(keepends=True):
        words = line.split()
        declared = _RTLIL_DECLARED.match(line)
        if declared and declared[1] in dropped:
            while lines[-1].startswith("  attribute"):
                lines.pop()
            continue
        if words[:1] == ["cell"]:
            inner = ports.get(words[1][1:], {})
        elif line.startswith("    connect "):
            port, value = line.split(maxsplit=2)[1:]
            line = f"    connect \\{inner.get(port[1:], port[1:])} {renamed(value)}"
        elif words[:1] not in (["module"], ["attribute"], ["parameter"]):
            line = renamed(line)
        lines.append(line)
    return "".join(lines)


def _used(module: str) -> set[str]:
    """The wires of an RTLIL module that something reads, or a submodule or a process drives."""
    used: set[str] = set()
    for line in module.splitlines():
        if line.startswith("  wire "):
            continue
        text = line.split(maxsplit=2)[2] if line.lstrip().startswith("connect ") else line
        used.update(_RTLIL_NAME.findall(text))
    return used
