"""volaug's transform for nnU-Net does what the preset does, with nnU-Net's tensors."""

import pickle

import numpy as np
import pytest
import scipy.linalg

from support.nnunet_cases import (
    CASE,
    FLAT,
    LABELS,
    PATCH,
    REGIONS,
    ROUND,
    SLICE,
    THIRTY,
    ours,
    sample_of,
    seeded,
)
from volaug import Compose, RandomNoise, Record, presets

torch = pytest.importorskip("torch")
pytest.importorskip("nnunetv2")

from batchgeneratorsv2.transforms.spatial.spatial import SpatialTransform  # noqa: E402
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer  # noqa: E402

from volaug.integrations.nnunet import NnunetTransform, training_transforms  # noqa: E402

pytestmark = pytest.mark.oracle("nnunetv2")
DEGREES = tuple(np.degrees(THIRTY))


@pytest.fixture(autouse=True)
def _same_numbers_each_time():
    seeded(0)


def test_a_sample_is_the_presets():
    scales = [[1, 1, 1], [0.5, 0.5, 0.5]]
    composed = ours(scales=scales, axes=(0, 2), use_mask_for_norm=[False, True])
    (transform,) = composed.transforms
    expected = presets.nnunet(
        PATCH,
        rotation=DEGREES,
        mirror_axes=(0, 2),
        masked_channels=[1],
        deep_supervision=scales,
        seed=0,
    )
    assert transform.pipeline == expected
    given, untouched = sample_of(), sample_of()
    for seed in range(10):
        seeded(seed)
        result = composed(**given)
        seeded(seed)
        index = np.random.randint(2**53)  # noqa: NPY002
        wanted = expected(image=given["image"], label=given["segmentation"], index=index)
        np.testing.assert_array_equal(result["image"].numpy(), wanted["image"])
        for level, label in zip(result["segmentation"], wanted["label"], strict=True):
            np.testing.assert_array_equal(level.numpy(), label)
    for name in given:
        assert torch.equal(given[name], untouched[name])


def test_results_are_contiguous_and_not_copied(monkeypatch):
    made = []
    apply = Record.apply

    def noted(record, **targets):
        made.append(apply(record, **targets))
        return made[-1]

    monkeypatch.setattr(Record, "apply", noted)
    for shape, patch, rotation in ((CASE, PATCH, THIRTY), (SLICE, SLICE, ROUND)):
        given = sample_of((1, *shape)[-3:])
        given = {name: tensor.reshape(len(tensor), *shape) for name, tensor in given.items()}
        scales = [[1] * len(patch), [0.5] * len(patch)]
        for turned in (False, True):
            if turned:
                given = {
                    n: t.transpose(1, 2).contiguous().transpose(1, 2) for n, t in given.items()
                }
            result = ours(patch, rotation, scales)(**given)
            tensors = [result["image"], *result["segmentation"]]
            assert all(tensor.is_contiguous() for tensor in tensors)
            arrays = [made[-1]["image"], *made[-1]["label"]]
            pairs = zip(tensors, arrays, strict=True)
            assert turned or all(np.shares_memory(t.numpy(), array) for t, array in pairs)


def test_the_same_numbers_of_numpy_are_the_same_bits():
    def drawn(seed, torchs=0):
        seeded(seed, torchs)
        composed = pickle.loads(pickle.dumps(ours()))  # as for a process that is spawned
        return torch.cat([composed(**sample_of())["image"] for _ in range(3)])

    assert torch.equal(drawn(1), drawn(1, torchs=9))
    assert not torch.equal(drawn(1), drawn(2))


def test_what_was_outside_is_masked_and_then_background():
    composed = ours(use_mask_for_norm=[False, True])
    shares = []
    for _ in range(20):
        given = sample_of()
        given["image"].fill_(1)
        given["segmentation"][:] = 1
        given["segmentation"][:, : CASE[0] // 2] = -1
        result = composed(**given)
        outside = result["segmentation"][0] == 0
        assert torch.equal(outside, result["segmentation"][0] != 1)
        assert torch.equal(outside, result["image"][1] == 0)
        assert (result["image"][0] != 0).all()
        shares.append(outside.float().mean())
    assert 0.3 < np.mean(shares) < 0.7


def test_regions_are_channels_of_bool():
    scales = [[1, 1, 1], [0.5, 0.5, 0.5]]
    regions = REGIONS.foreground_regions
    composed = ours(scales=scales, regions=regions, ignore_label=3)
    plain = ours(scales=scales)
    for seed in range(5):
        seeded(seed)
        levels = composed(**sample_of())["segmentation"]
        seeded(seed)
        labels = plain(**sample_of())["segmentation"]
        for level, label in zip(levels, labels, strict=True):
            assert level.dtype == torch.bool
            expected = torch.cat([label >= 1, label == 2, label == 3])
            assert torch.equal(level, expected)


def test_a_cascades_earlier_labels_follow():
    composed = ours(is_cascaded=True, foreground_labels=LABELS.foreground_labels)
    assert [type(step).__name__ for step in composed.transforms] == [
        "NnunetTransform",
        "MoveSegAsOneHotToDataTransform",
        "RandomTransform",
        "RandomTransform",
    ]
    for step in composed.transforms[2:]:  # which would change the earlier labels
        step.apply_probability = 0
    for _ in range(5):
        result = composed(**sample_of(channels=2))
        label = result["segmentation"]
        assert label.shape == (1, *PATCH)
        assert torch.equal(result["image"][2:], torch.cat([label == 1, label == 2]).float())
        assert label.any()


@pytest.mark.parametrize("preset", [presets.nnunet, presets.nnunet_elastic])
def test_dummy_2d_leaves_slices_in_their_place(preset):
    composed = ours(FLAT, ROUND, axes=(1, 2), dummy=True, preset=preset)
    numbers = torch.arange(1, FLAT[0] + 1, dtype=torch.int16).reshape(1, -1, 1, 1)
    corners = 0
    for _ in range(40):
        label = numbers.expand(1, *FLAT).clone()
        label = composed(image=torch.rand(2, *FLAT), segmentation=label)["segmentation"]
        assert ((label == numbers) | (label == 0)).all()
        corners += (label == 0).any().item()
    assert corners > 2


def test_2d_is_one_slice():
    transform = NnunetTransform(presets.nnunet_elastic((1, *SLICE), seed=1))
    image, label = torch.rand(3, 30, 28), torch.randint(3, (1, 30, 28), dtype=torch.int16)
    for seed in range(10):
        seeded(seed)
        result = transform(image=image, segmentation=label)
        seeded(seed)
        expected = transform(image=image[:, None], segmentation=label[:, None])
        assert result["image"].shape == (3, *SLICE)
        assert torch.equal(result["image"][:, None], expected["image"])
        assert torch.equal(result["segmentation"][:, None], expected["segmentation"])


def test_2d_takes_numbers_of_two_axes():
    scales = [[1.0, 1.0], [0.5, 0.25], 0.5]
    composed = ours(SLICE, ROUND, scales, axes=(0,))
    expected = presets.nnunet(
        (1, *SLICE),
        dummy_2d=True,
        rotation=(-180, 180),
        mirror_axes=(1,),
        deep_supervision=[(1, 1, 1), (1, 0.5, 0.25), (1, 0.5, 0.5)],
        seed=0,
    )
    assert composed.transforms[0].pipeline == expected


def test_without_mirroring_and_dummy_2d():
    composed = ours(FLAT, axes=None, dummy=False)
    expected = presets.nnunet(FLAT, dummy_2d=False, rotation=DEGREES, mirror_axes=(), seed=0)
    assert composed.transforms[0].pipeline == expected


@pytest.mark.parametrize(
    ("patch", "dummy"), [(PATCH, False), (FLAT, False), (FLAT, True), (SLICE, False)]
)
def test_angles_are_nnunets(patch, dummy):
    given = patch, (0.2, 0.2), None, (), dummy
    stock, image = nnUNetTrainer.get_training_transforms(*given), torch.zeros(1, *patch)
    (step,) = [t for t in stock.transforms if isinstance(t, SpatialTransform)]
    step.p_rotation, step.p_scaling = 1, 0
    expected = step.get_parameters(image=image[:, 0] if dummy else image)["affine"]
    expected = scipy.linalg.block_diag(*[1] * (3 - len(expected)), expected)
    (transform,) = training_transforms(*given).transforms
    matrices = [transform.get_parameters(image=image)["record"].warp.matrix for _ in range(100)]
    assert any(np.allclose(matrix, expected, atol=1e-9) for matrix in matrices)


@pytest.mark.parametrize("name", ["regression_target", "keypoints", "bbox"])
def test_what_would_not_move_is_refused(name):
    with pytest.raises(ValueError, match=f"got a {name}"):
        ours()(**sample_of(), **{name: torch.zeros(1)})


def test_an_image_alone_and_other_things():
    result = NnunetTransform(Compose([RandomNoise(p=1)]))(image=torch.rand(1, *PATCH), key="one")
    assert result["key"] == "one"
    assert set(result) == {"image", "key"}
