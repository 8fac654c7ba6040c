"""Of a lazy volume little is read, to the same bits; what it says or gives wrongly is refused."""

import nibabel
import numpy as np
import pytest

from support.cases import AFFINE, IMAGE, LABEL, SHAPE, Lazy, batch_of, same
from support.volumes import random_volume
from volaug import CaseError, CenterCrop, Compose, RandomAffine, RandomTranslation, Stream
from volaug.data.cases import Case
from volaug.data.regions import as_parts
from volaug.warping.engine.borders import UNFOLDED


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
        pipeline = Compose(
            [RandomAffine(40.0, scale=(0.5, 2.0), p=1), CenterCrop(16)], seed=1, **options
        )
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
    shift = [RandomAffine(0, scale=0, shear=0, translation=((1000, 1000), 0, 0), p=1)]
    lazy = Lazy(IMAGE)
    assert (batch_of({"image": lazy}, shift)["image"] == 0).all()
    assert max(lazy.read) == 1


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


class Said:
    """A lazy volume that says whatever it is told to."""

    def __init__(self, shape, dtype):
        self.shape, self.dtype = shape, dtype

    def __getitem__(self, window):
        raise AssertionError("nothing needs to be read")


NIFTI = nibabel.Nifti1Image(IMAGE, AFFINE)
FLOATS = np.dtype(np.float32)


@pytest.mark.parametrize(
    ("lazy", "message"),
    [
        (NIFTI, r"got Nifti1Image: give numpy\.asarray\(image\.dataobj\), and affine="),
        (Said((8, 8, 8), "torch.float32"), "have a dtype of NumPy, got 'torch.float32'"),
        (Said((8, 8, 8), object()), "have a dtype of NumPy, got <object"),
        (Said((8, 8, None), FLOATS), r"have a shape of whole numbers, got \(8, 8, None\)"),
        (Said((8, 8, 8.0), FLOATS), r"have a shape of whole numbers, got \(8, 8, 8\.0\)"),
        (Said(8, FLOATS), "have a shape of whole numbers, got 8"),
        (Said((2**40,) * 3, FLOATS), r"have a shape of lengths from 1 to \d+, got \(1099"),
        (Said((8, 8, 2**70), FLOATS), r"have a shape of lengths from 1 to \d+, got \(8"),
        (Said((8, 8, -1), FLOATS), r"have a shape of lengths from 1 to \d+, got \(8, 8, -1"),
    ],
)
@pytest.mark.parametrize("name", ["image", "label"])
def test_what_a_lazy_volume_says_wrongly_is_said(name, lazy, message):
    case = {"image": IMAGE, name: lazy}
    with pytest.raises(CaseError, match=rf"case 0: .*'{name}' must .*{message}"):
        batch_of(case)


@pytest.mark.parametrize("name", ["image", "label"])
@pytest.mark.oracle("torch", "SimpleITK")
def test_dtypes_of_torch_and_images_of_simpleitk_are_said(name):
    import SimpleITK as itk
    import torch

    for lazy, message in (
        (Said((8, 8, 8), torch.float32), "have a dtype of NumPy, got torch.float32"),
        (itk.GetImageFromArray(IMAGE), r"got Image: give SimpleITK\.GetArrayFromImage\(image\)"),
    ):
        with pytest.raises(CaseError, match=rf"case 0: .*'{name}' must .*{message}"):
            batch_of({"image": IMAGE, name: lazy})


class Declared:
    """A lazy volume that says one thing and gives another."""

    def __init__(self, voxels, shape=None, dtype=None, give=lambda part: part):
        self.voxels, self.give = voxels, give
        self.shape, self.dtype = shape or voxels.shape, dtype or voxels.dtype

    def __getitem__(self, window):
        return self.give(self.voxels[window])


def masked(part):
    return np.ma.masked_less(part, 0.5)


@pytest.mark.parametrize(
    ("lazy", "message"),
    [
        (Declared(IMAGE, give=lambda part: part[1:]), "'image' must give the part that is asked"),
        (Declared(IMAGE, give=lambda part: part[..., :-1]), "'image' must give the part"),
        (Declared(IMAGE, give=lambda part: np.pad(part, 1)), "'image' must give the part"),
        (Declared(IMAGE, give=lambda part: part[None]), "'image' must give the part"),
        (Declared(IMAGE, give=lambda part: part.T[:-1]), "'image' must give the part"),
        (Declared(IMAGE[:-9], shape=SHAPE), "'image' must give the part"),
        (Declared(IMAGE, dtype=np.dtype(np.int16)), "'image' must give voxels of its dtype, int16"),
        (Declared(IMAGE, give=np.float64), "'image' must give voxels of its dtype, float32, got"),
        (Declared(IMAGE, give=masked), "'image' must give all of its voxels, got masked ones"),
    ],
)
def test_a_lazy_volume_that_gives_something_else(lazy, message):
    for mode in ("constant", "reflect"):  # of which the latter reads all of a volume
        pipeline = Compose([], mode={"image": mode})
        made = Stream([{"image": lazy}], pipeline, patch_shape=SHAPE, batch_size=1, seed=3)
        with pytest.raises(CaseError, match=rf"case 0 \(epoch 0, index 0\): {message}"):
            next(made)


@pytest.mark.oracle("zarr", "h5py")
def test_other_byte_orders_are_read_as_this_one(tmp_path):
    import h5py
    import zarr

    big = {"image": IMAGE.astype(">f4"), "label": LABEL.astype(">i2")}
    expected = batch_of({"image": IMAGE, "label": LABEL})
    with h5py.File(tmp_path / "case.h5", "w") as file:
        for name, voxels in big.items():
            file[name] = voxels
        assert file["image"].dtype == ">f4"
        same(batch_of({name: file[name] for name in big}), expected)
    same(batch_of({n: zarr.array(v, chunks=(16,) * 3) for n, v in big.items()}), expected)
    same(batch_of({n: Lazy(v) for n, v in big.items()}), expected)
    for name, voxels in big.items():
        np.save(tmp_path / f"{name}.npy", voxels)
    found = batch_of({name: tmp_path / f"{name}.npy" for name in big})
    same(found, expected)
    assert found["image"].dtype.isnative


@pytest.mark.parametrize("mode", UNFOLDED)
def test_a_lazy_volume_is_read_right_where_all_lies_outside(mode):
    """With "nearest" its border is what is seen; with the others it is `cval`."""
    volume = random_volume((20, 21, 22))
    pipeline = Compose([RandomTranslation((30, 40), p=1.0)], mode={"image": mode}, seed=1)
    for index in range(3):
        record = pipeline.draw(volume.shape, index=index)
        opened = Case({"image": Lazy(volume)}, pipeline.table).open()
        parts, origin = as_parts(opened, record)
        found = record.apply_checked(parts, {}, None, 1, origin)["image"]
        np.testing.assert_array_equal(found, record.apply(image=volume)["image"])
