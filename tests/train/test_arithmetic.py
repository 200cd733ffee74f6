"""The loops between populations; what a population does over all ticks is in ``test_cells.py``."""

from __future__ import annotations

from lifline.train.arithmetic import loops


def test_groups_of_populations_that_share_a_loop() -> None:
    routes = [
        ("input", "a"),
        ("a", "b"),
        ("b", "a"),
        ("b", "c"),
        ("c", "c"),
        ("d", "a"),
        ("input", "d"),
    ]
    assert loops(["c", "b", "a", "d"], routes) == [["d"], ["b", "a"], ["c"]]
