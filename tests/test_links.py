"""Links between the pages, and into the code: each leads to a file that is there, and to a heading of it."""

from __future__ import annotations

import importlib
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("**/*.md"))]

#: Where the repository keeps things; what is in others is made by a command, or somebody else's.
FOLDERS = {
    path.name for top in (ROOT, ROOT / "src" / "lifline") for path in top.iterdir() if path.is_dir()
}

_CODE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"!?\[[^\]]*\]\(([^()\s]+(?:\([^()\s]*\))?)\)")
_HEADING = re.compile(r"^#+ +(.+?) *#*$", re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    found: set[str] = set()
    for heading in _HEADING.findall(_CODE.sub("", page.read_text(encoding="utf-8"))):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
        name = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
        times = sum(1 for other in found if re.fullmatch(rf"{re.escape(name)}(-\d+)?", other))
        found.add(f"{name}-{times}" if times else name)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = _CODE.sub("", page.read_text(encoding="utf-8"))
    dead = []
    for link in _LINK.findall(text):
        if re.match(r"[a-z]+:", link):  # another site
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            dead.append(link)
    assert not dead


def test_files_that_the_pages_name_are_there() -> None:
    """Paths in `code`, such as `golden/reference.py`, from the root or from ``src/lifline``."""
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.split()
    if not tracked:  # no repository: an unpacked archive
        return
    dead = []
    for page in PAGES:
        if page.name == "CHANGELOG.md":  # tells of what was
            continue
        text = _CODE.sub("", page.read_text(encoding="utf-8"))
        for path in re.findall(r"`((?:[a-z_0-9]+/)+[a-z_0-9]+\.(?:py|md|v|cpp|html))`", text):
            in_ours = path.split("/")[0] in FOLDERS
            if in_ours and not any(name == path or name.endswith(f"/{path}") for name in tracked):
                dead.append((page.name, path))
    assert not dead


def test_names_and_options_that_the_pages_use_are_there() -> None:
    """Dotted names of the package in `code`, and the options of every ``lifline COMMAND``."""
    from lifline.app.main import cli

    options = {
        name: {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
        for name, command in cli.commands.items()
    }  # fmt: skip
    dead = []
    for page in PAGES:
        if page.name == "CHANGELOG.md":
            continue
        text = page.read_text(encoding="utf-8")
        dead += [
            (page.name, name) for name in re.findall(r"`(lifline(?:\.\w+)+)`", text) if not known(name)
        ]
        for name, rest in re.findall(
            r"(?:^|[`$( ])lifline ([a-z]+)((?: [^`#\n|>;&]*)?)", text, re.MULTILINE
        ):
            used = re.findall(r"(?<=\s)(--[a-z-]+|-[a-z])\b", rest)
            if name in options:
                dead += [
                    (page.name, name, option)
                    for option in used
                    if option not in {*options[name], "--help"}
                ]
    assert not dead


def known(name: str) -> bool:
    """Whether a dotted name is a module, or in one; or a file of an export."""
    if name in ("lifline.f", "lifline.core"):
        return True
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:count]))
        except ModuleNotFoundError:
            continue
        for part in parts[count:]:
            if not hasattr(found, part):
                return False
            found = getattr(found, part)
        return True
    return False
