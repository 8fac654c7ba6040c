"""The brain: the symmetric MNI152 (2009) T1 average at 1 mm, which comes with nilearn."""

from typing import Any, NamedTuple

import nibabel
import numpy as np
import numpy.typing as npt
from nibabel.affines import apply_affine
from nilearn import datasets

Image = npt.NDArray[np.float32]
Labels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]

BACKGROUND, GREY, WHITE, OTHER = range(4)

# The T1 average is stripped of the skull: zero outside of the brain, 0.1 to 1 in it.
SIGNAL = 0.05

# In mm of MNI space. None is on a plane of symmetry.
LANDMARKS = {
    "left thalamus": (-12.0, -18.0, 8.0),
    "left hippocampus": (-27.0, -21.0, -15.0),
    "right caudate nucleus": (12.0, 14.0, 8.0),
}


class Brain(NamedTuple):
    """An image, its labels and landmarks, and the affine of its voxels."""

    image: Image
    labels: Labels
    landmarks: Floats  # (N, 3) in voxels
    affine: Floats  # voxel indices to mm: right, anterior, superior


def load_brain() -> Brain:
    """Load the T1 template, and label it by its gray and white matter templates."""
    template = datasets.load_mni152_template(resolution=1)
    image = as_float32(template)
    gray = as_float32(datasets.load_mni152_gm_template(resolution=1))
    white = as_float32(datasets.load_mni152_wm_template(resolution=1))
    affine = np.asarray(template.affine, np.float64)
    landmarks = apply_affine(np.linalg.inv(affine), [*LANDMARKS.values()])
    return Brain(image, tissue_labels(image, gray, white), landmarks, affine)


def tissue_labels(image: Image, gray: Image, white: Image) -> Labels:
    """Label the voxels: 0 background, 1 gray matter, 2 white matter, 3 other.

    A voxel is gray or white matter if the probability of that is at least a half; the likelier of
    the two wins, gray on a tie. Other voxels with signal are 3: mostly cerebrospinal fluid.
    """
    labels = np.where(image > SIGNAL, np.uint8(OTHER), np.uint8(BACKGROUND))
    labels[(gray >= 0.5) & (gray >= white)] = GREY
    labels[(white >= 0.5) & (white > gray)] = WHITE
    return labels


def as_float32(volume: nibabel.Nifti1Image) -> Image:
    """Voxels in C order, in which scipy too is fastest."""
    voxels: Any = np.asanyarray(volume.dataobj)
    return np.ascontiguousarray(voxels, np.float32)
