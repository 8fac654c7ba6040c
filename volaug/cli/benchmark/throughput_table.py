"""The table of timings, beside a reference machine's."""

import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ... import __version__
from .measure import SIDE, Timing

# Of the tables in the README: the MNI152 brain, with two threads; the preset with one.
REFERENCE = "AMD Zen 5, two threads (the preset: one), on the MNI152 brain"
REFERENCE_COPY = 3.0
REFERENCE_MS = {
    "affine, float32": 11.9,
    "elastic, float32": 19.1,
    "affine labels, uint8": 11.8,
    "presets.nnunet, 128³": 7.6,
}


def as_table(timings: Sequence[Timing]) -> str:
    """Return the table as text."""
    lines = [
        f"volaug {__version__}, {processor_name()}, {SIDE}³ voxels, {timings[0].threads} threads",
        f"{'':22}{'ms':>9}{'Mvoxel/s':>10}{'copies':>8}{'reference ms':>15}",
    ]
    lines += [
        f"{each.name:22}{1e3 * each.seconds:9.1f}{1e-6 * each.voxels / each.seconds:10.0f}"
        f"{each.seconds / each.copy_seconds:8.1f}{REFERENCE_MS[each.name]:15.1f}"
        for each in timings
    ]
    copy = 1e3 * timings[0].copy_seconds
    return "\n".join(
        [
            *lines,
            f"A copy of {SIDE}³ float32 takes {copy:.1f} ms here, {REFERENCE_COPY:.1f} ms there.",
            f"Reference: {REFERENCE}.",
            "Best of up to 25 runs, each beside a copy; of the preset, the mean of 24 draws.",
        ]
    )


def as_values(timings: Sequence[Timing]) -> dict[str, Any]:
    """Return the timings for JSON."""
    return {
        "volaug": __version__,
        "processor": processor_name(),
        "reference": REFERENCE,
        "timings": [
            {
                "name": each.name,
                "voxels": each.voxels,
                "threads": each.threads,
                "ms": 1e3 * each.seconds,
                "voxels_per_second": each.voxels / each.seconds,
                "copies": each.seconds / each.copy_seconds,
                "reference_ms": REFERENCE_MS[each.name],
            }
            for each in timings
        ],
    }


def processor_name() -> str:
    """The name of the processor, as far as the system says it."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
