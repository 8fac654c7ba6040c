"""`Volaugd` augments slices (C, H, W) within their plane."""

import numpy as np
import pytest

import volaug
from support.monai_samples import KEYS, POINTS, pipeline_of, records_of
from support.volumes import random_volume
from volaug import CenterCrop, RandomAffine, RandomContrast, RandomElastic, RandomFlip

pytest.importorskip("monai")
import torch
from monai import transforms
from monai.data import MetaTensor

from volaug.integrations.monai import Volaugd

pytestmark = pytest.mark.oracle("monai")


FLAT = (21, 26)
FLAT_AFFINES = {
    "(4, 4)": np.array([[0.0, -1.1, 0, 7], [0.9, 0, 0, -9], [0, 0, 2.5, 0.7], [0, 0, 0, 1]]),
    "(3, 3)": np.array([[0.0, -1.1, 7], [0.9, 0, -9], [0, 0, 1]]),
}


def slice_of(affine):
    image = random_volume((3, 4, *FLAT), seed=1)[:, 1]
    image[1] += 100
    image[2] -= 100  # no channel can be taken for another
    label = random_volume((1, 4, *FLAT), np.int16, seed=1)[:, 1] // 25
    points = np.array([[2.0, 3.5], [20.0, 4.0]])
    boxes = np.array([[[2.0, 3.0], [5.0, 9.0]]])
    return {
        "image": MetaTensor(image, affine=affine),
        "label": MetaTensor(label, affine=affine),
        "points": points,
        "boxes": boxes,
    }


@pytest.mark.parametrize("affine", FLAT_AFFINES.values(), ids=FLAT_AFFINES)
@pytest.mark.parametrize("kind", ["affine", "elastic", "contrast"])
def test_slices_stay_in_their_plane(affine, kind):
    """Three axes are (C, H, W): channels are not moved, and what was drawn is within the plane."""
    steps = {
        "affine": [RandomFlip(), RandomAffine(degrees=180, shear=0.3, p=1)],
        "elastic": [RandomElastic(4.0, p=1), CenterCrop((15, 30, 1))],
        "contrast": [RandomContrast(per_channel=True, p=1), RandomFlip(p=1)],
    }[kind]
    given = slice_of(affine)
    keys = list(given)
    transform = Volaugd(keys, volaug.Compose(steps)).set_random_state(1)
    for _ in range(4):
        result = transform(given)
        (record,) = records_of(transform, result, ["image"])
        size = record.output_shape[:2]
        assert record.shape == (*FLAT, 1)
        expected = record.apply(
            image=given["image"][..., None].as_tensor(),
            label=given["label"][..., None].as_tensor(),
            points=np.pad(given["points"], ((0, 0), (0, 1))),
        )
        assert result["image"].shape == (3, *size)
        np.testing.assert_array_equal(result["image"], expected["image"][..., 0])
        np.testing.assert_array_equal(result["label"], expected["label"][..., 0])
        np.testing.assert_array_equal(result["points"], expected["points"][:, :2])
        assert (expected["points"][:, 2] == 0).all()
        assert result["boxes"].shape == (1, 2, 2)
        seen = result["image"].as_tensor() != 0
        for channel, low, high in ((0, -10, 10), (1, 80, 120), (2, -120, -80)):
            inner = result["image"].as_tensor()[channel][seen[channel]]
            if kind == "contrast":
                assert low <= inner.median() <= high
        assert result["image"].affine.shape == affine.shape
        back = transform.inverse(result)
        assert back["image"].shape == given["image"].shape
        np.testing.assert_allclose(back["image"].affine, affine, atol=1e-9)
        np.testing.assert_allclose(back["points"], given["points"], atol=1e-3)
        unmoved = record.invert(label=result["label"][..., None].as_tensor())
        np.testing.assert_array_equal(back["label"], unmoved["label"][..., 0])
        assert back["image"].applied_operations == []


def test_a_flip_of_a_slice_is_monais():
    """Axis 0 is H and axis 1 is W, as in MONAI."""
    given = {"image": slice_of(np.eye(4))["image"]}
    for axis in (0, 1):
        flip = Volaugd("image", volaug.Compose([RandomFlip(axes=axis, p=1)]))
        expected = transforms.Flipd("image", axis)(given)["image"]
        result = flip(given)["image"]
        np.testing.assert_array_equal(result, expected)
        np.testing.assert_allclose(result.affine, expected.affine)
        prediction = (result[:1] > 0).as_tensor().numpy()
        back = flip.inverse(
            {
                "image": MetaTensor(
                    prediction, meta=result.meta, applied_operations=result.applied_operations
                )
            }
        )
        np.testing.assert_array_equal(back["image"][0], given["image"][0] > 0)
    plain = Volaugd("image", volaug.Compose([RandomFlip(axes=0, p=1)]))
    for make in (np.asarray, torch.as_tensor):
        found = plain({"image": make(given["image"].as_tensor().numpy())})["image"]
        np.testing.assert_array_equal(found, given["image"].flip([1]))


@pytest.mark.parametrize(
    "empty", [[], np.zeros(0), torch.zeros(0)], ids=["list", "array", "tensor"]
)
def test_slices_may_have_no_points_and_no_boxes(empty):
    given = slice_of(FLAT_AFFINES["(4, 4)"]) | {"points": empty, "boxes": empty}
    transform = Volaugd(list(given), pipeline_of("affine")).set_random_state(1)
    result = transform(given)
    for sample in (result, transform.inverse(result)):
        assert np.shape(sample["points"]) == (0, 2)
        assert np.shape(sample["boxes"]) == (0, 2, 2)


def test_axes_that_monai_does_not_have_are_an_error():
    transform = Volaugd(KEYS, pipeline_of("affine"))
    for shapes in (((4, 5), (4, 5)), ((1, 1, 4, 5, 6), (1, 1, 4, 5, 6)), ((1, 4, 5), (1, 4, 5, 6))):
        given = {key: np.zeros(shape) for key, shape in zip(KEYS, shapes, strict=True)}
        with pytest.raises(ValueError, match=r"all have the axes \(C, H, W\) or .* got the shapes"):
            transform(given)
    thick = Volaugd("image", volaug.Compose([CenterCrop(8)]))
    with pytest.raises(ValueError, match=r"a slice the pipeline must make a slice \(C, H, W, 1\)"):
        thick({"image": np.zeros((1, 9, 9))})
    points = Volaugd(["image", "points"], pipeline_of("affine"))
    with pytest.raises(ValueError, match=r"'points' must be of shape \(N, 2\) or"):
        points({"image": np.zeros((1, 9, 9)), "points": POINTS})
