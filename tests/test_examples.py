"""What the README and the examples show is run, as a reader would."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


def run(cwd: Path, *arguments: str | Path) -> str:
    done = subprocess.run(
        [sys.executable, *map(str, arguments)], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_example(tmp_path: Path, example: Path) -> None:
    assert run(tmp_path, example)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.verilator
@pytest.mark.slow
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_example_in_gateware(tmp_path: Path, example: Path) -> None:
    assert "gateware: the same" in run(tmp_path, example, "--rtl")


@pytest.mark.verilator
@pytest.mark.slow
def test_the_api_in_the_readme(tmp_path: Path) -> None:
    (snippet,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    (tmp_path / "snippet.py").write_text(
        f"import torch; torch.set_num_threads(1)\n{snippet}\n"
        "assert (expected.classes == labels[:20]).mean() > 0.5\n"
    )
    run(tmp_path, "snippet.py")
    assert (tmp_path / "verilog" / "manifest.json").exists()


def test_every_link_in_the_documents_leads_somewhere() -> None:
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
