"""How fast a stream is from each kind of source, beside the same cases in memory.

Cases are written to a temporary folder, and read while batches are made. Each source is measured in
alternation with memory, and the consumer does nothing, so that the stream's own speed is seen.

    python -m benchmarks.sources --cases 20 --cached 4 --json sources.json
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

import volaug
from volaug import presets
from volaug.threads.limits import granted_threads

from .brain import case
from .rivals.contender import is_installed
from .rivals.report import machine

Array = npt.NDArray[Any]
Paths = dict[str, Any]

BATCH_SIZE = 2
CHUNK = 64  # voxels along each axis
WARM_BATCHES = 2
SHIFT = 3  # voxels by which a case differs from the one before


def as_npy(folder: Path, arrays: dict[str, Array]) -> Paths:
    """Write NumPy's own files."""
    paths = {name: folder / f"{name}.npy" for name in arrays}
    for name, path in paths.items():
        np.save(path, arrays[name])
    return dict(paths)


def as_nifti(folder: Path, arrays: dict[str, Array]) -> Paths:
    """Write compressed NIfTI."""
    import nibabel

    paths = {name: folder / f"{name}.nii.gz" for name in arrays}
    for name, path in paths.items():
        nibabel.Nifti1Image(arrays[name], np.eye(4)).to_filename(path)
    return dict(paths)


def as_blosc2(folder: Path, arrays: dict[str, Array]) -> Paths:
    """Write Blosc2 by nnU-Net's own function, in blocks for patches of half the case."""
    from nnunetv2.training.dataloading.nnunet_dataset import (
        comp_blosc2_params,
        nnUNetDatasetBlosc2,
    )

    image, label = arrays["image"][None], arrays["label"][None]
    patch = tuple(n // 2 for n in image.shape[1:])
    blocks, chunks = comp_blosc2_params(image.shape, patch)
    nnUNetDatasetBlosc2.save_case(
        image, label, {}, str(folder / "case"), chunks=chunks, blocks=blocks
    )
    return {"image": folder / "case.b2nd", "label": folder / "case_seg.b2nd"}


def as_zarr(folder: Path, arrays: dict[str, Array]) -> Paths:
    """Write Zarr with its usual compression, in chunks of 64³."""
    import zarr

    paths = {name: folder / f"{name}.zarr" for name in arrays}
    for name, path in paths.items():
        zarr.create_array(store=str(path), data=arrays[name], chunks=chunks_of(arrays[name]))
    return dict(paths)


def as_hdf5(folder: Path, arrays: dict[str, Array]) -> Paths:
    """Write HDF5 with gzip, in chunks of 64³."""
    import h5py

    with h5py.File(folder / "case.h5", "w") as file:
        for name, voxels in arrays.items():
            file.create_dataset(name, data=voxels, chunks=chunks_of(voxels), compression="gzip")
    return {name: f"{folder / 'case.h5'}::{name}" for name in arrays}


def chunks_of(voxels: Array) -> tuple[int, ...]:
    """Return the shape of chunks."""
    return tuple(min(CHUNK, n) for n in voxels.shape)


class Format(NamedTuple):
    """A kind of file, and the libraries that write it."""

    title: str
    write: Callable[[Path, dict[str, Array]], Paths]
    libraries: tuple[str, ...]


FORMATS = {
    "npy": Format(".npy", as_npy, ()),
    "blosc2": Format(".b2nd as nnU-Net writes it", as_blosc2, ("blosc2", "nnunetv2")),
    "zarr": Format("Zarr, chunks of 64³", as_zarr, ("zarr",)),
    "hdf5": Format("HDF5, gzip, chunks of 64³", as_hdf5, ("h5py",)),
    "nifti": Format(".nii.gz", as_nifti, ("nibabel",)),
}


class Measured(NamedTuple):
    """A stream that made batches for some seconds, with nothing else to wait for."""

    samples_per_second: float
    processors: float  # how many were busy
    bound: str  # as the report says


def measured(cases: Sequence[Any], options: argparse.Namespace, cache_bytes: int) -> Measured:
    """Make batches for some seconds."""
    stream = volaug.Stream(
        cases,
        presets.nnunet(options.side, deep_supervision=[1, 0.5, 0.25], seed=0),
        patch_shape=options.side,
        batch_size=BATCH_SIZE,
        seed=1,
        threads=options.threads,
        cache_bytes=cache_bytes,
        foreground=0.0,  # which would be searched for in each case once, in the first seconds
    )
    with stream:
        for _ in range(WARM_BATCHES):
            next(stream)
        batches, begun, busy = 0, time.perf_counter(), time.process_time()
        while time.perf_counter() - begun < options.seconds:
            next(stream)
            batches += 1
        spent, busy = time.perf_counter() - begun, time.process_time() - busy
        return Measured(BATCH_SIZE * batches / spent, busy / spent, stream.report().bound)


def arrays_of(number: int, scale: int) -> dict[str, Array]:
    """Return image and label of a case: the brain of nilearn, moved by some voxels."""
    image, label = case(scale)
    moved = (np.roll(each, SHIFT * number, axis=0) for each in (image, label))
    return dict(zip(("image", "label"), moved, strict=True))


def measure(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """Measure one format in alternation with memory."""
    kept = [arrays_of(number, options.scale) for number in range(options.cases)]
    case_bytes = sum(volume.nbytes for volume in kept[0].values())
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for number, arrays in enumerate(kept):
            place = Path(folder) / str(number)
            place.mkdir()
            files.append(FORMATS[name].write(place, arrays))
        size = sum(file.stat().st_size for file in Path(folder).rglob("*") if file.is_file())
        pairs = [
            (
                measured(kept, options, 0),
                measured(files, options, options.cached * case_bytes),
            )
            for _ in range(options.pairs)
        ]
    return {
        "source": FORMATS[name].title,
        "samples_per_second": statistics.median(file.samples_per_second for _, file in pairs),
        "of_memory": statistics.median(
            file.samples_per_second / memory.samples_per_second for memory, file in pairs
        ),
        "busy_processors": statistics.median(file.processors for _, file in pairs),
        "bound": pairs[-1][1].bound,
        "megabytes_per_case": size / options.cases / 1e6,
        "pairs": [[memory._asdict(), file._asdict()] for memory, file in pairs],
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print a table, and write what was asked for."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.sources",
        description="Samples a second of a Stream from files, beside the same cases in memory.",
    )
    parser.add_argument("--formats", help=f"of {', '.join(FORMATS)}; all that can be written")
    parser.add_argument("--cases", type=int, default=20)
    parser.add_argument("--cached", type=int, default=4, help="cases that cache_bytes holds (4)")
    parser.add_argument("--side", type=int, default=128, help="of a patch (128)")
    parser.add_argument("--scale", type=int, default=1, help="every n-th voxel of the brain (1)")
    parser.add_argument("--threads", type=int, default=granted_threads())
    parser.add_argument("--seconds", type=float, default=8.0, help="of each measurement (8)")
    parser.add_argument("--pairs", type=int, default=3, help="of a source and memory (3)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all numbers there")
    options = parser.parse_args(argv)
    names = (options.formats or ",".join(FORMATS)).split(",")
    unknown = [name for name in names if name not in FORMATS]
    if unknown:
        parser.error(f"--formats must be of {', '.join(FORMATS)}; got {', '.join(unknown)}")
    volaug.warmup(["float32", "int16"])
    rows = [
        measure(name, options)
        for name in names
        if all(is_installed(library) for library in FORMATS[name].libraries)
    ]
    print(table(rows))
    print(f"\n{options.cases} cases, {options.cached} in the cache, patches of {options.side}³, "
          f"{options.threads} threads. {machine()}")  # fmt: skip
    if options.json:
        known = {"machine": machine(), "options": {**vars(options), "json": None}, "rows": rows}
        options.json.write_text(json.dumps(known, indent=1) + "\n")
    return 0


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Return the rows in Markdown."""
    lines = [
        "| source | MB a case | samples/s | of memory | busy processors | bound by |",
        "| --- | ---: | ---: | ---: | ---: | --- |",
    ]
    lines += [
        f"| {row['source']} | {row['megabytes_per_case']:.1f} | {row['samples_per_second']:.1f} | "
        f"{100 * row['of_memory']:.0f} % | {row['busy_processors']:.1f} | {row['bound']} |"
        for row in rows
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
