"""`Volaugd` keeps each place in the world where it is, and refuses volumes that lie apart."""

import numpy as np
import pytest

from support.monai_samples import (
    AFFINE,
    KEYS,
    POINTS,
    STEPS,
    bits,
    pipeline_of,
    records_of,
    same,
    sample_of,
)

pytest.importorskip("monai")
from monai.data import MetaTensor

from volaug.integrations.monai import Volaugd

pytestmark = pytest.mark.oracle("monai")

WITHOUT_ELASTIC = [kind for kind in STEPS if kind != "elastic"]


def turned(tensor, axes, reversed_axes):
    """The same voxels at the same places, in another order and direction of axes."""
    shape = np.array(tensor.shape[1:])
    pull = np.eye(4)  # from the new voxels to the old ones
    pull[:3, :3] = np.eye(3)[:, axes]
    voxels = tensor.as_tensor().permute(0, *(axis + 1 for axis in axes))
    for axis in reversed_axes:
        pull[:3, 3] += pull[:3, axis] * (shape[axes[axis]] - 1)
        pull[:3, axis] *= -1
    voxels = voxels.flip([axis + 1 for axis in reversed_axes])
    return MetaTensor(voxels, affine=np.asarray(tensor.affine) @ pull)


@pytest.mark.parametrize("prob", [0.0, 1.0])
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 0, 2)])
@pytest.mark.parametrize("flips", [(), (0,), (1, 2), (0, 1, 2)])
def test_a_label_in_another_order_of_axes_is_brought_to_the_image(prob, order, flips):
    given = sample_of()
    other = given | {"label": turned(given["label"], order, flips)}
    other["label"].affine[:3, 3] += 1e-4  # what NIfTI rounds
    transform = Volaugd(KEYS, pipeline_of("both"), prob)
    expected = transform.set_random_state(1)(given)
    result = transform.set_random_state(1)(other)
    assert same(result, expected)
    back = transform.inverse(result)
    assert back["label"].shape == other["label"].shape
    np.testing.assert_allclose(back["label"].affine, other["label"].affine, atol=1e-9)
    right = turned(transform.inverse(expected)["label"], order, flips)
    np.testing.assert_array_equal(back["label"], right)
    for key in KEYS:
        assert result[key].is_contiguous()
        np.testing.assert_allclose(result[key].affine, expected[key].affine, atol=1e-3)
    if not prob:
        np.testing.assert_array_equal(back["label"], other["label"])


def test_places_that_differ_are_an_error():
    turn = np.eye(4)
    turn[:2, :2] = [[0.99, -0.14], [0.14, 0.99]]
    moved = AFFINE.copy()
    moved[0, 3] += 10
    for affine, message in (
        (moved, "10 mm apart"),
        (AFFINE @ np.diag([1, 1, 1.2, 1]), r"voxels are .* mm"),
        (turn @ AFFINE, "axes differ in direction"),
    ):
        given = sample_of()
        given["label"].affine = affine
        before = bits(given)
        for first, second in (KEYS, KEYS[::-1]):
            with pytest.raises(
                ValueError, match=f"'{first}' and '{second}' must lie in one grid: .*{message}"
            ):
                Volaugd([first, second], pipeline_of("affine"))(given)
        assert bits(given) == before
        given["label"] = given["label"].as_tensor()  # of which no place is known
        Volaugd(KEYS, pipeline_of("affine"))(given)


def world(affine, points):
    return points @ np.asarray(affine)[:3, :3].T + np.asarray(affine)[:3, 3]


@pytest.mark.parametrize("kind", WITHOUT_ELASTIC)
def test_a_place_in_the_world_stays_where_it_is(kind):
    """And comes back, with the affine and the size of voxels in a NIfTI header."""
    given = sample_of(pixdim=np.array([1, 0.9, 1.1, 2.5, 0, 0, 0, 0])) | {"points": POINTS}
    given["label"] = turned(given["label"], (1, 2, 0), (0, 2))
    own = np.asarray(given["label"].affine)
    transform = Volaugd([*KEYS, "points"], pipeline_of(kind)).set_random_state(1)
    result = transform(given)
    (record,) = records_of(transform, result, ["image"])
    np.testing.assert_allclose(result["image"].affine, record.output_affine, atol=1e-12)
    np.testing.assert_array_equal(result["points"], record.apply(points=POINTS)["points"])
    for key in KEYS:
        moved = world(result[key].affine, result["points"])
        np.testing.assert_allclose(moved, world(AFFINE, POINTS), atol=1e-9)
    sizes = np.linalg.norm(np.asarray(result["image"].affine)[:3, :3], axis=0)
    np.testing.assert_allclose(result["image"].meta["pixdim"][1:4], sizes)

    back = transform.inverse(result)
    np.testing.assert_allclose(back["points"], POINTS, atol=1e-9)
    for key, affine in (("image", AFFINE), ("label", own)):
        np.testing.assert_allclose(back[key].affine, affine, atol=1e-9)
        assert back[key].applied_operations == []
    np.testing.assert_allclose(back["image"].meta["pixdim"][1:4], (0.9, 1.1, 2.5))


@pytest.mark.parametrize("kind", STEPS)
def test_an_affine_that_stays_follows_crops_alone(kind):
    """As TorchIO's do, and `RandomVolaug`."""
    given = sample_of()
    transform = Volaugd(KEYS, pipeline_of(kind), update_affine=False).set_random_state(1)
    result = transform(given)
    (record,) = records_of(transform, result, ["image"])
    starts = [step.start for _, step in record.steps if type(step).__name__ == "Crop"]
    assert len(starts) == {"affine": 0, "two warps": 2}.get(kind, 1)
    for key in KEYS:
        expected = AFFINE.copy()
        expected[:3, 3] = world(AFFINE, np.sum([(0, 0, 0), *starts], axis=0))
        np.testing.assert_allclose(result[key].affine, expected, atol=1e-12)
        np.testing.assert_allclose(transform.inverse(result)[key].affine, AFFINE, atol=1e-12)
