"""A pipeline and a record refuse a wrong sample before any work, and say what to do."""

import functools
import pathlib

import numpy as np
import pytest

from support.volumes import nan_filled, random_volume
from volaug import (
    CenterCrop,
    Compose,
    OneOf,
    RandomAffine,
    RandomContrast,
    RandomCrop,
    RandomElastic,
    RandomFlip,
    RandomScaling,
    RandomShear,
    affine_transform,
)

SHAPE = (6, 7, 9)
NAN, INF = np.nan, np.inf


IMAGE = random_volume(SHAPE)
LABEL = random_volume(SHAPE, np.uint8)
SPACING = "spacing must be three voxel sizes in mm.*"
WORLD = r"affine must be a \(4, 4\) matrix from voxels to mm"
SHEARED = np.eye(4)
SHEARED[:2, :2] = [[1, 1], [1, 1 + 1e-15]]
NEARLY = np.eye(4)
NEARLY[:2, :2] = [[1, 1], [1, 1 + 1e-9]]

CALLS = [
    ({"label": LABEL[1:]}, ValueError, r"one shape .*'image' \(6, 7, 9\), 'label' \(5, 7, 9\)"),
    ({"t2": np.zeros((2, 9, 7, 6))}, ValueError, r"'image' \(6, 7, 9\), 't2' \(9, 7, 6\)"),
    ({"lable": LABEL}, ValueError, "unknown target 'lable'; did you mean 'label'"),
    ({"mask": LABEL}, ValueError, "unknown target 'mask'; there are 'image', 'label'"),
    ({"seed": 1}, ValueError, "unknown target 'seed'"),
    ({"label": None}, TypeError, "label must be an array, got None: leave out"),
    ({"label": "brain.nii"}, TypeError, "an array, got the path 'brain.nii': load the"),
    ({"label": LABEL * 1j}, TypeError, "label must be of dtype bool, .*got complex128"),
    ({"label": LABEL[0]}, ValueError, r"label must have the shape .*got shape \(7, 9\)"),
    ({"label": LABEL[:0]}, ValueError, r"label must .* no axis of length 0, got shape \(0, 7, 9\)"),
    ({"label": LABEL[None, None]}, ValueError, r"label must .*got shape \(1, 1, 6, 7, 9\)"),
    ({"points": (1, 2, 3)}, ValueError, r"'points': points must be .*\(N, 3\), got shape \(3,\)"),
    ({"points": np.ones((3, 2))}, ValueError, r"'points': .*\(N, 3\), got shape \(3, 2\)"),
    ({"points": [[1, 2, NAN]]}, ValueError, "'points': points must be finite, got 1"),
    ({"points": [["a", "b", "c"]]}, TypeError, r"'points': .*\(N, 3\), got an array of dtype <U1"),
    ({"points": None}, TypeError, r"'points': .*\(N, 3\), got an array of dtype object"),
    ({"points": [[1, 2, 3], [4, 5]]}, (TypeError, ValueError), r"'points': points must .*\(N, 3\)"),
    ({"boxes": np.ones((2, 6))}, ValueError, r"'boxes': .*\(N, 2, 3\).*, got shape \(2, 6\)"),
    ({"boxes": np.ones((1, 3, 2))}, ValueError, r"'boxes': .*\(N, 2, 3\).*, got shape \(1, 3, 2\)"),
    (
        {"boxes": [[[1, 2, 3], [4, 5, 6]], [[1, 9, 3], [4, 5, 6]]]},
        ValueError,
        r"a least corner beyond the greatest: \[\[1.0, 9.0, 3.0\], \[4.0, 5.0, 6.0\]\]",
    ),
    ({"spacing": (1, 2)}, ValueError, rf"{SPACING}, got \(1, 2\)"),
    ({"spacing": 1.0}, ValueError, f"{SPACING}, got 1.0"),
    ({"spacing": (1, 0, 1)}, ValueError, rf"{SPACING}, got \(1, 0, 1\)"),
    ({"spacing": (1, -2, 1)}, ValueError, rf"{SPACING}, got \(1, -2, 1\)"),
    ({"spacing": (1, 1e-200, 1)}, ValueError, rf"{SPACING}, got \(1, 1e-200, 1\)"),
    ({"spacing": (1, 1e200, 1)}, ValueError, rf"{SPACING}, got \(1, 1e.200, 1\)"),
    ({"spacing": (1, NAN, 1)}, ValueError, "spacing must be finite, got 1"),
    ({"spacing": (1, INF, 1)}, ValueError, "spacing must be finite, got 1"),
    ({"spacing": (1, "2", 1)}, TypeError, f"{SPACING}, got an array of dtype <U"),
    ({"spacing": (True, True, True)}, TypeError, f"{SPACING}, got an array of dtype bool"),
    ({"spacing": (1, [2, 3], 4)}, (TypeError, ValueError), SPACING),
    ({"affine": np.eye(3)}, ValueError, rf"{WORLD}, whose last row .*got \[\[1.0"),
    ({"affine": np.eye(4)[::-1]}, ValueError, f"{WORLD}, whose last row is 0, 0, 0, 1, got"),
    ({"affine": np.diag((1, 0, 1, 1))}, ValueError, "affine must be invertible, got"),
    ({"affine": SHEARED}, ValueError, "affine must be invertible, got"),
    ({"affine": NEARLY}, ValueError, "affine must be invertible, got"),
    ({"affine": np.diag((1, 1e-200, 1, 1))}, ValueError, "affine must have voxel sizes from 1e-06"),
    ({"affine": np.diag((1, 1e200, 1, 1))}, ValueError, "affine must have voxel sizes from 1e-06"),
    ({"affine": np.diag((1, NAN, 1, 1))}, ValueError, "affine must be finite, got 1"),
    ({"affine": np.eye(4) * 1j}, TypeError, f"{WORLD}, got an array of dtype complex128"),
    ({"affine": "RAS"}, TypeError, f"{WORLD}, got an array of dtype <U3"),
    ({"affine": np.eye(4), "spacing": (1, 1, 1)}, ValueError, "spacing or affine,.*: got both"),
    ({"index": -1}, ValueError, "index must be from 0 to 18446744073709551615, got -1"),
    ({"index": 2**64}, ValueError, "index must be from 0 to .*, got 18446744073709551616"),
    ({"index": 1.0}, TypeError, "index must be a whole number, got 1.0"),
    ({"index": "1"}, TypeError, "index must be a whole number, got '1'"),
    ({"index": True}, TypeError, "index must be a whole number, got True"),
    ({"index": (1,)}, TypeError, r"index must be a whole number, got \(1,\)"),
    ({"index": None}, ValueError, "index must be given, as the pipeline has a seed"),
    ({"epoch": -1}, ValueError, "epoch must be from 0 to 18446744073709551615, got -1"),
    ({"epoch": 0.5}, TypeError, "epoch must be a whole number, got 0.5"),
    ({"epoch": None}, TypeError, "epoch must be a whole number, got None"),
    ({"epoch": np.bool(True)}, TypeError, "epoch must be a whole number, got .*True"),
    ({"threads": 0}, ValueError, "threads must be a whole number of at least 1, got 0"),
    ({"threads": 1.5}, TypeError, "threads must be a whole number of at least 1, got 1.5"),
    (
        {"t2": np.zeros((3, *SHAPE))},
        ValueError,
        r"'t2'.*cval .* one for each of 3.*\(1, 2\)|\[1, 2",
    ),
]

# One stage, and three: what is wrong with the last is said before the first.
PIPELINES = {
    "a warp": [RandomAffine(p=1)],
    "a copy": [RandomFlip(p=1)],
    "two warps": [RandomShear(p=1), RandomContrast(p=1), RandomElastic(1.0, p=1)],
}


def a_pipeline(kind="a warp"):
    cval = {"t2": (1, 2), "label": 3}
    return Compose(PIPELINES[kind], seed=1, targets={"t2": "image"}, cval=cval)


@pytest.mark.parametrize("kind", PIPELINES)
@pytest.mark.parametrize(("change", "error", "message"), CALLS)
def test_a_call_raises_before_any_work(change, error, message, kind):
    out = nan_filled(SHAPE, np.float32)
    arguments = {"image": IMAGE, "index": 0, "out": {"image": out}, **change}
    with pytest.raises(error, match=message):
        a_pipeline(kind)(**arguments)
    assert np.isnan(out).all()


WRITABLE = "'label'.* must be an array that can be written to, got list"
OUTS = {
    "an array": (lambda image: image, TypeError, "out must be a mapping from .*, got ndarray"),
    "a list": (lambda image: [image], TypeError, "out must be a mapping from names.*got list"),
    "a name": (lambda image: "image", TypeError, "out must be a mapping from names.*got str"),
    "a number": (lambda image: 0, TypeError, "out must be a mapping from names.*got int"),
    "nothing": (lambda image: [], TypeError, "out must be a mapping from names.*got list"),
    "an unknown name": ({"lable": IMAGE.copy()}, ValueError, "out .*'lable'"),
    "points": ({"points": np.ones((1, 3))}, ValueError, "out .*'points'"),
    "a target not given": ({"t2": IMAGE.copy()}, ValueError, "out .*'t2'"),
    "shape": (
        {"label": LABEL[1:].copy()},
        ValueError,
        r"'label'.* must be uint8.*got .*\(5, 7, 9\)",
    ),
    "dtype": ({"label": LABEL.astype(int)}, ValueError, "'label'.* must be uint8 of .*got int64"),
    "a list of labels": ({"label": LABEL.tolist()}, TypeError, WRITABLE),
    "read-only": (
        {"label": np.broadcast_to(np.uint8(0), SHAPE)},
        ValueError,
        "'label'.* writeable",
    ),
    "over its volume": ({"label": LABEL}, ValueError, r"out\['label'\] must not overlap"),
    "over another": (
        lambda image: {"image": image, "label": image.view(np.uint8)[..., :9]},
        ValueError,
        "must not overlap",
    ),
}


@pytest.mark.parametrize("kind", PIPELINES)
@pytest.mark.parametrize("wrong", OUTS)
def test_a_wrong_out_raises_before_any_work(wrong, kind):
    change, error, message = OUTS[wrong]
    label, image = LABEL.copy(), nan_filled(SHAPE, np.float32)
    out = change(image) if callable(change) else {"image": image, **change}
    arguments = {"image": IMAGE, "label": LABEL, "points": np.ones((1, 3)), "index": 0}
    with pytest.raises(error, match=message):
        a_pipeline(kind)(**arguments, out=out)
    assert np.isnan(image).all()
    np.testing.assert_array_equal(LABEL, label)


def test_a_grid_is_needed():
    for targets in ({}, {"points": np.ones((2, 3))}, {"boxes": np.ones((2, 2, 3))}):
        with pytest.raises(ValueError, match="an image or a label is needed, which shows the grid"):
            Compose([])(**targets)
    with pytest.raises(ValueError, match=r"three lengths .*got \(2, 4, 5, 6\)"):
        Compose([]).draw((2, 4, 5, 6))


def test_a_record_is_for_its_shape():
    record = Compose([CenterCrop(5)], seed=1).draw(SHAPE, index=0)
    message = r"'label' must have the shape \(6, 7, 9\), which the record is for, got \(9, 7, 6\)"
    out = nan_filled((5, 5, 5), np.float32)
    with pytest.raises(ValueError, match=message):
        record.apply(image=IMAGE, label=LABEL.T, out={"image": out})
    with pytest.raises(ValueError, match=message):
        record.apply(label=LABEL.T)
    assert np.isnan(out).all()
    message = r"'image' must have the shape \(5, 5, 5\), which the record's result has, got \(6, 7"
    with pytest.raises(ValueError, match=message):
        record.invert(image=IMAGE)
    with pytest.raises(ValueError, match=r"'points': points must be .*\(N, 3\)"):
        record.invert(points=(1, 2, 3))
    with pytest.raises(ValueError, match="threads must be"):
        record.invert(image=IMAGE[:5, :5, :5], threads=0)


def test_a_displacement_that_folds_has_no_inverse():
    steps = [RandomElastic(60.0, num_control_points=5, folding="allow", p=1)]
    record = Compose(steps, seed=1).draw((20, 21, 22), index=0)
    with pytest.raises(ValueError, match="the warp has no inverse: its displacement folds"):
        record.invert(image=np.zeros((20, 21, 22)))


class PathLike:
    def __fspath__(self):
        return "brain.nii.gz"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (None, "got None: leave out what there is not"),
        ("brain.nii.gz", "got the path 'brain.nii.gz': load the file"),
        (pathlib.Path("brain.npy"), "got the path PosixPath.'brain.npy'.: load the file"),
        (b"brain.npy", "got bytes: load the file"),
        (PathLike(), "got the path .*: load the file"),
        ({"image": IMAGE}, "got dict: give its arrays by their names"),
    ],
)
@pytest.mark.parametrize("name", ["image", "label"])
def test_what_is_no_array_says_what_to_do(name, given, message):
    pipeline = Compose([RandomFlip()], seed=0)
    with pytest.raises(TypeError, match=f"{name} must be an array, {message}"):
        pipeline(**{"image": IMAGE, name: given}, index=0)
    with pytest.raises(TypeError, match=f"{name} must be an array, {message}"):
        pipeline.draw(SHAPE, index=0).apply(**{name: given})


def test_images_of_other_libraries_say_what_to_do():
    import nibabel
    import PIL.Image
    import SimpleITK

    call = functools.partial(Compose([RandomFlip()], seed=0), index=0)
    with pytest.raises(TypeError, match=r"got Nifti1Image: give numpy.asarray\(image.dataobj\)"):
        call(image=nibabel.Nifti1Image(np.zeros(SHAPE, np.float32), np.eye(4)))
    with pytest.raises(TypeError, match=r"got Image: give SimpleITK.GetArrayFromImage\(image\)"):
        call(image=SimpleITK.GetImageFromArray(np.zeros(SHAPE, np.float32)))
    picture = PIL.Image.fromarray(np.zeros((8, 9, 3), np.uint8))
    with pytest.raises(TypeError, match=r"got Image: .* numpy.asarray\(image\)\[None\]"):
        call(image=picture)


def test_targets_are_given_by_name():
    pipeline = Compose([RandomFlip()], seed=0)
    record = pipeline.draw(SHAPE, index=0)
    for call in (pipeline, record.apply, record.invert):
        with pytest.raises(TypeError, match=r"by name, such as image=.* got ndarray, list "):
            call(IMAGE, [], index=0)
    with pytest.raises(ValueError, match=r"'mask'; .* as targets={'mask': .label.}"):
        pipeline(image=IMAGE, mask=LABEL, index=0)
    with pytest.raises(ValueError, match=r"got shape \(7, 9\): give one slice as image\[None\]"):
        pipeline(image=np.zeros((7, 9)), index=0)


HOLDS_ITSELF = []
HOLDS_ITSELF.append(HOLDS_ITSELF)
DEEP = functools.reduce(lambda inner, _: [inner], range(100_000), 1)


@pytest.mark.parametrize("value", [HOLDS_ITSELF, DEEP], ids=["holds itself", "deep"])
def test_lists_that_hold_themselves(value):
    pipeline = Compose([RandomFlip()], seed=0)
    calls = [
        lambda: RandomScaling(value),
        lambda: RandomFlip(value),
        lambda: RandomCrop(value),
        lambda: RandomElastic(value),
        lambda: Compose(value),
        lambda: OneOf([RandomFlip()], value),
        lambda: Compose([], cval={"image": value}),
        lambda: pipeline(image=value, index=0),
        lambda: pipeline(image=IMAGE, points=value, index=0),
        lambda: pipeline(image=IMAGE, boxes=value, index=0),
        lambda: pipeline.draw(value, index=0),
        lambda: pipeline.draw(SHAPE, spacing=value, index=0),
        lambda: pipeline.draw(SHAPE, affine=value, index=0),
    ]
    for call in calls:
        with pytest.raises((TypeError, ValueError), match="must be"):
            call()


@pytest.mark.parametrize("nothing", [[], (), np.array([]), np.zeros(0, np.int64)])
def test_an_empty_list_of_places_is_none(nothing):
    steps = [RandomElastic(0.5, p=1), RandomContrast(p=1), RandomAffine(p=1)]
    record = Compose(steps, seed=0).draw(SHAPE, index=0)
    for call in (record.apply, record.invert):
        places = call(points=nothing, boxes=nothing)
        assert places["points"].shape == (0, 3)
        assert places["boxes"].shape == (0, 2, 3)
    for wrong in ([[]], np.zeros((0, 2)), np.zeros((1, 0))):
        with pytest.raises(ValueError, match="points must be places"):
            record.apply(points=wrong)
        with pytest.raises(ValueError, match="boxes must be boxes"):
            record.apply(boxes=wrong)


LAST = r"{} of shape \(40, 10, 11, 4\) is taken as 40 channels of \(10, 11, 4\): .*moveaxis"


@pytest.mark.slow
def test_channels_that_may_be_last_are_warned_of():
    volume = np.zeros((40, 10, 11, 4), np.float32)
    pipeline = Compose([RandomFlip()], seed=0)
    with pytest.warns(UserWarning, match=LAST.format("label")) as caught:
        pipeline(label=volume, index=0)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    with pytest.warns(UserWarning, match=LAST.format("volume")) as caught:
        affine_transform(volume, np.eye(3))
    assert len(caught) == 1
    assert caught[0].filename == __file__
    for shape in ((4, 40, 10, 11), (15, 10, 11, 4), (16, 10, 11, 9), (40, 10, 4)):
        pipeline(image=np.zeros(shape, np.float32), index=0)


FIRST = r"{} of shape \({}, 32, 40\) is taken as a volume of {} slices: give {}\[..., None\] for a "


@pytest.mark.parametrize("channels", [2, 3, 4])
@pytest.mark.parametrize("name", ["image", "t2"])
def test_pictures_with_channels_first_are_warned_of(name, channels):
    pipeline = Compose([RandomFlip()], targets={"t2": "image"}, seed=0)
    picture = np.zeros((channels, 32, 40), np.float32)
    message = FIRST.format(name, channels, channels, name)
    with pytest.warns(UserWarning, match=message) as caught:
        pipeline(**{name: picture}, label=picture.astype(np.int16), index=0)
    assert len(caught) == 1
    assert caught[0].filename == __file__


@pytest.mark.parametrize(
    "shape", [(1, 32, 40), (5, 32, 40), (3, 31, 40), (32, 40, 3), (3, 32, 40, 1)]
)
def test_what_is_no_picture_is_not_warned_of(shape):
    Compose([RandomFlip()], seed=0)(image=np.zeros(shape, np.float32), index=0)
