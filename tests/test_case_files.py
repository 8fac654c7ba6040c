"""What a case of a stream may be: arrays, files, what is sliced like an array, functions."""

from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK

from support.volumes import random_volume
from volaug import (
    CaseError,
    CenterCrop,
    Compose,
    RandomAffine,
    RandomElastic,
    RandomFlip,
    RandomTranslation,
    Stream,
)
from volaug.data.cases import Case, as_parts
from volaug.data.files import npy
from volaug.data.files.opening import open_volume
from volaug.warping.engine.borders import UNFOLDED

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


def test_npy_files_are_read_and_not_mapped(tmp_path):
    np.save(tmp_path / "image.npy", IMAGE)
    np.save(tmp_path / "label.npy", np.asfortranarray(LABEL))
    case = {"image": tmp_path / "image.npy", "label": str(tmp_path / "label.npy")}
    opened = Case(case, Compose([]).table).open()
    assert opened.shape == SHAPE
    same(batch_of(case), batch_of({"image": IMAGE, "label": LABEL}))
    assert str(tmp_path) not in Path("/proc/self/maps").read_text()


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("shape", [(9, 8, 7), (3, 9, 8, 7)])
def test_boxes_of_npy_files(tmp_path, monkeypatch, order, shape):
    """Of the rows that a box touches, and no others, is anything read."""
    voxels = np.asarray(random_volume(shape), order=order)
    np.save(tmp_path / "image.npy", voxels)
    volume, read = open_volume(tmp_path / "image.npy"), []
    into = npy._read_into
    monkeypatch.setattr(
        npy, "_read_into", lambda *given: read.append(given[2].size) or into(*given)
    )
    rng = np.random.default_rng(0)
    for _ in range(30):
        ends = [sorted(rng.choice(n + 1, 2, replace=False).tolist()) for n in shape[-3:]]
        window = (..., *(slice(*each) for each in ends))
        read.clear()
        np.testing.assert_array_equal(volume[window], voxels[window])
        row, length = (-1, shape[-1]) if order == "C" else (-voxels.ndim, shape[0])
        assert sum(read) == voxels[window].size // voxels[window].shape[row] * length
    np.testing.assert_array_equal(volume[...], voxels)


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


def test_the_data_of_an_image_of_nibabel_is_what_it_scales(tmp_path):
    scaled = nibabel.Nifti1Image(LABEL.astype(">i2"), AFFINE)
    scaled.header.set_slope_inter(0.5, 3.0)
    nibabel.save(scaled, tmp_path / "scaled.nii")
    image = nibabel.load(tmp_path / "scaled.nii")
    found = batch_of({"image": image.dataobj})["image"]
    expected = batch_of({"image": np.asarray(image.dataobj)})["image"]
    assert found.dtype == expected.dtype == np.float64
    np.testing.assert_allclose(found, expected, atol=1e-12)


DATA = Path(nibabel.__file__).parent / "tests" / "data"


@pytest.mark.parametrize(
    "name",
    [
        "scaled+tlrc.HEAD", "phantom_varscale.PAR", "phantom_EPI_asc_CLEAR_2_1.PAR",
        "example4d+orig.HEAD", "functional.nii", "anatomical.nii", "reoriented_anat_moved.nii",
        "example_nifti2.nii.gz", "standard.nii.gz", "test.mgz", "minc1_1_scale.mnc", "tiny.mnc",
    ],
)  # fmt: skip
def test_voxels_mean_what_nibabel_says(name):
    """Whatever a format calls its scaling, and wherever it keeps it."""
    expected = np.asarray(nibabel.load(DATA / name).dataobj)
    if expected.ndim == 4:
        expected = np.moveaxis(expected, 3, 0)
    scan = open_volume(DATA / name)
    whole = scan[...]
    assert whole.dtype == scan.dtype
    assert scan.dtype.isnative
    assert (scan.dtype.kind == "f") == (expected.dtype.kind == "f")
    np.testing.assert_allclose(whole, expected.reshape(scan.shape), rtol=1e-6)
    assert np.ptp(whole) > 0
    part = scan[..., 1:3, 2:4, 0:3]
    np.testing.assert_array_equal(part, whole[..., 1:3, 2:4, 0:3])


def labels_of(file):
    case = {"image": IMAGE, "label": file}
    pipeline = Compose([])
    with Stream([case], pipeline, patch_shape=SHAPE, batch_size=1, seed=1) as made:
        return next(made)["label"][0, 0]


@pytest.mark.parametrize("slope", [1.000015, 0.999985, 0.1, 1 / 3])
def test_labels_that_are_stored_scaled_are_whole_numbers(tmp_path, slope):
    """2 is 2.00003 there, or 1.99997, of which a cast makes 1."""
    stored = np.round(np.arange(40) / slope).astype(np.int16)
    steps = stored * np.float32(slope)
    expected = np.arange(40)[np.abs(steps - np.arange(40)) < 1e-3]
    voxels = np.resize(stored[expected], SHAPE)
    image = nibabel.Nifti1Image(voxels, AFFINE)
    image.header.set_slope_inter(slope, 0.0)
    nibabel.save(image, tmp_path / "label.nii.gz")
    found = labels_of(tmp_path / "label.nii.gz")
    assert found.dtype == np.int16
    np.testing.assert_array_equal(found, np.resize(expected, SHAPE))


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".npy", ".nrrd"])
@pytest.mark.parametrize(
    ("stored", "highest", "dtype"),
    [
        (np.float32, 3, np.int16), (np.float64, 14175, np.int16), (np.float32, 40000, np.int32),
        (np.float64, 2**40, np.int64), (np.uint8, 255, np.uint8), (np.int16, 999, np.int16),
        (np.int32, 3, np.int32),
    ],
)  # fmt: skip
def test_labels_of_files_are_integers(tmp_path, suffix, stored, highest, dtype):
    """Those that are integers keep their dtype; others take int16 if that holds them."""
    file, voxels = tmp_path / f"label{suffix}", LABEL.astype(stored)
    voxels[5, 6, 7] = highest
    if suffix == ".npy":
        np.save(file, voxels)
    elif suffix == ".nrrd":
        SimpleITK.WriteImage(SimpleITK.GetImageFromArray(voxels.transpose(2, 1, 0)), str(file))
    else:
        nibabel.save(nibabel.Nifti1Image(voxels, AFFINE, dtype=stored), file)
    found = labels_of(file)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, voxels)


@pytest.mark.parametrize("value", [0.5, np.nan, np.inf, -np.inf, 1.01, 1e300])
def test_labels_that_are_no_whole_numbers(tmp_path, value):
    voxels = LABEL.astype(np.float64)
    voxels[1, 2, 3] = value
    np.save(tmp_path / "label.npy", voxels)
    message = "labels must fit" if value == 1e300 else "labels must be whole numbers, got 1 voxels"
    with pytest.raises(CaseError, match=message) as caught:
        labels_of(tmp_path / "label.npy")
    assert caught.value.file == str(tmp_path / "label.npy")


class Named:
    """A path that is no `Path`."""

    def __init__(self, path):
        self.path = path

    def __fspath__(self):
        return self.path


def test_any_path_is_one(tmp_path):
    file = tmp_path / "image.npy"
    np.save(file, IMAGE)
    expected = batch_of({"image": IMAGE})
    for path in (str(file), file, Named(str(file)), Named(bytes(file))):
        np.testing.assert_array_equal(batch_of({"image": path})["image"], expected["image"])


def mixed_cases(folder):
    """One picture as several dtypes, in memory, in a file, and read lazily."""
    ints = np.abs(1000 * IMAGE).astype(np.int16)
    np.save(folder / "image.npy", ints.astype(np.uint16))
    images = (ints, ints.astype(np.float64), Lazy(ints.astype(np.float32)), folder / "image.npy")
    return [{"image": image, "label": LABEL} for image in images]


@pytest.mark.parametrize("dtype", ["float32", np.float64, np.dtype(np.float16)])
def test_images_are_converted_and_labels_are_not(tmp_path, dtype):
    cases, pipeline = mixed_cases(tmp_path), Compose(STEPS)
    expected = {"image": cases[0]["image"].astype(dtype), "label": LABEL}
    options = {"patch_shape": 16, "batch_size": 4, "seed": 3, "foreground": 0.0}
    with Stream(cases, pipeline, dtype=dtype, **options) as made:
        batch = next(made)
    with Stream([expected] * 4, pipeline, **options) as made:
        same(batch, next(made))
    assert batch["image"].dtype == dtype
    assert batch["label"].dtype == np.int16


def test_cases_of_several_dtypes_are_said_in_words(tmp_path):
    made = Stream(mixed_cases(tmp_path), Compose([]), patch_shape=8, batch_size=4, seed=1)
    message = (
        r"'image' must be int16 with 1 channel, as case 0 has it, got \w+ with 1 channel: dtype= "
        r"of the stream converts images"
    )
    with pytest.raises(CaseError, match=message):
        next(made)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"image": np.stack([IMAGE, IMAGE])}, "float32 with 1 channel, .* got float32 with 2 chan"),
        ({"image": IMAGE, "points": [[1, 2, 3]]}, "must have image, as case 0 has, got image, poi"),
        ({"image": IMAGE, "affine": AFFINE}, "must have image, as case 0 has, got affine, image"),
        ({"image": IMAGE, "label": LABEL}, "must have image, as case 0 has, got image, label"),
    ],
)
def test_cases_that_do_not_fit_into_one_batch(other, message):
    made = Stream([{"image": IMAGE}, other], Compose([]), patch_shape=8, batch_size=2, seed=1)
    with pytest.raises(CaseError, match=rf"case 1 \(epoch 0, index 1\): .*{message}"):
        next(made)


def test_one_channel_fits_with_and_without_an_axis():
    cases = [{"image": IMAGE}, {"image": IMAGE[None]}]
    with Stream(cases, Compose([]), patch_shape=SHAPE, batch_size=2, seed=1) as made:
        batch = next(made)["image"]
    np.testing.assert_array_equal(batch[0], batch[1])


@pytest.mark.parametrize("dtype", ["int16", "float128", "bfloat16", complex, 3, "no"])
def test_a_wrong_dtype(dtype):
    with pytest.raises(ValueError, match="dtype must be float16, float32, float64 or None, got"):
        Stream([{"image": IMAGE}], Compose([]), patch_shape=8, batch_size=1, seed=1, dtype=dtype)


def test_a_dtype_that_is_too_small():
    options = {"patch_shape": 8, "batch_size": 1, "seed": 1, "dtype": "float16"}
    made = Stream([{"image": 1e6 + IMAGE}], Compose([]), **options)
    with pytest.raises(CaseError, match="'image' must fit into float16, got 99"):
        next(made)


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
