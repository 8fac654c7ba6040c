"""What volaug costs: asv's suite, and a table of it beside its rivals (`benchmarks.rivals`)."""

import os
import sys

# asv runs `setup_cache`, and all that it measures after that, in one new folder. Kernels are kept
# there, so that no run finds those of another. Numba reads this when it is imported. Libraries get
# one thread: how many volaug has, each benchmark says.
if "asv_runner" in sys.modules:
    os.environ["NUMBA_CACHE_DIR"] = os.path.abspath("kernels")
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
