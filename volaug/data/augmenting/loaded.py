"""The files of a case, read, and brought into one grid."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ...pipeline.targets import Target
from ...warping.geometry.bspline import Floats
from ...warping.geometry.orientation import Reorientation
from ..cases import Case
from ..datasets.dataset_layout import DatasetCase
from ..files.landmarks import Landmarks, read_landmarks
from ..files.mapped import Scratch
from ..files.safety import FileError
from ..files.scans import Scan, read_scan, sha256_of
from .large import mapped_scan, stacked

Array = npt.NDArray[Any]


class LoadedCase(NamedTuple):
    """A case in memory.

    Attributes
    ----------
    scans : dict
        By target, its files as they were read.
    landmarks : dict
        By target, its file of landmarks.
    volumes : dict
        By target, an array in the common grid.
    coordinates : dict
        By target, points in voxels of that grid.
    affine : (4, 4) array or None
        Of that grid.
    turns : dict
        By target, how each file was turned into that grid.
    sha256 : dict
        By path, of the file's bytes.
    scratch : Scratch or None
        Where results lie, if the volumes are views of their files; None if they are in memory.
    """

    scans: dict[str, tuple[Scan, ...]]
    landmarks: dict[str, Landmarks]
    volumes: dict[str, Array]
    coordinates: dict[str, Floats]
    affine: Floats | None
    turns: dict[str, tuple[Reorientation | None, ...]]
    sha256: dict[Path, str]
    scratch: Scratch | None = None


def load_case(
    case: DatasetCase,
    table: Mapping[str, Target],
    computing: AbstractContextManager[Any],
    scratch: Scratch | None = None,
) -> LoadedCase:
    """Read the files of a case.

    Parameters
    ----------
    case : DatasetCase
    table : mapping from names to Target
        The targets of the pipeline.
    computing : context manager
        What is held while a processor is busy, and not while the disk is.
    scratch : Scratch, optional
        For a case that is larger than memory: its volumes stay in their files.

    Raises
    ------
    FileError, TypeError, ValueError
        If a file is damaged, or the files do not lie in one grid.
    """
    landmarks = {
        name: read_landmarks(files[0])
        for name, files in case.files.items() if table[name].kind == "points"
    }  # fmt: skip
    scans = {
        name: tuple(
            read_scan(path, computing)
            if scratch is None
            else mapped_scan(path, table[name], scratch)
            for path in files
        )
        for name, files in case.files.items() if table[name].has_voxels
    }  # fmt: skip
    sha256 = {scan.path: scan.sha256 for found in scans.values() for scan in found}
    sha256 |= {found.path: sha256_of(found.path) for found in landmarks.values()}
    with computing:
        return _in_one_grid(scans, landmarks, table, sha256, scratch)


def _in_one_grid(
    scans: dict[str, tuple[Scan, ...]],
    landmarks: dict[str, Landmarks],
    table: Mapping[str, Target],
    sha256: dict[Path, str],
    scratch: Scratch | None,
) -> LoadedCase:
    """The files of a case in the grid of its first image."""
    # each file is checked as a target of its own: an error names it
    parts = {name: _names(name, len(found)) for name, found in scans.items()}
    by_path = {scan.path: scan.volume for found in scans.values() for scan in found}
    opened = Case(
        {part: scan.path for name in scans for part, scan in zip(parts[name], scans[name],
                                                                 strict=True)},
        {part: table[name] for name in scans for part in parts[name]},
        opener=by_path.__getitem__,
    ).open()  # fmt: skip
    volumes = {
        name: _stacked(
            [np.asarray(opened.volumes[part][...]) for part in parts[name]], scans[name], scratch
        )
        for name in scans
    }
    turns = {name: tuple(opened.turns.get(part) for part in parts[name]) for name in scans}
    affine = opened.affine
    coordinates = {name: found.voxels(affine) for name, found in landmarks.items()}
    return LoadedCase(scans, landmarks, volumes, coordinates, affine, turns, sha256, scratch)


def _names(name: str, count: int) -> list[str]:
    return [name] if count == 1 else [f"{name} {number}" for number in range(count)]


def _stacked(volumes: list[Array], scans: tuple[Scan, ...], scratch: Scratch | None) -> Array:
    """The channels of an image as one array, in a dtype that holds all of theirs."""
    if len(volumes) == 1:
        return volumes[0]
    for volume, scan in zip(volumes, scans, strict=True):
        if volume.ndim != 3:
            raise FileError(
                str(scan.path), f"is one of several channels and must have three axes, got "
                f"{volume.shape}"
            )  # fmt: skip
    return np.stack(volumes) if scratch is None else stacked(volumes, scans, scratch)
