"""A raw dataset of nnU-Net v2: imagesTr, labelsTr and dataset.json.

Isensee et al., Nature Methods 18 (2021); the format is that of documentation/dataset_format.md and
documentation/manual_data_splits.md of nnunetv2 2.8.
"""

import json
import re
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from ..files.scans import suffix_of_copy
from .dataset_layout import Complete, DatasetCase, DatasetLayout

DATASET, SPLITS = "dataset.json", "splits_final.json"
IMAGES, LABELS, TEST_IMAGES = "imagesTr", "labelsTr", "imagesTs"

# nnU-Net's own folds, where a dataset names none: sklearn's KFold(5, shuffle=True,
# random_state=12345) of the sorted cases.
FOLDS, FOLDS_SEED = 5, 12345


class NnunetRaw(DatasetLayout):
    """A raw dataset of nnU-Net. All channels of a case and its label get one warp.

    Parameters
    ----------
    source : Path
        Folder with `dataset.json`.
    description : dict
        What is in `dataset.json`.

    Raises
    ------
    ValueError
        If a file is missing or has another name than nnU-Net reads.
    """

    title = "raw dataset of nnU-Net"

    def __init__(self, source: Path, description: dict[str, Any]) -> None:
        self._description = description
        ending = description.get("file_ending")
        channels = description.get("channel_names", description.get("modality"))
        if not isinstance(ending, str) or not isinstance(channels, dict) or not channels:
            raise ValueError(f"{source / DATASET}: must have a file_ending and channel_names")
        if "dataset" in description:
            raise ValueError(
                f"{source / DATASET}: names the files itself, under 'dataset'; give them in a CSV "
                "list"
            )
        if suffix_of_copy(Path(f"a{ending}")) != ending:
            raise ValueError(
                f"{source / DATASET}: files that end in {ending!r} cannot be written; there are "
                ".nii.gz, .nii, .nrrd, .mha and others"
            )
        self._ending, self._splits = ending, _splits_of(source)
        cases = _cases(source, ending, len(channels))
        super().__init__(source, cases)
        if (source / TEST_IMAGES).is_dir():
            self.notes = (f"{TEST_IMAGES} is left out: test images are not augmented",)

    def name_of_copy(self, file: Path, mark: str) -> PurePath:
        """Where a copy lies: `imagesTr/case_aug001_0000.nii.gz`."""
        name = file.name.removesuffix(self._ending)
        case, channel = (name[:-5], name[-5:]) if file.parent.name == IMAGES else (name, "")
        return PurePath(file.parent.name, f"{case}_{mark}{channel}{self._ending}")

    def summaries(self, complete: Complete) -> dict[str, str]:
        """`dataset.json` with the new number of cases, and `splits_final.json`."""
        count = sum(map(len, complete.values()))
        texts = {DATASET: json.dumps({**self._description, "numTraining": count}, indent=4) + "\n"}
        folds = self._splits or default_folds([case.name for case in self.cases])
        if folds:
            texts[SPLITS] = json.dumps([_with_copies(f, complete) for f in folds], indent=4) + "\n"
        return texts


def default_folds(names: list[str]) -> list[dict[str, list[str]]]:
    """The folds that nnU-Net makes of cases; fewer if there are fewer cases than folds."""
    names = sorted(names)
    count = min(FOLDS, len(names))
    if count < 2:
        return []
    order = np.arange(len(names))
    np.random.RandomState(FOLDS_SEED).shuffle(order)
    parts = np.array_split(order, count)
    return [
        {
            "train": [name for i, name in enumerate(names) if i not in part],
            "val": [name for i, name in enumerate(names) if i in part],
        }
        for part in (set(part.tolist()) for part in parts)
    ]


def _with_copies(fold: dict[str, list[str]], complete: Complete) -> dict[str, list[str]]:
    """A fold with all copies of its training cases, and none of those of its validation cases.

    Without originals, it is validated on the copies of the validation cases.
    """

    def ids(name: str) -> list[str]:
        return [f"{name}_{mark}" if mark else name for mark in sorted(complete.get(name, ()))]

    return {
        "train": [identifier for name in fold["train"] for identifier in ids(name)],
        "val": [
            identifier
            for name in fold["val"]
            for identifier in ([name] if "" in complete.get(name, ()) else ids(name))
        ],
    }


def _splits_of(source: Path) -> list[dict[str, list[str]]]:
    """The folds that the dataset names."""
    path = source / SPLITS
    if not path.exists():
        return []
    try:
        folds = json.loads(path.read_text())
        return [{"train": list(fold["train"]), "val": list(fold["val"])} for fold in folds]
    except (KeyError, TypeError, ValueError):
        raise ValueError(f"{path}: must be a list of folds with train and val") from None


def _cases(source: Path, ending: str, channels: int) -> list[DatasetCase]:
    pattern = re.compile(r"(.+)_(\d{4})" + re.escape(ending), re.DOTALL)
    found: dict[str, dict[int, Path]] = {}
    if not (source / IMAGES).is_dir():
        raise ValueError(f"{source}: has no folder {IMAGES}")
    for file in sorted((source / IMAGES).iterdir()):
        match = pattern.fullmatch(file.name)
        if match:
            found.setdefault(match[1], {})[int(match[2])] = file
        elif not file.name.startswith("."):
            raise ValueError(f"{file}: its name must end in _0000{ending} or another channel")
    if not found:
        raise ValueError(f"{source / IMAGES}: there are no files that end in _0000{ending}")
    cases = []
    for name, files in found.items():
        if sorted(files) != list(range(channels)):
            raise ValueError(
                f"{source / IMAGES}: {name} must have the channels 0 to {channels - 1}, got "
                f"{sorted(files)}"
            )
        label = source / LABELS / f"{name}{ending}"
        if not label.exists():
            raise ValueError(f"{label}: there is no such file, which is the label of {name}")
        images = tuple(files[channel] for channel in range(channels))
        cases.append(DatasetCase(name, {"image": images, "label": (label,)}))
    return cases
