"""Benchmarks: every figure of ``docs/performance.md``, each beside a peer in the same run where one installs.

``make bench`` runs all of them; ``python -m benchmarks NAME …`` some.  Each module holds one figure, in a
function ``run(options)``.
"""

import os

# Before NumPy and torch are imported, which read these once: one thread each.
for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"
