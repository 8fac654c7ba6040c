"""Make packs: kernels for a level of processors, compiled by whatever processor is at hand."""

import pickle
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy.typing as npt

from .. import checks
from ..kernels.jit import packs
from .bar import progress_bar
from .processes import run_in_parts
from .warmup import dtype_names, warmup

LIST_SIGNATURES = """
import pickle
from volaug.compilation.warmup import warmup
from volaug.kernels.jit.ahead import compiled_signatures
warmup({dtypes})
sys.stdout.buffer.write(pickle.dumps(compiled_signatures()))
"""

COMPILE_PART = """
import pickle
from volaug.compilation.processes import report_done
from volaug.kernels.jit.ahead import compile_signatures
for signature in pickle.load(sys.stdin.buffer)[part[0] :: part[1]]:
    compile_signatures([signature])
    report_done()
"""


def make_pack(
    level: str,
    into: Path,
    dtypes: Sequence[npt.DTypeLike],
    *,
    processes: int = 1,
    progress: bool = False,
) -> Path:
    """Compile the kernels for some dtypes and a level, and return the folder that holds them.

    Parameters
    ----------
    level : str
        A key of `packs.LEVELS`, of this architecture. This processor need not have its
        instructions: nothing is called.
    into : path
        Folder for packs. A pack of the level that lies there is replaced.
    dtypes, processes, progress
        As for `warmup`.

    Raises
    ------
    ValueError
        If there is no such level, or it is of another architecture.
    RuntimeError
        If a kernel was not compiled.
    OSError
        If a file cannot be written.
    """
    names = dtype_names(dtypes)
    checks.check_choice("level", level, packs.levels_of_architecture())
    warmup(names, processes=processes, progress=progress)
    signatures = signatures_for(names)
    with tempfile.TemporaryDirectory() as work:
        # a pack of the level that is there already would be loaded, and nothing be compiled
        settings = {**packs.settings(level), "NUMBA_CACHE_DIR": work, "VOLAUG_PACKS": work}
        with progress_bar(progress, f"Compiling for {level}", len(signatures)) as advance:
            done = run_in_parts(
                COMPILE_PART, processes, advance, data=pickle.dumps(signatures), settings=settings
            )
        kernels = {file.name: file.read_bytes() for file in Path(work).rglob("*.kernel")}
    if not done or len(kernels) != len(signatures):
        raise RuntimeError(
            f"{len(signatures) - len(kernels)} of {len(signatures)} kernels were not compiled for "
            f"{level}; what the compiler said is above"
        )
    return packs.write(into.absolute() / level, kernels)


def signatures_for(dtypes: Sequence[str]) -> list[bytes]:
    """Return the kernels that some dtypes need, of which this process may have compiled more."""
    code = f"import sys; sys.path[:] = {sys.path!r}\n" + LIST_SIGNATURES.format(dtypes=dtypes)
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True)
    signatures: list[bytes] = pickle.loads(done.stdout)
    return signatures
