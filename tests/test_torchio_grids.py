"""`RandomVolaug` brings images to the first one's grid, and refuses those that lie apart."""

import numpy as np
import pytest

from support.torchio_subjects import (
    AFFINE,
    MOVES,
    PIPELINE,
    SHAPE,
    assert_same,
    label_map,
    scalar,
    scan,
    subject_of,
    voxels_of,
)
from volaug import CenterCrop, Compose, RandomRotation, RandomTranslation

tio = pytest.importorskip("torchio")
torch = pytest.importorskip("torch")

from volaug.integrations.torchio import RandomVolaug  # noqa: E402

pytestmark = pytest.mark.oracle("torchio")


@pytest.fixture(autouse=True)
def _same_numbers_each_time():
    torch.manual_seed(0)


def test_content_moves_as_by_torchio():
    affine = np.diag([3.0, 1.0, 2.0, 1.0])
    image = tio.ScalarImage(tensor=torch.as_tensor(scan()[np.newaxis]), affine=affine)
    for ours, numbers in [
        (RandomTranslation(((6, 6), (-3, -3), (0, 0)), p=1), {"translation": (6, -3, 0)}),
        (RandomRotation(((20, 20), (0, 0), (0, 0)), p=1), {"degrees": (20, 0, 0)}),
        (RandomRotation(((0, 0), (-20, -20), (0, 0)), p=1), {"degrees": (0, -20, 0)}),
        (RandomRotation(((0, 0), (0, 0), (20, 20)), p=1), {"degrees": (0, 0, 20)}),
    ]:
        still = {"scales": (1, 1, 1), "degrees": (0, 0, 0), "translation": (0, 0, 0)}
        theirs = tio.Affine(**{**still, **numbers}, default_pad_value=0)
        pipeline = Compose([ours], mode={"image": "edge-constant"})  # ITK's
        expected, result = theirs(image), RandomVolaug(pipeline)(image)
        np.testing.assert_allclose(result.data, expected.data, atol=1e-5)
        assert (result.data != image.data).any()


def turned(image, axes, flips):
    """The same voxels at the same places, in another order and direction of axes."""
    shape = np.array(image.spatial_shape)
    pull = np.eye(4)  # from the new voxels to the old ones
    pull[:3, :3] = np.eye(3)[:, axes]
    voxels = image.data.permute(0, *(axis + 1 for axis in axes))
    for axis in flips:
        pull[:3, 3] += pull[:3, axis] * (shape[axes[axis]] - 1)
        pull[:3, axis] *= -1
    voxels = voxels.flip([axis + 1 for axis in flips])
    return type(image)(tensor=voxels, affine=image.affine @ pull)


@pytest.mark.parametrize("axes", [(0, 1, 2), (2, 0, 1), (1, 0, 2)])
@pytest.mark.parametrize("flips", [(), (0,), (1, 2)])
def test_images_in_another_order_of_axes_are_brought_to_the_first(axes, flips):
    subject = subject_of()
    other = subject_of(seg2=turned(subject.seg, axes, flips))
    other.seg2.affine[:3, 3] += 1e-4  # what NIfTI rounds
    pipeline = Compose([*MOVES, CenterCrop((20, 16, 18))])
    result = RandomVolaug(pipeline)(other)
    torch.testing.assert_close(result.seg2.data, result.seg.data)
    for name in voxels_of(result):
        assert result[name].data.is_contiguous()
        np.testing.assert_allclose(result[name].affine, result.t1.affine, atol=1e-3)
    assert_same(result.history[0](other), result)
    back = result.apply_inverse_transform()
    torch.testing.assert_close(back.seg2.data, back.seg.data)
    np.testing.assert_allclose(back.seg2.affine, AFFINE, atol=1e-3)


def test_places_that_differ_are_an_error():
    moved = AFFINE.copy()
    moved[1, 3] += 10
    for affine, message in ((moved, "10 mm apart"), (AFFINE @ np.diag([1, 1, 1.2, 1]), "voxels")):
        elsewhere = tio.LabelMap(tensor=torch.ones(1, *SHAPE), affine=affine)
        with pytest.raises(
            ValueError, match=f"'t1' and 'lesion' must lie in one grid: .*{message}"
        ):
            RandomVolaug(PIPELINE)(subject_of(lesion=elsewhere))
        RandomVolaug(PIPELINE, exclude=["lesion"])(subject_of(lesion=elsewhere))


def test_images_of_several_shapes():
    subject = subject_of(small=scalar(torch.zeros(1, 8, 8, 8)))
    with pytest.raises(RuntimeError, match='More than one value for "spatial_shape"'):
        RandomVolaug(PIPELINE)(subject)


def test_crops_say_where_they_are():
    subject = subject_of()
    expected = tio.Crop((4, 5, 6, 7, 3, 3))(subject)
    shape = expected.spatial_shape
    result = RandomVolaug(Compose([CenterCrop(shape)]))(subject)
    assert_same(result, expected)
    for name in voxels_of(result):
        np.testing.assert_array_equal(result[name].affine, expected[name].affine)
    back = RandomVolaug(Compose([*MOVES, CenterCrop(shape)]))(subject).apply_inverse_transform()
    assert back.spatial_shape == SHAPE
    np.testing.assert_allclose(back.t1.affine, AFFINE, atol=1e-12)
    only = RandomVolaug(Compose([CenterCrop(shape)]), include=["t1"])(subject)
    np.testing.assert_array_equal(only.t2.affine, AFFINE)


def test_slices_stay_slices():
    flat = scan()[:, :, :1]
    subject = tio.Subject(t1=scalar(flat[np.newaxis]), seg=label_map((flat > 1)[np.newaxis]))
    result = RandomVolaug(Compose(MOVES))(subject)
    assert ((result.t1.data > 1) == result.seg.data).float().mean() > 0.98
    assert result.t1.data.max() > 0.8 * subject.t1.data.max()
