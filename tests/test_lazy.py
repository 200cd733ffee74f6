"""``import lifline`` is quick, and every part is there when it is first used."""

from __future__ import annotations

import subprocess
import sys

import pytest

import lifline


def test_parts_come_when_they_are_used() -> None:
    program = (
        "import sys, lifline; "
        "assert not {'lifline.golden', 'lifline.encoders', 'torch', 'amaranth'} & set(sys.modules); "
        "lifline.golden.simulate, lifline.encoders.rate; assert 'golden' in dir(lifline)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_what_is_no_part() -> None:
    with pytest.raises(AttributeError, match="module 'lifline' has no attribute 'goldn'"):
        lifline.goldn  # noqa: B018
