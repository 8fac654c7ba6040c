"""The warp that benchmarks compare libraries with, small."""

from benchmarks.problem import as_integers, control_points, head, pull_matrix
from benchmarks.rivals.case import Case
from volaug.threads.limits import granted_threads

SIDE = 48  # large enough to be shared out among threads
THREADS = min(2, granted_threads())


def case(interpolation="linear", elastic=False, dtype="float32"):
    volume = head(SIDE) if dtype == "float32" else as_integers(head(SIDE), dtype)
    points = control_points() if elastic else None
    return Case(volume, pull_matrix(SIDE), points, interpolation, THREADS)
