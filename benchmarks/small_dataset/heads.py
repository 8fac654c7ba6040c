"""Two real heads with the same labels, in one grid of 1 mm.

- MNI152: the T1 average of 152 heads that nilearn carries with it, without the skull.
- ch2: the T1 average of 27 scans of one man (Colin Holmes), without the skull, and the AAL atlas
  that was drawn on it. They are `ch2bet.nii.gz` and `aal.nii.gz` of MRIcron, in Debian's package
  mricron-data: ``apt-get download mricron-data && dpkg -x mricron-data_*.deb FOLDER``.

Both lie in MNI space, and both get the labels of the AAL.

References
----------
V. Fonov et al., "Unbiased average age-appropriate atlases for pediatric studies", NeuroImage 54,
2011. C. Holmes et al., "Enhancement of MR images using registration for signal averaging", JCAT
22, 1998. N. Tzourio-Mazoyer et al., "Automated anatomical labeling of activations in SPM",
NeuroImage 15, 2002.
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.float32]
Label = npt.NDArray[np.uint8]

TEMPLATES = Path("usr/share/mricron/templates")  # within the package

# The five classes, from 1 on, as ranges of the numbers of the AAL. Cingulum, insula, hippocampus
# and amygdala, 29 to 42, are background.
CLASSES = {
    "frontal": [(1, 28)],
    "temporal": [(55, 56), (79, 90)],
    "parietal and occipital": [(43, 54), (57, 70)],
    "deep gray": [(71, 78)],
    "cerebellum": [(91, 116)],
}


class Head(NamedTuple):
    """An image without the skull and its labels, both (181, 217, 181), in 1 mm."""

    name: str
    image: Image
    label: Label
    affine: npt.NDArray[np.float64]


def load_heads(folder: Path) -> tuple[Head, Head]:
    """Load ch2 and MNI152.

    Parameters
    ----------
    folder : Path
        Where mricron-data was unpacked, or the folder of its templates.

    Raises
    ------
    FileNotFoundError
        If the files are not there.
    """
    import nibabel
    from nilearn.datasets import load_mni152_template

    templates = folder / TEMPLATES if (folder / TEMPLATES).is_dir() else folder
    missing = [n for n in ("ch2bet.nii.gz", "aal.nii.gz") if not (templates / n).is_file()]
    if missing:
        raise FileNotFoundError(
            f"{folder} must be where mricron-data was unpacked, but {' and '.join(missing)} of it "
            "is missing: apt-get download mricron-data && dpkg -x mricron-data_*.deb FOLDER"
        )
    scan: Any = nibabel.load(templates / "ch2bet.nii.gz")
    atlas: Any = nibabel.load(templates / "aal.nii.gz")
    if not np.allclose(scan.affine, atlas.affine) or scan.shape != atlas.shape:
        raise ValueError(f"ch2bet.nii.gz and aal.nii.gz of {templates} must lie in one grid")
    label = grouped(np.asarray(atlas.dataobj))
    template: Any = load_mni152_template(resolution=1)
    average = in_grid_of(scan, template)
    ch2 = np.asarray(scan.dataobj, np.float32)
    return (
        Head("ch2", ch2, label, scan.affine),
        Head("MNI152", average, label, scan.affine),
    )


def grouped(atlas: npt.NDArray[Any]) -> Label:
    """Return the class of each voxel of the AAL."""
    table = np.zeros(256, np.uint8)
    for number, ranges in enumerate(CLASSES.values(), start=1):
        for first, last in ranges:
            table[first : last + 1] = number
    classes: Label = table[atlas]
    return classes


def in_grid_of(scan: Any, other: Any) -> Image:
    """Return the part of another image, of 1 mm as well, that lies in the grid of a scan."""
    first = np.rint(np.linalg.solve(other.affine, scan.affine)[:3, 3]).astype(int)
    window = tuple(slice(a, a + n) for a, n in zip(first, scan.shape, strict=True))
    part = np.asarray(other.dataobj, np.float32)[window]
    if part.shape != scan.shape:
        raise ValueError(f"the template must cover {scan.shape} voxels of ch2, got {part.shape}")
    return part
