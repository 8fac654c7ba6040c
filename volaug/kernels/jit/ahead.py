"""Compile kernels by their signatures alone, for a processor that need not be this one."""

import importlib
import pickle

from .options import KERNELS


def compiled_signatures() -> list[bytes]:
    """What this process has compiled or loaded: of each kernel and signature, a pickle."""
    return [
        pickle.dumps((kernel.__module__, kernel.__name__, signature))
        for kernel in KERNELS
        for signature in kernel.overloads
    ]


def compile_signatures(signatures: list[bytes]) -> None:
    """Compile kernels that another process has listed, and keep them in the cache."""
    for signature in signatures:
        module, name, types = pickle.loads(signature)
        getattr(importlib.import_module(module), name).compile(types)
