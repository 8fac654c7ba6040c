"""The table of what was measured, and of what machine."""

import os
import platform
import re
from collections.abc import Sequence
from pathlib import Path

from volaug.threads.limits import granted_threads

from .measure import Row
from .reference import Difference

HEADER = (
    "job",
    "engine",
    "version",
    "threads",
    "calls",
    "ms",
    "slowest",
    "Mvoxel/s",
    "times volaug",
    "greatest difference",
)
TEXT_COLUMNS = 3


def table(rows: Sequence[Row], markdown: bool) -> str:
    """Return the rows under a header; the first of each job is what the others are times of."""
    cells: list[tuple[str, ...]] = []
    baseline: dict[str, float] = {}
    for row in rows:
        seconds = row.typical
        first = baseline.setdefault(row.job, seconds)
        cells.append(
            (
                row.job,
                row.engine,
                row.version,
                str(row.threads),
                str(len(row.seconds)),
                _milliseconds(seconds),
                _milliseconds(max(row.seconds)),
                f"{row.voxels / 1e6 / seconds:,.0f}" if row.voxels else "-",
                f"{seconds / first:.2f}" if seconds < 10 * first else f"{seconds / first:.0f}",
                _greatest(row.differences),
            )
        )
    widths = [max(map(len, column)) for column in zip(HEADER, *cells, strict=True)]
    lines = [_line(HEADER, widths, markdown), _rule(widths, markdown)]
    return "\n".join(lines + [_line(row, widths, markdown) for row in cells])


def _milliseconds(seconds: float) -> str:
    return f"{1e3 * seconds:,.1f}" if seconds > 1e-3 else f"{1e3 * seconds:.2f}"


def _greatest(differences: Sequence[Difference]) -> str:
    """Of the range first, then of the voxels; those of image and labels have no common unit."""
    texts = []
    for share in (False, True):
        same_unit = [each for each in differences if each.share_of_voxels == share]
        if same_unit:
            texts.append(str(max(same_unit, key=lambda each: each.value)))
    return ", ".join(texts) or "-"


def _line(cells: Sequence[str], widths: Sequence[int], markdown: bool) -> str:
    padded = [
        cell.ljust(width) if column < TEXT_COLUMNS else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return f"| {' | '.join(padded)} |" if markdown else "  ".join(padded).rstrip()


def _rule(widths: Sequence[int], markdown: bool) -> str:
    if not markdown:
        return "  ".join("-" * width for width in widths)
    marks = ["-" * width for width in widths[:TEXT_COLUMNS]]
    marks += ["-" * (width - 1) + ":" for width in widths[TEXT_COLUMNS:]]
    return f"| {' | '.join(marks)} |"


def machine() -> str:
    """Return the processor, how much of it this process may use, system and Python."""
    release = platform.release().partition("-")[0]  # after it, who built the kernel and for what
    return (
        f"{processor()}, {granted_threads()} of {os.cpu_count()} processors granted; "
        f"{platform.system()} {release}; {platform.python_implementation()} "
        f"{platform.python_version()}"
    )


def processor() -> str:
    """Return the name of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:  # not Linux
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2] for line in lines if line.startswith("model name")]
    return plain_name(names[0]) if names else platform.machine()


def plain_name(name: str) -> str:
    """Return the name of a processor without marks, and without the word for what it is."""
    return " ".join(re.sub(r"\((R|TM)\)|\bProcessor\b|\bCPU\b", " ", name).split())
