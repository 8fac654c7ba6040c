"""Pictures of a record: who takes how long, by job, by side and by threads."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from .measure import Row
from .record import Record

OURS = "volaug"
LIMIT = "np.copyto"
COLORS = {
    "volaug": "#c0392b",
    "SimpleITK": "#1f77b4",
    "scipy": "#2ca02c",
    "torch": "#ff7f0e",
    "MONAI": "#9467bd",
    "TorchIO": "#8c564b",
    "batchgeneratorsv2": "#e377c2",
    "nnU-Net": "#17becf",
    "affine-rs": "#bcbd22",
    "volresample": "#7f7f7f",
    "scikit-image": "#393b79",
    "DIPY": "#637939",
    "ANTs": "#8c6d31",
    "DALI": "#76b900",
    "albucore": "#ad494a",
    "AlbumentationsX": "#d6616b",
    "torchtransform": "#a55194",
}
OTHER = "#aaaaaa"
MARKERS = "osD^vP*X"


def library(engine: str) -> str:
    """The library of an engine: the first word of its name, without a module of it."""
    return engine.partition(",")[0].partition(" ")[0].removesuffix("'s").partition(".")[0]


def best_of_each(rows: Sequence[Row]) -> dict[str, dict[str, Row]]:
    """By job, the fastest row of each library; jobs without a rival are left out."""
    jobs: dict[str, dict[str, Row]] = {}
    for row in rows:
        name = library(row.engine)
        if name == library(LIMIT):
            continue
        best = jobs.setdefault(row.job, {})
        if name == OURS and OURS in best:
            continue  # its first row is what the others are times of
        if name not in best or row.typical < best[name].typical:
            best[name] = row
    return {job: best for job, best in jobs.items() if OURS in best and len(best) > 1}


def color(name: str) -> str:
    """The color of a library, the same in all pictures."""
    return COLORS.get(name, OTHER)


def overview(record: Record, path: Path) -> None:
    """Draw how many times as long as volaug each library takes, a line for each job."""
    from matplotlib.figure import Figure

    jobs = best_of_each(record.main.rows)
    figure = Figure(figsize=(8, 1.2 + 0.3 * len(jobs)), layout="constrained")
    axes = figure.subplots()
    names = list(dict.fromkeys(name for best in jobs.values() for name in best if name != OURS))
    for number, name in enumerate(names):
        places = [place for place, best in enumerate(jobs.values()) if name in best]
        times = [best[name].typical / best[OURS].typical for best in jobs.values() if name in best]
        marker = MARKERS[number % len(MARKERS)]
        axes.plot(times, places, marker, color=color(name), label=name, markersize=6)
    axes.axvline(1.0, color=COLORS[OURS], label=OURS)
    axes.set_yticks(range(len(jobs)), list(jobs))
    axes.set_ylim(len(jobs) - 0.5, -0.5)
    axes.set(xscale="log", xlabel="times as long as volaug", title=record.title)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}x")
    axes.grid(axis="x", alpha=0.3)
    figure.legend(loc="outside right upper")
    figure.savefig(path, dpi=110)


def series(record: Record, job: str, by: str) -> dict[str, list[tuple[int, float]]]:
    """By library, (side or threads, nanoseconds a voxel) of a job; the best row of each run."""
    found: dict[str, list[tuple[int, float]]] = {}
    for run in record.runs:
        if by == "side" and run.threads != record.main.threads:
            continue
        if by == "threads" and run.side != record.main.side:
            continue
        place = run.side if by == "side" else run.threads
        rows = [row for row in run.rows if row.job == job]
        for name, row in (best_of_each(rows).get(job) or {}).items():
            found.setdefault(name, []).append((place, 1e9 * row.typical / row.voxels))
        limits = [row for row in rows if row.engine.startswith(LIMIT)]
        for row in limits[:1]:
            found.setdefault(LIMIT, []).append((place, 1e9 * row.typical / row.voxels))
    return {name: sorted(points) for name, points in found.items()}


def lines(record: Record, jobs: Sequence[str], by: str, path: Path) -> None:
    """Draw nanoseconds a voxel by the side of the cube, or by the threads, a panel for each job."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.2 * len(jobs) + 1.6, 4.2), layout="constrained")
    panels = figure.subplots(1, len(jobs), sharey=True, squeeze=False)[0]
    shown: dict[str, Any] = {}
    for axes, job in zip(panels, jobs, strict=True):
        ticks = set()
        for name, points in series(record, job, by).items():
            places, times = zip(*points, strict=True)
            style = "k--" if name == LIMIT else "o-"
            ink = {} if name == LIMIT else {"color": color(name)}
            (line,) = axes.plot(places, times, style, **ink)
            shown.setdefault("copy (np.copyto)" if name == LIMIT else name, line)
            ticks |= set(places)
        axes.set(xscale="log", yscale="log", title=job)
        axes.set(xlabel="side of the cube in voxels" if by == "side" else "threads")
        axes.set_xticks(sorted(ticks), [str(tick) for tick in sorted(ticks)])
        axes.minorticks_off()
        axes.grid(alpha=0.3)
    panels[0].set_ylabel("nanoseconds a voxel")
    figure.suptitle(record.title)
    figure.legend(shown.values(), shown.keys(), loc="outside right upper")
    figure.savefig(path, dpi=110)


def draw_all(record: Record, folder: Path, stem: str) -> Iterator[tuple[str, str]]:
    """Draw every picture of a record, and yield the name and the subject of each."""
    overview(record, folder / f"{stem}-jobs.png")
    yield f"{stem}-jobs.png", "How many times as long as volaug each library takes, by job"
    swept = list(dict.fromkeys(row.job for run in record.runs[1:] for row in run.rows))
    for by, words in (("side", "the side of the cube"), ("threads", "the number of threads")):
        several = {getattr(run, by) for run in record.runs}
        if swept and len(several) > 1:
            lines(record, swept, by, folder / f"{stem}-{by}.png")
            yield f"{stem}-{by}.png", f"Nanoseconds a voxel by {words}"
