"""Cases that do not fit into the memory they may take: whatever is of their size lies in files."""

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ...pipeline.record import Record, Sample
from ...pipeline.targets import Target
from ...transforms.operation import ValueOperation
from ...warping.engine.allocation import allocated_by
from ..datasets.dataset_layout import DatasetCase
from ..files.mapped import Scratch, open_mapped
from ..files.mapped_writing import mapped_copy
from ..files.safety import FileError
from ..files.scans import Scan, declared_bytes, parts_of, sha256_of

Array = npt.NDArray[Any]

# How many times the bytes of its voxels a case takes in memory: as it is stored, decoded, warped,
# encoded, and in floats while it is blurred, which are twice as long as the voxels of most scans.
COPIES = 6


def fits(case: DatasetCase, table: Mapping[str, Target], memory: int | None) -> bool:
    """Whether a case can be augmented in so many bytes."""
    if memory is None:
        return True
    files = [file for name, files in case.files.items() if table[name].has_voxels for file in files]
    return COPIES * sum(map(declared_bytes, files)) <= memory


def mapped_scan(path: Path, target: Target, scratch: Scratch) -> Scan:
    """Open a file whose voxels stay on the disk.

    Raises
    ------
    FileError
        If it is damaged, or cannot be read in parts.
    """
    volume = open_mapped(path, scratch)
    if target.kind == "label" and volume.dtype.kind == "f":
        raise FileError(
            str(path),
            "its labels are stored as floats, so that they cannot be read in parts: raise "
            "--memory, or store them as integers",
        )
    return Scan(path, volume, sha256_of(*parts_of(path)))


def stacked(volumes: list[Array], scans: tuple[Scan, ...], scratch: Scratch) -> Array:
    """The channels of an image as one array."""
    dtypes = sorted({str(volume.dtype) for volume in volumes})
    if len(dtypes) > 1:
        raise FileError(
            str(scans[0].path),
            f"its channels are {' and '.join(dtypes)}, so that they cannot be read in parts: raise "
            "--memory, or store them in one dtype",
        )
    result = scratch.empty_like(volumes[0][np.newaxis], (len(volumes), *volumes[0].shape))
    for channel, volume in zip(result, volumes, strict=True):
        channel[...] = volume
    return result


def check_record(record: Record, volumes: Mapping[str, Array]) -> None:
    """Check that no step of a draw needs a whole volume in memory."""
    for name, operation in record.steps:
        if isinstance(operation, ValueOperation) and operation.needs_memory:
            raise ValueError(
                f"the step {name} needs the whole volume in memory: raise --memory, or leave it out"
            )
    for name, volume in volumes.items():
        if record.targets[name].interpolation == "label" and volume.ndim == 4:
            raise ValueError(
                f"{name}: the vote of several channels needs the whole volume in memory: raise "
                "--memory, or store labels as one channel"
            )


class OutputFile(NamedTuple):
    """A file to write.

    Attributes
    ----------
    target : str
    scan : Scan
        The file that it is a copy of.
    channel : int or None
        Of the target, if it has several files.
    turn : Reorientation or None
        How the file was turned into the common grid.
    start : (3,) ints
        The voxel of the file at which the copy begins.
    path : Path
    """

    target: str
    scan: Scan
    channel: int | None
    turn: Any
    start: tuple[int, int, int]
    path: Path


def apply_to_files(
    record: Record,
    volumes: Mapping[str, Array],
    coordinates: Mapping[str, Any],
    outputs: list[OutputFile],
    scratch: Scratch,
    threads: int,
) -> Sample:
    """Apply a draw, and write the files of its volumes, which get their names if all is done."""
    check_record(record, volumes)
    with ExitStack() as stack:
        files, out = {}, {}
        for output in outputs:
            shape = _shape_in_file(output, record.output_shape, volumes[output.target])
            opened = mapped_copy(output.scan, shape, output.start, output.path)
            files[output] = stack.enter_context(opened)
            if output.channel is None and (output.turn is None or output.turn.is_identity):
                out[output.target] = files[output]  # nothing is written twice
        with allocated_by(scratch.empty):
            sample = record.apply_checked(volumes, coordinates, out, threads)
        for output, voxels in files.items():
            given = sample[output.target]
            if given is voxels:
                continue
            given = given if output.channel is None else given[output.channel]
            voxels[...] = given if output.turn is None else output.turn.undo(given)
    return sample


def _shape_in_file(
    output: OutputFile, shape: tuple[int, int, int], volume: Array
) -> tuple[int, ...]:
    """The shape of a result in the order of axes of its file."""
    channels = volume.shape[:-3] if output.channel is None else ()
    if output.turn is not None:
        a, b, c = (shape[output.turn.axes.index(axis)] for axis in range(3))
        shape = a, b, c
    return (*channels, *shape)
