"""Results that are written as NIfTI files with the sample's affine, read by another library."""

import nibabel
import numpy as np
import pytest
import SimpleITK
from scipy.spatial.transform import Rotation

from support.volumes import random_volume
from volaug import (
    CenterCrop,
    Compose,
    RandomAffine,
    RandomContrast,
    RandomCrop,
    RandomElastic,
    RandomFlip,
)

SHAPE = (12, 14, 10)
IMAGE = random_volume(SHAPE)
PIPELINE = Compose(
    [
        RandomFlip(),
        RandomAffine(30.0, scale=(0.6, 1.6), shear=0.3, p=0.8),
        RandomCrop((10, 11, 9), p=0.5),
        RandomContrast(p=0.5),
        RandomElastic(2.0, p=0.3),
        CenterCrop((8, 13, 7), p=0.5),
    ],
    seed=3,
)


def random_affine(rng):
    """Of a scanner: any order and direction of axes, tilted, with voxels of any size."""
    order = np.eye(3)[rng.permutation(3)] * rng.choice([-1.0, 1.0], 3)
    tilt = Rotation.from_euler("xyz", rng.uniform(-20, 20, 3), degrees=True).as_matrix()
    affine = np.eye(4)
    affine[:3, :3] = tilt @ order * rng.uniform(0.4, 5.0, 3)
    affine[:3, 3] = rng.uniform(-150, 150, 3)
    return affine


@pytest.mark.slow
def test_files_for_training_are_read_and_oriented_like_the_input(tmp_path):
    rng = np.random.default_rng(0)
    overlays_refused = 0
    for index in range(100):
        affine = random_affine(rng)
        sample = PIPELINE(image=IMAGE, affine=affine, index=index)
        file = tmp_path / "sample.nii"
        nibabel.save(nibabel.Nifti1Image(sample["image"], sample["affine"]), file)
        codes = nibabel.aff2axcodes(nibabel.load(file).affine)
        assert codes == nibabel.aff2axcodes(affine)
        image = SimpleITK.ReadImage(str(file))
        voxels = SimpleITK.GetArrayFromImage(image).transpose(2, 1, 0)
        np.testing.assert_array_equal(voxels, sample["image"])
        np.testing.assert_allclose(
            image.GetSpacing(), np.linalg.norm(affine[:3, :3], axis=0), rtol=1e-5
        )
        nibabel.save(nibabel.Nifti1Image(sample["image"], sample.record.output_affine), file)
        try:
            SimpleITK.ReadImage(str(file))
        except RuntimeError:
            overlays_refused += 1
    assert overlays_refused > 10  # what the sample's affine is not
