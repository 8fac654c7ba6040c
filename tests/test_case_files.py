"""What a case of a stream may be: arrays, files, what is sliced like an array, functions."""

from pathlib import Path

import nibabel
import numpy as np
import pytest
from cases import random_volume

from volaug import (
    CaseError,
    CenterCrop,
    Compose,
    RandomAffine,
    RandomElastic,
    RandomFlip,
    Stream,
)
from volaug.cases import Case, as_parts
from volaug.files.opening import open_volume

SHAPE = (40, 44, 48)
IMAGE, LABEL = random_volume(SHAPE), random_volume(SHAPE, np.int16)
AFFINE = np.diag((-1.0, 2.0, 0.5, 1.0))
STEPS = [RandomFlip(), RandomAffine(p=1), RandomElastic(2.0, p=1)]


class Lazy:
    """A volume that remembers what was read of it."""

    def __init__(self, voxels):
        self.voxels, self.read = voxels, []
        self.shape, self.dtype = voxels.shape, voxels.dtype

    def __getitem__(self, window):
        part = self.voxels[window]
        self.read.append(part.size)
        return part


def batch_of(case, steps=STEPS, **options):
    pipeline = Compose(steps, **options)
    with Stream([case], pipeline, patch_shape=16, batch_size=2, seed=3, foreground=0.0) as made:
        return next(made)


def same(found, expected):
    for name in ("image", "label"):
        np.testing.assert_array_equal(found[name], expected[name])
    assert found["record"] == expected["record"]


def test_a_lazy_volume_gives_the_same_bits_and_little_of_it_is_read():
    lazy = {"image": Lazy(IMAGE), "label": Lazy(LABEL)}
    same(batch_of(lazy), batch_of({"image": IMAGE, "label": LABEL}))
    for volume in lazy.values():
        assert 0 < max(volume.read) < 0.6 * IMAGE.size
        assert 2 <= len(volume.read) <= 6  # two batches are made ahead, if there is time


@pytest.mark.parametrize("mode", ["constant", "grid-constant", "edge-constant", "nearest"])
@pytest.mark.parametrize("interpolation", ["linear", "nearest"])
def test_parts_hold_all_that_is_read(mode, interpolation):
    options = {"mode": {"image": mode}, "interpolation": {"image": interpolation}}
    for index in range(5):
        pipeline = Compose([RandomAffine(40.0, (0.5, 2.0), p=1), CenterCrop(16)], seed=1, **options)
        record = pipeline.draw(SHAPE, index=index)
        parts, origin = as_parts(Case({"image": Lazy(IMAGE)}, pipeline.table).open(), record)
        assert parts["image"].size < IMAGE.size
        found = record.apply_checked(parts, {}, None, 1, origin)["image"]
        np.testing.assert_array_equal(found, record.apply(image=IMAGE)["image"])


@pytest.mark.parametrize(
    "options",
    [
        {"mode": {"image": "reflect"}},
        {"mode": {"image": "grid-wrap"}},
        {"interpolation": {"image": "cubic"}},
    ],
)
def test_what_needs_all_of_a_volume_reads_it(options):
    lazy = Lazy(IMAGE)
    found, expected = batch_of({"image": lazy}, **options), batch_of({"image": IMAGE}, **options)
    np.testing.assert_array_equal(found["image"], expected["image"])
    assert max(lazy.read) == IMAGE.size


def test_a_patch_beyond_the_volume_reads_one_voxel_of_it():
    shift = [RandomAffine(0, 0, 0, ((1000, 1000), 0, 0), p=1)]
    lazy = Lazy(IMAGE)
    assert (batch_of({"image": lazy}, shift)["image"] == 0).all()
    assert max(lazy.read) == 1


def test_npy_files_are_read_and_not_mapped(tmp_path):
    np.save(tmp_path / "image.npy", IMAGE)
    np.save(tmp_path / "label.npy", np.asfortranarray(LABEL))
    case = {"image": tmp_path / "image.npy", "label": str(tmp_path / "label.npy")}
    opened = Case(case, Compose([]).table).open()
    assert opened.shape == SHAPE
    same(batch_of(case), batch_of({"image": IMAGE, "label": LABEL}))
    assert str(tmp_path) not in Path("/proc/self/maps").read_text()


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_nifti_files_bring_their_affine_along(tmp_path, suffix):
    case = {"image": tmp_path / f"image{suffix}", "label": tmp_path / f"label{suffix}"}
    nibabel.save(nibabel.Nifti1Image(IMAGE, AFFINE), case["image"])
    nibabel.save(nibabel.Nifti1Image(LABEL, AFFINE), case["label"])
    expected = batch_of({"image": IMAGE, "label": LABEL, "affine": AFFINE})
    found = batch_of(case)
    assert found["label"].dtype == np.int16
    for name in ("image", "label"):  # other memory orders differ in the last bits
        np.testing.assert_allclose(found[name], expected[name], atol=1e-6)
    np.testing.assert_array_equal(found["affine"], expected["affine"])
    other = batch_of({**case, "spacing": (1.0, 1.0, 1.0)})
    assert "affine" not in other


def test_scaled_and_four_dimensional_files(tmp_path):
    scaled = nibabel.Nifti1Image(LABEL, AFFINE)
    scaled.header.set_slope_inter(0.5, 3.0)
    nibabel.save(scaled, tmp_path / "scaled.nii")
    scan = open_volume(tmp_path / "scaled.nii")
    assert scan.dtype == np.float32
    np.testing.assert_allclose(scan[...], nibabel.load(tmp_path / "scaled.nii").get_fdata())

    channels = random_volume((*SHAPE, 3))
    nibabel.save(nibabel.Nifti1Image(channels, AFFINE), tmp_path / "channels.nii")
    scan = open_volume(tmp_path / "channels.nii")
    assert scan.shape == (3, *SHAPE)
    np.testing.assert_array_equal(scan[...], np.moveaxis(channels, 3, 0))
    part = scan[..., 3:9, 1:2, 40:]
    np.testing.assert_array_equal(part, np.moveaxis(channels, 3, 0)[..., 3:9, 1:2, 40:])


def test_a_function_is_called_for_each_sample():
    calls = []

    def load():
        calls.append(1)
        return {"image": IMAGE, "label": LABEL}

    same(batch_of(load), batch_of({"image": IMAGE, "label": LABEL}))
    assert 1 + 2 <= len(calls) <= 1 + 6  # the first is looked at; two batches are made ahead


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ({"image": "missing.npy"}, "missing.npy"),
        ({"image": "missing.nii"}, "missing.nii"),
        ({"image": 3}, "'image' must be an array, a path, or what is sliced like an array"),
        ({"image": IMAGE.astype(complex)}, "image must be of dtype"),
        ({"image": Lazy(IMAGE[0])}, "image must have the shape"),
        ({"image": IMAGE, "label": LABEL[1:]}, "must have one shape"),
        ({"image": Lazy(IMAGE), "label": LABEL[1:]}, "must have one shape"),
        ({"image": IMAGE, "spacing": (1, 2)}, "spacing must be three"),
        ({"image": IMAGE, "points": [[1, 2]]}, "'points': points must be"),
        (lambda: 3, "a case must be a mapping from names, got int"),
    ],
)
def test_a_wrong_case_is_said(case, message):
    with pytest.raises(CaseError, match=rf"case 0: .*{message}"):
        batch_of(case)
    both = [{"image": IMAGE}, case]
    made = Stream(both, Compose([]), patch_shape=8, batch_size=2, seed=1, epochs=1)
    with pytest.raises(CaseError, match=rf"case 1 \(epoch 0, index 1\): .*{message}"):
        next(made)
