"""The table of what was measured, and the same as JSON."""

import importlib.metadata
import platform
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ..rivals.report import machine
from .measure import Speed
from .task import BATCH_SIZE, Task

PACKAGES = (
    "volaug",
    "torch",
    "numpy",
    "numba",
    "nnunetv2",
    "batchgeneratorsv2",
    "monai",
    "torchio",
)
HEADER = (
    "way", "workers", "steps/s", "of the limit", "waited", "CPU s/sample", "memory GB",
)  # fmt: skip
LIMIT = "limit: a batch that stays on the device"


@dataclass(frozen=True)
class Row:
    """A way, and its speeds in each round, each beside the limit that was measured just before."""

    title: str
    workers: int
    speeds: tuple[Speed, ...]
    limits: tuple[Speed, ...]

    def cells(self) -> tuple[str, ...]:
        """Return the cells of the table: medians over the rounds."""
        cpu = self.median("cpu_seconds_per_sample")
        if self.speeds is not self.limits:  # without what the network takes
            cpu -= statistics.median(limit.cpu_seconds_per_sample for limit in self.limits)
        return (
            self.title,
            str(self.workers) if self.workers else "-",
            f"{self.median('rate'):.2f}",
            f"{100 * self.share:.0f} %",
            f"{100 * statistics.median(s.waited / s.seconds for s in self.speeds):.1f} %",
            f"{max(0.0, cpu):.3f}",
            f"{self.median('memory') / 1e9:.2f}",
        )

    @property
    def share(self) -> float:
        """How much of the limit it reaches, the median of the rounds."""
        pairs = zip(self.speeds, self.limits, strict=True)
        return statistics.median(speed.rate / limit.rate for speed, limit in pairs)

    def median(self, name: str) -> float:
        """Return the median of one number over the rounds."""
        return float(statistics.median(getattr(speed, name) for speed in self.speeds))

    def to_dict(self) -> dict[str, Any]:
        """Return all numbers, for JSON."""
        return {
            "way": self.title,
            "workers": self.workers,
            "steps_per_second": self.median("rate"),
            "share_of_limit": self.share,
            "rounds": [speed._asdict() for speed in self.speeds],
            "limits": [speed._asdict() for speed in self.limits],
        }


def table(rows: Sequence[Row], markdown: bool) -> str:
    """Return the rows as text in columns, or in Markdown."""
    cells = [HEADER, *(row.cells() for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = []
    for row in cells:
        first, *others = row
        padded = [first.ljust(widths[0])]
        padded += [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
        lines.append(f"| {' | '.join(padded)} |" if markdown else "  ".join(padded))
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    if markdown:
        lines.insert(1, f"| {' | '.join(rule)} |")
    return "\n".join(lines)


def facts(task: Task, network: str, command: str) -> dict[str, Any]:
    """Return what the numbers depend on."""
    is_cuda = task.device.type == "cuda"
    return {
        "machine": machine(),
        "device": torch.cuda.get_device_name() if is_cuda else "CPU",
        "python": platform.python_version(),
        "versions": {name: version for name in PACKAGES if (version := version_of(name))},
        "network": network,
        "patch": list(task.patch),
        "batch_size": BATCH_SIZE,
        "preset": task.preset.__name__,
        "command": command,
    }


def version_of(package: str) -> str | None:
    """Return the version of a package, or None if it is not installed."""
    if package == "volaug":
        import volaug

        return volaug.__version__
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def caption(known: dict[str, Any]) -> str:
    """Return the lines below the table."""
    versions = ", ".join(f"{name} {version}" for name, version in known["versions"].items())
    side = known["patch"][0]
    return (
        f"{known['network']} on {known['device']}, patches of {side}³, batches of "
        f"{known['batch_size']}, presets.{known['preset']}. {known['machine']}; {versions}.\n"
        "Waited: share of the time in which the network had no batch. CPU s/sample: processor time "
        "of all processes, less that of the limit. The clock starts after all batches that were "
        "ready have been used up. MONAI and TorchIO do what they can of nnU-Net's augmentation, "
        f"and no elastic deformation.\n{known['command']}"
    )
