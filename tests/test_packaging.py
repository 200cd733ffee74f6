"""The wheel and the sdist: built, looked into, installed where there is no optional package, and run."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from email.parser import HeaderParser
from pathlib import Path

import pytest

import lifline

ROOT = Path(__file__).parent.parent
PARTS = ("boards", "golden", "rtl", "sim", "train")

#: What lifline needs, and what that needs, by the names of its folders.
BASE = ("numpy", "numpy.libs", "click", "rich", "markdown_it", "mdurl", "pygments")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist, the wheel built from it, and in ``direct/`` the wheel of the source tree."""
    source = tmp_path_factory.mktemp("source") / "lifline"
    unwanted = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "build", "dist", "demo")
    shutil.copytree(ROOT, source, symlinks=True, ignore=unwanted)
    out = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "build", "--no-isolation"]
    for arguments in (["--outdir", str(out)], ["--wheel", "--outdir", str(out / "direct")]):
        done = subprocess.run(
            [*build, *arguments, str(source)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
    return out


def wheel_of(folder: Path) -> Path:
    (wheel,) = folder.glob("*.whl")
    return wheel


def expected() -> set[str]:
    """Every file of the package, as it must stand in a wheel."""
    source = ROOT / "src" / "lifline"
    files = {file for file in source.iterdir() if file.is_file()}
    for folder in source.iterdir():
        if folder.is_dir():
            real = folder.resolve()  # a part is a link
            files |= {folder / file.relative_to(real) for file in real.rglob("*") if file.is_file()}
    return {f"lifline/{file.relative_to(source)}" for file in files if "__pycache__" not in file.parts}


def test_the_parts_are_links_to_the_top_level() -> None:
    for part in PARTS:
        link = ROOT / "src" / "lifline" / part
        assert link.is_symlink()
        assert link.readlink() == Path("../..") / part


@pytest.mark.parametrize("folder", [".", "direct"])
def test_a_wheel_holds_the_whole_package(dist: Path, folder: str) -> None:
    with zipfile.ZipFile(wheel_of(dist / folder)) as wheel:
        files = {name for name in wheel.namelist() if ".dist-info/" not in name}
        licence = [name for name in wheel.namelist() if name.endswith("licenses/LICENSE")]
    assert files == expected()
    assert {
        "lifline/py.typed",
        "lifline/app/report/report.html",
        "lifline/rtl/lifline_memory.v",
    } <= files
    assert len(licence) == 1


def test_the_sdist_holds_files_and_no_links(dist: Path) -> None:
    (sdist,) = dist.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        members = archive.getmembers()
    assert not [member.name for member in members if not (member.isfile() or member.isdir())]
    names = {member.name.partition("/")[2] for member in members}
    assert {f"src/{name}" for name in expected()} <= names
    assert {"pyproject.toml", "README.md", "LICENSE"} <= names


def test_metadata(dist: Path) -> None:
    with zipfile.ZipFile(wheel_of(dist)) as wheel:
        (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = HeaderParser().parsestr(wheel.read(name).decode())
    assert (metadata["Name"], metadata["Version"]) == ("lifline", lifline.__version__)
    assert metadata["License-Expression"] == "Apache-2.0"
    requirements = metadata.get_all("Requires-Dist") or []
    base = {line.partition(">")[0] for line in requirements if "extra" not in line}
    assert base == {"numpy", "click", "rich"}
    extras = set(metadata.get_all("Provides-Extra") or [])
    assert {"train", "rtl", "sim", "boards", "report", "all", "dev"} <= extras


@pytest.fixture(scope="module")
def bare(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ``bin`` of a virtual environment with the wheel, NumPy, click and rich, and nothing else."""
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    site = Path(sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)}))
    for name in BASE:
        here = Path(sysconfig.get_path("platlib")) / name
        if here.exists():
            (site / name).symlink_to(here)
    install = ["install", "--quiet", "--no-deps", "--no-index", str(wheel_of(dist))]
    subprocess.run([sys.executable, "-m", "pip", "--python", str(python), *install], check=True)
    return folder / "bin"


def run(bare: Path, *command: str, status: int = 0) -> str:
    """Run a command of the bare environment, away from the repository; return its output."""
    done = subprocess.run(
        [str(bare / command[0]), *command[1:]], cwd=bare, capture_output=True, text=True, check=False
    )
    assert done.returncode == status, done.stderr
    return done.stderr if status else done.stdout


def test_the_wheel_works_with_numpy_alone(bare: Path) -> None:
    where = run(bare, "python", "-c", "import lifline, lifline.golden; print(lifline.golden.__file__)")
    assert Path(where.strip()).is_relative_to(bare.parent)
    assert run(bare, "lifline", "--version") == f"lifline {lifline.__version__}\n"
    assert "simulate" in run(bare, "lifline", "--help")


def test_commands_that_need_more_say_which_extra(bare: Path) -> None:
    code = (
        "from lifline import *\n"
        "net = Network(1, [Population('p', 1, LIF(0, 0))], [Projection('input', 'p', [[1]])], 'p')\n"
        "net.save('n.npz')\n"
        "import numpy; numpy.savez('s.npz', spikes=numpy.ones((2, 3, 1), int))"
    )
    run(bare, "python", "-c", code)
    run(bare, "lifline", "simulate", "n.npz", "--input", "s.npz", "--output", "out.npz")
    for package, extra, *command in (
        ("torch", "train", "train", "digits", "-o", "x"),
        ("amaranth", "rtl", "export", "n.npz", "-o", "x"),
        ("amaranth", "sim", "verify", "n.npz"),
        ("amaranth", "boards", "build", "n.npz", "--board", "ulx3s", "-o", "x"),
    ):
        error = run(bare, "lifline", *command, status=2)
        remedy = f"run pip install 'lifline[{extra}]'"
        assert error == f"lifline: Python package '{package}' is not installed: {remedy}\n"
    assert "run pip install 'lifline[all]'" in run(bare, "lifline", "demo", status=2)
    assert "missing: torch" in subprocess.run(
        [bare / "lifline", "doctor"], cwd=bare, capture_output=True, text=True, check=False
    ).stdout.replace("\n", " ")
