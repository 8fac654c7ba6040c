"""What was measured on one machine, on one day: a JSON file with the times of every call."""

import json
import re
import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numba
import numpy as np

import volaug

from . import report
from .measure import Row
from .reference import Difference

FORMAT, VERSION = "volaug.rivals", 1


@dataclass(frozen=True)
class Run:
    """The rows of one side and one number of threads."""

    side: int
    threads: int
    rows: list[Row]


@dataclass(frozen=True)
class Record:
    """All runs of one command."""

    date: str
    processor: str
    machine: str
    versions: dict[str, str]
    command: str
    caption: str
    runs: list[Run]

    @property
    def main(self) -> Run:
        """The run of all jobs, beside those of few jobs for other sides and threads."""
        return self.runs[0]

    @property
    def title(self) -> str:
        """The processor, threads and day."""
        threads = f"{self.main.threads} thread{'s' if self.main.threads > 1 else ''}"
        return f"{self.processor}, {threads}, {self.date}"


def record_of(runs: list[Run], arguments: Sequence[str], caption: str) -> Record:
    """Return the record of what this process has measured."""
    return Record(
        date.today().isoformat(),
        report.processor(),
        report.machine(),
        {"volaug": volaug.__version__, "numpy": np.__version__, "numba": numba.__version__},
        shlex.join(["python", "-m", "benchmarks.rivals", *arguments]),
        caption,
        runs,
    )


def write(record: Record, folder: Path) -> Path:
    """Write a record into a folder, under its date and its processor."""
    processor = re.sub(r"[^a-z0-9]+", "-", record.processor.lower()).strip("-")
    path = folder / f"{record.date}-{processor}.json"
    text = json.dumps({"format": FORMAT, "version": VERSION, **asdict(record)}, indent=1)
    # numbers of a list in one line
    text = re.sub(r"\[\s+([-\d.e,\s]+?)\s+\]", lambda m: f"[{' '.join(m[1].split())}]", text)
    path.write_text(text + "\n")
    return path


def read(path: Path) -> Record:
    """Read a record."""
    values: dict[str, Any] = json.loads(path.read_text())
    if (values.pop("format", None), values.pop("version", None)) != (FORMAT, VERSION):
        raise ValueError(f"{path} must be of {FORMAT}, version {VERSION}")
    runs = [
        Run(run["side"], run["threads"], [_row(row) for row in run["rows"]])
        for run in values.pop("runs")
    ]
    return Record(**values, runs=runs)


def _row(values: dict[str, Any]) -> Row:
    differences = tuple(Difference(**each) for each in values.pop("differences"))
    return Row(**values, differences=differences)
