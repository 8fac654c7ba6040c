"""What `volaug doctor` looks at, one finding each."""

import enum
import importlib.metadata
import importlib.util
import os
import platform
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ... import __version__
from ...kernels.jit import packs, trust
from ...kernels.jit.options import KERNELS
from ...threads import limits, ranks
from ...warping.resample import affine_transform
from .reference import linear_reference

TOLERANCE = 1e-5  # of the range, as for all linear interpolation

# What each extra of the package adds, and the modules that it needs.
FEATURES = {
    "plot": ("volaug.plot, preview", ("matplotlib",)),
    "files": ("NIfTI, NRRD, MetaImage, DICOM", ("nibabel", "SimpleITK")),
    "demo": ("volaug demo", ("matplotlib", "nibabel", "nilearn", "rich")),
}
ADAPTERS = {"torch": "torch", "monai": "monai", "torchio": "torchio", "nnunetv2": "nnU-Net"}


class State(enum.Enum):
    """How a finding is to be taken."""

    OK = "ok"
    NOTE = "note"
    WRONG = "WRONG"


class Finding(NamedTuple):
    """One thing that was looked at, and what to do about it."""

    state: State
    subject: str
    text: str
    remedy: str = ""


def checkup() -> Iterator[Finding]:
    """Yield all findings; numbers last, since they need a kernel."""
    yield versions()
    yield processors()
    yield threads()
    yield kernel_cache()
    yield kernel_packs()
    yield from features()
    yield numbers()


def versions() -> Finding:
    """The versions of what results depend on."""
    names = ("numba", "llvmlite", "numpy", "scipy")
    found = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in names)
    python = f"Python {platform.python_version()}"
    return Finding(State.OK, "versions", f"volaug {__version__}, {python}, {found}")


def processors() -> Finding:
    """How many processors this process may use, and what limits them."""
    machine = os.cpu_count() or 1
    granted = limits.granted_threads()
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else machine
    why = f"the machine has {machine}"
    if affinity < machine:
        why += f", the affinity grants {affinity}"
    if granted < affinity:
        why += f", the cgroup's quota grants {granted}"
    return Finding(State.OK, "processors", f"{granted}: {why}")


def threads() -> Finding:
    """How many threads a call uses, and why."""
    try:
        count = limits.get_num_threads()
    except (TypeError, ValueError) as error:
        return Finding(State.WRONG, "threads", str(error), "unset VOLAUG_NUM_THREADS, or mend it")
    granted = limits.granted_threads()
    if os.environ.get("VOLAUG_NUM_THREADS", "").strip():
        why = f"VOLAUG_NUM_THREADS={os.environ['VOLAUG_NUM_THREADS'].strip()}"
    elif ranks.is_worker():
        why = "this is a worker process"
    elif count < granted:
        why = "OMP_NUM_THREADS, or the ranks of torchrun, MPI or Slurm on this machine"
    else:
        why = "all processors that are granted"
    return Finding(State.OK, "threads", f"{count}: {why}")


def kernel_cache() -> Finding:
    """Where compiled kernels are kept, whose that is, and whether it is trusted."""
    folders = KERNELS[0]._cache._folders()
    problems = []
    for folder in folders:
        try:
            there = trust.trusted_folder(existing(folder))
        except (OSError, trust.UntrustedError) as error:
            problems.append(str(error))
            continue
        count = len([*folder.parent.rglob("*.kernel")]) if folder.parent.is_dir() else 0
        if not os.access(there, os.W_OK) and not count:
            problems.append(f"{there} cannot be written")
            continue
        text = f"{folder.parent}, of {owner_of(there)}, trusted, {count} kernels"
        return Finding(State.OK if count else State.NOTE, "cache", text, "" if count else EMPTY)
    return Finding(State.WRONG, "cache", "; ".join(problems), OWN_CACHE)


EMPTY = "the first call compiles: volaug warmup does so ahead"
OWN_CACHE = "set NUMBA_CACHE_DIR to a folder of your own that nobody else can write"


def existing(folder: Path) -> Path:
    """A folder, or the nearest one above it that is there."""
    while not folder.exists():
        folder = folder.parent
    return folder


def owner_of(folder: Path) -> str:
    """The name of the user whose a folder is."""
    try:
        return folder.owner()
    except (KeyError, NotImplementedError, OSError):
        return "an unknown user"


def kernel_packs() -> Finding:
    """Which kernels compiled ahead can be used here."""
    trouble: list[str] = []
    found = packs.usable_packs(trouble.append)
    levels = ", ".join(packs.supported_levels()) or "none that packs are made for"
    text = f"levels of this processor: {levels}; packs: {len(found) or 'none'}"
    if trouble:
        remedy = "make it again with volaug warmup --target, or unset VOLAUG_PACKS"
        return Finding(State.WRONG, "packs", trouble[0], remedy)
    return Finding(State.OK, "packs", text)


def features() -> Iterator[Finding]:
    """What can be used, and what has to be installed for the rest."""
    for extra, (what, modules) in FEATURES.items():
        missing = [name for name in modules if importlib.util.find_spec(name) is None]
        if missing:
            text = f"{what}: {', '.join(missing)} missing"
            yield Finding(State.NOTE, extra, text, f'pip install "volaug[{extra}]"')
        else:
            yield Finding(State.OK, extra, f"{what}: {', '.join(modules)}")
    there = [name for name, _ in ADAPTERS.items() if importlib.util.find_spec(name)]
    yield Finding(State.OK, "adapters", f"installed: {', '.join(there) or 'none'}")


def numbers() -> Finding:
    """Whether a kernel calculates what its definition says."""
    rng = np.random.default_rng(0)
    volume = rng.random((13, 11, 12), np.float32)
    matrix = np.array([[0.9, -0.2, 0.1], [0.25, 1.1, -0.1], [0.0, 0.15, 0.8]])
    offset = np.array([0.4137, -0.7019, 1.3123])  # no voxel lies on a border, or nearly so
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result = affine_transform(volume, matrix, offset)
        except Exception as error:  # whatever it is, it is what the user wants to know
            return Finding(State.WRONG, "kernel", f"cannot be run: {error}", REINSTALL)
    difference = float(np.abs(result - linear_reference(volume, matrix, offset)).max())
    if not difference <= TOLERANCE:
        text = f"differs from its definition by {difference:.2g}"
        return Finding(State.WRONG, "kernel", text, REINSTALL)
    if caught:
        return Finding(State.WRONG, "kernel", str(caught[0].message), OWN_CACHE)
    return Finding(State.OK, "kernel", f"equals its definition, to {difference:.1g}")


REINSTALL = "empty the kernel cache, and reinstall volaug and numba"
