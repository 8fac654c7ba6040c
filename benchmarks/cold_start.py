"""What a fresh process waits for before its first warp."""

import subprocess
import sys
from pathlib import Path

from volaug.compilation.pack_making import make_pack
from volaug.kernels.jit.packs import supported_levels

from .measured import DTYPES

# asv runs `setup_cache` and the benchmarks after it in one temporary folder.
FILLED, PACKS = Path("kernels"), Path("packs")

# asv's ASV_PYTHONPATH reaches this process, but not its children.
SAME_PATH = f"import sys; sys.path[:] = {sys.path!r}"

FIRST_CALL = "volaug.elastic_deform(volume, control_points)"
WARMUP = f"volaug.warmup({DTYPES})"


def preset(name: str) -> str:
    """Return a statement that makes a patch by a preset."""
    patch = "(8, 8, 8)" if name.startswith("nnunet") else "patch_shape=8"
    return f"volaug.presets.{name}({patch}, seed=1)(image=volume, index=0)"


FIRST_CALLS = {
    "affine": "volaug.affine_transform(volume, 0.5 * numpy.eye(3))",
    "elastic": FIRST_CALL,
    **{name: preset(name) for name in ("nnunet", "nnunet_elastic", "mild_mri", "strong_mri")},
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


class FirstCalls:
    """The first call of a process: with nothing, with a cache, and with a pack."""

    params = (list(FIRST_CALLS), ["nothing", "cache", "pack"])
    param_names = ("call", "kernels")
    number = 1
    repeat = (1, 3, 30.0)
    timeout = 600

    def setup_cache(self) -> None:
        subprocess.run([sys.executable, "-c", with_filled_cache() + WARMUP], check=True)
        make_pack(supported_levels()[0], PACKS, DTYPES)

    setup_cache.timeout = 900  # type: ignore[attr-defined]

    def timeraw_first_call(self, call: str, kernels: str) -> tuple[str, str]:
        folders = {
            "nothing": ("temporary.name",),
            "cache": (repr(str(FILLED.absolute())),),
            "pack": ("temporary.name", repr(str(PACKS.absolute()))),
        }
        return FIRST_CALLS[call], preparation(*folders[kernels])
