"""Landmarks in CSV files, JSON files and Slicer's markups."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ...warping.geometry.bspline import Floats
from .atomic import write_text
from .safety import FileError, naming, opened

# Names of the three numbers of a landmark: mm to the right, anterior and superior, as nibabel's
# affines give them; or voxels of the image, from 0.
WORLD, VOXELS = ("x", "y", "z"), ("i", "j", "k")

SUFFIXES = (".csv", ".json")
MARKUPS = ".mrk.json"
MAX_BYTES = 2**26
DIGITS = 6  # of mm or voxels


class Landmarks(NamedTuple):
    """Landmarks as a file has them.

    Attributes
    ----------
    path : Path
    numbers : (N, 3) array
        As they are in the file.
    to_world : (3,) array or None
        Signs that turn them into mm to the right, anterior and superior; None if they are voxels.
    document : object
        All of the file: rows of a CSV file, or what the JSON is.
    positions : list
        Where in the document each landmark is: the mapping and the keys of its three numbers.
    """

    path: Path
    numbers: Floats
    to_world: Floats | None
    document: Any
    positions: list[tuple[Any, Sequence[Any]]]

    def voxels(self, affine: Floats | None) -> Floats:
        """The landmarks (N, 3) in voxels of an image with this affine."""
        if self.to_world is None:
            return self.numbers
        inverse = np.linalg.inv(self._known(affine))
        found: Floats = (self.numbers * self.to_world) @ inverse[:3, :3].T + inverse[:3, 3]
        return found

    def write(self, target: Path, voxels: npt.NDArray[Any], affine: Floats | None) -> str:
        """Write a copy of the file in which the landmarks lie elsewhere; return its SHA-256.

        Parameters
        ----------
        target : Path
        voxels : (N, 3) array
            Where they lie, in voxels of an image.
        affine : (4, 4) array or None
            Of that image.
        """
        numbers = voxels
        if self.to_world is not None:
            known = self._known(affine)
            numbers = (voxels @ known[:3, :3].T + known[:3, 3]) * self.to_world
        document = json.loads(json.dumps(self.document))
        for (container, keys), values in zip(_positions(document, self.path), numbers, strict=True):
            for key, value in zip(keys, values.tolist(), strict=True):
                container[key] = round(value, DIGITS)
        is_csv = target.suffix.lower() == ".csv"
        return write_text(
            target, _csv_text(document) if is_csv else json.dumps(document, indent=1) + "\n"
        )

    def _known(self, affine: Floats | None) -> Floats:
        if affine is None:
            raise FileError(
                str(self.path), "has landmarks in mm, but the image has no affine: give voxels, in "
                "columns i, j, k"
            )  # fmt: skip
        return affine


def read_landmarks(path: Path) -> Landmarks:
    """Read a file of landmarks.

    Parameters
    ----------
    path : Path
        A CSV file with a row for each landmark and columns x, y, z (mm) or i, j, k (voxels); a
        JSON file with a list of objects that have these; or markups of 3D Slicer (``.mrk.json``).

    Raises
    ------
    FileError
        If it is something else, or a number is missing or not finite.
    """
    with opened(path) as (stream, state), naming(path):
        if state.size > MAX_BYTES:
            raise FileError(str(path), f"must have at most {MAX_BYTES} bytes, got {state.size}")
        text = b"".join(iter(lambda: stream.read(2**20), b"")).decode("utf-8-sig")
    with naming(path):
        document = _rows(text) if path.suffix.lower() == ".csv" else json.loads(text)
        positions = _positions(document, path)
        rows = [[_number(container[key]) for key in keys] for container, keys in positions]
        numbers = np.array(rows, np.float64).reshape(-1, 3)
        if not np.isfinite(numbers).all():
            raise FileError(str(path), "must have finite numbers for its landmarks")
        return Landmarks(path, numbers, _to_world(document, positions), document, positions)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"must have numbers for its landmarks, got {value!r}")
    try:
        return float(value)
    except ValueError:
        raise ValueError(f"must have numbers for its landmarks, got {value!r}") from None


def _rows(text: str) -> list[dict[str, str]]:
    rows = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    return [_whole_row(row, rows.line_num) for row in rows]


def _whole_row(row: Mapping[Any, Any], line: int) -> dict[str, str]:
    if None in row or None in row.values():
        raise ValueError(f"line {line} must have a field for each column")
    return dict(row)


def _csv_text(rows: list[dict[str, Any]]) -> str:
    stream = io.StringIO(newline="")
    writer = csv.DictWriter(stream, list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def _positions(document: Any, path: Path) -> list[tuple[Any, Sequence[Any]]]:
    """Where the numbers of each landmark are in a document."""
    if isinstance(document, Mapping) and isinstance(document.get("markups"), list):
        points = [p for markup in document["markups"] for p in markup.get("controlPoints", [])]
        return [(point["position"], range(3)) for point in points if point.get("position")]
    if not isinstance(document, list) or not all(isinstance(row, Mapping) for row in document):
        raise FileError(str(path), "must be a list of landmarks with x, y, z or i, j, k")
    for names in (WORLD, VOXELS):
        if all(set(names) <= set(row) for row in document):
            return [(row, names) for row in document]
    raise FileError(str(path), "must have x, y, z (mm) or i, j, k (voxels) for each landmark")


def _to_world(document: Any, positions: list[tuple[Any, Sequence[Any]]]) -> Floats | None:
    """Signs that turn the numbers into mm to the right, anterior and superior."""
    if isinstance(document, Mapping):
        systems = {markup.get("coordinateSystem", "LPS") for markup in document["markups"]}
        if not systems <= {"LPS", "RAS", 0, 1, "0", "1"} or len(systems) > 1:
            raise ValueError(f"must have one coordinate system, LPS or RAS, got {systems}")
        is_lps = systems <= {"LPS", "1", 1}
        return np.array((-1.0, -1.0, 1.0) if is_lps else (1.0, 1.0, 1.0))
    return np.ones(3) if not positions or tuple(positions[0][1]) == WORLD else None
