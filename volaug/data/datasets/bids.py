"""BIDS: anatomical scans of `sub-*/[ses-*/]anat`, with segmentations beside or in derivatives.

Augmented copies are derived data, so that the copy is a dataset of `DatasetType` "derivative".
There, and only there, BIDS has the entity `desc-`, which tells files of one source apart; it stands
last: `sub-01_T1w.nii.gz` becomes `sub-01_desc-aug001_T1w.nii.gz`. The entities of raw datasets that
could tell copies apart, `acq-`, `rec-` and `run-`, would say something wrong of the scanner.

Source: BIDS 1.10, "Derivatives", "Imaging data types" and the appendix "Entities".
"""

import json
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from ... import __version__
from ...warping.geometry.orientation import reorientation
from ..files.safety import naming
from ..files.scans import stem_of, suffix_of, suffix_of_copy
from .dataset_layout import Complete, DatasetCase, DatasetLayout

DESCRIPTION, PARTICIPANTS = "dataset_description.json", "participants.tsv"
LABELS = ("dseg", "mask")
NO_IMAGES = (*LABELS, "probseg")
IN_SUBJECTS = ("sub-*/anat", "sub-*/ses-*/anat")
DERIVATIVES = "derivatives"


class Bids(DatasetLayout):
    """Anatomical scans of a BIDS dataset. Those of a session in one grid get one warp.

    Parameters
    ----------
    source : Path
        Folder with `dataset_description.json`.
    description : dict
        What is in it.

    Raises
    ------
    ValueError
        If there are no anatomical scans.
    """

    title = "BIDS dataset"

    def __init__(self, source: Path, description: dict[str, Any]) -> None:
        self._source, self._description = source, description
        cases: list[DatasetCase] = []
        alone: list[Path] = []
        for folder in sorted(f for pattern in IN_SUBJECTS for f in source.glob(pattern)):
            relative = folder.relative_to(source)
            derived = sorted(source.glob(f"{DERIVATIVES}/*/{_escaped(relative)}"))
            files = [file for place in (folder, *derived) for file in _scans_of(place)]
            images = [f for f in files if f.parent == folder and _kind(f) not in NO_IMAGES]
            labels = [file for file in files if _kind(file) in LABELS]
            grouped, left = _grouped(images, labels)
            alone += left
            cases += [_case(source, group) for group in grouped]
        if not cases:
            raise ValueError(f"{source}: there are no scans in {' or '.join(IN_SUBJECTS)}")
        super().__init__(source, cases)
        if alone:
            self.notes = (
                f"{len(alone)} segmentations are left out, as they lie in the grid of no scan of "
                f"their session: {alone[0].name}" + " ..." * (len(alone) > 1),
            )

    def name_of_original(self, file: Path) -> PurePath:
        """Where the copy of an original lies: also that of derivatives, below its subject."""
        parts = file.relative_to(self._source).parts
        return PurePath(*parts[2 if parts[0] == DERIVATIVES else 0 :])

    def name_of_copy(self, file: Path, mark: str) -> PurePath:
        """Where a copy lies: `sub-01/anat/sub-01_desc-aug001_T1w.nii.gz`."""
        *entities, kind = stem_of(file).split("_")
        if entities and entities[-1].startswith("desc-"):
            entities[-1] += mark
        else:
            entities.append(f"desc-{mark}")
        name = "_".join([*entities, kind]) + suffix_of_copy(file)
        return self.name_of_original(file).with_name(name)

    def summaries(self, complete: Complete) -> dict[str, str]:
        """`dataset_description.json` of a derivative, and `participants.tsv`."""
        origin = self._description.get("GeneratedBy", [])
        made = [{"Name": "volaug", "Version": __version__, "Description": "augmented copies"}]
        derivative = {
            **self._description,
            "DatasetType": "derivative",
            "GeneratedBy": [*(origin if isinstance(origin, list) else []), *made],
        }
        texts = {DESCRIPTION: json.dumps(derivative, indent=4) + "\n"}
        participants = self._source / PARTICIPANTS
        if participants.is_file():
            texts[PARTICIPANTS] = participants.read_text(encoding="utf-8")
        return texts


def _escaped(relative: Path) -> str:
    """A path as a pattern that only it fits."""
    return "".join(f"[{c}]" if c in "*?[" else c for c in relative.as_posix())


def _scans_of(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir() if suffix_of(file) and file.name[0] != ".")


def _kind(file: Path) -> str:
    """The suffix of BIDS, such as T1w."""
    return stem_of(file).rpartition("_")[2]


def _grid(file: Path) -> tuple[tuple[int, int, int], Any]:
    """The shape and affine in the header of a file."""
    import nibabel

    with naming(file):
        image: Any = nibabel.load(file, mmap=False)
        n0, n1, n2 = image.shape[:3]
        return (int(n0), int(n1), int(n2)), np.asarray(image.affine, np.float64)


def _is_same(one: Any, other: Any) -> bool:
    try:
        with np.errstate(all="ignore"):
            reorientation(*one, *other)
    except (ValueError, np.linalg.LinAlgError):
        return False
    return True


def _grouped(
    images: list[Path], labels: list[Path]
) -> tuple[list[dict[str, list[Path]]], list[Path]]:
    """Images of one grid with their labels, and labels of no grid."""
    groups: list[tuple[Any, dict[str, list[Path]]]] = []
    for image in images:
        grid = _grid(image)
        group = next((files for other, files in groups if _is_same(other, grid)), None)
        if group is None:
            groups.append((grid, {"image": [image]}))
        else:
            group["image"].append(image)
    alone = []
    for label in labels:
        grid = _grid(label)
        group = next((files for other, files in groups if _is_same(other, grid)), None)
        if group is None:
            alone.append(label)
        else:
            group["label" if "label" not in group else f"label_{len(group)}"] = [label]
    return [files for _, files in groups], alone


def _case(source: Path, files: dict[str, list[Path]]) -> DatasetCase:
    name = files["image"][0].relative_to(source).as_posix()
    return DatasetCase(name, {target: tuple(found) for target, found in files.items()})
