"""A folder of scans, or one scan: labels and landmarks are found by their names."""

from collections.abc import Iterable, Iterator
from pathlib import Path, PurePath

from ..files.landmarks import MARKUPS
from ..files.scans import SUFFIXES, suffix_of
from ..files.zarr_folder import is_zarr
from .dataset_layout import DatasetCase, DatasetLayout, marked, split, walk

# `brain_seg.nii.gz` is the label of `brain.nii.gz` beside it.
LABEL_ENDINGS = ("_label", "_labels", "_seg", "_segmentation", "_mask")
# `labels/brain.nii.gz` is the label of `images/brain.nii.gz`.
IMAGE_FOLDER, LABEL_FOLDER = "images", "labels"
LANDMARK_ENDING = "_landmarks"

# Test images are for testing: nothing is augmented in folders of nnU-Net that hold them.
TEST_FOLDERS = ("imagesTs", "labelsTs")


class Folder(DatasetLayout):
    """A folder of scans, whose tree is mirrored.

    Parameters
    ----------
    source : Path
        A folder, or one file.

    Raises
    ------
    ValueError
        If there is no scan, or a label or landmarks without their image.
    """

    title = "folder"

    def __init__(self, source: Path) -> None:
        if source.is_file() and not suffix_of(source):
            raise ValueError(
                f"{source}: must be a scan ({', '.join(SUFFIXES)}), a list or a folder"
            )
        is_one = source.is_file() or is_zarr(source) or is_series(source)
        root = source.parent if is_one else source
        folders = [root, _label_folder(root)] if is_one else [folder for folder, _ in walk(root)]
        scans = {folder: _scans_of(folder) for folder in folders}
        labels = {file for files in scans.values() for file in files if _is_label(file)} - {source}
        images = [f for files in scans.values() for f in files if f not in labels]
        cases = [_case(root, image, labels) for image in ([source] if is_one else images)]
        if not cases:
            raise ValueError(f"{source}: there are no scans in it")
        alone = labels.difference(*(case.files.get("label", ()) for case in cases))
        if alone and not is_one:
            raise ValueError(
                f"{min(alone)}: its name is that of a label, but there is no image to it; name the "
                "files that belong together in a CSV list"
            )
        super().__init__(root, cases)
        self.notes = tuple(_scans_beside_series([source] if is_one else folders))

    def name_of_copy(self, file: Path, mark: str) -> PurePath:
        """Where a copy lies: `brain_seg.nii.gz` becomes `brain_aug001_seg.nii.gz`."""
        endings = (*LABEL_ENDINGS, LANDMARK_ENDING)
        ending = next((e for e in endings if split(file)[0].endswith(e)), "")
        return self.name_of_original(file).with_name(marked(file, mark, ending))


def is_series(folder: Path) -> bool:
    """Whether a folder holds the files of a DICOM series."""
    return any(file.suffix.lower() == ".dcm" for file in folder.iterdir())


def _scans_of(folder: Path) -> list[Path]:
    """The scans in a folder, and the folders in it that are DICOM series."""
    if not folder.is_dir() or folder.name in TEST_FOLDERS or is_series(folder) or is_zarr(folder):
        return []
    entries = sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    return [e for e in entries if (is_zarr(e) or is_series(e) if e.is_dir() else suffix_of(e))]


def _scans_beside_series(folders: Iterable[Path]) -> Iterator[str]:
    """Say which scans are left out, as the folder that they lie in is one DICOM series."""
    for folder in folders:
        if folder.is_dir() and not is_zarr(folder) and is_series(folder):
            others = sorted(f for f in folder.iterdir() if f.is_file() and suffix_of(f))
            if others:
                yield (
                    f"{folder} is read as one DICOM series; {others[0].name} in it is left out"
                    + (f", and {len(others) - 1} more" if others[1:] else "")
                )


def _is_label(file: Path) -> bool:
    return file.parent.name.startswith(LABEL_FOLDER) or split(file)[0].endswith(LABEL_ENDINGS)


def _label_folder(folder: Path) -> Path:
    """The folder of labels beside a folder of images: also labelsTr of imagesTr."""
    name = folder.name
    if name.startswith(IMAGE_FOLDER):
        return folder.with_name(LABEL_FOLDER + name[len(IMAGE_FOLDER) :])
    return folder


def _case(root: Path, image: Path, labels: set[Path]) -> DatasetCase:
    """An image with its label and its landmarks."""
    stem = split(image)[0]
    endings = {stem + ending for ending in LABEL_ENDINGS}
    beside = {_label_folder(image.parent): endings | {stem}, image.parent: endings}
    found = sorted(f for f in labels if split(f)[0] in beside.get(f.parent, ()))
    if len(found) > 1:
        raise ValueError(
            f"{image}: has {len(found)} labels, {found[0].name} and {found[1].name}; name the "
            "files that belong together in a CSV list"
        )
    names = (f"{stem}{LANDMARK_ENDING}.csv", f"{stem}{LANDMARK_ENDING}.json", stem + MARKUPS)
    landmarks = [path for path in map(image.with_name, names) if path.exists()]
    if len(landmarks) > 1:
        raise ValueError(f"{image}: has {len(landmarks)} files of landmarks, give one")
    given = {"image": [image], "label": found, "points": landmarks}
    name = image.relative_to(root).as_posix()
    return DatasetCase(name, {target: tuple(files) for target, files in given.items() if files})
