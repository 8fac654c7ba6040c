"""Spatial steps in a row are one warp: exact, interpolated once, and only in the window."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy.spatial.transform import Rotation

from support.volumes import drawn, fixed, random_volume
from volaug import (
    CenterCrop,
    Compose,
    RandomAffine,
    RandomContrast,
    RandomCrop,
    RandomElastic,
    RandomFlip,
    RandomRotation,
    RandomScaling,
    RandomShear,
    RandomTranslation,
    Warp,
)
from volaug.checks import DTYPES
from volaug.transforms.crop import Crop
from volaug.transforms.per_channel import ChannelId

SPACING = np.array((0.8, 1.1, 3.0))
SHAPE = (31, 40, 22)
DEGREES, SCALE, SHEAR, SHIFT = (20, -35, 50), (1.2, 0.9, 1.1), (0.1, -0.2, 0.3), (4.0, -6.0, 9.0)
FIVE_STEPS = [
    RandomFlip((0, 2), p=1),
    RandomTranslation(fixed(*SHIFT), p=1),
    RandomScaling(fixed(*SCALE), p=1),
    RandomShear(fixed(*SHEAR), p=1),
    RandomRotation(fixed(*DEGREES), p=1),
]
CONTRAST = RandomContrast(p=1)


def five_matrices():
    """What the five steps do to places in mm about the center, (4, 4) each."""
    matrices = np.tile(np.eye(4), (5, 1, 1))
    matrices[0, [0, 2], [0, 2]] = -1
    matrices[1, :3, 3] = SHIFT
    matrices[2, :3, :3] = np.diag(SCALE)
    matrices[3, [0, 0, 1], [1, 2, 2]] = SHEAR
    matrices[4, :3, :3] = Rotation.from_euler("xyz", DEGREES, degrees=True).as_matrix()
    return matrices


def sharpness(volume):
    """The energy of the differences between neighbors, away from the border."""
    inner = np.asarray(volume, dtype=float)[8:-8, 8:-8, 8:-8]
    return sum(np.square(np.diff(inner, axis=axis)).sum() for axis in range(3))


@pytest.mark.parametrize("spacing", [None, SPACING])
@pytest.mark.parametrize("order", [(0, 1, 2, 3, 4), (4, 3, 2, 1, 0), (2, 4, 0, 3, 1)])
def test_five_affine_steps_are_their_product_in_the_order_listed(order, spacing):
    size = np.ones(3) if spacing is None else spacing
    to_mm, from_center = np.diag((*size, 1.0)), np.eye(4)
    from_center[:3, 3] = (1 - np.array(SHAPE)) / 2
    forward = np.eye(4)
    for place in order:
        forward = five_matrices()[place] @ forward
    to_middle = to_mm @ from_center
    expected = np.linalg.inv(np.linalg.inv(to_middle) @ forward @ to_middle)
    warp = drawn([FIVE_STEPS[place] for place in order], SHAPE, spacing=spacing).warp
    assert warp.shape == SHAPE
    assert warp.control_points is None
    np.testing.assert_allclose(warp.matrix, expected[:3, :3], atol=1e-13)
    np.testing.assert_allclose(warp.offset, expected[:3, 3], atol=1e-11)

    volume = random_volume(SHAPE)
    result = drawn([FIVE_STEPS[place] for place in order], SHAPE, spacing=spacing)
    once = Warp(SHAPE, expected).apply(volume)
    np.testing.assert_allclose(result.apply(image=volume)["image"], once, atol=1e-6)


def test_a_chain_is_interpolated_once():
    """A phantom of random blocks stays as sharp as one resampling leaves it."""
    steps = [
        RandomTranslation(fixed(0.3, 0.4, -0.4), p=1),
        RandomRotation(fixed(5, 3, -4), p=1),
        RandomScaling(fixed(1.05, 0.97, 1.02), p=1),
        RandomShear(fixed(0.03, -0.02, 0.04), p=1),
        RandomRotation(fixed(-4, -5, 3), p=1),
    ]
    blocks = random_volume((20, 20, 20))
    volume = np.kron(blocks, np.ones((2, 2, 2), np.float32))
    record = drawn(steps, volume.shape)
    once = record.apply(image=volume)["image"]
    np.testing.assert_array_equal(once, record.warp.apply(volume))
    many = volume
    for step in steps:
        many = drawn([step], volume.shape).apply(image=many)["image"]
    assert np.corrcoef(once[8:-8].ravel(), many[8:-8].ravel())[0, 1] > 0.8  # the same picture
    assert sharpness(once) > 5 * sharpness(many)
    half = Warp(volume.shape, offset=0.25).apply(volume)  # the mean blur of an interpolation
    assert sharpness(once) > 0.9 * sharpness(half)


@pytest.mark.parametrize("window", [9, (5, 30, 17), (50, 8, 40)])
@pytest.mark.parametrize("kind", [RandomCrop, CenterCrop])
def test_a_crop_is_a_window_of_the_whole(kind, window):
    """Also where it is larger than the picture; labels to the bit."""
    image, label = random_volume(SHAPE), random_volume(SHAPE, np.int16)
    affine, margin = RandomAffine(20.0, translation=3.0, p=1), 20
    for index in range(3):
        record = drawn([affine, kind(window)], SHAPE, index)
        crop = record.steps[-1][1]
        assert record.warp.shape == crop.shape == record.output_shape
        begin = zip(crop.start, crop.shape, strict=True)
        part = tuple(slice(margin + start, margin + start + n) for start, n in begin)
        whole = drawn([affine], SHAPE, index).warp
        first = whole.points_to_input([[-margin] * 3])[0]
        around = Warp(np.add(SHAPE, 2 * margin), whole.matrix, first)
        sample = record.apply(image=image, label=label)
        np.testing.assert_allclose(sample["image"], around.apply(image)[part], atol=1e-6)
        expected = around.apply(label, interpolation="label")[part]
        np.testing.assert_array_equal(sample["label"], expected)
        assert sample["image"].any()


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    st.tuples(*[st.integers(2, 24)] * 3),
    st.tuples(*[st.integers(1, 12)] * 3),
    st.integers(0, 2**32),
)
def test_a_patch_is_a_crop_of_the_whole(shape, window, index):
    volume = random_volume(shape)
    steps = [RandomFlip(), RandomAffine(40.0, scale=(0.5, 2.0), shear=0.2, translation=3.0, p=1)]
    window = tuple(map(min, window, shape))
    record = drawn([*steps, RandomCrop(window)], shape, index)
    start = record.steps[-1][1].start
    whole = drawn(steps, shape, index).apply(image=volume)["image"]
    part = tuple(slice(s, s + n) for s, n in zip(start, window, strict=True))
    np.testing.assert_allclose(record.apply(image=volume)["image"], whole[part], atol=2e-6)


def test_nothing_outside_of_the_window_is_computed():
    """A patch of a volume of 216 million voxels, all of them in 2 kB, needs the patch's memory."""
    memory = np.arange(3 * 600).astype(np.uint8)
    volume = np.lib.stride_tricks.as_strided(memory, (600, 600, 600), (1, 1, 1), writeable=False)
    steps = [RandomAffine(p=1), RandomElastic(p=1), RandomCrop((20, 24, 28)), RandomFlip(p=1)]
    pipeline = Compose(steps, seed=0)
    pipeline(image=volume, label=volume, index=0)
    tracemalloc.start()
    try:
        sample = pipeline(image=volume, label=volume, index=1)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert sample["image"].shape == sample["label"].shape == (20, 24, 28)
    assert peak < 500_000


def test_turns_are_about_the_center_of_what_there_is():
    turn = RandomRotation(fixed(30, 0, 0), p=1)
    crop = CenterCrop((11, 9, 16))  # leaves 10 voxels before it, 15, and 3
    start = np.array((10, 15, 3))
    before, after = drawn([turn, crop], SHAPE).warp, drawn([crop, turn], SHAPE).warp
    assert before.shape == after.shape == (11, 9, 16)
    center, middle = (np.array(SHAPE) - 1) / 2, (np.array((11, 9, 16)) - 1) / 2
    np.testing.assert_allclose(before.points_to_input([center - start]), [center], atol=1e-12)
    np.testing.assert_allclose(after.points_to_input([middle]), [middle + start], atol=1e-12)
    assert np.abs(before.offset - after.offset).max() > 0.1
    np.testing.assert_array_equal(before.matrix, after.matrix)


@pytest.mark.parametrize("kind", [RandomCrop, CenterCrop])
def test_a_window_larger_than_the_picture_has_it_in_the_middle(kind):
    volume = random_volume((4, 7, 6))
    for mode, padding in (("constant", "constant"), ("nearest", "edge"), ("mirror", "reflect")):
        record = drawn([kind((9, 7, 10))], volume.shape, mode={"image": mode})
        expected = np.pad(volume, ((3, 2), (0, 0), (2, 2)), mode=padding)
        np.testing.assert_array_equal(record.apply(image=volume)["image"], expected)
    smaller = drawn([kind((2, 9, 4))], volume.shape).apply(image=volume)["image"]
    assert (smaller[:, [0, -1]] == 0).all()
    assert np.isin(smaller[:, 1:-1], volume).all()


@pytest.mark.parametrize("axes", [(), (0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)])
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_flip_copies_bits(dtype, axes):
    volume = random_volume((2, 5, 6, 17), dtype)
    if np.dtype(dtype).kind == "f":
        volume[:, 1:3, 2, 4:9] = (np.nan, np.inf, -np.inf, -0.0, 1e-7)
    sample = drawn([RandomFlip(axes, p=1)], (5, 6, 17), spacing=SPACING).apply(
        image=volume, label=volume
    )
    expected = np.flip(volume, [1 + axis for axis in axes]).copy()
    for name in ("image", "label"):
        assert sample[name].dtype == volume.dtype
        assert sample[name].tobytes() == expected.tobytes()


def test_a_change_of_intensity_parts_two_warps_only_if_it_is_drawn():
    turn, bend = FIVE_STEPS[4], RandomElastic(2.0, p=1)
    record = drawn([turn, CONTRAST, FIVE_STEPS[1], bend], SHAPE)
    assert len(record.warps) == 2
    assert [type(stage).__name__ for stage in record.stages] == ["Warp", "Contrast", "Warp"]
    with pytest.raises(ValueError, match=r"2 warps.* see stages"):
        record.warp  # noqa: B018
    assert record.warps[0] == drawn([turn], SHAPE).warp
    assert record.warps[1] == drawn([FIVE_STEPS[1], bend], SHAPE).warp

    image, label = random_volume(SHAPE), random_volume(SHAPE, np.uint8)
    sample = record.apply(image=image, label=label)
    first, second = record.warps
    between = first.apply(image)
    record.stages[1].change(between, ChannelId("image", 0), 1)
    np.testing.assert_array_equal(sample["image"], second.apply(between))
    turned = first.apply(label, interpolation="label")
    np.testing.assert_array_equal(sample["label"], second.apply(turned, interpolation="label"))

    not_drawn = RandomContrast(p=0)
    together = drawn([turn, not_drawn, FIVE_STEPS[1], bend], SHAPE)
    assert together.stages == (drawn([turn, FIVE_STEPS[1], bend], SHAPE).warp,)
    assert [len(drawn(steps, SHAPE).warps) for steps in ([CONTRAST], [turn, CONTRAST], [])] == [
        1
    ] * 3


@pytest.mark.parametrize("steps", [FIVE_STEPS, [*FIVE_STEPS[:3], CONTRAST, *FIVE_STEPS[3:]]])
def test_the_output_affine_keeps_each_place_in_the_world(steps):
    rng = np.random.default_rng(2)
    affine = np.eye(4)
    affine[:3, :3] = Rotation.random(random_state=rng).as_matrix() @ np.diag(SPACING)
    affine[:3, 3] = (-90, 126, -72)

    def in_world(matrix, places):
        return places @ matrix[:3, :3].T + matrix[:3, 3]

    record = drawn([*steps, CenterCrop(15)], SHAPE, affine=affine)
    places = rng.uniform(0, 30, (20, 3))
    moved, over = record.apply(points=places)["points"], record.output_affine
    expected = in_world(affine, places)
    np.testing.assert_allclose(in_world(over, moved), expected, atol=1e-10)

    again = drawn([RandomShear(fixed(*SHEAR), p=1), RandomFlip(1, p=1)], (15,) * 3, affine=over)
    after = again.apply(points=moved)["points"]
    np.testing.assert_allclose(in_world(again.output_affine, after), expected, atol=1e-10)
    assert np.linalg.det(again.output_affine) * np.linalg.det(over) < 0


def test_the_affine_to_write_is_moved_by_crops_alone():
    affine = np.array([[0, -0.8, 0, 9.0], [1.1, 0, 0, -7], [0, 0, 3.0, 5], [0, 0, 0, 1]])
    before, after = RandomCrop((25, 25, 20), p=1), CenterCrop(15)
    for steps in (
        [*FIVE_STEPS, after],
        [before, *FIVE_STEPS[:3], CONTRAST, *FIVE_STEPS[3:], after],
    ):
        record = drawn(steps, SHAPE, affine=affine)
        starts = sum(np.array(step.start) for _, step in record.steps if type(step) is Crop)
        sample = record.apply(points=[[0.0, 0.0, 0.0]])
        np.testing.assert_array_equal(sample["affine"][:, :3], affine[:, :3])
        np.testing.assert_allclose(sample["affine"][:, 3], affine @ (*starts, 1.0))
    crop = drawn([after], SHAPE, affine=affine)
    np.testing.assert_allclose(crop.cropped_affine, crop.output_affine)
    crop.cropped_affine[0] = np.nan  # a copy
    assert np.isfinite(crop.cropped_affine).all()
    assert drawn([after], SHAPE).cropped_affine is None


def test_the_affine_that_comes_back_is_that_of_the_voxels_without_displacement():
    affine = np.diag((*SPACING, 1.0))
    steps = [RandomFlip(0, p=1), CenterCrop(15)]
    straight = drawn(steps, SHAPE, affine=affine).output_affine
    bent = drawn([*steps, RandomElastic(p=1)], SHAPE, affine=affine).output_affine
    np.testing.assert_array_equal(bent, straight)
    # voxel 0 shows the last one of the window before the flip: 30 - 8 from the first
    np.testing.assert_allclose(straight @ (0, 0, 0, 1), (22 * 0.8, 12 * 1.1, 3 * 3.0, 1))
    assert drawn(steps, SHAPE).output_affine is None
    assert "affine" not in drawn(steps, SHAPE, spacing=SPACING).apply(points=[[1.0, 2.0, 3.0]])
