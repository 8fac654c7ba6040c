"""What was drawn, as text; done again to other images, and undone."""

import concurrent.futures
import functools
import pickle
from dataclasses import fields

import numpy as np
import pytest

from support.volumes import random_volume
from volaug import (
    CenterCrop,
    Compose,
    LabelPyramid,
    RandomAffine,
    RandomBrightness,
    RandomContrast,
    RandomCrop,
    RandomElastic,
    RandomFlip,
    RandomGamma,
    RandomHistogramShift,
    RandomNoise,
    RandomRotation,
    RandomScaling,
    RandomShear,
    RandomTranslation,
    Record,
    Warp,
)
from volaug.transforms.per_channel import ChannelId

SHAPE = (19, 22, 27)
AFFINE = np.array([[0.1, -0.9, 0.2, 7], [1.1, 0.3, 0, -9], [0, 0.1, 1 / 3, 0.7], [0, 0, 0, 1]])
POINTS = np.random.default_rng(0).uniform(-5, 30, (100, 3))

AFFINE_STEPS = (
    RandomFlip(p=0.7),
    RandomAffine(scale=0.3, shear=0.2, p=1),
    RandomRotation((180, 30, 30), p=1),
    RandomScaling(0.2, p=1),
    RandomShear(0.1, p=1),
    RandomTranslation(3, p=1),
)
ELASTIC = RandomElastic(3.0, num_control_points=(6, 7, 5), p=1)
STEPS = {
    "nothing": [],
    "affine": AFFINE_STEPS,
    "elastic": [ELASTIC, RandomAffine(p=1), CenterCrop((15, 25, 20))],
    "a crop": [RandomCrop((7, 30, 12))],
    "two warps": [RandomShear(0.2, p=1), RandomContrast(p=1), ELASTIC, RandomCrop((16, 18, 30))],
}


def record_of(kind, index=1, shape=SHAPE, size=None, **options):
    return Compose(STEPS[kind], seed=5, **options).draw(shape, **(size or {}), index=index)


def labels(shape=SHAPE, dtype=np.uint8):
    return np.random.default_rng(1).integers(0, 5, shape).astype(dtype)


@pytest.mark.parametrize("size", [{}, {"spacing": (0.1, 1 / 3, 3.3)}, {"affine": AFFINE}])
@pytest.mark.parametrize("kind", STEPS)
def test_json_keeps_every_bit(kind, size):
    options = {"targets": {"t2": "image"}, "cval": {"t2": (0.1, -1e300)}}
    record = record_of(kind, size=size, **options)
    again = Record.from_json(record.to_json())
    assert again.warps == record.warps
    for (name, step), (expected_name, expected) in zip(again.steps, record.steps, strict=True):
        assert (name, type(step)) == (expected_name, type(expected))
        for item in fields(step):
            value = np.asarray(getattr(step, item.name))
            assert value.tobytes() == np.asarray(getattr(expected, item.name)).tobytes()
    assert again == record
    assert again.to_json() == record.to_json()
    assert Record.from_dict(record.to_dict()) == record
    assert Record.from_json(record.to_json().encode()) == record
    pickled = pickle.loads(pickle.dumps(record))
    assert pickled == record
    assert pickled.warps == record.warps
    given = {"image": random_volume(SHAPE), "label": labels(), "points": POINTS}
    for name, value in again.apply(**given).items():
        np.testing.assert_array_equal(value, record.apply(**given)[name])


def test_a_record_with_a_fill_that_is_no_number_comes_back():
    record = record_of("affine", cval={"image": (np.nan, -0.0)})
    again = Record.from_json(record.to_json())
    assert again == record
    assert again != record_of("affine", cval={"image": (np.nan, 0.0)})
    (result,) = again.apply(image=random_volume((2, *SHAPE))).values()
    assert np.isnan(result[0]).any()
    assert not np.isnan(result[1]).any()


def test_records_are_equal_to_the_last_bit():
    record = record_of("elastic", size={"spacing": (1.0, 2.0, 3.0)})
    plain = record.to_dict()
    points = plain["steps"][0]["control_points"]
    points[1][2][3][4] = np.nextafter(points[1][2][3][4], 1.0)
    changed = Record.from_dict(plain)
    assert changed != record
    assert changed.warp != record.warp
    assert record != record_of("elastic", index=2, size={"spacing": (1.0, 2.0, 3.0)})
    assert record != record_of("elastic", size={"spacing": (1.0, 2.0, 3.5)})
    assert record != plain
    with pytest.raises(TypeError, match="unhashable"):
        hash(record)


def test_a_record_is_applied_to_another_modality_and_dtype():
    """As its warp is."""
    record = record_of("elastic", targets={"ct": "image"})
    given = {
        "ct": random_volume((2, *SHAPE), np.int16),
        "image": random_volume(SHAPE, np.float64),
        "label": labels(dtype=np.int64),
    }
    for name, volume in given.items():
        found = record.apply(**{name: volume})
        assert list(found) == [name]
        interpolation = "label" if name == "label" else "linear"
        expected = record.warp.apply(volume, interpolation=interpolation)
        np.testing.assert_array_equal(found[name], expected, strict=True)
    places = record.apply(points=POINTS)
    np.testing.assert_array_equal(places["points"], record.warp.points_to_output(POINTS))
    assert record.apply() == {}


def test_two_warps_with_intensity_between():
    """One after the other, by hand."""
    record = record_of("two warps")
    first, contrast, second = record.stages
    assert record.warps == (first, second)
    with pytest.raises(ValueError, match="this record has 2 warps"):
        _ = record.warp
    assert (first.shape, second.shape) == (SHAPE, (16, 18, 30))
    assert record.output_shape == (16, 18, 30)
    images, label = random_volume((2, *SHAPE)), labels()
    boxes = np.array([[[1.0, 2.0, 3.0], [9.0, 8.0, 7.0]]])
    sample = record.apply(image=images, label=label, points=POINTS, boxes=boxes)

    between = first.apply(images)
    for channel in between:
        contrast.change(channel, ChannelId("image", 0), 1)
    np.testing.assert_array_equal(sample["image"], second.apply(between))
    between = first.apply(label, interpolation="label")
    np.testing.assert_array_equal(sample["label"], second.apply(between, interpolation="label"))
    np.testing.assert_array_equal(
        sample["points"], second.points_to_output(first.points_to_output(POINTS))
    )
    np.testing.assert_array_equal(
        sample["boxes"], second.boxes_to_output(first.boxes_to_output(boxes))
    )

    back = record.invert(label=sample["label"], image=sample["image"], points=sample["points"])
    assert list(back) == ["label", "image", "points"]
    np.testing.assert_allclose(back["points"], POINTS, atol=1e-6)
    between = second.inverse(SHAPE).apply(sample["image"])
    np.testing.assert_array_equal(back["image"], first.inverse(SHAPE).apply(between))
    between = second.inverse(SHAPE).apply(sample["label"], interpolation="label")
    expected = first.inverse(SHAPE).apply(between, interpolation="label")
    np.testing.assert_array_equal(back["label"], expected)


def test_there_is_a_warp_before_intensity_and_no_more_than_needed():
    def stages(*steps):
        return [type(s).__name__ for s in Compose(list(steps), seed=1).draw(SHAPE, index=0).stages]

    shear, contrast = RandomShear(p=1), RandomContrast(p=1)
    assert stages() == ["Warp"]
    assert stages(shear, RandomFlip(p=1), shear) == ["Warp"]
    assert stages(contrast, contrast) == ["Warp", "Contrast", "Contrast"]
    assert stages(shear, contrast) == ["Warp", "Contrast"]
    assert stages(contrast, shear, shear) == ["Warp", "Contrast", "Warp"]
    assert stages(shear, RandomContrast(p=0), RandomFlip(p=0), shear) == ["Warp"]
    assert stages(shear, contrast, RandomFlip(p=0)) == ["Warp", "Contrast"]


def test_a_record_does_not_change():
    record = record_of("elastic", size={"affine": AFFINE})
    for array in (record.affine, record.steps[0][1].control_points, record.warp.matrix):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0.0
    with pytest.raises(AttributeError, match="cannot assign"):
        record.steps = ()


@pytest.mark.parametrize("size", [{}, {"spacing": (0.8, 1.0, 3.0)}, {"affine": AFFINE}])
@pytest.mark.parametrize("kind", STEPS)
@pytest.mark.slow
def test_points_and_boxes_come_back(kind, size):
    for index in range(5):
        record = record_of(kind, index=index, size=size)
        moved = record.apply(points=POINTS)["points"]
        np.testing.assert_allclose(record.invert(points=moved)["points"], POINTS, atol=1e-6)
        boxes = np.stack([POINTS, POINTS + 3.0], axis=1)
        back = record.invert(boxes=record.apply(boxes=boxes)["boxes"])["boxes"]
        assert (back[:, 0] <= boxes[:, 0] + 0.5).all()  # a turned box is in a larger one
        assert (back[:, 1] >= boxes[:, 1] - 0.5).all()


def ramps(shape):
    """The coordinates of each voxel: what becomes of them is where they went."""
    return np.indices(shape, dtype=float)


@pytest.mark.parametrize("size", [{}, {"spacing": (0.8, 1.0, 3.0)}, {"affine": AFFINE}])
def test_an_affine_warp_of_images_undoes_itself(size):
    """Linear interpolation of a ramp has no error of its own."""
    steps = [*AFFINE_STEPS, CenterCrop((40, 45, 50))]
    for index in range(5):
        record = Compose(steps, seed=5, cval={"image": np.nan}).draw(SHAPE, **size, index=index)
        there = record.apply(image=ramps(SHAPE))["image"]
        back = record.invert(image=there)["image"]
        assert back.shape == (3, *SHAPE)
        seen = np.isfinite(back)
        assert seen.mean() > 0.2
        np.testing.assert_allclose(back[seen], ramps(SHAPE)[seen], atol=1e-5)


@pytest.mark.slow
def test_an_elastic_warp_of_images_undoes_itself():
    """Where what the cubic splines of both images show is ten voxels away from their borders."""
    shape, margin = (61, 64, 58), 10
    steps = [RandomElastic(4.0, num_control_points=6, p=1), RandomAffine(translation=2, p=1)]
    options = {"interpolation": {"image": "cubic"}, "mode": {"image": "nearest"}}
    record = Compose(steps, seed=1, **options).draw(shape, index=0)
    there = record.apply(image=ramps(shape))["image"]
    error = np.abs(record.invert(image=there)["image"] - ramps(shape)).max(axis=0)
    voxels = ramps(shape).reshape(3, -1).T
    inside = np.ones(len(voxels), bool)
    for places in (voxels, record.warp.points_to_output(voxels)):
        inside &= (places >= margin).all(axis=1)
        inside &= (places <= np.subtract(shape, 1 + margin)).all(axis=1)
    assert inside.mean() > 0.2
    assert error.ravel()[inside].max() < 1e-3
    assert np.abs(there - ramps(shape)).max() > 5.0


@pytest.mark.parametrize("window", [(7, 9, 11), (30, 9, 40), SHAPE])
@pytest.mark.parametrize("kind", [CenterCrop, RandomCrop])
def test_a_crop_comes_back_padded(kind, window):
    """With the fill of each target, to the bit."""
    image, label = random_volume((2, *SHAPE)), labels()
    pipeline = Compose([kind(window)], seed=2, cval={"image": (-7.0, np.nan), "label": 9})
    sample = pipeline(image=image, label=label, index=1)
    back = sample.record.invert(image=sample["image"], label=sample["label"])
    starts = sample.record.steps[0][1].start
    kept = tuple(
        slice(max(start, 0), start + length) for start, length in zip(starts, window, strict=True)
    )
    expected = {"image": np.empty_like(image), "label": np.full_like(label, 9)}
    expected["image"][0], expected["image"][1] = -7.0, np.nan
    expected["image"][:, *kept], expected["label"][kept] = image[:, *kept], label[kept]
    for name, volume in expected.items():
        np.testing.assert_array_equal(back[name], volume, strict=True)


@pytest.mark.parametrize("steps", [AFFINE_STEPS, [*AFFINE_STEPS, ELASTIC], [ELASTIC]])
@pytest.mark.oracle("nilearn")
@pytest.mark.slow
def test_labels_and_probabilities_of_a_brain_come_back(steps):
    """Its tissues at 2 mm, out of a window that has all of it."""
    from nilearn import datasets

    tissues = [
        np.asarray(load(resolution=2).dataobj).astype(bool)[10:-9, 12:-11, :-5]
        for load in (datasets.load_mni152_gm_mask, datasets.load_mni152_wm_mask)
    ]
    label = np.where(tissues[1], 2, tissues[0]).astype(np.int16)
    chances = np.stack([label == tissue for tissue in range(3)]).astype(np.float32)
    pipeline = Compose(
        [*steps, CenterCrop((130, 140, 150))], seed=6, cval={"image": (1.0, 0.0, 0.0)}
    )
    sample = pipeline(image=chances, label=label, spacing=(2.0, 2.0, 2.0), index=3)
    np.testing.assert_allclose(sample["image"].sum(axis=0), 1.0, atol=1e-5)
    back = sample.record.invert(image=sample["image"], label=sample["label"])
    assert back["label"].shape == label.shape
    assert back["label"].dtype == np.int16
    for found in (back["label"], back["image"].argmax(axis=0)):
        for tissue in (1, 2):
            one, other = found == tissue, label == tissue
            assert 2.0 * (one & other).sum() / (one.sum() + other.sum()) > 0.96


@pytest.mark.slow
def test_a_record_holds_no_lock():
    """One that another thread held at the time of a fork would be held for ever in the child.

    `functools.cached_property` has one for all records, until Python 3.12.
    """
    for kind in (Record, Compose, Warp):
        for base in kind.__mro__:
            held = [n for n, v in vars(base).items() if isinstance(v, functools.cached_property)]
            assert not held, kind
    record = record_of("elastic")
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        image = random_volume(record.output_shape)
        results = [*pool.map(lambda _: record.invert(image=image)["image"], range(8))]
    for result in results:
        np.testing.assert_array_equal(result, results[0])


def test_places_that_a_fold_has_lost_stay_lost():
    """Through the warps that come after it, too."""
    fold = RandomElastic(60.0, folding="allow", p=1)
    pipeline = Compose([fold, RandomContrast(p=1), RandomAffine(p=1)], seed=0)
    record = pipeline.draw((30, 30, 30), index=0)
    points = np.random.default_rng(0).uniform(0, 29, (500, 3))
    boxes = np.stack([points, points + 1], axis=1)
    first = record.warps[0]
    lost = np.isnan(first.points_to_output(points)).all(axis=1)
    assert 0 < lost.sum() < 500
    result = record.apply(points=points, boxes=boxes)
    np.testing.assert_array_equal(np.isnan(result["points"]).all(axis=1), lost)
    kept = record.warps[1].points_to_output(first.points_to_output(points)[~lost])
    np.testing.assert_array_equal(result["points"][~lost], kept)
    assert np.isnan(result["boxes"]).any()


def test_what_a_result_does_not_show_is_not_seen():
    """By the places where the warp's inverse reads."""
    shape = (24, 26, 22)
    steps = [RandomAffine(25, translation=6.0, p=1.0), CenterCrop((20, 22, 24))]
    for index in range(4):
        record = Compose(steps, seed=3).draw(shape, index=index)
        grid = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1).reshape(-1, 3)
        places = record.warp.points_to_output(grid)
        last = np.subtract(record.output_shape, 1)
        inside = ((places >= -1e-6) & (places <= last + 1e-6)).all(1).reshape(shape)
        seen = record.seen()
        assert seen.dtype == bool
        np.testing.assert_array_equal(seen, inside)
        assert 0 < seen.sum() < seen.size


@pytest.mark.slow
def test_the_mean_over_augmented_predictions_is_right_where_one_was_seen():
    """Divided by how often a voxel was seen, and not by the number of draws."""
    shape = (24, 26, 22)
    truth = np.broadcast_to(np.float32([[[[0.25]]], [[[0.75]]]]), (2, *shape))
    steps = [RandomFlip(), RandomElastic(3.0, p=0.5), RandomNoise(0.0, p=1.0)]
    steps += [RandomAffine(30, translation=5.0, p=1.0), CenterCrop((16, 20, 20))]
    pipeline = Compose(steps, seed=5, mode={"image": "nearest"})
    total, times = np.zeros(truth.shape), np.zeros(shape)
    for index in range(6):
        record = pipeline.draw(shape, index=index, channels=2)
        assert len(record.warps) == 2
        seen = record.seen(threads=2)
        np.testing.assert_array_equal(seen, record.seen(threads=1))
        prediction = record.apply(image=truth)["image"]
        total += record.invert(image=prediction)["image"] * seen
        times += seen
    assert times.min() == 0 < times.max()
    mean = (total / np.maximum(times, 1))[:, times > 0]
    np.testing.assert_allclose(mean, truth[:, times > 0], atol=1e-6)


def test_all_is_seen_of_what_moves_nothing_out():
    for steps in ([], [RandomFlip(p=1.0)], [RandomGamma(p=1.0)]):
        assert Compose(steps, seed=1).draw((5, 6, 7), index=0).seen().all()
    moved = Compose([RandomTranslation((50, 60), p=1.0)], seed=1).draw((5, 6, 7), index=0)
    assert not moved.seen().any()


def test_a_sample_says_what_it_is_and_what_was_drawn():
    steps = [RandomElastic(60.0, p=1), CenterCrop(12)]
    pipeline = Compose(steps, seed=1)
    sample = pipeline(image=random_volume((2, *SHAPE)), points=[[1, 2, 3]], index=3)
    (factor,) = sample.record.elastic_factors
    operation = sample.record.steps[0][1]
    lines = str(sample).splitlines()
    assert lines[0] == "Sample of Key(seed=1, epoch=0, index=3, occurrence=0)"
    assert lines[1] == "  image   float32 (2, 12, 12, 12)"
    assert lines[2] == "  points  float64 (1, 3)"
    assert f"7 x 7 x 7 control points, up to {operation.amplitude:.3g}, 'forbid'" in lines[4]
    assert lines[4].endswith(f"shrunk to {factor * operation.amplitude:.3g} so that it cannot fold")
    assert lines[5] == "    CenterCrop: Crop(start=(3, 5, 7), shape=(12, 12, 12))"
    steps = [RandomContrast(p=1), RandomElastic(60.0, p=1), LabelPyramid([1, 0.5])]
    sample = Compose(steps, seed=1)(
        image=random_volume(SHAPE), label=random_volume(SHAPE, np.uint8), index=3
    )
    lines = str(sample).splitlines()
    assert lines[2].count("uint8") == 2
    assert "shrunk to" in lines[5]
    assert "drawn: nothing" in str(Compose([], seed=1)(image=random_volume(SHAPE), index=0))

    steps = [RandomElastic(20, p=1, include=["image"]), RandomElastic(0.1, p=1, include=["label"])]
    sample = Compose(steps, seed=1)(image=random_volume(SHAPE), index=0)
    assert "shrunk" not in str(sample)  # of which target's warp?


def test_a_sample_says_the_numbers_of_a_draw_and_no_defaults():
    steps = [
        RandomRotation((12.34567, 12.34567), p=1, include=["image"]),
        RandomContrast((0.123456, 0.123456), p=1),
        RandomBrightness((98.76543, 98.76543), p=1),
        RandomHistogramShift(num_control_points=100, p=1),
    ]
    sample = Compose(steps, seed=1)(image=random_volume((2, *SHAPE)), index=0)
    *_, rotation, contrast, brightness, shift = str(sample).splitlines()
    assert rotation == (
        "    RandomRotation: Affine(degrees=(12.346, 12.346, 12.346), targets=('image',))"
    )
    assert contrast == "    RandomContrast: Contrast(factor=0.123)"
    assert brightness == "    RandomBrightness: Brightness(factor=98.765)"
    assert len(shift) < 450
    assert shift.endswith("...")
