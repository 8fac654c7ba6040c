"""What a fresh process waits for before its first warp."""

import json
import os
import subprocess
import sys
from pathlib import Path

from volaug.compilation.pack_making import make_pack
from volaug.kernels.jit.packs import supported_levels

from .measured import COMPILATION, DTYPES, _Measured

# asv runs `setup_cache` and the benchmarks after it in one temporary folder.
FILLED, PACKS = Path("kernels"), Path("packs")

# asv's ASV_PYTHONPATH reaches this process, but not its children.
SAME_PATH = f"import sys; sys.path[:] = {sys.path!r}"

WARMUP = f"volaug.warmup({DTYPES})"


def preset(name: str) -> str:
    """Return a statement that makes a patch by a preset."""
    patch = "(8, 8, 8)" if name.startswith("nnunet") else "patch_shape=8"
    return f"volaug.presets.{name}({patch}, seed=1)(image=volume, index=0)"


FIRST_CALLS = {
    "affine": "volaug.affine_transform(volume, 0.5 * numpy.eye(3))",
    "elastic": "volaug.elastic_deform(volume, control_points)",
    "nnunet": preset("nnunet"),
}


def preparation(folder: str, packs: str = "temporary.name") -> str:
    """Return code that gets ready for a statement with kernels in folders, given by expressions.

    Numba reads the variable when it is imported. The imports have benchmarks of their own.
    """
    return f"""
{SAME_PATH}
import os, tempfile
temporary = tempfile.TemporaryDirectory()
os.environ["NUMBA_CACHE_DIR"] = {folder}
os.environ["VOLAUG_PACKS"] = {packs}
import numpy, volaug
volume = numpy.zeros((8, 8, 8), numpy.float32)
control_points = numpy.zeros((3, 4, 4, 4))
"""


def with_filled_cache() -> str:
    """Return code that takes the folder that `fill_cache` has filled."""
    return preparation(repr(str(FILLED.absolute())))


def fill_cache() -> None:
    """Compile all kernels of the usual dtypes into a folder of the run."""
    subprocess.run([sys.executable, "-c", with_filled_cache() + WARMUP], check=True)


class ColdStart:
    """Imports, and all kernels from a filled cache, in a fresh process."""

    number = 1
    repeat = (3, 5, 30.0)
    rounds = 1
    timeout = 300

    def setup_cache(self) -> None:
        fill_cache()

    setup_cache.timeout = 900  # type: ignore[attr-defined]

    def timeraw_import(self) -> tuple[str, str]:
        return "import volaug", SAME_PATH

    def timeraw_import_numba(self) -> tuple[str, str]:
        """Return what volaug's own import cannot do without."""
        return "import numba", SAME_PATH

    def timeraw_warmup_filled_cache(self) -> tuple[str, str]:
        return WARMUP, with_filled_cache()


class FirstCalls:
    """The first call of a process: with nothing, with a cache, and with a pack."""

    params = (list(FIRST_CALLS), ["nothing", "cache", "pack"])
    param_names = ("call", "kernels")
    number = 1
    repeat = (1, 2, 10.0)
    rounds = 1
    timeout = 600

    def setup_cache(self) -> None:
        fill_cache()
        make_pack(supported_levels()[0], PACKS, DTYPES)

    setup_cache.timeout = 1800  # type: ignore[attr-defined]

    def timeraw_first_call(self, call: str, kernels: str) -> tuple[str, str]:
        folders = {
            "nothing": ("temporary.name",),
            "cache": (repr(str(FILLED.absolute())),),
            "pack": ("temporary.name", repr(str(PACKS.absolute()))),
        }
        return FIRST_CALLS[call], preparation(*folders[kernels])


class Compilation(_Measured):
    """What it takes to compile all kernels of the usual dtypes, in one process."""

    def kernels(self) -> list[Path]:
        """Return the compiled kernels: one file a signature."""
        return list(Path(os.environ["NUMBA_CACHE_DIR"]).rglob("*.kernel"))

    def track_seconds(self) -> float:
        return round(float(json.loads(COMPILATION.read_text())), 1)

    def track_signatures(self) -> int:
        return len(self.kernels())

    def track_megabytes(self) -> float:
        return round(sum(file.stat().st_size for file in self.kernels()) / 2**20, 2)

    track_seconds.unit = "seconds"  # type: ignore[attr-defined]
    track_signatures.unit = "signatures"  # type: ignore[attr-defined]
    track_megabytes.unit = "MiB"  # type: ignore[attr-defined]
