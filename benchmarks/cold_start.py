"""What a fresh process waits for before its first warp."""

import subprocess
import sys
from pathlib import Path

from .measured import DTYPES

# asv runs `setup_cache` and the benchmarks after it in one temporary folder.
FILLED = Path("kernels")

# asv's ASV_PYTHONPATH reaches this process, but not its children.
SAME_PATH = f"import sys; sys.path[:] = {sys.path!r}"

FIRST_CALL = "volaug.elastic_deform(volume, control_points)"
WARMUP = f"volaug.warmup({DTYPES})"


def preparation(folder: str) -> str:
    """Return code that gets ready for a statement with kernels cached in `folder`, an expression.

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
    """Import, the first elastic warp, and all kernels, with an empty and with a filled cache."""

    number = 1
    repeat = (3, 5, 30.0)
    timeout = 300

    def setup_cache(self) -> None:
        subprocess.run([sys.executable, "-c", with_filled_cache() + WARMUP], check=True)

    setup_cache.timeout = 300  # type: ignore[attr-defined]

    def timeraw_import(self) -> tuple[str, str]:
        return "import volaug", SAME_PATH

    def timeraw_import_numba(self) -> tuple[str, str]:
        """Return what volaug's own import cannot do without."""
        return "import numba", SAME_PATH

    def timeraw_first_call_empty_cache(self) -> tuple[str, str]:
        return FIRST_CALL, with_empty_cache()

    def timeraw_first_call_filled_cache(self) -> tuple[str, str]:
        return FIRST_CALL, with_filled_cache()

    def timeraw_warmup_empty_cache(self) -> tuple[str, str]:
        """Return what compiles every kernel of the usual dtypes; that has one thread."""
        return WARMUP, with_empty_cache()

    timeraw_warmup_empty_cache.repeat = 1  # type: ignore[attr-defined]

    def timeraw_warmup_filled_cache(self) -> tuple[str, str]:
        return WARMUP, with_filled_cache()
