"""Packs: kernels compiled ahead for a level of processors, in folders that are only read.

A level is a set of instructions that many processors have. A pack is a folder with the name of a
level; in it are kernels, as `cache.py` writes them, and a file that says what they were compiled
with. Packs lie in the package, if its wheel was built with them, or in the folder that
VOLAUG_PACKS names. A pack that cannot be used costs one warning a process.
"""

import functools
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numba
from llvmlite import binding

from . import trust
from .versions import fingerprint, libraries

Processor = tuple[str, str, str]  # what Numba's `magic_tuple` says of a target

_V2 = ("cx16", "popcnt", "sahf", "sse3", "sse4.1", "sse4.2", "ssse3")
_V3 = (*_V2, "avx", "avx2", "bmi", "bmi2", "f16c", "fma", "lzcnt", "movbe")
_V4 = (*_V3, "avx512bw", "avx512cd", "avx512dq", "avx512f", "avx512vl")


class Level(NamedTuple):
    """A level of processors, by LLVM's names."""

    architecture: str
    cpu: str
    features: tuple[str, ...]


# The best first. The x86 ones are those of the System V ABI (x86-64 psABI, section 3.1.1).
LEVELS = {
    "x86-64-v4": Level("x86_64", "x86-64-v4", _V4),
    "x86-64-v3": Level("x86_64", "x86-64-v3", _V3),
    "aarch64": Level("aarch64", "generic", ("fp-armv8", "neon")),
}

# What a 64-bit ARM processor always has, by its ABI (AAPCS64). LLVM lists what /proc/cpuinfo says,
# and not every system has that file.
ALWAYS = {"aarch64": {"fp-armv8", "neon"}}

SUMMARY = "pack.json"


def settings(level: str) -> dict[str, str]:
    """The environment in which Numba compiles for a level, whatever processor does it."""
    _, cpu, features = LEVELS[level]
    return {"NUMBA_CPU_NAME": cpu, "NUMBA_CPU_FEATURES": _as_text(features)}


def summary() -> dict[str, str]:
    """What the kernels of a pack depend on, as it is written in SUMMARY."""
    return {**libraries(), "kernels": fingerprint()}


def supported_levels() -> list[str]:
    """The levels whose instructions this processor has, the best first."""
    architecture, has = _host()
    return [
        name
        for name, level in LEVELS.items()
        if level.architecture == architecture and has.issuperset(level.features)
    ]


@functools.cache
def usable_packs(warn: Callable[[str], None]) -> tuple[tuple[str, Path, Processor], ...]:
    """The packs that this process can use: name, folder and processor of each."""
    if numba.config.CPU_NAME is not None:  # who names a processor wants kernels for that one
        return ()
    own = Path(__file__).parents[1] / "packs"
    given = os.environ.get("VOLAUG_PACKS")
    parent = Path(given).absolute() if given else own
    if given and not parent.is_dir():
        warn(f"VOLAUG_PACKS is not a folder: {given}")
        return ()
    packs = []
    for level in supported_levels():
        folder = parent / level
        try:
            found = json.loads(trust.read(folder / SUMMARY))
            _check(found)
        except FileNotFoundError:
            continue
        except Exception as error:  # whatever is wrong with a pack, compiling is the cure
            warn(f"the kernels compiled ahead in {folder} cannot be used ({error})")
            continue
        _, cpu, features = LEVELS[level]
        processor = binding.get_process_triple(), cpu, _as_text(features)
        packs.append((f"the pack {folder}", folder, processor))
    return tuple(packs)


def levels_of_architecture() -> list[str]:
    """The levels that kernels can be compiled for here, the best first."""
    return [name for name, level in LEVELS.items() if level.architecture == _host()[0]]


def write(folder: Path, kernels: dict[str, bytes]) -> Path:
    """Write the files of a pack, in place of those that are there; return its folder."""
    trust.remove(folder, SUMMARY)  # until the new one is written, it is no pack
    for name, content in kernels.items():
        trust.write(folder / name, content)
    for file in folder.glob("*.kernel"):
        if file.name not in kernels:
            trust.remove(folder, file.name)
    trust.write(folder / SUMMARY, json.dumps(summary(), indent=1).encode())
    return folder


def _check(found: object) -> None:
    """Refuse a pack that was compiled with something else, and say with what."""
    if not isinstance(found, dict):
        raise ValueError(f"{SUMMARY} is damaged")
    for name, wanted in summary().items():
        if found.get(name) == wanted:
            continue
        if name == "kernels":
            raise ValueError("they are of other sources of volaug, or other settings of Numba")
        raise ValueError(f"they are for {name} {found.get(name)}, and this is {name} {wanted}")


@functools.cache
def _host() -> tuple[str, frozenset[str]]:
    """The architecture of this processor, and the instructions that it has."""
    features = binding.get_host_cpu_features()
    named = binding.get_process_triple().partition("-")[0]
    architecture = "aarch64" if named == "arm64" else named
    has = {name for name, present in features.items() if present}
    return architecture, frozenset(has | ALWAYS.get(architecture, set()))


def _as_text(features: tuple[str, ...]) -> str:
    return ",".join(f"+{name}" for name in features)
