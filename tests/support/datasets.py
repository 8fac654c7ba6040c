"""Small datasets on disk in every layout, and what a command makes of them."""

import json

import nibabel
import numpy as np
from scipy.spatial.transform import Rotation

from support.volumes import blob

SHAPE = (18, 20, 22)
TILTED = np.eye(4)
TILTED[:3, :3] = Rotation.from_euler("xyz", (8, -5, 12), degrees=True).as_matrix() @ np.diag(
    (-1.0, 1.2, 2.0)
)
TILTED[:3, 3] = (40.0, -55.0, -30.0)

PIPELINE = """
format = "volaug.pipeline"
version = 1
swap = []

[[transforms]]
type = "RandomFlip"
axes = "LR"

[[transforms]]
type = "RandomAffine"
p = 1.0

[[transforms]]
type = "RandomElastic"
max_displacement = 2.0
num_control_points = 5
p = 1.0
"""


def voxels(number, shape=SHAPE):
    """A scan of integers, with an object off its center."""
    place = np.array(shape) * (0.4, 0.55, 0.5) + number % 3
    return (900 * blob(shape, place, 3.0) + number).astype(np.int16)


def label_of(scan):
    return (scan > 300).astype(np.uint8) + (scan > 600)


def write(path, array, affine=TILTED):
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(array, affine, dtype=array.dtype), path)
    return path


def pipeline_file(folder, text=PIPELINE):
    path = folder / "pipeline.toml"
    path.write_text(text)
    return path


def folder_of_scans(root, count=3):
    for number in range(count):
        scan = voxels(number)
        write(root / f"site {number % 2}" / f"scan{number}.nii.gz", scan)
        write(root / f"site {number % 2}" / f"scan{number}_seg.nii.gz", label_of(scan))
    return root


def nnunet_raw(root, count=6, channels=2):
    for number in range(count):
        scan = voxels(number)
        for channel in range(channels):
            write(root / f"imagesTr/case_{number:03}_{channel:04}.nii.gz", scan + channel)
        write(root / f"labelsTr/case_{number:03}.nii.gz", label_of(scan))
    description = {
        "channel_names": {str(channel): f"MR{channel}" for channel in range(channels)},
        "labels": {"background": 0, "edge": 1, "core": 2},
        "numTraining": count,
        "file_ending": ".nii.gz",
    }
    (root / "dataset.json").write_text(json.dumps(description))
    return root


def bids(root, count=2):
    for number in range(1, count + 1):
        scan, folder = voxels(number), f"sub-{number:02}/ses-1/anat"
        stem = f"sub-{number:02}_ses-1"
        write(root / folder / f"{stem}_T1w.nii.gz", scan)
        write(root / folder / f"{stem}_FLAIR.nii.gz", scan + 5)
        write(root / folder / f"{stem}_T2w.nii.gz", voxels(number, (12, 14, 16)))  # another grid
        derived = root / "derivatives" / "seg" / folder
        write(derived / f"{stem}_dseg.nii.gz", label_of(scan))
        write(derived / f"{stem}_desc-brain_mask.nii.gz", (scan > 100).astype(np.uint8))
    description = {"Name": "small", "BIDSVersion": "1.10.0", "DatasetType": "raw"}
    (root / "dataset_description.json").write_text(json.dumps(description))
    (root / "participants.tsv").write_text("participant_id\nsub-01\nsub-02\n")
    return root


def decathlon(root, count=3):
    rows = []
    for number in range(count):
        scan = voxels(number)
        write(root / f"imagesTr/case_{number}.nii.gz", np.stack([scan, scan + 1], -1))
        write(root / f"labelsTr/case_{number}.nii.gz", label_of(scan))
        rows.append(
            {
                "image": f"./imagesTr/case_{number}.nii.gz",
                "label": f"./labelsTr/case_{number}.nii.gz",
            }
        )
    write(root / "imagesTs/case_9.nii.gz", voxels(9))
    document = {
        "name": "small",
        "numTraining": count,
        "numTest": 1,
        "training": rows,
        "test": ["./imagesTs/case_9.nii.gz"],
    }
    (root / "dataset.json").write_text(json.dumps(document))
    return root


def files_in(root):
    """The files below a folder and their bytes; of a manifest, its lines without the seconds."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and not path.name.startswith("manifest")
    }


def manifest_of(root):
    """The lines of all manifests by file, without what differs from run to run."""
    lines = [json.loads(x) for m in root.glob("manifest*") for x in m.read_text().splitlines()]
    assert len({line["file"] for line in lines}) == len(lines)
    return {line["file"]: {k: v for k, v in line.items() if k != "seconds"} for line in lines}
