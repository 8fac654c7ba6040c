"""What a fresh process waits for before its first warp."""

import subprocess
import sys
from pathlib import Path

# asv runs `setup_cache` and the benchmarks after it in one temporary folder.
FILLED = Path("kernels")

# asv's ASV_PYTHONPATH reaches this process, but not its children.
SAME_PATH = f"import sys; sys.path[:] = {sys.path!r}"

FIRST_CALL = "volaug.elastic_deform(volume, control_points)"


def preparation(folder: str) -> str:
    """Return code that gets ready for `FIRST_CALL` with kernels cached in `folder`, an expression.

    Numba reads the variable when it is imported. The imports have benchmarks of their own.
    """
    return f"""
{SAME_PATH}
import os, tempfile
temporary = tempfile.TemporaryDirectory()
os.environ["NUMBA_CACHE_DIR"] = {folder}
import numpy, volaug
volume = numpy.zeros((8, 8, 8), numpy.float32)
control_points = numpy.zeros((3, 4, 4, 4))
"""


def with_empty_cache() -> str:
    """Return code that makes a new folder, which Python takes away at exit."""
    return preparation("temporary.name")


def with_filled_cache() -> str:
    """Return code that takes the folder that `ColdStart.setup_cache` has filled."""
    return preparation(repr(str(FILLED.absolute())))


class ColdStart:
    """Import, and the first elastic warp with an empty and with a filled cache of kernels."""

    number = 1
    repeat = (3, 5, 30.0)
    timeout = 300

    def setup_cache(self) -> None:
        subprocess.run([sys.executable, "-c", with_filled_cache() + FIRST_CALL], check=True)

    def timeraw_import(self) -> tuple[str, str]:
        return "import volaug", SAME_PATH

    def timeraw_import_numba(self) -> tuple[str, str]:
        """Return what volaug's own import cannot do without."""
        return "import numba", SAME_PATH

    def timeraw_first_call_empty_cache(self) -> tuple[str, str]:
        return FIRST_CALL, with_empty_cache()

    def timeraw_first_call_filled_cache(self) -> tuple[str, str]:
        return FIRST_CALL, with_filled_cache()
