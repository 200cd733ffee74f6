"""The command ``lifline doctor``."""

from __future__ import annotations

import contextlib
import importlib.metadata
import re
from typing import TYPE_CHECKING

import click

from lifline import __version__
from lifline.tool import Tool

from . import options, output
from .parts import part

if TYPE_CHECKING:
    from rich.table import Table


@click.command()
@options.json_option
def doctor(as_json: bool) -> int:
    """List the tools and Python packages that lifline uses, and what is missing."""
    found = []
    for name in ("sim.tools", "boards.toolchain"):
        # A part whose own packages are missing cannot say what it needs; the packages' rows say it.
        with contextlib.suppress(ImportError):
            found += part(name).tools()
    found = packages({tool.name for tool in found}) + found
    missing = [tool for tool in found if tool.version is None]
    rows = [
        {"name": tool.name, "purpose": tool.purpose, "version": tool.version, "origin": tool.origin}
        | ({"remedy": tool.remedy} if tool.version is None else {})
        for tool in found
    ]
    if not as_json:
        output.show(_table(found))
    lines = [f"missing: {tool.name}: run  {tool.remedy}" for tool in missing]
    lines.append(f"{len(missing)} missing" if missing else "all is there")
    values = {"ok": not missing, "lifline": __version__, "tools": rows}
    output.result(as_json, values, "\n".join(lines))
    return 1 if missing else 0


def packages(tools: set[str]) -> list[Tool]:
    """lifline's Python packages, by the extra that brings them, as the installed lifline declares them.

    Packages that only bring one of `tools` are left out: the tool's own row says whether there is one.
    """
    rows = []
    seen = {"lifline"}
    for requirement in importlib.metadata.requires("lifline") or []:
        match = re.match(r"[\w.-]+", requirement)
        extra = re.search(r"""extra == ['"](\w+)['"]""", requirement)
        name = match[0] if match else requirement
        if name in seen or (extra and extra[1] in ("all", "dev", "bench")):
            continue
        seen.add(name)
        if name in tools or (tools and name.startswith("yowasp-")):
            continue
        try:
            version: str | None = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            version = None
        purpose = f"extra '{extra[1]}'" if extra else "lifline itself"
        remedy = f"pip install 'lifline[{extra[1]}]'" if extra else "pip install lifline"
        rows.append(Tool(name, purpose, version, "PyPI", remedy))
    return rows


def _table(found: list[Tool]) -> Table:
    """All tools, for a terminal."""
    from rich.table import Table

    there, absent = ("✓", "✗") if output.speaks_unicode() else ("+", "-")
    table = Table(box=None, pad_edge=False)
    for column in ("", "tool", "version", "from", "for"):
        table.add_column(column)
    for tool in found:
        mark = f"[red]{absent}" if tool.version is None else f"[green]{there}"
        table.add_row(mark, tool.name, tool.version or "missing", tool.origin, tool.purpose)
    return table
