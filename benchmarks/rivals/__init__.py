"""volaug beside scipy, SimpleITK and torch, in one process, on one brain.

Run it as ``python -m benchmarks.rivals``. A rival that is not installed has no row.
"""
