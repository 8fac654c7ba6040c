"""The README's table of a record: ``python -m benchmarks.rivals.summary RECORD.json``."""

import sys
from pathlib import Path

from .measure import Row
from .record import read

TITLES = {
    "affine": "affine, {side}³",
    "elastic + affine": "elastic + affine, {side}³",
    "cubic": "affine, cubic, {side}³",
    "label": "labels by vote, {side}³",
    "enlarge by 1.48": "enlarged by 1.48, to {side}³",
    "patch 40 classes": "labels of 40 classes, 128³",
    "gamma": "gamma, 128³",
    "blur": "blur, 128³",
    "pipeline": "random affine + elastic, image and labels, 128³",
    "nnU-Net": "nnU-Net's augmentation, 128³",
}
OWN = ("volaug", "np.copyto")


def summary(path: Path) -> str:
    """Return a row for each job of `TITLES`: volaug's time, and each library's at its fastest."""
    run = read(path).main
    lines = ["| job | volaug | others, times as long as volaug |", "| --- | ---: | --- |"]
    for job, title in TITLES.items():
        rows = [row for row in run.rows if row.job == job]
        times = ", ".join(f"{name} {_times(ratio)}" for name, ratio in _ratios(rows))
        own = f"{1e3 * rows[0].typical:.1f} ms"
        lines.append(f"| {title.format(side=run.side)} | {own} | {times} |")
    return "\n".join(lines)


def _ratios(rows: list[Row]) -> list[tuple[str, float]]:
    """Each library and its shortest time as a multiple of the first row's, shortest first."""
    fastest: dict[str, float] = {}
    for row in rows:
        if not row.engine.startswith(OWN):
            library = _library(row.engine)
            ratio = row.typical / rows[0].typical
            fastest[library] = min(ratio, fastest.get(library, ratio))
    return sorted(fastest.items(), key=lambda item: item[1])


def _library(engine: str) -> str:
    """The library of an engine, whose name goes on with what it calls, and how."""
    return engine.replace(",", " ").replace(".", " ").split()[0]


def _times(ratio: float) -> str:
    return f"{ratio:.1f}x" if ratio < 9.95 else f"{ratio:.0f}x"


if __name__ == "__main__":
    print(summary(Path(sys.argv[1])))
