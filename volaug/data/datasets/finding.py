"""Which layout a dataset has."""

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from . import bids, nnunet_raw
from .bids import Bids
from .dataset_layout import DatasetLayout
from .folder import TEST_FOLDERS, Folder, is_series
from .lists import TRAINING, CaseList
from .nnunet_raw import NnunetRaw

LISTS = (".csv", ".tsv", ".json")
MAX_BYTES = 2**28


def find_layout(source: Path, targets: Collection[str]) -> DatasetLayout:
    """Return the layout of what a path leads to.

    Parameters
    ----------
    source : Path
        A scan, a list of cases (``.csv``, ``.tsv`` or ``.json``), or a folder: a raw dataset of
        nnU-Net (with `dataset.json`), of the Medical Segmentation Decathlon (`dataset.json` with a
        list of training cases), of BIDS (`dataset_description.json`), one DICOM series, or any
        other folder of scans.
    targets : names
        Of the targets of the pipeline, which columns of a list are named by.

    Raises
    ------
    ValueError
        If there is no such thing, or it is incomplete.
    OSError
        If it cannot be read.
    """
    if not source.exists():
        raise ValueError(f"{source}: there is no such file or folder")
    place = source.absolute()
    if set(TEST_FOLDERS) & {place.name, place.parent.name}:
        raise ValueError(
            f"{source}: test images are not augmented; to try a pipeline on one, copy it elsewhere"
        )
    if source.is_file() and source.suffix.lower() not in LISTS:
        return Folder(source)
    if source.is_file():
        is_nnunet = source.name == nnunet_raw.DATASET and not _is_list(source)
        return _nnunet(source) if is_nnunet else CaseList(source, targets)
    if not source.is_dir():
        raise ValueError(f"{source}: must be a file or a folder")
    if (source / nnunet_raw.DATASET).is_file() and not is_series(source):
        dataset = source / nnunet_raw.DATASET
        return CaseList(dataset, targets) if _is_list(dataset) else _nnunet(dataset)
    if (source / bids.DESCRIPTION).is_file():
        return Bids(source, _parsed(source / bids.DESCRIPTION))
    return Folder(source)


def _is_list(dataset: Path) -> bool:
    """Whether a `dataset.json` is the decathlon's; nnU-Net's may have the same list as well."""
    values = _parsed(dataset)
    return TRAINING in values and "file_ending" not in values


def _nnunet(dataset: Path) -> NnunetRaw:
    return NnunetRaw(dataset.parent, _parsed(dataset))


def _parsed(path: Path) -> dict[str, Any]:
    """The object in a JSON file."""
    if path.stat().st_size > MAX_BYTES:
        raise ValueError(f"{path}: must have at most {MAX_BYTES} bytes")
    try:
        values = json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: must be JSON: {error}") from None
    if not isinstance(values, dict):
        raise ValueError(f"{path}: must be a JSON object, got {type(values).__name__}")
    return values
