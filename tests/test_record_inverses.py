"""What was drawn is undone, and a record says which voxels its result shows."""

import numpy as np
import pytest

from support.records import AFFINE, AFFINE_STEPS, ELASTIC, POINTS, SHAPE, STEPS, record_of
from support.volumes import random_labels, random_volume
from volaug import (
    CenterCrop,
    Compose,
    RandomAffine,
    RandomCrop,
    RandomElastic,
    RandomFlip,
    RandomGamma,
    RandomNoise,
    RandomTranslation,
)


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
    image, label = random_volume((2, *SHAPE)), random_labels(SHAPE, np.uint8)
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
