"""What every compiled kernel depends on, beside the processor."""

import functools
import hashlib
import sys
from pathlib import Path

import llvmlite
import numba
import numpy as np

PYTHON = (sys.implementation.cache_tag, getattr(sys, "abiflags", ""))


def libraries() -> dict[str, str]:
    """The libraries whose version counts; of NumPy no more than its types for Numba."""
    return {
        "python": "".join(map(str, PYTHON)),
        "numba": numba.__version__,
        "llvmlite": llvmlite.__version__,
        "numpy": np.__version__.partition(".")[0],
    }


@functools.cache
def fingerprint() -> str:
    """Digest of all of it, and of this package's sources; nothing without these."""
    settings = (numba.config.BOUNDSCHECK, numba.config.OPT)
    digest = hashlib.sha256(repr((*libraries().items(), *settings)).encode())
    folder = Path(__file__).parents[1]
    sources = sorted(folder.rglob("*.py"))
    try:
        for source in sources:
            name = source.relative_to(folder).as_posix()
            digest.update(name.encode() + b"\0" + source.read_bytes())
    except OSError:
        return ""
    return digest.hexdigest() if sources else ""
